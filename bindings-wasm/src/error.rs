//! The core's errors as `RingshiftError`s.

use std::fmt::Display;

use ringshift::record::RecordError;
use ringshift::{ErrorCode, KeyError, SnapshotError, UnknownAttempt, UnknownKeyspace, Unleased};
#[cfg(feature = "local")]
use ringshift::{Refusal, TopologyError, store::Damaged};
use wasm_bindgen::prelude::*;

use crate::convert::fail;

/// What is thrown.
pub struct Fault(ErrorCode, String);

/// What exports answer.
pub(crate) type Answer<T = JsValue> = Result<T, Fault>;

impl Fault {
    pub(crate) fn new(code: ErrorCode, message: impl Display) -> Self {
        Self(code, message.to_string())
    }

    #[cfg(feature = "local")]
    /// What JSON can't be read as.
    pub(crate) fn json(code: ErrorCode, error: &serde_json::Error) -> Self {
        Self::new(code, format_args!("the JSON can't be read: {error}"))
    }

    pub(crate) fn argument(message: impl Display) -> Self {
        Self::new(ErrorCode::Argument, message)
    }
}

impl From<Fault> for JsValue {
    fn from(Fault(code, message): Fault) -> Self {
        fail(code.as_str(), &message)
    }
}

macro_rules! faults {
    ($($error:ty),*) => {
        $(impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::new(error.code(), error)
            }
        })*
    };
}

faults!(
    KeyError,
    RecordError,
    SnapshotError,
    UnknownAttempt,
    UnknownKeyspace,
    Unleased
);
#[cfg(feature = "local")]
faults!(Damaged, Refusal, TopologyError);
#[cfg(feature = "migrate")]
faults!(ringshift::migration::PlanError);

/// The slugs of all errors.
#[wasm_bindgen(js_name = errorCodes)]
pub fn error_codes() -> Vec<String> {
    ErrorCode::ALL.iter().map(ToString::to_string).collect()
}
