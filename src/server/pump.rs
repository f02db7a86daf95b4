//! A stream whose bytes Node carries: TLS, and sockets without a descriptor that could be taken.
//!
//! JavaScript feeds in what the client sent and writes out what it is told to; the rest of the
//! server sees a stream like any other. What must stay true: bytes keep their order; neither side
//! buffers without bound: JavaScript is told to pause while too much is unread, a writer waits
//! while too much is unwritten; whoever waits learns of the end.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Inbox;
use super::notice::{Notice, PumpAction};

/// Unread bytes beyond which JavaScript pauses the client, and unwritten bytes beyond which a
/// writer waits.
const HIGH_WATER: usize = 1 << 20;
/// Unread bytes below which a paused client is resumed.
const LOW_WATER: usize = HIGH_WATER / 4;

/// JavaScript's number for a pump: that of the connection the request might have opened.
pub(crate) type PumpNumber = u32;

/// The end of a pump that JavaScript holds.
pub(crate) struct Pump {
    number: PumpNumber,
    inbox: Arc<dyn Inbox>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    arrived: VecDeque<Bytes>,
    unread: usize,
    is_paused: bool,
    /// The client sends no more.
    has_ended: bool,
    /// Nothing can be written any more.
    is_closed: bool,
    reader: Option<Waker>,
    unwritten: usize,
    writer: Option<Waker>,
}

impl std::fmt::Debug for Pump {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pump")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Pump {
    /// Makes a pump and the stream it feeds.
    pub(crate) fn new(number: PumpNumber, inbox: Arc<dyn Inbox>) -> (Arc<Self>, PumpStream) {
        let pump = Arc::new(Self {
            number,
            inbox,
            state: Mutex::default(),
        });
        (
            pump.clone(),
            PumpStream {
                pump,
                said_end: false,
            },
        )
    }

    /// Bytes of the client. Says whether more may come; otherwise a notice says when.
    pub(crate) fn arrived(&self, bytes: Bytes) -> bool {
        let mut state = self.state.lock();
        if state.is_closed {
            return true;
        }
        state.unread += bytes.len();
        state.arrived.push_back(bytes);
        state.is_paused = state.unread > HIGH_WATER;
        wake(&mut state.reader);
        !state.is_paused
    }

    /// Bytes handed to JavaScript have left it.
    pub(crate) fn written(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.unwritten = state.unwritten.saturating_sub(bytes);
        wake(&mut state.writer);
    }

    /// The client sends no more.
    pub(crate) fn ended(&self) {
        let mut state = self.state.lock();
        state.has_ended = true;
        wake(&mut state.reader);
    }

    /// The client is gone, or Node's half is: what it sent before can still be read.
    pub(crate) fn closed(&self) {
        let mut state = self.state.lock();
        state.has_ended = true;
        state.is_closed = true;
        wake(&mut state.reader);
        wake(&mut state.writer);
    }

    /// Ends the stream at once, whatever is being read or written on it.
    pub(crate) fn shut_down(&self) {
        self.state.lock().arrived.clear();
        self.closed();
        self.tell(PumpAction::Destroy);
    }

    fn tell(&self, action: PumpAction) {
        self.inbox.push(Notice::Pump {
            pump: self.number,
            action,
        });
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// The end of a pump that the server reads and writes.
#[derive(Debug)]
pub(crate) struct PumpStream {
    pump: Arc<Pump>,
    said_end: bool,
}

impl PumpStream {
    /// The other end.
    pub(crate) fn pump(&self) -> &Arc<Pump> {
        &self.pump
    }

    fn end(&mut self) {
        if !self.said_end {
            self.said_end = true;
            self.pump.tell(PumpAction::End);
        }
    }
}

impl AsyncRead for PumpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.pump.state.lock();
        let Some(mut bytes) = state.arrived.pop_front() else {
            if state.has_ended {
                return Poll::Ready(Ok(()));
            }
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let length = bytes.len().min(buffer.remaining());
        buffer.put_slice(&bytes[..length]);
        bytes.advance(length);
        if !bytes.is_empty() {
            state.arrived.push_front(bytes);
        }
        state.unread -= length;
        let resumes = state.is_paused && state.unread < LOW_WATER;
        if resumes {
            state.is_paused = false;
        }
        drop(state);
        if resumes {
            self.pump.tell(PumpAction::Resume);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PumpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.pump.state.lock();
        if state.is_closed || self.said_end {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if state.unwritten > HIGH_WATER {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.unwritten += bytes.len();
        drop(state);
        self.pump
            .tell(PumpAction::Write(Bytes::copy_from_slice(bytes)));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for PumpStream {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[derive(Default)]
    struct Told(Mutex<Vec<PumpAction>>);

    impl Inbox for Told {
        fn push(&self, notice: Notice) {
            if let Notice::Pump { action, .. } = notice {
                self.0.lock().push(action);
            }
        }
    }

    fn pump() -> (Arc<Told>, Arc<Pump>, PumpStream) {
        let told = Arc::new(Told::default());
        let (pump, stream) = Pump::new(1, told.clone());
        (told, pump, stream)
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.build().unwrap().block_on(future)
    }

    async fn is_pending<T>(future: impl Future<Output = T>) -> bool {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
    }

    #[test]
    fn what_arrives_is_read_in_order_and_then_the_end() {
        let (_, pump, mut stream) = pump();
        assert!(pump.arrived(Bytes::from_static(b"ab")));
        assert!(pump.arrived(Bytes::from_static(b"cd")));
        pump.ended();
        let mut read = Vec::new();
        run(stream.read_to_end(&mut read)).unwrap();
        assert_eq!(read, b"abcd");
    }

    #[test]
    fn a_client_is_paused_while_too_much_is_unread() {
        let (told, pump, mut stream) = pump();
        assert!(pump.arrived(Bytes::from(vec![0; HIGH_WATER])));
        assert!(!pump.arrived(Bytes::from_static(b"x")));
        let mut read = vec![0; HIGH_WATER - LOW_WATER + 1];
        run(stream.read_exact(&mut read)).unwrap();
        assert_eq!(*told.0.lock(), []);
        run(stream.read_exact(&mut [0])).unwrap();
        assert_eq!(*told.0.lock(), [PumpAction::Resume]);
    }

    #[test]
    fn a_writer_waits_while_too_much_is_unwritten() {
        let (told, pump, mut stream) = pump();
        run(async {
            stream.write_all(&vec![0; HIGH_WATER + 1]).await.unwrap();
            assert!(is_pending(stream.write_all(b"x")).await);
            pump.written(1);
            assert!(!is_pending(stream.write_all(b"x")).await);
        });
        assert_eq!(told.0.lock().len(), 2);
    }

    #[test]
    fn the_end_is_said_once_and_a_shut_down_at_once() {
        let (told, pump, mut stream) = pump();
        run(stream.shutdown()).unwrap();
        assert_eq!(*told.0.lock(), [PumpAction::End]);
        pump.shut_down();
        assert!(run(stream.read_u8()).is_err());
        assert!(run(stream.write_u8(0)).is_err());
        drop(stream);
        assert_eq!(*told.0.lock(), [PumpAction::End, PumpAction::Destroy]);
    }
}
