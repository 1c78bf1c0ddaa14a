//! What the machines of an operation say and hear.

use ringshift::{
    Attempt, AttemptKind, Failure, Instant, OperationError, Outcome, Policy, Refusal, Reply, Term,
    Version,
};
use wasm_bindgen::prelude::*;

use crate::convert::{epoch_of, reply_out, version_of};
use crate::error::{Answer, Fault};

#[wasm_bindgen(module = "/js/shapes.js")]
extern "C" {
    fn send(
        id: u32,
        shard: u32,
        keyspace: u16,
        slot: u32,
        stored_slot: u32,
        domain: u32,
        epoch: u32,
        kind: u8,
        version: Option<i64>,
        found_by: Option<u32>,
        blocking: bool,
    ) -> JsValue;
    pub(crate) fn refresh(newer_than: u32) -> JsValue;
    pub(crate) fn wait(until: f64) -> JsValue;
    pub(crate) fn done(outcome: JsValue) -> JsValue;
    pub(crate) fn compared(how: u8) -> JsValue;
    fn value(from: u32, version: i64) -> JsValue;
    fn missing() -> JsValue;
    fn written(version: i64, lagging: Option<u32>) -> JsValue;
    fn conflict(found: Option<i64>) -> JsValue;
    fn failed(
        code: &str,
        message: &str,
        version: Option<i64>,
        last: JsValue,
        shard: Option<u32>,
        current: Option<u32>,
    ) -> JsValue;
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

pub(crate) fn attempt_out(attempt: &Attempt) -> JsValue {
    let (kind, version) = match attempt.kind {
        AttemptKind::Read => (0, None),
        AttemptKind::Write => (1, None),
        AttemptKind::Confirm => (2, None),
        AttemptKind::Apply { version, .. } => (3, Some(version.to_i64())),
    };
    send(
        attempt.id.0,
        attempt.shard.0,
        attempt.keyspace.0,
        attempt.slot.0,
        attempt.stored_slot,
        attempt.fence.domain.0,
        attempt.fence.epoch.get(),
        kind,
        version,
        attempt.found_by().map(|id| id.0),
        attempt.blocking,
    )
}

fn refusal_out(refusal: Refusal) -> JsValue {
    reply_out(Reply::Refused(refusal))
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

pub(crate) fn outcome_out(outcome: Outcome) -> JsValue {
    let i64 = |version: Version| version.to_i64();
    let error = match outcome {
        Outcome::Value { from, version } => return value(from.0, i64(version)),
        Outcome::Missing => return missing(),
        Outcome::Written { version, lagging } => {
            return written(i64(version), lagging.map(|shard| shard.0));
        }
        Outcome::Conflict { found } => return conflict(found.map(i64)),
        Outcome::Failed(error) => error,
    };
    let (mut version, mut last, mut shard, mut current) = (None, JsValue::NULL, None, None);
    match error {
        OperationError::Indeterminate { version: accepted } => version = accepted.map(i64),
        OperationError::Deadline { last: refused } => {
            last = refused.map_or(JsValue::NULL, refusal_out);
        }
        OperationError::WrongRole {
            shard: of,
            current: at,
        } => {
            (shard, current) = (Some(of.0), Some(at.get()));
        }
        _ => {}
    }
    failed(
        error.code().as_str(),
        &error.to_string(),
        version,
        last,
        shard,
        current,
    )
}
