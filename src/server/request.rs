//! Which HTTP requests may open or use a connection, and what the others are told.

use engineioxide::TransportType;
use engineioxide::socket::Sid;

use super::Server;

/// What a request for the server's path asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// A new connection.
    Open,
    /// To use a connection that exists.
    Use(Sid),
}

/// Why a request is refused: the codes of Engine.IO, which clients report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Refusal {
    /// `Transport unknown`
    UnknownTransport = 0,
    /// `Session ID unknown`
    UnknownSession = 1,
    /// `Bad handshake method`
    BadHandshakeMethod = 2,
    /// `Bad request`
    BadRequest = 3,
    /// `Unsupported protocol version`
    UnsupportedProtocol = 5,
}

/// The value of a query parameter, as it stands in the URL.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// A query the engine understands: without `EIO` a client is of Engine.IO 3.
pub(crate) fn normal_query(query: &str) -> String {
    match parameter(query, "EIO") {
        Some(_) => query.to_owned(),
        None => format!("EIO=3&{query}"),
    }
}

/// Checks a request by its query and method.
///
/// # Errors
/// The refusal a client is to be told.
pub(crate) fn check(
    server: &Server,
    query: &str,
    is_get: bool,
    is_websocket: bool,
) -> Result<Asks, Refusal> {
    let expected = if is_websocket { "websocket" } else { "polling" };
    match parameter(query, "transport") {
        Some("polling" | "websocket") => {}
        _ => return Err(Refusal::UnknownTransport),
    }
    if parameter(query, "transport") != Some(expected) {
        return Err(Refusal::BadRequest);
    }
    if !matches!(parameter(query, "EIO"), None | Some("3" | "4")) {
        return Err(Refusal::UnsupportedProtocol);
    }
    let Some(sid) = parameter(query, "sid") else {
        return if is_get {
            Ok(Asks::Open)
        } else {
            Err(Refusal::BadHandshakeMethod)
        };
    };
    let sid = sid.parse().map_err(|_| Refusal::UnknownSession)?;
    let engine = server.connection(sid).ok_or(Refusal::UnknownSession)?;
    match engine.transport_type() {
        TransportType::Polling => Ok(Asks::Use(sid)),
        TransportType::Websocket => Err(Refusal::BadRequest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_found_by_its_whole_name() {
        let query = "xEIO=3&EIO=4&transport=polling&sid=";
        assert_eq!(parameter(query, "EIO"), Some("4"));
        assert_eq!(parameter(query, "sid"), Some(""));
        assert_eq!(parameter(query, "t"), None);
    }

    #[test]
    fn a_client_that_names_no_protocol_is_of_engine_io_3() {
        assert_eq!(normal_query("transport=polling"), "EIO=3&transport=polling");
        assert_eq!(normal_query("EIO=4&t=x"), "EIO=4&t=x");
    }
}
