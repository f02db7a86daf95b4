//! Engine.IO's HTTP: which requests open or use a session, and their responses.
//!
//! ```text
//! query        the parameters of a URL      verify       whether a request may use a session
//! origin       which pages may connect       websocket    the client's handshake of a websocket
//! refusal      refusals and their responses  response     responses to polls and packets
//! jsonp        scripts and forms             cookie       the session's id for load balancers
//! cors         which pages may read it       client_file  the browser's client
//! encoding     compressed responses          http1        responses as bytes
//! head         the heads of requests         front_response  responses of the front, as bytes
//! ```
//!
//! Pure: no I/O and no runtime, on the types of the `http` crate. A front (Node's http.Server, or
//! [`super::front`]) passes in a request, asks the application for its decisions, and writes the response. What must stay true: no
//! front decides any of this itself, so that all fronts answer alike.

pub(crate) mod client_file;
pub(crate) mod cookie;
pub(crate) mod cors;
pub(crate) mod encoding;
#[cfg(unix)]
pub(crate) mod front_response;
#[cfg(unix)]
pub(crate) mod head;
pub(crate) mod http1;
pub(crate) mod jsonp;
pub(crate) mod origin;
pub(crate) mod query;
pub(crate) mod refusal;
pub(crate) mod response;
pub(crate) mod verify;
pub(crate) mod websocket;

/// The options of the application.
#[derive(Debug, Default)]
pub(crate) struct Config {
    /// What the targets of the server's requests begin with; see [`prefix`].
    pub(crate) prefix: String,
    /// The origins whose pages may connect; all of them if it is not set.
    pub(crate) allowed_origins: Option<origin::AllowedOrigins>,
    pub(crate) cookie: Option<cookie::Cookie>,
}

/// The prefix of the targets of the server's requests, as in Engine.IO: its path without a slash at its
/// end.
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
