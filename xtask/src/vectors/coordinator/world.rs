//! The shards, the topology store and the clock of a story, and what is written down of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringshift::migration::{
    Action, Answer, Changes, Command, Coordinator, Settings, home_installs, plan,
};
use ringshift::record::Record;
use ringshift::store::{Change, Chunks, Content, MemoryShard};
use ringshift::{Instant, Operation, Policy, Router, ShardId, Snapshot, Step, Term, Topology};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::stories::{Does, When};
use super::{EVENTS_MAX, Shorter, Story};
use crate::vectors::hex;

/// A shard's clock counts from elsewhere.
const CLOCK_MS: u64 = 1_000_000;

pub(super) struct World {
    record: Record,
    shards: BTreeMap<ShardId, MemoryShard>,
    chunks: Chunks,
    settings: Arc<Settings>,
    coordinator: Coordinator,
    now: Instant,
    shorter: Shorter,
    events: Vec<Value>,
    cut: Option<ShardId>,
    spoilt: Option<ShardId>,
    lost: u32,
    /// Answers since something happened.
    answered: u32,
}

fn of<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_json::from_value(value.clone()).map_err(|e| format!("{e} in {value}"))
}

pub(super) fn trace(story: &Story) -> Result<Value, String> {
    let topology: Topology = of(&story.topology)?;
    let snapshot = Arc::new(topology.snapshot().map_err(|e| e.to_string())?);
    let settings: Settings = of(&story.settings)?;
    let settings = Arc::new(settings);
    let now = Instant::from_millis(1_000);
    let wanted = if story.changes.is_null() {
        None
    } else {
        let changes: Changes = of(&story.changes)?;
        let plan = plan(&snapshot, &changes, story.wave_slots).map_err(|e| e.to_string())?;
        Some(plan.log)
    };
    let mut record = Record::first(Arc::clone(&snapshot));
    record.term = Term(1);
    let mut world = World {
        record,
        shards: shards(&snapshot, story.rows)?,
        chunks: Chunks::default(),
        coordinator: Coordinator::new(Term(2), Arc::clone(&settings), wanted, now),
        settings,
        now,
        shorter: Shorter::default(),
        events: Vec::new(),
        cut: None,
        spoilt: None,
        lost: 0,
        answered: 0,
    };
    let mut head = json!({
        "name": story.name, "term": 2, "settings": story.settings, "snapshot": hex(&snapshot.encode()),
        "changes": story.changes, "wave_slots_max": story.wave_slots,
    });
    let mut action = world.event("begin", json!(true))?;
    let mut happens = story.happens.iter().peekable();
    while world.events.len() < EVENTS_MAX {
        if let Some((when, does)) = happens.peek()
            && world.is_it(when, &action)
        {
            happens.next();
            world.answered = 0;
            if matches!(does, Does::Succeeds) {
                let current = Arc::clone(&world.record.snapshot);
                head = json!({
                    "name": story.name, "term": 3, "settings": story.settings,
                    "snapshot": hex(&current.encode()), "changes": null, "wave_slots_max": 0,
                });
            }
            if let Some(next) = world.does(does)? {
                action = next;
            }
            continue;
        }
        action = match action {
            Action::Do { id, command, .. } => {
                let answer = world.carry(&command)?;
                world.now = world.now.after(1);
                world.answered += 1;
                let written = json!(answer);
                world.coordinator.handle_answer(world.now, id, answer);
                world.answer(id.0, written)?
            }
            Action::Wait { until } => {
                if until == Instant::NEVER {
                    return Err("it waits for good".to_owned());
                }
                world.now = until.max(world.now);
                world.coordinator.handle_timeout(world.now);
                world.event("timeout", json!(true))?
            }
            Action::Over(_) => {
                let left = happens.count();
                if left > 0 {
                    let over = json!(action);
                    return Err(format!("it is over before {left} things happen: {over}"));
                }
                return world.told(head);
            }
        };
    }
    Err(format!("it doesn't end: {}", json!(action)))
}

impl World {
    fn told(self, mut head: Value) -> Result<Value, String> {
        let coordinator = self.coordinator;
        let decisions: Vec<_> = coordinator.decisions().collect();
        let ends = json!({
            "epoch": coordinator.snapshot().map(|snapshot| snapshot.epoch()),
            "decisions": decisions, "mismatches": coordinator.mismatches(),
            "status": coordinator.status(), "log": coordinator.log(),
        });
        let mut shorter = self.shorter;
        let head = head.as_object_mut().ok_or("no head")?;
        head.insert("events".to_owned(), json!(self.events));
        head.insert("ends".to_owned(), shorter.shorten(ends));
        Ok(Value::Object(std::mem::take(head)))
    }

    fn is_it(&self, when: &When, action: &Action) -> bool {
        match (when, action) {
            (When::Asked(goal, stage), Action::Do { point, .. }) => {
                let (asked, at) = (json!(point.goal), json!(point.stage));
                let named = match &asked {
                    Value::Object(one) => one.keys().any(|name| name == goal),
                    name => name == goal,
                };
                named && (stage.is_empty() || at == *stage)
            }
            (When::After(count), Action::Do { .. } | Action::Wait { .. }) => {
                self.answered >= *count
            }
            (When::Waits, Action::Wait { .. }) | (When::Over, Action::Over(_)) => true,
            _ => false,
        }
    }

    fn does(&mut self, does: &Does) -> Result<Option<Action>, String> {
        let now = self.now;
        let coordinator = &mut self.coordinator;
        let (name, of_it) = match does {
            Does::RollBack(reason) => {
                coordinator.roll_back(reason);
                ("roll_back", json!(reason))
            }
            Does::Pause(reason) => {
                coordinator.pause(reason);
                ("pause", json!(reason))
            }
            Does::Resume => {
                coordinator.resume();
                ("resume", json!(true))
            }
            Does::Agree => {
                coordinator.agree_to_finish();
                ("agree_to_finish", json!(true))
            }
            Does::Health(health) => {
                coordinator.handle_health(now, of(health)?);
                ("health", health.clone())
            }
            Does::Clock(unix_ms, offset) => {
                coordinator.handle_wall_clock(now, *unix_ms, *offset);
                ("wall_clock", json!([unix_ms, offset]))
            }
            Does::Asks(request) => {
                let request = of(request)?;
                let (_, next) = self.record.decide(&Command::Ask { request });
                self.record = next.ok_or("nobody hears it")?;
                return Ok(None);
            }
            Does::Cut(shard) => {
                self.cut = Some(ShardId(*shard));
                return Ok(None);
            }
            Does::Heals => {
                self.cut = None;
                return Ok(None);
            }
            Does::Spoils(shard) => {
                self.spoilt = Some(ShardId(*shard));
                return Ok(None);
            }
            Does::Loses(count) => {
                self.lost = *count;
                return Ok(None);
            }
            Does::Deposed => {
                self.record = self.record.next_term().ok_or("no more terms")?;
                return Ok(None);
            }
            Does::Succeeds => {
                self.record = self.record.next_term().ok_or("no more terms")?;
                let (term, settings) = (self.record.term, Arc::clone(&self.settings));
                self.coordinator = Coordinator::new(term, settings, None, now);
                self.events.clear();
                self.shorter = Shorter::default();
                return self.event("begin", json!(true)).map(Some);
            }
        };
        let action = self.event(name, of_it)?;
        let status = json!(self.coordinator.status());
        if let Some(event) = self.events.last_mut() {
            event["status"] = status;
        }
        Ok(Some(action))
    }

    /// What a store answers, if its answer isn't lost.
    fn carry(&mut self, command: &Command) -> Result<Answer, String> {
        let away = self.lost > 0 || (self.cut.is_some() && self.cut == command.shard());
        self.lost = self.lost.saturating_sub(1);
        if away {
            return Ok(Answer::Unreachable);
        }
        let Some(shard) = command.shard() else {
            let (answer, next) = self.record.decide(command);
            self.record = next.unwrap_or_else(|| self.record.clone());
            return Ok(answer);
        };
        let now = self.now.as_millis() + u64::from(shard.0) * CLOCK_MS;
        let store = self.shards.get_mut(&shard).ok_or("no such shard")?;
        store.handle_time(now);
        let mut answer = store.command(command, &mut self.chunks);
        if self.spoilt == Some(shard) {
            spoil(&mut answer);
        }
        Ok(answer)
    }

    fn answer(&mut self, id: u32, answer: Value) -> Result<Action, String> {
        let answer = self.shorter.shorten(answer);
        let fields = [("id", json!(id)), ("answer", answer)];
        self.write(
            fields
                .map(|(name, of)| (name.to_owned(), of))
                .into_iter()
                .collect(),
        )
    }

    fn event(&mut self, name: &str, of_it: Value) -> Result<Action, String> {
        self.write([(name.to_owned(), of_it)].into_iter().collect())
    }

    fn write(&mut self, mut event: Map<String, Value>) -> Result<Action, String> {
        let action = self.coordinator.poll();
        let said = serde_json::to_value(&action).map_err(|e| e.to_string())?;
        event.insert("at".to_owned(), json!(self.now.as_millis()));
        event.insert("then".to_owned(), self.shorter.shorten(said));
        self.events.push(Value::Object(event));
        Ok(action)
    }
}

/// What a shard answers whose first row is another than it should be.
fn spoil(answer: &mut Answer) {
    match answer {
        Answer::Digests(slots) => slots.iter_mut().take(1).for_each(|slot| slot.sum ^= 1),
        Answer::Keys(keys) => keys.iter_mut().take(1).for_each(|key| key.digest ^= 1),
        _ => {}
    }
}

/// The shards of the cluster, and one that may join, with so many rows where they belong.
fn shards(snapshot: &Arc<Snapshot>, rows: u32) -> Result<BTreeMap<ShardId, MemoryShard>, String> {
    let mut shards = BTreeMap::new();
    for id in 1..=3 {
        let mut shard = MemoryShard::default();
        let mut incarnation = [0; 16];
        incarnation[15] = u8::try_from(id).unwrap_or(0);
        shard.name(incarnation);
        let installs = home_installs(snapshot, ShardId(id));
        shard
            .install(Term(1), &installs)
            .map_err(|e| e.to_string())?;
        shards.insert(ShardId(id), shard);
    }
    let router = Router::new(Arc::clone(snapshot));
    let orders = router.keyspace("orders").map_err(|e| e.to_string())?;
    for n in 0..rows {
        let key = format!("user:{n}");
        let plan = orders.plan(key.as_bytes()).map_err(|e| e.to_string())?;
        let mut write = Operation::write(plan, Policy::default(), Instant::ZERO);
        let Step::Send(attempt) = write.poll() else {
            return Err("a write that sends nothing".to_owned());
        };
        let content = Content::Own {
            change: Change::Put(key.as_bytes()),
            op: [u8::try_from(n).unwrap_or(0); 16],
        };
        let shard = shards.get_mut(&attempt.shard).ok_or("no such shard")?;
        shard.attempt(&attempt, key.as_bytes(), content);
    }
    Ok(shards)
}
