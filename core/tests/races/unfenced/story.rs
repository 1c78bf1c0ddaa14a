//! A story is a migration with such clients in it: after each of the coordinator's errands, and one
//! millisecond before the end of each of its waits, a client of every map that may still be acted by
//! writes and reads.

use std::sync::Arc;

use ringshift::migration::{Action, Move, Settings};
use ringshift::{Instant, Outcome, ShardId, Snapshot, Step};

use super::super::client::End;
use super::super::shard::{NOTHING, Value};
use super::super::world::{LEASE, MOVES, STAYS, World, settings};

/// A migration, and everybody who may act.
#[derive(Clone)]
pub(super) struct Story {
    pub(super) w: World,
    /// Each map that was in force, and from when on nobody acts by it.
    maps: Vec<(Arc<Snapshot>, Instant)>,
    /// What the last answered write has left.
    value: Value,
    /// The last value that was written.
    last: Value,
    /// Mirror writes that nobody waits for, each with the moment before which it arrives.
    letters: Vec<(super::super::client::Letter, Instant)>,
}

impl Story {
    pub(super) fn new(settings: Settings, unfenced: &[ShardId]) -> Self {
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
    pub(super) fn step(&mut self) -> bool {
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
    pub(super) fn deliver(&mut self, heard: bool) {
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

    fn read_with(&mut self, reader: &mut super::super::client::Client) -> Option<End> {
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

    pub(super) fn goes_on(&mut self) {
        for _ in 0..2_000 {
            if !self.step() {
                return;
            }
        }
        panic!("never over: {:?}", self.w.coordinator.status().doing);
    }

    /// The end: the wave is gone, and both keys are what they were left as.
    pub(super) fn is_well(&mut self) {
        assert!(self.w.snapshot.content().keyspaces[0].waves.is_empty());
        assert_eq!([self.w.get(MOVES), self.w.get(STAYS)], [self.value, 1]);
    }
}

pub(super) fn ways() -> Vec<(Settings, Option<Move>)> {
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

/// Turns the migration round where it comes to `turn`.
pub(super) fn turned(story: &mut Story, turn: Option<Move>) {
    if let Action::Do { point, .. } = story.w.coordinator.poll()
        && turn.is_some_and(|turn| point.goal == turn)
    {
        story.w.coordinator.roll_back("");
    }
}
