//! Socket.IO packets: what is sent as frames, and what an incoming event is called.
//!
//! The common parser of socketioxide does the framing; here is only what the two protocol
//! versions (4: Engine.IO 3 clients, 5: Engine.IO 4 clients) do differently, and the check that a
//! client's text is exactly one JSON value. That check is what keeps a batch of events for
//! JavaScript safe to join: a text that is more than one value could speak for another connection.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use engineioxide::{ProtocolVersion, Str};
use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use socketioxide_core::Value;
use socketioxide_core::packet::{Packet, PacketData};
use socketioxide_core::parser::Parse;
use socketioxide_parser_common::CommonParser;

/// One packet as it goes out: a text frame and the binary frames that belong to it.
///
/// Cloning is cheap, so a broadcast is encoded once.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) text: Str,
    pub(crate) attachments: Vec<Bytes>,
    /// Rather not at all than late: dropped for a client for which something waits already.
    pub(crate) volatile: bool,
}

impl Frame {
    /// The same frame, to be dropped where it would have to wait.
    pub(crate) fn volatile(self) -> Self {
        Self {
            volatile: true,
            ..self
        }
    }

    /// Bytes on the wire, without the transport's own framing.
    pub(crate) fn len(&self) -> usize {
        self.text.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }

    /// An event; `json` is `["name",args…]`, with placeholders where attachments belong.
    pub(crate) fn event(ns: &Str, json: &str, attachments: Vec<Bytes>, ack: Option<i64>) -> Self {
        let mut packet = Packet::event(ns.clone(), value(json, attachments));
        if let Some(ack) = ack {
            packet.inner.set_ack_id(ack);
        }
        encode(packet)
    }

    /// The answer to an acknowledgement request; `json` is the array of its arguments.
    pub(crate) fn ack(ns: &Str, json: &str, attachments: Vec<Bytes>, ack: i64) -> Self {
        encode(Packet::ack(ns.clone(), value(json, attachments), ack))
    }

    /// The end of a socket, said by the server.
    pub(crate) fn disconnect(ns: &Str) -> Self {
        encode(Packet::disconnect(ns.clone()))
    }

    /// The welcome to a namespace: protocol 5 carries the socket's id.
    pub(crate) fn connect(ns: &Str, id: &str, protocol: ProtocolVersion) -> Self {
        let payload = match protocol {
            ProtocolVersion::V3 => None,
            ProtocolVersion::V4 => Some(value(&format!("{{\"sid\":\"{id}\"}}"), Vec::new())),
        };
        encode(Packet {
            inner: PacketData::Connect(payload),
            ns: ns.clone(),
        })
    }

    /// A refusal to join a namespace. `json` is what the client's error handler gets: an object
    /// with `message` in protocol 5, any value in protocol 4.
    pub(crate) fn connect_error(ns: &Str, json: &str) -> Self {
        let ns = ns.as_str();
        let (ns, comma) = if ns == "/" { ("", "") } else { (ns, ",") };
        Self {
            text: format!("4{ns}{comma}{json}").into(),
            attachments: Vec::new(),
            volatile: false,
        }
    }
}

fn value(json: &str, attachments: Vec<Bytes>) -> Value {
    let attachments = (!attachments.is_empty()).then(|| VecDeque::from(attachments));
    Value::Str(Str::copy_from_slice(json), attachments)
}

fn encode(packet: Packet) -> Frame {
    match CommonParser.encode(packet) {
        Value::Str(text, attachments) => Frame {
            text,
            attachments: attachments.map(Vec::from).unwrap_or_default(),
            volatile: false,
        },
        Value::Bytes(_) => Frame {
            text: Str::default(),
            attachments: Vec::new(),
            volatile: false,
        },
    }
}

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
/// surrogates); `None` if the text is not exactly one such array or the name is reserved.
///
/// A number is a name too, as in Socket.IO: its JSON text.
pub(crate) fn event_name(text: &str) -> Option<Cow<'_, [u8]>> {
    let name = match serde_json::from_str::<NamedBy<StringName<'_>>>(text) {
        Ok(NamedBy(StringName(name))) => name,
        Err(_) => {
            let NamedBy(number) = serde_json::from_str::<NamedBy<serde_json::Number>>(text).ok()?;
            Cow::Owned(number.to_string().into_bytes())
        }
    };
    (!RESERVED.contains(&name.as_ref())).then_some(name)
}

/// Whether a text is exactly one JSON array: what an acknowledgement carries.
pub(crate) fn is_array(text: &str) -> bool {
    text.starts_with('[') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Whether a text is exactly one JSON object: what CONNECT may carry.
pub(crate) fn is_object(text: &str) -> bool {
    text.starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// A JSON array by its first element, the rest checked and skipped.
struct NamedBy<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for NamedBy<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct First<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for First<T> {
            type Value = NamedBy<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array that begins with an event name")
            }
            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Self::Value, S::Error> {
                let first = seq
                    .next_element()?
                    .ok_or_else(|| serde::de::Error::invalid_length(0, &self))?;
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(NamedBy(first))
            }
        }
        deserializer.deserialize_seq(First(std::marker::PhantomData))
    }
}

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
    use super::*;

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
    fn an_escaped_name_is_the_name_it_escapes() {
        assert_eq!(name(r#"["sp\u0079"]"#), Some(b"spy".to_vec()));
        assert_eq!(name(r#"["a\"b\\c"]"#), Some(br#"a"b\c"#.to_vec()));
        assert_eq!(name(r#"["\ud83d\ude00"]"#), Some("😀".as_bytes().to_vec()));
        assert_eq!(name(r#"["\ud800"]"#), Some(vec![0xed, 0xa0, 0x80]));
    }

    #[test]
    fn a_number_names_an_event_too() {
        assert_eq!(name("[12,1]"), Some(b"12".to_vec()));
    }

    #[test]
    fn a_text_that_is_not_exactly_one_event_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            "\"m\"",
            "[null]",
            "[[\"m\"]]",
            r#"["m"]x"#,
            r#"["m",{}],0,-1,0,["m",{"forged":true}]"#,
            r#"["m","#,
            "[\"m\",\"\u{1}\"]",
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
    fn deep_nesting_is_no_danger() {
        let deep = format!("[\"m\",{}{}]", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(name(&deep), Some(b"m".to_vec()));
    }

    #[test]
    fn frames_are_those_of_the_protocol() {
        let ns = Str::from("/");
        let admin = Str::from("/admin");
        let text = |frame: Frame| frame.text.as_str().to_owned();
        assert_eq!(
            text(Frame::event(&ns, r#"["authenticated",true]"#, vec![], None)),
            r#"2["authenticated",true]"#
        );
        assert_eq!(
            text(Frame::event(&ns, r#"["unauthorized",{}]"#, vec![], Some(0))),
            r#"20["unauthorized",{}]"#
        );
        assert_eq!(text(Frame::ack(&ns, "[{}]", vec![], 7)), "37[{}]");
        let one = vec![Bytes::from_static(b"x")];
        assert_eq!(text(Frame::ack(&admin, "[{}]", one, 7)), "61-/admin,7[{}]");
        assert_eq!(text(Frame::disconnect(&ns)), "1");
        assert_eq!(
            text(Frame::connect(&admin, "i", ProtocolVersion::V3)),
            "0/admin,"
        );
        assert_eq!(
            text(Frame::connect(&ns, "i", ProtocolVersion::V4)),
            r#"0{"sid":"i"}"#
        );
        assert_eq!(text(Frame::connect_error(&ns, "\"no\"")), "4\"no\"");
        assert_eq!(text(Frame::connect_error(&admin, "{}")), "4/admin,{}");
    }
}
