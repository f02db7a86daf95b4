//! The browser's client, `/socket.io/socket.io.js`, and the helper for it beside it,
//! `/socket.io/loopback-socket.mjs`: which requests are for them, and the heads of the responses. The
//! front reads the files.

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::encoding::{Encoding, preferred};
use super::{http1, response};

/// The helper of this package.
const HELPER: &str = "loopback-socket.mjs";

/// The helper, and the available bundles of Socket.IO, each with its source map.
const NAMES: [&str; 9] = [
    HELPER,
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
    "socket.io.msgpack.min.js",
    "socket.io.msgpack.min.js.map",
];

/// The encodings in which a bundle can be sent, besides `identity`.
const ENCODINGS: [Encoding; 3] = [Encoding::Brotli, Encoding::Gzip, Encoding::Deflate];

/// A header's name as Socket.IO writes it for a bundle.
pub(crate) fn header_name(name: &HeaderName) -> &str {
    match *name {
        CACHE_CONTROL => "Cache-Control",
        ETAG => "ETag",
        _ => http1::name(name),
    }
}

/// The bundle that a request is for; `folder` is the server's path, with a slash at its end.
pub(crate) fn name(folder: &str, target: &str) -> Option<&'static str> {
    let rest = target.strip_prefix(folder)?;
    let (name, _) = rest.split_once('?').unwrap_or((rest, ""));
    NAMES.into_iter().find(|known| *known == name)
}

/// The head of the response with a bundle of this version; the body must be encoded as its
/// `Content-Encoding` says.
pub(crate) fn head(name: &str, version: &str, headers: &HeaderMap) -> Option<Response<()>> {
    let etag = format!("\"{version}\"");
    let mut response = Response::new(());
    let known = headers.get(IF_NONE_MATCH).map(HeaderValue::as_bytes);
    if known.is_some_and(|known| known.strip_prefix(b"W/").unwrap_or(known) == etag.as_bytes()) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Some(response);
    }
    let kind = if name.ends_with(".map") {
        "application/json; charset=utf-8"
    } else {
        "application/javascript; charset=utf-8"
    };
    let etag = HeaderValue::try_from(etag).ok()?;
    let head = response.headers_mut();
    head.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=0"));
    head.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    head.insert(ETAG, etag);
    let accepted = headers.get(ACCEPT_ENCODING);
    let accepted = accepted.and_then(|accepted| accepted.to_str().ok());
    if let Some(encoding) = accepted.and_then(|accepted| preferred(accepted, &ENCODINGS)) {
        head.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
    }
    Some(response)
}

/// The response to a request for a bundle that does not exist.
pub(crate) fn not_found(name: &str) -> Response<Bytes> {
    let mut response = response::empty(StatusCode::NOT_FOUND);
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    let advice = if name == HELPER {
        "It is in the package loopback-socket: leave that out of the bundle of this server."
    } else {
        "Install socket.io or socket.io-client beside this server."
    };
    *response.body_mut() = format!("{name} was not found. {advice}\n").into();
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_for_a_bundle_names_it_behind_the_path() {
        for (target, expected) in [
            ("/socket.io/socket.io.js", Some("socket.io.js")),
            (
                "/socket.io/socket.io.min.js.map?v=1",
                Some("socket.io.min.js.map"),
            ),
            (
                "/socket.io/loopback-socket.mjs",
                Some("loopback-socket.mjs"),
            ),
            ("/socket.io/loopback-socket.mjs.map", None),
            ("/socket.io/socket.io.js/", None),
            ("/socket.io/socket.io.slim.js", None),
            ("/socket.io/?EIO=4", None),
            ("/socket.io", None),
            ("/other/socket.io.js", None),
        ] {
            assert_eq!(name("/socket.io/", target), expected, "{target}");
        }
    }

    fn request(name: http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    fn lines(response: &Response<()>) -> Vec<String> {
        let headers = response.headers().iter();
        let line =
            |(name, value): (_, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
        headers.map(line).collect()
    }

    #[test]
    fn a_bundle_is_sent_with_its_type_and_version() {
        let kinds = [
            ("socket.io.js", "javascript"),
            ("loopback-socket.mjs", "javascript"),
            ("socket.io.js.map", "json"),
        ];
        for (name, kind) in kinds {
            let response = head(name, "4.8.1", &HeaderMap::new()).unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(
                lines(&response),
                [
                    "cache-control: public, max-age=0",
                    &format!("content-type: application/{kind}; charset=utf-8"),
                    "etag: \"4.8.1\"",
                ]
            );
        }
    }

    #[test]
    fn a_bundle_is_not_sent_to_who_has_its_version() {
        for (known, status) in [
            ("\"4.8.1\"", 304),
            ("W/\"4.8.1\"", 304),
            ("\"4.8.0\"", 200),
            ("4.8.1", 200),
            ("*", 200),
        ] {
            let response = head("socket.io.js", "4.8.1", &request(IF_NONE_MATCH, known)).unwrap();
            assert_eq!(response.status(), status, "{known}");
            assert_eq!(response.headers().is_empty(), status == 304);
        }
    }

    #[test]
    fn a_bundle_is_encoded_as_the_client_prefers() {
        for (accepted, expected) in [
            ("gzip,br,deflate", Some("gzip")),
            ("br", Some("br")),
            ("gzip;q=0.5, br;q=0.9", Some("br")),
            ("identity;q=1, gzip;q=0.1", Some("gzip")),
            ("*", Some("br")),
            ("*;q=0.5, gzip;q=0.1", Some("br")),
            ("gzip, *", Some("gzip")),
            ("br;q=0, *", Some("gzip")),
            ("br;q=0, gzip;q=0, deflate;q=0", None),
            ("zstd, GZIP", Some("gzip")),
            ("gzip;q=much, deflate ; x=1 ; q=.5", Some("deflate")),
            (";;,", None),
            ("", None),
        ] {
            let response = head("socket.io.js", "1", &request(ACCEPT_ENCODING, accepted)).unwrap();
            let encoding = response.headers().get(CONTENT_ENCODING);
            let encoding = encoding.map(|encoding| encoding.to_str().unwrap());
            assert_eq!(encoding, expected, "{accepted}");
        }
    }

    #[test]
    fn a_bundle_that_is_not_there_is_not_found() {
        let response = not_found("socket.io.js");
        assert_eq!(response.status(), 404);
        assert_eq!(
            response.headers()[CONTENT_TYPE],
            "text/plain; charset=utf-8"
        );
        for (name, advice) in [
            ("socket.io.js", "Install socket.io"),
            ("loopback-socket.mjs", "It is in the package"),
        ] {
            let body = not_found(name).into_body();
            assert!(body.starts_with(format!("{name} was not found. {advice}").as_bytes()));
        }
    }
}
