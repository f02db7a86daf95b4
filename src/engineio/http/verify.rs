//! Which requests may open or use a session.

use http::Method;

use super::super::config::Config;
use super::super::{ProtocolVersion, Sid, TransportType};
use super::query::Query;
use crate::protocol::Refusal;

/// What a request for the server's path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    /// A new session.
    Open,
    /// To use a session that exists.
    Use(Sid),
}

/// An existing session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Session {
    pub(crate) transport: TransportType,
    pub(crate) protocol: ProtocolVersion,
}

/// Checks a request by its method and its query. `find` looks up an open session.
///
/// # Errors
/// The refusal that the client is told.
pub(crate) fn verify(
    config: &Config,
    method: &Method,
    query: &Query<'_>,
    is_upgrade: bool,
    find: impl FnOnce(Sid) -> Option<Session>,
) -> Result<Asks, Refusal> {
    let transport = match query.transport.as_deref() {
        Some("polling") if config.polling => TransportType::Polling,
        Some("websocket") if config.websocket => TransportType::Websocket,
        _ => return Err(Refusal::UnknownTransport),
    };
    let Some(sid) = &query.sid else {
        return if method != Method::GET {
            Err(Refusal::BadHandshakeMethod)
        } else if is_upgrade != (transport == TransportType::Websocket) {
            Err(Refusal::NotAnUpgrade)
        } else {
            Ok(Asks::Open)
        };
    };
    let sid = sid.parse().map_err(|_| Refusal::UnknownSession)?;
    let session = find(sid).ok_or(Refusal::UnknownSession)?;
    if !is_upgrade && session.transport != transport {
        return Err(Refusal::TransportMismatch);
    }
    if session.protocol != query.protocol {
        return Err(Refusal::ProtocolMismatch);
    }
    if is_upgrade {
        if transport == TransportType::Polling {
            return Err(Refusal::NotAnUpgrade);
        }
        if !config.allow_upgrades {
            return Err(Refusal::UpgradeNotAllowed);
        }
    }
    Ok(Asks::Use(sid))
}

/// Checks, after everything else, that sessions of this protocol version are accepted.
///
/// # Errors
/// The refusal that the client is told.
pub(crate) fn verify_protocol(
    config: &Config,
    asks: Asks,
    protocol: ProtocolVersion,
) -> Result<(), Refusal> {
    if asks == Asks::Open && protocol == ProtocolVersion::V3 && !config.allow_eio3 {
        return Err(Refusal::UnsupportedProtocol);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "lv_VI97HAXpY6yYWAAAB";

    /// Verifies a request where there is one session of version 4, on a transport.
    fn ask(
        config: &Config,
        method: &Method,
        query: &str,
        is_upgrade: bool,
        transport: TransportType,
    ) -> Result<Asks, Refusal> {
        let target = format!("/socket.io/?{query}");
        let session = Session {
            transport,
            protocol: ProtocolVersion::V4,
        };
        verify(config, method, &Query::of(&target), is_upgrade, |sid| {
            (sid.as_str() == SID).then_some(session)
        })
    }

    #[test]
    fn a_request_without_a_session_opens_one_by_get_on_a_transport_that_is_allowed() {
        let polling_only = Config {
            websocket: false,
            ..Config::default()
        };
        let websocket_only = Config {
            polling: false,
            ..Config::default()
        };
        let (get, post) = (&Method::GET, &Method::POST);
        let all = &Config::default();
        for (config, method, query, is_upgrade, expected) in [
            (all, get, "transport=polling", false, Ok(Asks::Open)),
            (all, get, "transport=polling&sid=", false, Ok(Asks::Open)),
            (all, get, "transport=websocket", true, Ok(Asks::Open)),
            (all, get, "", false, Err(Refusal::UnknownTransport)),
            (
                all,
                get,
                "transport=toString",
                false,
                Err(Refusal::UnknownTransport),
            ),
            (
                all,
                post,
                "transport=smoke",
                false,
                Err(Refusal::UnknownTransport),
            ),
            (
                all,
                post,
                "transport=polling",
                false,
                Err(Refusal::BadHandshakeMethod),
            ),
            (
                all,
                post,
                "transport=websocket",
                true,
                Err(Refusal::BadHandshakeMethod),
            ),
            (
                all,
                get,
                "transport=websocket",
                false,
                Err(Refusal::NotAnUpgrade),
            ),
            (
                all,
                get,
                "transport=polling",
                true,
                Err(Refusal::NotAnUpgrade),
            ),
            (
                &polling_only,
                get,
                "transport=websocket",
                true,
                Err(Refusal::UnknownTransport),
            ),
            (
                &websocket_only,
                get,
                "transport=polling",
                false,
                Err(Refusal::UnknownTransport),
            ),
        ] {
            let asked = ask(config, method, query, is_upgrade, TransportType::Polling);
            assert_eq!(asked, expected, "{method} {query}");
        }
    }

    #[test]
    fn a_request_uses_a_session_of_its_transport_and_version_or_upgrades_it() {
        let no_upgrades = Config {
            allow_upgrades: false,
            ..Config::default()
        };
        let (polling, websocket) = (TransportType::Polling, TransportType::Websocket);
        let all = &Config::default();
        let uses = Ok(Asks::Use(SID.parse().unwrap()));
        for (config, query, is_upgrade, transport, expected) in [
            (all, "EIO=4&transport=polling", false, polling, uses),
            (all, "EIO=4&transport=websocket", true, polling, uses),
            (all, "EIO=4&transport=websocket", true, websocket, uses),
            (
                all,
                "EIO=4&transport=polling",
                false,
                websocket,
                Err(Refusal::TransportMismatch),
            ),
            (
                all,
                "EIO=4&transport=websocket",
                false,
                polling,
                Err(Refusal::TransportMismatch),
            ),
            (
                all,
                "transport=polling",
                false,
                polling,
                Err(Refusal::ProtocolMismatch),
            ),
            (
                all,
                "EIO=3&transport=websocket",
                true,
                polling,
                Err(Refusal::ProtocolMismatch),
            ),
            (
                all,
                "EIO=4&transport=polling",
                true,
                polling,
                Err(Refusal::NotAnUpgrade),
            ),
            (
                &no_upgrades,
                "EIO=4&transport=websocket",
                true,
                polling,
                Err(Refusal::UpgradeNotAllowed),
            ),
        ] {
            let query = format!("{query}&sid={SID}");
            for method in [Method::GET, Method::POST, Method::PUT] {
                let asked = ask(config, &method, &query, is_upgrade, transport);
                assert_eq!(asked, expected, "{method} {query}");
            }
        }
    }

    #[test]
    fn a_session_that_is_not_there_or_cannot_be_is_unknown() {
        for sid in ["nobody", "%C3%BC%00%22", &"x".repeat(1000)] {
            let query = format!("EIO=4&transport=polling&sid={sid}");
            let asked = ask(
                &Config::default(),
                &Method::GET,
                &query,
                false,
                TransportType::Polling,
            );
            assert_eq!(asked, Err(Refusal::UnknownSession), "{sid}");
        }
    }

    #[test]
    fn only_what_opens_a_session_needs_a_version_that_is_let_in() {
        let (v3, v4) = (ProtocolVersion::V3, ProtocolVersion::V4);
        let uses = Asks::Use(SID.parse().unwrap());
        for (allow_eio3, asks, protocol, is_let_in) in [
            (true, Asks::Open, v3, true),
            (true, Asks::Open, v4, true),
            (false, Asks::Open, v3, false),
            (false, Asks::Open, v4, true),
            (false, uses, v3, true),
        ] {
            let config = Config {
                allow_eio3,
                ..Config::default()
            };
            let verified = verify_protocol(&config, asks, protocol);
            assert_eq!(verified.is_ok(), is_let_in, "{asks:?} {protocol}");
        }
    }
}
