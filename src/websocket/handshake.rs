//! The response to a WebSocket handshake.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest, Sha1};

/// The head of the response (RFC 6455, section 4.2.2) to a client's `Sec-WebSocket-Key`. `headers` are
/// additional lines, each with its line break.
pub(crate) fn switching_protocols(key: &str, headers: &str) -> Vec<u8> {
    const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let accept = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let accept = BASE64_STANDARD.encode(accept);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{headers}\r\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_rfc_is_answered_as_the_rfc_has_it() {
        let head = switching_protocols("dGhlIHNhbXBsZSBub25jZQ==", "X-A: b\r\n");
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
        assert!(head.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert!(head.ends_with("\r\nX-A: b\r\n\r\n"));
    }
}
