//! Between Rust and JavaScript: the only file that makes or reads a JavaScript value.
//!
//! Keys come through a scratch buffer in this module's memory, that JavaScript writes to before a
//! call. What steps hand out crosses as numbers, and is put together by `js/shapes.js`.

use std::cell::RefCell;

use ringshift::store::{Change, Content, Decision, Effect, Response};
use ringshift::{
    Attempt, AttemptId, AttemptKind, Composite, DomainId, Epoch, Failure, Fence, Instant, KeyError,
    KeyspaceId, OperationError, Outcome, Payload, Policy, Refusal, Reply, ShardId, ShardIndex,
    Slot, Term, Version,
};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::error::{Answer, Fault};

#[wasm_bindgen(module = "/js/shapes.js")]
extern "C" {
    pub(crate) fn fail(code: &str, message: &str) -> JsValue;
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
    fn reply(code: u8, version: Option<i64>, a: u32, b: u32) -> JsValue;
    fn decided(
        reply: JsValue,
        effect: u8,
        version: Option<i64>,
        deleted: bool,
        found: bool,
        learned: Option<u8>,
        revision: u64,
    ) -> JsValue;
    fn response(reply: JsValue, value: Option<Vec<u8>>, op: Option<Vec<u8>>) -> JsValue;
}

struct Scratch {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    shards: Vec<ShardIndex>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = const {
        RefCell::new(Scratch { bytes: Vec::new(), ends: Vec::new(), shards: Vec::new() })
    };
}

/// Makes room in the scratch buffer for so many bytes and keys; answers where the bytes, the ends
/// of the keys and the answers are.
#[wasm_bindgen]
pub fn room(bytes: usize, keys: usize) -> Vec<usize> {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.bytes.resize(bytes, 0);
        scratch.ends.resize(keys, 0);
        scratch.shards.resize(keys, ShardIndex(0));
        let (bytes, ends) = (scratch.bytes.as_ptr(), scratch.ends.as_ptr());
        vec![bytes.addr(), ends.addr(), scratch.shards.as_ptr().addr()]
    })
}

/// Hands the first `bytes` of the scratch buffer to `answer`; `None` where it isn't that long.
#[inline]
pub(crate) fn with_key<T>(bytes: usize, answer: impl FnOnce(&[u8]) -> T) -> Option<T> {
    SCRATCH.with_borrow(|scratch| scratch.bytes.get(..bytes).map(answer))
}

/// What is said where there is no room for a key that the caller says is there.
pub(crate) fn no_room(bytes: usize) -> Fault {
    Fault::argument(format!("there is no room for a key of {bytes} bytes"))
}

/// Hands the keys in the scratch buffer, and room for as many answers, to `answer`.
pub(crate) fn with_batch(
    bytes: usize,
    count: usize,
    utf16: bool,
    answer: impl FnOnce(&mut dyn Iterator<Item = &[u8]>, &mut [ShardIndex]) -> Result<usize, KeyError>,
) -> Answer<()> {
    SCRATCH.with_borrow_mut(
        |Scratch {
             bytes: all,
             ends,
             shards,
         }| {
            let all = all.get(..bytes).unwrap_or_default();
            let ends = ends.get_mut(..count).unwrap_or_default();
            if utf16 && ends_in_bytes(all, ends).is_none() {
                let message =
                    "a key ends with half a surrogate pair, and the next begins with the other";
                return Err(Fault::new(ringshift::ErrorCode::KeyEncoding, message));
            }
            if !ends.is_sorted() || ends.last().is_some_and(|&end| end as usize > all.len()) {
                return Err(Fault::argument("`ends` must rise, and stay within `bytes`"));
            }
            let mut from = 0;
            let mut keys = ends.iter().map(|&end| {
                let key = all.get(from..end as usize).unwrap_or_default();
                from = end as usize;
                key
            });
            answer(&mut keys, shards)?;
            Ok(())
        },
    )
}

/// Turns ends counted in UTF-16 units into ends in bytes; `None` where one falls between the
/// halves of a surrogate pair, or past the text.
fn ends_in_bytes(text: &[u8], ends: &mut [u32]) -> Option<()> {
    let (mut units, mut at) = (0_u32, 0_u32);
    for end in ends {
        while units < *end {
            let (wide, long) = match text.get(at as usize)? {
                0..=0x7f => (1, 1),
                ..=0xdf => (1, 2),
                ..=0xef => (1, 3),
                _ => (2, 4),
            };
            (units, at) = (units + wide, at + long);
        }
        (units == *end).then_some(())?;
        *end = at;
    }
    Some(())
}

/// Makes one composite key of the parts in the scratch buffer, in their place.
pub(crate) fn join(bytes: usize, parts: usize) -> Answer<usize> {
    SCRATCH.with_borrow_mut(|scratch| {
        let (mut key, mut from) = (Composite::new(), 0);
        for &end in scratch.ends.get(..parts).unwrap_or_default() {
            key = key.bytes(scratch.bytes.get(from..end as usize).unwrap_or_default());
            from = end as usize;
        }
        let key = key.finish()?;
        let place = scratch
            .bytes
            .get_mut(..key.len())
            .ok_or_else(|| no_room(bytes))?;
        place.copy_from_slice(&key);
        Ok(key.len())
    })
}

/// A cold value, as plain data.
pub(crate) fn plain(value: &impl Serialize) -> Answer {
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

pub(crate) fn version_of(version: i64) -> Answer<Version> {
    Version::from_i64(version).ok_or_else(|| Fault::argument("a version is 0 or more"))
}

pub(crate) fn epoch_of(number: u32) -> Answer<Epoch> {
    Epoch::new(number).ok_or_else(|| Fault::argument("an epoch is 0 to 2^31 - 1"))
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

pub(crate) fn attempt_of(
    (id, shard, keyspace, slot, stored_slot): (u32, u32, u16, u32, u32),
    (domain, epoch): (u32, u32),
    (kind, version, found_by, blocking): (u8, Option<i64>, Option<u32>, bool),
) -> Answer<Attempt> {
    let payload = found_by.map_or(Payload::Own, |id| Payload::FoundBy(AttemptId(id)));
    Ok(Attempt {
        id: AttemptId(id),
        shard: ShardId(shard),
        keyspace: KeyspaceId(keyspace),
        slot: Slot(slot),
        stored_slot,
        fence: Fence {
            domain: DomainId(domain),
            epoch: epoch_of(epoch)?,
        },
        kind: match (kind, version) {
            (0, _) => AttemptKind::Read,
            (1, _) => AttemptKind::Write,
            (2, _) => AttemptKind::Confirm,
            (_, Some(version)) => AttemptKind::Apply {
                version: version_of(version)?,
                payload,
            },
            (_, None) => return Err(Fault::argument("an attempt to apply has a version")),
        },
        blocking,
    })
}

fn refusal_out(refusal: Refusal) -> JsValue {
    reply_out(Reply::Refused(refusal))
}

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

/// What goes with an attempt: 0 nothing, 1 put, 2 delete, 3 put-if, 4 a row, 5 a tombstone.
pub(crate) fn content_of<'a>(
    code: u8,
    op: &[u8],
    expected: Option<i64>,
    value: &'a [u8],
) -> Answer<Content<'a>> {
    let named = || {
        op.try_into()
            .map_err(|_| Fault::argument("`op` has 16 bytes"))
    };
    let change = match code {
        0 => return Ok(Content::None),
        1 => Change::Put(value),
        2 => Change::Delete,
        3 => Change::PutIf {
            expected: expected.map(version_of).transpose()?,
            value,
        },
        _ => {
            return Ok(Content::Row {
                value: (code == 4).then_some(value),
                op: named()?,
            });
        }
    };
    Ok(Content::Own {
        change,
        op: named()?,
    })
}

pub(crate) fn decision_out(decision: &Decision, revision: u64) -> JsValue {
    let (effect, version, deleted) = match decision.effect {
        Effect::Keep => (0, None, false),
        Effect::Put {
            version, deleted, ..
        } => (1, Some(version.to_i64()), deleted),
        Effect::Remove { floor } => (2, Some(floor.to_i64()), false),
    };
    let reply = reply_out(decision.reply);
    decided(
        reply,
        effect,
        version,
        deleted,
        decision.found,
        decision.learned,
        revision,
    )
}

pub(crate) fn response_out(answer: Response) -> JsValue {
    let (value, op) = answer
        .found
        .map(|found| (found.value, found.op.to_vec()))
        .unzip();
    response(reply_out(answer.reply), value.flatten(), op)
}
