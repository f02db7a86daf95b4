//! Engine.IO's HTTP for Node: requests come in as text, responses go out as objects.
//!
//! `lib/http/` passes on what a request says, asks the application what only that knows, and writes what
//! it gets from here. What must stay true: a request of a session that is known crosses once before it
//! waits, and no header crosses that nobody looks at.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use napi::bindgen_prelude::{Buffer, Either, Object, Result};
use napi::{Env, Error};
use napi_derive::napi;

use super::server::NativeServer;
use crate::engineio::http::cookie::Cookie;
use crate::engineio::http::cors::{AllowedOrigin, Cors};
use crate::engineio::http::encoding::Encoding;
use crate::engineio::http::origin::{self, AllowedOrigins};
use crate::engineio::http::query::Query;
use crate::engineio::http::refusal::{Code, Detail};
use crate::engineio::http::response::{self, Format};
use crate::engineio::http::verify::Asks;
use crate::engineio::http::{Config, client_file, http1, jsonp, prefix, websocket as handshake};
use crate::engineio::polling::{self, Opening, Post};
use crate::engineio::requests::Checked;
use crate::engineio::responder::Responder;
use crate::engineio::send_queue::WaitingPoll;
use crate::engineio::websocket::{self, Websocket};
use crate::protocol::{CloseReason, NONE, Refusal, RequestVerdict};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What the application has set for requests; the caller has validated it.
#[napi(object)]
pub struct HttpOptions {
    /// The server's path, without a slash at its end.
    pub path: String,
    pub add_trailing_slash: bool,
    /// The origins whose pages may connect; every one, without.
    pub allowed_origins: Option<Vec<String>>,
    /// Whether the application is asked about other origins.
    pub asks_origin: bool,
    pub cookie: Option<HttpCookie>,
}

/// A cookie but for its value.
#[napi(object)]
pub struct HttpCookie {
    pub name: String,
    /// As in `Set-Cookie`, each with `; ` in front.
    pub attributes: String,
}

impl From<HttpOptions> for Config {
    fn from(options: HttpOptions) -> Self {
        let asks = options.asks_origin;
        Self {
            prefix: prefix(&options.path, options.add_trailing_slash),
            allowed_origins: options
                .allowed_origins
                .map(|origins| AllowedOrigins { origins, asks }),
            cookie: options
                .cookie
                .map(|HttpCookie { name, attributes }| Cookie { name, attributes }),
        }
    }
}

/// What a request says of where it comes from.
#[derive(Default)]
#[napi(object)]
pub struct RequestOrigin {
    pub origin: Option<String>,
    pub referer: Option<String>,
    /// Its `Sec-Fetch-Site`.
    pub site: Option<String>,
}

/// A request that is refused.
#[napi(object)]
pub(super) struct RefusedRequest<'env> {
    /// Engine.IO's code and its words, if the application is told.
    pub code: Option<u32>,
    pub message: Option<String>,
    pub context: Option<Object<'env>>,
    pub status: u32,
    pub headers: Object<'env>,
    /// The body; of an upgrade the whole response as bytes.
    pub body: Buffer,
}

fn verdict_of(checked: Checked) -> RequestVerdict {
    match checked {
        Checked::Asks(Asks::Open) => RequestVerdict::Opens,
        Checked::Asks(Asks::Use(_)) => RequestVerdict::Served,
        Checked::Origin => RequestVerdict::AsksOrigin,
    }
}

#[napi]
impl NativeServer {
    /// Sets the options for requests that come from now on.
    ///
    /// @returns what the URLs of the server's requests begin with
    #[napi(catch_unwind)]
    pub fn configure_http(&self, options: HttpOptions) -> String {
        let config = Config::from(options);
        let prefix = config.prefix.clone();
        self.server.engine.configure_http(config);
        prefix
    }

    /// Takes a request of long polling, which may open a session (`open` goes on), poll (the response
    /// comes as a record) or bring packets (`post` goes on when they are there).
    ///
    /// @param number the caller's number for the request
    /// @param from where it comes from, where that matters
    /// @param isAllowed whether the application has been asked about that, and allows it
    /// @param encoding what `acceptedEncoding` makes of its `Accept-Encoding`, or 0
    /// @returns a `RequestVerdict`, or a `Refusal`
    #[napi(catch_unwind)]
    #[allow(clippy::too_many_arguments)]
    pub fn request(
        &self,
        number: i64,
        method: String,
        url: String,
        user_agent: Option<String>,
        origin: Option<String>,
        from: Option<RequestOrigin>,
        is_allowed: bool,
        encoding: u32,
    ) -> i64 {
        let query = Query::of(&url);
        let serve = |method: &Method| -> std::result::Result<RequestVerdict, Refusal> {
            let from = from.or(origin.map(RequestOrigin::of));
            let checked = self.check(method, &query, false, from, is_allowed)?;
            let Checked::Asks(Asks::Use(sid)) = checked else {
                return Ok(verdict_of(checked));
            };
            match *method {
                Method::GET => {
                    let poll = WaitingPoll {
                        responder: Responder::Node(number.cast_unsigned()),
                        format: format_of(&query, user_agent, encoding),
                    };
                    polling::poll(&self.server.engine, sid, poll);
                    Ok(RequestVerdict::Served)
                }
                Method::POST => {
                    polling::begin_post(&self.server.engine, sid)?;
                    Ok(RequestVerdict::Receives)
                }
                _ => Err(Refusal::Method),
            }
        };
        number_of(with_method(&method, serve))
    }

    /// Opens a session for a request of long polling; its response comes as a record.
    ///
    /// @param connection the caller's number for the connection
    /// @param id the id of the session
    /// @param cookie the id as the cookie has it, if the application has encoded it
    /// @param watched whether every packet is reported
    /// @param encoding what `acceptedEncoding` makes of its `Accept-Encoding`, or 0
    /// @returns a `RequestVerdict`, or a `Refusal`
    #[napi(catch_unwind)]
    #[allow(clippy::too_many_arguments)]
    pub fn open(
        &self,
        number: i64,
        connection: i64,
        url: String,
        user_agent: Option<String>,
        id: String,
        cookie: Option<String>,
        watched: bool,
        encoding: u32,
    ) -> i64 {
        let query = Query::of(&url);
        let sid = match self.server.engine.check_opening(&query, &id) {
            Ok(sid) => sid,
            Err(refusal) => return refusal.number(),
        };
        let config = self.server.engine.http();
        let opening = Opening {
            responder: Responder::Node(number.cast_unsigned()),
            format: format_of(&query, user_agent, encoding),
            connection: connection.cast_unsigned(),
            id: sid,
            protocol: query.protocol,
            base64_only: query.base64_only,
            cookie: response::cookie(config.cookie.as_ref(), &id, cookie.as_deref()),
            watched,
        };
        polling::open(&self.server, opening);
        RequestVerdict::Opens.number()
    }

    /// Takes the packets of a request that `request` was to receive; the response comes as a record.
    ///
    /// @returns a `RequestVerdict`, or a `Refusal`
    #[napi(catch_unwind)]
    pub fn post(
        &self,
        number: i64,
        url: String,
        user_agent: Option<String>,
        content_type: Option<String>,
        body: Buffer,
    ) -> i64 {
        let query = Query::of(&url);
        let sid = query.sid.as_deref().map(str::parse);
        let Some(Ok(sid)) = sid else {
            return Refusal::UnknownSession.number();
        };
        let format = format_of(&query, user_agent, 0);
        let packets = if format.is_jsonp() {
            jsonp::packets(&body)
        } else {
            Some(Bytes::copy_from_slice(&body))
        };
        let post = Post {
            responder: Responder::Node(number.cast_unsigned()),
            format,
            content_type,
            packets,
        };
        polling::post(&self.server, sid, post);
        RequestVerdict::Served.number()
    }

    /// Checks an upgrade, which `upgrade` goes on with.
    ///
    /// @param from where it comes from
    /// @param isAllowed whether the application has been asked about that, and allows it
    /// @returns a `RequestVerdict`, or a `Refusal`
    #[napi(catch_unwind)]
    pub fn verify_upgrade(
        &self,
        method: String,
        url: String,
        from: RequestOrigin,
        is_allowed: bool,
    ) -> i64 {
        let query = Query::of(&url);
        number_of(with_method(&method, |method| {
            let checked = self.check(method, &query, true, Some(from), is_allowed)?;
            Ok(verdict_of(checked))
        }))
    }

    /// Checks that an upgrade asks for a websocket.
    ///
    /// @param extensions its `Sec-WebSocket-Extensions`, if messages may be compressed
    /// @returns a `Refusal`, or `NONE`
    #[napi(catch_unwind)]
    pub fn verify_websocket(
        &self,
        method: String,
        upgrade: Option<String>,
        key: Option<String>,
        version: Option<String>,
        protocols: Option<String>,
        extensions: Option<String>,
    ) -> i64 {
        let headers = headers_of([
            (header::UPGRADE, upgrade),
            (header::SEC_WEBSOCKET_KEY, key),
            (header::SEC_WEBSOCKET_VERSION, version),
            (header::SEC_WEBSOCKET_PROTOCOL, protocols),
            (header::SEC_WEBSOCKET_EXTENSIONS, extensions),
        ]);
        let options = self.server.engine.config.per_message_deflate.as_ref();
        let checked = with_method(&method, |method| {
            handshake::check(method, &headers)?;
            handshake::compression(&headers, options)
        });
        checked.map_or_else(Refusal::number, |_| NONE)
    }

    /// Takes a websocket. With a descriptor Node has stopped reading, and the caller destroys its
    /// own half after a result below 0; without one (`NONE`) the caller carries the bytes: `relayData`,
    /// `relayWritten`, `relayEnd` and `relayClose`, and the records of a relay, all by the number
    /// `connection`.
    ///
    /// @param protocols its `Sec-WebSocket-Protocol`
    /// @param extensions its `Sec-WebSocket-Extensions`, if messages may be compressed
    /// @param headers more lines for the head of the response, each with its line break
    /// @param id the id of the session that it opens
    /// @param watched whether every packet of that is reported
    /// @param owner a number of the caller's for what had accepted the descriptor; a record tells when
    /// it is closed
    /// @returns a `RequestVerdict`, or a `Refusal`
    #[napi(catch_unwind)]
    #[allow(clippy::too_many_arguments)]
    pub fn upgrade(
        &self,
        connection: i64,
        fd: i32,
        url: String,
        key: String,
        protocols: Option<String>,
        extensions: Option<String>,
        headers: String,
        head: Buffer,
        id: Option<String>,
        watched: bool,
        owner: i64,
    ) -> i64 {
        let query = Query::of(&url);
        let number = connection.cast_unsigned();
        let taken = || -> std::result::Result<RequestVerdict, Refusal> {
            let asks = self.server.engine.verify(&Method::GET, &query, true)?;
            let id = match asks {
                Asks::Use(_) => None,
                Asks::Open => {
                    let id = id.unwrap_or_default();
                    Some(self.server.engine.check_opening(&query, &id)?)
                }
            };
            let request = headers_of([
                (header::SEC_WEBSOCKET_PROTOCOL, protocols),
                (header::SEC_WEBSOCKET_EXTENSIONS, extensions),
            ]);
            let options = self.server.engine.config.per_message_deflate.as_ref();
            let accepted = handshake::compression(&request, options)?;
            let carrier = self.carrier(fd, number, owner).ok_or(Refusal::NotTaken)?;
            let lines = handshake::agreed(&request, accepted.as_ref());
            let websocket = Websocket {
                carrier,
                head: Bytes::copy_from_slice(&head),
                key,
                headers: lines + &headers,
                compression: accepted.map(|accepted| accepted.agreement),
                protocol: query.protocol,
                asks,
                number,
                id,
                watched,
            };
            let serving = websocket::serve(self.server.clone(), websocket);
            self.runtime.handle.spawn(serving);
            Ok(verdict_of(Checked::Asks(asks)))
        };
        number_of(taken())
    }

    /// The client of a session does not keep to the protocol of polling, or left before it was
    /// answered: its connection ends, for this `CloseReason`.
    #[napi(catch_unwind)]
    pub fn abort_session(&self, sid: String, reason: i64) {
        if let Ok(sid) = sid.parse() {
            polling::abort_session(&self.server.engine, sid, CloseReason::of_request(reason));
        }
    }
}

/// What a request is answered that is refused, and what the application is told.
///
/// @param refusal the `Refusal`
/// @param message what the application has the client told: as JSON; of an upgrade as text
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub(super) fn refuse_request<'env>(
    env: &'env Env,
    refusal: i64,
    is_upgrade: bool,
    method: String,
    url: String,
    from: RequestOrigin,
    message: Option<String>,
) -> Result<RefusedRequest<'env>> {
    let refusal = Refusal::of_number(refusal).unwrap_or(Refusal::Unserved);
    let response = if is_upgrade {
        refusal.upgrade_response(message)
    } else {
        refusal.response(message.as_deref())
    };
    let context = refusal.code().map(|_| {
        let query = Query::of(&url);
        let origin = from.find(query.jsonp.is_some());
        let method = with_method(&method, |method| Ok(method.clone())).unwrap_or_default();
        let mut context = Object::new(env)?;
        for (name, detail) in refusal.details(&method, &query, origin.as_deref()) {
            match detail {
                Detail::Text(text) => context.set(name, text)?,
                Detail::Number(number) => context.set(name, u32::from(number))?,
                Detail::Missing => context.set(name, ())?,
            }
        }
        Ok::<_, Error>(context)
    });
    let mut headers = Object::new(env)?;
    for (name, value) in response.headers() {
        headers.set(http1::name(name), text_of(value))?;
    }
    Ok(RefusedRequest {
        code: refusal.code().map(|Code(code, _)| code.into()),
        message: refusal.code().map(|Code(_, words)| words.to_owned()),
        context: context.transpose()?,
        status: response.status().as_u16().into(),
        headers,
        body: if is_upgrade {
            http1::write(&response).into()
        } else {
            response.into_body().to_vec().into()
        },
    })
}

/// How responses to polls may be encoded for a client, as a number for `request` and `open`; 0 if only
/// as they are.
///
/// @param accepted its `Accept-Encoding`
#[napi(catch_unwind)]
pub(super) fn accepted_encoding(accepted: String) -> u32 {
    Encoding::number(Encoding::for_polls(&accepted))
}

/// The origin that the application is to be asked about.
#[napi(catch_unwind)]
pub(super) fn origin_of(url: String, from: RequestOrigin) -> Option<String> {
    from.find(Query::of(&url).jsonp.is_some())
}

impl NativeServer {
    /// Checks what a request asks for, and the page that makes it, unless the application has allowed it.
    fn check(
        &self,
        method: &Method,
        query: &Query<'_>,
        is_upgrade: bool,
        from: Option<RequestOrigin>,
        is_allowed: bool,
    ) -> std::result::Result<Checked, Refusal> {
        let engine = &self.server.engine;
        let asks = engine.verify(method, query, is_upgrade);
        let from = from.unwrap_or_default();
        // Node hands on what its parser lets through.
        if asks != Err(Refusal::UnknownTransport) && !from.is_valid() {
            return Err(Refusal::InvalidOrigin);
        }
        let asks = asks?;
        if is_allowed {
            return Ok(Checked::Asks(asks));
        }
        engine.check_origin(asks, &engine.http(), query, &from.headers())
    }
}

impl RequestOrigin {
    fn of(origin: String) -> Self {
        Self {
            origin: Some(origin),
            ..Self::default()
        }
    }

    /// Whether its origin is a value of a header.
    fn is_valid(&self) -> bool {
        let origin = self.origin.as_deref().unwrap_or_default();
        HeaderValue::from_bytes(origin.as_bytes()).is_ok()
    }

    fn headers(self) -> HeaderMap {
        headers_of([
            (header::ORIGIN, self.origin),
            (header::REFERER, self.referer),
            (SEC_FETCH_SITE, self.site),
        ])
    }

    fn find(self, is_jsonp: bool) -> Option<String> {
        if !self.is_valid() {
            return self.origin;
        }
        origin::origin(&self.headers(), is_jsonp).map(std::borrow::Cow::into_owned)
    }
}

fn number_of(verdict: std::result::Result<RequestVerdict, Refusal>) -> i64 {
    verdict.map_or_else(Refusal::number, RequestVerdict::number)
}

fn with_method<T>(
    method: &str,
    then: impl FnOnce(&Method) -> std::result::Result<T, Refusal>,
) -> std::result::Result<T, Refusal> {
    // Node's parser knows those it lets through.
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| Refusal::Method)?;
    then(&method)
}

fn format_of(query: &Query<'_>, user_agent: Option<String>, encoding: u32) -> Format {
    let headers = headers_of([(header::USER_AGENT, user_agent)]);
    Format::of(query, &headers, Encoding::of_number(encoding))
}

/// The headers that a request has; those with a value that is none are left out.
fn headers_of<const N: usize>(headers: [(HeaderName, Option<String>); N]) -> HeaderMap {
    let header = |(name, value): (_, Option<String>)| {
        let value = HeaderValue::from_maybe_shared(Bytes::from(value?)).ok()?;
        Some((name, value))
    };
    headers.into_iter().filter_map(header).collect()
}

fn text_of(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// The options of CORS, as JavaScript has completed them.
#[napi(object)]
pub struct CorsOptions {
    pub methods: Option<String>,
    pub allowed_headers: Option<String>,
    pub exposed_headers: Option<String>,
    pub max_age: Option<String>,
    pub credentials: bool,
    pub preflight_continue: bool,
    pub preflight_status: u32,
}

impl CorsOptions {
    /// The options, unless one of them cannot be sent.
    pub(super) fn cors(self) -> std::result::Result<Cors, http::Error> {
        let value = |text: Option<String>| text.map(HeaderValue::try_from).transpose();
        Ok(Cors {
            methods: value(self.methods)?,
            allowed_headers: value(self.allowed_headers)?,
            exposed_headers: value(self.exposed_headers)?,
            max_age: value(self.max_age)?,
            credentials: self.credentials,
            preflight_continue: self.preflight_continue,
            preflight_status: u16::try_from(self.preflight_status)
                .unwrap_or_default()
                .try_into()?,
        })
    }
}

/// What CORS adds to a response.
#[napi(object)]
pub(super) struct CorsAnswer {
    /// Names and values, in turn.
    pub headers: Vec<String>,
    /// What is to be added to `Vary`.
    pub vary: Vec<String>,
    /// The status, if that is all of the response.
    pub status: Option<u32>,
}

/// What CORS adds to the response to a request.
///
/// @param asked its `Access-Control-Request-Headers`
/// @param allowed the origin that is allowed (`*` is any), or whether the request's is
#[napi(catch_unwind)]
pub(super) fn cors_answer(
    options: CorsOptions,
    method: String,
    origin: Option<String>,
    asked: Option<String>,
    allowed: Either<bool, String>,
) -> Result<CorsAnswer> {
    let answer = || -> std::result::Result<_, http::Error> {
        let allowed = match allowed {
            Either::A(is_allowed) => AllowedOrigin::Reflected(is_allowed),
            Either::B(any) if any == "*" => AllowedOrigin::Any,
            Either::B(origin) => AllowedOrigin::Fixed(origin.try_into()?),
        };
        let request = headers_of([
            (header::ORIGIN, origin),
            (header::ACCESS_CONTROL_REQUEST_HEADERS, asked),
        ]);
        let method = Method::from_bytes(method.as_bytes())?;
        Ok(options.cors()?.answer(&method, &request, allowed))
    };
    let answer = answer().map_err(|error| Error::from_reason(error.to_string()))?;
    let vary = answer.headers.get_all(header::VARY).iter().map(text_of);
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != header::VARY);
    Ok(CorsAnswer {
        vary: vary.collect(),
        headers: headers
            .flat_map(|(name, value)| [http1::name(name).to_owned(), text_of(value)])
            .collect(),
        status: answer.ends.map(|status| status.as_u16().into()),
    })
}

/// The head of a response, and its body if that is not a file.
#[napi(object)]
pub(super) struct FileResponse<'env> {
    pub status: u32,
    pub headers: Object<'env>,
    /// Whether the file is the body.
    pub file: bool,
    /// How it is to be encoded.
    pub encoding: Option<String>,
    pub body: Option<String>,
}

/// The bundle of the client that a request is for.
///
/// @param folder the server's path, with a slash at its end
#[napi(catch_unwind)]
pub(super) fn client_file_of(folder: String, url: String) -> Option<&'static str> {
    client_file::name(&folder, &url)
}

/// The response to a request for a bundle of the client.
///
/// @param version the version that is installed, if it is
/// @param known its `If-None-Match`
/// @param accepted its `Accept-Encoding`
#[napi(catch_unwind)]
pub(super) fn client_file_response<'env>(
    env: &'env Env,
    name: String,
    version: Option<String>,
    known: Option<String>,
    accepted: Option<String>,
) -> Result<FileResponse<'env>> {
    let request = headers_of([
        (header::IF_NONE_MATCH, known),
        (header::ACCEPT_ENCODING, accepted),
    ]);
    let found = version.and_then(|version| client_file::head(&name, &version, &request));
    let (head, body) = match found {
        Some(head) => (head.map(|()| Bytes::new()), None),
        None => {
            let response = client_file::not_found(&name);
            let body = String::from_utf8_lossy(response.body()).into_owned();
            (response, Some(body))
        }
    };
    let mut headers = Object::new(env)?;
    for (name, value) in head.headers() {
        headers.set(client_file::header_name(name), text_of(value))?;
    }
    Ok(FileResponse {
        status: head.status().as_u16().into(),
        headers,
        file: head.status() == StatusCode::OK,
        encoding: head.headers().get(header::CONTENT_ENCODING).map(text_of),
        body,
    })
}
