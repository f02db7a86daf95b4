//! Converts strings and buffers of JavaScript with as little copying as possible.

#![allow(unsafe_code)]

use bytes::Bytes;
use napi::bindgen_prelude::{FromNapiValue, Result, ToNapiValue, TypeName, ValidateNapiValue};
use napi::{Error, Status, ValueType, sys};

/// A value of the JavaScript engine, alive for as long as the call in which it appeared.
#[derive(Clone, Copy)]
pub struct Raw(sys::napi_value);

impl Raw {
    #[cfg(target_os = "linux")]
    pub(super) fn raw(self) -> sys::napi_value {
        self.0
    }
}

impl ToNapiValue for Raw {
    unsafe fn to_napi_value(_: sys::napi_env, value: Self) -> Result<sys::napi_value> {
        Ok(value.0)
    }
}

impl FromNapiValue for Raw {
    unsafe fn from_napi_value(_: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        Ok(Self(value))
    }
}

impl TypeName for Raw {
    fn type_name() -> &'static str {
        "any"
    }
    fn value_type() -> ValueType {
        ValueType::Unknown
    }
}

impl ValidateNapiValue for Raw {
    unsafe fn validate(_: sys::napi_env, _: sys::napi_value) -> Result<sys::napi_value> {
        Ok(std::ptr::null_mut())
    }
}

fn check(status: sys::napi_status) -> Result<()> {
    match status {
        sys::Status::napi_ok => Ok(()),
        status => Err(Error::from_status(Status::from(status))),
    }
}

/// A JavaScript string of UTF-8 text. JavaScript stores ASCII text as it is, without decoding.
pub(super) fn string(env: sys::napi_env, text: &[u8]) -> Result<Raw> {
    let mut value = std::ptr::null_mut();
    let length = isize::try_from(text.len()).unwrap_or(isize::MAX);
    let start = text.as_ptr().cast();
    // SAFETY: `env` is of the call under way, the text lives for the call and its length is given.
    check(unsafe {
        if text.is_ascii() {
            sys::napi_create_string_latin1(env, start, length, &raw mut value)
        } else {
            sys::napi_create_string_utf8(env, start, length, &raw mut value)
        }
    })?;
    Ok(Raw(value))
}

/// The text of a string; `StringExpected` for any other value.
pub(super) fn text(env: sys::napi_env, value: Raw) -> Result<String> {
    let mut units = 0;
    // SAFETY: `env` and the value are of the call under way; without a buffer only the length in
    // code units is written.
    check(unsafe {
        sys::napi_get_value_string_latin1(env, value.0, std::ptr::null_mut(), 0, &raw mut units)
    })?;
    // A code unit takes at most three bytes, and the engine ends the text with a zero.
    let capacity = units.saturating_mul(3).saturating_add(1);
    let mut text = Vec::<u8>::with_capacity(capacity);
    let mut length = 0;
    // SAFETY: the buffer has the capacity given; the engine writes at most that and says how much
    // of it, before the zero, is initialized.
    unsafe {
        let start = text.as_mut_ptr().cast();
        check(sys::napi_get_value_string_utf8(
            env,
            value.0,
            start,
            capacity,
            &raw mut length,
        ))?;
        text.set_len(length);
    }
    // The engine writes UTF-8. If it did not, what is none would be replaced, so that the rest arrives.
    Ok(String::from_utf8(text)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// An array of buffers, each a copy; `undefined` if there are none.
pub(super) fn buffers(env: sys::napi_env, list: &[Bytes]) -> Result<Raw> {
    let mut array = std::ptr::null_mut();
    // SAFETY: `env` is of the call under way; every pointer is to a local or to bytes that live
    // for the call.
    unsafe {
        if list.is_empty() {
            check(sys::napi_get_undefined(env, &raw mut array))?;
            return Ok(Raw(array));
        }
        check(sys::napi_create_array_with_length(
            env,
            list.len(),
            &raw mut array,
        ))?;
        for (index, bytes) in (0..).zip(list) {
            let mut buffer = std::ptr::null_mut();
            check(sys::napi_create_buffer_copy(
                env,
                bytes.len(),
                bytes.as_ptr().cast(),
                std::ptr::null_mut(),
                &raw mut buffer,
            ))?;
            check(sys::napi_set_element(env, array, index, buffer))?;
        }
    }
    Ok(Raw(array))
}
