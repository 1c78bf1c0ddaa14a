//! Health that is measured: samples go in as numbers, health comes out as JSON.

use ringshift::migration::{self, Answer as Answered, Command, Health};
use ringshift::{ErrorCode, ShardId};
use wasm_bindgen::prelude::*;

use crate::convert::{instant, plain, read};
use crate::error::{Answer, Fault};
use crate::migration::{Coordinator, parse};
use crate::snapshot::Snapshot;

fn json(health: &Health) -> Answer<String> {
    serde_json::to_string(health).map_err(|error| Fault::json(ErrorCode::Argument, &error))
}

/// What happened over the last while.
#[wasm_bindgen]
pub struct Pulse(migration::Pulse);

#[wasm_bindgen]
impl Pulse {
    /// One that has seen nothing; its options are JSON.
    #[wasm_bindgen(constructor)]
    pub fn new(options: &str) -> Answer<Pulse> {
        let options = parse(options, ErrorCode::Argument)?;
        Ok(Self(migration::Pulse::new(options)))
    }

    /// An operation has ended.
    pub fn operation(&mut self, now: f64, took_us: u32, failed: bool) {
        self.0.handle_operation(instant(now), took_us, failed);
    }

    /// A request to a shard has ended.
    pub fn request(&mut self, now: f64, shard: u32, took_us: u32, failed: bool) {
        self.0
            .handle_request(instant(now), ShardId(shard), took_us, failed);
    }

    /// A mirror write has ended.
    pub fn mirror(&mut self, now: f64, failed: bool) {
        self.0.handle_mirror(instant(now), failed);
    }

    /// A snapshot is in force.
    pub fn snapshot(&mut self, now: f64, snapshot: &Snapshot) {
        self.0.handle_snapshot(instant(now), &snapshot.0);
    }

    /// Time has passed.
    pub fn timeout(&mut self, now: f64) {
        self.0.handle_timeout(instant(now));
    }

    /// What was seen so far is usual.
    #[wasm_bindgen(js_name = takeBaseline)]
    pub fn take_baseline(&mut self) {
        self.0.take_baseline();
    }

    /// Nothing is usual.
    #[wasm_bindgen(js_name = dropBaseline)]
    pub fn drop_baseline(&mut self) {
        self.0.drop_baseline();
    }

    /// Whether there is a baseline.
    #[wasm_bindgen(js_name = hasBaseline)]
    pub fn has_baseline(&self) -> bool {
        self.0.has_baseline()
    }

    /// How things are.
    pub fn health(&self) -> Answer<String> {
        json(&self.0.health())
    }
}

/// What whoever carries commands out sees of the stores.
#[wasm_bindgen]
#[derive(Default)]
pub struct StoreWatch(migration::StoreWatch);

#[wasm_bindgen]
impl StoreWatch {
    /// One that has seen nothing.
    #[wasm_bindgen(constructor)]
    pub fn new() -> StoreWatch {
        Self::default()
    }

    /// The look that is due, or null.
    pub fn poll(&mut self, now: f64, coordinator: &Coordinator) -> Answer {
        plain(&self.0.poll(instant(now), &coordinator.0, |_| true))
    }

    /// A look has ended; or a command of the coordinator's own.
    pub fn told(
        &mut self,
        now: f64,
        command: JsValue,
        answer: JsValue,
        took_us: u32,
        look: bool,
    ) -> Answer<()> {
        let (command, answer): (Command, Answered) = (read(command)?, read(answer)?);
        let now = instant(now);
        if look {
            self.0.handle_look(now, &command, &answer, took_us);
        } else {
            self.0.handle_command(now, &command, &answer, took_us);
        }
        Ok(())
    }

    /// What was seen.
    pub fn health(&self) -> Answer<String> {
        json(&self.0.health())
    }
}
