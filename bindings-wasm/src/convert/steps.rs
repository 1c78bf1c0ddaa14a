//! What the machines of an operation say and hear.

use ringshift::{Attempt, AttemptKind, OperationError, Outcome, Refusal, Reply, Version};
use wasm_bindgen::prelude::*;

use crate::convert::reply_out;

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
