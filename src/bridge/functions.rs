//! Functions for JavaScript that share a state.
//!
//! A call of a function takes a sixth of the time of a method of a native object, whose `this` is looked up,
//! checked and borrowed each time (docs/performance.md). So what is called for each client or batch is a
//! function. What must stay true: a function catches panics, as methods do, and nothing that it is given makes
//! it throw.

use std::rc::Rc;

use napi::bindgen_prelude::{FromNapiValue, Function, FunctionCallContext, Result, ToNapiValue};
use napi::{Env, sys};

use crate::session::{Attempt, Instance};

/// A function that JavaScript calls, and what it returns. TypeScript's type says what it is given.
pub(super) type Callable<'env, Answer> = Function<'env, (), Answer>;

/// Makes functions that share a state.
pub(super) struct Functions<'env, T> {
    env: &'env Env,
    state: Rc<T>,
}

impl<'env, T: 'static> Functions<'env, T> {
    pub(super) fn new(env: &'env Env, state: T) -> Self {
        let state = Rc::new(state);
        Self { env, state }
    }

    /// Makes a function with this name.
    pub(super) fn make<Answer: ToNapiValue>(
        &self,
        name: &str,
        call: impl Fn(&T, &Arguments<'_>) -> Answer + 'static,
    ) -> Result<Callable<'env, Answer>> {
        let state = self.state.clone();
        self.env.create_function_from_closure(name, move |context| {
            Ok(call(&state, &Arguments(context)))
        })
    }
}

/// What a function is given.
pub(super) struct Arguments<'a>(FunctionCallContext<'a>);

impl Arguments<'_> {
    /// The number at an index; `NaN` for any other value.
    pub(super) fn number(&self, index: usize) -> Number {
        self.0.get(index).unwrap_or(Number(f64::NAN))
    }

    /// The number at an index; `None` for `null` and `undefined`.
    pub(super) fn optional(&self, index: usize) -> Option<Number> {
        self.0.get(index).unwrap_or_default()
    }

    /// Whether the value at an index is `true`.
    pub(super) fn flag(&self, index: usize) -> bool {
        self.0.get(index).is_ok_and(|flag: Flag| flag.is_set())
    }
}

/// A number from JavaScript; `NaN` for any other value.
pub struct Number(f64);

impl FromNapiValue for Number {
    #[allow(unsafe_code)]
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        // SAFETY: both come from the caller, who promises that they are live.
        let number = unsafe { f64::from_napi_value(env, value) };
        Ok(Self(number.unwrap_or(f64::NAN)))
    }
}

/// Whether a value from JavaScript is `true`.
pub struct Flag(bool);

impl FromNapiValue for Flag {
    #[allow(unsafe_code)]
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        // SAFETY: both come from the caller, who promises that they are live.
        let flag = unsafe { bool::from_napi_value(env, value) };
        Ok(Self(flag.unwrap_or(false)))
    }
}

impl Flag {
    pub(super) fn is_set(&self) -> bool {
        self.0
    }

    #[cfg(test)]
    pub(super) fn of(flag: bool) -> Self {
        Self(flag)
    }
}

impl Number {
    #[cfg(test)]
    pub(super) fn of(number: f64) -> Self {
        Self(number)
    }

    /// The number as it is.
    pub(super) fn value(&self) -> f64 {
        self.0
    }

    /// The number, if it is a valid count or index.
    pub(super) fn whole(&self) -> Option<u32> {
        let number = self.0 as u32;
        (f64::from(number) == self.0).then_some(number)
    }

    /// The number, if it is a valid id: an integer that is exact as a double.
    pub(super) fn name(&self) -> Option<u64> {
        const MOST: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;
        (self.0.fract() == 0.0 && (0.0..MOST).contains(&self.0)).then_some(self.0 as u64)
    }

    /// The number, if it is the index of a LoopbackSocket that serves a socket.
    pub(super) fn instance(&self) -> Option<Instance> {
        self.whole().map(Instance)
    }

    /// The number, if it is that of an attempt to authenticate.
    pub(super) fn attempt(&self) -> Option<Attempt> {
        self.name().and_then(Attempt::from_number)
    }

    /// The number as a time; 0 if it is not one.
    pub(super) fn time(&self) -> u64 {
        self.0 as u64
    }
}
