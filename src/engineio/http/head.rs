//! The head of a request, as far as the front in Rust serves it.
//!
//! Parsed by `httparse`, the parser of hyper. What must stay true: a request of which two parsers could
//! think differently is not parsed here at all, but left to Node with all its bytes: one whose head is
//! incomplete, is no HTTP/1.1 or has a name twice, and one whose body has no plain length. So no request
//! can end at one place here and at another one in Node.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

/// The longest head that is parsed here, in bytes: Node serves those that are longer, or refuses them.
pub(crate) const MAX_LENGTH: usize = 1 << 13;
/// How many headers a request has at most; Node serves those that have more.
const MAX_HEADERS: usize = 64;

/// The headers that decide how a request is served, and those that make it one for Node.
static KNOWN: [(&str, HeaderName); 17] = [
    ("accept-encoding", header::ACCEPT_ENCODING),
    (
        "access-control-request-headers",
        header::ACCESS_CONTROL_REQUEST_HEADERS,
    ),
    ("connection", header::CONNECTION),
    ("content-length", header::CONTENT_LENGTH),
    ("content-type", header::CONTENT_TYPE),
    ("expect", header::EXPECT),
    ("host", header::HOST),
    ("origin", header::ORIGIN),
    ("referer", header::REFERER),
    ("sec-fetch-site", HeaderName::from_static("sec-fetch-site")),
    ("sec-websocket-extensions", header::SEC_WEBSOCKET_EXTENSIONS),
    ("sec-websocket-key", header::SEC_WEBSOCKET_KEY),
    ("sec-websocket-protocol", header::SEC_WEBSOCKET_PROTOCOL),
    ("sec-websocket-version", header::SEC_WEBSOCKET_VERSION),
    ("transfer-encoding", header::TRANSFER_ENCODING),
    ("upgrade", header::UPGRADE),
    ("user-agent", header::USER_AGENT),
];

/// How many of them a request has, mostly.
const MOST_KNOWN: usize = 8;

/// The head of a request.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    pub(crate) method: Method,
    pub(crate) target: &'a str,
    /// Those of its headers that decide how it is served.
    pub(crate) headers: HeaderMap,
    /// How many bytes its body has.
    pub(crate) body: usize,
    /// Whether the connection stays open after the response.
    pub(crate) keeps_alive: bool,
    /// Whether it asks for an upgrade, as Node understands that.
    pub(crate) is_upgrade: bool,
    /// The head itself.
    pub(crate) bytes: &'a [u8],
}

/// What `Connection` says.
#[derive(Debug, Default, Clone, Copy)]
struct Options {
    keeps_alive: bool,
    closes: bool,
    upgrades: bool,
    others: bool,
}

impl Options {
    fn of(value: &[u8]) -> Self {
        let mut this = Self::default();
        for option in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            if option.eq_ignore_ascii_case(b"keep-alive") {
                this.keeps_alive = true;
            } else if option.eq_ignore_ascii_case(b"close") {
                this.closes = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                this.upgrades = true;
            } else {
                this.others = true;
            }
        }
        this
    }
}

impl<'a> Head<'a> {
    /// The head at the beginning of `bytes`; `None` if Node is to serve whatever it is.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        // Node takes no empty line before a request that follows another one.
        if !bytes.first()?.is_ascii_uppercase() {
            return None;
        }
        let bytes = bytes.get(..MAX_LENGTH).unwrap_or(bytes);
        let length = match request.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            _ => return None,
        };
        let head = bytes.get(..length)?;
        if request.version != Some(1)
            || !are_lines_complete(head, &request)
            || repeats(request.headers)
        {
            return None;
        }
        let method = match request.method? {
            "GET" => Method::GET,
            "POST" => Method::POST,
            "OPTIONS" => Method::OPTIONS,
            _ => return None,
        };
        let headers = known(request.headers)?;
        // Node refuses a request without it.
        headers.get(header::HOST)?;
        let body = match (headers.get(header::CONTENT_LENGTH), &method) {
            (None, &Method::POST) => return None,
            (None, _) => 0,
            (Some(length), _) => digits(length.as_bytes())?,
        };
        if body > 0 && method != Method::POST {
            return None;
        }
        let options = headers.get(header::CONNECTION);
        let options = options.map_or_else(Options::default, |value| Options::of(value.as_bytes()));
        let is_upgrade = headers.contains_key(header::UPGRADE);
        // One without the other is no upgrade for Node.
        if is_upgrade != options.upgrades || (!is_upgrade && options.others) {
            return None;
        }
        Some(Self {
            method,
            target: request.path?,
            headers,
            body,
            keeps_alive: !options.closes,
            is_upgrade,
            bytes: head,
        })
    }

    /// The request as `lib/http/request-snapshot.js` keeps it: a line each, the headers as they came.
    /// `addresses` are the remote port and family, and the local address and port.
    pub(crate) fn snapshot(&self, addresses: &[String; 4]) -> String {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        // It was parsed before.
        let _ = request.parse(self.bytes);
        let mut text = String::with_capacity(self.bytes.len() + 64);
        text.push_str(self.method.as_str());
        let upgrade = if self.is_upgrade { "1" } else { "" };
        for line in [self.target, upgrade, "1.1"] {
            text.push('\n');
            text.push_str(line);
        }
        for line in addresses {
            text.push('\n');
            text.push_str(line);
        }
        for header in &*request.headers {
            text.push('\n');
            text.push_str(header.name);
            text.push('\n');
            // As Node reads them: each byte is a character.
            text.extend(header.value.iter().map(|&byte| char::from(byte)));
        }
        text
    }
}

/// Whether every line ends with a carriage return and a line feed: parsers treat others differently.
fn are_lines_complete(head: &[u8], request: &httparse::Request<'_, '_>) -> bool {
    let start = head.as_ptr() as usize;
    let ends_line = |part: &[u8]| {
        let end = (part.as_ptr() as usize).wrapping_sub(start) + part.len();
        let rest = head.get(end..).unwrap_or_default();
        // Spaces before the end are no part of the value.
        let spaces = rest
            .iter()
            .take_while(|&&byte| matches!(byte, b' ' | b'\t'));
        rest.get(spaces.count()..)
            .is_some_and(|rest| rest.starts_with(b"\r\n"))
    };
    let version = request.path.map_or(0, |path| {
        (path.as_ptr() as usize).wrapping_sub(start) + path.len()
    });
    let after = head.get(version..).unwrap_or_default();
    after.starts_with(b" HTTP/1.1\r\n")
        && request.headers.iter().all(|it| ends_line(it.value))
        && head.ends_with(b"\r\n\r\n")
}

/// Whether a name is there twice.
fn repeats(headers: &[httparse::Header<'_>]) -> bool {
    headers.iter().enumerate().any(|(i, header)| {
        let before = headers.get(..i).unwrap_or_default();
        before
            .iter()
            .any(|other| other.name.eq_ignore_ascii_case(header.name))
    })
}

/// The headers that decide how a request is served; `None` if Node is to serve it.
fn known(raw: &[httparse::Header<'_>]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(MOST_KNOWN);
    for header in raw {
        let known = KNOWN
            .iter()
            .find(|(name, _)| header.name.eq_ignore_ascii_case(name));
        match known {
            Some((_, header::TRANSFER_ENCODING | header::EXPECT)) => return None,
            Some((_, name)) => {
                headers.insert(name.clone(), HeaderValue::from_bytes(header.value).ok()?);
            }
            None => {}
        }
    }
    Some(headers)
}

/// A number of decimal digits and nothing else.
fn digits(text: &[u8]) -> Option<usize> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    use super::*;

    fn get(lines: &str) -> String {
        format!("GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
    }

    #[test]
    fn a_plain_request_is_parsed_up_to_its_end() {
        let bytes = "POST /socket.io/?EIO=4 HTTP/1.1\r\nhost: a\r\nContent-Length: 3\r\n\r\nabcGET";
        let head = Head::parse(bytes.as_bytes()).unwrap();
        assert_eq!(head.method, Method::POST);
        assert_eq!(head.target, "/socket.io/?EIO=4");
        assert_eq!((head.body, head.bytes.len()), (3, bytes.len() - 6));
        assert!(head.keeps_alive && !head.is_upgrade);
    }

    #[test]
    fn an_upgrade_and_the_end_of_a_connection_are_read_from_its_options() {
        let text = get("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n");
        assert!(Head::parse(text.as_bytes()).unwrap().is_upgrade);
        let text = get("connection: Close\r\n");
        assert!(!Head::parse(text.as_bytes()).unwrap().keeps_alive);
    }

    #[test]
    fn a_request_of_which_parsers_could_think_differently_is_left_to_node() {
        for lines in [
            "Transfer-Encoding: chunked\r\n",
            "Expect: 100-continue\r\n",
            "Content-Length: 3\r\n",
            "Content-Length: +0\r\n",
            "Content-Length: 0\r\ncontent-length: 0\r\n",
            "X: 1\r\nx: 2\r\n",
            "Upgrade: websocket\r\n",
            "Connection: upgrade\r\n",
            "Connection: keep-alive, x\r\n",
            "A: b\n",
            " folded: b\r\n",
            "A : b\r\n",
        ] {
            assert!(Head::parse(get(lines).as_bytes()).is_none(), "{lines:?}");
        }
        for text in [
            "",
            "GET / HTTP/1.1\r\nHost: a\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
            "get / HTTP/1.1\r\nHost: a\r\n\r\n",
        ] {
            assert!(Head::parse(text.as_bytes()).is_none(), "{text:?}");
        }
        let long = format!("X: {}\r\n", "x".repeat(MAX_LENGTH));
        assert!(Head::parse(get(&long).as_bytes()).is_none());
        let many: String = (0..=MAX_HEADERS).map(|i| format!("X-{i}: 1\r\n")).collect();
        assert!(Head::parse(get(&many).as_bytes()).is_none());
    }

    #[test]
    fn a_snapshot_has_the_request_and_its_headers_as_they_came() {
        let bytes = [get("X-Name: ").trim_end().as_bytes(), b" caf\xe9\r\n\r\n"].concat();
        let head = Head::parse(&bytes).unwrap();
        let addresses = ["1", "IPv4", "::1", "2"].map(str::to_owned);
        assert_eq!(
            head.snapshot(&addresses),
            "GET\n/socket.io/?EIO=4\n\n1.1\n1\nIPv4\n::1\n2\nHost\na\nX-Name\ncafé"
        );
    }

    /// Where a request ends, as a server finds out that knows nothing but RFC 9112; `None` if it is none that
    /// ends at one certain place.
    fn end_of(bytes: &[u8]) -> Option<(usize, usize)> {
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let text = &bytes[..head - 4];
        let mut lengths = Vec::new();
        for line in text.split(|&byte| byte == b'\n').skip(1) {
            let colon = line.iter().position(|&byte| byte == b':')?;
            let name = line[..colon].to_ascii_lowercase();
            if name.trim_ascii() != name || name == b"transfer-encoding" {
                return None;
            }
            if name == b"content-length" {
                let value = String::from_utf8(line[colon + 1..].trim_ascii().to_vec()).ok()?;
                lengths.push(value.parse().ok().filter(|_| !value.starts_with('+'))?);
            }
        }
        match lengths[..] {
            [] => Some((head, 0)),
            [length] => Some((head, length)),
            _ => None,
        }
    }

    /// Requests as clients send them, and such as they send to have two servers disagree.
    fn requests() -> impl Strategy<Value = Vec<u8>> {
        let first = select(std::vec![
            "GET /socket.io/?EIO=4 HTTP/1.1\r\n",
            "POST /socket.io/?EIO=4&sid=a HTTP/1.1\r\n",
            "OPTIONS /socket.io/ HTTP/1.1\r\n",
            "POST  /socket.io/ HTTP/1.1\r\n",
            "POST /socket.io/ HTTP/1.1 \r\n",
            "POST /socket.io/ HTTP/1.1\n",
        ]);
        let line = select(std::vec![
            "Host: a\r\n",
            "Content-Length: 3\r\n",
            "content-length:3\r\n",
            "Content-Length: 0\r\n",
            "Content-Length: 3, 3\r\n",
            "Content-Length: +3\r\n",
            "Content-Length : 3\r\n",
            "Content-Length: 3\n",
            "Content-Length:\r\n 3\r\n",
            "Content-Length: \t3\t\r\n",
            "Content-Length: 0x3\r\n",
            "Content-Length: 18446744073709551619\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Transfer-Encoding\t: chunked\r\n",
            "transfer-encoding: identity\r\n",
            "X: a\r\n",
            "X: a\rTransfer-Encoding: chunked\r\n",
            "X: a\n\r\n",
            ": a\r\n",
            "Connection: keep-alive\r\n",
            "\r\n",
        ]);
        let noise = vec((any::<Index>(), any::<u8>(), any::<bool>()), 0..2);
        (first, vec(line, 0..6), noise).prop_map(|(first, lines, noise)| {
            let mut bytes = [first, "Host: a\r\n", &lines.concat(), "\r\nabcGET /"]
                .concat()
                .into_bytes();
            for (place, byte, replaces) in noise {
                let place = place.index(bytes.len());
                if replaces {
                    bytes[place] = byte;
                } else {
                    bytes.insert(place, byte);
                }
            }
            bytes
        })
    }

    proptest! {
        #[test]
        fn a_request_that_is_parsed_ends_where_every_server_says_it_does(bytes in requests()) {
            if let Some(head) = Head::parse(&bytes) {
                prop_assert_eq!(Some((head.bytes.len(), head.body)), end_of(&bytes));
                // Whatever follows it changes nothing.
                let alone = Head::parse(head.bytes).map(|alone| alone.body);
                prop_assert_eq!(alone, Some(head.body));
                prop_assert!(head.body == 0 || head.method == Method::POST);
            }
        }

        #[test]
        fn a_head_that_is_cut_is_never_parsed(bytes in requests(), cut in any::<Index>()) {
            if let Some(head) = Head::parse(&bytes) {
                let cut = cut.index(head.bytes.len());
                prop_assert!(Head::parse(&bytes[..cut]).is_none());
            }
        }
    }
}
