//! The data of a packet: checks that it is one complete value, and reads the name of an event. JavaScript
//! decodes the rest.

use std::borrow::Cow;

use socketioxide_core::parser::ParseError;

use super::read::{Item, Reader};

/// The maximum nesting depth: more than the JavaScript encoder supports.
const MAX_DEPTH: usize = 10_000;

/// Integers beyond which a JavaScript number is not exact.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// Skips one value with everything in it, and checks that `lib/native/msgpack.js` can decode it.
///
/// # Errors
/// If it is incomplete, nested too deeply, has a key that is not a JavaScript property name, or has too
/// many binary values.
pub(super) fn check(reader: &mut Reader<'_>, max_binaries: usize) -> Result<(), ParseError> {
    check_within(reader, max_binaries, MAX_DEPTH)
}

fn check_within(
    reader: &mut Reader<'_>,
    max_binaries: usize,
    max_depth: usize,
) -> Result<(), ParseError> {
    // The containers that are open, with the number of their missing values; in a map, keys count too.
    let mut open: Vec<Open> = Vec::new();
    let mut binaries = 0;
    loop {
        let item = reader.next()?;
        let is_name = match open.last_mut() {
            None => false,
            Some(inmost) => {
                inmost.left -= 1;
                inmost.is_map && inmost.left % 2 == 1
            }
        };
        if is_name && !is_property_name(item) {
            return Err(ParseError::InvalidData);
        }
        match item {
            Item::Array(length) => open.push(Open::new(length.into(), false)),
            Item::Map(length) => open.push(Open::new(2 * u64::from(length), true)),
            Item::Bin(_) | Item::Ext(..) => binaries += 1,
            _ => {}
        }
        if open.len() > max_depth {
            return Err(ParseError::InvalidData);
        }
        if binaries > max_binaries {
            return Err(ParseError::TooManyAttachments {
                got: binaries,
                max: max_binaries,
            });
        }
        while open.last().is_some_and(|inmost| inmost.left == 0) {
            open.pop();
        }
        if open.is_empty() {
            return Ok(());
        }
    }
}

/// A container that is not complete.
struct Open {
    left: u64,
    is_map: bool,
}

impl Open {
    fn new(left: u64, is_map: bool) -> Self {
        Self { left, is_map }
    }
}

fn is_property_name(item: Item<'_>) -> bool {
    match item {
        Item::Str(_)
        | Item::Unsigned(_)
        | Item::Signed(_)
        | Item::Float(_)
        | Item::Bool(_)
        | Item::Nil
        | Item::Undefined => true,
        Item::Bin(_) | Item::Date(_) | Item::Ext(..) | Item::Array(_) | Item::Map(_) => false,
    }
}

/// Whether data is exactly one value that JavaScript can read.
#[cfg(any(test, feature = "fuzzing"))]
pub(in super::super::super) fn is_one_value(data: &[u8]) -> bool {
    let mut reader = Reader::new(data);
    check(&mut reader, usize::MAX).is_ok() && reader.left() == 0
}

/// Whether data is an array.
pub(super) fn is_array(data: &[u8]) -> bool {
    array_length(data).is_some()
}

/// The number of elements, if data is an array.
pub(in super::super::super) fn array_length(data: &[u8]) -> Option<usize> {
    match Reader::new(data).next() {
        Ok(Item::Array(length)) => usize::try_from(length).ok(),
        _ => None,
    }
}

/// Whether data, which is one value, has more than this many containers one inside the other.
pub(in super::super::super) fn is_deeper_than(data: &[u8], max: usize) -> bool {
    // Each of them takes a byte.
    data.len() > max && check_within(&mut Reader::new(data), usize::MAX, max).is_err()
}

/// Whether data is an object.
pub(in super::super::super) fn is_object(data: &[u8]) -> bool {
    matches!(Reader::new(data).next(), Ok(Item::Map(_)))
}

/// The name of an event whose data is an array that begins with it, as JavaScript reads it, and how many
/// arguments follow; `None` if there is none.
pub(in super::super::super) fn event_name(data: &[u8]) -> Option<(Cow<'_, [u8]>, usize)> {
    let mut reader = Reader::new(data);
    let Ok(Item::Array(length @ 1..)) = reader.next() else {
        return None;
    };
    let name = match reader.next().ok()? {
        Item::Str(name) => match String::from_utf8_lossy(name) {
            Cow::Borrowed(name) => Cow::Borrowed(name.as_bytes()),
            Cow::Owned(name) => Cow::Owned(name.into_bytes()),
        },
        Item::Unsigned(number) => Cow::Owned(number.to_string().into_bytes()),
        Item::Signed(number) => Cow::Owned(number.to_string().into_bytes()),
        Item::Float(number) => Cow::Owned(float_name(number).into_bytes()),
        _ => return None,
    };
    Some((name, usize::try_from(length - 1).ok()?))
}

/// A number as JavaScript writes it.
fn float_name(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER {
        return (number as i64).to_string();
    }
    match serde_json::Number::from_f64(number) {
        Some(number) => number.to_string(),
        None if number.is_nan() => "NaN".to_owned(),
        None if number > 0.0 => "Infinity".to_owned(),
        None => "-Infinity".to_owned(),
    }
}

/// The value as an integer, as in JavaScript, where `2.0` is one.
pub(super) fn integer(item: Item<'_>) -> Option<i64> {
    match item {
        Item::Unsigned(number) => i64::try_from(number).ok(),
        Item::Signed(number) => Some(number),
        Item::Float(number) if number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER => {
            Some(number as i64)
        }
        _ => None,
    }
}
