//! The shards, the topology record and the clock of one migration, and what may befall them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringshift::migration::{
    Action, Answer, Changes, Checks, Command, Coordinator, Ending, Settings, Throttle,
    home_installs, plan,
};
use ringshift::record::Record;
use ringshift::store::{Chunks, MemoryShard};
use ringshift::{Instant, ShardId, Snapshot, Term, Topology};

use super::super::input::Input;
use super::client::Client;

/// What may be wished of two shards, a third beside them.
const WISHES: [&str; 6] = [
    r#"{"add":[{"id":3,"name":"c"}]}"#,
    r#"{"remove":[2]}"#,
    r#"{"move_slots":[{"keyspace":"k","slots":"0-7","to":1}]}"#,
    r#"{"move_key":[{"keyspace":"k","key":"a","to":1}]}"#,
    r#"{"move_prefix":[{"keyspace":"k","prefix":"t:","to":1},{"keyspace":"k","prefix":"p:","to":2}]}"#,
    r#"{"grow_bits":[{"keyspace":"k","bits":5}]}"#,
];

pub(crate) struct World {
    pub(crate) record: Record,
    pub(crate) shards: BTreeMap<ShardId, MemoryShard>,
    pub(crate) coordinator: Coordinator,
    pub(crate) now: Instant,
    settings: Arc<Settings>,
    chunks: Chunks,
    /// Commands that shards were given, whose copies may come late.
    given: Vec<Command>,
    client: Client,
}

impl World {
    pub(crate) fn new(input: &mut Input<'_>) -> Self {
        let text = r#"{"cluster":"w","keyspaces":{"k":{"bits":4,"pins":[{"prefix":"p:","shard":1}]}},
                       "shards":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#;
        let topology: Topology = serde_json::from_str(text).unwrap();
        let snapshot = Arc::new(topology.snapshot().unwrap());
        let settings = Arc::new(settings(input));
        let wish = WISHES[input.below(WISHES.len())];
        let changes: Changes = serde_json::from_str(wish).unwrap();
        let slots = [0, 1, 3][input.below(3)];
        let planned = plan(&snapshot, &changes, slots);
        let wanted = planned
            .unwrap_or_else(|error| panic!("{error}: {wish}"))
            .log;
        let shards = (1..=3).map(|id| (ShardId(id), shard(&snapshot, ShardId(id))));
        let shards = shards.collect();
        let now = Instant::from_millis(1_000);
        let coordinator = Coordinator::new(Term(1), Arc::clone(&settings), Some(wanted), now);
        Self {
            client: Client::new(&snapshot),
            record: Record::first(snapshot),
            shards,
            coordinator,
            now,
            settings,
            chunks: Chunks::default(),
            given: Vec::new(),
        }
    }

    /// One thing more.
    pub(crate) fn happens(&mut self, input: &mut Input<'_>) {
        match input.byte() % 16 {
            0..=5 => self.advance(true, true),
            6 => self.advance(true, false),
            7 => self.advance(false, false),
            8 => self.pass(input.number().into()),
            9 => self.repeat(input),
            10 => self.wish(input),
            kind => {
                let Self { shards, record, .. } = self;
                self.client
                    .happens(kind - 11, self.now, shards, record, input);
            }
        }
    }

    /// The coordinator's next command; whether it is carried out, and whether its answer comes.
    fn advance(&mut self, carried: bool, answered: bool) {
        match self.coordinator.poll() {
            Action::Do { id, command, .. } => {
                let answer = if carried {
                    self.carry(&command)
                } else {
                    Answer::Unreachable
                };
                self.now = self.now.after(1);
                let answer = if answered {
                    answer
                } else {
                    Answer::Unreachable
                };
                self.coordinator.handle_answer(self.now, id, answer);
            }
            Action::Wait { until } => {
                if until < Instant::from_millis(1 << 40) {
                    self.now = self.now.max(until);
                }
                self.coordinator.handle_timeout(self.now);
            }
            Action::Over(_) => {}
        }
    }

    pub(crate) fn carry(&mut self, command: &Command) -> Answer {
        let Some(shard) = command.shard() else {
            let (answer, next) = self.record.decide(command);
            if let Some(next) = next {
                let (old, new) = (self.record.snapshot.epoch(), next.snapshot.epoch());
                assert!(
                    (next.term, new) >= (self.record.term, old),
                    "the record went back"
                );
                self.record = next;
            }
            return answer;
        };
        self.given.push(command.clone());
        let Some(shard) = self.shards.get_mut(&shard) else {
            return Answer::Unreachable;
        };
        shard.handle_time(self.now.as_millis());
        shard.command(command, &mut self.chunks)
    }

    fn pass(&mut self, ms: u64) {
        self.now = self.now.after(ms.min(5_000));
        self.coordinator.handle_timeout(self.now);
    }

    /// A copy of a command comes late, and nobody hears the answer.
    fn repeat(&mut self, input: &mut Input<'_>) {
        let back = input.below(256);
        let Some(at) = self.given.len().checked_sub(1 + back) else {
            return;
        };
        let command = self.given[at].clone();
        let Some(shard) = command.shard().and_then(|id| self.shards.get_mut(&id)) else {
            return;
        };
        shard.handle_time(self.now.as_millis());
        let _ = shard.command(&command, &mut self.chunks);
    }

    fn wish(&mut self, input: &mut Input<'_>) {
        match input.below(6) {
            0 => self.coordinator.roll_back("fuzz"),
            1 => self.coordinator.pause("fuzz"),
            2 => self.coordinator.resume(),
            3 => self.coordinator.agree_to_finish(),
            _ => self.take_over(),
        }
    }

    /// The coordinator dies, and another is told nothing.
    pub(crate) fn take_over(&mut self) {
        let Some(next) = self.record.term.0.checked_add(1) else {
            return;
        };
        let term = Term(next.max(self.coordinator.term().0 + 1));
        let settings = Arc::clone(&self.settings);
        self.coordinator = Coordinator::new(term, settings, None, self.now).led_by(term.0.into());
        self.chunks = Chunks::default();
    }

    /// From here on nothing fails: the migration ends, and what was acknowledged is there.
    pub(crate) fn settle(&mut self) -> Ending {
        let Self { shards, record, .. } = self;
        self.client.finish(&mut self.now, shards, record);
        for _ in 0..4_000 {
            match self.coordinator.poll() {
                Action::Over(Ending::Paused { .. }) => self.coordinator.resume(),
                Action::Over(_) => break,
                Action::Wait { .. } => {
                    self.coordinator.agree_to_finish();
                    self.coordinator.resume();
                    self.advance(true, true);
                }
                Action::Do { .. } => self.advance(true, true),
            }
        }
        let Action::Over(ending) = self.coordinator.poll() else {
            panic!("it goes on for ever: {:?}", self.coordinator.status());
        };
        if let Ending::Complete | Ending::RolledBack { .. } = ending {
            let content = self.record.snapshot.content();
            let waves = content.keyspaces.iter().map(|k| k.waves.len());
            assert_eq!(waves.sum::<usize>(), 0, "{ending:?}, and waves are left");
        }
        let Self { shards, record, .. } = self;
        self.client.read_all(&mut self.now, shards, record);
        ending
    }
}

fn shard(snapshot: &Snapshot, id: ShardId) -> MemoryShard {
    let mut shard = MemoryShard::default();
    shard.name([u8::try_from(id.0).unwrap(); 16]);
    shard
        .install(Term(0), &home_installs(snapshot, id))
        .unwrap();
    shard
}

fn settings(input: &mut Input<'_>) -> Settings {
    let choices = input.byte();
    let of = |bit: u8| choices >> bit & 1 == 1;
    Settings {
        strict: of(0),
        shadow_ppm: if of(1) { 500_000 } else { 0 },
        shadow_ms: 5,
        verify: of(2),
        ramps_ppm: if of(3) { vec![500_000] } else { vec![] },
        ramp_ms: 5,
        reversed_ms: 5,
        chunk_rows: 2,
        lag_rows_max: u32::from(of(4)),
        checkpoint_chunks: 1,
        barrier_ms: 50,
        retry_ms: 1,
        offline: of(5),
        offline_ms: 100,
        finish_each: of(6),
        lease_ms: if of(7) { 100 } else { 0 },
        margin_ms: 5,
        patience_ms: 50,
        throttle: Throttle::OFF,
        checks: Checks::OFF,
        ..Settings::default()
    }
}
