//! Which HTTP requests may open or use a connection, and how others are refused.

use super::connection::{Connection, Data};
use super::engine::Engine;
use super::{ProtocolVersion, Sid, TransportType};
use crate::protocol::Refusal;

/// The query of a request for the server's path, as JavaScript read it from the URL.
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

/// Checks a request by what its URL and its method say.
///
/// # Errors
/// The refusal a client is to be told.
pub(crate) fn check<D: Data>(
    engine: &Engine<Connection<D>>,
    query: &Query,
) -> Result<Asks, Refusal> {
    let transport = match query.transport.as_str() {
        "polling" if engine.config.polling => TransportType::Polling,
        "websocket" if engine.config.websocket => TransportType::Websocket,
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
    let connection = engine.connection(sid).ok_or(Refusal::UnknownSession)?;
    let current = connection.transport().ok_or(Refusal::UnknownSession)?;
    if !query.is_upgrade && current != transport {
        return Err(Refusal::TransportMismatch);
    }
    if connection.protocol != query.protocol {
        return Err(Refusal::ProtocolMismatch);
    }
    if query.is_upgrade {
        if transport == TransportType::Polling {
            return Err(Refusal::NotAnUpgrade);
        }
        if !engine.config.allow_upgrades {
            return Err(Refusal::UpgradeNotAllowed);
        }
    }
    Ok(Asks::Use(sid))
}

/// Checks, after everything else, that connections of this protocol version are accepted.
///
/// # Errors
/// The refusal a client is to be told.
pub(crate) fn check_protocol<D: Data>(
    engine: &Engine<Connection<D>>,
    asks: Asks,
    protocol: ProtocolVersion,
) -> Result<(), Refusal> {
    if asks == Asks::Open && protocol == ProtocolVersion::V3 && !engine.config.allow_eio3 {
        return Err(Refusal::UnsupportedProtocol);
    }
    Ok(())
}
