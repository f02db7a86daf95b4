//! Websocket frames (RFC 6455), the client's side: frames out are masked, frames in are not.
//!
//! Nothing is negotiated: no compression, and so no fragments of a server that sends a message
//! whole, as all servers under test do.

use anyhow::{Result, bail, ensure};

/// The key of every handshake, from the example of RFC 6455, 1.3: what a server must answer to it
/// is known without computing a digest.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// What a server answers to [`KEY`].
pub const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Frames larger than this are a broken server.
const LIMIT: u64 = 256 << 20;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// A text message.
    Text = 1,
    /// A binary message.
    Binary = 2,
    /// The close handshake.
    Close = 8,
    /// A ping of the websocket layer.
    Ping = 9,
    /// A pong of the websocket layer.
    Pong = 10,
}

/// Masking keys: different for each frame, as they must be, but of no cryptographic worth.
#[derive(Debug)]
pub struct Masks(u32);

impl Masks {
    /// A series of keys; `seed` tells one from another.
    pub fn new(seed: u32) -> Masks {
        Masks(seed.wrapping_mul(0x9E37_79B9) | 1)
    }

    /// The next key (xorshift32).
    fn next(&mut self) -> [u8; 4] {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0.to_le_bytes()
    }
}

/// Appends a frame whose payload is `head` followed by `body`.
pub fn encode(out: &mut Vec<u8>, opcode: Opcode, head: &[u8], body: &[u8], masks: &mut Masks) {
    let length = head.len() + body.len();
    out.reserve(length + 14);
    out.push(0x80 | opcode as u8);
    match length {
        0..=125 => out.push(0x80 | length as u8),
        126..=0xFFFF => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let key = masks.next();
    out.extend_from_slice(&key);
    let start = out.len();
    out.extend_from_slice(head);
    out.extend_from_slice(body);
    mask(&mut out[start..], key);
}

/// XORs the key over the payload.
fn mask(payload: &mut [u8], key: [u8; 4]) {
    let wide = u64::from_ne_bytes([
        key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3],
    ]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

/// The frame in front of `bytes`: what it is, its payload, and how long it is in all. `None` when
/// it is not there whole.
pub fn decode(bytes: &[u8]) -> Result<Option<(Opcode, &[u8], usize)>> {
    let &[first, second, ..] = bytes else {
        return Ok(None);
    };
    let opcode = match first {
        0x81 => Opcode::Text,
        0x82 => Opcode::Binary,
        0x88 => Opcode::Close,
        0x89 => Opcode::Ping,
        0x8A => Opcode::Pong,
        _ => bail!("a frame of an unexpected kind: 0x{first:02x}"),
    };
    ensure!(second & 0x80 == 0, "the server masks its frames");
    let (head, length) = match second {
        126 => match bytes.get(2..4) {
            Some(&[a, b]) => (4, u64::from(u16::from_be_bytes([a, b]))),
            _ => return Ok(None),
        },
        127 => match bytes.get(2..10).and_then(|b| b.try_into().ok()) {
            Some(length) => (10, u64::from_be_bytes(length)),
            None => return Ok(None),
        },
        length => (2, length.into()),
    };
    ensure!(length <= LIMIT, "a frame of {length} bytes");
    let end = head + length as usize;
    Ok(bytes.get(head..end).map(|payload| (opcode, payload, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Undoes what [`encode`] does, as a server would.
    fn unmasked(frame: &[u8], head: usize) -> Vec<u8> {
        let key = [
            frame[head],
            frame[head + 1],
            frame[head + 2],
            frame[head + 3],
        ];
        let mut payload = frame[head + 4..].to_vec();
        mask(&mut payload, key);
        payload
    }

    #[test]
    fn frames_of_every_length_have_the_right_head() {
        let mut masks = Masks::new(1);
        for (length, head) in [
            (0, 2),
            (1, 2),
            (125, 2),
            (126, 4),
            (65_535, 4),
            (65_536, 10),
        ] {
            let body: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let mut frame = Vec::new();
            encode(&mut frame, Opcode::Text, b"", &body, &mut masks);
            assert_eq!(frame[0], 0x81);
            assert_eq!(frame[1] & 0x80, 0x80);
            assert_eq!(unmasked(&frame, head), body);
            // without mask and key it is what a server sends
            let mut plain = frame[..head].to_vec();
            plain[1] &= 0x7F;
            plain.extend_from_slice(&body);
            let end = plain.len();
            for cut in [0, 1, head - 1, end - 1] {
                if cut < end {
                    assert_eq!(decode(&plain[..cut]).unwrap(), None);
                }
            }
            plain.extend_from_slice(b"next");
            assert_eq!(
                decode(&plain).unwrap(),
                Some((Opcode::Text, &body[..], end))
            );
        }
    }

    #[test]
    fn head_and_body_are_one_payload() {
        let mut frame = Vec::new();
        encode(
            &mut frame,
            Opcode::Binary,
            &[4],
            b"body",
            &mut Masks::new(7),
        );
        assert_eq!(unmasked(&frame, 2), b"\x04body");
    }

    #[test]
    fn keys_differ_from_frame_to_frame() {
        let mut masks = Masks::new(0);
        assert_ne!(masks.next(), masks.next());
    }

    #[test]
    fn what_no_server_may_send_is_refused() {
        assert!(decode(&[0x01, 0]).is_err(), "a fragment");
        assert!(decode(&[0xC1, 0]).is_err(), "compressed");
        assert!(decode(&[0x81, 0x80]).is_err(), "masked");
        assert!(
            decode(&[0x82, 127, 255, 0, 0, 0, 0, 0, 0, 0]).is_err(),
            "huge"
        );
    }
}
