//! A world whose schedule the test picks: two shards, a topology register, a coordinator and
//! clients, and nothing moves until it is told to.
//!
//! Operation, guard, record and coordinator are the core's own; this file only carries messages. A world
//! can be cloned, to see what would follow from one step and then take another.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringshift::migration::{
    Action, Answer, Checks, ChunkId, Command, CommandId, Coordinator, Ending, Log, Mark, Move,
    PlannedWave, Point, Settings, Stage, Throttle, home_installs,
};
use ringshift::record::{Desk, Record};
use ringshift::{
    ClientLease, Epoch, GuardRow, Instant, KeyspaceId, Match, Phase, Refusal, Router, ShardId,
    Slot, SlotRange, Snapshot, Term, Topology, Version, Wave,
};

use super::super::KIND;
use super::shard::{Key, Places, Row, Shard, Value};

/// Two keys of the wave's slots, one beside them on the same shard, and one on the other.
pub(crate) const MOVES: Key = b'a';
pub(crate) const MOVES_TOO: Key = b'e';
pub(crate) const STAYS: Key = b'b';
pub(crate) const THERE: Key = KIND.there();

/// The shard that the wave's slot leaves, and the one that it goes to.
pub(crate) const FROM: ShardId = ShardId(1);
pub(crate) const TO: ShardId = ShardId(2);

/// Which shards check no fence, where any does.
pub(crate) const UNFENCED: [&[ShardId]; 3] = [&[FROM, TO], &[FROM], &[TO]];

/// The same, and where each shard checks it.
pub(crate) fn fencings() -> impl Iterator<Item = &'static [ShardId]> {
    std::iter::once(&[][..]).chain(UNFENCED)
}

/// What clients of unfenced shards have.
pub(crate) const LEASE: ClientLease = ClientLease {
    lease_ms: 1_000,
    attempt_ms: 200,
    margin_ms: 50,
};

pub(crate) fn slot_of(key: Key) -> Slot {
    KIND.slot_of(key)
}

const PLACES: Places = Places {
    keyspace: KeyspaceId(0),
    slot_of,
    stored_of: |key| KIND.stored_of(key),
};

/// A command on its way. Kept, it arrives late; delivered twice, it arrives twice.
#[derive(Clone, Debug)]
pub(crate) struct Errand {
    pub(crate) id: CommandId,
    pub(crate) point: Point,
    pub(crate) command: Command,
    rows: Vec<(Key, Row)>,
}

#[derive(Clone)]
pub(crate) struct World {
    /// What the topology store holds.
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) log: Log,
    term: Term,
    /// The nonce of who leads.
    leader: u64,
    pub(crate) marks: Vec<Mark>,
    pub(crate) shards: BTreeMap<ShardId, Shard>,
    settings: Arc<Settings>,
    pub(crate) coordinator: Coordinator,
    /// The term of the last coordinator.
    office: Term,
    /// What the runner holds between reading and applying.
    chunks: BTreeMap<ChunkId, Vec<(Key, Row)>>,
    pub(crate) now: Instant,
    /// The last operation that a client has begun.
    pub(crate) op: u8,
    /// A shard that no client reaches.
    pub(crate) cut_off: Option<ShardId>,
    /// Mirror writes that nobody waits for are lost.
    pub(crate) lossy: bool,
}

/// No soaks, one step of the ramp, answers after the authority alone.
pub(crate) fn settings() -> Settings {
    Settings {
        strict: false,
        shadow_ppm: 0,
        shadow_ms: 0,
        verify: false,
        ramps_ppm: vec![1_000_000],
        ramp_ms: 0,
        reversed_ms: 0,
        chunk_rows: 8,
        lag_rows_max: 8,
        checkpoint_chunks: 8,
        barrier_ms: 10,
        retry_ms: 0,
        margin_ms: 0,
        throttle: Throttle::OFF,
        checks: Checks::OFF,
        ..Settings::default()
    }
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        Self::with_unfenced(settings, &[])
    }

    /// A world in which these shards check no fence.
    pub(crate) fn with_unfenced(settings: Settings, unfenced: &[ShardId]) -> Self {
        let text = format!(
            r#"{{"cluster":"races","keyspaces":{{"k":{}}},
                "shards":[{{"id":1,"name":"x"}},{{"id":2,"name":"y"}}]}}"#,
            KIND.keyspace()
        );
        let topology: Topology = serde_json::from_str(&text).unwrap();
        let mut draft = topology.snapshot().unwrap().content().clone();
        draft.client_lease = (!unfenced.is_empty()).then_some(LEASE);
        for shard in &mut draft.shards {
            shard.unfenced = unfenced.contains(&shard.id);
        }
        KIND.prepare(&mut draft, slot_of(MOVES).0);
        let snapshot = Arc::new(Snapshot::build(draft).unwrap());
        let router = Router::new(snapshot.clone());
        let owner = |key: Key| {
            let keyspace = router.keyspace("k").unwrap();
            keyspace.plan(&[key]).unwrap().authority
        };
        assert_eq!([MOVES, MOVES_TOO, STAYS].map(owner), [FROM; 3]);
        assert_eq!(owner(THERE), TO);
        for key in [MOVES, MOVES_TOO, STAYS, THERE] {
            let plan = router.keyspace("k").unwrap().plan(&[key]).unwrap();
            assert_eq!(plan.stored_slot, KIND.stored_of(key));
        }
        let wave = KIND.slots(MOVES);
        assert!([MOVES, MOVES_TOO].into_iter().all(|key| holds(wave, key)));
        assert!(!holds(wave, STAYS));
        let mut shards = BTreeMap::new();
        for id in [FROM, TO] {
            let mut shard = Shard {
                unfenced: unfenced.contains(&id),
                ..Shard::default()
            };
            shard
                .guard
                .install(Term(1), &home_installs(&snapshot, id))
                .unwrap();
            shards.insert(id, shard);
        }
        let settings = Arc::new(settings);
        Self {
            snapshot,
            log: Log::default(),
            term: Term(1),
            leader: 0,
            marks: Vec::new(),
            shards,
            coordinator: Coordinator::new(Term(1), settings.clone(), None, Instant::ZERO),
            settings,
            office: Term(1),
            chunks: BTreeMap::new(),
            now: Instant::ZERO,
            op: 0,
            cut_off: None,
            lossy: false,
        }
    }

    /// A coordinator that is to move the slot of [`MOVES`]. It has the term of the one before: where
    /// nobody has died, terms tell nothing apart, and epochs must.
    pub(crate) fn begin(&mut self) {
        self.begin_wave(KIND.matches(), KIND.pins());
    }

    /// A coordinator that is to move all that is around the members in their slot: the whole slot,
    /// or the override that they are carved from.
    pub(crate) fn begin_around(&mut self) {
        let around = KIND.origin();
        let pins = around.is_some();
        self.begin_wave(around, pins);
    }

    fn begin_wave(&mut self, matches: Option<Match>, pins: bool) {
        // An override that went and came back has another domain.
        let origin = KIND.origin().map(|matches| {
            let keyspace = &self.snapshot.content().keyspaces[0];
            let mut entries = keyspace.directory.iter();
            entries
                .find(|entry| entry.matches == matches)
                .unwrap()
                .domain
        });
        let planned = PlannedWave {
            keyspace: KeyspaceId(0),
            from: FROM,
            to: TO,
            slots: vec![KIND.slots(MOVES)],
            matches,
            origin,
            pins,
        };
        let wanted = Log {
            base: self.snapshot.epoch(),
            planned: vec![planned],
            ..Log::default()
        };
        self.begin_with(wanted);
    }

    /// A coordinator that is to move [`MOVES`], and what has gone with it, from where it is to the
    /// other shard: home where that is its home.
    pub(crate) fn move_on(&mut self) {
        let keyspace = &self.snapshot.content().keyspaces[0];
        let router = Router::new(self.snapshot.clone());
        let plan = router.keyspace("k").unwrap().plan(&[MOVES]).unwrap();
        let from = plan.authority;
        let to = if from == FROM { TO } else { FROM };
        let around = keyspace
            .directory
            .iter()
            .filter(|entry| entry.matches.contains(&[MOVES]) && entry.has_slot(plan.slot));
        let origin = around.clone().max_by_key(|entry| entry.matches.scope());
        let owner = self.snapshot.shard_id(keyspace.owner(plan.slot).unwrap());
        let goes_home = owner == Some(to) && around.count() == 1;
        let matches = origin.map(|entry| entry.matches.clone()).or(KIND.matches());
        let planned = PlannedWave {
            keyspace: KeyspaceId(0),
            from,
            to,
            slots: vec![KIND.slots(MOVES)],
            pins: matches.is_some() && !goes_home,
            matches,
            origin: origin.map(|entry| entry.domain),
        };
        self.begin_with(Log {
            base: self.snapshot.epoch(),
            planned: vec![planned],
            ..Log::default()
        });
    }

    /// A coordinator that is to do what `wanted` says.
    pub(crate) fn begin_with(&mut self, wanted: Log) {
        let term = self.office;
        self.appoint(term, Some(wanted));
    }

    /// The coordinator is replaced by one of a higher term, which is told nothing. Answers the old
    /// one, which may not know.
    pub(crate) fn take_over(&mut self) -> Coordinator {
        self.appoint(Term(self.office.0 + 1), None)
    }

    fn appoint(&mut self, term: Term, wanted: Option<Log>) -> Coordinator {
        self.office = term;
        let next = Coordinator::new(term, self.settings.clone(), wanted, self.now);
        std::mem::replace(&mut self.coordinator, next)
    }

    /// What the coordinator asks next. Time passes where it waits.
    pub(crate) fn errand(&mut self) -> Errand {
        self.next().unwrap_or_else(|ending| panic!("{ending:?}"))
    }

    /// The same, or how its work has ended.
    pub(crate) fn next(&mut self) -> Result<Errand, Ending> {
        for _ in 0..1_000 {
            match self.coordinator.poll() {
                Action::Do {
                    id, point, command, ..
                } => {
                    let rows = match &command {
                        Command::Apply { chunk, .. } => self.chunks.get(chunk).cloned(),
                        _ => None,
                    };
                    return Ok(Errand {
                        id,
                        point,
                        command,
                        rows: rows.unwrap_or_default(),
                    });
                }
                Action::Wait { until } => {
                    assert!(until < Instant::NEVER, "nothing ever comes due");
                    self.now = self.now.max(until);
                    self.tick();
                    self.coordinator.handle_timeout(self.now);
                }
                Action::Over(ending) => return Err(ending),
            }
        }
        panic!("nothing is ever asked");
    }

    /// The errand is carried out; the coordinator hears nothing of it.
    pub(crate) fn deliver(&mut self, errand: &Errand) -> Answer {
        let mut rows = errand.rows.clone();
        let command = &errand.command;
        let answer = match command.shard() {
            None => self.at_register(command),
            Some(id) => {
                let shard = self.shards.get_mut(&id).unwrap();
                shard.command(command, &mut rows, PLACES)
            }
        };
        if let Command::Changes { chunk, .. } = command {
            self.chunks.insert(*chunk, rows);
        }
        answer
    }

    /// The coordinator hears `answer` to what it asks at present.
    pub(crate) fn answer(&mut self, answer: Answer) {
        let id = self.errand().id;
        self.coordinator.handle_answer(self.now, id, answer);
    }

    /// One errand, there and back.
    pub(crate) fn step(&mut self) -> Answer {
        let errand = self.errand();
        let answer = self.deliver(&errand);
        self.answer(answer.clone());
        answer
    }

    /// Steps until the coordinator asks for `stage` of `goal`, and answers that errand, which is
    /// not carried out yet.
    pub(crate) fn run_to(&mut self, goal: Move, stage: Stage) -> Errand {
        let wanted = Point::new(goal, stage);
        for _ in 0..1_000 {
            let errand = self.errand();
            if errand.point == wanted {
                return errand;
            }
            self.step();
        }
        panic!("never at {wanted}");
    }

    /// As [`run_to`](Self::run_to), and then that one too.
    pub(crate) fn run_past(&mut self, goal: Move, stage: Stage) -> Errand {
        let errand = self.run_to(goal, stage);
        self.step();
        errand
    }

    /// Steps until the coordinator's work is over.
    pub(crate) fn run_out(&mut self) -> Ending {
        for _ in 0..1_000 {
            if let Err(ending) = self.next() {
                return ending;
            }
            self.step();
        }
        panic!("never over");
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, ms: u64) {
        self.now = self.now.after(ms);
        self.tick();
        self.coordinator.handle_timeout(self.now);
    }

    /// The shards' clocks go as the coordinator's does, from other origins.
    pub(crate) fn tick(&mut self) {
        let now = self.now.as_millis();
        for (id, shard) in &mut self.shards {
            shard.guard.handle_time(now + u64::from(id.0) * 1_000_000);
        }
    }

    fn at_register(&mut self, command: &Command) -> Answer {
        let record = Record {
            term: self.term,
            snapshot: self.snapshot.clone(),
            log: self.log.clone(),
            beat: 0,
            desk: Desk {
                leader: self.leader,
                marks: self.marks.clone(),
                ..Desk::default()
            },
        };
        let (answer, next) = record.decide(command);
        if let Some(next) = next {
            (self.term, self.leader) = (next.term, next.desk.leader);
            (self.snapshot, self.log) = (next.snapshot, next.log);
            self.marks = next.desk.marks;
        }
        answer
    }

    /// The wave in force.
    pub(crate) fn wave(&self) -> &Wave {
        self.snapshot.content().keyspaces[0].waves.first().unwrap()
    }

    pub(crate) fn phase(&self) -> Phase {
        self.wave().phase
    }

    /// The guard row of the wave in force.
    pub(crate) fn guard(&self, shard: ShardId) -> GuardRow {
        *self.shards[&shard].guard.row(self.wave().domain).unwrap()
    }

    /// The value that a shard holds, whoever may see it.
    pub(crate) fn held(&self, shard: ShardId, key: Key) -> Option<Value> {
        self.shards[&shard].rows.get(&key).map(|row| row.value)
    }

    pub(crate) fn version(&self, shard: ShardId, key: Key) -> Option<Version> {
        self.shards[&shard].rows.get(&key).map(|row| row.version)
    }
}

/// Whether `slots` have the slot of `key`.
fn holds(slots: SlotRange, key: Key) -> bool {
    (slots.start..slots.end).contains(&slot_of(key).0)
}

pub(crate) fn is_stale(refusal: Refusal, epoch: Epoch) -> bool {
    matches!(refusal, Refusal::StaleEpoch { current, .. } if current == epoch)
}

#[track_caller]
pub(crate) fn refusal(answer: &Answer) -> Refusal {
    match answer {
        Answer::Refused(refusal) => *refusal,
        other => panic!("not refused: {other:?}"),
    }
}
