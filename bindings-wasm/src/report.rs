//! What a migration has done: told by whoever carries it out.

use ringshift::DomainId;
use ringshift::ErrorCode;
use ringshift::migration::{self, Command, Move, Point};
use wasm_bindgen::prelude::*;

use crate::convert::{instant, read};
use crate::error::{Answer, Fault};
use crate::migration::{Coordinator, parse};

/// A report.
#[wasm_bindgen]
pub struct Report(migration::Report);

#[wasm_bindgen]
impl Report {
    /// One that begins now.
    #[wasm_bindgen(constructor)]
    pub fn new(now: f64, unix_ms: u64) -> Report {
        Self(migration::Report::new(instant(now), unix_ms))
    }

    /// A command was carried out.
    pub fn command(
        &mut self,
        now: f64,
        point: JsValue,
        goal: JsValue,
        wave: Option<u32>,
        command: JsValue,
        answer: JsValue,
    ) -> Answer<()> {
        let (point, goal): (Point, Option<Move>) = (read(point)?, read(goal)?);
        let (command, answer): (Command, migration::Answer) = (read(command)?, read(answer)?);
        let wave = wave.map(DomainId);
        self.0
            .handle_command(instant(now), point, goal, wave, &command, &answer);
        Ok(())
    }

    /// What the coordinator knows, and how it ended.
    pub fn coordinator(&mut self, now: f64, coordinator: &Coordinator) {
        self.0.handle_coordinator(instant(now), &coordinator.0);
    }

    /// A barrier is over.
    pub fn barrier(
        &mut self,
        now: f64,
        goal: JsValue,
        wave: Option<u32>,
        pause_us: u64,
    ) -> Answer<()> {
        let goal = read(goal)?;
        self.0
            .handle_barrier(instant(now), goal, wave.map(DomainId), pause_us);
        Ok(())
    }

    /// How the application is, which is JSON; or what was seen of the stores.
    pub fn health(&mut self, now: f64, health: &str, seen: bool) -> Answer<()> {
        let health = parse(health, ErrorCode::Argument)?;
        if seen {
            self.0.handle_seen(instant(now), &health);
        } else {
            self.0.handle_health(instant(now), &health);
        }
        Ok(())
    }

    /// How many rows a wave's backfill is expected to copy.
    pub fn estimate(&mut self, wave: u32, rows: u64) {
        self.0.handle_estimate(DomainId(wave), rows);
    }

    /// How far each wave has come, as JSON.
    pub fn progress(&self) -> Answer<String> {
        json(serde_json::to_string(self.0.progress()))
    }

    /// All of it, as the JSON that a report's file has.
    pub fn json(&self) -> Answer<String> {
        json(serde_json::to_string_pretty(&self.0))
    }

    /// The same for people, in Markdown.
    pub fn text(&self) -> String {
        self.0.text()
    }
}

fn json(made: serde_json::Result<String>) -> Answer<String> {
    made.map_err(|error| Fault::json(ErrorCode::Argument, &error))
}
