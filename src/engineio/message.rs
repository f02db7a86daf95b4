//! Messages that the application sends, the same on every transport.

use bytes::Bytes;

use super::Str;

/// A message to send. Cloning is cheap, so a broadcast is encoded once.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) message: Message,
    /// Whether it is dropped for a client that has something else queued.
    pub(crate) volatile: bool,
    /// Whether the application wants it compressed. Nothing is, but events of packets tell of it.
    pub(crate) compress: bool,
}

/// The content of a frame.
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
