//! Encodes the responses of the front in Rust, with the headers that Node's http.Server adds to its own.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::http1::name;

/// Writes the head of a response, with `more` headers, as Node's http.Server does. `keep_alive` is for how
/// many milliseconds the connection stays open after it, 0 for ever; `None` if it ends.
pub(crate) fn write_head(
    bytes: &mut Vec<u8>,
    response: &Response<Bytes>,
    more: &HeaderMap,
    keep_alive: Option<u64>,
) {
    let status = response.status();
    bytes.extend_from_slice(b"HTTP/1.1 ");
    bytes.extend_from_slice(status.as_str().as_bytes());
    bytes.push(b' ');
    bytes.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    bytes.extend_from_slice(b"\r\n");
    let mut line = |name: &str, value: &[u8]| {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    };
    let headers = response.headers();
    for (header, value) in headers {
        if header != CONNECTION {
            line(name(header), value.as_bytes());
        }
    }
    for header in more.keys() {
        let mut values = more.get_all(header).iter();
        let first = values.next().map(HeaderValue::as_bytes).unwrap_or_default();
        match values.next() {
            None => line(name(header), first),
            Some(second) => {
                let mut list = first.to_vec();
                for value in std::iter::once(second).chain(values) {
                    list.extend_from_slice(b", ");
                    list.extend_from_slice(value.as_bytes());
                }
                line(name(header), &list);
            }
        }
    }
    DATE.with_borrow_mut(|date| line("Date", date.now()));
    match keep_alive {
        Some(0) => line("Connection", b"keep-alive"),
        Some(millis) => {
            line("Connection", b"keep-alive");
            let seconds = millis / 1000;
            line("Keep-Alive", format!("timeout={seconds}").as_bytes());
        }
        None => line("Connection", b"close"),
    }
    if is_chunked(response, more) {
        line("Transfer-Encoding", b"chunked");
    }
    bytes.extend_from_slice(b"\r\n");
}

/// Whether a response has a body whose length is not in its head; as in Node.
fn is_chunked(response: &Response<Bytes>, more: &HeaderMap) -> bool {
    let has_length = |headers: &HeaderMap| headers.contains_key(CONTENT_LENGTH);
    let has_body = response.status() != StatusCode::NO_CONTENT;
    has_body && !has_length(response.headers()) && !has_length(more)
}

/// The body of a response in chunks (RFC 9112, section 7.1), if its length is not in its head.
pub(crate) fn chunked(response: &Response<Bytes>, more: &HeaderMap) -> Option<Vec<u8>> {
    if !is_chunked(response, more) {
        return None;
    }
    let body = response.body();
    let mut chunks = Vec::with_capacity(body.len() + 16);
    if !body.is_empty() {
        chunks.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
        chunks.extend_from_slice(body);
        chunks.extend_from_slice(b"\r\n");
    }
    chunks.extend_from_slice(b"0\r\n\r\n");
    Some(chunks)
}

/// Adds headers to lines of a head, each with its line break.
pub(crate) fn write_lines(lines: &mut String, headers: &HeaderMap) {
    for (header, value) in headers {
        if let Ok(value) = value.to_str() {
            lines.push_str(name(header));
            lines.push_str(": ");
            lines.push_str(value);
            lines.push_str("\r\n");
        }
    }
}

thread_local! {
    static DATE: RefCell<Date> = RefCell::default();
}

/// The time as `Date` has it, which changes once a second.
#[derive(Default)]
struct Date {
    second: u64,
    text: String,
}

impl Date {
    fn now(&mut self) -> &[u8] {
        let now = SystemTime::now();
        let second = now.duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs());
        if second != self.second || self.text.is_empty() {
            self.second = second;
            self.text = httpdate::fmt_http_date(now);
        }
        self.text.as_bytes()
    }
}
