//! Compression of messages: the extension `permessage-deflate` (RFC 7692, section 7).
//!
//! What must stay true: a connection has no context, which takes tens or hundreds of kilobytes, before it
//! has sent or received something compressed, and none at all in a direction whose contexts are not taken
//! over; a message is not inflated beyond the limit by a single byte more than it takes to notice.

use std::cell::RefCell;
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::protocol::ProtocolError;

/// The smallest and the largest window (RFC 7692, section 7.1.2), in bits.
pub(crate) const MIN_WINDOW_BITS: u8 = 8;
pub(crate) const MAX_WINDOW_BITS: u8 = 15;

/// zlib has no raw stream with a window of 256 bytes. Its compressor does not look further back than the
/// window less 262 bytes, so what it writes with a window of 512 bytes can be read with one of 256.
const MIN_ZLIB_WINDOW_BITS: u8 = 9;

/// The end of each compressed message, which is not sent (section 7.2.1).
const TRAILER: [u8; 4] = [0, 0, 0xff, 0xff];

/// The bytes reserved at first for a message that is inflated, and at least added for one that is deflated.
const MIN_RESERVE: usize = 256;

/// How many compressors a thread keeps for connections that take no context over.
const MAX_SPARE: usize = 8;

/// What the application allows of a window, besides what the client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WindowBits {
    /// Whatever the client asks for.
    Any,
    /// No limit: a client that asks for one of what the server sends is refused, and what a client offers for
    /// its own window is left out of the answer.
    Refused,
    /// A limit of so many bits.
    Exactly(u8),
}

/// The options of the extension, validated by JavaScript.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// The length in bytes from which on a message is compressed.
    pub(crate) threshold: usize,
    /// zlib's level, from 0 to 9.
    pub(crate) level: u8,
    /// Whether the server compresses each message by itself; if not set, as the client asks for.
    pub(crate) server_no_context_takeover: Option<bool>,
    /// Whether clients have to compress each message by itself.
    pub(crate) client_no_context_takeover: bool,
    pub(crate) server_max_window_bits: WindowBits,
    pub(crate) client_max_window_bits: WindowBits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threshold: 1024,
            level: 6,
            server_no_context_takeover: None,
            client_no_context_takeover: false,
            server_max_window_bits: WindowBits::Any,
            client_max_window_bits: WindowBits::Any,
        }
    }
}

/// What was agreed on with a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreement {
    /// Whether a message of the server may refer to the ones before it.
    pub(crate) server_takes_over: bool,
    pub(crate) client_takes_over: bool,
    pub(crate) server_window_bits: u8,
    pub(crate) client_window_bits: u8,
}

impl Default for Agreement {
    fn default() -> Self {
        Self {
            server_takes_over: true,
            client_takes_over: true,
            server_window_bits: MAX_WINDOW_BITS,
            client_window_bits: MAX_WINDOW_BITS,
        }
    }
}

/// The parameters with which a message is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parameters {
    level: u8,
    window_bits: u8,
}

impl Parameters {
    fn compressor(self) -> Compress {
        let level = Compression::new(self.level.min(9).into());
        Compress::new_with_window_bits(level, false, zlib_window_bits(self.window_bits))
    }
}

fn zlib_window_bits(bits: u8) -> u8 {
    bits.clamp(MIN_ZLIB_WINDOW_BITS, MAX_WINDOW_BITS)
}

thread_local! {
    /// Compressors for messages that do not refer to others, of whatever connection.
    static SPARE: RefCell<Vec<(Parameters, Compress)>> = const { RefCell::new(Vec::new()) };
}

/// Compresses the messages for one client.
#[derive(Debug)]
pub(crate) struct Deflater {
    threshold: usize,
    parameters: Parameters,
    takes_over: bool,
    /// Only if contexts are taken over, and something was compressed.
    context: Option<Box<Compress>>,
}

impl Deflater {
    /// Has no context yet.
    pub(crate) fn new(agreement: Agreement, options: &Options) -> Self {
        Self {
            threshold: options.threshold,
            parameters: Parameters {
                level: options.level,
                window_bits: agreement.server_window_bits,
            },
            takes_over: agreement.server_takes_over,
            context: None,
        }
    }

    /// Compresses a message of two parts, without the end that is not sent; `None` if it is sent as it is.
    pub(crate) fn compress(&mut self, parts: [&[u8]; 2]) -> Option<Vec<u8>> {
        let length = parts[0].len() + parts[1].len();
        // Nothing can be taken away from an empty message, and zlib flushes nothing twice.
        if length < self.threshold || length == 0 {
            return None;
        }
        if !self.takes_over {
            // There is no gain in a compressed message that is longer; with a context the client needs it.
            return compress_alone(self.parameters, parts).filter(|it| it.len() < length);
        }
        let context = self
            .context
            .get_or_insert_with(|| Box::new(self.parameters.compressor()));
        let compressed = compress(context, parts);
        if compressed.is_none() {
            // A new context refers to nothing that the client lacks.
            self.context = None;
        }
        compressed
    }

    /// With what a message is compressed for all clients alike; `None` if it refers to other messages.
    pub(crate) fn shares(&self) -> Option<Parameters> {
        (!self.takes_over).then_some(self.parameters)
    }
}

/// Compresses a message by itself.
fn compress_alone(parameters: Parameters, parts: [&[u8]; 2]) -> Option<Vec<u8>> {
    SPARE.with_borrow_mut(|spare| {
        let found = spare.iter().position(|(of, _)| *of == parameters);
        let at = found.unwrap_or_else(|| {
            if spare.len() >= MAX_SPARE {
                spare.remove(0);
            }
            spare.push((parameters, parameters.compressor()));
            spare.len() - 1
        });
        let compressor = &mut spare.get_mut(at)?.1;
        let compressed = compress(compressor, parts);
        compressor.reset();
        compressed
    })
}

/// Compresses a message up to the end that is not sent; `None` if zlib cannot do it.
fn compress(context: &mut Compress, parts: [&[u8]; 2]) -> Option<Vec<u8>> {
    let mut compressed = Vec::with_capacity((parts[1].len() / 2).max(MIN_RESERVE));
    for (mut rest, flush) in parts
        .into_iter()
        .zip([FlushCompress::None, FlushCompress::Sync])
    {
        loop {
            let before = context.total_in();
            let status = context.compress_vec(rest, &mut compressed, flush).ok()?;
            let consumed = usize::try_from(context.total_in() - before).ok()?;
            rest = rest.get(consumed..)?;
            let is_full = compressed.len() == compressed.capacity();
            if !is_full && (rest.is_empty() || status == Status::BufError) {
                break;
            }
            if is_full {
                compressed.reserve(MIN_RESERVE);
            }
        }
    }
    let length = compressed.strip_suffix(&TRAILER)?.len();
    compressed.truncate(length);
    Some(compressed)
}

/// How many sizes a window can have.
const WINDOWS: usize = (MAX_WINDOW_BITS - MIN_WINDOW_BITS + 1) as usize;

/// Frames that may go to several clients, compressed at most once for each size of the window.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedFrames(OnceLock<Box<[OnceLock<Bytes>; WINDOWS]>>);

impl SharedFrames {
    /// The bytes for clients with these parameters, which `make` compresses the first time. Callers pass
    /// the same level each time, since a server has one.
    pub(crate) fn get(&self, parameters: Parameters, make: impl FnOnce() -> Vec<u8>) -> Bytes {
        let place = parameters.window_bits.saturating_sub(MIN_WINDOW_BITS);
        match self.0.get_or_init(Box::default).get(usize::from(place)) {
            Some(place) => place.get_or_init(|| make().into()).clone(),
            None => make().into(),
        }
    }
}

/// Inflates the messages of one client.
#[derive(Debug)]
pub(crate) struct Inflater {
    window_bits: u8,
    takes_over: bool,
    /// Only within a message, or if contexts are taken over.
    context: Option<Box<Decompress>>,
    /// Bytes that were inflated since somebody asked.
    inflated: usize,
}

impl Inflater {
    /// Has no context yet.
    pub(crate) fn new(agreement: Agreement) -> Self {
        Self {
            // A client that keeps to a window of 256 bytes can be read with a larger one.
            window_bits: zlib_window_bits(agreement.client_window_bits),
            takes_over: agreement.client_takes_over,
            context: None,
            inflated: 0,
        }
    }

    /// Inflates a fragment of a message, and appends it to what was inflated of the message before.
    ///
    /// # Errors
    /// The data is invalid, or the message is longer than the limit.
    pub(crate) fn inflate(
        &mut self,
        fragment: &[u8],
        is_final: bool,
        message: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), ProtocolError> {
        let before = message.len();
        let window_bits = self.window_bits;
        let context = self
            .context
            .get_or_insert_with(|| Box::new(Decompress::new_with_window_bits(false, window_bits)));
        let mut outcome = inflate(context, fragment, message, limit);
        if is_final && outcome == Ok(Status::Ok) {
            outcome = inflate(context, &TRAILER, message, limit);
        }
        self.inflated += message.len() - before;
        // As in `ws`, what follows a final block is ignored, and the next message has a new context.
        if outcome != Ok(Status::Ok) || (is_final && !self.takes_over) {
            self.context = None;
        }
        outcome.map(drop)
    }

    /// How many bytes were inflated since the last call.
    pub(crate) fn take_inflated(&mut self) -> usize {
        std::mem::take(&mut self.inflated)
    }
}

/// Inflates all of some bytes; whether the stream continues or has ended.
fn inflate(
    context: &mut Decompress,
    mut rest: &[u8],
    message: &mut Vec<u8>,
    limit: usize,
) -> Result<Status, ProtocolError> {
    loop {
        if message.len() == message.capacity() {
            let more = message.capacity().max(rest.len()).max(MIN_RESERVE);
            let allowed = limit.saturating_add(1).saturating_sub(message.len());
            message.reserve_exact(more.min(allowed));
        }
        let before = context.total_in();
        let status = context
            .decompress_vec(rest, message, FlushDecompress::Sync)
            .map_err(|_| ProtocolError::Compression)?;
        if message.len() > limit {
            return Err(ProtocolError::TooBig);
        }
        let consumed = usize::try_from(context.total_in() - before).unwrap_or(usize::MAX);
        rest = rest.get(consumed..).unwrap_or_default();
        if status == Status::StreamEnd {
            return Ok(status);
        }
        let is_full = message.len() == message.capacity();
        if !is_full && (rest.is_empty() || status == Status::BufError) {
            return Ok(Status::Ok);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Deflates messages in one raw stream of flate2, each up to the end that is not sent.
    fn deflated(messages: &[Vec<u8>], takes_over: bool, window_bits: u8) -> Vec<Vec<u8>> {
        let mut stream = Compress::new_with_window_bits(Compression::best(), false, window_bits);
        messages
            .iter()
            .map(|message| {
                let mut out = Vec::with_capacity(message.len() * 2 + 100);
                stream
                    .compress_vec(message, &mut out, FlushCompress::Sync)
                    .unwrap();
                if !takes_over {
                    stream.reset();
                }
                match out.strip_suffix(&TRAILER) {
                    Some(sent) => sent.to_vec(),
                    // The empty message after a flush.
                    None => vec![0],
                }
            })
            .collect()
    }

    fn message() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            "[a-d]{0,40}".prop_map(|text| text.repeat(50).into_bytes()),
            vec(any::<u8>(), 0..3000),
        ]
    }

    fn agreement() -> impl Strategy<Value = Agreement> {
        (any::<bool>(), any::<bool>(), 8..=15u8, 8..=15u8).prop_map(
            |(server_takes_over, client_takes_over, server_window_bits, client_window_bits)| {
                Agreement {
                    server_takes_over,
                    client_takes_over,
                    server_window_bits,
                    client_window_bits,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn messages_that_are_compressed_are_inflated_to_the_same_with_the_agreed_window(
            messages in vec(message(), 1..6),
            agreement in agreement(),
            level in 0..=9u8,
        ) {
            let options = Options { threshold: 0, level, ..Options::default() };
            let mut deflater = Deflater::new(agreement, &options);
            let mut inflater = Inflater::new(Agreement {
                client_takes_over: agreement.server_takes_over,
                client_window_bits: agreement.server_window_bits,
                ..agreement
            });
            for message in &messages {
                let (start, end) = message.split_at(message.len().min(1));
                let Some(sent) = deflater.compress([start, end]) else {
                    continue;
                };
                let mut received = Vec::new();
                prop_assert_eq!(inflater.inflate(&sent, true, &mut received, 1 << 20), Ok(()));
                prop_assert_eq!(&received, message);
                prop_assert_eq!(inflater.context.is_some(), agreement.server_takes_over);
            }
        }

        #[test]
        fn messages_of_raw_streams_are_inflated_in_any_fragments(
            messages in vec(message(), 1..6),
            agreement in agreement(),
            size in 1..200usize,
        ) {
            let bits = zlib_window_bits(agreement.client_window_bits);
            let sent = deflated(&messages, agreement.client_takes_over, bits);
            let mut inflater = Inflater::new(agreement);
            for (message, sent) in messages.iter().zip(sent) {
                let mut received = Vec::new();
                for (at, fragment) in sent.chunks(size).enumerate() {
                    let is_final = (at + 1) * size >= sent.len();
                    let inflated = inflater.inflate(fragment, is_final, &mut received, message.len());
                    prop_assert_eq!(inflated, Ok(()));
                }
                prop_assert_eq!(&received, message);
            }
        }

        #[test]
        fn invalid_data_is_refused_or_inflated_below_the_limit(
            data in vec(any::<u8>(), 0..2000),
            limit in 0..5000usize,
        ) {
            let mut inflater = Inflater::new(Agreement::default());
            let mut received = Vec::new();
            let outcome = inflater.inflate(&data, true, &mut received, limit);
            prop_assert!(received.len() <= limit + 1 && received.capacity() <= limit + 1);
            prop_assert_eq!(outcome == Err(ProtocolError::TooBig), received.len() > limit);
        }
    }

    #[test]
    fn the_examples_of_the_rfc_are_inflated() {
        let mut inflater = Inflater::new(Agreement::default());
        for sent in [
            // Sections 7.2.3.1 (twice, the second with the first as its context), 7.2.3.3 and 7.2.3.4.
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
            &[0xf2, 0x00, 0x11, 0x00, 0x00],
            &[
                0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
            ],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            // Section 7.2.3.5.
            &[
                0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
            ],
        ] {
            let mut message = Vec::new();
            let inflated = inflater.inflate(sent, true, &mut message, 5);
            assert_eq!((inflated, &message[..]), (Ok(()), &b"Hello"[..]));
        }
    }

    #[test]
    fn a_bomb_is_inflated_to_the_limit_and_not_further() {
        let zeros = vec![0; 1 << 26];
        let bomb = deflated(&[zeros], true, 15).remove(0);
        assert!(bomb.len() < 1 << 17);
        let mut inflater = Inflater::new(Agreement::default());
        let mut message = Vec::new();
        let outcome = inflater.inflate(&bomb, true, &mut message, 1_000_000);
        assert_eq!(outcome, Err(ProtocolError::TooBig));
        assert_eq!((message.len(), message.capacity()), (1_000_001, 1_000_001));
        assert!(inflater.context.is_none());
        assert_eq!(inflater.take_inflated(), 1_000_001);
        assert_eq!(inflater.take_inflated(), 0);
    }

    #[test]
    fn a_connection_has_no_context_before_it_needs_one_and_none_if_none_is_taken_over() {
        let long = "four".repeat(1000);
        let alone = Agreement {
            server_takes_over: false,
            ..Agreement::default()
        };
        for (agreement, is_kept) in [(Agreement::default(), true), (alone, false)] {
            let mut deflater = Deflater::new(agreement, &Options::default());
            assert_eq!(deflater.compress([b"4", b"short"]), None);
            assert!(deflater.context.is_none());
            let first = deflater.compress([b"4", long.as_bytes()]).unwrap();
            assert_eq!(deflater.context.is_some(), is_kept);
            let second = deflater.compress([b"4", long.as_bytes()]).unwrap();
            assert_eq!(first == second, !is_kept);
            assert_eq!(deflater.shares().is_some(), !is_kept);
        }
    }

    #[test]
    fn incompressible_messages_are_sent_as_they_are_unless_the_client_needs_them_for_its_context() {
        let noise: Vec<u8> = (0..4096).map(|_| rand::random()).collect();
        let alone = Agreement {
            server_takes_over: false,
            ..Agreement::default()
        };
        let compress = |agreement| {
            let mut deflater = Deflater::new(agreement, &Options::default());
            deflater.compress([b"", &noise])
        };
        assert_eq!(compress(alone), None);
        assert!(compress(Agreement::default()).is_some_and(|it| it.len() > noise.len()));
    }

    #[test]
    fn frames_for_several_clients_are_compressed_once_for_each_window() {
        let shared = SharedFrames::default();
        let mut made = 0;
        for window_bits in [8, 15, 8, 15] {
            let parameters = Parameters {
                level: 6,
                window_bits,
            };
            shared.get(parameters, || {
                made += 1;
                Vec::new()
            });
        }
        assert_eq!(made, 2);
    }
}
