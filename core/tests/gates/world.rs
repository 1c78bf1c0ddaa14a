//! Two shards in memory, a topology record, and time that the test owns: whatever the coordinator
//! waits for, a second at most passes before the test is asked again.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringshift::hash::{slot_of, stored_slot, xxh3};
use ringshift::migration::{
    Action, Answer, Changes, Command, Coordinator, Decided, Ending, Log, Move, Point, Report,
    Settings, home_installs, plan,
};
use ringshift::record::Record;
use ringshift::store::{Chunks, Content, MemoryShard};
use ringshift::{
    Attempt, AttemptId, AttemptKind, DomainId, Epoch, Fence, Instant, KeyspaceId, Payload, Phase,
    Reply, Role, ShardId, ShardTopology, Slot, Term, Topology, Version,
};

pub(crate) const KEYS: u32 = 1_200;
const KEYSPACE: KeyspaceId = KeyspaceId(0);
const BITS: u8 = 8;
/// The shard that is added.
pub(crate) const THIRD: ShardId = ShardId(3);

pub(crate) fn key(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

/// One command that was carried out.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) at: u64,
    pub(crate) point: Point,
    pub(crate) goal: Option<Move>,
    pub(crate) rows: u32,
}

pub(crate) struct World {
    pub(crate) record: Record,
    pub(crate) shards: BTreeMap<ShardId, MemoryShard>,
    chunks: Chunks,
    pub(crate) wanted: Log,
    pub(crate) settings: Settings,
    pub(crate) coordinator: Coordinator,
    pub(crate) now: u64,
    pub(crate) done: Vec<Done>,
    pub(crate) report: Report,
    /// A shard that doesn't answer.
    pub(crate) away: Option<ShardId>,
    /// How long a wait lasts at most before the test is asked again.
    pub(crate) tick_ms: u64,
    op: u128,
}

/// Soaks of ten seconds, and nothing else that takes time.
pub(crate) fn settings() -> Settings {
    Settings {
        shadow_ms: 10_000,
        ramps_ppm: vec![100_000, 500_000, 1_000_000],
        ramp_ms: 10_000,
        reversed_ms: 10_000,
        chunk_rows: 10,
        lag_rows_max: 10,
        ..Settings::default()
    }
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        let text = r#"{"cluster":"test","keyspaces":{"k":{"bits":8}},
                       "shards":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#;
        let topology: Topology = serde_json::from_str(text).unwrap();
        let snapshot = Arc::new(topology.snapshot().unwrap());
        let mut shards = BTreeMap::new();
        for shard in [ShardId(1), ShardId(2)] {
            let mut store = MemoryShard::default();
            let rows = home_installs(&snapshot, shard);
            store.install(Term(1), &rows).unwrap();
            shards.insert(shard, store);
        }
        shards.insert(THIRD, MemoryShard::default());
        let third: ShardTopology = serde_json::from_str(r#"{"id":3,"name":"c"}"#).unwrap();
        let changes = Changes {
            add: vec![third.shard().unwrap()],
            ..Changes::default()
        };
        let wanted = plan(&snapshot, &changes, 0).unwrap().log;
        let record = Record::first(snapshot);
        let coordinator = Coordinator::new(
            Term(1),
            Arc::new(settings.clone()),
            Some(wanted.clone()),
            Instant::ZERO,
        );
        let mut world = Self {
            record,
            shards,
            chunks: Chunks::default(),
            wanted,
            settings,
            coordinator,
            now: 0,
            done: Vec::new(),
            report: Report::new(Instant::ZERO, 1_795_262_400_000),
            away: None,
            tick_ms: 1_000,
            op: 0,
        };
        for number in 0..KEYS {
            world.write(number, b"first");
        }
        world
    }

    /// Another coordinator, which is told nothing.
    pub(crate) fn take_over(&mut self) {
        let term = Term(self.record.term.0 + 1);
        let settings = Arc::new(self.settings.clone());
        self.coordinator = Coordinator::new(term, settings, None, self.time());
    }

    /// The same coordinator with another plan.
    pub(crate) fn begin_with(&mut self, wanted: Log) {
        let settings = Arc::new(self.settings.clone());
        self.coordinator = Coordinator::new(Term(1), settings, Some(wanted), self.time());
    }

    pub(crate) fn time(&self) -> Instant {
        Instant::from_millis(self.now)
    }

    fn slot(number: u32) -> (Slot, u32) {
        let hash = xxh3(&key(number), 0);
        (slot_of(hash, BITS), stored_slot(hash))
    }

    /// Writes at the authority alone, as a relaxed client whose mirror write was lost.
    pub(crate) fn write(&mut self, number: u32, value: &[u8]) {
        let (slot, _) = Self::slot(number);
        for (&shard, store) in &self.shards {
            let Some(domain) = store.guard().map().holder(KEYSPACE, slot, &key(number)) else {
                continue;
            };
            let row = *store.guard().row(domain).unwrap();
            if row.role == Role::Authority {
                let fence = (domain, row.epoch);
                let reply = self.send(shard, fence, number, AttemptKind::Write, value);
                assert!(matches!(reply, Reply::Written { .. }), "{reply:?}");
                return;
            }
        }
        panic!("nobody orders the writes of key {number}");
    }

    fn send(
        &mut self,
        shard: ShardId,
        (domain, epoch): (DomainId, Epoch),
        number: u32,
        kind: AttemptKind,
        value: &[u8],
    ) -> Reply {
        let (slot, stored_slot) = Self::slot(number);
        let attempt = Attempt {
            id: AttemptId(0),
            shard,
            keyspace: KEYSPACE,
            slot,
            stored_slot,
            fence: Fence { domain, epoch },
            kind,
            blocking: true,
            unfenced: None,
        };
        // A write with a known operation is taken for a repeat.
        self.op += 1;
        let content = Content::Own {
            change: ringshift::store::Change::Put(value),
            op: self.op.to_be_bytes(),
        };
        let store = self.shards.get_mut(&shard).unwrap();
        store.attempt(&attempt, &key(number), content).reply
    }

    /// Puts something on a mirror that its authority has never had. Answers how many rows.
    pub(crate) fn corrupt(&mut self, rows: u32) -> u32 {
        let mut spoilt = 0;
        for number in 0..KEYS {
            let (slot, _) = Self::slot(number);
            let mirror = self.shards.iter().find_map(|(&shard, store)| {
                let domain = store.guard().map().holder(KEYSPACE, slot, &key(number))?;
                let row = store.guard().row(domain)?;
                let mirrors = matches!(row.role, Role::Mirror | Role::ReadableMirror);
                let (version, _) = store.row(KEYSPACE, &key(number))?;
                mirrors.then_some((shard, (domain, row.epoch), version))
            });
            let Some((shard, fence, version)) = mirror.filter(|_| spoilt < rows) else {
                continue;
            };
            let version = Version::new(version.epoch, version.counter + 1);
            let kind = AttemptKind::Apply {
                version,
                payload: Payload::Own,
            };
            let reply = self.send(shard, fence, number, kind, b"rotten");
            assert!(matches!(reply, Reply::Written { .. }), "{reply:?}");
            spoilt += 1;
        }
        spoilt
    }

    /// What the shards hold of a key, tombstones left out.
    pub(crate) fn values(&self, number: u32) -> Vec<Vec<u8>> {
        self.shards
            .values()
            .filter_map(|store| store.row(KEYSPACE, &key(number))?.1.map(<[u8]>::to_vec))
            .collect()
    }

    pub(crate) fn phase(&self) -> Option<(Phase, u32)> {
        let waves = &self.record.snapshot.content().keyspaces[0].waves;
        let busy = waves.iter().find(|wave| wave.phase != Phase::Reversed);
        busy.or(waves.first())
            .map(|wave| (wave.phase, wave.ramp_ppm))
    }

    pub(crate) fn decided(&self) -> Vec<Decided> {
        self.coordinator.decisions().map(|d| d.what).collect()
    }

    /// One command, or a second of waiting at most.
    pub(crate) fn step(&mut self) -> Option<Ending> {
        match self.coordinator.poll() {
            Action::Do {
                id,
                point,
                wave,
                command,
            } => {
                let goal = self.coordinator.goal();
                let answer = self.carry_out(&command);
                let rows = match &answer {
                    Answer::Changes { rows, .. } | Answer::Removed { rows, .. } => *rows,
                    _ => 0,
                };
                let time = self.time();
                self.report
                    .handle_command(time, point, goal, wave, &command, &answer);
                let at = self.now;
                self.done.push(Done {
                    at,
                    point,
                    goal,
                    rows,
                });
                self.coordinator.handle_answer(time, id, answer);
                self.report.handle_coordinator(time, &self.coordinator);
                None
            }
            Action::Wait { until } => {
                assert!(until > self.time(), "a wait that has passed");
                self.now = until.as_millis().min(self.now + self.tick_ms);
                self.coordinator.handle_timeout(self.time());
                None
            }
            Action::Over(ending) => {
                let time = self.time();
                self.report.handle_coordinator(time, &self.coordinator);
                self.report.handle_ending(time, &ending);
                Some(ending)
            }
        }
    }

    fn carry_out(&mut self, command: &Command) -> Answer {
        match command.shard() {
            None => {
                let (answer, next) = self.record.decide(command);
                if let Some(next) = next {
                    self.record = next;
                }
                answer
            }
            Some(shard) if self.away == Some(shard) => Answer::Unreachable,
            Some(shard) => match self.shards.get_mut(&shard) {
                Some(store) => store.command(command, &mut self.chunks),
                None => Answer::Unreachable,
            },
        }
    }

    /// Steps until the end; `each` is asked before each step. Days at most.
    pub(crate) fn run(&mut self, mut each: impl FnMut(&mut Self)) -> Ending {
        let end = self.now + 30 * 24 * 3_600_000;
        for _ in 0..2_000_000 {
            each(self);
            if let Some(ending) = self.step() {
                return ending;
            }
            assert!(
                self.now < end,
                "it goes on for ever: {:?}",
                self.coordinator.status()
            );
        }
        panic!("it goes on for ever: {:?}", self.coordinator.status());
    }

    /// The moments in which a barrier began.
    pub(crate) fn barriers(&self) -> Vec<(u64, Move)> {
        self.done
            .iter()
            .filter(|done| done.point.stage == ringshift::migration::Stage::CloseFrom)
            .filter_map(|done| Some((done.at, done.goal?)))
            .collect()
    }
}
