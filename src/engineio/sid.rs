//! Session ids.
//!
//! They look like those of npm `base64id`, which Engine.IO and Socket.IO use: 20 characters of base64url.
//! `@socket.io/sticky` relies on that length, and adapters tell socket ids from rooms by it.
//! An application may give Engine.IO sessions ids of its own (`io.engine.generateId`).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// The length of a generated id.
const LENGTH: usize = 20;
/// Random bytes in a generated id.
const RANDOM: usize = 15;
const _: () = assert!(RANDOM * 4 == LENGTH * 3);
/// The maximum length of an id that the application chooses; `InvalidSessionIdError` names it.
const MAX_LENGTH: usize = 63;

/// A session id: 1 to [`MAX_LENGTH`] characters of visible ASCII without quotes and backslashes, so
/// that it is the same in JSON, in a line of the output and in a header.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sid {
    /// Padded with zeros, so that equal ids are equal bytes.
    bytes: [u8; MAX_LENGTH],
    length: u8,
}

/// The text is not a session id.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InvalidSid;

impl fmt::Display for InvalidSid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the id of an Engine.IO session")
    }
}

impl std::error::Error for InvalidSid {}

impl Sid {
    /// An id that nobody can guess: 120 random bits of a generator that the operating system seeds.
    pub(crate) fn random() -> Self {
        let mut bytes = [0; MAX_LENGTH];
        // Cannot fail: the buffer is exactly as long as the text.
        let _ = BASE64_URL_SAFE_NO_PAD
            .encode_slice(rand::random::<[u8; RANDOM]>(), &mut bytes[..LENGTH]);
        Self {
            bytes,
            length: LENGTH as u8,
        }
    }

    /// The id as text.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }
}

impl Hash for Sid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The id is a whole map key, so no length is needed to separate it from what follows.
        state.write(self.as_bytes());
    }
}

impl FromStr for Sid {
    type Err = InvalidSid;

    fn from_str(text: &str) -> Result<Self, InvalidSid> {
        let is_allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        let mut bytes = [0; MAX_LENGTH];
        let place = bytes.get_mut(..text.len()).ok_or(InvalidSid)?;
        if text.is_empty() || !text.bytes().all(is_allowed) {
            return Err(InvalidSid);
        }
        place.copy_from_slice(text.as_bytes());
        let length = u8::try_from(text.len()).map_err(|_| InvalidSid)?;
        Ok(Self { bytes, length })
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_random_id_has_20_characters_of_base64url() {
        for _ in 0..1000 {
            let id = Sid::random();
            assert_eq!(id.as_str().len(), 20);
            let is_base64url = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            assert!(id.as_str().chars().all(is_base64url), "{id}");
            assert_eq!(id.as_str().parse(), Ok(id));
        }
    }

    #[test]
    fn no_two_random_ids_are_the_same_and_every_character_varies() {
        let ids: Vec<_> = (0..10_000).map(|_| Sid::random().to_string()).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        for at in 0..LENGTH {
            let seen: HashSet<_> = ids.iter().map(|id| id.as_bytes()[at]).collect();
            assert_eq!(seen.len(), 64, "character {at}");
        }
    }

    #[test]
    fn an_id_of_the_application_may_be_any_visible_text_of_63_characters() {
        for id in [
            "a",
            "custom:0b1d2e3f-aaaa-bbbb-cccc-0123456789ab",
            "!#[]~&=%/",
        ] {
            assert_eq!(id.parse::<Sid>().unwrap().as_str(), id);
        }
        assert!("x".repeat(63).parse::<Sid>().is_ok());
        for text in [
            "", "a b", "a\tb", "a\n", "a\"b", "a\\b", "ü", "\0", "\u{7f}",
        ] {
            assert_eq!(text.parse::<Sid>(), Err(InvalidSid), "{text:?}");
        }
        assert_eq!("x".repeat(64).parse::<Sid>(), Err(InvalidSid));
        assert_eq!("x".repeat(1 << 20).parse::<Sid>(), Err(InvalidSid));
    }

    proptest! {
        #[test]
        fn session_ids_are_equal_if_their_texts_are_equal(a in "[a-c]{1,3}", b in "[a-c]{1,3}") {
            let same = a.parse::<Sid>().unwrap() == b.parse::<Sid>().unwrap();
            prop_assert_eq!(same, a == b);
        }

        #[test]
        fn any_text_is_parsed_as_a_session_id_without_a_panic(text in any::<String>()) {
            if let Ok(id) = text.parse::<Sid>() {
                prop_assert_eq!(id.as_str(), text);
            }
        }
    }
}
