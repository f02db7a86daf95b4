//! The few websocket frames that are written and read here and not by the engine: those of an
//! opening and of an upgrade, none longer than a packet or two.

use bytes::{Bytes, BytesMut};
use engineioxide::TransportType;
use engineioxide::socket::Sid;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::handshake::open_packet;
use super::options::Options;

/// A frame that ends a websocket.
pub(crate) const CLOSE: [u8; 2] = [0x88, 0x00];
/// The answer to the probe of an upgrade.
pub(crate) const PROBE_ANSWER: [u8; 8] = *b"\x81\x063probe";

/// A ping of the engine's: a text frame, as all of Engine.IO's packets.
pub(crate) const PING: [u8; 3] = *b"\x81\x012";
/// A client's answer to that, masked with zeros.
pub(crate) const PONG: [u8; 7] = *b"\x81\x81\x00\x00\x00\x003";

/// Engine.IO's packet of the end, which the engine sends last.
pub(crate) const END: [u8; 3] = *b"\x81\x011";

const TEXT: u8 = 0x81;
/// Control frames of the websocket itself.
const WS_PING: u8 = 0x89;
const WS_PONG: u8 = 0x8a;
/// A length that says that the two bytes behind it are the length.
const EXTENDED: u8 = 126;
/// A length that says that the eight bytes behind it are the length.
const LONG: u8 = 127;
const MASKED: u8 = 0x80;

/// A text frame with our open packet.
pub(crate) fn open(options: &Options, sid: Sid) -> Bytes {
    let packet = open_packet(options, sid, TransportType::Websocket);
    let mut frame = BytesMut::with_capacity(packet.len() + 4);
    match u8::try_from(packet.len()) {
        Ok(length) if length < EXTENDED => frame.extend_from_slice(&[TEXT, length]),
        _ => {
            let length = u16::try_from(packet.len()).unwrap_or(u16::MAX);
            frame.extend_from_slice(&[TEXT, EXTENDED]);
            frame.extend_from_slice(&length.to_be_bytes());
        }
    }
    frame.extend_from_slice(packet.as_bytes());
    frame.freeze()
}

/// The length of the server's frame that begins some bytes, its header included; `None` if they
/// are too few to tell, or it is longer than any open packet.
pub(crate) fn length(bytes: &[u8]) -> Option<usize> {
    match *bytes.get(1)? {
        EXTENDED => {
            let length = [*bytes.get(2)?, *bytes.get(3)?];
            Some(usize::from(u16::from_be_bytes(length)) + 4)
        }
        length if length < EXTENDED => Some(usize::from(length) + 2),
        _ => None,
    }
}

/// Where the packet of the end begins in whole frames of the server, if it is the last of them.
pub(crate) fn end(frames: &[u8]) -> Option<usize> {
    let last = frames.len().checked_sub(END.len())?;
    if frames[last..] != END {
        return None;
    }
    // The same bytes may be the tail of a message.
    let mut at = 0;
    while at < last {
        let header = frames.get(at..)?;
        let length = match *header.get(1)? {
            EXTENDED => usize::from(u16::from_be_bytes([*header.get(2)?, *header.get(3)?])) + 4,
            LONG => {
                let length = header.get(2..10)?.try_into().ok()?;
                usize::try_from(u64::from_be_bytes(length))
                    .ok()?
                    .checked_add(10)?
            }
            length => usize::from(length) + 2,
        };
        at = at.checked_add(length)?;
    }
    (at == last).then_some(last)
}

/// A frame of a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Text(Vec<u8>),
    /// The client asks for this frame as an answer.
    Ping(Vec<u8>),
    Pong,
}

/// Reads one short frame of a client, and not a byte beyond; its bytes are added to `raw`.
///
/// `None` when the stream ended, or the frame is not one of an upgrade: too long, in parts, without
/// a mask, or of another kind.
pub(crate) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    raw: &mut BytesMut,
) -> Option<Read> {
    let mut header = [0; 6];
    stream.read_exact(&mut header).await.ok()?;
    let [kind, length, mask @ ..] = header;
    let length = length.checked_sub(MASKED).filter(|&n| n < EXTENDED)?;
    let mut payload = vec![0; usize::from(length)];
    stream.read_exact(&mut payload).await.ok()?;
    if kind == TEXT {
        raw.extend_from_slice(&header);
        raw.extend_from_slice(&payload);
    }
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    match kind {
        TEXT => Some(Read::Text(payload)),
        WS_PING => {
            let mut answer = vec![WS_PONG, length];
            answer.append(&mut payload);
            Some(Read::Ping(answer))
        }
        WS_PONG => Some(Read::Pong),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(mut bytes: &[u8]) -> (Option<Read>, BytesMut, usize) {
        let mut raw = BytesMut::new();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.build().unwrap();
        let frame = runtime.block_on(read(&mut bytes, &mut raw));
        (frame, raw, bytes.len())
    }

    #[test]
    fn a_frame_is_read_and_not_a_byte_beyond() {
        let bytes = b"\x81\x82\x01\x02\x03\x04\x34\x6a\x81\x85";
        let (frame, raw, left) = read_all(bytes);
        assert_eq!(frame, Some(Read::Text(b"5h".to_vec())));
        assert_eq!(&raw[..], &bytes[..8]);
        assert_eq!(left, 2);
    }

    #[test]
    fn a_ping_is_answered_and_not_replayed() {
        let (frame, raw, _) = read_all(b"\x89\x81\0\0\0\0x");
        assert_eq!(frame, Some(Read::Ping(b"\x8a\x01x".to_vec())));
        assert!(raw.is_empty());
    }

    #[test]
    fn what_is_no_frame_of_an_upgrade_ends_it() {
        for bytes in [
            &b""[..],
            b"\x81",
            b"\x81\x01x\0\0\0\0\0",
            b"\x01\x81\0\0\0\0x",
            b"\x82\x81\0\0\0\0x",
            b"\x88\x80\0\0\0\0",
            b"\x81\xfe\x00\x80\0\0\0\0",
            b"\x81\x82\0\0\0\0x",
        ] {
            assert_eq!(read_all(bytes).0, None, "{bytes:?}");
        }
    }

    #[test]
    fn the_length_of_a_frame_of_ours_is_known() {
        assert_eq!(length(b"\x81\x05hello"), Some(7));
        assert_eq!(length(b"\x81\x7e\x01\x00"), Some(260));
        assert_eq!(length(b"\x81"), None);
        assert_eq!(length(&PROBE_ANSWER), Some(PROBE_ANSWER.len()));
    }
    #[test]
    fn the_packet_of_the_end_is_found_behind_whole_frames_alone() {
        assert_eq!(end(b"\x81\x011"), Some(0));
        assert_eq!(end(b"\x81\x0241\x81\x011"), Some(4));
        let long = [&[0x82, 126, 1, 0], &[7; 256][..], &END].concat();
        assert_eq!(end(&long), Some(260));
        let longer = [&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0], &[7; 65_536][..], &END].concat();
        assert_eq!(end(&longer), Some(65_546));
        for bytes in [
            &b""[..],
            b"\x81\x02",
            b"\x81\x0142",
            b"\x81\x044\x81\x011",
            b"\x82\x03\x81\x011",
            b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff\x81\x011",
        ] {
            assert_eq!(end(bytes), None, "{bytes:?}");
        }
    }
}
