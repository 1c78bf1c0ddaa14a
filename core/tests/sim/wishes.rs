//! What people wish for: migrations, pauses, ways back, edits of the directory.

use std::sync::Arc;

use ringshift::migration::{
    Answer, Changes, Command, Log, PlanOptions, Request, Strategy, Wish, home_installs, plan_with,
};
use ringshift::record::Record;
use ringshift::{Entry, Match, ShardId, Snapshot, Target, slot_runs};
use serde_json::{Value, json};

use crate::client::K;
use crate::message::Event;
use crate::story::About;
use crate::world::World;

impl World {
    /// Somebody looks in, and perhaps wishes for something.
    pub(crate) fn operator(&mut self) {
        let next = if self.calm {
            250
        } else {
            self.dice.between(20, 500)
        };
        self.at(self.now + next, Event::Operator);
        if self.calm && self.is_quiet() && self.record.desk.request.is_none() {
            return self.ask_final_reads();
        }
        let busy = !self.is_quiet();
        if self.draw.agents {
            self.ask_agents(busy);
        } else {
            self.start_coordinators(busy);
        }
    }

    fn ask_agents(&mut self, busy: bool) {
        let shut = self.shards.iter().find(|(_, s)| s.store.guard().is_shut());
        let shut = shut.map(|(id, _)| *id);
        let request = match shut {
            Some(shard) if self.calm || self.dice.chance(300) => Request::Readmit { shard },
            _ if self.record.log.wish == Wish::Pause && self.resumes() => Request::Resume,
            _ if self.calm => return,
            _ if !busy => match self.wish() {
                Some(log) => Request::Begin(log),
                None => return,
            },
            _ => match self.dice.below(100) {
                0..7 => Request::RollBack {
                    reason: "asked".into(),
                },
                7..14 => Request::Pause {
                    reason: "asked".into(),
                },
                _ => return,
            },
        };
        let (answer, next) = self.record.decide(&Command::Ask {
            request: request.clone(),
        });
        if let Some(next) = next {
            self.put_record(next);
        }
        if matches!(answer, Answer::Requested { .. }) {
            self.counts.add("requests");
            self.tell(About::All, || format!("somebody asks: {}", name(&request)));
        }
    }

    fn resumes(&mut self) -> bool {
        self.calm || self.dice.chance(500)
    }

    fn start_coordinators(&mut self, busy: bool) {
        let at_work: Vec<usize> = (0..2).filter(|at| self.is_at_work(*at)).collect();
        if at_work.is_empty() {
            let up: Vec<usize> = (0..2).filter(|at| self.leaders[*at].up).collect();
            if up.is_empty() || !(self.calm || self.dice.chance(500)) {
                return;
            }
            let at = self.dice.pick(&up);
            if busy {
                self.appoint(at, None);
            } else if !self.calm
                && let Some(log) = self.wish()
            {
                self.appoint(at, Some(log));
            }
            return;
        }
        let at = self.dice.pick(&at_work);
        if self.record.log.wish == Wish::Pause && self.resumes() {
            self.counts.add("resumed");
            if let Some(coordinator) = self.leaders[at].coordinator_mut() {
                coordinator.resume();
            }
            return self.lead(at);
        }
        if self.calm {
            return;
        }
        match self.dice.below(100) {
            0..7 => {
                if let Some(coordinator) = self.leaders[at].coordinator_mut() {
                    coordinator.roll_back("asked");
                }
                self.tell(About::All, || format!("leader {at} is to roll back"));
                self.lead(at);
            }
            7..14 => {
                if let Some(coordinator) = self.leaders[at].coordinator_mut() {
                    coordinator.pause("asked");
                }
                self.tell(About::All, || format!("leader {at} is to pause"));
                self.lead(at);
            }
            14..18 => {
                // The other one takes over, while this one doesn't know.
                let other = 1 - at;
                if self.leaders[other].up {
                    self.counts.add("two coordinators at once");
                    self.appoint(other, None);
                }
            }
            _ => {}
        }
    }

    /// A plan for a wish by chance. Some can't be meant, and are refused.
    fn wish(&mut self) -> Option<Log> {
        if !self.dice.chance(700) {
            return None;
        }
        let snapshot = Arc::clone(&self.record.snapshot);
        for _ in 0..4 {
            let way = self.dice.pick(Strategy::ALL);
            let wish = self.changes(&snapshot);
            let Ok(changes) = serde_json::from_value::<Changes>(wish.clone()) else {
                self.fail(None, format!("no wish: {wish}"));
                return None;
            };
            let options = PlanOptions {
                strategy: Some(way),
                wave_slots_max: u32::try_from(self.dice.pick(&[0, 0, 2, 5])).unwrap(),
                settings: Some(self.draw.settings(&mut self.dice, way)),
                ..PlanOptions::default()
            };
            let Ok(plan) = plan_with(&snapshot, &changes, &options) else {
                self.counts.add("wishes refused");
                continue;
            };
            for shard in &changes.add {
                self.open_shard_that(shard.id, shard.unfenced);
                self.next_shard += 1;
            }
            self.tell(About::All, || format!("wished for, {}: {wish}", way.name()));
            return Some(plan.log);
        }
        None
    }

    fn changes(&mut self, snapshot: &Snapshot) -> Value {
        let content = snapshot.content();
        let shards: Vec<u32> = content.shards.iter().map(|shard| shard.id.0).collect();
        let dice = &mut self.dice;
        let to = dice.pick(&shards);
        let key = String::from_utf8(dice.pick_ref(&self.draw.keys).to_vec()).unwrap();
        let other = String::from_utf8(dice.pick_ref(&self.draw.keys).to_vec()).unwrap();
        let (start, end) = if key < other {
            (&key, &other)
        } else {
            (&other, &key)
        };
        let directory = &content.keyspaces[0].directory;
        match dice.below(13) {
            0 | 1 if shards.len() < 5 => {
                let shard = self.draw.shard(dice, self.next_shard);
                json!({"add": [shard]})
            }
            2 if shards.len() > 2 => json!({"remove": [to]}),
            3 => {
                let weight = dice.pick(&[0.0, 0.5, 1.0, 2.0]);
                json!({"reweight": [{"id": to, "weight": weight}]})
            }
            4 if shards.len() > 2 => json!({"drain": [to]}),
            5 | 6 => {
                let slots = 1_u32 << content.keyspaces[0].bits;
                let some = dice.between(1, 6);
                let slots: Vec<u64> = (0..some).map(|_| dice.below(slots.into())).collect();
                json!({"move_slots": [{"keyspace": "k", "slots": slots, "to": to}]})
            }
            7 => json!({"move_key": [{"keyspace": "k", "key": key, "to": to}]}),
            8 => {
                let prefix = &key[..dice.pick(&[2, 3])];
                json!({"move_prefix": [{"keyspace": "k", "prefix": prefix, "to": to}]})
            }
            9 => json!({"move_range": [
                {"keyspace": "k", "start": start, "end": end, "to": to}]}),
            10 if self.draw.unfenced.is_none() && content.keyspaces[0].bits < 6 => {
                json!({"grow_bits": [
                    {"keyspace": "k", "bits": content.keyspaces[0].bits + 1}]})
            }
            _ if !directory.is_empty() => {
                let of = match &directory[dice.index(directory.len())].matches {
                    Match::Exact(key) => json!({"key": text(key)}),
                    Match::Prefix(prefix) => json!({"prefix": text(prefix)}),
                    Match::Range { start, end } => json!({"range": [text(start), text(end)]}),
                };
                let mut unpin = json!({"keyspace": "k"});
                if let (Value::Object(to), Value::Object(of)) = (&mut unpin, of) {
                    to.extend(of);
                }
                json!({"unpin": [unpin]})
            }
            _ => json!({"move_key": [{"keyspace": "k", "key": other, "to": to}]}),
        }
    }

    /// Somebody else writes the topology: a shard's tags at any time, a pin while nothing moves.
    pub(crate) fn edit(&mut self) {
        if self.draw.unfenced.is_some() || self.restored.is_some() {
            return;
        }
        let Ok(mut draft) = self.record.snapshot.next_draft() else {
            return;
        };
        let key = self.dice.index(self.draw.keys.len());
        let bytes = self.draw.keys[key].to_vec();
        let plan = self.maps[self.maps.len() - 1]
            .keyspace_at(K)
            .unwrap()
            .plan(&bytes)
            .unwrap();
        // A plan is held against the map before it is written down, and not after: who is about to
        // begin one must not be overtaken by a pin (see PROOF.md).
        let begins = self.record.desk.request.is_some()
            || (0..self.leaders.len()).any(|at| self.is_at_work(at));
        let pins = !begins
            && self.is_quiet()
            && self.record.snapshot.content().keyspaces[0]
                .directory
                .is_empty()
            && self
                .shards
                .get(&plan.authority)
                .is_some_and(|shard| shard.up);
        if !pins {
            let shard = self.dice.index(draft.shards.len());
            let tag = self.dice.below(1_000);
            draft.shards[shard].tags = vec![format!("tag-{tag}")];
            let Ok(next) = Snapshot::build(draft) else {
                return;
            };
            self.counts.add("edits beside a migration");
            return self.publish(next);
        }
        let (epoch, domain) = (draft.epoch, draft.take_domain());
        let index = draft.index_of(plan.authority).unwrap();
        let keyspace = draft.keyspace_mut(K).unwrap();
        keyspace.directory.push(Entry {
            matches: Match::Exact(bytes),
            slots: slot_runs([plan.slot]),
            target: Target::Shard(plan.authority),
            domain,
            epoch,
        });
        // Its home has the key no more.
        keyspace.home_mut(index).unwrap().epoch = epoch;
        let Ok(next) = Snapshot::build(draft) else {
            return;
        };
        let mut rows = home_installs(&next, plan.authority);
        rows.retain(|install| install.row.epoch == epoch);
        self.counts.add("directory edits");
        self.publish(next);
        let shard: ShardId = plan.authority;
        let store = &mut self.shards.get_mut(&shard).unwrap().store;
        let term = store.guard().term();
        store.install(term, &rows).unwrap();
        self.tell(About::All, || {
            format!("key {key} is pinned where it is, on {shard}")
        });
    }

    fn publish(&mut self, next: Snapshot) {
        let next = Record {
            snapshot: Arc::new(next),
            ..self.record.clone()
        };
        self.put_record(next);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn name(request: &Request) -> &'static str {
    match request {
        Request::Begin(_) => "begin",
        Request::Pause { .. } => "pause",
        Request::Resume => "resume",
        Request::RollBack { .. } => "roll back",
        Request::Readmit { .. } => "readmit",
        Request::AgreeToFinish => "agree to finish",
    }
}
