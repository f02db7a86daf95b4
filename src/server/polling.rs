//! Long polling, served in process: Node reads the request and writes the response, the engine
//! does what is between.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use engineioxide::service::EngineIoService;
use engineioxide::socket::Sid;
use engineioxide::{DisconnectReason, ProtocolVersion, TransportType};
use http_body_util::BodyExt;
use hyper::service::Service;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use tokio::task::AbortHandle;

use super::Server;
use super::connection::{Connection, Link, Poll as Counted};
use super::handshake::open_packet;
use super::notice::Notice;
use super::payload::Payload;
use super::request::{Asks, engine_uri};

/// The type of a body of Engine.IO 3 that holds binary packets.
const BINARY: &str = "application/octet-stream";

/// A request of long polling, checked by [`super::request::check`].
#[derive(Debug)]
pub(crate) struct Request {
    /// JavaScript's number for the request.
    pub(crate) number: u32,
    pub(crate) protocol: ProtocolVersion,
    /// The packets of a POST; none for a GET.
    pub(crate) body: Option<Bytes>,
    pub(crate) content_type: Option<String>,
    /// Whether the client takes binary packets only as base64.
    pub(crate) base64_only: bool,
    pub(crate) asks: Asks,
    pub(crate) link: Arc<Link>,
}

/// The answer to a request.
#[derive(Debug)]
struct Answer {
    status: u16,
    is_binary: bool,
    body: Bytes,
}

impl Answer {
    fn text(body: impl Into<Bytes>) -> Self {
        Self {
            status: 200,
            is_binary: false,
            body: body.into(),
        }
    }

    fn bad_request() -> Self {
        Self {
            status: 400,
            is_binary: false,
            body: Bytes::new(),
        }
    }
}

/// How long a poll leaves an upgrade that is under way to itself.
const UPGRADE_GRACE: Duration = Duration::from_millis(5);

/// Requests under way, so that one whose client leaves can be ended.
#[derive(Debug, Default)]
pub(crate) struct Requests(Arc<Mutex<FxHashMap<u32, Pending>>>);

#[derive(Debug)]
struct Pending {
    task: AbortHandle,
    asks: Asks,
}

impl Requests {
    /// Serves a request; its answer comes as a [`Notice::Response`].
    pub(crate) fn serve(
        &self,
        runtime: &tokio::runtime::Handle,
        server: &Arc<Server>,
        service: EngineIoService<Server>,
        request: Request,
    ) {
        let number = request.number;
        let asks = request.asks;
        let server = server.clone();
        let pending = self.0.clone();
        let counted = match (asks, &request.body) {
            (Asks::Use(sid), None) => server.connection(sid).map(|e| Connection::polls(&e)),
            _ => None,
        };
        // Held until the request is in the table, so that it cannot be answered before.
        let mut table = self.0.lock();
        let task = runtime.spawn(async move {
            let link = request.link.clone();
            let answer = match (asks, &request.body) {
                (Asks::Open, _) => open(&server, &service, request).await,
                (Asks::Use(_), None) => poll(&service, request, counted).await,
                (Asks::Use(sid), Some(_)) => post(&server, &service, request, sid).await,
            };
            let opened = match asks {
                Asks::Open => link.sid(),
                Asks::Use(_) => None,
            };
            if pending.lock().remove(&number).is_some() {
                server.inbox.push(Notice::Response {
                    request: number,
                    status: answer.status,
                    binary: answer.is_binary,
                    opened,
                    body: answer.body,
                });
            }
        });
        let task = task.abort_handle();
        table.insert(number, Pending { task, asks });
    }

    /// The client of a request left before it was answered: so does its connection.
    pub(crate) fn abort(&self, server: &Server, number: u32) {
        let Some(pending) = self.0.lock().remove(&number) else {
            return;
        };
        pending.task.abort();
        if let Asks::Use(sid) = pending.asks {
            abort_session(server, sid);
        }
    }
}

/// Ends a connection whose client does not keep to the protocol of polling.
pub(crate) fn abort_session(server: &Server, sid: Sid) {
    if let Some(engine) = server.connection(sid) {
        engine.close(DisconnectReason::TransportError);
    }
}

/// Opens a connection; the client gets our open packet instead of the engine's.
///
/// The engine pings right behind it, unlike Engine.IO, which waits for an interval; that ping is
/// answered here.
async fn open(server: &Server, service: &EngineIoService<Server>, request: Request) -> Answer {
    let (protocol, link) = (request.protocol, request.link.clone());
    let answer = call(service, request).await;
    let Some(sid) = link.sid().filter(|_| answer.status == 200) else {
        return Answer::bad_request();
    };
    if protocol == ProtocolVersion::V4 {
        let of_ours = |body| Request {
            number: 0,
            protocol,
            body,
            content_type: None,
            base64_only: false,
            asks: Asks::Use(sid),
            link: link.clone(),
        };
        call(service, of_ours(None)).await;
        call(service, of_ours(Some(Bytes::from_static(b"3")))).await;
    }
    let packet = open_packet(&server.options, sid, TransportType::Polling);
    Answer::text(match protocol {
        ProtocolVersion::V3 => format!("{}:{packet}", packet.len()),
        ProtocolVersion::V4 => packet,
    })
}

/// Waits for packets, or until the poll is released because the client leaves polling. On a
/// connection that is to end nothing is waited for: behind what is queued comes the end.
async fn poll(
    service: &EngineIoService<Server>,
    request: Request,
    counted: Option<Counted>,
) -> Answer {
    let (protocol, link) = (request.protocol, request.link.clone());
    if link.is_upgrading() {
        // What the client said on its websocket before it polled is heard first.
        tokio::time::sleep(UPGRADE_GRACE).await;
    }
    // The engine's answer is dropped before ours is told of: the client may poll again at once.
    // It holds no packet as long as it waits for one.
    let answer = {
        let mut answer = pin!(call(service, request));
        let mut released = pin!(link.poll_released());
        poll_fn(|cx| match answer.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if is_closing(counted.as_ref()) => Poll::Ready(None),
            Poll::Pending => released.as_mut().poll(cx).map(|()| None),
        })
        .await
    };
    if let Some(answer) = answer {
        // Polling frames packets with less than a websocket, which is what was counted; what has
        // been fetched must not be counted on.
        link.wrote(answer.body.len().saturating_mul(2));
        return answer;
    }
    if let Some(counted) = counted.filter(|counted| counted.engine().data.is_closing()) {
        counted.engine().close(DisconnectReason::TransportClose);
        return Answer::text(farewell(protocol));
    }
    Answer::text(match protocol {
        ProtocolVersion::V3 => "1:6",
        ProtocolVersion::V4 => "6",
    })
}

fn is_closing(poll: Option<&Counted>) -> bool {
    poll.is_some_and(|poll| poll.engine().data.is_closing())
}

/// The end of a connection, as a payload of each protocol: a packet that keeps no client waiting,
/// and the one that closes.
fn farewell(protocol: ProtocolVersion) -> &'static str {
    match protocol {
        ProtocolVersion::V3 => "1:61:1",
        ProtocolVersion::V4 => "6\x1e1",
    }
}

/// Takes packets of the client.
async fn post(
    server: &Server,
    service: &EngineIoService<Server>,
    request: Request,
    sid: Sid,
) -> Answer {
    let is_binary = request.content_type.as_deref() == Some(BINARY);
    if is_binary && request.protocol == ProtocolVersion::V4 {
        abort_session(server, sid);
        return Answer::bad_request();
    }
    let link = request.link.clone();
    let answer = call(service, request).await;
    // The client sends more when this is answered.
    poll_fn(|cx| link.unheard().poll_low(cx)).await;
    answer
}

/// Asks the engine.
async fn call(service: &EngineIoService<Server>, request: Request) -> Answer {
    let transport = TransportType::Polling;
    let uri = engine_uri(
        request.protocol,
        transport,
        request.asks,
        request.base64_only,
    );
    let method = match request.body {
        None => http::Method::GET,
        Some(_) => http::Method::POST,
    };
    let is_binary = request.content_type.as_deref() == Some(BINARY);
    let mut builder = http::Request::builder().method(method).uri(uri);
    if let Some(content_type) = request.content_type {
        builder = builder.header(http::header::CONTENT_TYPE, content_type);
    }
    let body = request.body.unwrap_or_default();
    let body = match request.protocol {
        ProtocolVersion::V3 if !is_binary => Payload::split(body),
        _ => Payload::whole(body),
    };
    let Ok(request) = builder.extension(request.link).body(body) else {
        return Answer::bad_request();
    };
    let Ok(response) = service.call(request).await;
    let (parts, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let content_type = parts.headers.get(http::header::CONTENT_TYPE);
    Answer {
        status: parts.status.as_u16(),
        is_binary: content_type.is_some_and(|kind| kind == BINARY),
        body,
    }
}
