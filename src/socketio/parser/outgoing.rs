//! An event or an acknowledgement that the server sends.

/// An event, or the acknowledgement of one, before it is encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    pub(super) kind: Kind,
    /// The name of its namespace, which begins with a slash.
    pub(super) ns: &'a str,
    pub(super) json: &'a str,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// With an id if the client is to acknowledge it.
    Event(Option<i64>),
    /// With the id of the event.
    Ack(i64),
}

impl<'a> Outgoing<'a> {
    /// An event; `json` is `["name",args…]`, with placeholders for attachments. In MessagePack the only
    /// attachment is that array, and there is no JSON, here and below.
    pub(crate) fn event(ns: &'a str, json: &'a str, id: Option<i64>) -> Self {
        let kind = Kind::Event(id);
        Self { kind, ns, json }
    }

    /// An acknowledgement; `json` is the array of its arguments.
    pub(crate) fn ack(ns: &'a str, json: &'a str, id: i64) -> Self {
        let kind = Kind::Ack(id);
        Self { kind, ns, json }
    }
}
