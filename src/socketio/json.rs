//! Checks that a text is exactly one JSON value (RFC 8259).
//!
//! Every message of a client is checked, and most have a few bytes, so this is one pass over the text
//! that builds nothing. What must stay true: it accepts exactly what `serde_json` accepts, which the
//! tests compare it with, and values may be nested however deep.

use serde::de::IgnoredAny;

/// Whether a text is exactly one JSON value.
pub(super) fn is_value(text: &str) -> bool {
    array_commas(text).is_some()
}

/// How many commas are between the elements of an array, not counting those of values inside; 0 for any other value.
/// `None` if the text is not exactly one JSON value.
pub(super) fn array_commas(text: &str) -> Option<usize> {
    check(text, 0, Nesting::NONE, true)
}

/// The content of the string with which an array begins, and how many elements follow; `None` if the text is not
/// exactly one array that begins with a string without escape sequences.
pub(super) fn first_plain_string(text: &str) -> Option<(&[u8], usize)> {
    let mut scanner = Scanner {
        bytes: text.as_bytes(),
        at: 0,
    };
    if scanner.token()? != b'[' || scanner.token()? != b'"' {
        return None;
    }
    let start = scanner.at;
    scanner.skip_plain();
    let content = scanner.bytes.get(start..scanner.at)?;
    if scanner.next()? != b'"' {
        return None;
    }
    check(text, scanner.at, Nesting::ONE_ARRAY, false).map(|others| (content, others))
}

/// Whether a text, which is one JSON value, has more than this many arrays and objects one inside the other.
pub(super) fn is_deeper_than(text: &str, max: usize) -> bool {
    // Each of them takes two bytes.
    if text.len() <= 2 * max {
        return false;
    }
    let mut depth = 0_usize;
    let mut is_in_string = false;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => is_in_string = !is_in_string,
            b'\\' if is_in_string => drop(bytes.next()),
            b'[' | b'{' if !is_in_string => depth += 1,
            b']' | b'}' if !is_in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > max {
            return true;
        }
    }
    false
}

/// Checks the rest of a text from a place on, where a value is expected or has just ended in these arrays and
/// objects. Returns what [`array_commas`] does.
///
/// Here is the only call of most methods of [`Scanner`], so they are all compiled into this function,
/// which keeps the scanner in registers.
fn check(text: &str, at: usize, mut nesting: Nesting, mut expects_value: bool) -> Option<usize> {
    let mut scanner = Scanner {
        bytes: text.as_bytes(),
        at,
    };
    let mut is_key = false;
    let mut commas = 0;
    loop {
        if expects_value {
            match scanner.token()? {
                b'"' => {
                    scanner.string()?;
                    if is_key {
                        is_key = false;
                        if scanner.token()? != b':' {
                            return None;
                        }
                        continue;
                    }
                }
                _ if is_key => return None,
                b'{' | b'[' if nesting.is_full() => {
                    return check_deep(text);
                }
                b'{' => {
                    nesting.open(true);
                    if scanner.peek_token()? != b'}' {
                        is_key = true;
                        continue;
                    }
                }
                b'[' => {
                    nesting.open(false);
                    if scanner.peek_token()? != b']' {
                        continue;
                    }
                }
                first @ (b'-' | b'0'..=b'9') => scanner.number(first)?,
                b't' => scanner.literal(b"rue")?,
                b'f' => scanner.literal(b"alse")?,
                b'n' => scanner.literal(b"ull")?,
                _ => return None,
            }
        }
        expects_value = true;
        // A value has ended, or an array or object that is about to be closed is empty.
        loop {
            if nesting.is_none() {
                return scanner.token().is_none().then_some(commas);
            }
            match (scanner.token()?, nesting.is_object()) {
                (b',', is_object) => {
                    is_key = is_object;
                    commas += usize::from(nesting.is_one_array());
                    break;
                }
                (b'}', true) | (b']', false) => nesting.close(),
                _ => return None,
            }
        }
    }
}

/// The same for a text whose values are nested deeper than [`Nesting`] can tell.
#[cold]
#[inline(never)]
fn check_deep(text: &str) -> Option<usize> {
    if !text.trim_ascii_start().starts_with('[') {
        return serde_json::from_str::<IgnoredAny>(text).ok().map(|_| 0);
    }
    // Elements without a size take no memory.
    let elements: Vec<IgnoredAny> = serde_json::from_str(text).ok()?;
    Some(elements.len().saturating_sub(1))
}

/// The place after white space.
#[cold]
#[inline(never)]
fn skip_space(bytes: &[u8], at: usize) -> usize {
    let is_space = |byte: &&u8| matches!(byte, b' ' | b'\n' | b'\t' | b'\r');
    let space = bytes.iter().skip(at).take_while(is_space);
    at + space.count()
}

/// The arrays and objects that are open, 63 at most: a one, and then a bit for each, which tells whether it
/// is an object.
struct Nesting(u64);

impl Nesting {
    const NONE: Self = Self(1);
    const ONE_ARRAY: Self = Self(0b10);

    fn open(&mut self, is_object: bool) {
        self.0 = self.0 << 1 | u64::from(is_object);
    }

    fn close(&mut self) {
        self.0 >>= 1;
    }

    fn is_none(&self) -> bool {
        self.0 == 1
    }

    /// Whether nothing but one array is open.
    fn is_one_array(&self) -> bool {
        self.0 == Self::ONE_ARRAY.0
    }

    fn is_full(&self) -> bool {
        self.0.leading_zeros() == 0
    }

    /// Whether the innermost one is an object.
    fn is_object(&self) -> bool {
        self.0 & 1 == 1
    }
}

/// A text, and the place up to which it is checked. A method that returns `None` has found an error.
struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The next byte; `None` at the end.
    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// The next byte after white space, which is not skipped itself.
    fn peek_token(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        if byte > b' ' {
            return Some(byte);
        }
        self.at = skip_space(self.bytes, self.at);
        self.peek()
    }

    /// The next byte that is not white space; `None` at the end.
    fn token(&mut self) -> Option<u8> {
        let byte = self.peek_token()?;
        self.at += 1;
        Some(byte)
    }

    /// Skips the rest of a literal.
    fn literal(&mut self, rest: &[u8]) -> Option<()> {
        let is_next = self.bytes.get(self.at..)?.starts_with(rest);
        self.at += rest.len();
        is_next.then_some(())
    }

    /// Skips the rest of a number that begins with this byte.
    fn number(&mut self, first: u8) -> Option<()> {
        let first = if first == b'-' { self.next()? } else { first };
        match first {
            // A digit after it is found where the number should have ended.
            b'0' => {}
            b'1'..=b'9' => self.skip_digits(),
            _ => return None,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    /// Skips one digit or more.
    fn digits(&mut self) -> Option<()> {
        if !self.next()?.is_ascii_digit() {
            return None;
        }
        self.skip_digits();
        Some(())
    }

    fn skip_digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    /// Skips the rest of a string, after its first quote.
    fn string(&mut self) -> Option<()> {
        loop {
            self.skip_plain();
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
    }

    /// Skips bytes of a string up to the first one that is [special](is_special).
    fn skip_plain(&mut self) {
        while let Some(chunk) = self
            .bytes
            .get(self.at..)
            .and_then(|rest| rest.first_chunk())
        {
            let plain = plain_bytes(*chunk);
            self.at += plain;
            if plain < chunk.len() {
                return;
            }
            self.at = skip_long(self.bytes, self.at);
        }
        while self.peek().is_some_and(|byte| !is_special(byte)) {
            self.at += 1;
        }
    }

    /// Skips the rest of an escape sequence. A surrogate may be alone, as in JavaScript.
    fn escape(&mut self) -> Option<()> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                let digits = self.bytes.get(self.at..)?.first_chunk::<4>()?;
                self.at += digits.len();
                digits.iter().all(u8::is_ascii_hexdigit).then_some(())
            }
            _ => None,
        }
    }
}

/// Whether a byte of a string ends it, begins an escape sequence, or is a control character, which must be
/// escaped.
fn is_special(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < b' '
}

/// Sets the highest bit of the first byte that is [special](is_special), and perhaps of some after it; all other bits
/// are 0. This is Mycroft's test for bytes that are less than another, whose borrows may mark one too many.
fn mark_special(chunk: [u8; 8]) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    let bytes = u64::from_le_bytes(chunk);
    let less = |bytes: u64, limit: u8| bytes.wrapping_sub(ONES * u64::from(limit)) & !bytes;
    let equal = |byte: u8| less(bytes ^ (ONES * u64::from(byte)), 1);
    (less(bytes, b' ') | equal(b'"') | equal(b'\\')) & HIGHS
}

/// How many bytes come before the first one that is special.
fn plain_bytes(chunk: [u8; 8]) -> usize {
    mark_special(chunk).trailing_zeros() as usize / 8
}

/// The place after many bytes of a string, as far as none of them is special.
#[inline(never)]
fn skip_long(bytes: &[u8], at: usize) -> usize {
    const WIDTH: usize = 32;
    let (chunks, _) = bytes.get(at..).unwrap_or_default().as_chunks::<WIDTH>();
    let is_plain = |chunk: &&[u8; WIDTH]| {
        let (words, _) = chunk.as_chunks();
        words
            .iter()
            .fold(0, |marks, word| marks | mark_special(*word))
            == 0
    };
    at + WIDTH * chunks.iter().take_while(is_plain).count()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// Texts of which JSON is made, and of which it must not be.
    const PIECES: [&str; 44] = [
        "[", "]", "{", "}", ",", ":", "\"", "\\", " ", "\t\r\n", "\u{b}", "\u{a0}", "\0", "\u{1f}",
        "\u{7f}", "0", "1", "23", "-", "+", ".", ".5", "e", "E+", "e-9", "1e999", "\\u00",
        "\\uD800", "\\u12fg", "\\\"", "\\/", "\\x", "null", "true", "false", "nul", "a", "é", "✓",
        "😀", "\"a\"", "\"k\":", "[]", "{}",
    ];

    fn pieces() -> impl Strategy<Value = String> {
        vec(select(PIECES.to_vec()), 0..12).prop_map(|pieces| pieces.concat())
    }

    /// A value, with space where it may be.
    fn value() -> impl Strategy<Value = String> {
        let space = || select(vec!["", "", "", " ", "\n\t"]);
        let string = || {
            let piece = select(vec![
                "a",
                "é",
                "a text of more than sixty-four bytes, all of which are looked at at once",
                "\\n",
                "\\u00e9",
                "\\ud800",
                "01234567",
                " ",
                "😀",
                "\\\\",
                "\\\"",
                "\u{7f}",
            ]);
            vec(piece, 0..8).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
        };
        let number = "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?";
        let leaf = prop_oneof![
            string(),
            number,
            select(vec!["null", "true", "false"]).prop_map(str::to_owned),
        ];
        leaf.prop_recursive(5, 40, 5, move |inner| {
            let element =
                (space(), inner, space()).prop_map(|(a, value, b)| format!("{a}{value}{b}"));
            let member = (string(), space(), element.clone())
                .prop_map(|(key, space, value)| format!("{key}{space}:{value}"));
            let array = vec(element, 0..5).prop_map(|all| format!("[{}]", all.join(",")));
            let object = vec(member, 0..5).prop_map(|all| format!("{{{}}}", all.join(",")));
            prop_oneof![array, object]
        })
    }

    /// A value of which one part is something else.
    fn damaged() -> impl Strategy<Value = String> {
        (value(), any::<prop::sample::Index>(), 0_usize..3, pieces()).prop_map(
            |(mut text, at, length, other)| {
                let char_boundary =
                    |at: usize| (0..=at).rev().find(|&at| text.is_char_boundary(at));
                let start = char_boundary(at.index(text.len())).unwrap();
                let end = char_boundary((start + length).min(text.len())).unwrap();
                text.replace_range(start..end.max(start), &other);
                text
            },
        )
    }

    fn is_value_in_serde(text: &str) -> bool {
        serde_json::from_str::<IgnoredAny>(text).is_ok()
    }

    fn compare(text: &str) {
        assert_eq!(is_value(text), is_value_in_serde(text), "{text:?}");
        let elements = serde_json::from_str::<Vec<IgnoredAny>>(text);
        let others = elements.map_or(0, |elements| elements.len().saturating_sub(1));
        assert_eq!(array_commas(text).unwrap_or(0), others, "{text:?}");
    }

    proptest! {
        #[test]
        fn valid_texts_are_accepted_as_serde_json_does(text in value()) {
            prop_assert!(is_value(&text), "{text:?}");
            compare(&text);
            compare(&format!(" [{text} , {text}]"));
        }

        #[test]
        fn other_texts_are_accepted_or_refused_as_serde_json_does(
            damaged in damaged(),
            pieces in pieces(),
            other in "\\PC{0,12}",
        ) {
            for text in [damaged, pieces, other] {
                compare(&text);
                compare(&format!("[{text}]"));
                compare(&format!("[\"name\",{text}]"));
                compare(&format!("\"{text}\""));
            }
        }
    }

    #[test]
    fn each_byte_that_needs_a_look_is_found_at_each_place() {
        for byte in 0..=255 {
            for place in 0..8 {
                let mut chunk = *b"abcd\xc3\xa9\x7f!";
                chunk[place] = byte;
                let expected = if is_special(byte) { place } else { 8 };
                assert_eq!(plain_bytes(chunk), expected, "{chunk:?}");
            }
        }
    }

    #[test]
    fn elements_are_counted_beside_values_of_any_depth() {
        for depth in [1, 62, 63, 64, 100_000] {
            let deep = format!("{}1,2{}", "[".repeat(depth), "]".repeat(depth));
            for text in [
                format!("[\"m\",{deep},0,{deep}]"),
                format!(" [\"m\",0,0,{deep}]"),
            ] {
                assert_eq!(array_commas(&text), Some(3));
                let plain = first_plain_string(&text);
                assert_eq!(plain, Some((&b"m"[..], 3)));
            }
        }
        assert_eq!(array_commas("[]"), Some(0));
        assert_eq!(array_commas(r#"{"a":1,"b":[1,2]}"#), Some(0));
    }

    #[test]
    fn depth_is_that_of_arrays_and_objects_outside_of_strings() {
        let deep = |depth| {
            format!(
                "{}0{}",
                "[{\"[\\\"{\\\\\":".repeat(depth),
                "}]".repeat(depth)
            )
        };
        for depth in [1, 2, 50] {
            let text = deep(depth);
            assert!(!is_deeper_than(&text, 2 * depth));
            assert!(is_deeper_than(&text, 2 * depth - 1));
        }
        let wide = format!("[{}[]]", "[],".repeat(100));
        assert!(!is_deeper_than(&wide, 2));
        assert!(is_deeper_than(&wide, 1));
    }

    #[test]
    fn values_may_be_nested_however_deep() {
        for depth in [31, 32, 33, 100_000] {
            let text = format!("{}0{}", "[{\"a\":".repeat(depth), "}]".repeat(depth));
            assert!(is_value(&text));
            assert!(!is_value(&text[1..]));
            assert!(!is_value(&text[..text.len() - 1]));
        }
    }
}
