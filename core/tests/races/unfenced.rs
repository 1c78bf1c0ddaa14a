//! Shards that check no fence: whoever may still act by an older map does, at the last moment.
//!
//! A story is a migration with such clients in it. After each of the coordinator's errands, and one
//! millisecond before the end of each of its waits, a client of every map that may still be acted by
//! writes and reads: races 1 to 8, 12, 15 and 23 to 28 as a guard-less shard has them.

use std::sync::Arc;

use ringshift::migration::{Action, Answer, Ending, Move, Point, Settings, Stage};
use ringshift::{
    Epoch, Instant, OperationError, Outcome, Phase, RefreshGate, Reply, ShardId, Snapshot, Step,
};

use super::client::{DONE, End};
use super::shard::{NOTHING, Value};
use super::world::{FROM, LEASE, MOVES, MOVES_TOO, STAYS, TO, World, settings};

/// Which shards check no fence.
const MEMBERS: [&[ShardId]; 3] = [&[FROM, TO], &[FROM], &[TO]];

fn lease_ms() -> u64 {
    LEASE.lease_ms.into()
}

/// A migration, and everybody who may act.
#[derive(Clone)]
struct Story {
    w: World,
    /// Each map that was in force, and from when on nobody acts by it.
    maps: Vec<(Arc<Snapshot>, Instant)>,
    /// What the last answered write has left.
    value: Value,
    /// The last value that was written.
    last: Value,
    /// Mirror writes that nobody waits for, each with the moment before which it arrives.
    letters: Vec<(super::client::Letter, Instant)>,
}

impl Story {
    fn new(settings: Settings, unfenced: &[ShardId]) -> Self {
        let mut w = World::with_unfenced(settings, unfenced);
        w.put(MOVES, 1);
        w.put(STAYS, 1);
        w.begin();
        Self {
            maps: vec![(w.snapshot.clone(), Instant::NEVER)],
            w,
            value: 1,
            last: 1,
            letters: Vec::new(),
        }
    }

    /// The coordinator's next errand or wait, with everybody's last moment; `false` at the end.
    fn step(&mut self) -> bool {
        match self.w.coordinator.poll() {
            Action::Do { .. } => {
                self.deliver(true);
            }
            Action::Wait { until } => {
                assert!(until < Instant::NEVER, "nothing ever comes due");
                let eve = until.since(self.w.now).saturating_sub(1);
                self.w.pass(eve);
                self.arrive(until);
                self.everybody();
                self.w.pass(1);
            }
            Action::Over(_) => {
                self.arrive(Instant::NEVER);
                self.everybody();
                return false;
            }
        }
        true
    }

    /// The errand at hand is carried out, and answered if somebody hears it.
    fn deliver(&mut self, heard: bool) {
        let errand = self.w.errand();
        let answer = self.w.deliver(&errand);
        if let Some((map, until)) = self.maps.last_mut()
            && *map != self.w.snapshot
        {
            *until = self.w.now.after(LEASE.wait_ms());
            self.maps.push((self.w.snapshot.clone(), Instant::NEVER));
        }
        self.everybody();
        if heard {
            self.w.answer(answer);
        }
    }

    /// The letters whose last moment is before `moment`.
    fn arrive(&mut self, moment: Instant) {
        let letters = std::mem::take(&mut self.letters);
        for (letter, until) in letters {
            if until <= moment {
                self.w.deliver_letter(&letter);
            } else {
                self.letters.push((letter, until));
            }
        }
    }

    /// Who may act now, by which map.
    fn maps(&self) -> Vec<(Arc<Snapshot>, Instant)> {
        let now = self.w.now;
        let mut maps = self.maps.clone();
        maps.retain(|(_, until)| now < *until);
        maps
    }

    /// A client of each map writes, and after each of them one of each map reads.
    fn everybody(&mut self) {
        for (map, until) in self.maps() {
            self.last = self.last % 250 + 1;
            let value = if self.last.is_multiple_of(3) {
                NOTHING
            } else {
                self.last
            };
            self.write(&map, until, value);
            for (map, _) in self.maps() {
                self.read(&map);
            }
        }
    }

    /// A write that is held is none; a fenced shard may refuse it, and then the map is looked up.
    fn write(&mut self, map: &Arc<Snapshot>, until: Instant, value: Value) {
        let mut client = self.w.write_by(map, MOVES, value);
        for _ in 0..12 {
            match client.step() {
                Step::Send(attempt) if attempt.blocking => {
                    let letter = client.letter_of(attempt);
                    self.w.post(&mut client, &letter);
                }
                Step::Send(attempt) => self.letters.push((client.letter_of(attempt), until)),
                Step::Refresh { .. } => client.refresh(&self.w.snapshot.clone()),
                Step::Wait { until } => client.pass(until),
                Step::Done(Outcome::Written { .. }) => {
                    self.value = value;
                    return;
                }
                Step::Done(Outcome::Failed(_)) => break,
                Step::Done(other) => panic!("{other:?}"),
            }
        }
        // Held back, or given up: what it has done, if anything, is to be seen.
        let mut reader = self.w.read(MOVES);
        if let Some(End::Saw(seen)) = self.read_with(&mut reader) {
            assert!(seen == value || seen == self.value, "{seen}");
            self.value = seen;
        }
    }

    fn read(&mut self, map: &Arc<Snapshot>) {
        let mut reader = self.w.read_by(map, MOVES);
        if let Some(end) = self.read_with(&mut reader) {
            let at = self.w.coordinator.status().doing;
            let by = map.epoch();
            assert_eq!(end, End::Saw(self.value), "by map {by}, {at:?}");
        }
    }

    fn read_with(&mut self, reader: &mut super::client::Client) -> Option<End> {
        for _ in 0..12 {
            match reader.step() {
                Step::Send(attempt) => {
                    let letter = reader.letter_of(attempt);
                    self.w.post(reader, &letter);
                }
                Step::Refresh { .. } => reader.refresh(&self.w.snapshot.clone()),
                Step::Wait { until } => reader.pass(until),
                Step::Done(outcome) => return Some(reader.end(outcome)),
            }
        }
        None
    }

    fn goes_on(&mut self) {
        for _ in 0..2_000 {
            if !self.step() {
                return;
            }
        }
        panic!("never over: {:?}", self.w.coordinator.status().doing);
    }

    /// The end: the wave is gone, and both keys are what they were left as.
    fn is_well(&mut self) {
        assert!(self.w.snapshot.content().keyspaces[0].waves.is_empty());
        assert_eq!([self.w.get(MOVES), self.w.get(STAYS)], [self.value, 1]);
    }
}

fn ways() -> Vec<(Settings, Option<Move>)> {
    let relaxed = settings();
    let strict = Settings {
        strict: true,
        ramps_ppm: vec![500_000, 1_000_000],
        ..settings()
    };
    let offline = Settings {
        offline: true,
        ..settings()
    };
    vec![
        (relaxed.clone(), None),
        (strict.clone(), None),
        (offline, None),
        (relaxed.clone(), Some(Move::Copy)),
        (strict, Some(Move::Ramp(0))),
        (relaxed, Some(Move::Switch)),
    ]
}

fn turned(story: &mut Story, turn: Option<Move>) {
    if let Action::Do { point, .. } = story.w.coordinator.poll()
        && turn.is_some_and(|turn| point.goal == turn)
    {
        story.w.coordinator.roll_back("");
    }
}

/// The whole way, there, and there and back: nobody who may act sees or does anything wrong.
#[test]
fn race_5_by_every_map_that_may_be_acted_by() {
    for unfenced in MEMBERS {
        for (settings, turn) in ways() {
            let mut story = Story::new(settings, unfenced);
            loop {
                turned(&mut story, turn);
                if !story.step() {
                    break;
                }
            }
            story.is_well();
        }
    }
}

/// Killed anywhere, with its last command lost or carried out: the successor doesn't know when the
/// last map was swapped in, and waits.
#[test]
fn race_8_a_successor_waits_it_all_again() {
    for unfenced in MEMBERS {
        for (settings, turn) in ways() {
            let mut story = Story::new(settings, unfenced);
            let mut at = 0;
            loop {
                turned(&mut story, turn);
                at += 1;
                let asks = matches!(story.w.coordinator.poll(), Action::Do { .. });
                for carried_out in [false, true] {
                    if !asks || at % 3 != 0 {
                        continue;
                    }
                    let mut story = story.clone();
                    if carried_out {
                        story.deliver(false);
                    }
                    story.w.take_over();
                    story.goes_on();
                    story.is_well();
                }
                if !story.step() {
                    break;
                }
            }
        }
    }
}

/// A wave without a fence: what its barrier publishes, and what it waits for.
#[test]
fn race_6_a_barrier_publishes_a_pause_and_waits_three_times() {
    let mut w = World::with_unfenced(settings(), &[FROM, TO]);
    w.put(MOVES, 1);
    w.begin();
    w.run_to(Move::Ramp(0), Stage::Pause);
    let (began, epoch) = (w.now, w.wave().epoch);
    w.step();
    assert!(w.wave().switching, "published");
    assert_eq!((w.phase(), w.wave().epoch), (Phase::DoubleWrite, epoch));
    w.run_to(Move::Ramp(0), Stage::CloseFrom);
    assert_eq!(w.now.since(began), LEASE.wait_ms());
    w.run_past(Move::Ramp(0), Stage::Swap);
    assert!(w.wave().switching && w.phase() == Phase::ReadNew);
    w.run_to(Move::Ramp(0), Stage::Open);
    assert_eq!(w.now.since(began), 2 * LEASE.wait_ms());
    w.step();
    assert!(!w.wave().switching);
    w.run_to(Move::Switch, Stage::Pause);
    assert_eq!(w.now.since(began), 3 * LEASE.wait_ms());
}

/// While a wave is switching reads go on where they were, and writes wait for the next map.
#[test]
fn race_6_a_write_waits_while_reads_go_on() {
    let mut w = World::with_unfenced(settings(), &[FROM, TO]);
    w.put(MOVES, 1);
    w.begin();
    w.run_past(Move::Switch, Stage::Pause);
    assert_eq!(w.get(MOVES), 1);
    let mut client = w.write(MOVES, 2);
    for _ in 0..3 {
        assert!(matches!(client.step(), Step::Refresh { .. }));
        client.refresh(&w.snapshot.clone());
        let Step::Wait { until } = client.step() else {
            panic!("it waits before it asks again")
        };
        client.pass(until);
    }
    w.run_past(Move::Switch, Stage::Open);
    assert!(matches!(w.finish(&mut client), End::Written { .. }));
    assert_eq!(w.get(MOVES), 2);
}

/// A delete by a map from before the carve leaves a tombstone: a client that mirrors already may
/// have put what it deletes on the other shard.
#[test]
fn race_24_a_delete_beside_a_client_that_mirrors_already_is_a_row() {
    let mut w = World::with_unfenced(settings(), &[FROM, TO]);
    w.begin();
    w.run_to(Move::Mirror, Stage::Swap);
    let old = w.snapshot.clone();
    w.step();
    w.put(MOVES, 1);
    assert_eq!(w.held(TO, MOVES), Some(1), "mirrored at once");
    let mut client = w.write_by(&old, MOVES, NOTHING);
    assert_eq!(w.finish(&mut client), DONE);
    w.run_past(Move::Switch, Stage::Open);
    assert_eq!(w.get(MOVES), NOTHING);
}

/// The last moment: an attempt that began within its lease, and is carried out as late as an
/// attempt may be, is waited for by every barrier.
#[test]
fn race_5_an_attempt_that_freezes_on_its_way_is_waited_for() {
    let mut w = World::with_unfenced(settings(), &[FROM, TO]);
    w.put(MOVES, 1);
    w.begin();
    w.run_to(Move::Switch, Stage::Pause);
    let mut client = w.write(MOVES, 2);
    let frozen = client.letter();
    w.step();
    w.pass(lease_ms() + u64::from(LEASE.attempt_ms) - 1);
    assert!(matches!(
        w.post(&mut client, &frozen),
        Reply::Written { .. }
    ));
    let mirror = client.letter();
    w.post(&mut client, &mirror);
    assert_eq!(client.ended(), DONE);
    w.run_past(Move::Switch, Stage::Open);
    assert_eq!(w.get(MOVES), 2);
}

/// What the guarantee rests on: a request that a store carries out later than the longest attempt
/// is not waited for. Then an answered write is lost, and nothing can tell.
#[test]
fn race_5_an_attempt_that_outlives_the_longest_is_lost() {
    let mut w = World::with_unfenced(settings(), &[FROM, TO]);
    w.put(MOVES, 1);
    w.begin();
    w.run_to(Move::Switch, Stage::Pause);
    let mut client = w.write(MOVES, 2);
    let frozen = client.letter();
    w.run_past(Move::Finish, Stage::Swap);
    assert!(matches!(
        w.post(&mut client, &frozen),
        Reply::Written { .. }
    ));
    assert_eq!(w.get(MOVES), 1, "the assumption is needed");
}

/// The lease is counted from the sending: an answer that was long on its way is worth less.
#[test]
fn race_5_a_lease_counts_from_the_sending_of_the_refresh() {
    let mut w = World::with_unfenced(settings(), &[FROM, TO]);
    w.put(MOVES, 1);
    w.begin();
    w.run_to(Move::Switch, Stage::Pause);
    // Asked just before the swap, and told what was in force then, much later.
    let (map, sent) = (w.snapshot.clone(), w.now);
    w.step();
    let swapped = w.now;
    w.pass(lease_ms() - 1);
    let mut gate = RefreshGate::new(Epoch::FIRST, 5, 0);
    gate.renewed(w.now, sent, map.epoch());
    for (later, sends) in [(0, true), (1, false), (500, false)] {
        let now = w.now.after(later);
        let mut client = w.write_under(&gate, &map, now, 9);
        let began = client.sends().is_some();
        assert_eq!(began, sends, "{later} ms later");
        let waited = now.since(swapped) + u64::from(LEASE.attempt_ms);
        assert!(!began || waited < LEASE.wait_ms());
    }
}

/// A client whose lease is over asks first, and fails closed when nobody answers.
#[test]
fn race_17_without_its_topology_store_a_client_fails_closed() {
    let w = World::with_unfenced(settings(), &[FROM, TO]);
    let mut gate = RefreshGate::new(Epoch::FIRST, 5, 0);
    let map = w.snapshot.clone();
    gate.renewed(w.now, w.now, map.epoch());
    let end = w.now.after(lease_ms());
    let mut w = w;
    for value in [NOTHING, 7] {
        let mut client = w.write_under(&gate, &map, end, value);
        assert!(matches!(client.step(), Step::Refresh { .. }));
        assert!(client.sends().is_none());
        client.pass(end.after(u64::from(u32::MAX)));
        let failed = End::Failed(OperationError::Deadline { last: None });
        assert_eq!(client.ended(), failed);
    }
    // "Nothing newer" renews it.
    gate.renewed(end, end, map.epoch());
    let mut client = w.write_under(&gate, &map, end, 7);
    assert!(client.sends().is_some());
}

/// A driver that hands no time in sends nothing, and an attempt that froze before it was sent isn't.
#[test]
fn race_5_a_plan_without_a_lease_sends_nothing() {
    let mut w = World::with_unfenced(settings(), &[FROM]);
    let gate = RefreshGate::new(Epoch::FIRST, 5, 0);
    let map = w.snapshot.clone();
    let mut client = w.write_under(&gate, &map, w.now, 7);
    assert!(client.sends().is_none());
    let mut gate = gate;
    gate.renewed(w.now, w.now, map.epoch());
    let mut client = w.write_under(&gate, &map, w.now, 7);
    let letter = client.letter();
    assert!(!letter.attempt.is_over(w.now.after(lease_ms() - 1)));
    assert!(letter.attempt.is_over(w.now.after(lease_ms())));
}

/// A map that came from elsewhere, behind one that was confirmed, has no lease of that one's.
#[test]
fn race_16_an_older_map_has_no_newer_one_s_lease() {
    let mut w = World::with_unfenced(settings(), &[FROM, TO]);
    let old = w.snapshot.clone();
    w.begin();
    w.run_past(Move::Begin, Stage::Swap);
    let mut gate = RefreshGate::new(Epoch::FIRST, 5, 0);
    gate.renewed(w.now, w.now, w.snapshot.epoch());
    assert!(w.write_under(&gate, &old, w.now, 7).sends().is_none());
    let new = w.snapshot.clone();
    assert!(w.write_under(&gate, &new, w.now, 7).sends().is_some());
}

/// A write whose mirror never answered, before a pause that its barrier drained: done, by the map.
#[test]
fn race_25_a_drain_that_the_map_tells_of_is_done() {
    let mut w = World::with_unfenced(
        Settings {
            strict: true,
            ..settings()
        },
        &[FROM, TO],
    );
    w.put(MOVES, 1);
    w.begin();
    w.run_to(Move::Ramp(0), Stage::Pause);
    let mut client = w.write(MOVES, 2);
    w.advance(&mut client);
    w.cut_off = Some(TO);
    w.advance(&mut client);
    w.run_past(Move::Ramp(0), Stage::Swap);
    client.refresh(&w.snapshot.clone());
    assert_eq!(client.ended(), DONE);
    assert_eq!(w.held(TO, MOVES), Some(2));
}

/// A successor that finds a pause and no barrier lets the writes go on, once nobody acts by an
/// older map.
#[test]
fn race_8_a_pause_that_nobody_is_at_work_on_is_ended() {
    let mut w = World::with_unfenced(settings(), &[FROM, TO]);
    w.put(MOVES, 1);
    w.put(MOVES_TOO, 1);
    w.begin();
    w.run_to(Move::Ramp(0), Stage::Open);
    w.take_over();
    let errand = w.run_to(Move::Reopen, Stage::Open);
    assert_eq!(errand.point, Point::new(Move::Reopen, Stage::Open));
    assert_eq!(w.step(), Answer::Swapped);
    assert!(!w.wave().switching);
    w.put(MOVES, 2);
    assert_eq!(w.run_out(), Ending::Complete);
    assert_eq!(w.get(MOVES), 2);
}
