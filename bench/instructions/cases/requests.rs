//! Requests that the front in Rust reads: [`crate::engineio::http::head`].

use std::hint::black_box;

use super::count;
use crate::engineio::http::head::Head;

/// A poll, with the headers of a browser.
const POLL: &[u8] =
    b"GET /socket.io/?EIO=4&transport=polling&t=abc&sid=lv_VI97HAXpY6yYWAAAB HTTP/1.1\r\n\
    Host: 127.0.0.1:3000\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0\r\n\
    Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n\
    Connection: keep-alive\r\nReferer: http://127.0.0.1:3000/\r\n\r\n";

/// The head of a poll.
pub(super) fn head(n: u32) {
    let parsed = count(|| {
        (0..n)
            .filter_map(|_| Head::parse(black_box(POLL)))
            .filter(|head| head.bytes.len() == POLL.len())
            .count()
    });
    assert_eq!(parsed, n as usize);
}
