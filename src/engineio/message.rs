//! What the application has the engine send: the same for a client that polls and one on a websocket.

use bytes::Bytes;

use super::Str;

/// A message as it goes out.
///
/// Cloning is cheap, so a broadcast is encoded once.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) message: Message,
    /// Rather not at all than late: dropped for a client for which something waits already.
    pub(crate) volatile: bool,
    /// Whether the application would have it compressed; nothing is, but who watches is told.
    pub(crate) compress: bool,
}

/// What the engine sends for it.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    /// A text message and the binary messages that belong to it.
    Text(Str, Vec<Bytes>),
    /// One binary message.
    Binary(Bytes),
}

impl Frame {
    pub(crate) fn new(message: Message) -> Self {
        Self {
            message,
            volatile: false,
            compress: true,
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
