//! Which extension is agreed on in a handshake (RFC 6455, section 9; RFC 7692, section 7.1): as the npm
//! package `ws` 8 answers the same offers.
//!
//! What must stay true: an offer that is invalid is refused, even if there is a valid one beside it.

use std::fmt;

use super::deflate::{Agreement, MAX_WINDOW_BITS, MIN_WINDOW_BITS, Options, WindowBits};

/// The only extension that is known.
const DEFLATE: &str = "permessage-deflate";

/// The offers cannot be read, or none of them can be accepted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unacceptable;

impl fmt::Display for Unacceptable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the extensions that are offered are invalid or unacceptable")
    }
}

impl std::error::Error for Unacceptable {}

/// An offer that is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) agreement: Agreement,
    /// The value of `Sec-WebSocket-Extensions` in the response.
    pub(crate) header: String,
}

/// A parameter of `permessage-deflate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parameter {
    ServerNoContextTakeover,
    ClientNoContextTakeover,
    ServerMaxWindowBits(u8),
    /// Without a value, the client only says that it knows the parameter.
    ClientMaxWindowBits(Option<u8>),
}

impl Parameter {
    /// Parses a parameter.
    fn of(name: &str, value: Option<&str>) -> Result<Self, Unacceptable> {
        match (name, value) {
            ("server_no_context_takeover", None) => Ok(Self::ServerNoContextTakeover),
            ("client_no_context_takeover", None) => Ok(Self::ClientNoContextTakeover),
            ("server_max_window_bits", Some(bits)) => Ok(Self::ServerMaxWindowBits(window(bits)?)),
            ("client_max_window_bits", bits) => {
                let bits = bits.map(window).transpose()?;
                Ok(Self::ClientMaxWindowBits(bits))
            }
            _ => Err(Unacceptable),
        }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServerNoContextTakeover => f.write_str("server_no_context_takeover"),
            Self::ClientNoContextTakeover => f.write_str("client_no_context_takeover"),
            Self::ServerMaxWindowBits(bits) => write!(f, "server_max_window_bits={bits}"),
            Self::ClientMaxWindowBits(None) => f.write_str("client_max_window_bits"),
            Self::ClientMaxWindowBits(Some(bits)) => write!(f, "client_max_window_bits={bits}"),
        }
    }
}

/// Parses the number of bits of a window.
fn window(text: &str) -> Result<u8, Unacceptable> {
    let number = number(text).ok_or(Unacceptable)?;
    (MIN_WINDOW_BITS..=MAX_WINDOW_BITS)
        .find(|&bits| f64::from(bits) == number)
        .ok_or(Unacceptable)
}

/// Parses a number in any way in which JavaScript writes it, since that is how the npm package `ws` reads
/// numbers.
pub(crate) fn number(text: &str) -> Option<f64> {
    let text = text.to_ascii_lowercase();
    match text.split_at_checked(2) {
        Some(("0x", digits)) => whole(digits, 16),
        Some(("0o", digits)) => whole(digits, 8),
        Some(("0b", digits)) => whole(digits, 2),
        _ => text.parse().ok(),
    }
}

/// Parses a small whole number without a sign.
fn whole(digits: &str, radix: u32) -> Option<f64> {
    let is_signed = digits.starts_with('+');
    let number = u8::from_str_radix(digits, radix).ok()?;
    (!is_signed).then(|| number.into())
}

/// Answers the value of a client's `Sec-WebSocket-Extensions`; `None` if it does not offer
/// `permessage-deflate`.
///
/// # Errors
/// `Unacceptable` if the value is invalid, or no offer can be accepted.
pub(crate) fn negotiate(
    offers: &[u8],
    options: &Options,
) -> Result<Option<Accepted>, Unacceptable> {
    let offers = parse(offers)?;
    if offers.is_empty() {
        return Ok(None);
    }
    let accepted = offers.into_iter().find_map(|offer| accept(offer, options));
    accepted.map(Some).ok_or(Unacceptable)
}

/// Accepts an offer, if the options allow it. The response keeps the order of the offer.
fn accept(mut offer: Vec<Parameter>, options: &Options) -> Option<Accepted> {
    let has_no_takeover = offer.contains(&Parameter::ServerNoContextTakeover);
    if has_no_takeover && options.server_no_context_takeover == Some(false) {
        return None;
    }
    let mut server_limit = None;
    let mut client_limit = None;
    for parameter in &offer {
        match parameter {
            Parameter::ServerMaxWindowBits(bits) => server_limit = Some(*bits),
            Parameter::ClientMaxWindowBits(bits) => client_limit = Some(*bits),
            _ => {}
        }
    }
    match (options.server_max_window_bits, server_limit) {
        (WindowBits::Refused, Some(_)) => return None,
        (WindowBits::Exactly(ours), Some(theirs)) if ours > theirs => return None,
        _ => {}
    }
    match (options.client_max_window_bits, client_limit) {
        // A client that does not name the parameter does not know it.
        (WindowBits::Exactly(_), None) => return None,
        (WindowBits::Exactly(ours), Some(Some(theirs))) if ours > theirs => return None,
        _ => {}
    }
    if options.server_no_context_takeover == Some(true) {
        set(&mut offer, Parameter::ServerNoContextTakeover);
    }
    if options.client_no_context_takeover {
        set(&mut offer, Parameter::ClientNoContextTakeover);
    }
    if let WindowBits::Exactly(bits) = options.server_max_window_bits {
        set(&mut offer, Parameter::ServerMaxWindowBits(bits));
    }
    match options.client_max_window_bits {
        WindowBits::Exactly(bits) => set(&mut offer, Parameter::ClientMaxWindowBits(Some(bits))),
        WindowBits::Refused => {
            offer.retain(|it| !matches!(it, Parameter::ClientMaxWindowBits(_)));
        }
        WindowBits::Any => offer.retain(|it| *it != Parameter::ClientMaxWindowBits(None)),
    }
    let mut header = DEFLATE.to_owned();
    let mut agreement = Agreement::default();
    for parameter in &offer {
        header += &format!("; {parameter}");
        match parameter {
            Parameter::ServerNoContextTakeover => agreement.server_takes_over = false,
            Parameter::ClientNoContextTakeover => agreement.client_takes_over = false,
            Parameter::ServerMaxWindowBits(bits) => agreement.server_window_bits = *bits,
            Parameter::ClientMaxWindowBits(bits) => {
                agreement.client_window_bits = bits.unwrap_or(MAX_WINDOW_BITS);
            }
        }
    }
    Some(Accepted { agreement, header })
}

/// Sets a parameter, in the place that it has in the offer.
fn set(offer: &mut Vec<Parameter>, parameter: Parameter) {
    let is_same = |other: &&mut Parameter| {
        std::mem::discriminant(*other) == std::mem::discriminant(&parameter)
    };
    match offer.iter_mut().find(is_same) {
        Some(place) => *place = parameter,
        None => offer.push(parameter),
    }
}

/// Parses a list of extensions, and returns the offers of `permessage-deflate`.
fn parse(text: &[u8]) -> Result<Vec<Vec<Parameter>>, Unacceptable> {
    let mut offers = Vec::new();
    let mut rest = Scanner(text);
    if rest.spaces() {
        return Err(Unacceptable);
    }
    loop {
        let is_known = rest.token()? == DEFLATE;
        let mut parameters = Vec::new();
        let is_last = loop {
            let has_space = rest.spaces();
            match rest.byte() {
                None if has_space => return Err(Unacceptable),
                None => break true,
                Some(b',') => break false,
                Some(b';') => {}
                Some(_) => return Err(Unacceptable),
            }
            rest.spaces();
            let name = rest.token()?;
            let value = rest.value()?;
            if is_known {
                let parameter = Parameter::of(name, value.as_deref())?;
                let kind = std::mem::discriminant(&parameter);
                if parameters
                    .iter()
                    .any(|it| std::mem::discriminant(it) == kind)
                {
                    return Err(Unacceptable);
                }
                parameters.push(parameter);
            }
        };
        if is_known {
            offers.push(parameters);
        }
        if is_last {
            return Ok(offers);
        }
        rest.spaces();
    }
}

/// The rest of the value of a header.
struct Scanner<'a>(&'a [u8]);

impl<'a> Scanner<'a> {
    /// Skips spaces and tabs; whether there are any.
    fn spaces(&mut self) -> bool {
        let before = self.0.len();
        while let [b' ' | b'\t', rest @ ..] = self.0 {
            self.0 = rest;
        }
        self.0.len() < before
    }

    /// Takes the next byte.
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// Takes a token (RFC 9110, section 5.6.2).
    fn token(&mut self) -> Result<&'a str, Unacceptable> {
        let length = self.0.iter().take_while(|&&byte| is_token(byte)).count();
        let (token, rest) = self.0.split_at(length);
        self.0 = rest;
        match std::str::from_utf8(token) {
            Ok(token) if !token.is_empty() => Ok(token),
            _ => Err(Unacceptable),
        }
    }

    /// Takes the value of a parameter, if one follows: a token, perhaps in quotes.
    fn value(&mut self) -> Result<Option<String>, Unacceptable> {
        let [b'=', rest @ ..] = self.0 else {
            return Ok(None);
        };
        self.0 = rest;
        let [b'"', rest @ ..] = self.0 else {
            return Ok(Some(self.token()?.to_owned()));
        };
        self.0 = rest;
        let mut value = String::new();
        loop {
            match self.byte() {
                Some(b'"') if !value.is_empty() => return Ok(Some(value)),
                Some(b'\\') => match self.byte() {
                    Some(escaped) if is_token(escaped) => value.push(escaped.into()),
                    _ => return Err(Unacceptable),
                },
                Some(byte) if is_token(byte) => value.push(byte.into()),
                _ => return Err(Unacceptable),
            }
        }
    }
}

/// Whether a token may contain a byte.
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+.^_`|~-".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(offers: &str, options: &Options) -> Result<Option<String>, Unacceptable> {
        let accepted = negotiate(offers.as_bytes(), options)?;
        Ok(accepted.map(|accepted| accepted.header))
    }

    #[test]
    fn offers_are_answered_as_ws_answers_them() {
        let options = Options::default();
        for (offers, expected) in [
            ("permessage-deflate", Ok(Some("permessage-deflate"))),
            (
                "permessage-deflate; client_max_window_bits",
                Ok(Some("permessage-deflate")),
            ),
            (
                "permessage-deflate; client_max_window_bits=10;\tserver_max_window_bits=\"1\\2\"",
                Ok(Some(
                    "permessage-deflate; client_max_window_bits=10; server_max_window_bits=12",
                )),
            ),
            (
                "foo; a=b, permessage-deflate ;server_no_context_takeover , permessage-deflate",
                Ok(Some("permessage-deflate; server_no_context_takeover")),
            ),
            (
                "permessage-deflate; server_max_window_bits=0xF",
                Ok(Some("permessage-deflate; server_max_window_bits=15")),
            ),
            ("x-webkit-deflate-frame", Ok(None)),
            ("Permessage-Deflate", Ok(None)),
            ("", Err(Unacceptable)),
            (" permessage-deflate", Err(Unacceptable)),
            ("permessage-deflate ", Err(Unacceptable)),
            ("permessage-deflate,", Err(Unacceptable)),
            ("permessage-deflate;", Err(Unacceptable)),
            (
                "permessage-deflate; server_max_window_bits",
                Err(Unacceptable),
            ),
            (
                "permessage-deflate; server_max_window_bits=7",
                Err(Unacceptable),
            ),
            (
                "permessage-deflate; server_max_window_bits=16",
                Err(Unacceptable),
            ),
            (
                "permessage-deflate; client_max_window_bits=8.5",
                Err(Unacceptable),
            ),
            (
                "permessage-deflate; client_no_context_takeover=1",
                Err(Unacceptable),
            ),
            ("permessage-deflate; unknown", Err(Unacceptable)),
            (
                "permessage-deflate; client_max_window_bits; client_max_window_bits",
                Err(Unacceptable),
            ),
            (
                "permessage-deflate, permessage-deflate; unknown",
                Err(Unacceptable),
            ),
            (
                "permessage-deflate; server_max_window_bits= 10",
                Err(Unacceptable),
            ),
            (
                "permessage-deflate; server_max_window_bits=\"\"",
                Err(Unacceptable),
            ),
            (
                "permessage-deflate; server_max_window_bits=\"10",
                Err(Unacceptable),
            ),
            (
                "permessage-deflate server_no_context_takeover",
                Err(Unacceptable),
            ),
        ] {
            let expected = expected.map(|header| header.map(str::to_owned));
            assert_eq!(answer(offers, &options), expected, "{offers}");
        }
    }

    #[test]
    fn the_options_decide_which_offer_is_accepted() {
        let options = Options {
            server_no_context_takeover: Some(false),
            client_no_context_takeover: true,
            server_max_window_bits: WindowBits::Exactly(12),
            client_max_window_bits: WindowBits::Exactly(11),
            ..Options::default()
        };
        for refused in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits; server_no_context_takeover",
            "permessage-deflate; client_max_window_bits=10",
            "permessage-deflate; client_max_window_bits; server_max_window_bits=11",
        ] {
            assert_eq!(answer(refused, &options), Err(Unacceptable), "{refused}");
        }
        let offers = "permessage-deflate, permessage-deflate; client_max_window_bits";
        let accepted = negotiate(offers.as_bytes(), &options).unwrap().unwrap();
        assert_eq!(
            accepted.header,
            "permessage-deflate; client_max_window_bits=11; client_no_context_takeover; \
             server_max_window_bits=12"
        );
        let expected = Agreement {
            server_takes_over: true,
            client_takes_over: false,
            server_window_bits: 12,
            client_window_bits: 11,
        };
        assert_eq!(accepted.agreement, expected);
        let options = Options {
            server_max_window_bits: WindowBits::Refused,
            client_max_window_bits: WindowBits::Refused,
            server_no_context_takeover: Some(true),
            ..Options::default()
        };
        let limited = "permessage-deflate; server_max_window_bits=15";
        assert_eq!(answer(limited, &options), Err(Unacceptable));
        assert_eq!(
            answer("permessage-deflate; client_max_window_bits=9", &options),
            Ok(Some(
                "permessage-deflate; server_no_context_takeover".to_owned()
            ))
        );
    }
}
