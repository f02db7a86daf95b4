//! [`crate::protocol`] as an object for JavaScript.

use napi::Env;
use napi::bindgen_prelude::{JsObjectValue, Object, Result};
use napi_derive::napi;

use crate::protocol::{Constant, GROUPS};

/// The numbers, names and letters that Rust and JavaScript share, as `src/protocol.rs` defines them:
/// a frozen object of frozen objects.
// Tests of Rust register nothing with Node.
#[cfg_attr(test, allow(dead_code))]
#[napi(catch_unwind, ts_return_type = "Record<string, Record<string, any>>")]
pub(super) fn protocol(env: &Env) -> Result<Object<'_>> {
    let mut groups = Object::new(env)?;
    for group in GROUPS {
        let mut constants = Object::new(env)?;
        for &(name, constant) in group.constants {
            match constant {
                Constant::Number(number) => constants.set(name, number)?,
                Constant::Letter(letter) => constants.set(name, letter.to_string())?,
            }
        }
        constants.freeze()?;
        groups.set(group.name, constants)?;
    }
    groups.freeze()?;
    Ok(groups)
}
