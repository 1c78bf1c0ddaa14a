//! What every machine of a client says and hears.

use ringshift::{Failure, Instant, Policy, Refusal, Reply, Term};
use wasm_bindgen::prelude::*;

use crate::convert::{epoch_of, version_of};
use crate::error::{Answer, Fault};

#[wasm_bindgen(module = "/js/shapes.js")]
extern "C" {
    pub(crate) fn refresh(newer_than: u32) -> JsValue;
    pub(crate) fn wait(until: f64) -> JsValue;
}

pub(crate) fn instant(ms: f64) -> Instant {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates: infinity is `NEVER`, what isn't a time is 0"
    )]
    let ms = ms as u64;
    Instant::from_millis(ms)
}

pub(crate) fn moment(at: Instant) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of 285,000 years fit"
    )]
    let ms = at.as_millis() as f64;
    if at == Instant::NEVER {
        f64::INFINITY
    } else {
        ms
    }
}

pub(crate) fn policy_of(
    deadline_ms: Option<u32>,
    attempt_ms: Option<u32>,
    attempts_max: Option<u16>,
    confirm: Option<bool>,
    seed: Option<u64>,
) -> Policy {
    let usual = Policy::default();
    Policy {
        deadline_ms: deadline_ms.unwrap_or(usual.deadline_ms),
        attempt_ms: attempt_ms.unwrap_or(usual.attempt_ms),
        attempts_max: attempts_max.unwrap_or(usual.attempts_max),
        confirm: confirm.unwrap_or(usual.confirm),
        seed: seed.unwrap_or(usual.seed),
    }
}

pub(crate) fn reply_of(code: u8, version: Option<i64>, a: u32, b: u32) -> Answer<Reply> {
    let found = version.map(version_of).transpose()?;
    let version = found.unwrap_or_default();
    let current = || epoch_of(a);
    Ok(match code {
        0 => Reply::Found { version },
        1 => Reply::Deleted { version },
        2 => Reply::Missing,
        3 => Reply::Written { version },
        4 => Reply::Superseded,
        5 => Reply::Conflict { found },
        6 => Reply::Failed(Failure::NotSent),
        7 => Reply::Failed(Failure::MaybeApplied),
        8 => Reply::Failed(Failure::Rejected),
        9 => Reply::Refused(Refusal::StaleEpoch {
            current: current()?,
            drained: epoch_of(b)?,
        }),
        10 => Reply::Refused(Refusal::NotReady {
            current: current()?,
        }),
        11 => Reply::Refused(Refusal::NotOwner),
        12 => Reply::Refused(Refusal::WrongRole {
            current: current()?,
        }),
        13 => Reply::Refused(Refusal::LeaseOver {
            current: current()?,
        }),
        14 => Reply::Refused(Refusal::StaleTerm { seen: Term(a) }),
        _ => return Err(Fault::argument("no reply has this type")),
    })
}
