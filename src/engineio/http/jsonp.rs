//! JSONP, long polling for browsers that can only load scripts: responses are scripts, and packets are
//! posted as a form.

use bytes::Bytes;

/// The script with packets for a client. The parameter `j` is the index of its callback.
pub(crate) fn script(callback: &str, payload: &[u8]) -> Bytes {
    let index: String = callback.chars().filter(char::is_ascii_digit).collect();
    let text = String::from_utf8_lossy(payload);
    // Serializing a string cannot fail.
    let json = serde_json::to_string(&text).unwrap_or_default();
    // These two end a line in a script, but not in JSON.
    let json = json
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    format!("___eio[{index}]({json});").into()
}

/// The packets in a form; `None` if it has none.
pub(crate) fn packets(form: &[u8]) -> Option<Bytes> {
    let form = form.strip_prefix(b"?").unwrap_or(form);
    let (_, packets) = form_urlencoded::parse(form).find(|(name, _)| name == "d")?;
    // Browsers replace line breaks by \r\n, so a client sends `\n` for a line break and `\\n` for these
    // two characters.
    let mut unescaped = String::with_capacity(packets.len());
    let mut rest = &*packets;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        unescaped.push_str(before);
        rest = if let Some(behind) = escape.strip_prefix("\\\\n") {
            unescaped.push_str("\\n");
            behind
        } else if let Some(behind) = escape.strip_prefix("\\n") {
            unescaped.push('\n');
            behind
        } else {
            unescaped.push('\\');
            &escape[1..]
        };
    }
    unescaped.push_str(rest);
    Some(unescaped.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_calls_the_callback_of_its_index_with_the_packets_as_a_string() {
        for (callback, payload, expected) in [
            ("0", "4hi", r#"___eio[0]("4hi");"#),
            ("12", "2:40", r#"___eio[12]("2:40");"#),
            ("", "", r#"___eio[]("");"#),
            ("a1);alert(2", "4", r#"___eio[12]("4");"#),
            (
                "0",
                "4\"\\\n\u{1e}\u{7f}/",
                "___eio[0](\"4\\\"\\\\\\n\\u001e\u{7f}/\");",
            ),
            ("0", "\u{2028}\u{2029}ü", r#"___eio[0]("\u2028\u2029ü");"#),
        ] {
            assert_eq!(script(callback, payload.as_bytes()), expected);
        }
        assert_eq!(script("0", b"\xff"), "___eio[0](\"\u{fffd}\");");
    }

    #[test]
    fn a_form_brings_packets_whose_line_breaks_are_escaped() {
        for (form, expected) in [
            ("d=4hi", Some("4hi")),
            ("?d=4hi", Some("4hi")),
            ("x=1&d=4+%C3%BC&d=later", Some("4 ü")),
            (r"d=a\nb", Some("a\nb")),
            (r"d=a\\nb", Some(r"a\nb")),
            (r"d=a\\\nb", Some(r"a\\nb")),
            (r"d=a\\\\nb\n", Some("a\\\\\\nb\n")),
            (r"d=\x\", Some(r"\x\")),
            ("d=", Some("")),
            ("", None),
            ("4hi", None),
        ] {
            let expected = expected.map(Bytes::from);
            assert_eq!(packets(form.as_bytes()), expected, "{form}");
        }
    }
}
