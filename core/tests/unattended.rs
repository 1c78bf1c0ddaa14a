//! Leaders that stay, over the core's own record and shards in memory: what was asked for, and what was
//! wished, outlives whoever heard it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::sync::Arc;

use ringshift::migration::{
    Action, Answer, Changes, Checks, Command, Coordinator, Ending, Log, Request, Settings,
    Throttle, Wish, home_installs, plan,
};
use ringshift::record::Record;
use ringshift::store::{Chunks, MemoryShard};
use ringshift::{Instant, Phase, ShardId, ShardTopology, Term, Topology};

/// A record, two shards and one that is to join.
struct World {
    record: Record,
    shards: BTreeMap<ShardId, MemoryShard>,
    chunks: Chunks,
    now: Instant,
    /// How long each command takes.
    takes_ms: u64,
}

fn settings() -> Arc<Settings> {
    Arc::new(Settings {
        shadow_ppm: 0,
        verify: false,
        ramps_ppm: vec![1_000_000],
        ramp_ms: 0,
        reversed_ms: 0,
        barrier_ms: 3_600_000,
        throttle: Throttle::OFF,
        checks: Checks::OFF,
        ..Settings::default()
    })
}

impl World {
    fn new() -> Self {
        let text = r#"{"cluster":"desk","keyspaces":{"k":{"bits":4}},
                       "shards":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#;
        let topology: Topology = serde_json::from_str(text).unwrap();
        let snapshot = Arc::new(topology.snapshot().unwrap());
        let mut chunks = Chunks::default();
        let open = |id: u32| {
            let (shard, term) = (ShardId(id), Term(0));
            let rows = home_installs(&snapshot, shard);
            let mut store = MemoryShard::default();
            let install = Command::Install { shard, term, rows };
            assert_eq!(store.command(&install, &mut chunks), Answer::Done);
            (shard, store)
        };
        Self {
            shards: [1, 2, 3].map(open).into_iter().collect(),
            record: Record::first(snapshot),
            chunks,
            now: Instant::ZERO,
            takes_ms: 1,
        }
    }

    fn leader(&self, term: u32) -> Coordinator {
        Coordinator::new(Term(term), settings(), None, self.now)
            .led_by(u64::from(term))
            .that_stays()
    }

    fn at_record(&mut self, command: &Command) -> Answer {
        let (answer, next) = self.record.decide(command);
        self.record = next.unwrap_or_else(|| self.record.clone());
        answer
    }

    fn begin(&mut self) {
        let text = r#"{"id":3,"name":"c"}"#;
        let shard: ShardTopology = serde_json::from_str(text).unwrap();
        let changes = Changes {
            add: vec![shard.shard().unwrap()],
            ..Changes::default()
        };
        let log = plan(&self.record.snapshot, &changes, 0).unwrap().log;
        let request = Request::Begin(log);
        let answer = self.at_record(&Command::Ask { request });
        assert!(matches!(answer, Answer::Requested { .. }));
    }

    /// One command, there and back, or a wait.
    fn step(&mut self, leader: &mut Coordinator) {
        match leader.poll() {
            Action::Do { id, command, .. } => {
                let answer = match command.shard() {
                    None => self.at_record(&command),
                    Some(shard) => {
                        let store = self.shards.get_mut(&shard).unwrap();
                        store.command(&command, &mut self.chunks)
                    }
                };
                self.now = self.now.after(self.takes_ms);
                leader.handle_answer(self.now, id, answer);
            }
            Action::Wait { until } => {
                self.now = self.now.max(until);
                leader.handle_timeout(self.now);
            }
            Action::Over(ending) => panic!("{ending:?}"),
        }
    }

    fn run_until(&mut self, leader: &mut Coordinator, what: impl Fn(&Self) -> bool) {
        for _ in 0..10_000 {
            if what(self) {
                return;
            }
            self.step(leader);
        }
        panic!("never");
    }

    fn ending(&mut self, leader: &mut Coordinator) -> Ending {
        for _ in 0..10_000 {
            if let Some(ending) = leader.take_ending() {
                return ending;
            }
            self.step(leader);
        }
        panic!("never over");
    }

    fn is_in(&self, phase: Phase) -> bool {
        let keyspaces = &self.record.snapshot.content().keyspaces;
        let mut waves = keyspaces.iter().flat_map(|keyspace| &keyspace.waves);
        waves.any(|wave| wave.phase == phase)
    }

    /// A migration that was turned round and whose leader knows that it is written down.
    fn turned_round(&mut self, leader: &mut Coordinator) {
        self.begin();
        self.run_until(leader, |w| w.is_in(Phase::DoubleWrite));
        leader.roll_back("too slow");
        self.run_until(leader, |w| w.record.log.wish == Wish::Back);
    }
}

fn rolled_back() -> Ending {
    let reason = "too slow".into();
    Ending::RolledBack { reason }
}

/// Each command takes so long that the lead is renewed before the next, and each renewal tells which
/// request was seen to. Wherever the leader dies, the request to begin still waits, or is written down.
#[test]
fn a_request_to_begin_outlives_its_leader() {
    for commands in 0..30 {
        let mut w = World::new();
        w.begin();
        w.takes_ms = 400;
        let mut first = w.leader(1);
        for _ in 0..commands {
            w.step(&mut first);
            let waits = w.record.desk.request.is_some();
            assert!(waits || w.record.log != Log::default(), "{commands}");
        }
        drop(first);
        w.takes_ms = 1;
        let mut second = w.leader(2);
        assert_eq!(w.ending(&mut second), Ending::Complete, "{commands}");
        assert_eq!(w.record.snapshot.content().shards.len(), 3);
    }
}

/// Resumed, a migration that was paused on its way back goes on backwards, whoever leads it by then.
#[test]
fn a_pause_keeps_the_way_back() {
    for terms in [1, 2] {
        let mut w = World::new();
        let mut leader = w.leader(1);
        w.turned_round(&mut leader);
        leader.pause("not now");
        let reason = "not now".into();
        assert_eq!(w.ending(&mut leader), Ending::Paused { reason });
        assert_eq!(w.record.log.wish, Wish::Pause);
        if terms == 2 {
            leader = w.leader(2);
            assert!(matches!(w.ending(&mut leader), Ending::Paused { .. }));
        }
        leader.resume();
        assert_eq!(w.ending(&mut leader), rolled_back());
        assert_eq!(w.record.snapshot.content().shards.len(), 2);
    }
}

/// The two wishes in one breath, before either is written down, and before the leader is in office.
#[test]
fn a_pause_keeps_a_way_back_that_is_not_written_down_yet() {
    let mut w = World::new();
    let mut first = w.leader(1);
    w.begin();
    w.run_until(&mut first, |w| w.is_in(Phase::DoubleWrite));
    let mut leader = w.leader(2);
    leader.roll_back("too slow");
    leader.pause("not now");
    assert!(matches!(w.ending(&mut leader), Ending::Paused { .. }));
    leader.resume();
    assert_eq!(w.ending(&mut leader), rolled_back());
}

/// Who agrees before having read the log has made no wish, and overwrites none.
#[test]
fn a_word_before_office_overwrites_no_wish() {
    for pauses in [false, true] {
        let mut w = World::new();
        let mut first = w.leader(1);
        w.turned_round(&mut first);
        if pauses {
            first.pause("not now");
            w.ending(&mut first);
        }
        let mut second = w.leader(2);
        second.agree_to_finish();
        if pauses {
            assert!(matches!(w.ending(&mut second), Ending::Paused { .. }));
            assert!(w.record.log.finish_agreed);
            second.resume();
        }
        assert_eq!(w.ending(&mut second), rolled_back());
    }
}

/// A pause that is said before office is one of a migration that goes back, if it does.
#[test]
fn a_pause_before_office_keeps_the_way_back() {
    let mut w = World::new();
    let mut first = w.leader(1);
    w.turned_round(&mut first);
    let mut second = w.leader(2);
    second.pause("not now");
    assert!(matches!(w.ending(&mut second), Ending::Paused { .. }));
    second.resume();
    assert_eq!(w.ending(&mut second), rolled_back());
}

/// A wait for a moment that has passed is no wait: whoever keeps to it asks again at once, for as
/// long as the silence lasts.
#[test]
fn a_leader_whose_stores_are_silent_waits_for_what_is_to_come() {
    let store: fn(&Command) -> bool = |command| command.shard().is_none();
    let shards: fn(&Command) -> bool = |command| command.shard().is_some();
    // From the beginning, and when there is nothing left to do but look whether all is well.
    for (is_silent, steps) in [(store, 0), (shards, 0), (store, 40), (shards, 40)] {
        let mut w = World::new();
        let mut leader = w.leader(1);
        for _ in 0..steps {
            w.step(&mut leader);
        }
        let end = w.now.after(60_000);
        while w.now < end {
            match leader.poll() {
                Action::Do { id, command, .. } if is_silent(&command) => {
                    w.now = w.now.after(w.takes_ms);
                    leader.handle_answer(w.now, id, Answer::Unreachable);
                }
                Action::Do { .. } => w.step(&mut leader),
                Action::Wait { until } => {
                    assert!(until > w.now, "{until:?} has passed at {:?}", w.now);
                    w.now = until;
                    leader.handle_timeout(w.now);
                }
                Action::Over(ending) => panic!("{ending:?}"),
            }
        }
    }
}
