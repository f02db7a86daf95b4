//! The payload of a client's packet: the name of its event, and the check that its text is exactly one
//! JSON value.
//!
//! That check makes it safe to join the texts of many clients into a batch for JavaScript: a text of
//! more than one value could forge the record of another connection. MessagePack is passed beside the
//! batch, each in a buffer of its own. [`super::parser`] has the encoding of packets.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Visitor};
use socketioxide_core::Value;

use super::json;
use super::parser::msgpack;
use crate::engineio::Str;
use crate::protocol::MAX_ARGUMENTS;

/// How many arrays and objects may be inside of each other in `auth` of a CONNECT packet. Adapters encode it for other
/// nodes, and `lib/socketio/event-handlers.js` for the answer to a request for a namespace, by functions that recurse.
const MAX_AUTH_DEPTH: usize = 1000;

/// The payload of an event, an acknowledgement or a CONNECT packet.
#[derive(Debug, Clone)]
pub(crate) enum Payload {
    /// JSON, with placeholders for its attachments.
    Json(Str, Vec<Bytes>),
    /// One complete MessagePack value.
    Msgpack(Bytes),
}

impl Payload {
    /// The value that a parser has decoded.
    pub(crate) fn of(value: Value) -> Self {
        match value {
            Value::Str(text, attachments) => {
                Self::Json(text, attachments.map(Vec::from).unwrap_or_default())
            }
            Value::Bytes(bytes) => Self::Msgpack(bytes),
        }
    }

    /// The name of an event; see [`event_name`].
    pub(crate) fn event_name(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Json(text, _) => event_name(text.as_str()),
            Self::Msgpack(data) => msgpack::event_name(data)
                .filter(|(name, arguments)| *arguments <= MAX_ARGUMENTS && !is_reserved(name))
                .map(|(name, _)| name),
        }
    }

    /// Whether it is exactly one array of arguments, as in an acknowledgement.
    pub(crate) fn is_arguments(&self) -> bool {
        match self {
            Self::Json(text, _) => is_arguments(text.as_str()),
            Self::Msgpack(data) => {
                msgpack::array_length(data).is_some_and(|length| length <= MAX_ARGUMENTS)
            }
        }
    }

    /// Whether it is exactly one object that is not nested too deeply, as in a CONNECT packet.
    pub(crate) fn is_auth(&self) -> bool {
        match self {
            Self::Json(text, _) => {
                is_object(text.as_str()) && !json::is_deeper_than(text.as_str(), MAX_AUTH_DEPTH)
            }
            Self::Msgpack(data) => {
                msgpack::is_object(data) && !msgpack::is_deeper_than(data, MAX_AUTH_DEPTH)
            }
        }
    }

    /// Its text in a batch, and its attachments.
    pub(crate) fn parts(&self) -> (&str, &[Bytes]) {
        match self {
            Self::Json(text, attachments) => (text.as_str(), attachments),
            Self::Msgpack(data) => (IN_PLACE, std::slice::from_ref(data)),
        }
    }

    /// The same, owned.
    pub(crate) fn into_parts(self) -> (Str, Vec<Bytes>) {
        match self {
            Self::Json(text, attachments) => (text, attachments),
            Self::Msgpack(data) => (IN_PLACE.into(), vec![data]),
        }
    }

    /// Its length in bytes, with attachments.
    pub(crate) fn len(&self) -> usize {
        let (text, attachments) = self.parts();
        text.len() + attachments.iter().map(Bytes::len).sum::<usize>()
    }
}

/// The placeholder in a batch for MessagePack, which is passed beside it.
const IN_PLACE: &str = "0";

/// Names a client may not use: they are events of the socket itself (Socket.IO parser 4).
const RESERVED: [&[u8]; 6] = [
    b"connect",
    b"connect_error",
    b"disconnect",
    b"disconnecting",
    b"newListener",
    b"removeListener",
];

/// The name of an event whose text is `["name",…]`, as WTF-8 (a JSON string may hold lone
/// surrogates); `None` if the text is not exactly one such array, has more than [`MAX_ARGUMENTS`] arguments, or the
/// name is reserved.
///
/// A number is a name too, as in Socket.IO: its JSON text.
pub(crate) fn event_name(text: &str) -> Option<Cow<'_, [u8]>> {
    let (name, arguments) = match json::first_plain_string(text) {
        Some((name, arguments)) => (Cow::Borrowed(name), arguments),
        None => rare_name(text)?,
    };
    (arguments <= MAX_ARGUMENTS && !is_reserved(&name)).then_some(name)
}

/// The name of an event if it has an escape sequence, or is a number; and how many arguments follow.
#[cold]
fn rare_name(text: &str) -> Option<(Cow<'_, [u8]>, usize)> {
    let elements = text.trim_ascii_start().strip_prefix('[')?;
    let arguments = json::array_commas(text)?;
    let first = elements.trim_ascii_start();
    if first.starts_with('"') {
        return read::<StringName<'_>>(first).map(|name| (name.0, arguments));
    }
    if !first.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return None;
    }
    let name = match read::<serde_json::Number>(first) {
        Some(number) => Cow::Owned(number.to_string().into_bytes()),
        // Too large for a double, so JavaScript reads it as infinite.
        None if first.starts_with('-') => Cow::Borrowed(&b"-Infinity"[..]),
        None => Cow::Borrowed(&b"Infinity"[..]),
    };
    Some((name, arguments))
}

/// Reads the JSON value at the start of a text.
fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    T::deserialize(&mut serde_json::Deserializer::from_str(text)).ok()
}

fn is_reserved(name: &[u8]) -> bool {
    RESERVED.contains(&name)
}

/// Whether a text is exactly one JSON array of at most [`MAX_ARGUMENTS`] arguments, as in an acknowledgement.
pub(crate) fn is_arguments(text: &str) -> bool {
    text.starts_with('[') && json::array_commas(text).is_some_and(|commas| commas < MAX_ARGUMENTS)
}

/// Whether a text is exactly one JSON object, as in a CONNECT packet.
pub(crate) fn is_object(text: &str) -> bool {
    text.starts_with('{') && json::is_value(text)
}

/// Whether a text is exactly one JSON string.
pub(super) fn is_string(text: &str) -> bool {
    text.starts_with('"') && json::is_value(text)
}

/// A JSON string as WTF-8.
struct StringName<'a>(Cow<'a, [u8]>);

impl<'de: 'a, 'a> Deserialize<'de> for StringName<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl<'de> Visitor<'de> for Name {
            type Value = Cow<'de, [u8]>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_bytes<E>(self, name: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(name))
            }
            fn visit_bytes<E>(self, name: &[u8]) -> Result<Self::Value, E> {
                Ok(Cow::Owned(name.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Name).map(StringName)
    }
}

/// Reads a JSON array of strings as WTF-8 names: the methods an application defined.
///
/// # Errors
/// When the text is not an array of strings.
pub(crate) fn names(json: &str) -> Result<Vec<Vec<u8>>, serde_json::Error> {
    let names: Vec<StringName<'_>> = serde_json::from_str(json)?;
    Ok(names.into_iter().map(|name| name.0.into_owned()).collect())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::value::RawValue;

    use super::*;

    /// What is between the brackets of an event, and what must not be.
    const PIECES: [&str; 26] = [
        "\"m\"",
        "\"\"",
        "\"connect\"",
        "\"a\\n\\\"b\"",
        "\"\\ud800\"",
        "\"\\u00e9é\"",
        "\"\\x\"",
        "\"\u{1}\"",
        "\"",
        "12",
        "-0",
        "1.50",
        "1e3",
        "1e999",
        "01",
        "-",
        "null",
        "{\"a\":1}",
        "[",
        "]",
        "[]",
        ",",
        " ",
        "\n",
        "\u{c}",
        "é",
    ];

    fn name_in_serde(text: &str) -> Option<Vec<u8>> {
        let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
        let first = elements.first()?.get();
        let name = match serde_json::from_str::<StringName<'_>>(first) {
            Ok(StringName(name)) => name.into_owned(),
            Err(_) => match serde_json::from_str::<serde_json::Number>(first) {
                Ok(number) => number.to_string().into(),
                Err(error) if error.to_string().starts_with("number out of range") => {
                    let sign = if first.starts_with('-') { "-" } else { "" };
                    format!("{sign}Infinity").into()
                }
                Err(_) => return None,
            },
        };
        (!is_reserved(&name)).then_some(name)
    }

    proptest! {
        #[test]
        fn names_are_what_serde_json_reads(pieces in vec(select(PIECES.to_vec()), 0..6)) {
            for (separator, end) in [("", "]"), (",", "]"), (" , ", " ] "), (",", "]x")] {
                let text = format!("[{}{end}", pieces.join(separator));
                prop_assert_eq!(name(&text), name_in_serde(&text), "{:?}", text);
                let text = format!("\n {text}");
                prop_assert_eq!(name(&text), name_in_serde(&text), "{:?}", text);
            }
        }
    }

    fn name(text: &str) -> Option<Vec<u8>> {
        event_name(text).map(Cow::into_owned)
    }

    #[test]
    fn an_event_is_named_by_its_first_string() {
        assert_eq!(name(r#"["m"]"#), Some(b"m".to_vec()));
        assert_eq!(name(r#"[ "" , {"a":[1,2]} ]"#), Some(Vec::new()));
        assert_eq!(name(r#"["ünï✓",1]"#), Some("ünï✓".as_bytes().to_vec()));
    }

    #[test]
    fn an_event_name_with_json_escapes_is_unescaped() {
        assert_eq!(name(r#"["sp\u0079"]"#), Some(b"spy".to_vec()));
        assert_eq!(name(r#"["a\"b\\c"]"#), Some(br#"a"b\c"#.to_vec()));
        assert_eq!(name(r#"["\n\"\\\u0001"]"#), Some(b"\n\"\\\x01".to_vec()));
        assert_eq!(name(r#"["\ud83d\ude00"]"#), Some("😀".as_bytes().to_vec()));
        assert_eq!(name(r#"["\ud800"]"#), Some(vec![0xed, 0xa0, 0x80]));
    }

    #[test]
    fn an_event_may_be_named_by_a_number() {
        assert_eq!(name("[12,1]"), Some(b"12".to_vec()));
        assert_eq!(name("[-1.5]"), Some(b"-1.5".to_vec()));
        assert_eq!(name("[1e400]"), Some(b"Infinity".to_vec()));
        assert_eq!(name("[ -1e400 ,1]"), Some(b"-Infinity".to_vec()));
        assert_eq!(name("[-]"), None);
    }

    #[test]
    fn a_text_that_is_not_exactly_one_event_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            "\"m\"",
            "[null]",
            "[true]",
            "[[\"m\"]]",
            r#"["m"]x"#,
            r#"["m",{}],0,-1,0,["m",{"forged":true}]"#,
            r#"["m","#,
            "[\"m\",\"\u{1}\"]",
            "[\"m\u{1}\"]",
            "[\"\\\"\\\\\u{1f}\"]",
            "[ \"\n\"]",
        ] {
            assert_eq!(name(text), None, "{text}");
        }
    }

    #[test]
    fn the_events_of_the_socket_itself_cannot_be_forged() {
        for reserved in RESERVED {
            let reserved = std::str::from_utf8(reserved).unwrap();
            assert_eq!(name(&format!("[\"{reserved}\",\"x\"]")), None);
        }
        assert_eq!(name(r#"["disconnec\u0074"]"#), None);
    }

    #[test]
    fn an_event_has_at_most_as_many_arguments_as_are_allowed() {
        let array = |first: &str, arguments| format!("[{first}{}]", ",[0,0]".repeat(arguments));
        for first in ["\"m\"", "\"\\u006d\"", "1"] {
            assert!(name(&array(first, MAX_ARGUMENTS)).is_some());
            assert_eq!(name(&array(first, MAX_ARGUMENTS + 1)), None);
        }
        assert!(is_arguments("[]"));
        assert!(is_arguments(&array("0", MAX_ARGUMENTS - 1)));
        assert!(!is_arguments(&array("0", MAX_ARGUMENTS)));
    }

    #[test]
    fn packed_arguments_are_counted_too() {
        let array = |first: &[u8], arguments: usize| {
            let length = u16::try_from(first.len().min(1) + arguments).unwrap();
            let [high, low] = length.to_be_bytes();
            let mut data = vec![0xdc, high, low];
            data.extend_from_slice(first);
            data.resize(data.len() + arguments, 0);
            Payload::Msgpack(data.into())
        };
        assert!(array(b"\xa1m", MAX_ARGUMENTS).event_name().is_some());
        assert!(array(b"\xa1m", MAX_ARGUMENTS + 1).event_name().is_none());
        assert!(array(b"", MAX_ARGUMENTS).is_arguments());
        assert!(!array(b"", MAX_ARGUMENTS + 1).is_arguments());
    }

    #[test]
    fn auth_may_be_nested_only_so_deep() {
        let json = |depth| {
            let text = format!("{}0{}", "{\"a\":".repeat(depth), "}".repeat(depth));
            Payload::Json(Str::copy_from_slice(&text), Vec::new())
        };
        let packed =
            |depth| Payload::Msgpack([b"\x81\xa1a".repeat(depth), vec![0]].concat().into());
        for auth in [json(MAX_AUTH_DEPTH), packed(MAX_AUTH_DEPTH)] {
            assert!(auth.is_auth());
        }
        for auth in [json(MAX_AUTH_DEPTH + 1), packed(MAX_AUTH_DEPTH + 1)] {
            assert!(!auth.is_auth());
        }
    }

    #[test]
    fn deep_nesting_of_json_does_not_overflow_the_stack() {
        let deep = format!("[\"m\",{}{}]", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(name(&deep), Some(b"m".to_vec()));
    }
}
