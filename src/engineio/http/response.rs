//! Responses to long polling.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE, USER_AGENT, X_XSS_PROTECTION,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::cookie::Cookie;
use super::encoding::Encoding;
use super::jsonp;
use super::query::Query;

/// The number of headers of a response without a cookie.
const HEADERS: usize = 4;

/// What a polling client accepts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Format {
    /// The parameter `j` of a client that accepts only scripts.
    callback: Option<Box<str>>,
    /// Whether it would render a body as a page with scripts: Internet Explorer.
    is_old_browser: bool,
    /// How responses to polls may be encoded.
    pub(crate) encoding: Option<Encoding>,
}

impl Format {
    pub(crate) fn of(query: &Query<'_>, headers: &HeaderMap, encoding: Option<Encoding>) -> Self {
        Self {
            callback: query.jsonp.as_deref().map(Box::from),
            is_old_browser: headers.get(USER_AGENT).is_some_and(|agent| {
                let agent = agent.as_bytes();
                contains(agent, b";MSIE") || contains(agent, b"Trident/")
            }),
            encoding,
        }
    }

    /// Whether packets are posted as a form.
    pub(crate) fn is_jsonp(&self) -> bool {
        self.callback.is_some()
    }

    /// The response to a poll.
    pub(crate) fn payload(&self, payload: Bytes, is_binary: bool) -> Response<Bytes> {
        match &self.callback {
            Some(callback) => {
                let script = jsonp::script(callback, &payload);
                self.response("text/javascript; charset=UTF-8", script)
            }
            None if is_binary => self.response("application/octet-stream", payload),
            None => self.response("text/plain; charset=UTF-8", payload),
        }
    }

    /// The response to a poll that opens a session.
    pub(crate) fn opened(&self, payload: Bytes, cookie: Option<HeaderValue>) -> Response<Bytes> {
        let mut response = self.payload(payload, false);
        if let Some(cookie) = cookie {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
        response
    }

    /// The response to packets that were accepted.
    pub(crate) fn accepted(&self) -> Response<Bytes> {
        // Some browsers would offer plain text for download.
        self.response("text/html", Bytes::from_static(b"ok"))
    }

    fn response(&self, kind: &'static str, body: Bytes) -> Response<Bytes> {
        let length = body.len();
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.reserve(HEADERS);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(CONTENT_LENGTH, length.into());
        if self.is_old_browser {
            headers.insert(X_XSS_PROTECTION, HeaderValue::from_static("0"));
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// A response with only a status.
pub(super) fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// The cookie of a new session. Its value is the session's id, unless the application encodes that with
/// its own function.
pub(crate) fn cookie(
    cookie: Option<&Cookie>,
    id: &str,
    encoded: Option<&str>,
) -> Option<HeaderValue> {
    let cookie = cookie?;
    encoded.map_or_else(|| cookie.set(id), |value| cookie.set_encoded(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(target: &str, agent: Option<&'static str>) -> Format {
        let mut headers = HeaderMap::new();
        if let Some(agent) = agent {
            headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        }
        Format::of(&Query::of(target), &headers, None)
    }

    fn head(response: &Response<Bytes>) -> Vec<(&str, &str)> {
        assert_eq!(response.status(), 200);
        let headers = response.headers().iter();
        headers
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect()
    }

    #[test]
    fn a_poll_is_answered_with_text_or_bytes_that_nobody_stores() {
        let payload = Bytes::from("4ü");
        for (is_binary, kind) in [
            (false, "text/plain; charset=UTF-8"),
            (true, "application/octet-stream"),
        ] {
            let response = format("/", Some("curl/8")).payload(payload.clone(), is_binary);
            let expected = [
                ("content-type", kind),
                ("content-length", "3"),
                ("cache-control", "no-store"),
            ];
            assert_eq!(head(&response), expected);
            assert_eq!(response.body(), &payload);
        }
    }

    #[test]
    fn a_poll_of_jsonp_is_answered_with_a_script() {
        let format = format("/?j=7", None);
        assert!(format.is_jsonp());
        let response = format.payload(Bytes::from("4"), false);
        let expected = [
            ("content-type", "text/javascript; charset=UTF-8"),
            ("content-length", "15"),
            ("cache-control", "no-store"),
        ];
        assert_eq!(head(&response), expected);
        assert_eq!(response.body(), "___eio[7](\"4\");");
    }

    #[test]
    fn packets_that_are_taken_are_answered_with_ok() {
        for target in ["/", "/?j=7"] {
            let response = format(target, None).accepted();
            let expected = [
                ("content-type", "text/html"),
                ("content-length", "2"),
                ("cache-control", "no-store"),
            ];
            assert_eq!(head(&response), expected);
            assert_eq!(response.body(), "ok");
        }
    }

    #[test]
    fn old_browsers_are_told_not_to_look_for_scripts() {
        for (agent, is_old) in [
            ("Mozilla/4.0 (compatible;MSIE 8.0)", true),
            ("Mozilla/5.0 (Trident/7.0; rv:11.0)", true),
            ("Mozilla/5.0 (MSIE)", false),
            ("", false),
        ] {
            for response in [
                format("/", Some(agent)).payload(Bytes::new(), false),
                format("/", Some(agent)).accepted(),
            ] {
                let is_told = response.headers().get(X_XSS_PROTECTION).is_some();
                assert_eq!(is_told, is_old, "{agent}");
            }
        }
    }

    #[test]
    fn a_session_that_is_opened_has_its_id_in_the_cookie() {
        let given = Cookie {
            name: "io".to_owned(),
            attributes: "; Path=/".to_owned(),
        };
        let set = |encoded| cookie(Some(&given), "a:b", encoded);
        for (cookie, expected) in [
            (set(None), Some("io=a%3Ab; Path=/")),
            (set(Some("a:b")), Some("io=a:b; Path=/")),
            (cookie(None, "a:b", None), None),
        ] {
            let response = format("/", None).opened(Bytes::from("0{}"), cookie);
            let cookie = response.headers().get(SET_COOKIE);
            assert_eq!(cookie.map(|value| value.to_str().unwrap()), expected);
        }
    }
}
