//! A whole cluster in memory: shards, the topology's record, and a coordinator that is driven to
//! its end, with everything checked after each command.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ringshift::migration::{
    Action, Answer, Command, Coordinator, Ending, Log, Move, Settings, home_installs,
};
use ringshift::record::Record;
use ringshift::store::{Change, Chunks, Content, MemoryShard};
use ringshift::{
    Access, Attempt, AttemptId, AttemptKind, Fence, Instant, KeyspaceId, ReadPlace, Reply, Router,
    ShardId, Slot, Snapshot, Term, Topology,
};

pub(crate) const K: KeyspaceId = KeyspaceId(0);

pub(crate) struct World {
    pub(crate) record: Record,
    pub(crate) shards: BTreeMap<ShardId, MemoryShard>,
    pub(crate) keys: Vec<Vec<u8>>,
    chunks: Chunks,
    term: u32,
    now: Instant,
    /// By key: where a client of any snapshot would send a write, in order.
    sent: BTreeMap<Vec<u8>, BTreeSet<(ShardId, Slot, Fence)>>,
    op: u8,
    slow: bool,
    /// The moves that were made, in their order.
    pub(crate) goals: Vec<Move>,
}

/// What a driver may do between commands.
pub(crate) enum Then {
    Nothing,
    RollBack,
    Die,
}

pub(crate) fn snapshot(shards: u32, bits: u8, rule: &str) -> Snapshot {
    let shards: Vec<String> = (1..=shards)
        .map(|id| format!(r#"{{"id":{id},"name":"s{id}"}}"#))
        .collect();
    let text = format!(
        r#"{{"cluster":"plans","keyspaces":{{"k":{{"bits":{bits},"key":{rule}}}}},"shards":[{}]}}"#,
        shards.join(",")
    );
    let topology: Topology = serde_json::from_str(&text).unwrap();
    topology.snapshot().unwrap()
}

impl World {
    /// A cluster with a row for each key.
    pub(crate) fn new(snapshot: Snapshot, keys: Vec<Vec<u8>>) -> Self {
        let snapshot = Arc::new(snapshot);
        let mut world = Self {
            record: Record::first(Arc::clone(&snapshot)),
            shards: BTreeMap::new(),
            keys,
            chunks: Chunks::default(),
            term: 0,
            now: Instant::ZERO,
            sent: BTreeMap::new(),
            op: 0,
            slow: false,
            goals: Vec::new(),
        };
        for shard in &snapshot.content().shards {
            let rows = home_installs(&snapshot, shard.id);
            let at = world.shards.entry(shard.id).or_default();
            at.install(Term(0), &rows).unwrap();
        }
        world.remember();
        world.write_all();
        world
    }

    /// Writes every key, as a client of the newest snapshot does.
    pub(crate) fn write_all(&mut self) {
        self.op += 1;
        for key in self.keys.clone() {
            assert!(self.write(&self.router(), &key), "{}", key.escape_ascii());
        }
    }

    pub(crate) fn router(&self) -> Router {
        Router::new(Arc::clone(&self.record.snapshot))
    }

    /// Whether the write was done, at its authority and at its mirror.
    pub(crate) fn write(&mut self, router: &Router, key: &[u8]) -> bool {
        let plan = router.keyspace("k").unwrap().plan(key).unwrap();
        let attempt = |shard, kind| Attempt {
            id: AttemptId(1),
            shard,
            keyspace: plan.keyspace,
            slot: plan.slot,
            stored_slot: plan.stored_slot,
            fence: plan.fence,
            kind,
            blocking: true,
            unfenced: None,
        };
        let content = Content::Own {
            change: Change::Put(&[self.op]),
            op: [self.op; 16],
        };
        let at = self.shards.get_mut(&plan.authority).unwrap();
        let reply = at.attempt(&attempt(plan.authority, AttemptKind::Write), key, content);
        let Reply::Written { version } = reply.reply else {
            return false;
        };
        if let Some(mirror) = plan.mirror {
            let payload = ringshift::Payload::Own;
            let apply = attempt(mirror, AttemptKind::Apply { version, payload });
            let at = self.shards.get_mut(&mirror).unwrap();
            at.attempt(&apply, key, content);
        }
        true
    }

    /// What a client of the newest snapshot reads.
    pub(crate) fn read(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        let router = self.router();
        let plan = router.keyspace("k").unwrap().plan(key).unwrap();
        let places = match plan.read {
            ReadPlace::One(shard) => vec![shard],
            ReadPlace::Fallback { first, second } => vec![first, second],
        };
        places.into_iter().find_map(|shard| {
            let attempt = Attempt {
                id: AttemptId(1),
                shard,
                keyspace: plan.keyspace,
                slot: plan.slot,
                stored_slot: plan.stored_slot,
                fence: plan.fence,
                kind: AttemptKind::Read,
                blocking: true,
                unfenced: None,
            };
            let at = self.shards.get_mut(&shard).unwrap();
            let response = at.attempt(&attempt, key, Content::None);
            let Reply::Found { .. } = response.reply else {
                return None;
            };
            response.found.and_then(|found| found.value)
        })
    }

    fn carry(&mut self, command: &Command) -> Answer {
        if let Some(shard) = command.shard() {
            let at = self.shards.entry(shard).or_default();
            return at.command(command, &mut self.chunks);
        }
        let (answer, next) = self.record.decide(command);
        if let Some(next) = next {
            assert!(next.snapshot.epoch() >= self.record.snapshot.epoch());
            // Whatever is published can be read again, by any language.
            assert_eq!(Record::decode(&next.encode().unwrap()).unwrap(), next);
            self.record = next;
            self.remember();
        }
        answer
    }

    /// Drives a coordinator to its end, or until `then` says otherwise.
    pub(crate) fn drive(
        &mut self,
        settings: &Settings,
        wanted: Option<Log>,
        mut then: impl FnMut(usize, &Coordinator, &Log) -> Then,
    ) -> Option<Ending> {
        self.term += 1;
        let term = Term(self.term);
        let mut coordinator = Coordinator::new(term, Arc::new(settings.clone()), wanted, self.now);
        for step in 0..200_000 {
            match then(step, &coordinator, &self.record.log) {
                Then::Nothing => {}
                Then::RollBack => coordinator.roll_back("asked"),
                Then::Die => return None,
            }
            match coordinator.poll() {
                Action::Do {
                    id, point, command, ..
                } => {
                    if self.goals.last() != Some(&point.goal) {
                        self.goals.push(point.goal);
                    }
                    let answer = self.carry(&command);
                    self.one_authority();
                    self.all_placed();
                    if self.slow {
                        self.now = self.now.after(1);
                    }
                    coordinator.handle_answer(self.now, id, answer);
                }
                Action::Wait { until } => {
                    self.now = until.max(self.now.after(1));
                    coordinator.handle_timeout(self.now);
                }
                Action::Over(ending) => return Some(ending),
            }
        }
        panic!("it doesn't end: {:?}", coordinator.log());
    }

    /// The same, where a millisecond goes by with each answer.
    pub(crate) fn drive_slowly(&mut self, wanted: Log) -> Option<Ending> {
        self.slow = true;
        let ending = self.drive(&Settings::default(), Some(wanted), |_, _, _| Then::Nothing);
        self.slow = false;
        ending
    }

    /// What clients of the newest snapshot would send, beside all that older ones still do.
    fn remember(&mut self) {
        let router = self.router();
        let keyspace = router.keyspace("k").unwrap();
        for key in &self.keys {
            let plan = keyspace.plan(key).unwrap();
            let sent = self.sent.entry(key.clone()).or_default();
            sent.insert((plan.authority, plan.slot, plan.fence));
        }
    }

    /// Of no key would two shards order the writes, whatever snapshot a client has.
    fn one_authority(&self) {
        for (key, sent) in &self.sent {
            let admits = |(shard, slot, fence): &(ShardId, Slot, Fence)| {
                let guard = self.shards.get(shard)?.guard();
                guard.admit(K, *slot, key, *fence, Access::Write).ok()?;
                Some(*shard)
            };
            let mut at: Vec<ShardId> = sent.iter().filter_map(admits).collect();
            at.dedup();
            assert!(at.len() <= 1, "{at:?} order {}", key.escape_ascii());
        }
    }

    /// Every key has a shard that is on the list.
    fn all_placed(&self) {
        let router = self.router();
        let keyspace = router.keyspace("k").unwrap();
        for key in &self.keys {
            let plan = keyspace.plan(key).unwrap();
            assert!(self.record.snapshot.shard(plan.authority).is_some());
            assert!(self.shards.contains_key(&plan.authority));
        }
    }

    /// Which shard has each key's row, and only that one.
    pub(crate) fn places(&self) -> Vec<ShardId> {
        let has = |key: &Vec<u8>| {
            let here = |(id, shard): (&ShardId, &MemoryShard)| shard.row(K, key).map(|_| *id);
            let found: Vec<ShardId> = self.shards.iter().filter_map(here).collect();
            assert_eq!(found.len(), 1, "{} is on {found:?}", key.escape_ascii());
            found[0]
        };
        self.keys.iter().map(has).collect()
    }

    /// Every row is where the snapshot says, once, with the last value.
    pub(crate) fn settled(&mut self) {
        let router = self.router();
        let keyspace = router.keyspace("k").unwrap();
        for (key, place) in self.keys.clone().iter().zip(self.places()) {
            assert_eq!(keyspace.plan(key).unwrap().authority, place);
            assert_eq!(
                self.read(key),
                Some(vec![self.op]),
                "{}",
                key.escape_ascii()
            );
        }
        assert_eq!(self.record.log, Log::default());
        let keyspaces = &self.record.snapshot.content().keyspaces;
        assert!(keyspaces.iter().all(|k| k.waves.is_empty()));
        self.write_all();
    }
}

/// Without waiting: what a test of decisions needs.
pub(crate) fn quick(settings: Settings) -> Settings {
    Settings {
        shadow_ms: settings.shadow_ms.min(3),
        ramp_ms: settings.ramp_ms.min(2),
        reversed_ms: settings.reversed_ms.min(5),
        chunk_rows: 7,
        lag_rows_max: 7,
        checkpoint_chunks: 2,
        ..settings
    }
}
