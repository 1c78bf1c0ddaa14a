//! Planning and coordinating migrations: commands and answers cross as plain data.

use std::sync::Arc;

use ringshift::migration::{self, CommandId};
use ringshift::record::Record;
use ringshift::store::Chunks as Held;
use ringshift::{
    Access, DomainId, ErrorCode, Fence, InstallRow, KeyspaceId, Phase, Reply, Role, ShardId, Side,
    Slot, Term,
};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::convert::{epoch_of, instant, no_room, plain, read, reply_out, with_key};
use crate::error::{Answer, Fault};
use crate::snapshot::Snapshot;
use crate::store::MemoryShard;

/// What JSON says.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(json: &str, code: ErrorCode) -> Answer<T> {
    serde_json::from_str(json).map_err(|error| Fault::json(code, &error))
}

/// What a migration will do.
#[wasm_bindgen]
pub struct Plan(migration::Plan);

#[wasm_bindgen]
impl Plan {
    /// Plans changes, which are JSON, as options say, which are JSON too. Without options the
    /// coordinator's own settings hold.
    #[wasm_bindgen(constructor)]
    pub fn new(
        snapshot: &Snapshot,
        changes: &str,
        wave_slots_max: u32,
        options: Option<String>,
    ) -> Answer<Plan> {
        let changes = parse(changes, ErrorCode::Plan)?;
        let Some(options) = options else {
            return Ok(Self(migration::plan(
                &snapshot.0,
                &changes,
                wave_slots_max,
            )?));
        };
        let mut options: migration::PlanOptions = parse(&options, ErrorCode::Argument)?;
        options.wave_slots_max = options.wave_slots_max.max(wave_slots_max);
        Ok(Self(migration::plan_with(&snapshot.0, &changes, &options)?))
    }

    /// From its JSON.
    pub fn parse(json: &str) -> Answer<Plan> {
        Ok(Self(parse(json, ErrorCode::Plan)?))
    }

    /// Its JSON.
    pub fn json(&self) -> Answer<String> {
        serde_json::to_string(&self.0).map_err(|error| Fault::json(ErrorCode::Plan, &error))
    }

    /// Whether it is one for that snapshot.
    pub fn check(&self, snapshot: &Snapshot) -> Answer<()> {
        Ok(self.0.check(&snapshot.0)?)
    }

    /// A table for people.
    pub fn text(&self) -> String {
        self.0.to_string()
    }

    /// Another one, to be handed over.
    #[must_use]
    pub fn copy(&self) -> Plan {
        Self(self.0.clone())
    }

    /// What moves, keyspace by keyspace.
    pub fn figures(&self) -> Answer {
        plain(&self.0.figures)
    }

    /// What a coordinator begins with.
    pub fn log(&self) -> Answer {
        plain(&self.0.log)
    }
}

/// The waves of a keyspace, by age.
#[wasm_bindgen]
pub fn waves(snapshot: &Snapshot, keyspace: &str) -> Answer {
    let router = ringshift::Router::new(Arc::clone(&snapshot.0));
    plain(&router.keyspace(keyspace)?.waves())
}

#[derive(Serialize)]
struct PhaseRow {
    name: &'static str,
    authority: Side,
    carved: bool,
    from: Role,
    to: Role,
}

/// The phase table.
#[wasm_bindgen]
pub fn phases() -> Answer {
    let row = |&phase: &Phase| PhaseRow {
        name: phase.name(),
        authority: phase.authority(),
        carved: phase.is_carved(),
        from: phase.role(Side::From),
        to: phase.role(Side::To),
    };
    plain(&Phase::ALL.iter().map(row).collect::<Vec<_>>())
}

/// A coordinator.
#[wasm_bindgen]
pub struct Coordinator(pub(crate) migration::Coordinator);

#[wasm_bindgen]
impl Coordinator {
    /// One of a term that no other has; its settings are JSON.
    #[wasm_bindgen(constructor)]
    pub fn new(term: u32, settings: &str, wanted: Option<Plan>, now: f64) -> Answer<Coordinator> {
        let settings = Arc::new(parse(settings, ErrorCode::Argument)?);
        let wanted = wanted.map(|plan| plan.0.log);
        let coordinator = migration::Coordinator::new(Term(term), settings, wanted, instant(now));
        Ok(Self(coordinator))
    }

    /// What to do next.
    pub fn poll(&mut self) -> Answer {
        plain(&self.0.poll())
    }

    /// The answer to a command.
    pub fn answer(&mut self, now: f64, id: u32, answer: JsValue) -> Answer<()> {
        let answer = read(answer)?;
        self.0.handle_answer(instant(now), CommandId(id), answer);
        Ok(())
    }

    /// Time has passed.
    pub fn timeout(&mut self, now: f64) {
        self.0.handle_timeout(instant(now));
    }

    /// How the application and its stores are, which is JSON.
    pub fn health(&mut self, now: f64, health: &str) -> Answer<()> {
        let health = parse(health, ErrorCode::Argument)?;
        self.0.handle_health(instant(now), health);
        Ok(())
    }

    /// What was seen of the stores, which is JSON.
    pub fn seen(&mut self, now: f64, seen: &str) -> Answer<()> {
        let seen = parse(seen, ErrorCode::Argument)?;
        self.0.handle_seen(instant(now), seen);
        Ok(())
    }

    /// The move that is being carried out.
    pub fn goal(&self) -> Answer {
        plain(&self.0.goal())
    }

    /// What the clock on the wall shows.
    #[wasm_bindgen(js_name = wallClock)]
    pub fn wall_clock(&mut self, now: f64, unix_ms: i64, utc_offset_min: i16) {
        self.0
            .handle_wall_clock(instant(now), unix_ms, utc_offset_min);
    }

    /// Agrees to the point of no return.
    #[wasm_bindgen(js_name = agreeToFinish)]
    pub fn agree_to_finish(&mut self) {
        self.0.agree_to_finish();
    }

    /// Where the migration stands.
    pub fn status(&self) -> Answer {
        plain(&self.0.status())
    }

    /// What the gates have made it decide.
    pub fn decisions(&self) -> Answer {
        plain(&self.0.decisions().collect::<Vec<_>>())
    }

    /// Turns the migration round.
    #[wasm_bindgen(js_name = rollBack)]
    pub fn roll_back(&mut self, reason: &str) {
        self.0.roll_back(reason);
    }

    /// Stops it in a safe state.
    pub fn pause(&mut self, reason: &str) {
        self.0.pause(reason);
    }

    /// Goes on.
    pub fn resume(&mut self) {
        self.0.resume();
    }

    /// The snapshot in force, once it was read.
    pub fn snapshot(&self) -> Option<Snapshot> {
        self.0
            .snapshot()
            .map(|snapshot| Snapshot(Arc::clone(snapshot)))
    }

    /// The log as it stands.
    pub fn log(&self) -> Answer {
        plain(self.0.log())
    }

    /// The mismatches that verification has confirmed.
    pub fn mismatches(&self) -> Answer {
        plain(&self.0.mismatches())
    }
}

/// The chunks that were read and may still be applied.
#[wasm_bindgen]
#[derive(Default)]
pub struct Chunks(pub(crate) Held);

#[wasm_bindgen]
impl Chunks {
    /// None yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Chunks {
        Self::default()
    }
}

#[wasm_bindgen]
impl MemoryShard {
    /// Carries out a coordinator's command.
    pub fn command(&mut self, command: JsValue, chunks: &mut Chunks) -> Answer {
        let command = read(command)?;
        plain(&self.0.command(&command, &mut chunks.0))
    }
}

/// Every guard row that a shard with nothing needs.
#[wasm_bindgen(js_name = homeInstalls)]
pub fn home_installs(snapshot: &Snapshot, shard: u32) -> Answer {
    plain(&migration::home_installs(&snapshot.0, ShardId(shard)))
}

/// A topology store's record, in memory.
#[wasm_bindgen]
pub struct Topology(Record);

#[wasm_bindgen]
impl Topology {
    /// A first snapshot, that nobody has led with.
    #[wasm_bindgen(constructor)]
    pub fn new(snapshot: &Snapshot) -> Topology {
        let snapshot = Arc::clone(&snapshot.0);
        Self(Record::first(snapshot))
    }

    /// From its bytes.
    pub fn decode(bytes: &[u8]) -> Answer<Topology> {
        Ok(Self(Record::decode(bytes)?))
    }

    /// Its bytes.
    pub fn encode(&self) -> Answer<Vec<u8>> {
        Ok(self.0.encode()?)
    }

    /// The snapshot in force.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(Arc::clone(&self.0.snapshot))
    }

    /// A term that nobody else is given.
    #[wasm_bindgen(js_name = drawTerm)]
    pub fn draw_term(&mut self) -> Answer<u32> {
        let next = self.0.next_term();
        self.0 = next.ok_or_else(|| Fault::argument("the terms are used up"))?;
        Ok(self.0.term.0)
    }

    /// Carries out a coordinator's command.
    pub fn command(&mut self, command: JsValue) -> Answer {
        let (answer, next) = self.0.decide(&read(command)?);
        self.0 = next.unwrap_or_else(|| self.0.clone());
        plain(&answer)
    }
}

/// A whole shard's fencing state.
#[wasm_bindgen]
#[derive(Default)]
pub struct Guard(ringshift::Guard);

#[wasm_bindgen]
impl Guard {
    /// One that has heard of nothing.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Guard {
        Self::default()
    }

    /// The guard's row, or a refused reply; the key is in the scratch buffer.
    pub fn admit(
        &self,
        keyspace: u16,
        slot: u32,
        bytes: usize,
        domain: u32,
        epoch: u32,
        access: u8,
        term: u32,
    ) -> Answer {
        let term = Term(term);
        let access = match access {
            0 => Access::Read,
            1 => Access::Write,
            2 => Access::Apply,
            3 => Access::Copy(term),
            4 => Access::Purge(term),
            _ => Access::Collect(term),
        };
        let fence = Fence {
            domain: DomainId(domain),
            epoch: epoch_of(epoch)?,
        };
        let admitted = with_key(bytes, |key| {
            self.0
                .admit(KeyspaceId(keyspace), Slot(slot), key, fence, access)
        });
        match admitted.ok_or_else(|| no_room(bytes))? {
            Ok(row) => plain(&row),
            Err(refusal) => Ok(reply_out(Reply::Refused(refusal))),
        }
    }

    /// Remembers a term.
    pub fn claim(&mut self, term: u32) -> Answer<()> {
        Ok(self.0.claim(Term(term))?)
    }

    /// Installs rows.
    pub fn install(&mut self, term: u32, rows: JsValue) -> Answer<()> {
        let rows: Vec<InstallRow> = read(rows)?;
        Ok(self.0.install(Term(term), &rows)?)
    }

    /// Closes a domain at exactly that epoch: the row as it is then.
    pub fn close(&mut self, term: u32, domain: u32, epoch: u32) -> Answer {
        plain(
            &self
                .0
                .close(Term(term), DomainId(domain), epoch_of(epoch)?)?,
        )
    }

    /// All rows.
    pub fn rows(&self) -> Answer {
        plain(&self.0.rows().collect::<Vec<_>>())
    }

    /// The highest term seen.
    pub fn term(&self) -> u32 {
        self.0.term().0
    }
}
