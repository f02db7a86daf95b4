//! Which HTTP requests may open or use a connection, and what the others are told.

use engineioxide::socket::Sid;
use engineioxide::{ProtocolVersion, TransportType};

use super::Server;

/// What a request for the server's path says, as JavaScript read it from the URL.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) protocol: ProtocolVersion,
    pub(crate) transport: String,
    pub(crate) sid: Option<String>,
    pub(crate) is_get: bool,
    pub(crate) is_upgrade: bool,
}

/// What a request for the server's path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    /// A new connection.
    Open,
    /// To use a connection that exists.
    Use(Sid),
}

/// Why a request is refused. `lib/refusals.js` has the codes of Engine.IO and the words for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Refusal {
    UnknownTransport = 0,
    UnknownSession = 1,
    BadHandshakeMethod = 2,
    /// The session is on another transport.
    TransportMismatch = 3,
    UnsupportedProtocol = 5,
    /// The session is of another version of Engine.IO.
    ProtocolMismatch = 6,
    /// A websocket was asked for without an upgrade, or an upgrade for polling.
    NotAnUpgrade = 7,
    /// Sessions may not be upgraded.
    NoUpgrade = 8,
}

/// Checks a request by what its URL and its method say.
///
/// # Errors
/// The refusal a client is to be told.
pub(crate) fn check(server: &Server, query: &Query) -> Result<Asks, Refusal> {
    let transport = match query.transport.as_str() {
        "polling" if server.options.polling => TransportType::Polling,
        "websocket" if server.options.websocket => TransportType::Websocket,
        _ => return Err(Refusal::UnknownTransport),
    };
    let Some(sid) = &query.sid else {
        return if !query.is_get {
            Err(Refusal::BadHandshakeMethod)
        } else if query.is_upgrade != (transport == TransportType::Websocket) {
            Err(Refusal::NotAnUpgrade)
        } else {
            Ok(Asks::Open)
        };
    };
    let sid = sid.parse().map_err(|_| Refusal::UnknownSession)?;
    let engine = server.connection(sid).ok_or(Refusal::UnknownSession)?;
    let current = engine.transport_type();
    if !query.is_upgrade && current != transport {
        return Err(Refusal::TransportMismatch);
    }
    if engine.protocol != query.protocol {
        return Err(Refusal::ProtocolMismatch);
    }
    if query.is_upgrade {
        if transport == TransportType::Polling {
            return Err(Refusal::NotAnUpgrade);
        }
        if !server.options.allow_upgrades {
            return Err(Refusal::NoUpgrade);
        }
    }
    Ok(Asks::Use(sid))
}

/// Checks, when everything else allows a connection to be opened, that its protocol is let in.
///
/// # Errors
/// The refusal a client is to be told.
pub(crate) fn check_protocol(
    server: &Server,
    asks: Asks,
    protocol: ProtocolVersion,
) -> Result<(), Refusal> {
    if asks == Asks::Open && protocol == ProtocolVersion::V3 && !server.options.allow_eio3 {
        return Err(Refusal::UnsupportedProtocol);
    }
    Ok(())
}

/// The URL the engine is called with: nothing of the client's own reaches it.
pub(crate) fn engine_uri(
    protocol: ProtocolVersion,
    transport: TransportType,
    asks: Asks,
    base64_only: bool,
) -> String {
    let eio = match protocol {
        ProtocolVersion::V3 => 3,
        ProtocolVersion::V4 => 4,
    };
    let transport = match transport {
        TransportType::Polling => "polling",
        TransportType::Websocket => "websocket",
    };
    let base64 = if base64_only { "&b64=1" } else { "" };
    match asks {
        Asks::Open => format!("/engine.io/?EIO={eio}&transport={transport}{base64}"),
        Asks::Use(sid) => format!("/engine.io/?EIO={eio}&transport={transport}&sid={sid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_sees_a_url_of_ours() {
        let sid: Sid = "AAAAAAAAAAAAAAHs".parse().unwrap();
        let polling = TransportType::Polling;
        assert_eq!(
            engine_uri(ProtocolVersion::V3, polling, Asks::Open, true),
            "/engine.io/?EIO=3&transport=polling&b64=1"
        );
        assert_eq!(
            engine_uri(ProtocolVersion::V4, polling, Asks::Use(sid), false),
            "/engine.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAHs"
        );
    }
}
