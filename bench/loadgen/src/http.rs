//! The little HTTP/1.1 that handshakes and polling need: requests out, responses in.

use std::io::Write;

use anyhow::{Context, Result, ensure};

/// A response that has come whole.
#[derive(Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// Its status.
    pub status: u16,
    /// Whether its body is binary.
    pub is_binary: bool,
    /// Whether the server closes the connection behind it.
    pub closes: bool,
    /// `Sec-WebSocket-Accept`, if it has one.
    pub accept: Option<&'a [u8]>,
    /// Its body.
    pub body: &'a [u8],
    /// How many bytes it took in all.
    pub length: usize,
}

/// Appends a GET.
pub fn get(out: &mut Vec<u8>, host: &str, url: &str, headers: &str) {
    // writing to a Vec does not fail
    let _ = write!(out, "GET {url} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n");
}

/// Appends a POST.
pub fn post(out: &mut Vec<u8>, host: &str, url: &str, is_binary: bool, body: &[u8]) {
    let kind = if is_binary {
        "application/octet-stream"
    } else {
        "text/plain;charset=UTF-8"
    };
    // writing to a Vec does not fail
    let _ = write!(
        out,
        "POST {url} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    out.extend_from_slice(body);
}

/// The response in front of `bytes`; `None` when it is not there whole.
pub fn parse(bytes: &[u8]) -> Result<Option<Response<'_>>> {
    let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
        ensure!(bytes.len() < 64 << 10, "no end of a response's headers");
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end]).context("a response's headers")?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok())
        .context("a response's status line")?;
    let (mut length, mut is_binary, mut closes, mut accept) = (None, false, false, None);
    for line in lines {
        let (name, value) = line.split_once(':').context("a response's header")?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.parse::<usize>().context("Content-Length")?);
        } else if name.eq_ignore_ascii_case("content-type") {
            is_binary = value.starts_with("application/octet-stream");
        } else if name.eq_ignore_ascii_case("connection") {
            closes = value.eq_ignore_ascii_case("close");
        } else if name.eq_ignore_ascii_case("sec-websocket-accept") {
            accept = Some(value.as_bytes());
        }
    }
    let start = end + 4;
    let length = match (status, length) {
        (101 | 204 | 304, _) => 0,
        (_, length) => length.context("a response without Content-Length")?,
    };
    Ok(bytes.get(start..start + length).map(|body| Response {
        status,
        is_binary,
        closes,
        accept,
        body,
        length: start + length,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_read_once_it_is_whole() {
        let text = b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n\
                     Content-Length: 5\r\nConnection: close\r\n\r\nhellomore";
        for cut in 0..text.len() - 4 {
            assert_eq!(parse(&text[..cut]).unwrap(), None);
        }
        let response = parse(text).unwrap().unwrap();
        assert_eq!(response.status, 200);
        assert_eq!(response.body, b"hello");
        assert!(response.is_binary && response.closes);
        assert_eq!(response.length, text.len() - 4);
    }

    #[test]
    fn a_switch_of_protocols_has_no_body() {
        let text = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: abc=\r\n\r\n\x81";
        let response = parse(text).unwrap().unwrap();
        assert_eq!(response.accept, Some(&b"abc="[..]));
        assert_eq!(response.length, text.len() - 1);
    }

    #[test]
    fn what_is_no_response_is_refused() {
        for text in [
            "SSH-2.0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_post_says_what_it_carries() {
        let mut out = Vec::new();
        post(&mut out, "h:1", "/x?a", false, b"42");
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "POST /x?a HTTP/1.1\r\nHost: h:1\r\nContent-Type: text/plain;charset=UTF-8\r\n\
             Content-Length: 2\r\n\r\n42"
        );
    }
}
