//! An item of a channel, as it is sent.

use bytes::Bytes;

use super::shared::Shared;
use crate::engineio::Str;
use crate::engineio::message::{Frame, Message};
use crate::socketio::events::AckId;
use crate::socketio::parser::Outgoing;

/// An item, encoded once for all subscribers.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) frame: Frame,
    /// The same with an acknowledgement id, for the subscribers that it asks for one. Made on demand.
    asking: Option<(AckId, Frame)>,
}

impl Item {
    /// An item of a namespace; `json` and `attachments` as in an event.
    pub(super) fn new(shared: &Shared, ns: &Str, json: &str, attachments: Vec<Bytes>) -> Self {
        let packet = Outgoing::event(ns, json, None);
        Self {
            frame: shared.parser.encode(packet, attachments),
            asking: None,
        }
    }

    /// How many bytes it has.
    pub(super) fn len(&self) -> usize {
        self.frame.len()
    }

    /// Whether it is one message on the wire.
    pub(super) fn is_one_message(&self) -> bool {
        match &self.frame.message {
            Message::Text(_, attachments) => attachments.is_empty(),
            Message::Binary(_) => true,
        }
    }

    /// The item with an id that the client is to acknowledge it with.
    pub(super) fn asking(&mut self, shared: &Shared, ns: &Str) -> (AckId, &Frame) {
        let frame = &self.frame;
        let (id, asking) = self.asking.get_or_insert_with(|| {
            let id = shared.next_id();
            (id, shared.parser.with_ack(ns, frame, id))
        });
        (*id, asking)
    }
}
