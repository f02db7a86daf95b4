//! Refusals of requests: Engine.IO's codes and messages, and the responses.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, SEC_WEBSOCKET_VERSION};
use http::{HeaderValue, Method, Response, StatusCode};

use super::super::ProtocolVersion;
use super::query::Query;
use super::response;
use super::websocket::VERSIONS;
use crate::protocol::Refusal;

/// Engine.IO's code and message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) u8, pub(crate) &'static str);

const UNKNOWN_TRANSPORT: Code = Code(0, "Transport unknown");
const UNKNOWN_SESSION: Code = Code(1, "Session ID unknown");
const HANDSHAKE_METHOD: Code = Code(2, "Bad handshake method");
const BAD_REQUEST: Code = Code(3, "Bad request");
const FORBIDDEN: Code = Code(4, "Forbidden");
const UNSUPPORTED_PROTOCOL: Code = Code(5, "Unsupported protocol version");

/// A detail that the application is told of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Detail {
    Text(String),
    Number(u8),
    /// The request does not have it.
    Missing,
}

impl Detail {
    fn of(text: Option<&str>) -> Self {
        text.map_or(Self::Missing, |text| Self::Text(text.to_owned()))
    }

    fn version(protocol: ProtocolVersion) -> Self {
        Self::Number(protocol as u8)
    }
}

impl Refusal {
    /// Engine.IO's code; `None` if neither client nor application are told why.
    pub(crate) fn code(self) -> Option<Code> {
        Some(match self {
            Self::UnknownTransport => UNKNOWN_TRANSPORT,
            Self::UnknownSession => UNKNOWN_SESSION,
            Self::BadHandshakeMethod => HANDSHAKE_METHOD,
            Self::UnsupportedProtocol => UNSUPPORTED_PROTOCOL,
            Self::OriginNotAllowed | Self::Forbidden => FORBIDDEN,
            Self::TransportMismatch
            | Self::ProtocolMismatch
            | Self::NotAnUpgrade
            | Self::UpgradeNotAllowed
            | Self::InvalidSessionId
            | Self::InvalidOrigin
            | Self::MiddlewareFailure
            | Self::ServerClosing
            | Self::WebsocketMethod
            | Self::WebsocketUpgrade
            | Self::WebsocketKey
            | Self::WebsocketVersion
            | Self::WebsocketProtocol
            | Self::WebsocketExtensions => BAD_REQUEST,
            Self::Unavailable
            | Self::Method
            | Self::DataOverlap
            | Self::PayloadTooLarge
            | Self::Unserved
            | Self::NotTaken => return None,
        })
    }

    /// The details that the application is told besides the code, as in Engine.IO. The front adds those of
    /// the application itself (its error, its message).
    pub(crate) fn details(
        self,
        method: &Method,
        query: &Query<'_>,
        origin: Option<&str>,
    ) -> Vec<(&'static str, Detail)> {
        let text = |text: &str| Detail::Text(text.to_owned());
        let name = |name| ("name", text(name));
        let transport = || ("transport", Detail::of(query.transport.as_deref()));
        let protocol = || ("protocol", Detail::version(query.protocol));
        let origin = || ("origin", Detail::of(origin));
        match self {
            Self::UnknownTransport => vec![transport()],
            Self::UnknownSession => vec![("sid", Detail::of(query.sid.as_deref()))],
            Self::BadHandshakeMethod => vec![("method", text(method.as_str()))],
            Self::TransportMismatch => {
                let previous = match query.transport.as_deref() {
                    Some("polling") => "websocket",
                    _ => "polling",
                };
                let previous = ("previousTransport", text(previous));
                vec![name("TRANSPORT_MISMATCH"), transport(), previous]
            }
            Self::UnsupportedProtocol => vec![protocol()],
            Self::ProtocolMismatch => {
                let previous = match query.protocol {
                    ProtocolVersion::V3 => ProtocolVersion::V4,
                    ProtocolVersion::V4 => ProtocolVersion::V3,
                };
                let previous = ("previousProtocol", Detail::version(previous));
                vec![name("PROTOCOL_MISMATCH"), protocol(), previous]
            }
            Self::NotAnUpgrade => vec![name("TRANSPORT_HANDSHAKE_ERROR")],
            Self::UpgradeNotAllowed => vec![name("UPGRADE_NOT_ALLOWED")],
            Self::InvalidSessionId => vec![name("ID_GENERATION_ERROR")],
            Self::InvalidOrigin => vec![name("INVALID_ORIGIN"), origin()],
            Self::OriginNotAllowed => vec![name("ORIGIN_NOT_ALLOWED"), origin()],
            Self::MiddlewareFailure => vec![name("MIDDLEWARE_FAILURE")],
            Self::ServerClosing => vec![name("SERVER_CLOSING")],
            Self::WebsocketMethod
            | Self::WebsocketUpgrade
            | Self::WebsocketKey
            | Self::WebsocketVersion
            | Self::WebsocketProtocol
            | Self::WebsocketExtensions => {
                let message = Detail::of(self.words());
                vec![name("INVALID_WEBSOCKET"), ("message", message)]
            }
            Self::Forbidden
            | Self::Unavailable
            | Self::Method
            | Self::DataOverlap
            | Self::PayloadTooLarge
            | Self::Unserved
            | Self::NotTaken => Vec::new(),
        }
    }

    /// What the client is told; for an invalid WebSocket handshake, in the words of the npm package `ws`.
    fn words(self) -> Option<&'static str> {
        Some(match self {
            Self::WebsocketMethod => "Invalid HTTP method",
            Self::WebsocketUpgrade => "Invalid Upgrade header",
            Self::WebsocketKey => "Missing or invalid Sec-WebSocket-Key header",
            Self::WebsocketVersion => "Missing or invalid Sec-WebSocket-Version header",
            Self::WebsocketProtocol => "Invalid Sec-WebSocket-Protocol header",
            Self::WebsocketExtensions => "Invalid or unacceptable Sec-WebSocket-Extensions header",
            _ => self.code()?.1,
        })
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Forbidden | Self::OriginNotAllowed => StatusCode::FORBIDDEN,
            Self::WebsocketMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Method | Self::NotTaken => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The response to a request of long polling.
    ///
    /// `message` is the application's message for the client, as JSON.
    pub(crate) fn response(self, message: Option<&str>) -> Response<Bytes> {
        let Some(Code(code, words)) = self.code() else {
            let mut response = response::empty(self.status());
            if matches!(self, Self::Unavailable | Self::PayloadTooLarge) {
                // A connection that stayed open would keep the server from closing, or deliver the rest of
                // a refused body.
                let headers = response.headers_mut();
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            return response;
        };
        let message = message.map_or_else(|| format!("\"{words}\""), str::to_owned);
        let body = format!("{{\"code\":{code},\"message\":{message}}}");
        let mut response = Response::new(body.into());
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    /// The response to an upgrade, after which its connection is closed.
    ///
    /// `message` is the application's message for the client.
    pub(crate) fn upgrade_response(self, message: Option<String>) -> Response<Bytes> {
        let status = match self {
            // Engine.IO answers 400, whatever the reason; RFC 6455, section 10.2, has 403 for an origin.
            Self::Forbidden => StatusCode::BAD_REQUEST,
            _ => self.status(),
        };
        let words = self.words().or(status.canonical_reason());
        let body = message.unwrap_or_else(|| words.unwrap_or_default().to_owned());
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        let length = response.body().len();
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        headers.insert(CONTENT_LENGTH, length.into());
        if self == Self::WebsocketVersion {
            // RFC 6455, section 4.4: tells the client the supported versions.
            let versions = VERSIONS.map(|version| version.to_string()).join(", ");
            if let Ok(versions) = versions.try_into() {
                headers.insert(SEC_WEBSOCKET_VERSION, versions);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_long_polling_is_refused_as_by_engine_io() {
        for (refusal, message, status, body) in [
            (
                Refusal::UnknownTransport,
                None,
                400,
                r#"{"code":0,"message":"Transport unknown"}"#,
            ),
            (
                Refusal::UnknownSession,
                None,
                400,
                r#"{"code":1,"message":"Session ID unknown"}"#,
            ),
            (
                Refusal::BadHandshakeMethod,
                None,
                400,
                r#"{"code":2,"message":"Bad handshake method"}"#,
            ),
            (
                Refusal::TransportMismatch,
                None,
                400,
                r#"{"code":3,"message":"Bad request"}"#,
            ),
            (
                Refusal::Forbidden,
                None,
                403,
                r#"{"code":4,"message":"Forbidden"}"#,
            ),
            (
                Refusal::Forbidden,
                Some("[\"no\"]"),
                403,
                r#"{"code":4,"message":["no"]}"#,
            ),
            (
                Refusal::OriginNotAllowed,
                None,
                403,
                r#"{"code":4,"message":"Forbidden"}"#,
            ),
            (
                Refusal::UnsupportedProtocol,
                None,
                400,
                r#"{"code":5,"message":"Unsupported protocol version"}"#,
            ),
        ] {
            let response = refusal.response(message);
            assert_eq!(response.status(), status, "{refusal:?}");
            assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
            assert_eq!(response.body(), body);
        }
    }

    #[test]
    fn a_request_that_is_refused_without_words_has_no_body() {
        for (refusal, status, closes) in [
            (Refusal::Unavailable, 503, true),
            (Refusal::PayloadTooLarge, 413, true),
            (Refusal::Method, 500, false),
            (Refusal::DataOverlap, 400, false),
            (Refusal::Unserved, 400, false),
        ] {
            let response = refusal.response(None);
            assert_eq!(response.status(), status, "{refusal:?}");
            assert_eq!(response.headers().contains_key(CONNECTION), closes);
            assert_eq!(response.headers().len(), usize::from(closes));
            assert!(response.body().is_empty());
        }
    }

    #[test]
    fn an_upgrade_is_refused_with_text() {
        for (refusal, message, status, body) in [
            (Refusal::UnknownSession, None, 400, "Session ID unknown"),
            (Refusal::Forbidden, None, 400, "Forbidden"),
            (Refusal::Forbidden, Some("not tüday"), 400, "not tüday"),
            (Refusal::OriginNotAllowed, None, 403, "Forbidden"),
            (Refusal::WebsocketMethod, None, 405, "Invalid HTTP method"),
            (
                Refusal::WebsocketUpgrade,
                None,
                400,
                "Invalid Upgrade header",
            ),
            (Refusal::Unavailable, None, 503, "Service Unavailable"),
            (Refusal::NotTaken, None, 500, "Internal Server Error"),
        ] {
            let response = refusal.upgrade_response(message.map(str::to_owned));
            assert_eq!(response.status(), status, "{refusal:?}");
            assert_eq!(response.body(), body);
            assert_eq!(response.headers()[CONTENT_LENGTH], body.len().to_string());
            assert_eq!(response.headers()[CONTENT_TYPE], "text/html");
            assert_eq!(response.headers()[CONNECTION], "close");
            assert_eq!(response.headers().len(), 3);
        }
        let response = Refusal::WebsocketVersion.upgrade_response(None);
        assert_eq!(response.headers()[SEC_WEBSOCKET_VERSION], "13, 8");
    }

    #[test]
    fn the_application_is_told_what_engine_io_tells_it() {
        let details = |refusal: Refusal, target: &str| {
            let query = Query::of(target);
            let details = refusal.details(&Method::PUT, &query, Some("https://a.example"));
            let details = details.into_iter().map(|(name, detail)| match detail {
                Detail::Text(text) => format!("{name}={text}"),
                Detail::Number(number) => format!("{name}={number}"),
                Detail::Missing => format!("{name}?"),
            });
            details.collect::<Vec<_>>().join(" ")
        };
        for (refusal, target, expected) in [
            (
                Refusal::UnknownTransport,
                "/?transport=smoke",
                "transport=smoke",
            ),
            (Refusal::UnknownTransport, "/", "transport?"),
            (Refusal::UnknownSession, "/?sid=a%22", "sid=a\""),
            (Refusal::BadHandshakeMethod, "/", "method=PUT"),
            (
                Refusal::TransportMismatch,
                "/?transport=polling",
                "name=TRANSPORT_MISMATCH transport=polling previousTransport=websocket",
            ),
            (
                Refusal::TransportMismatch,
                "/?transport=websocket",
                "name=TRANSPORT_MISMATCH transport=websocket previousTransport=polling",
            ),
            (Refusal::UnsupportedProtocol, "/", "protocol=3"),
            (
                Refusal::ProtocolMismatch,
                "/?EIO=4",
                "name=PROTOCOL_MISMATCH protocol=4 previousProtocol=3",
            ),
            (
                Refusal::InvalidOrigin,
                "/",
                "name=INVALID_ORIGIN origin=https://a.example",
            ),
            (
                Refusal::WebsocketKey,
                "/",
                "name=INVALID_WEBSOCKET message=Missing or invalid Sec-WebSocket-Key header",
            ),
            (Refusal::Forbidden, "/", ""),
            (Refusal::DataOverlap, "/", ""),
        ] {
            assert_eq!(details(refusal, target), expected, "{refusal:?}");
        }
    }
}
