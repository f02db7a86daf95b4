//! JSON text turned into MessagePack, attachments in the place of their placeholders.
//!
//! MessagePack says how many items a container has before they come, so the text is gone through
//! twice: to count, and to write. The text is what `JSON.stringify` wrote in our own process; any
//! other is written as something, but never fails.

use std::borrow::Cow;

use bytes::Bytes;
use rmp::encode::{
    ByteBuf, ValueWriteError, write_array_len, write_bin, write_bool, write_f64, write_map_len,
    write_nil, write_sint, write_str, write_uint,
};

use super::Written;

/// Writes the value of a JSON text.
pub(super) fn write_json(out: &mut ByteBuf, json: &str, attachments: &[Bytes]) -> Written {
    let tokens = Tokens {
        text: json,
        attachments: attachments.len(),
    };
    let mut lengths = lengths(tokens).into_iter();
    let mut is_empty = true;
    for token in tokens {
        is_empty = false;
        match token {
            Token::Array => {
                write_array_len(out, lengths.next().unwrap_or(0))?;
            }
            Token::Object => {
                write_map_len(out, lengths.next().unwrap_or(0) / 2)?;
            }
            Token::End => {}
            Token::String(text) => write_str(out, &unescaped(text))?,
            Token::Literal(text) => write_literal(out, text)?,
            Token::Attachment(num) => {
                write_bin(out, attachments.get(num).map_or(&[], |bytes| bytes))?;
            }
        }
    }
    if is_empty {
        write_nil(out).map_err(ValueWriteError::InvalidMarkerWrite)?;
    }
    Ok(())
}

/// How many tokens each container holds, in the order in which they begin.
fn lengths(tokens: Tokens<'_>) -> Vec<u32> {
    let mut lengths: Vec<u32> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for token in tokens {
        if token == Token::End {
            open.pop();
            continue;
        }
        if let Some(length) = open.last().and_then(|&inmost| lengths.get_mut(inmost)) {
            *length = length.saturating_add(1);
        }
        if matches!(token, Token::Array | Token::Object) {
            open.push(lengths.len());
            lengths.push(0);
        }
    }
    lengths
}

/// A number, `true`, `false` or `null`.
fn write_literal(out: &mut ByteBuf, text: &str) -> Written {
    /// Below this many characters every integer is exact, in JavaScript and here.
    const EXACT: usize = 16;
    match text {
        "true" => write_bool(out, true).map_err(ValueWriteError::InvalidMarkerWrite),
        "false" => write_bool(out, false).map_err(ValueWriteError::InvalidMarkerWrite),
        _ => {
            if text.len() < EXACT
                && let Ok(integer) = text.parse::<i64>()
            {
                return write_sint(out, integer).map(|_| ());
            }
            match text.parse::<f64>() {
                Ok(number) => write_number(out, number),
                Err(_) => write_nil(out).map_err(ValueWriteError::InvalidMarkerWrite),
            }
        }
    }
}

/// An integer travels as one, as far as MessagePack has integers.
fn write_number(out: &mut ByteBuf, number: f64) -> Written {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
    let is_integer = number.fract() == 0.0;
    if is_integer && (0.0..TWO_TO_64).contains(&number) {
        write_uint(out, number as u64).map(|_| ())
    } else if is_integer && (-TWO_TO_63..0.0).contains(&number) {
        write_sint(out, number as i64).map(|_| ())
    } else {
        write_f64(out, number)
    }
}

/// The text of a JSON string without its quotes. MessagePack carries UTF-8, so half a surrogate pair
/// is replaced.
fn unescaped(text: &str) -> Cow<'_, str> {
    let Some((plain, _)) = text.split_once('\\') else {
        return Cow::Borrowed(text);
    };
    let mut result = String::with_capacity(text.len());
    result.push_str(plain);
    let mut rest = text.get(plain.len()..).unwrap_or_default();
    let mut high = None;
    while let Some((before, escape)) = rest.split_once('\\') {
        if !before.is_empty() {
            replace(&mut result, &mut high);
            result.push_str(before);
        }
        let unit = escape
            .strip_prefix('u')
            .and_then(|digits| digits.get(..4))
            .and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let length = if let Some(unit) = unit {
            push_unit(&mut result, &mut high, unit);
            5
        } else {
            replace(&mut result, &mut high);
            let escaped = escape.chars().next().unwrap_or('\\');
            result.push(match escaped {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                other => other,
            });
            escaped.len_utf8()
        };
        rest = escape.get(length..).unwrap_or_default();
    }
    replace(&mut result, &mut high);
    result.push_str(rest);
    Cow::Owned(result)
}

/// Adds a code unit of UTF-16; the first half of a pair waits in `high` for the second.
fn push_unit(result: &mut String, high: &mut Option<u16>, unit: u16) {
    if let Some(first) = high.take() {
        if let Some(Ok(pair)) = char::decode_utf16([first, unit]).next() {
            result.push(pair);
            return;
        }
        result.push(char::REPLACEMENT_CHARACTER);
    }
    match char::from_u32(unit.into()) {
        Some(character) => result.push(character),
        None if unit < 0xdc00 => *high = Some(unit),
        None => result.push(char::REPLACEMENT_CHARACTER),
    }
}

/// No second half came.
fn replace(result: &mut String, high: &mut Option<u16>) {
    if high.take().is_some() {
        result.push(char::REPLACEMENT_CHARACTER);
    }
}

/// What a JSON text consists of, punctuation apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Array,
    Object,
    End,
    /// A string without its quotes, as it is written.
    String(&'a str),
    Literal(&'a str),
    Attachment(usize),
}

#[derive(Debug, Clone, Copy)]
struct Tokens<'a> {
    text: &'a str,
    /// Placeholders for this many are such; all others are objects like any.
    attachments: usize,
}

impl<'a> Tokens<'a> {
    fn split(&mut self, at: usize) -> &'a str {
        let (before, after) = self.text.split_at_checked(at).unwrap_or((self.text, ""));
        self.text = after;
        before
    }

    fn attachment(&mut self) -> Option<usize> {
        if self.attachments == 0 {
            return None;
        }
        let rest = self.text.strip_prefix("{\"_placeholder\":true,\"num\":")?;
        let (num, rest) = rest.split_once('}')?;
        let num = num.parse().ok().filter(|&num| num < self.attachments)?;
        self.text = rest;
        Some(num)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let is_punctuation = |byte: &u8| matches!(byte, b',' | b':' | b' ' | b'\t' | b'\n' | b'\r');
        let bytes = self.text.as_bytes();
        let start = bytes.iter().position(|byte| !is_punctuation(byte))?;
        self.split(start);
        Some(match self.text.as_bytes().first()? {
            b'[' => {
                self.split(1);
                Token::Array
            }
            b'{' => match self.attachment() {
                Some(num) => Token::Attachment(num),
                None => {
                    self.split(1);
                    Token::Object
                }
            },
            b']' | b'}' => {
                self.split(1);
                Token::End
            }
            b'"' => {
                self.split(1);
                let text = self.split(string_end(self.text));
                self.split(1);
                Token::String(text)
            }
            _ => {
                let is_end = |byte: &u8| is_punctuation(byte) || matches!(byte, b']' | b'}');
                let length = self.text.bytes().position(|byte| is_end(&byte));
                Token::Literal(self.split(length.unwrap_or(self.text.len())))
            }
        })
    }
}

/// Where the quote is that ends a string.
fn string_end(text: &str) -> usize {
    let mut is_escaped = false;
    text.bytes()
        .position(|byte| {
            let is_end = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            is_end
        })
        .unwrap_or(text.len())
}
