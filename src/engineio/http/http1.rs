//! Encodes responses in HTTP/1.1 (RFC 9112).

use bytes::Bytes;
use http::header::{
    self, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, SEC_WEBSOCKET_VERSION,
    SET_COOKIE, X_XSS_PROTECTION,
};
use http::{HeaderName, Response};

/// A header's name as Engine.IO writes it. Case has no meaning in HTTP, but listeners for response
/// headers look for `Content-Type`.
pub(crate) fn name(name: &HeaderName) -> &str {
    const NAMES: [(HeaderName, &str); 14] = [
        (
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            "Access-Control-Allow-Origin",
        ),
        (
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            "Access-Control-Allow-Credentials",
        ),
        (
            header::ACCESS_CONTROL_ALLOW_METHODS,
            "Access-Control-Allow-Methods",
        ),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Access-Control-Allow-Headers",
        ),
        (
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "Access-Control-Expose-Headers",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "Access-Control-Max-Age"),
        (header::VARY, "Vary"),
        (CONTENT_TYPE, "Content-Type"),
        (CONTENT_ENCODING, "Content-Encoding"),
        (CONTENT_LENGTH, "Content-Length"),
        (SET_COOKIE, "Set-Cookie"),
        (CONNECTION, "Connection"),
        (X_XSS_PROTECTION, "X-XSS-Protection"),
        (SEC_WEBSOCKET_VERSION, "Sec-WebSocket-Version"),
    ];
    let known = NAMES.iter().find(|(known, _)| known == name);
    known.map_or(name.as_str(), |(_, written)| written)
}

/// A response as bytes.
pub(crate) fn write(response: &Response<Bytes>) -> Vec<u8> {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (header, value) in response.headers() {
        bytes.extend_from_slice(name(header).as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(response.body());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Refusal;

    #[test]
    fn a_refused_upgrade_is_written_as_by_engine_io() {
        let response = Refusal::WebsocketVersion.upgrade_response(None);
        let expected = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/html\r\n\
                        Content-Length: 47\r\nSec-WebSocket-Version: 13, 8\r\n\r\n\
                        Missing or invalid Sec-WebSocket-Version header";
        assert_eq!(String::from_utf8(write(&response)).unwrap(), expected);
        let response = Refusal::Unavailable.upgrade_response(None);
        assert!(write(&response).starts_with(b"HTTP/1.1 503 Service Unavailable\r\n"));
    }
}
