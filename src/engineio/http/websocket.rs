//! The client's handshake of a websocket (RFC 6455, section 4.2.1), checked as the npm package `ws`
//! does.

use std::collections::HashSet;

use http::{HeaderMap, HeaderName, Method, header};

use crate::protocol::Refusal;
use crate::websocket::deflate::Options;
use crate::websocket::extensions::{self, Accepted, is_token};

/// The versions of the protocol that are spoken.
pub(super) const VERSIONS: [u8; 2] = [13, 8];

/// Checks that a request asks for a websocket.
///
/// # Errors
/// The refusal a client is to be told.
pub(crate) fn check(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    let is = |name: HeaderName, check: fn(&[u8]) -> bool| {
        headers
            .get(name)
            .is_some_and(|value| check(value.as_bytes()))
    };
    if method != Method::GET {
        Err(Refusal::WebsocketMethod)
    } else if !is(header::UPGRADE, |value| {
        value.eq_ignore_ascii_case(b"websocket")
    }) {
        Err(Refusal::WebsocketUpgrade)
    } else if !is(header::SEC_WEBSOCKET_KEY, is_key) {
        Err(Refusal::WebsocketKey)
    } else if !is(header::SEC_WEBSOCKET_VERSION, is_version) {
        Err(Refusal::WebsocketVersion)
    } else if !headers
        .get(header::SEC_WEBSOCKET_PROTOCOL)
        .is_none_or(|names| are_subprotocols(names.as_bytes()))
    {
        Err(Refusal::WebsocketProtocol)
    } else {
        Ok(())
    }
}

/// The compression that is agreed on, if the options allow any and the client offers it.
///
/// # Errors
/// The refusal a client is to be told.
pub(crate) fn compression(
    headers: &HeaderMap,
    options: Option<&Options>,
) -> Result<Option<Accepted>, Refusal> {
    match (headers.get(header::SEC_WEBSOCKET_EXTENSIONS), options) {
        (Some(offers), Some(options)) => extensions::negotiate(offers.as_bytes(), options)
            .map_err(|_| Refusal::WebsocketExtensions),
        _ => Ok(None),
    }
}

/// The lines of the response that say what was agreed on, each with its line break.
pub(crate) fn agreed(headers: &HeaderMap, compression: Option<&Accepted>) -> String {
    let mut lines = String::new();
    if let Some(name) = subprotocol(headers) {
        lines += &format!("Sec-WebSocket-Protocol: {name}\r\n");
    }
    if let Some(Accepted { header, .. }) = compression {
        lines += &format!("Sec-WebSocket-Extensions: {header}\r\n");
    }
    lines
}

/// Whether it is the number of a version that is spoken.
fn is_version(value: &[u8]) -> bool {
    let number = extensions::number(&String::from_utf8_lossy(value.trim_ascii()));
    number.is_some_and(|number| VERSIONS.iter().any(|&version| f64::from(version) == number))
}

/// Whether it lists subprotocols, each once; they are tokens (RFC 6455, section 4.1; RFC 9110, section
/// 5.6.2).
fn are_subprotocols(names: &[u8]) -> bool {
    let is_name = |name: &[u8]| !name.is_empty() && name.iter().all(|&byte| is_token(byte));
    let mut seen = HashSet::new();
    split(names).all(|name| is_name(name) && seen.insert(name))
}

/// The elements of a list.
fn split(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

/// Whether it is 16 bytes as base64.
fn is_key(value: &[u8]) -> bool {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    value
        .strip_suffix(b"==")
        .is_some_and(|digits| digits.len() == 22 && digits.iter().all(is_base64))
}

/// The subprotocol that is agreed on: the first that the client names.
fn subprotocol(headers: &HeaderMap) -> Option<&str> {
    let names = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?;
    std::str::from_utf8(split(names.as_bytes()).next()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(changed: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("upgrade", "websocket"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-version", "13"),
        ]
        .iter()
        .chain(changed)
        {
            headers.insert(*name, value.as_bytes().try_into().unwrap());
        }
        headers
    }

    #[test]
    fn a_handshake_of_a_websocket_is_taken() {
        for changed in [
            &[][..],
            &[("upgrade", "WebSocket")],
            &[("sec-websocket-version", "8")],
            &[("sec-websocket-version", "013")],
            &[("sec-websocket-version", "0xD")],
            &[("sec-websocket-version", "0b1000")],
            &[("sec-websocket-version", "1.3e1")],
            &[("sec-websocket-protocol", "chat\t , superchat,Chat")],
            &[("sec-websocket-protocol", "!#$%&'*+-.^_`|~09azAZ")],
            &[("sec-websocket-key", "+/+/+/+/+/+/+/+/+/+/+A==")],
        ] {
            assert_eq!(
                check(&Method::GET, &headers(changed)),
                Ok(()),
                "{changed:?}"
            );
        }
    }

    #[test]
    fn a_request_that_is_no_handshake_is_refused_with_the_first_reason() {
        let refused = |method, changed: &[_]| check(&method, &headers(changed)).unwrap_err();
        assert_eq!(refused(Method::POST, &[]), Refusal::WebsocketMethod);
        for upgrade in ["h2c", "websocket, h2c", "websocket ", ""] {
            let changed = [("upgrade", upgrade)];
            assert_eq!(refused(Method::GET, &changed), Refusal::WebsocketUpgrade);
        }
        for key in [
            "",
            "too short",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZ_==",
        ] {
            let changed = [("sec-websocket-key", key)];
            assert_eq!(
                refused(Method::GET, &changed),
                Refusal::WebsocketKey,
                "{key}"
            );
        }
        for version in ["12", "130", "", "13, 8", "nan", "0x+d", "0x"] {
            let changed = [("sec-websocket-version", version)];
            assert_eq!(refused(Method::GET, &changed), Refusal::WebsocketVersion);
        }
        for names in [
            "chat, chat",
            "a,b,a",
            "",
            ",",
            "a,",
            ",a",
            "a,,b",
            "a b",
            "a/b",
            "é",
        ] {
            let changed = [("sec-websocket-protocol", names)];
            assert_eq!(
                refused(Method::GET, &changed),
                Refusal::WebsocketProtocol,
                "{names}"
            );
        }
        let none = HeaderMap::new();
        assert_eq!(check(&Method::GET, &none), Err(Refusal::WebsocketUpgrade));
    }

    #[test]
    fn the_first_subprotocol_is_agreed_on() {
        for (names, expected) in [
            ("chat", Some("chat")),
            ("chat, superchat", Some("chat")),
            ("chat ,superchat", Some("chat")),
        ] {
            let headers = headers(&[("sec-websocket-protocol", names)]);
            assert_eq!(subprotocol(&headers), expected, "{names}");
        }
        assert_eq!(subprotocol(&HeaderMap::new()), None);
    }
}
