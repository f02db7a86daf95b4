//! What a client is told when it joins a namespace.

/// What a client of protocol 5 is told when it joins a namespace. Ids have no characters that JSON escapes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Welcome<'a> {
    /// The id of its socket.
    pub(crate) id: &'a str,
    /// The secret id of its session, if that can be recovered.
    pub(crate) pid: Option<&'a str>,
}

impl<'a> Welcome<'a> {
    /// The welcome of a server that recovers no sessions.
    pub(crate) fn of(id: &'a str) -> Self {
        Self { id, pid: None }
    }
}
