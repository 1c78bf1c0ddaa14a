//! Several keys of one shard, changed together. Batches and their replies cross as numbers, a fixed
//! count for each part; `js/transaction.ts` puts them together.

use ringshift::store::{BatchPart, BatchResponse, Content, Look, decide_batch};
use ringshift::{
    AttemptId, AttemptKind, Batch, BatchReply, DomainId, Expected, Part, PinError, Pinned, Reply,
    TransactionError, TransactionOutcome, TransactionStep, Use, Version,
};
use wasm_bindgen::prelude::*;

use crate::convert::{
    attempt_of, content_of, decision_out, instant, moment, policy_of, refresh, reply_of, reply_out,
    response_out, version_of, wait,
};
use crate::error::{Answer, Fault};
use crate::router::Router;
use crate::store::MemoryShard;

#[wasm_bindgen(module = "/js/shapes.js")]
extern "C" {
    fn batch(numbers: Vec<i64>, changes: bool, begins: bool, blocking: bool) -> JsValue;
    fn work() -> JsValue;
    fn committed(versions: Vec<i64>, lagging: bool) -> JsValue;
    #[wasm_bindgen(js_name = refusedTransaction)]
    fn refused(
        code: &str,
        message: &str,
        key: i32,
        found: Option<i64>,
        shards: Vec<u32>,
    ) -> JsValue;
}

/// Numbers of one part.
const PART: usize = 12;
/// No number.
const NONE: i64 = -1;
/// No condition.
const ANY: i64 = -2;

fn numbers(part: &Part) -> [i64; PART] {
    let attempt = &part.attempt;
    let (kind, version) = match attempt.kind {
        AttemptKind::Read => (0, NONE),
        AttemptKind::Write => (1, NONE),
        AttemptKind::Confirm => (2, NONE),
        AttemptKind::Apply { version, .. } => (3, version.to_i64()),
    };
    [
        attempt.id.0.into(),
        attempt.shard.0.into(),
        attempt.keyspace.0.into(),
        attempt.slot.0.into(),
        attempt.stored_slot.into(),
        attempt.fence.domain.0.into(),
        attempt.fence.epoch.get().into(),
        kind,
        version,
        attempt.found_by().map_or(NONE, |id| id.0.into()),
        i64::try_from(part.key).unwrap_or(NONE),
        match part.expected {
            Expected::Any => ANY,
            Expected::Row(None) => NONE,
            Expected::Row(Some(version)) => version.to_i64(),
        },
    ]
}

fn part_of(numbers: &[i64; PART]) -> Answer<Part> {
    let bad = |_| Fault::argument("a part of a batch has a number out of its range");
    let &[
        id,
        shard,
        keyspace,
        slot,
        stored,
        domain,
        epoch,
        kind,
        version,
        by,
        key,
        expected,
    ] = numbers;
    let u32 = |number: i64| u32::try_from(number).map_err(bad);
    let attempt = attempt_of(
        (
            u32(id)?,
            u32(shard)?,
            u16::try_from(keyspace).map_err(bad)?,
            u32(slot)?,
            u32(stored)?,
        ),
        (u32(domain)?, u32(epoch)?),
        (
            u8::try_from(kind).map_err(bad)?,
            (version != NONE).then_some(version),
            (by != NONE).then(|| u32(by)).transpose()?,
            true,
        ),
    )?;
    Ok(Part {
        key: usize::try_from(key).map_err(bad)?,
        attempt,
        expected: match expected {
            ANY => Expected::Any,
            NONE => Expected::Row(None),
            version => Expected::Row(Some(version_of(version)?)),
        },
    })
}

fn batch_of(numbers: &[i64]) -> Answer<Batch> {
    let (parts, rest) = numbers.as_chunks::<PART>();
    let parts = parts.iter().map(part_of).collect::<Answer<Vec<_>>>()?;
    match parts.first().map(|part| part.attempt) {
        Some(attempt) if rest.is_empty() => Ok(Batch {
            id: attempt.id,
            shard: attempt.shard,
            parts,
            blocking: true,
        }),
        _ => Err(Fault::argument("a batch has at least one part")),
    }
}

fn keys<'k>(bytes: &'k [u8], ends: &[u32]) -> Vec<&'k [u8]> {
    let mut from = 0;
    let keys = ends.iter().map(|&end| {
        let key = bytes.get(from..end as usize).unwrap_or_default();
        from = end as usize;
        key
    });
    keys.collect()
}

fn pin(
    router: &Router,
    keyspace: u16,
    bytes: &[u8],
    ends: &[u32],
) -> Answer<Result<Pinned, PinError>> {
    Ok(router.keyspace(keyspace)?.transaction(&keys(bytes, ends)))
}

fn outcome_out(outcome: TransactionOutcome) -> JsValue {
    let number = |version: Option<Version>| version.map_or(NONE, Version::to_i64);
    let error = match outcome {
        TransactionOutcome::Done { versions, lagging } => {
            return committed(versions.into_iter().map(number).collect(), lagging);
        }
        TransactionOutcome::RolledBack => return committed(Vec::new(), false),
        TransactionOutcome::Failed(error) => error,
    };
    let (mut key, mut there, mut shards) = (-1, None, Vec::new());
    match &error {
        TransactionError::Conflict { key: at, found } => {
            key = i32::try_from(*at).unwrap_or(-1);
            there = found.map(Version::to_i64);
        }
        TransactionError::Pin(PinError::CrossShard { shards: listed }) => {
            for (shard, places) in listed {
                for &place in places {
                    shards.extend([shard.0, u32::try_from(place).unwrap_or(u32::MAX)]);
                }
            }
        }
        _ => {}
    }
    refused(
        error.code().as_str(),
        &error.to_string(),
        key,
        there,
        shards,
    )
}

/// Several keys, changed together.
#[wasm_bindgen]
pub struct Transaction(Result<ringshift::Transaction, TransactionOutcome>);

#[wasm_bindgen]
impl Transaction {
    /// Begins one on the keys.
    #[wasm_bindgen(constructor)]
    pub fn new(
        router: &Router,
        keyspace: u16,
        bytes: &[u8],
        ends: &[u32],
        again: bool,
        now: f64,
        deadline_ms: Option<u32>,
        attempt_ms: Option<u32>,
        attempts_max: Option<u16>,
        confirm: Option<bool>,
        seed: Option<u64>,
    ) -> Answer<Transaction> {
        let policy = policy_of(deadline_ms, attempt_ms, attempts_max, confirm, seed);
        let pinned = pin(router, keyspace, bytes, ends)?;
        Ok(Self(match pinned {
            Ok(pinned) => Ok(ringshift::Transaction::new(
                pinned,
                policy,
                again,
                instant(now),
            )),
            Err(error) => Err(TransactionOutcome::Failed(error.into())),
        }))
    }

    /// What to do next.
    pub fn poll(&mut self) -> JsValue {
        let machine = match &mut self.0 {
            Ok(machine) => machine,
            Err(over) => return outcome_out(over.clone()),
        };
        match machine.poll() {
            TransactionStep::Send(said) => batch(
                said.parts.iter().flat_map(numbers).collect(),
                said.changes(),
                said.begins(),
                said.blocking,
            ),
            TransactionStep::Work { .. } => work(),
            TransactionStep::Refresh { newer_than } => refresh(newer_than.get()),
            TransactionStep::Wait { until } => wait(moment(until)),
            TransactionStep::Done(outcome) => outcome_out(outcome),
        }
    }

    /// The work is done: of each key 1 if it was read, 2 if it is written, 3 for both.
    pub fn commit(&mut self, now: f64, uses: &[u8]) {
        if let Ok(machine) = &mut self.0 {
            let uses = uses.iter().map(|used| Use {
                read: used & 1 != 0,
                write: used & 2 != 0,
            });
            machine.commit(instant(now), uses.collect());
        }
    }

    /// Nothing is to be changed.
    #[wasm_bindgen(js_name = rollBack)]
    pub fn roll_back(&mut self) {
        if let Ok(machine) = &mut self.0 {
            machine.roll_back();
        }
    }

    /// What a shard answered: `part` and one reply for a batch that wasn't carried out, else -1 and
    /// a reply for each part, four numbers each.
    pub fn reply(&mut self, now: f64, id: u32, part: i32, replies: &[i64]) -> Answer<()> {
        let bad = |_| Fault::argument("a reply has a number out of its range");
        let (chunks, _) = replies.as_chunks::<4>();
        let replies = chunks.iter().map(|&[code, version, a, b]| {
            let version = (version != NONE).then_some(version);
            let (a, b) = (
                u32::try_from(a).map_err(bad)?,
                u32::try_from(b).map_err(bad)?,
            );
            reply_of(u8::try_from(code).map_err(bad)?, version, a, b)
        });
        let replies = replies.collect::<Answer<Vec<_>>>()?;
        let reply = match (usize::try_from(part), replies.as_slice()) {
            (Ok(part), &[Reply::Conflict { found }]) => BatchReply::Conflict { part, found },
            (Ok(_), &[Reply::Refused(refusal)]) => BatchReply::Refused(refusal),
            (Ok(_), &[Reply::Failed(failure)]) => BatchReply::Failed(failure),
            _ => BatchReply::Done(replies),
        };
        if let Ok(machine) = &mut self.0 {
            machine.handle_reply(instant(now), AttemptId(id), reply)?;
        }
        Ok(())
    }

    /// The keys pinned by the router as it is now.
    pub fn snapshot(
        &mut self,
        now: f64,
        router: &Router,
        keyspace: u16,
        bytes: &[u8],
        ends: &[u32],
    ) -> Answer<()> {
        let pinned = pin(router, keyspace, bytes, ends)?;
        if let Ok(machine) = &mut self.0 {
            machine.handle_snapshot(instant(now), pinned);
        }
        Ok(())
    }

    /// Time has passed.
    pub fn timeout(&mut self, now: f64) {
        if let Ok(machine) = &mut self.0 {
            machine.handle_timeout(instant(now));
        }
    }
}

/// A batch that isn't carried out: the part, and one reply.
fn not_done(reply: BatchReply) -> Vec<JsValue> {
    let (part, reply) = match reply {
        BatchReply::Done(_) => return Vec::new(),
        BatchReply::Conflict { part, found } => (part, Reply::Conflict { found }),
        BatchReply::Refused(refusal) => (0, Reply::Refused(refusal)),
        BatchReply::Failed(failure) => (0, Reply::Failed(failure)),
    };
    let part = u32::try_from(part).unwrap_or(u32::MAX);
    vec![JsValue::from(part), reply_out(reply)]
}

fn op(ops: &[u8], at: usize) -> &[u8] {
    ops.get(at * 16..at * 16 + 16).unwrap_or_default()
}

fn contents<'a>(codes: &[u8], ops: &[u8], values: &[&'a [u8]]) -> Answer<Vec<Content<'a>>> {
    let contents = codes.iter().zip(values).enumerate();
    contents
        .map(|(at, (&code, value))| content_of(code, op(ops, at), None, value))
        .collect()
}

/// Decides about a batch, from the columns that its looks brought: a decision for each part, or
/// the place of the part and one reply.
#[wasm_bindgen(js_name = decideBatch)]
pub fn decide_all(
    batch: &[i64],
    codes: &[u8],
    ops: &[u8],
    columns: &[i64],
    nulls: &[u32],
    present: &[u8],
) -> Answer<Vec<JsValue>> {
    const COLUMNS: usize = ringshift::store::LOOK_COLUMNS;
    let batch = batch_of(batch)?;
    let empty: &[u8] = &[];
    let contents = contents(codes, ops, &vec![empty; codes.len()])?;
    let (columns, _) = columns.as_chunks::<COLUMNS>();
    let mut parts = Vec::with_capacity(contents.len());
    let all = batch.parts.iter().zip(contents).zip(columns).zip(nulls);
    for (at, (((part, content), columns), nulls)) in all.enumerate() {
        let number = |at: usize| columns.get(at).copied().filter(|_| nulls & (1 << at) == 0);
        let DomainId(domain) = part.attempt.fence.domain;
        let look = Look::of_columns(DomainId(domain), number, Some(op(present, at)))?;
        parts.push(BatchPart {
            part,
            look,
            content,
        });
    }
    Ok(match decide_batch(&parts) {
        Ok(decisions) => {
            let decided = decisions.iter().zip(&parts);
            let decided = decided.map(|(said, part)| decision_out(said, part.look.revision.0));
            decided.collect()
        }
        Err(reply) => not_done(reply),
    })
}

#[wasm_bindgen]
impl MemoryShard {
    /// Carries out a batch: a response for each part, or the place of the part and one reply.
    pub fn batch(
        &mut self,
        batch: &[i64],
        codes: &[u8],
        ops: &[u8],
        bytes: &[u8],
        ends: &[u32],
        values: &[u8],
        value_ends: &[u32],
    ) -> Answer<Vec<JsValue>> {
        let batch = batch_of(batch)?;
        let contents = contents(codes, ops, &keys(values, value_ends))?;
        let requests: Vec<_> = keys(bytes, ends).into_iter().zip(contents).collect();
        let BatchResponse { reply, found } = self.0.batch(&batch, &requests);
        let BatchReply::Done(replies) = reply else {
            return Ok(not_done(reply));
        };
        let responses = replies.into_iter().zip(found);
        let responses = responses
            .map(|(reply, found)| response_out(ringshift::store::Response { reply, found }));
        Ok(responses.collect())
    }
}
