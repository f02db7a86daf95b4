//! Which pages may connect, by the option `allowedOrigins`. Browsers send the origin of a page with
//! each websocket and with each request to another origin, and no page can change it (RFC 6454,
//! section 7; RFC 6455, section 10.2).

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, Uri, header};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The origins that may connect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AllowedOrigins {
    pub(crate) origins: Vec<String>,
    /// Whether the application decides about other origins, by a pattern or a function.
    pub(crate) asks: bool,
}

/// Whether the page that makes a request may connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    Forbidden,
    /// The application decides.
    Ask,
}

impl AllowedOrigins {
    /// Whether the page that makes a request may connect. A request without an origin passes, since no
    /// page of another origin can make one.
    pub(crate) fn check(&self, headers: &HeaderMap, is_jsonp: bool) -> Verdict {
        let Some(origin) = origin(headers, is_jsonp) else {
            // The browser's statement about the page (Fetch Metadata).
            let site = headers.get(SEC_FETCH_SITE).map(http::HeaderValue::as_bytes);
            return match site {
                Some(b"cross-site" | b"same-site") => Verdict::Forbidden,
                _ => Verdict::Allowed,
            };
        };
        if self
            .origins
            .iter()
            .any(|one| one.eq_ignore_ascii_case(&origin))
        {
            Verdict::Allowed
        } else if self.asks {
            Verdict::Ask
        } else {
            Verdict::Forbidden
        }
    }
}

/// The origin of the page that makes a request: for a script (JSONP), with which browsers send no
/// `Origin`, that of the referring page.
pub(crate) fn origin(headers: &HeaderMap, is_jsonp: bool) -> Option<Cow<'_, str>> {
    if let Some(origin) = headers.get(header::ORIGIN) {
        return Some(String::from_utf8_lossy(origin.as_bytes()));
    }
    if !is_jsonp {
        return None;
    }
    let referer = headers.get(header::REFERER);
    let origin = referer.and_then(|referer| origin_of_url(referer.to_str().ok()?));
    // A script of a page without a referrer has an opaque origin.
    Some(origin.map_or(Cow::Borrowed("null"), Cow::Owned))
}

/// The origin of an HTTP URL; `None` if it is opaque, or there is none.
fn origin_of_url(url: &str) -> Option<String> {
    let (url, _) = url.split_once('#').unwrap_or((url, ""));
    let url: Uri = url.parse().ok()?;
    let scheme = url.scheme_str()?.to_ascii_lowercase();
    let port = match &*scheme {
        "http" | "ws" => 80,
        "https" | "wss" => 443,
        "ftp" => 21,
        _ => return None,
    };
    let host = url.host()?.to_ascii_lowercase();
    Some(match url.port_u16() {
        Some(other) if other != port => format!("{scheme}://{host}:{other}"),
        _ => format!("{scheme}://{host}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "https://app.example";

    fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
        let header = |&(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        given.iter().map(header).collect()
    }

    fn check(asks: bool, is_jsonp: bool, given: &[(&'static str, &str)]) -> Verdict {
        let allowed = AllowedOrigins {
            origins: vec!["https://other.example".to_owned(), APP.to_owned()],
            asks,
        };
        allowed.check(&headers(given), is_jsonp)
    }

    #[test]
    fn pages_of_the_allowed_origins_pass_and_no_others() {
        for (origin, is_allowed) in [
            (APP, true),
            ("https://other.example", true),
            ("HTTPS://APP.example", true),
            ("https://app.example.evil.example", false),
            ("https://app.example:8443", false),
            ("http://app.example", false),
            ("null", false),
            ("", false),
        ] {
            for (asks, otherwise) in [(false, Verdict::Forbidden), (true, Verdict::Ask)] {
                let expected = if is_allowed {
                    Verdict::Allowed
                } else {
                    otherwise
                };
                assert_eq!(
                    check(asks, false, &[("origin", origin)]),
                    expected,
                    "{origin}"
                );
            }
        }
    }

    #[test]
    fn a_request_without_an_origin_passes_unless_a_browser_says_that_another_site_makes_it() {
        assert_eq!(check(false, false, &[]), Verdict::Allowed);
        for (site, expected) in [
            ("same-origin", Verdict::Allowed),
            ("none", Verdict::Allowed),
            ("same-site", Verdict::Forbidden),
            ("cross-site", Verdict::Forbidden),
        ] {
            assert_eq!(check(true, false, &[("sec-fetch-site", site)]), expected);
        }
    }

    #[test]
    fn a_script_has_the_origin_of_the_referring_page() {
        for (referer, expected) in [
            ("https://app.example/page?x#y", APP),
            ("HTTPS://App.Example:443/", APP),
            ("https://app.example", APP),
            (
                "https://user:secret@app.example:8443/",
                "https://app.example:8443",
            ),
            ("http://app.example:80/", "http://app.example"),
            ("http://[::1]:3000/", "http://[::1]:3000"),
            ("about:blank", "null"),
            ("file:///page", "null"),
            ("/page", "null"),
            ("", "null"),
        ] {
            let headers = headers(&[("referer", referer)]);
            assert_eq!(
                origin(&headers, true).as_deref(),
                Some(expected),
                "{referer}"
            );
            assert_eq!(origin(&headers, false), None);
        }
        assert_eq!(origin(&HeaderMap::new(), true).as_deref(), Some("null"));
        let both = headers(&[("origin", APP), ("referer", "https://evil.example/")]);
        assert_eq!(origin(&both, true).as_deref(), Some(APP));
    }
}
