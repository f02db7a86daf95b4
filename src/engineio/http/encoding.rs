//! Content encodings: which one a client prefers (RFC 9110, section 12.5.3), and the compression of
//! responses to polls.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::ZlibEncoder;
use flate2::{Compress, Compression};
use http::HeaderValue;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::response::Response;

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Brotli,
    Gzip,
    Deflate,
}

impl Encoding {
    /// Those of responses to polls; of equals, the first is preferred.
    const FOR_POLLS: [Self; 2] = [Self::Gzip, Self::Deflate];

    /// Its name in headers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    /// The encoding that an `Accept-Encoding` prefers for responses to polls.
    pub(crate) fn for_polls(accepted: &str) -> Option<Self> {
        preferred(accepted, &Self::FOR_POLLS)
    }

    /// A number for it, with which a front can store what a client accepts; 0 is for none.
    pub(crate) fn number(encoding: Option<Self>) -> u32 {
        let place = Self::FOR_POLLS.iter().position(|&it| Some(it) == encoding);
        place.map_or(0, |place| place as u32 + 1)
    }

    /// The encoding with this number.
    pub(crate) fn of_number(number: u32) -> Option<Self> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        Self::FOR_POLLS.get(place).copied()
    }
}

/// What an `Accept-Encoding` says of one encoding.
#[derive(Debug, Clone, Copy)]
struct Preference {
    weight: f64,
    /// Whether it names the encoding, not only `*`.
    is_named: bool,
    /// Its place in the header.
    place: usize,
}

impl Preference {
    /// Whether it applies to an encoding, rather than another preference for it: the more specific one
    /// does, then that with the higher weight, then the later.
    fn applies_before(self, other: Self) -> bool {
        let by_weight = self.weight - other.weight;
        if self.is_named != other.is_named {
            self.is_named
        } else if by_weight != 0.0 && !by_weight.is_nan() {
            by_weight > 0.0
        } else {
            self.place > other.place
        }
    }

    /// Whether the client wants its encoding rather than that of another preference.
    fn is_before(self, other: Self) -> bool {
        if self.weight != other.weight {
            self.weight > other.weight
        } else if self.is_named != other.is_named {
            self.is_named
        } else {
            self.place < other.place
        }
    }
}

/// The encoding that an `Accept-Encoding` prefers among those that are available, as the npm package
/// `negotiator` decides: that with the highest weight; of several, one that it names, the one that it
/// names first, and the one that is available first. `None` if it accepts none of them.
pub(super) fn preferred(accepted: &str, available: &[Encoding]) -> Option<Encoding> {
    let mut applied: [Option<Preference>; 3] = [None; 3];
    for (place, element) in accepted.split(',').enumerate() {
        let Some((name, weight)) = name_and_weight(element) else {
            continue;
        };
        for (encoding, applied) in available.iter().zip(&mut applied) {
            let is_named = name.eq_ignore_ascii_case(encoding.name());
            if !is_named && name != "*" {
                continue;
            }
            let preference = Preference {
                weight,
                is_named,
                place,
            };
            if applied.is_none_or(|before| preference.applies_before(before)) {
                *applied = Some(preference);
            }
        }
    }
    let mut best: Option<(Preference, Encoding)> = None;
    for (&encoding, preference) in available.iter().zip(applied) {
        if let Some(preference) = preference
            && preference.weight > 0.0
            && best.is_none_or(|(before, _)| preference.is_before(before))
        {
            best = Some((preference, encoding));
        }
    }
    best.map(|(_, encoding)| encoding)
}

/// The name and the weight of one element of an `Accept-Encoding`; `None` if it is not one.
fn name_and_weight(element: &str) -> Option<(&str, f64)> {
    let (name, parameters) = element.split_once(';').unwrap_or((element, ""));
    let name = name.trim();
    if name.is_empty() || name.contains(char::is_whitespace) {
        return None;
    }
    let mut parameters = parameters.split(';').map(str::trim);
    let weight = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        (name == "q").then(|| leading_number(value))
    });
    Some((name, weight.unwrap_or(1.0)))
}

/// The number that a text begins with; not a number if it begins with none.
fn leading_number(text: &str) -> f64 {
    let text = text.trim_start();
    let mut has_point = false;
    let end = text
        .bytes()
        .enumerate()
        .position(|(place, byte)| match byte {
            b'+' | b'-' => place > 0,
            b'.' => std::mem::replace(&mut has_point, true),
            _ => !byte.is_ascii_digit(),
        });
    text[..end.unwrap_or(text.len())]
        .parse()
        .unwrap_or(f64::NAN)
}

/// The option `httpCompression`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpCompression {
    /// The length in bytes from which on a body is compressed.
    pub(crate) threshold: usize,
    /// zlib's level, from 0 to 9.
    pub(crate) level: u32,
    /// The size of zlib's window, as a power of two.
    pub(crate) window_bits: u8,
}

impl Default for HttpCompression {
    fn default() -> Self {
        Self {
            threshold: 1024,
            level: 6,
            window_bits: 15,
        }
    }
}

impl HttpCompression {
    /// Whether a body is compressed.
    pub(crate) fn applies_to(&self, body: &[u8]) -> bool {
        body.len() >= self.threshold
    }
}

/// Compresses the body of a response, piece by piece.
pub(crate) struct BodyEncoder {
    encoding: Encoding,
    encoder: ZlibEncoder<Vec<u8>>,
}

impl BodyEncoder {
    /// An encoder; `None` for an encoding that is not one of zlib's.
    pub(crate) fn new(encoding: Encoding, options: &HttpCompression) -> Option<Self> {
        let level = Compression::new(options.level.min(9));
        // As in zlib, a window of 256 bytes is one of 512.
        let window_bits = options.window_bits.clamp(9, 15);
        let compress = match encoding {
            Encoding::Gzip => Compress::new_gzip(level, window_bits),
            Encoding::Deflate => Compress::new_with_window_bits(level, true, window_bits),
            Encoding::Brotli => return None,
        };
        let encoder = ZlibEncoder::new_with_compress(Vec::new(), compress);
        Some(Self { encoding, encoder })
    }

    /// Compresses the next piece of the body.
    ///
    /// # Errors
    /// zlib's error.
    pub(crate) fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.encoder.write_all(piece)
    }

    /// The response with the compressed body, which has been written.
    ///
    /// # Errors
    /// zlib's error.
    pub(crate) fn finish<T>(self, response: Response<T>) -> io::Result<Response<Bytes>> {
        let body = self.encoder.finish()?;
        let name = HeaderValue::from_static(self.encoding.name());
        let mut response = response.map(|_| Bytes::from(body));
        let length = response.body().len();
        let headers = response.headers_mut();
        headers.insert(CONTENT_ENCODING, name);
        headers.insert(CONTENT_LENGTH, length.into());
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::{GzDecoder, ZlibDecoder};

    use super::*;

    #[test]
    fn the_encoding_that_a_client_prefers_is_used() {
        for (accepted, expected) in [
            ("gzip, deflate, br, zstd", Some(Encoding::Gzip)),
            ("deflate, gzip", Some(Encoding::Deflate)),
            ("deflate;q=0.5, gzip;q=0.9", Some(Encoding::Gzip)),
            ("gzip;q=.5,deflate", Some(Encoding::Deflate)),
            ("*", Some(Encoding::Gzip)),
            ("*, deflate", Some(Encoding::Deflate)),
            ("gzip;q=0, *", Some(Encoding::Deflate)),
            ("*;q=0, gzip", Some(Encoding::Gzip)),
            ("identity;q=0", None),
            ("identity, gzip;q=0.1", Some(Encoding::Gzip)),
            ("GZip", Some(Encoding::Gzip)),
            ("gzip, deflate, gzip", Some(Encoding::Deflate)),
            (
                "gzip;q=0.1, deflate;q=0.2, gzip;q=0.3",
                Some(Encoding::Gzip),
            ),
            ("gzip;q=much, deflate;q=0.1", Some(Encoding::Deflate)),
            ("gzip;Q=0", Some(Encoding::Gzip)),
            ("gzip;q=0.5x", Some(Encoding::Gzip)),
            ("gzip;q", None),
            ("gzip;q=-1", None),
            ("gzip;level=1;q=0", None),
            ("gz ip", None),
            ("br", None),
            (";;,", None),
            ("", None),
        ] {
            assert_eq!(Encoding::for_polls(accepted), expected, "{accepted}");
        }
    }

    #[test]
    fn a_weight_is_the_number_that_it_begins_with() {
        for (text, expected) in [
            ("0.5", 0.5),
            (" .5", 0.5),
            ("1.", 1.0),
            ("+1", 1.0),
            ("-1", -1.0),
            ("1-1", 1.0),
            ("1.5.5", 1.5),
            ("0.3;", 0.3),
        ] {
            assert_eq!(leading_number(text), expected, "{text}");
        }
        for text in ["", ".", "-", "x1"] {
            assert!(leading_number(text).is_nan(), "{text}");
        }
    }

    #[test]
    fn an_encoding_is_stored_as_a_number() {
        for encoding in [None, Some(Encoding::Gzip), Some(Encoding::Deflate)] {
            assert_eq!(Encoding::of_number(Encoding::number(encoding)), encoding);
        }
        assert_eq!(Encoding::of_number(u32::MAX), None);
    }

    fn compressed(encoding: Encoding, options: &HttpCompression, body: &[u8]) -> Response<Bytes> {
        let mut encoder = BodyEncoder::new(encoding, options).unwrap();
        body.chunks(1000)
            .for_each(|piece| encoder.write(piece).unwrap());
        encoder.finish(Response::new(())).unwrap()
    }

    #[test]
    fn a_body_is_compressed_as_its_headers_say() {
        let body = "2[\"message\",{\"text\":\"ünï\"}]\x1e".repeat(1000);
        let mut decoded = String::new();
        for window_bits in 8..=15 {
            for level in 0..=9 {
                let options = HttpCompression {
                    level,
                    window_bits,
                    ..HttpCompression::default()
                };
                for encoding in [Encoding::Gzip, Encoding::Deflate] {
                    let response = compressed(encoding, &options, body.as_bytes());
                    assert_eq!(response.headers()[CONTENT_ENCODING], encoding.name());
                    let length = response.body().len().to_string();
                    assert_eq!(response.headers()[CONTENT_LENGTH], length);
                    assert!(level == 0 || response.body().len() < body.len() / 3);
                    decoded.clear();
                    match encoding {
                        Encoding::Gzip => {
                            GzDecoder::new(&response.body()[..]).read_to_string(&mut decoded)
                        }
                        _ => ZlibDecoder::new(&response.body()[..]).read_to_string(&mut decoded),
                    }
                    .unwrap();
                    assert_eq!(decoded, body);
                }
            }
        }
    }

    #[test]
    fn a_body_that_is_shorter_than_the_threshold_is_not_compressed() {
        let options = HttpCompression::default();
        assert!(!options.applies_to(&[0; 1023]));
        assert!(options.applies_to(&[0; 1024]));
    }
}
