//! Cross-origin resource sharing: the headers by which browsers let pages of other origins read
//! responses (Fetch, section 3.2), for the options of the npm package `cors`, which Socket.IO takes.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, CONTENT_LENGTH, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

/// The CORS options of the application.
#[derive(Debug, Clone)]
pub(crate) struct Cors {
    pub(crate) methods: Option<HeaderValue>,
    /// Without these, those that a preflight asks for.
    pub(crate) allowed_headers: Option<HeaderValue>,
    pub(crate) exposed_headers: Option<HeaderValue>,
    pub(crate) max_age: Option<HeaderValue>,
    pub(crate) credentials: bool,
    /// Whether a preflight is served like any other request.
    pub(crate) preflight_continue: bool,
    /// The status of the response to a preflight.
    pub(crate) preflight_status: StatusCode,
}

/// The origins that may read a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AllowedOrigin {
    Any,
    /// This one, whatever the origin of the request.
    Fixed(HeaderValue),
    /// The origin of the request, if it is allowed.
    Reflected(bool),
}

/// The origins of the option `cors`, where the application need not be asked.
#[cfg(unix)]
#[derive(Debug, Clone)]
pub(crate) enum Origins {
    Any,
    Fixed(HeaderValue),
    /// Whatever the origin of the request.
    Reflected,
    /// One of these.
    Listed(Vec<String>),
}

#[cfg(unix)]
impl Origins {
    /// The origin that may read the response to a request.
    pub(crate) fn allowed(&self, request: &HeaderMap) -> AllowedOrigin {
        match self {
            Self::Any => AllowedOrigin::Any,
            Self::Fixed(origin) => AllowedOrigin::Fixed(origin.clone()),
            Self::Reflected => AllowedOrigin::Reflected(true),
            Self::Listed(origins) => AllowedOrigin::Reflected(
                request
                    .get(ORIGIN)
                    .is_some_and(|origin| origins.iter().any(|one| origin == one.as_str())),
            ),
        }
    }
}

/// What CORS adds to a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// A `Vary` is added to those that the response has already.
    pub(crate) headers: HeaderMap,
    /// The status, if the response consists of it alone.
    pub(crate) ends: Option<StatusCode>,
}

impl Cors {
    pub(crate) fn answer(
        &self,
        method: &Method,
        request: &HeaderMap,
        origin: AllowedOrigin,
    ) -> Answer {
        let mut headers = HeaderMap::new();
        let is_any = origin == AllowedOrigin::Any;
        let origin = match origin {
            AllowedOrigin::Any => Some(HeaderValue::from_static("*")),
            AllowedOrigin::Fixed(origin) => Some(origin),
            AllowedOrigin::Reflected(true) => request.get(ORIGIN).cloned(),
            AllowedOrigin::Reflected(false) => None,
        };
        let mut add = |name, value: Option<&HeaderValue>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                headers.append(name, value.clone());
            }
        };
        let yes = HeaderValue::from_static("true");
        add(ACCESS_CONTROL_ALLOW_ORIGIN, origin.as_ref());
        if !is_any {
            add(VARY, Some(&HeaderValue::from_static("Origin")));
        }
        add(
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            self.credentials.then_some(&yes),
        );
        let is_preflight = method == Method::OPTIONS;
        if is_preflight {
            add(ACCESS_CONTROL_ALLOW_METHODS, self.methods.as_ref());
            if self.allowed_headers.is_none() {
                let name = HeaderValue::from_static("Access-Control-Request-Headers");
                add(VARY, Some(&name));
            }
            let asked = request.get(ACCESS_CONTROL_REQUEST_HEADERS);
            add(
                ACCESS_CONTROL_ALLOW_HEADERS,
                self.allowed_headers.as_ref().or(asked),
            );
            add(ACCESS_CONTROL_MAX_AGE, self.max_age.as_ref());
        }
        add(ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed_headers.as_ref());
        let ends = (is_preflight && !self.preflight_continue).then_some(self.preflight_status);
        if ends.is_some() {
            // Some browsers wait for a body without it.
            add(CONTENT_LENGTH, Some(&HeaderValue::from_static("0")));
        }
        Answer { headers, ends }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "https://here.example";

    fn cors() -> Cors {
        Cors {
            methods: Some(HeaderValue::from_static("GET,POST")),
            allowed_headers: None,
            exposed_headers: None,
            max_age: None,
            credentials: false,
            preflight_continue: false,
            preflight_status: StatusCode::NO_CONTENT,
        }
    }

    fn request() -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, HeaderValue::from_static(HERE));
        let asked = HeaderValue::from_static("x-token");
        headers.insert(ACCESS_CONTROL_REQUEST_HEADERS, asked);
        headers
    }

    fn lines(answer: &Answer) -> Vec<String> {
        let headers = answer.headers.iter();
        let line =
            |(name, value): (_, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
        headers.map(line).collect()
    }

    #[test]
    fn a_response_says_which_origin_may_read_it() {
        let fixed = AllowedOrigin::Fixed(HeaderValue::from_static("https://there.example"));
        for (origin, expected) in [
            (AllowedOrigin::Any, &["access-control-allow-origin: *"][..]),
            (
                fixed,
                &[
                    "access-control-allow-origin: https://there.example",
                    "vary: Origin",
                ],
            ),
            (
                AllowedOrigin::Reflected(true),
                &[
                    "access-control-allow-origin: https://here.example",
                    "vary: Origin",
                ],
            ),
            (AllowedOrigin::Reflected(false), &["vary: Origin"]),
        ] {
            let answer = cors().answer(&Method::GET, &request(), origin);
            assert_eq!(lines(&answer), expected);
            assert_eq!(answer.ends, None);
        }
        let answer = cors().answer(
            &Method::GET,
            &HeaderMap::new(),
            AllowedOrigin::Reflected(true),
        );
        assert_eq!(lines(&answer), ["vary: Origin"]);
    }

    #[test]
    fn a_preflight_is_answered_with_what_is_allowed() {
        let all = Cors {
            allowed_headers: Some(HeaderValue::from_static("x-a")),
            exposed_headers: Some(HeaderValue::from_static("x-b")),
            max_age: Some(HeaderValue::from_static("60")),
            credentials: true,
            preflight_status: StatusCode::OK,
            ..cors()
        };
        let answer = all.answer(&Method::OPTIONS, &request(), AllowedOrigin::Any);
        assert_eq!(answer.ends, Some(StatusCode::OK));
        assert_eq!(
            lines(&answer),
            [
                "access-control-allow-origin: *",
                "access-control-allow-credentials: true",
                "access-control-allow-methods: GET,POST",
                "access-control-allow-headers: x-a",
                "access-control-max-age: 60",
                "access-control-expose-headers: x-b",
                "content-length: 0",
            ]
        );
        let answer = all.answer(&Method::GET, &request(), AllowedOrigin::Any);
        assert_eq!(
            lines(&answer),
            [
                "access-control-allow-origin: *",
                "access-control-allow-credentials: true",
                "access-control-expose-headers: x-b",
            ]
        );
    }

    #[test]
    fn a_preflight_may_have_the_headers_it_asks_for_unless_there_is_a_list() {
        let answer = cors().answer(&Method::OPTIONS, &request(), AllowedOrigin::Reflected(true));
        let vary: Vec<_> = answer.headers.get_all(VARY).iter().collect();
        assert_eq!(vary, ["Origin", "Access-Control-Request-Headers"]);
        assert_eq!(answer.headers[ACCESS_CONTROL_ALLOW_HEADERS], "x-token");
        let none = Cors {
            allowed_headers: Some(HeaderValue::from_static("")),
            ..cors()
        };
        let answer = none.answer(&Method::OPTIONS, &request(), AllowedOrigin::Any);
        assert_eq!(answer.headers.get(ACCESS_CONTROL_ALLOW_HEADERS), None);
    }

    #[test]
    fn a_preflight_may_be_served_like_any_other_request() {
        let continued = Cors {
            preflight_continue: true,
            ..cors()
        };
        let answer = continued.answer(&Method::OPTIONS, &request(), AllowedOrigin::Any);
        assert_eq!(answer.ends, None);
        assert!(!answer.headers.contains_key(CONTENT_LENGTH));
        assert!(answer.headers.contains_key(ACCESS_CONTROL_ALLOW_METHODS));
    }
}
