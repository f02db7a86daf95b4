//! Messages that the application sends, the same on every transport.

use bytes::Bytes;

use super::Str;
use crate::websocket::deflate::SharedFrames;

/// A message to send. Cloning is cheap, so a broadcast is encoded once.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) message: Message,
    /// Whether it is dropped for a client that has something else queued.
    pub(crate) volatile: bool,
    /// Whether it may be compressed.
    pub(crate) compress: bool,
    /// Its compressed bytes, for all clients for which they are the same.
    pub(crate) compressed: SharedFrames,
}

/// The content of a frame.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    /// A text message and the binary messages that belong to it.
    Text(Str, Vec<Bytes>),
    /// One binary message.
    Binary(Bytes),
}

/// A text message to one client, in parts. It is not joined unless it has to be, so most take no memory of
/// their own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlainText<'a> {
    pub(crate) parts: &'a [&'a str],
    /// As of a [`Frame`].
    pub(crate) volatile: bool,
    /// As of a [`Frame`].
    pub(crate) compress: bool,
}

impl From<PlainText<'_>> for Frame {
    fn from(text: PlainText<'_>) -> Self {
        Self {
            volatile: text.volatile,
            compress: text.compress,
            ..Self::new(Message::Text(text.parts.concat().into(), Vec::new()))
        }
    }
}

impl Frame {
    pub(crate) fn new(message: Message) -> Self {
        Self {
            message,
            volatile: false,
            compress: true,
            compressed: SharedFrames::default(),
        }
    }

    /// The same, as another message.
    pub(crate) fn with_message(&self, message: Message) -> Self {
        Self {
            message,
            volatile: self.volatile,
            compress: self.compress,
            compressed: SharedFrames::default(),
        }
    }

    /// Whether any of its messages is binary.
    pub(super) fn is_binary(&self) -> bool {
        match &self.message {
            Message::Text(_, attachments) => !attachments.is_empty(),
            Message::Binary(_) => true,
        }
    }

    /// How many bytes it carries.
    pub(crate) fn len(&self) -> usize {
        match &self.message {
            Message::Text(text, attachments) => {
                text.len() + attachments.iter().map(Bytes::len).sum::<usize>()
            }
            Message::Binary(bytes) => bytes.len(),
        }
    }
}
