//! A stream that Node relays: TLS, and sockets without a descriptor that can be taken.
//!
//! JavaScript passes in what the client sends and writes what it is told to; the rest of the server
//! sees a stream like any other. What must stay true: bytes keep their order; neither side buffers
//! without bound, since JavaScript pauses while too much is unread and a writer waits while too much
//! is unwritten; a waiting reader or writer is woken at the end.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::ReadBuf;

use super::host::{Host, RelayAction, RelayNumber};

/// Unread bytes beyond which JavaScript pauses the client.
const MAX_UNREAD: usize = 1 << 18;
/// Unread bytes below which a paused client is resumed.
const FEW_UNREAD: usize = MAX_UNREAD / 4;
/// Unwritten bytes from which on a writer waits, and the maximum of one write. Bytes that Node has not
/// written yet count as unwritten.
const MAX_UNWRITTEN: usize = 1 << 18;

/// JavaScript's end of a relayed stream.
pub(crate) struct Relay {
    number: RelayNumber,
    host: Arc<dyn Host>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the client sent, in one buffer, since it may come in pieces of one byte each.
    arrived: Vec<u8>,
    /// How much of that has been read.
    read: usize,
    is_paused: bool,
    /// The client sends no more.
    has_ended: bool,
    /// Nothing can be written any more.
    is_closed: bool,
    reader: Option<Waker>,
    unwritten: usize,
    writer: Option<Waker>,
}

impl State {
    fn unread(&self) -> usize {
        self.arrived.len() - self.read
    }

    fn add(&mut self, bytes: &[u8]) {
        // Never moves more bytes than have been read since the last time, so the cost is linear.
        if self.read > self.arrived.len() / 2 {
            self.arrived.drain(..self.read);
            self.read = 0;
        }
        self.arrived.extend_from_slice(bytes);
    }

    fn take(&mut self, buffer: &mut ReadBuf<'_>) {
        let length = self.unread().min(buffer.remaining());
        buffer.put_slice(&self.arrived[self.read..self.read + length]);
        self.read += length;
        if self.unread() == 0 {
            self.clear();
        }
    }

    /// Frees the buffer: an idle stream allocates nothing.
    fn clear(&mut self) {
        self.arrived = Vec::new();
        self.read = 0;
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Relay {
    /// Makes a relay, and both halves of its stream.
    pub(crate) fn new(number: RelayNumber, host: Arc<dyn Host>) -> (Arc<Self>, Halves) {
        let relay = Arc::new(Self {
            number,
            host,
            state: Mutex::default(),
        });
        let halves = (RelayReader(relay.clone()), RelayWriter(relay.clone()));
        (relay, halves)
    }

    /// Adds bytes of the client. False if JavaScript must pause until it is told to resume.
    pub(crate) fn on_data(&self, bytes: &[u8]) -> bool {
        let mut state = self.state.lock();
        if state.is_closed {
            return true;
        }
        state.add(bytes);
        state.is_paused = state.unread() > MAX_UNREAD;
        wake(&mut state.reader);
        !state.is_paused
    }

    /// JavaScript has written this many bytes.
    pub(crate) fn on_written(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.unwritten = state.unwritten.saturating_sub(bytes);
        wake(&mut state.writer);
    }

    /// The client sends no more.
    pub(crate) fn on_end(&self) {
        let mut state = self.state.lock();
        state.has_ended = true;
        wake(&mut state.reader);
    }

    /// The socket is closed. What the client sent before can still be read.
    pub(crate) fn on_close(&self) {
        let mut state = self.state.lock();
        state.has_ended = true;
        state.is_closed = true;
        wake(&mut state.reader);
        wake(&mut state.writer);
    }

    fn shut_down(&self) {
        self.state.lock().clear();
        self.on_close();
        self.tell(RelayAction::Destroy);
    }

    fn tell(&self, action: RelayAction) {
        self.host.relay(self.number, action);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// Both halves of a relayed stream.
pub(crate) type Halves = (RelayReader, RelayWriter);

/// The half of a relayed stream that the server reads.
#[derive(Debug)]
pub(crate) struct RelayReader(Arc<Relay>);

impl RelayReader {
    /// Reads available bytes into `buffer`; none means that the client sends no more.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.state.lock();
        if state.unread() == 0 {
            if state.has_ended {
                return Poll::Ready(Ok(()));
            }
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.take(buffer);
        let resumes = state.is_paused && state.unread() < FEW_UNREAD;
        if resumes {
            state.is_paused = false;
        }
        drop(state);
        if resumes {
            self.0.tell(RelayAction::Resume);
        }
        Poll::Ready(Ok(()))
    }
}

/// The half of a relayed stream that the server writes. When dropped, it has JavaScript end the
/// stream.
#[derive(Debug)]
pub(crate) struct RelayWriter(Arc<Relay>);

impl RelayWriter {
    /// Writes as many bytes as fit without waiting.
    ///
    /// # Errors
    /// `WouldBlock` while too much is unwritten, `BrokenPipe` when the stream is closed.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.take_up(bytes.len())?;
        let bytes = Bytes::copy_from_slice(&bytes[..length]);
        self.0.tell(RelayAction::Write(bytes));
        Ok(length)
    }

    /// Writes several parts; see [`RelayWriter::try_write`].
    ///
    /// # Errors
    /// The same.
    pub(super) fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let length = self.take_up(parts.iter().map(|part| part.len()).sum())?;
        let mut bytes = Vec::with_capacity(length);
        for part in parts {
            let room = length - bytes.len();
            bytes.extend_from_slice(&part[..room.min(part.len())]);
        }
        self.0.tell(RelayAction::Write(bytes.into()));
        Ok(length)
    }

    /// Counts bytes as unwritten, up to the maximum of one write. Returns how many those are.
    fn take_up(&self, length: usize) -> io::Result<usize> {
        let mut state = self.0.state.lock();
        if state.is_closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if state.unwritten >= MAX_UNWRITTEN {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let length = length.min(MAX_UNWRITTEN);
        state.unwritten += length;
        Ok(length)
    }

    /// Ready when more may be written.
    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.state.lock();
        if state.is_closed || state.unwritten < MAX_UNWRITTEN {
            return Poll::Ready(Ok(()));
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Ends the stream at once.
    pub(super) fn shut_down(&self) {
        self.0.shut_down();
    }
}

impl Drop for RelayWriter {
    fn drop(&mut self) {
        self.0.tell(RelayAction::End);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Told(Mutex<Vec<RelayAction>>);

    impl Host for Told {
        fn relay(&self, _: RelayNumber, action: RelayAction) {
            self.0.lock().push(action);
        }

        fn released(&self, _: u64) {}
    }

    fn relay() -> (Arc<Told>, Arc<Relay>, Halves) {
        let told = Arc::new(Told::default());
        let (relay, halves) = Relay::new(1, told.clone());
        (told, relay, halves)
    }

    /// Reads without waiting: `None` if there is nothing to read, empty at the end.
    fn read(reader: &mut RelayReader, most: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; most];
        let mut buffer = ReadBuf::new(&mut bytes);
        let mut cx = Context::from_waker(Waker::noop());
        match reader.poll_read(&mut cx, &mut buffer) {
            Poll::Ready(result) => {
                result.unwrap();
                Some(buffer.filled().to_vec())
            }
            Poll::Pending => None,
        }
    }

    fn is_writable(writer: &RelayWriter) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        writer.poll_writable(&mut cx).is_ready()
    }

    #[test]
    fn relayed_bytes_are_read_in_order_and_then_the_end() {
        let (_, relay, (mut reader, _writer)) = relay();
        assert!(relay.on_data(b"abc"));
        assert!(relay.on_data(b"d"));
        assert_eq!(read(&mut reader, 2).unwrap(), b"ab");
        assert!(relay.on_data(b"e"));
        assert_eq!(read(&mut reader, 2).unwrap(), b"cd");
        assert_eq!(read(&mut reader, 2).unwrap(), b"e");
        assert_eq!(read(&mut reader, 2), None);
        relay.on_end();
        assert_eq!(read(&mut reader, 2).unwrap(), b"");
    }

    #[test]
    fn a_relayed_client_is_paused_while_too_much_is_unread() {
        let (told, relay, (mut reader, _writer)) = relay();
        assert!(relay.on_data(&[0; MAX_UNREAD]));
        assert!(!relay.on_data(b"x"));
        assert!(read(&mut reader, MAX_UNREAD - FEW_UNREAD + 1).is_some());
        assert_eq!(*told.0.lock(), []);
        assert!(read(&mut reader, 1).is_some());
        assert_eq!(*told.0.lock(), [RelayAction::Resume]);
    }

    #[test]
    fn relayed_pieces_of_one_byte_take_memory_only_for_their_bytes() {
        let (_, relay, (mut reader, _writer)) = relay();
        for bytes in 1..10_000 {
            assert!(relay.on_data(b"x"));
            assert!(relay.state.lock().arrived.capacity() <= 2 * bytes.max(8));
        }
        assert_eq!(read(&mut reader, 10_000).unwrap().len(), 9_999);
        assert_eq!(relay.state.lock().arrived.capacity(), 0);
        // Nor does the buffer grow while a reader is always a little behind.
        assert!(relay.on_data(b"xx"));
        for _ in 0..10_000 {
            assert!(relay.on_data(b"xx"));
            assert_eq!(read(&mut reader, 2).unwrap(), b"xx");
            assert!(relay.state.lock().arrived.capacity() <= 16);
        }
    }

    #[test]
    fn a_relay_writer_waits_while_too_much_is_unwritten() {
        let (told, relay, (_reader, writer)) = relay();
        let much = vec![0; MAX_UNWRITTEN + 1];
        assert_eq!(writer.try_write(&much).unwrap(), MAX_UNWRITTEN);
        let error = writer.try_write(b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(!is_writable(&writer));
        relay.on_written(1);
        assert!(is_writable(&writer));
        let parts = [IoSlice::new(b"x"), IoSlice::new(b"yz")];
        assert_eq!(writer.try_write_vectored(&parts).unwrap(), 3);
        let told = told.0.lock();
        assert_eq!(told.len(), 2);
        assert_eq!(told[1], RelayAction::Write(Bytes::from_static(b"xyz")));
    }

    #[test]
    fn the_end_of_a_relay_is_reported_once_and_a_shutdown_at_once() {
        let (told, relay, (mut reader, writer)) = relay();
        assert!(relay.on_data(b"unread"));
        writer.shut_down();
        assert_eq!(*told.0.lock(), [RelayAction::Destroy]);
        assert_eq!(read(&mut reader, 9).unwrap(), b"");
        assert!(writer.try_write(b"x").is_err());
        drop(writer);
        assert_eq!(*told.0.lock(), [RelayAction::Destroy, RelayAction::End]);
    }
}
