//! Between Rust and JavaScript: the only place that makes or reads a JavaScript value.
//!
//! What steps hand out crosses as numbers, and is put together by `js/shapes.js`.

#[cfg(feature = "client")]
mod cold;
#[cfg(feature = "client")]
mod keys;
#[cfg(any(feature = "local", feature = "transactions"))]
mod parts;
#[cfg(feature = "local")]
mod requests;
#[cfg(feature = "client")]
mod steps;
#[cfg(any(feature = "client", feature = "transactions"))]
mod times;

use ringshift::{Epoch, Version};
#[cfg(any(feature = "client", feature = "local"))]
use ringshift::{Failure, Refusal, Reply};
use wasm_bindgen::prelude::*;

use crate::error::{Answer, Fault};
#[cfg(feature = "client")]
pub(crate) use cold::*;
#[cfg(feature = "client")]
pub use keys::room;
#[cfg(feature = "client")]
pub(crate) use keys::{join, no_room, with_batch, with_key};
#[cfg(any(feature = "local", feature = "transactions"))]
pub(crate) use parts::*;
#[cfg(feature = "local")]
pub(crate) use requests::*;
#[cfg(feature = "client")]
pub(crate) use steps::*;
#[cfg(any(feature = "client", feature = "transactions"))]
pub(crate) use times::*;

#[wasm_bindgen(module = "/js/shapes.js")]
extern "C" {
    pub(crate) fn fail(code: &str, message: &str) -> JsValue;
    #[cfg(any(feature = "client", feature = "local"))]
    fn reply(code: u8, version: Option<i64>, a: u32, b: u32) -> JsValue;
}

/// A cold value, as plain data.
#[cfg(feature = "local")]
pub(crate) fn plain(value: &impl serde::Serialize) -> Answer {
    let serializer = serde_wasm_bindgen::Serializer::new()
        .serialize_missing_as_null(true)
        .serialize_maps_as_objects(true)
        .serialize_large_number_types_as_bigints(true);
    value.serialize(&serializer).map_err(Fault::argument)
}

/// Plain data, as the core's.
#[cfg(feature = "migrate")]
pub(crate) fn read<T: serde::de::DeserializeOwned>(value: JsValue) -> Answer<T> {
    serde_wasm_bindgen::from_value(value).map_err(Fault::argument)
}

pub(crate) fn version_of(version: i64) -> Answer<Version> {
    Version::from_i64(version).ok_or_else(|| Fault::argument("a version is 0 or more"))
}

pub(crate) fn epoch_of(number: u32) -> Answer<Epoch> {
    Epoch::new(number).ok_or_else(|| Fault::argument("an epoch is 0 to 2^31 - 1"))
}

#[cfg(any(feature = "client", feature = "local"))]
pub(crate) fn reply_out(said: Reply) -> JsValue {
    let i64 = |version: Version| Some(version.to_i64());
    let (code, version, a, b) = match said {
        Reply::Found { version } => (0, i64(version), 0, 0),
        Reply::Deleted { version } => (1, i64(version), 0, 0),
        Reply::Missing => (2, None, 0, 0),
        Reply::Written { version } => (3, i64(version), 0, 0),
        Reply::Superseded => (4, None, 0, 0),
        Reply::Conflict { found } => (5, found.and_then(i64), 0, 0),
        Reply::Failed(Failure::NotSent) => (6, None, 0, 0),
        Reply::Failed(Failure::MaybeApplied) => (7, None, 0, 0),
        Reply::Failed(Failure::Rejected) => (8, None, 0, 0),
        Reply::Refused(Refusal::StaleEpoch { current, drained }) => {
            (9, None, current.get(), drained.get())
        }
        Reply::Refused(Refusal::NotReady { current }) => (10, None, current.get(), 0),
        Reply::Refused(Refusal::NotOwner) => (11, None, 0, 0),
        Reply::Refused(Refusal::WrongRole { current }) => (12, None, current.get(), 0),
        Reply::Refused(Refusal::LeaseOver { current }) => (13, None, current.get(), 0),
        Reply::Refused(Refusal::StaleTerm { seen }) => (14, None, seen.0, 0),
    };
    reply(code, version, a, b)
}
