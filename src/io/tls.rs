//! TLS on a stream of the operating system: what is read is decrypted, what is written is encrypted.
//!
//! rustls keeps the state of a connection, and no buffers: records are decrypted where they were received,
//! in a buffer of the thread, and encrypted into another one. So an idle connection keeps no buffer. The
//! handshake, tickets, alerts and new keys are the reader's: it writes what rustls asks for.
//!
//! What must stay true: what waits for the client is bounded, and is written by whoever waits for the stream
//! next; who writes has written everything only when the operating system has taken everything, so nobody
//! drops a stream whose last bytes are here; an error ends this stream alone.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::mem;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use parking_lot::Mutex;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
};
use rustls::{CipherSuite, ProtocolVersion, ServerConfig};
use tokio::io::ReadBuf;

use super::stream::Descriptor;

/// The most bytes that one record carries (RFC 8446, section 5.1).
const MAX_FRAGMENT: usize = 1 << 14;
/// What a record adds at most: its header, an explicit nonce or a content type, and a tag.
const MAX_OVERHEAD: usize = 64;
/// Bytes that are received at once: a whole record, so that a client that sends much is read well.
const READ_SIZE: usize = 1 << 15;
/// Received bytes without a whole message beyond which the stream ends: the longest handshake message that
/// rustls takes, 64 KiB, and one record.
const MAX_INCOMPLETE: usize = (1 << 16) + MAX_FRAGMENT + 2048;
/// Bytes that are encrypted for one write: so many, encrypted, may wait for the client.
const MAX_WRITE: usize = 1 << 16;
/// Room for them when they are encrypted, and for new keys.
const ENCRYPTED_SIZE: usize = MAX_WRITE + (MAX_WRITE / MAX_FRAGMENT + 1) * MAX_OVERHEAD + 1024;
/// Encrypted bytes beyond which the stream ends: a client that asks for messages of the protocol, and does
/// not read them.
const MAX_UNWRITTEN: usize = 2 * MAX_WRITE;
/// Received bytes without any to read in between, beyond which an open stream ends. A record has 16 KiB at most, so
/// these are new keys (RFC 8446, section 4.6.3) or records without content, which take much of a thread.
const MAX_WITHOUT_CONTENT: usize = 1 << 16;
/// The types of records that are not encrypted, nor alerts (RFC 8446, section 5.1).
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;

thread_local! {
    /// What is received on this thread: no bytes stay in it.
    static RECEIVED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// What is encrypted on this thread: no bytes stay in it.
    static ENCRYPTED: RefCell<Vec<u8>> = RefCell::new(vec![0; ENCRYPTED_SIZE]);
    /// Where small parts are joined, so that they share a record.
    static JOINED: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(MAX_FRAGMENT));
}

/// What the handshake of a stream agreed on.
#[derive(Debug)]
pub(crate) struct Agreed {
    /// As Node names it.
    pub(crate) version: &'static str,
    pub(crate) cipher_suite: Option<CipherSuite>,
    pub(crate) alpn_protocol: Option<String>,
    /// The client's certificate, DER.
    pub(crate) certificate: Option<Bytes>,
}

/// A stream with TLS, which both of its halves share.
pub(crate) struct TlsStream {
    descriptor: Arc<Descriptor>,
    state: Mutex<State>,
}

struct State {
    connection: UnbufferedServerConnection,
    /// Received bytes that are not a whole message yet.
    incomplete: Vec<u8>,
    /// Decrypted bytes that did not fit into the reader's buffer, and how many of them have been read.
    unread: Vec<u8>,
    read: usize,
    /// Encrypted bytes that the operating system has not taken yet.
    unwritten: Vec<u8>,
    /// Whether the last byte that was encrypted still counts as not written. So who writes comes back until
    /// `unwritten` is empty.
    withholds: bool,
    /// Whether the handshake is done.
    is_open: bool,
    /// How many bytes were received since then without any to read.
    without_content: usize,
    /// The client sends no more.
    has_ended: bool,
    /// Nothing can be written any more.
    is_closed: bool,
    /// Nor can anything be read: the client has violated the protocol, or the stream is broken.
    has_failed: bool,
    /// Waits for the end of the handshake.
    writer: Option<Waker>,
}

impl std::fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TlsStream").field(&self.descriptor).finish()
    }
}

impl TlsStream {
    /// Begins TLS, as the server, on a stream of which nothing was read.
    ///
    /// # Errors
    /// The error of rustls if the configuration cannot be used.
    pub(super) fn new(
        descriptor: Arc<Descriptor>,
        config: Arc<ServerConfig>,
    ) -> io::Result<Arc<Self>> {
        let connection = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
        let state = State {
            connection,
            incomplete: Vec::new(),
            unread: Vec::new(),
            read: 0,
            unwritten: Vec::new(),
            withholds: false,
            is_open: false,
            without_content: 0,
            has_ended: false,
            is_closed: false,
            has_failed: false,
            writer: None,
        };
        Ok(Arc::new(Self {
            descriptor,
            state: Mutex::new(state),
        }))
    }

    /// Reads decrypted bytes into `buffer`; none means that the client sends no more. Before the first of
    /// them comes the handshake.
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let state = &mut *self.state.lock();
        loop {
            if state.take_unread(buffer) || state.has_ended {
                return Poll::Ready(Ok(()));
            }
            if state.has_failed {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            if state.flush(&self.descriptor).is_err()
                && !state.is_closed
                && self.descriptor.wake_when_writable(cx).is_ready()
            {
                continue;
            }
            match self.receive(state, cx, buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) => {}
                unfinished => return unfinished,
            }
        }
    }

    /// Receives once, and decrypts what is complete.
    fn receive(
        &self,
        state: &mut State,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        RECEIVED.with_borrow_mut(|bytes| {
            let before = state.incomplete.len();
            let most = before + READ_SIZE;
            if bytes.len() < most {
                bytes.resize(most, 0);
            }
            let mut into = ReadBuf::new(&mut bytes[before..most]);
            match self.descriptor.poll_read(cx, &mut into) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => {
                    state.fail();
                    return Poll::Ready(Err(error));
                }
                Poll::Ready(Ok(())) => {}
            }
            let received = into.filled().len();
            if received == 0 {
                // Without `close_notify`: WebSocket and HTTP know themselves whether all has come.
                state.end();
                return Poll::Ready(Ok(()));
            }
            bytes[..before].copy_from_slice(&state.incomplete);
            let was_open = state.is_open;
            let mut result = state.process(&mut bytes[..before + received], buffer);
            if !buffer.filled().is_empty() {
                state.without_content = 0;
            } else if was_open {
                state.without_content += received;
                if state.without_content > MAX_WITHOUT_CONTENT {
                    result = result.and(Err(io::ErrorKind::InvalidData.into()));
                }
            }
            // Best effort: it is tried again when the stream is writable.
            let _ = state.flush(&self.descriptor);
            if let Err(error) = result {
                state.fail();
                return Poll::Ready(Err(error));
            }
            Poll::Ready(Ok(()))
        })
    }

    /// Writes bytes; see [`TlsStream::try_write_vectored`].
    ///
    /// # Errors
    /// The same.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.try_write_vectored(&[IoSlice::new(bytes)])
    }

    /// Encrypts and writes several parts.
    ///
    /// # Errors
    /// `WouldBlock` when the stream takes none now, or the handshake is not done; any other error is final.
    pub(super) fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let state = &mut *self.state.lock();
        state.flush(&self.descriptor)?;
        if !state.is_open {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if parts.iter().all(|part| part.is_empty()) {
            return Ok(0);
        }
        // That byte has been encrypted before.
        let withheld = usize::from(mem::take(&mut state.withholds));
        ENCRYPTED.with_borrow_mut(|encrypted| {
            let (taken, length) = match state.encrypt(parts, withheld, encrypted) {
                Ok(encrypted) => encrypted,
                Err(error) => {
                    state.fail();
                    return Err(error);
                }
            };
            let bytes = &encrypted[..length];
            let written = match write_some(&self.descriptor, bytes) {
                Ok(written) => written,
                Err(error) => {
                    state.fail();
                    return Err(error);
                }
            };
            if written == length {
                return Ok(withheld + taken);
            }
            state.unwritten.extend_from_slice(&bytes[written..]);
            state.withholds = true;
            match withheld + taken - 1 {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                reported => Ok(reported),
            }
        })
    }

    /// Ready when a write may not block.
    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.state.lock();
        loop {
            let is_flushed = state.flush(&self.descriptor).is_ok();
            if state.is_closed {
                // The next write returns the error.
                return Poll::Ready(Ok(()));
            }
            if is_flushed && !state.is_open {
                match &mut state.writer {
                    Some(writer) => writer.clone_from(cx.waker()),
                    none => *none = Some(cx.waker().clone()),
                }
                return Poll::Pending;
            }
            if is_flushed {
                return self.descriptor.poll_writable(cx);
            }
            if self.descriptor.poll_writable(cx)?.is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// The addresses of both ends, the client's first; `None` for what is no TCP stream.
    pub(super) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.descriptor.addresses()
    }

    /// What the handshake agreed on.
    pub(super) fn agreed(&self) -> Agreed {
        let connection = &self.state.lock().connection;
        let alpn = connection.alpn_protocol();
        Agreed {
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "TLSv1.3",
            },
            cipher_suite: connection.negotiated_cipher_suite().map(|it| it.suite()),
            alpn_protocol: alpn.map(|it| String::from_utf8_lossy(it).into_owned()),
            certificate: connection
                .peer_certificates()
                .and_then(|chain| chain.first())
                .map(|certificate| Bytes::copy_from_slice(certificate)),
        }
    }

    /// Ends the stream after what was written, and tells the client so.
    pub(super) fn end_writing(&self) {
        let state = &mut *self.state.lock();
        if state.flush(&self.descriptor).is_ok() && state.is_open {
            ENCRYPTED.with_borrow_mut(|encrypted| {
                let length = state.write(|traffic| traffic.queue_close_notify(encrypted));
                // A client that does not take it finds the end of the stream.
                let _ = length.map(|length| write_some(&self.descriptor, &encrypted[..length]));
            });
        }
        state.close();
        self.descriptor.shut_down(Shutdown::Write);
    }

    /// Ends the stream at once, in both directions.
    pub(super) fn shut_down(&self) {
        self.state.lock().close();
        self.descriptor.shut_down(Shutdown::Both);
    }
}

/// Writes as many bytes as the stream takes now, which may be none.
fn write_some(descriptor: &Descriptor, bytes: &[u8]) -> io::Result<usize> {
    match descriptor.try_write(bytes) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            ) =>
        {
            Ok(0)
        }
        Ok(0) if !bytes.is_empty() => Err(io::ErrorKind::WriteZero.into()),
        written => written,
    }
}

impl State {
    /// Copies bytes that were decrypted before. Returns whether there were any.
    fn take_unread(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let unread = &self.unread[self.read..];
        if unread.is_empty() {
            return false;
        }
        let length = unread.len().min(buffer.remaining());
        buffer.put_slice(&unread[..length]);
        self.read += length;
        if self.read == self.unread.len() {
            self.unread = Vec::new();
            self.read = 0;
        }
        true
    }

    /// Writes encrypted bytes that the operating system has not taken.
    ///
    /// # Errors
    /// `WouldBlock` if some are left; any other error is final.
    fn flush(&mut self, descriptor: &Descriptor) -> io::Result<()> {
        if self.is_closed {
            self.unwritten = Vec::new();
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        while !self.unwritten.is_empty() {
            match write_some(descriptor, &self.unwritten) {
                Ok(0) => return Err(io::ErrorKind::WouldBlock.into()),
                Ok(written) => {
                    self.unwritten.drain(..written);
                }
                Err(error) => {
                    self.fail();
                    return Err(error);
                }
            }
        }
        self.unwritten = Vec::new();
        Ok(())
    }

    /// Nothing can be written any more.
    fn close(&mut self) {
        self.is_closed = true;
        self.unwritten = Vec::new();
        self.wake_writer();
    }

    /// Nothing can be written or read any more.
    fn fail(&mut self) {
        self.has_failed = true;
        self.incomplete = Vec::new();
        self.close();
    }

    /// The client sends no more.
    fn end(&mut self) {
        self.has_ended = true;
        self.incomplete = Vec::new();
        if !self.is_open {
            self.close();
        }
    }

    fn wake_writer(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }

    /// Decrypts what is complete in received bytes, and keeps the rest.
    fn process(&mut self, bytes: &mut [u8], buffer: &mut ReadBuf<'_>) -> io::Result<()> {
        let unread = &mut self.unread;
        let processed = process(
            &mut self.connection,
            bytes,
            |plain| {
                let fits = plain.len().min(buffer.remaining());
                let (now, later) = plain.split_at(fits);
                buffer.put_slice(now);
                unread.extend_from_slice(later);
            },
            &mut self.unwritten,
            |_| Ok(0),
        );
        let Processed {
            used,
            has_ended,
            written,
        } = processed.map_err(invalid)?;
        if written.is_some() && !self.is_open {
            self.is_open = true;
            self.wake_writer();
        }
        let rest = &bytes[used..];
        if rest.is_empty() {
            self.incomplete = Vec::new();
        } else {
            self.incomplete.clear();
            self.incomplete.extend_from_slice(rest);
        }
        if has_ended {
            self.end();
        }
        if self.incomplete.len() > MAX_INCOMPLETE || self.unwritten.len() > MAX_UNWRITTEN {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(())
    }

    /// Has rustls encrypt something; `write` returns how many bytes that made.
    fn write(
        &mut self,
        write: impl FnOnce(&mut WriteTraffic<'_, ServerConnectionData>) -> Result<usize, EncryptError>,
    ) -> io::Result<usize> {
        let unread = &mut self.unread;
        let processed = process(
            &mut self.connection,
            &mut self.incomplete,
            |plain| unread.extend_from_slice(plain),
            &mut self.unwritten,
            write,
        );
        let written = processed.map_err(invalid)?.written;
        written.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into()))
    }

    /// Encrypts the parts, without the first `skipped` bytes. Returns how many bytes of them that were, and
    /// how many it made.
    fn encrypt(
        &mut self,
        parts: &[IoSlice<'_>],
        mut skipped: usize,
        encrypted: &mut [u8],
    ) -> io::Result<(usize, usize)> {
        let mut left = MAX_WRITE;
        let parts = parts.iter().filter_map(move |part| {
            let after = part.get(skipped..).unwrap_or_default();
            skipped -= skipped.min(part.len());
            let now = &after[..after.len().min(left)];
            left -= now.len();
            (!now.is_empty()).then_some(now)
        });
        let mut taken = 0;
        let length = self.write(|traffic| {
            let mut length = 0;
            let mut record = |bytes: &[u8]| -> Result<(), EncryptError> {
                length += traffic.encrypt(bytes, &mut encrypted[length..])?;
                Ok(())
            };
            let mut parts = parts.peekable();
            JOINED.with_borrow_mut(|joined| {
                joined.clear();
                while let Some(mut part) = parts.next() {
                    taken += part.len();
                    if joined.is_empty() && parts.peek().is_none() {
                        return record(part);
                    }
                    while !part.is_empty() {
                        let room = MAX_FRAGMENT - joined.len();
                        let (now, later) = part.split_at(part.len().min(room));
                        part = later;
                        joined.extend_from_slice(now);
                        if joined.len() == MAX_FRAGMENT {
                            record(joined)?;
                            joined.clear();
                        }
                    }
                }
                match joined.is_empty() {
                    true => Ok(()),
                    false => record(joined),
                }
            })?;
            Ok(length)
        })?;
        Ok((taken, length))
    }
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// What became of received bytes.
struct Processed {
    /// So many bytes are not needed any more.
    used: usize,
    /// The client sends no more.
    has_ended: bool,
    /// The result of what may write, which is called once the handshake is done.
    written: Option<io::Result<usize>>,
}

/// Passes received bytes to rustls, decrypted ones to `plain`, and adds what is to be sent to `outgoing`.
fn process(
    connection: &mut UnbufferedServerConnection,
    bytes: &mut [u8],
    mut plain: impl FnMut(&[u8]),
    outgoing: &mut Vec<u8>,
    write: impl FnOnce(&mut WriteTraffic<'_, ServerConnectionData>) -> Result<usize, EncryptError>,
) -> Result<Processed, rustls::Error> {
    let (mut used, mut has_ended) = (0, false);
    loop {
        let UnbufferedStatus { mut discard, state } =
            connection.process_tls_records(&mut bytes[used..]);
        match state {
            Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, outgoing),
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    discard += record.discard;
                    plain(record.payload);
                }
            }
            Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
            Ok(ConnectionState::PeerClosed) => has_ended = true,
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                return Ok(Processed {
                    used: used + discard,
                    has_ended,
                    written: Some(write(&mut traffic).map_err(io::Error::other)),
                });
            }
            Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => {
                return Ok(Processed {
                    used: used + discard,
                    has_ended,
                    written: None,
                });
            }
            // Early data, which is not accepted.
            Ok(_) => return Err(rustls::Error::HandshakeNotComplete),
            Err(error) => {
                encode_alert(connection, &mut bytes[used + discard..], outgoing);
                return Err(error);
            }
        }
        used += discard;
    }
}

/// Adds the alert that tells the client of an error, if there is one, to what is to be sent.
fn encode_alert(
    connection: &mut UnbufferedServerConnection,
    bytes: &mut [u8],
    outgoing: &mut Vec<u8>,
) {
    loop {
        let before = outgoing.len();
        let status = connection.process_tls_records(bytes);
        let Ok(ConnectionState::EncodeTlsData(mut data)) = status.state else {
            return;
        };
        encode(&mut data, outgoing);
        // A handshake may have begun to be answered when it failed. rustls must not go on after the alert.
        if !matches!(
            outgoing.get(before),
            Some(&(HANDSHAKE | CHANGE_CIPHER_SPEC))
        ) {
            return;
        }
    }
}

/// Adds a message of the protocol to what is to be sent.
fn encode(data: &mut EncodeTlsData<'_, ServerConnectionData>, outgoing: &mut Vec<u8>) {
    let length = match data.encode(&mut []) {
        Err(EncodeError::InsufficientSize(size)) => size.required_size,
        _ => 0,
    };
    let before = outgoing.len();
    outgoing.resize(before + length, 0);
    let _ = data.encode(&mut outgoing[before..]);
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::cipher::{AeadKey, Iv, OutboundPlainMessage};
    use rustls::crypto::ring;
    use rustls::crypto::tls13::OkmBlock;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
    use rustls::version::{TLS12, TLS13};
    use rustls::{
        ClientConfig, ClientConnection, ContentType, DigitallySignedStruct, HandshakeKind, KeyLog,
        SignatureScheme, SupportedProtocolVersion, Tls13CipherSuite,
    };

    use super::super::stream::{Descriptors, Stream};
    use super::super::tls_config::{Identity, TlsOptions, configure};
    use super::*;

    const CERT: &[u8] = include_bytes!("../../__test__/support/tls/cert.pem");
    const KEY: &[u8] = include_bytes!("../../__test__/support/tls/key.pem");

    fn options() -> TlsOptions {
        let cert = CertificateDer::from_pem_slice(CERT).unwrap();
        let key = PrivatePkcs8KeyDer::from_pem_slice(KEY).unwrap();
        TlsOptions {
            identities: vec![Identity {
                key: key.secret_pkcs8_der().to_vec(),
                chain: vec![cert.to_vec()],
            }],
            allows_1_2: true,
            allows_1_3: true,
            alpn_protocols: vec![b"http/1.1".to_vec()],
            ..TlsOptions::default()
        }
    }

    /// Trusts every server.
    #[derive(Debug)]
    struct Trusting;

    impl ServerCertVerifier for Trusting {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, rustls::Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            let algorithms = ring::default_provider().signature_verification_algorithms;
            algorithms.supported_schemes()
        }
    }

    fn client_config(version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
        let provider = Arc::new(ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Trusting))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.into()
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Woken {
        fn count(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// A stream, and what is at the other end of it.
    struct World {
        all: Arc<Descriptors>,
        ours: Arc<TlsStream>,
        client: ClientConnection,
        socket: UnixStream,
        reader: Arc<Woken>,
        writer: Arc<Woken>,
    }

    fn world_of(server: Arc<ServerConfig>, client: Arc<ClientConfig>) -> World {
        let all = Descriptors::new().unwrap();
        let (ours, socket) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        socket.set_nonblocking(true).unwrap();
        let ours = mio::net::UnixStream::from_std(ours);
        let ours = all.register(Stream::Unix(ours), None).unwrap();
        let mut client = ClientConnection::new(client, "localhost".try_into().unwrap()).unwrap();
        client.set_buffer_limit(None);
        World {
            ours: TlsStream::new(ours, server).unwrap(),
            all,
            client,
            socket,
            reader: Arc::default(),
            writer: Arc::default(),
        }
    }

    fn world(version: &'static SupportedProtocolVersion) -> World {
        world_of(configure(options()).unwrap(), client_config(version))
    }

    impl World {
        /// Reads without waiting: `None` if there is nothing to read, empty at the end.
        fn read(&self, most: usize) -> Option<io::Result<Vec<u8>>> {
            self.all.poll();
            let mut bytes = vec![0; most];
            let mut buffer = ReadBuf::new(&mut bytes);
            let waker = self.reader.clone().into();
            let mut cx = Context::from_waker(&waker);
            match self.ours.poll_read(&mut cx, &mut buffer) {
                Poll::Ready(result) => Some(result.map(|()| buffer.filled().to_vec())),
                Poll::Pending => None,
            }
        }

        fn is_writable(&self) -> bool {
            self.all.poll();
            let waker = self.writer.clone().into();
            let mut cx = Context::from_waker(&waker);
            self.ours.poll_writable(&mut cx).is_ready()
        }

        /// Sends what the client has to send.
        fn client_sends(&mut self) {
            while self.client.wants_write() {
                match self.client.write_tls(&mut self.socket) {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                    Err(error) => panic!("{error}"),
                }
            }
        }

        /// What the client receives; `None` at the end.
        fn client_reads(&mut self) -> Option<Vec<u8>> {
            let mut plain = Vec::new();
            loop {
                match self.client.read_tls(&mut self.socket) {
                    Ok(0) => return (!plain.is_empty()).then_some(plain),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Some(plain),
                    Err(error) => panic!("{error}"),
                }
                self.client.process_new_packets().unwrap();
                let _ = self.client.reader().read_to_end(&mut plain);
            }
        }

        fn shake_hands(&mut self) {
            while self.client.is_handshaking() {
                self.client_sends();
                assert!(self.read(1).is_none());
                assert_eq!(self.client_reads().unwrap(), b"");
            }
            self.client_sends();
            assert!(self.read(1).is_none());
            assert_eq!(self.client_reads().unwrap(), b"");
        }
    }

    fn opened(version: &'static SupportedProtocolVersion) -> World {
        let mut world = world(version);
        world.shake_hands();
        world
    }

    #[test]
    fn bytes_pass_in_both_directions_with_each_version_of_tls() {
        for version in [&TLS12, &TLS13] {
            let mut world = opened(version);
            assert_eq!(world.client.protocol_version(), Some(version.version));
            assert_eq!(world.client.alpn_protocol(), Some(&b"http/1.1"[..]));
            world.client.writer().write_all(b"question").unwrap();
            world.client_sends();
            assert_eq!(world.read(99).unwrap().unwrap(), b"question");
            assert!(world.read(99).is_none());
            assert_eq!(world.ours.try_write(b"answer").unwrap(), 6);
            assert_eq!(world.client_reads().unwrap(), b"answer");
            let parts = [&b"in"[..], b"", b" several ", b"parts"].map(IoSlice::new);
            assert_eq!(world.ours.try_write_vectored(&parts).unwrap(), 16);
            assert_eq!(world.client_reads().unwrap(), b"in several parts");
            assert_eq!(world.ours.try_write_vectored(&[]).unwrap(), 0);
        }
    }

    #[test]
    fn a_client_that_sends_byte_by_byte_is_understood() {
        for version in [&TLS12, &TLS13] {
            let mut world = world(version);
            let mut received = Vec::new();
            let mut has_asked = false;
            while received.len() < 8 {
                let mut sent = Vec::new();
                while world.client.wants_write() {
                    world.client.write_tls(&mut sent).unwrap();
                }
                for byte in sent {
                    world.socket.write_all(&[byte]).unwrap();
                    if let Some(bytes) = world.read(99) {
                        received.extend_from_slice(&bytes.unwrap());
                    }
                }
                world.client_reads().unwrap();
                if !world.client.is_handshaking() && !mem::replace(&mut has_asked, true) {
                    world.client.writer().write_all(b"question").unwrap();
                }
            }
            assert_eq!(received, b"question");
        }
    }

    #[test]
    fn records_that_are_larger_than_the_buffer_of_the_reader_are_read_in_parts() {
        let mut world = opened(&TLS13);
        let much: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
        world.client.writer().write_all(&much).unwrap();
        let mut received = Vec::new();
        while received.len() < much.len() {
            world.client_sends();
            while let Some(bytes) = world.read(1000) {
                received.extend_from_slice(&bytes.unwrap());
            }
        }
        assert!(received == much);
        let state = world.ours.state.lock();
        assert_eq!(state.unread.capacity() + state.incomplete.capacity(), 0);
    }

    #[test]
    fn a_slow_client_gets_all_bytes_once_and_little_waits_for_it() {
        for version in [&TLS12, &TLS13] {
            let mut world = opened(version);
            let much: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
            let (mut written, mut received, mut blocked) = (0, Vec::new(), 0);
            while written < much.len() {
                let rest = &much[written..];
                let (first, second) = rest.split_at(rest.len().min(70_001));
                match world
                    .ours
                    .try_write_vectored(&[IoSlice::new(first), IoSlice::new(second)])
                {
                    Ok(count) => written += count,
                    Err(error) => {
                        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                        assert!(!world.is_writable());
                        blocked += 1;
                        let before = world.writer.count();
                        received.extend(world.client_reads().unwrap());
                        world.all.poll();
                        assert_eq!(world.writer.count(), before + 1);
                        assert!(world.is_writable());
                    }
                }
                assert!(world.ours.state.lock().unwritten.len() <= ENCRYPTED_SIZE);
            }
            // Who has written the last byte leaves nothing behind.
            assert!(world.ours.state.lock().unwritten.is_empty());
            received.extend(world.client_reads().unwrap());
            assert!(received == much && blocked > 0);
            assert_eq!(world.ours.state.lock().unwritten.capacity(), 0);
        }
    }

    #[test]
    fn a_writer_waits_for_the_end_of_the_handshake() {
        let mut world = world(&TLS13);
        let error = world.ours.try_write(b"early").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(!world.is_writable());
        world.shake_hands();
        assert_eq!(world.writer.count(), 1);
        assert!(world.is_writable());
        // A stream that ends before wakes the writer, too.
        let mut world = self::world(&TLS13);
        world.client_sends();
        assert!(!world.is_writable());
        drop(mem::replace(
            &mut world.socket,
            UnixStream::pair().unwrap().0,
        ));
        while world.read(9).is_none() {}
        assert_eq!(world.writer.count(), 1);
        assert!(world.is_writable());
        assert!(world.ours.try_write(b"x").is_err());
    }

    #[test]
    fn sessions_are_resumed_with_tickets_and_in_tls_1_2_by_their_id() {
        for (version, with_tickets) in [(&TLS12, false), (&TLS12, true), (&TLS13, true)] {
            let mut server = configure(options()).unwrap();
            if !with_tickets {
                struct None;
                impl std::fmt::Debug for None {
                    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("None")
                    }
                }
                impl rustls::server::ProducesTickets for None {
                    fn enabled(&self) -> bool {
                        false
                    }
                    fn lifetime(&self) -> u32 {
                        0
                    }
                    fn encrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
                        Option::None
                    }
                    fn decrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
                        Option::None
                    }
                }
                Arc::get_mut(&mut server).unwrap().ticketer = Arc::new(None);
            }
            let client = client_config(version);
            for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
                let mut world = world_of(server.clone(), client.clone());
                world.shake_hands();
                assert_eq!(world.client.handshake_kind(), Some(kind), "{version:?}");
                world.client.writer().write_all(b"hello").unwrap();
                world.client_sends();
                assert_eq!(world.read(9).unwrap().unwrap(), b"hello");
            }
        }
    }

    #[test]
    fn bytes_that_are_no_tls_end_the_stream_with_an_alert() {
        let garbage = [
            &b"GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: x\r\n\r\n"[..],
            &[0; 64],
            &[0x16, 3, 1, 0, 5, 1, 0xff, 0xff, 0xff, 0],
            &[0x16, 3, 1, 0xff, 0xff, 0, 0, 0, 0],
            &[0x17, 3, 3, 0, 1, 0],
            &[0x15, 3, 3, 0, 2, 2, 40],
        ];
        for bytes in garbage {
            let mut world = world(&TLS13);
            assert!(!world.is_writable());
            world.socket.write_all(bytes).unwrap();
            let error = world.read(99).unwrap().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{bytes:?}");
            assert!(world.read(99).unwrap().is_err());
            assert_eq!(world.writer.count(), 1);
            assert!(world.ours.try_write(b"x").is_err());
            world.ours.end_writing();
            let mut alert = Vec::new();
            world.socket.read_to_end(&mut alert).unwrap();
            assert!(alert.is_empty() || alert[0] == 0x15, "{alert:?}");
        }
    }

    #[test]
    fn random_bytes_at_any_time_end_only_their_stream() {
        for at in 0..200_u64 {
            for is_open in [false, true] {
                let mut world = if is_open {
                    opened(&TLS13)
                } else {
                    world(&TLS12)
                };
                let mut seed = at.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
                let mut bytes: Vec<u8> = (0..500)
                    .map(|_| {
                        seed ^= seed << 13;
                        seed ^= seed >> 7;
                        seed ^= seed << 17;
                        seed as u8
                    })
                    .collect();
                if at % 2 == 0 {
                    // The header of a record, so that its content is looked at.
                    bytes.splice(..5, [20 + (at / 2 % 4) as u8, 3, 3, 1, 0]);
                }
                world.socket.write_all(&bytes).unwrap();
                world.socket.shutdown(Shutdown::Write).unwrap();
                let end = loop {
                    if let Some(end) = world.read(99) {
                        break end;
                    }
                };
                assert!(end.map_or(true, |bytes| bytes.is_empty()));
            }
        }
    }

    #[test]
    fn a_changed_record_ends_the_stream() {
        let mut world = opened(&TLS13);
        world.client.writer().write_all(b"question").unwrap();
        let mut sent = Vec::new();
        world.client.write_tls(&mut sent).unwrap();
        let last = sent.len() - 1;
        sent[last] ^= 1;
        world.socket.write_all(&sent).unwrap();
        assert!(world.read(99).unwrap().is_err());
        assert!(world.ours.try_write(b"x").is_err());
    }

    #[test]
    fn new_keys_are_taken_and_answered_by_the_reader() {
        let mut world = opened(&TLS13);
        for _ in 0..3 {
            world.client.refresh_traffic_keys().unwrap();
            world.client.writer().write_all(b"question").unwrap();
            world.client_sends();
            assert_eq!(world.read(99).unwrap().unwrap(), b"question");
            assert_eq!(world.ours.try_write(b"answer").unwrap(), 6);
            assert_eq!(world.client_reads().unwrap(), b"answer");
        }
    }

    #[test]
    fn a_client_that_asks_for_new_keys_without_end_is_not_served() {
        let mut world = opened(&TLS13);
        let mut end = None;
        for _ in 0..1000 {
            world.client.refresh_traffic_keys().unwrap();
            world.client_sends();
            end = world.read(99);
            if end.is_some() {
                break;
            }
            assert!(world.ours.state.lock().unwritten.len() <= MAX_UNWRITTEN);
        }
        assert!(end.unwrap().is_err());
    }

    /// Remembers the secret that the client's first keys are made of.
    #[derive(Debug, Default)]
    struct ClientSecret(Mutex<Vec<u8>>);

    impl KeyLog for ClientSecret {
        fn log(&self, label: &str, _: &[u8], secret: &[u8]) {
            if label == "CLIENT_TRAFFIC_SECRET_0" {
                *self.0.lock() = secret.to_vec();
            }
        }
    }

    /// Encrypts records that a client of rustls does not send (RFC 8446, sections 5.2 and 7).
    struct Records {
        secret: Vec<u8>,
        number: u64,
    }

    impl Records {
        fn suite() -> &'static Tls13CipherSuite {
            ring::cipher_suite::TLS13_AES_256_GCM_SHA384
                .tls13()
                .unwrap()
        }

        fn expand<const LENGTH: usize>(&self, label: &str) -> [u8; LENGTH] {
            let mut output = [0; LENGTH];
            let secret = OkmBlock::new(&self.secret);
            let length = [0, LENGTH as u8];
            let label = format!("tls13 {label}");
            let info = [&length[..], &[label.len() as u8], label.as_bytes(), &[0]];
            let expander = Self::suite().hkdf_provider.expander_for_okm(&secret);
            expander.expand_slice(&info, &mut output).unwrap();
            output
        }

        fn record(&mut self, typ: ContentType, payload: &[u8]) -> Vec<u8> {
            let key = AeadKey::from(self.expand::<32>("key"));
            let iv = Iv::new(self.expand::<12>("iv"));
            let mut encrypter = Self::suite().aead_alg.encrypter(key, iv);
            let message = OutboundPlainMessage {
                typ,
                version: ProtocolVersion::TLSv1_3,
                payload: payload.into(),
            };
            let record = encrypter.encrypt(message, self.number).unwrap();
            self.number += 1;
            record.encode()
        }

        fn new_keys(&mut self) -> Vec<u8> {
            let record = self.record(ContentType::Handshake, &[24, 0, 0, 1, 0]);
            self.secret = self.expand::<48>("traffic upd").to_vec();
            self.number = 0;
            record
        }

        /// Nearly as many new keys as rustls takes in a row, and an empty record, after which it counts anew.
        fn without_content(&mut self) -> Vec<u8> {
            let mut records: Vec<u8> = (0..30).flat_map(|_| self.new_keys()).collect();
            records.extend(self.record(ContentType::ApplicationData, b""));
            records
        }
    }

    #[test]
    fn a_client_that_sends_new_keys_and_empty_records_without_end_is_not_served() {
        let secret = Arc::new(ClientSecret::default());
        let mut client = Arc::unwrap_or_clone(client_config(&TLS13));
        client.key_log = secret.clone();
        let mut world = world_of(configure(options()).unwrap(), client.into());
        world.shake_hands();
        let mut records = Records {
            secret: secret.0.lock().clone(),
            number: 0,
        };
        // Content in between is read as ever, and what came before does not count any more.
        for _ in 0..3 {
            for _ in 0..MAX_WITHOUT_CONTENT / 2000 {
                world.socket.write_all(&records.without_content()).unwrap();
                assert!(world.read(99).is_none());
            }
            let content = records.record(ContentType::ApplicationData, b"content");
            world.socket.write_all(&content).unwrap();
            assert_eq!(world.read(99).unwrap().unwrap(), b"content");
        }
        let end = (0..MAX_WITHOUT_CONTENT / 500).find_map(|_| {
            world.socket.write_all(&records.without_content()).unwrap();
            world.read(99)
        });
        assert!(end.unwrap().is_err());
    }

    #[test]
    fn a_client_that_sends_no_more_still_receives() {
        for version in [&TLS12, &TLS13] {
            let mut world = opened(version);
            world.client.writer().write_all(b"last").unwrap();
            world.client.send_close_notify();
            world.client_sends();
            assert_eq!(world.read(99).unwrap().unwrap(), b"last");
            assert_eq!(world.read(99).unwrap().unwrap(), b"");
            assert_eq!(world.ours.try_write(b"answer").unwrap(), 6);
            assert_eq!(world.client_reads().unwrap(), b"answer");
            world.ours.end_writing();
            assert_eq!(world.client_reads(), None);
        }
    }

    #[test]
    fn the_end_of_the_writing_half_is_told_to_the_client_after_what_was_written() {
        for version in [&TLS12, &TLS13] {
            let mut world = opened(version);
            assert_eq!(world.ours.try_write(b"last").unwrap(), 4);
            world.ours.end_writing();
            let mut plain = Vec::new();
            while world.client.read_tls(&mut world.socket).unwrap() > 0 {
                let state = world.client.process_new_packets().unwrap();
                let _ = world.client.reader().read_to_end(&mut plain);
                if state.peer_has_closed() {
                    break;
                }
            }
            // Without `close_notify` this would be an error.
            assert_eq!(world.client.reader().read(&mut [0]).unwrap(), 0);
            assert_eq!(plain, b"last");
            // And the client may have more to say.
            world.client.writer().write_all(b"more").unwrap();
            world.client_sends();
            assert_eq!(world.read(9).unwrap().unwrap(), b"more");
            assert!(world.ours.try_write(b"x").is_err());
        }
    }

    #[test]
    fn a_reader_whose_message_waits_for_the_client_is_woken_to_write_it() {
        let mut world = opened(&TLS13);
        // The socket is full, and nobody waits to write.
        while world.ours.try_write(&[0; MAX_WRITE]).is_ok() {}
        world.client.refresh_traffic_keys().unwrap();
        world.client_sends();
        assert!(world.read(9).is_none());
        let before = world.reader.count();
        let mut received = world.client_reads().unwrap().len();
        world.all.poll();
        assert!(world.reader.count() > before);
        assert!(world.read(9).is_none());
        received += world.client_reads().unwrap().len();
        assert!(received > 0);
        assert!(world.ours.state.lock().unwritten.is_empty());
    }
}
