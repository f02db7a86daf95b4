//! Long polling, served in process: Node reads the request and writes the response, the engine
//! does what is between.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use engineioxide::DisconnectReason;
use engineioxide::service::EngineIoService;
use engineioxide::socket::Sid;
use http_body_util::{BodyExt, Full};
use hyper::service::Service;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use tokio::task::AbortHandle;

use super::Server;
use super::connection::Link;
use super::notice::Notice;
use super::request::normal_query;

/// A request of long polling, checked by [`super::request::check`].
#[derive(Debug)]
pub(crate) struct Request {
    /// JavaScript's number for the request.
    pub(crate) number: u32,
    pub(crate) method: http::Method,
    pub(crate) query: String,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Bytes,
    /// The connection the request uses; without, it opens one over `link`.
    pub(crate) sid: Option<Sid>,
    pub(crate) link: Arc<Link>,
}

/// Requests under way, so that one whose client leaves can be ended.
#[derive(Debug, Default)]
pub(crate) struct Requests(Arc<Mutex<FxHashMap<u32, Pending>>>);

#[derive(Debug)]
struct Pending {
    task: AbortHandle,
    sid: Option<Sid>,
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
        let sid = request.sid;
        let inbox = server.inbox.clone();
        let pending = self.0.clone();
        let server = server.clone();
        // Held until the request is in the table, so that it cannot be answered before.
        let mut table = self.0.lock();
        let task = runtime.spawn(async move {
            let (status, binary, body) = respond(&server, &service, request).await;
            if pending.lock().remove(&number).is_some() {
                inbox.push(Notice::Response {
                    request: number,
                    status,
                    binary,
                    body,
                });
            }
        });
        let task = task.abort_handle();
        table.insert(number, Pending { task, sid });
    }

    /// The client of a request left before it was answered: so does its connection.
    pub(crate) fn abort(&self, server: &Server, number: u32) {
        let Some(pending) = self.0.lock().remove(&number) else {
            return;
        };
        pending.task.abort();
        if let Some(engine) = pending.sid.and_then(|sid| server.connection(sid)) {
            engine.close(DisconnectReason::TransportError);
        }
    }
}

async fn respond(
    server: &Server,
    service: &EngineIoService<Server>,
    request: Request,
) -> (u16, bool, Bytes) {
    const BAD_REQUEST: (u16, bool, Bytes) = (400, false, Bytes::new());
    let uri = format!("/engine.io/?{}", normal_query(&request.query));
    let mut builder = http::Request::builder().method(request.method).uri(uri);
    if let Some(content_type) = request.content_type {
        builder = builder.header(http::header::CONTENT_TYPE, content_type);
    }
    let link = request.link.clone();
    let engine = request.sid.and_then(|sid| server.connection(sid));
    let Ok(request) = builder
        .extension(request.link)
        .body(Full::new(request.body))
    else {
        return BAD_REQUEST;
    };
    let mut response = pin!(service.call(request));
    let Ok(response) = match poll_fn(|cx| Poll::Ready(response.as_mut().poll(cx))).await {
        Poll::Ready(response) => response,
        // The poll found nothing that waits. It ends a connection that has only that to wait for.
        Poll::Pending => {
            if let Some(engine) = engine.filter(|engine| engine.data.is_leaving()) {
                engine.close(DisconnectReason::TransportClose);
            }
            response.await
        }
    };
    let (parts, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    link.wrote(body.len());
    let binary = parts
        .headers
        .get(http::header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/octet-stream");
    (parts.status.as_u16(), binary, body)
}
