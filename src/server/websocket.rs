//! A websocket's way into the engine: the answer to its upgrade, and then either a connection that
//! it opens or one that it takes over from polling.
//!
//! The engine takes a connection over in one go, and gives it up when the client does not follow;
//! so the client's side of it is heard out here before, while polling goes on as if nothing were.
//! What must stay true: a client that begins an upgrade and does not finish it loses nothing.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use engineioxide::service::EngineIoService;
use engineioxide::{ProtocolVersion, TransportType};
use hyper::service::Service;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, interval_at, timeout};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::Server;
use super::connection::{Engine, Link};
use super::frame::{self, Read};
use super::pump::PumpStream;
use super::request::{Asks, engine_uri};
use super::stream::{Ender, Io, Stream};

/// How often a poll that waits is released while a client upgrades.
const RELEASE_INTERVAL: Duration = Duration::from_millis(50);

/// How long a client may take to say goodbye.
const PATIENCE: Duration = Duration::from_secs(1);

/// What carries a websocket.
#[derive(Debug)]
pub(crate) enum Carrier {
    #[cfg(unix)]
    Descriptor(super::handover::Taken),
    Pump(PumpStream),
}

impl Carrier {
    fn open(self) -> std::io::Result<(Ender, Io)> {
        match self {
            #[cfg(unix)]
            Self::Descriptor(taken) => {
                let (fd, io) = taken.open()?;
                Ok((Ender::Descriptor(fd), io))
            }
            Self::Pump(stream) => {
                let ender = Ender::Pump(Arc::downgrade(stream.pump()));
                Ok((ender, Io::Pump(stream)))
            }
        }
    }
}

/// A websocket on its way from Node.
#[derive(Debug)]
pub(crate) struct Websocket {
    pub(crate) carrier: Carrier,
    /// What Node had read behind the request.
    pub(crate) head: Bytes,
    /// The client's `Sec-WebSocket-Key`.
    pub(crate) key: String,
    /// More lines for the head of the answer, each with its line break.
    pub(crate) headers: String,
    pub(crate) protocol: ProtocolVersion,
    pub(crate) asks: Asks,
    pub(crate) link: Arc<Link>,
}

/// Answers the upgrade and gives the stream to the engine.
pub(crate) async fn serve(
    server: Arc<Server>,
    service: EngineIoService<Server>,
    websocket: Websocket,
) {
    let Websocket {
        carrier,
        head,
        key,
        headers,
        protocol,
        asks,
        link,
    } = websocket;
    let Ok((ender, io)) = carrier.open() else {
        return;
    };
    let patience = server.options.ping_interval + server.options.ping_timeout;
    let mut stream = Stream::new(head, io, link.clone(), patience);
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{headers}\r\n"
    );
    if stream.write_all(answer.as_bytes()).await.is_err() {
        return;
    }
    // Held until the engine has the stream.
    let mut _upgrading = None;
    match asks {
        Asks::Open => stream.opens(&server, ender, protocol),
        Asks::Use(sid) => {
            let polled = server
                .connection(sid)
                .filter(|engine| engine.transport_type() == TransportType::Polling);
            _upgrading = link.upgrade();
            let (Some(engine), Some(_)) = (polled, &_upgrading) else {
                // As Engine.IO does with a second websocket of a session.
                end(stream).await;
                return;
            };
            let agreed = agree(&mut stream, &engine, &link);
            let Ok(Some(said)) = timeout(server.options.upgrade_timeout, agreed).await else {
                end(stream).await;
                return;
            };
            stream.upgrades(&server, ender, &engine, said, frame::PROBE_ANSWER.len());
        }
    }
    let uri = engine_uri(protocol, TransportType::Websocket, asks, false);
    let request = http::Request::builder().uri(uri).extension(link).body(());
    if let Ok(request) = request {
        let _ = service.call((stream, request)).await;
    }
}

/// Ends a websocket that no connection gets. The client's answer is waited for, since a stream that
/// is closed with bytes unread takes back what was written on it.
async fn end(mut stream: Stream) {
    let goodbye = async {
        stream.write_all(&frame::CLOSE).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    let _ = timeout(PATIENCE, goodbye).await;
}

/// Hears a client out until it says that it has left polling: `2probe`, which is answered, and `5`.
/// Meanwhile a poll that waits is released now and then, since the client cannot leave before its
/// poll is answered.
///
/// The frames of both, for the engine; `None` if the client says anything else or leaves, or the
/// connection ends.
async fn agree(stream: &mut Stream, engine: &Engine, link: &Link) -> Option<BytesMut> {
    let mut said = BytesMut::new();
    let mut is_probed = false;
    let mut releases = interval_at(Instant::now() + RELEASE_INTERVAL, RELEASE_INTERVAL);
    loop {
        let read = {
            let mut closed = pin!(engine.closed());
            let mut read = pin!(frame::read(stream, &mut said));
            poll_fn(|cx| {
                while releases.poll_tick(cx).is_ready() {
                    if is_probed {
                        link.release_poll();
                    }
                }
                match closed.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(None),
                    Poll::Pending => read.as_mut().poll(cx),
                }
            })
            .await?
        };
        match read {
            Read::Text(text) if !is_probed && text == b"2probe" => {
                stream.write_all(&frame::PROBE_ANSWER).await.ok()?;
                is_probed = true;
            }
            Read::Text(text) if is_probed && text == b"5" => return Some(said),
            Read::Ping(answer) => stream.write_all(&answer).await.ok()?,
            Read::Pong => {}
            Read::Text(_) => return None,
        }
    }
}
