//! Several keys of one shard, changed together. A batch crosses as numbers; `js/shapes.js` puts it
//! together.

use std::sync::Arc;

use ringshift::{
    AttemptId, BatchReply, KeyspaceId, PinError, Pinned, Reply, TransactionError,
    TransactionOutcome, TransactionStep, UnknownKeyspace, Use, Version,
};
use wasm_bindgen::prelude::*;

use crate::convert::{NONE, instant, keys, moment, numbers, policy_of, refresh, reply_of, wait};
use crate::error::{Answer, Fault};
use crate::snapshot::Snapshot;

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

/// What pins keys.
#[wasm_bindgen]
pub struct Pins(ringshift::Router);

#[wasm_bindgen]
impl Pins {
    /// By a snapshot.
    #[wasm_bindgen(constructor)]
    pub fn new(snapshot: &Snapshot) -> Pins {
        Self(ringshift::Router::new(Arc::clone(&snapshot.0)))
    }

    /// Puts a newer one in force.
    pub fn install(&mut self, snapshot: &Snapshot) -> Answer<()> {
        self.0.install(Arc::clone(&snapshot.0))?;
        Ok(())
    }

    /// The epoch of the one in force.
    pub fn epoch(&self) -> u32 {
        self.0.snapshot().epoch().get()
    }

    /// The number of the keyspace of that name.
    pub fn keyspace(&self, name: &str) -> Answer<u16> {
        let found: Result<_, UnknownKeyspace> = self.0.keyspace(name);
        Ok(found?.id().0)
    }
}

fn pin(pins: &Pins, keyspace: u16, bytes: &[u8], ends: &[u32]) -> Answer<Result<Pinned, PinError>> {
    let found = pins.0.keyspace_at(KeyspaceId(keyspace));
    let gone = || Fault::argument(format!("the snapshot has no keyspace {keyspace} any more"));
    let found = found.ok_or_else(gone)?;
    Ok(found.transaction(&keys(bytes, ends)))
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
        pins: &Pins,
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
        let pinned = pin(pins, keyspace, bytes, ends)?;
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
        pins: &Pins,
        keyspace: u16,
        bytes: &[u8],
        ends: &[u32],
    ) -> Answer<()> {
        let pinned = pin(pins, keyspace, bytes, ends)?;
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
