//! Engine.IO's HTTP: which requests open or use a session, and what all of them are answered.
//!
//! ```text
//! query        what a request's URL says     verify       whether it may open or use a session
//! origin       which pages may connect       websocket    the client's handshake of a websocket
//! refusal      why not, and the response     response     what polls and packets are answered
//! jsonp        scripts and forms             cookie       the session's id for load balancers
//! cors         which pages may read it       client_file  the browser's client
//! http1        responses as bytes
//! ```
//!
//! Pure: no I/O and no runtime, on the types of the `http` crate. A front (Node's http.Server) hands in
//! what a request says, asks the application what only that knows, and writes the response. What must
//! stay true: no front decides anything of this itself, so that each front answers the same.

pub(crate) mod client_file;
pub(crate) mod cookie;
pub(crate) mod cors;
pub(crate) mod http1;
pub(crate) mod jsonp;
pub(crate) mod origin;
pub(crate) mod query;
pub(crate) mod refusal;
pub(crate) mod response;
pub(crate) mod verify;
pub(crate) mod websocket;

/// What the application has set.
#[derive(Debug, Default)]
pub(crate) struct Config {
    /// The origins whose pages may connect; every one, without.
    pub(crate) allowed_origins: Option<origin::AllowedOrigins>,
    pub(crate) cookie: Option<cookie::Cookie>,
}

/// What the targets of the requests begin with that are the server's, as on Engine.IO: its path,
/// which has no slash at its end.
pub(crate) fn prefix(path: &str, add_trailing_slash: bool) -> String {
    let slash = if add_trailing_slash { "/" } else { "" };
    format!("{path}{slash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_of_requests_is_the_path_with_a_slash_unless_there_is_to_be_none() {
        assert_eq!(prefix("/socket.io", true), "/socket.io/");
        assert_eq!(prefix("/socket.io", false), "/socket.io");
        assert_eq!(prefix("", true), "/");
    }
}
