//! The machines that a driver steps.

use ringshift::{AttemptId, Compared, MismatchKind, Plan, RefreshStep, ShadowStep, Step};
use wasm_bindgen::prelude::*;

use crate::convert::{
    attempt_out, done, epoch_of, instant, join, moment, no_room, outcome_out, policy_of, refresh,
    reply_of, version_of, wait, with_key,
};
use crate::error::Answer;
use crate::router::Router;

fn plan(router: &Router, keyspace: u16, bytes: usize) -> Answer<Plan> {
    router.of_key(keyspace, bytes, |keyspace, key| keyspace.plan(key))
}

/// A read or a write.
#[wasm_bindgen]
pub struct Operation(ringshift::Operation);

#[wasm_bindgen]
impl Operation {
    /// Begins one on the key in the scratch buffer.
    #[wasm_bindgen(constructor)]
    pub fn new(
        router: &Router,
        keyspace: u16,
        bytes: usize,
        write: bool,
        now: f64,
        deadline_ms: Option<u32>,
        attempt_ms: Option<u32>,
        attempts_max: Option<u16>,
        confirm: Option<bool>,
        seed: Option<u64>,
    ) -> Answer<Operation> {
        // No lease is handed in here yet.
        let plan = plan(router, keyspace, bytes)?.fenced()?;
        let policy = policy_of(deadline_ms, attempt_ms, attempts_max, confirm, seed);
        Ok(Self(if write {
            ringshift::Operation::write(plan, policy, instant(now))
        } else {
            ringshift::Operation::read(plan, policy, instant(now))
        }))
    }

    /// What to do next.
    pub fn poll(&mut self) -> JsValue {
        match self.0.poll() {
            Step::Send(attempt) => attempt_out(&attempt),
            Step::Refresh { newer_than } => refresh(newer_than.get()),
            Step::Wait { until } => wait(moment(until)),
            Step::Done(outcome) => done(outcome_out(outcome)),
        }
    }

    /// What a shard answered.
    pub fn reply(
        &mut self,
        now: f64,
        id: u32,
        code: u8,
        version: Option<i64>,
        a: u32,
        b: u32,
    ) -> Answer<()> {
        let reply = reply_of(code, version, a, b)?;
        Ok(self.0.handle_reply(instant(now), AttemptId(id), reply)?)
    }

    /// The key's plan by the router as it is now.
    pub fn snapshot(
        &mut self,
        now: f64,
        router: &Router,
        keyspace: u16,
        bytes: usize,
    ) -> Answer<()> {
        let plan = plan(router, keyspace, bytes)?;
        self.0.handle_snapshot(instant(now), plan);
        Ok(())
    }

    /// Time has passed.
    pub fn timeout(&mut self, now: f64) {
        self.0.handle_timeout(instant(now));
    }

    /// The comparison that the read asks for.
    pub fn shadow(
        &self,
        now: f64,
        deadline_ms: Option<u32>,
        attempt_ms: Option<u32>,
        attempts_max: Option<u16>,
        confirm: Option<bool>,
        seed: Option<u64>,
    ) -> Option<Shadow> {
        let policy = policy_of(deadline_ms, attempt_ms, attempts_max, confirm, seed);
        ringshift::Shadow::of(self.0.plan(), &policy, instant(now)).map(Shadow)
    }
}

/// A comparison.
#[wasm_bindgen]
pub struct Shadow(ringshift::Shadow);

#[wasm_bindgen]
impl Shadow {
    /// What to do next.
    pub fn poll(&mut self) -> JsValue {
        match self.0.poll() {
            ShadowStep::Send(attempt) => attempt_out(&attempt),
            ShadowStep::Wait { until } => wait(moment(until)),
            ShadowStep::Done(compared) => crate::convert::compared(match compared {
                Compared::Same => 0,
                Compared::Mismatch(MismatchKind::Missing) => 1,
                Compared::Mismatch(MismatchKind::Extra) => 2,
                Compared::Mismatch(MismatchKind::Stale) => 3,
                Compared::Mismatch(MismatchKind::Different) => 4,
                Compared::Unsure => 5,
            }),
        }
    }

    /// What a shard answered.
    pub fn reply(
        &mut self,
        now: f64,
        id: u32,
        digest: Option<u64>,
        code: u8,
        version: Option<i64>,
        a: u32,
        b: u32,
    ) -> Answer<()> {
        let reply = reply_of(code, version, a, b)?;
        self.0
            .handle_reply(instant(now), AttemptId(id), reply, digest);
        Ok(())
    }

    /// Time has passed.
    pub fn timeout(&mut self, now: f64) {
        self.0.handle_timeout(instant(now));
    }
}

/// One refresh for many operations.
#[wasm_bindgen]
pub struct RefreshGate(ringshift::RefreshGate);

#[wasm_bindgen]
impl RefreshGate {
    /// For a process that has a map of epoch `have`.
    #[wasm_bindgen(constructor)]
    pub fn new(have: u32, gap_ms: u32, seed: u64) -> Answer<RefreshGate> {
        Ok(Self(ringshift::RefreshGate::new(
            epoch_of(have)?,
            gap_ms,
            seed,
        )))
    }

    /// The moment to come back, or minus 1: in hand, minus 2: fetch, minus 3: join.
    pub fn want(&mut self, now: f64, newer_than: u32) -> Answer<f64> {
        Ok(match self.0.want(instant(now), epoch_of(newer_than)?) {
            RefreshStep::InHand => -1.0,
            RefreshStep::Fetch => -2.0,
            RefreshStep::Join => -3.0,
            RefreshStep::Wait { until } => moment(until),
        })
    }

    /// The fetch brought this epoch.
    pub fn fetched(&mut self, now: f64, have: u32) -> Answer<()> {
        self.0.fetched(instant(now), epoch_of(have)?);
        Ok(())
    }

    /// The fetch failed.
    pub fn failed(&mut self, now: f64) {
        self.0.failed(instant(now));
    }

    /// How many were begun.
    pub fn begun(&self) -> u64 {
        self.0.begun()
    }
}

/// Makes one composite key of the parts in the scratch buffer; answers its bytes.
#[wasm_bindgen(js_name = composite)]
pub fn composite(bytes: usize, parts: usize) -> Answer<usize> {
    join(bytes, parts)
}

/// Throws what is wrong with a key of so many bytes.
#[wasm_bindgen(js_name = tooLong)]
pub fn too_long(bytes: usize) -> Answer<()> {
    Err(ringshift::KeyError::TooLong { bytes }.into())
}

/// A number for a row's whole state; the key is in the scratch buffer.
#[wasm_bindgen(js_name = rowDigest)]
pub fn row_digest(bytes: usize, version: i64, value: Option<Vec<u8>>) -> Answer<u64> {
    let version = version_of(version)?;
    let digest = with_key(bytes, |key| {
        ringshift::row_digest(key, version, value.as_deref())
    });
    digest.ok_or_else(|| no_room(bytes))
}
