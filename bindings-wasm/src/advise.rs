//! Counting what a router sees, and what to do about it. Loads and advice cross as JSON.

use ringshift::advise::{self, Loads, Triggers};
use ringshift::{ErrorCode, ShardId, Slot};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::convert::instant;
use crate::error::{Answer, Fault};
use crate::migration::parse;
use crate::router::Router;
use crate::snapshot::Snapshot;

fn json(value: &impl Serialize) -> Answer<String> {
    serde_json::to_string(value).map_err(|error| Fault::json(ErrorCode::Argument, &error))
}

/// A meter of one keyspace.
#[wasm_bindgen]
pub struct Meter(advise::Meter);

#[wasm_bindgen]
impl Meter {
    /// One that has counted nothing.
    #[wasm_bindgen(constructor)]
    pub fn new(keyspace: &str, bits: u8, rate: u32, half_life_ms: f64, seed: u64) -> Meter {
        let half_life_ms = instant(half_life_ms).as_millis();
        Self(advise::Meter::new(keyspace, bits, rate, half_life_ms, seed))
    }

    /// An operation on a key of that routing part.
    pub fn record(&mut self, now: f64, shard: u32, slot: u32, part: &[u8]) {
        self.0
            .record(instant(now), ShardId(shard), Slot(slot), part);
    }

    /// An operation on the key in the scratch buffer.
    #[wasm_bindgen(js_name = recordKey)]
    pub fn record_key(
        &mut self,
        now: f64,
        router: &Router,
        keyspace: u16,
        bytes: usize,
    ) -> Answer<()> {
        router.of_key(keyspace, bytes, |keyspace, key| {
            self.0.record_key(instant(now), &keyspace, key)
        })
    }

    /// An operation that had to ask more than one shard.
    #[wasm_bindgen(js_name = recordSpread)]
    pub fn record_spread(&mut self) {
        self.0.record_spread();
    }

    /// What was counted.
    pub fn loads(&self) -> Answer<String> {
        json(&self.0.loads())
    }
}

/// What is wrong, and what to do about it.
#[wasm_bindgen]
pub fn advise(snapshot: &Snapshot, loads: &str, triggers: &str) -> Answer<String> {
    let loads: Loads = parse(loads, ErrorCode::Argument)?;
    let triggers: Triggers = parse(triggers, ErrorCode::Argument)?;
    json(&advise::advise(&snapshot.0, &loads, &triggers))
}

/// Loads of two processes, added up.
#[wasm_bindgen(js_name = addLoads)]
pub fn add_loads(ours: &str, theirs: &str) -> Answer<String> {
    let mut sum: Loads = parse(ours, ErrorCode::Argument)?;
    sum.add(&parse(theirs, ErrorCode::Argument)?);
    json(&sum)
}
