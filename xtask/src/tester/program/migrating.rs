//! Programs that carry a whole migration out, on shards in memory, while an operation comes now
//! and then.

use std::sync::Arc;

use ringshift::migration::{Answer, Command, Log};
use ringshift::{Snapshot, Term};
use serde_json::{Value, json};

use super::Maker;
use crate::tester::Failed;
use crate::tester::machine::{Object, Raw};
use crate::vectors::hex;

/// Calls in a migration at most.
const CALLS_MAX: usize = 600;

/// The topology store of a program, and the names of what it is about.
struct World {
    term: Term,
    snapshot: Arc<Snapshot>,
    log: Log,
    router: String,
    keyspace: String,
    chunks: String,
}

impl Maker<'_> {
    pub(super) fn migrating(&mut self) -> Result<(), Failed> {
        let mut world = self.world()?;
        for _ in 0..3 + self.rng.below(6) {
            self.operate(&world)?;
        }
        let plan = self.name("p");
        let changes = match self.rng.below(4) {
            0 => json!({"remove": [2]}),
            1 => json!({"reweight": [{"id": 1, "weight": 0.25}]}),
            _ => json!({"add": [{"id": 3, "name": "c"}]}),
        };
        let slots = self.rng.pick(&[1, 3, 16], 4);
        self.call(
            json!({"do": "plan", "as": plan, "on": "s1", "changes": changes, "wave_slots": slots}),
        )?;
        let coordinator = self.name("c");
        let settings = json!({
            "strict": self.rng.chance(30), "shadow_ppm": self.rng.pick(&[0, 500_000], 0),
            "shadow_ms": 5, "verify": self.rng.chance(70), "ramps_ppm": [250_000, 1_000_000],
            "ramp_ms": 3, "reversed_ms": 10, "chunk_rows": 2, "lag_rows_max": 2,
            "checkpoint_chunks": 2, "retry_ms": 4,
        });
        let now = self.now;
        world.term = Term(1);
        self.call(json!({"do": "coordinator", "as": coordinator, "term": 2, "settings": settings, "plan": plan, "now": now}))?;
        while self.calls.len() < CALLS_MAX {
            match self.rng.below(60) {
                0..6 => self.operate(&world)?,
                6 if self.rng.chance(10) => {
                    self.call(json!({"do": "roll_back", "on": coordinator, "reason": "пора"}))?;
                }
                7 if self.rng.chance(30) => {
                    self.call(json!({"do": "pause", "on": coordinator, "reason": "a while"}))?;
                }
                8 => {
                    self.call(json!({"do": "resume", "on": coordinator}))?;
                }
                9..12 => self.look_on(&coordinator)?,
                _ => {}
            }
            let (number, action) = self.call(json!({"do": "act", "on": coordinator}))?;
            if let Some(until) = action["wait"]["until"].as_u64() {
                self.now = self.now.max(until);
                let now = self.now;
                self.call(json!({"do": "coordinator_timeout", "on": coordinator, "now": now}))?;
            } else if let Some(over) = action.get("over") {
                if over.get("paused").is_none() {
                    break;
                }
                self.call(json!({"do": "resume", "on": coordinator}))?;
            } else {
                self.answer(&mut world, &coordinator, number, &action["do"])?;
            }
        }
        Ok(())
    }

    /// What is known of the application, the hour and the migration is handed in, or asked.
    fn look_on(&mut self, on: &str) -> Result<(), Failed> {
        let now = self.now;
        let call = match self.rng.below(4) {
            0 => match self.health() {
                Value::Null => return Ok(()),
                health => json!({"do": "health", "on": on, "now": now, "health": health}),
            },
            1 => {
                let unix_ms = self.rng.below(4_000_000_000_000);
                json!({"do": "wall_clock", "on": on, "now": now, "unix_ms": unix_ms, "utc_offset_min": -90})
            }
            2 => json!({"do": "agree_to_finish", "on": on}),
            _ => json!({"do": "status", "on": on}),
        };
        self.call(call)?;
        Ok(())
    }

    /// A cluster of two shards and a third that may join, with guards in place.
    fn world(&mut self) -> Result<World, Failed> {
        let bits = self.rng.pick(&[4, 5], 4);
        let topology = json!({
            "cluster": "moving", "keyspaces": {"orders": {"bits": bits}},
            "shards": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
        });
        self.named = 10;
        self.call(json!({"do": "topology", "as": "s1", "topology": topology}))?;
        let Some(Object::Snapshot(snapshot)) = self.machine.objects.get("s1") else {
            return Err("the cluster can't be made".to_owned());
        };
        let world = World {
            term: Term(0),
            snapshot: Arc::clone(snapshot),
            log: Log::default(),
            router: self.name("r"),
            keyspace: self.name("k"),
            chunks: self.name("x"),
        };
        self.call(json!({"do": "router", "as": world.router, "snapshot": "s1"}))?;
        self.call(
            json!({"do": "keyspace", "as": world.keyspace, "on": world.router, "name": "orders"}),
        )?;
        self.call(json!({"do": "chunks", "as": world.chunks}))?;
        for shard in 1..=3 {
            let name = format!("m{shard}");
            self.call(json!({"do": "shard", "as": name}))?;
            let (_, rows) =
                self.call(json!({"do": "home_installs", "on": "s1", "shard": shard}))?;
            let command = json!({"install": {"shard": shard, "term": 1, "rows": rows}});
            self.call(
                json!({"do": "command", "on": name, "chunks": world.chunks, "command": command}),
            )?;
        }
        Ok(world)
    }

    /// Carries a command out; now and then the answer is lost, or comes twice.
    fn answer(
        &mut self,
        world: &mut World,
        on: &str,
        number: u64,
        said: &Value,
    ) -> Result<(), Failed> {
        let (id, now) = (said["id"].clone(), self.later());
        let Some(Raw::Command(command)) = self.machine.raw.get(&number) else {
            return Err(format!("an action without a command: {said}"));
        };
        let command = command.clone();
        let is_lost = self.rng.chance(3);
        let told = if let Some(shard) = command.shard() {
            let name = format!("m{shard}");
            let (of, _) = self
                .call(json!({"do": "command", "on": name, "chunks": world.chunks, "of": number}))?;
            json!({"do": "answer", "on": on, "now": now, "id": id, "of": of})
        } else {
            let answer = world.command(&command)?;
            json!({"do": "answer", "on": on, "now": now, "id": id, "answer": answer})
        };
        if is_lost {
            let lost =
                json!({"do": "answer", "on": on, "now": now, "id": id, "answer": "unreachable"});
            self.call(lost)?;
        }
        if !is_lost || self.rng.chance(20) {
            self.call(told.clone())?;
        }
        if self.rng.chance(3) {
            self.call(told)?;
        }
        Ok(())
    }

    /// One read or write, to its end, as a driver carries it out.
    fn operate(&mut self, world: &World) -> Result<(), Failed> {
        let name = self.name("o");
        let user = format!("user:{}", self.rng.below(12));
        let kind = self.rng.pick(&["read", "write", "write"], "read");
        let (key, now) = (json!({"text": user}), self.now);
        let policy = json!({"seed": "7", "deadline_ms": 400, "attempts_max": 12});
        self.call(json!({"do": kind, "as": name, "on": world.keyspace, "key": key, "policy": policy, "now": now}))?;
        let op = format!("{:032x}", self.rng.next());
        let change = match self.rng.below(4) {
            0 => json!("delete"),
            _ => json!({"put": {"value": format!("{:016x}", self.rng.next())}}),
        };
        let own = json!({"own": {"change": change, "op": op}});
        let mut found = Vec::new();
        for _ in 0..30 {
            let (number, step) = self.call(json!({"do": "poll", "on": name}))?;
            if let Some(send) = step.get("send") {
                let by = send["kind"]["apply"]["payload"]["found_by"].as_u64();
                let content = match by {
                    _ if send["kind"] == json!("read") => Value::Null,
                    None => own.clone(),
                    Some(id) => found
                        .iter()
                        .find(|(of, _)| *of == Some(id))
                        .map_or(Value::Null, |(_, row)| json!({"row": row})),
                };
                let shard = format!("m{}", send["shard"]);
                let (_, said) = self.call(json!({"do": "attempt", "on": shard, "of": number, "key": hex(user.as_bytes()), "content": content}))?;
                found.push((send["id"].as_u64(), said["found"].clone()));
                if send["blocking"] == json!(true) {
                    let now = self.now;
                    self.call(json!({"do": "reply", "on": name, "now": now, "id": send["id"], "reply": said["reply"]}))?;
                }
            } else if step.get("refresh").is_some() {
                let bytes = hex(&world.snapshot.encode());
                self.call(json!({"do": "install", "on": world.router, "bytes": bytes}))?;
                let now = self.now;
                self.call(json!({"do": "learn", "on": name, "now": now, "keyspace": world.keyspace, "key": key}))?;
            } else if let Some(until) = step["wait"]["until"].as_u64() {
                self.now = self.now.max(until);
                let now = self.now;
                self.call(json!({"do": "timeout", "on": name, "now": now}))?;
            } else {
                break;
            }
        }
        Ok(())
    }
}

impl World {
    /// What a topology store answers.
    fn command(&mut self, command: &Command) -> Result<Value, Failed> {
        let answer = match command {
            Command::Lead { term, .. } => {
                self.term = self.term.max(*term);
                let log = serde_json::to_value(&self.log).map_err(|e| e.to_string())?;
                let snapshot = json!({"$hex": hex(&self.snapshot.encode())});
                return Ok(json!({"loaded": {"snapshot": snapshot, "log": log, "marks": []}}));
            }
            Command::Renew { .. } => Answer::Renewed { request: None },
            Command::Swap { snapshot, log, .. } => {
                self.snapshot = Arc::clone(snapshot);
                self.log = log.clone();
                Answer::Swapped
            }
            Command::SaveLog { log, .. } => {
                self.log = log.clone();
                Answer::Logged
            }
            other => return Err(format!("no command of a topology store: {other:?}")),
        };
        serde_json::to_value(answer).map_err(|e| e.to_string())
    }
}
