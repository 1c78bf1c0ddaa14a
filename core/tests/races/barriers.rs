//! What all transitions share: no write that is on its way is lost, none is answered and missed.
//!
//! Not one schedule but a family of them: one write, held back at any moment for any time, along
//! every way through the phases.

use std::sync::Arc;

use ringshift::migration::{Command, Move, Settings, Stage};
use ringshift::{OperationError, ShardId, Snapshot};

use super::client::{Client, End};
use super::shard::NOTHING;
use super::world::{FROM, MOVES, STAYS, TO, World, settings};

/// A way through the phases: forwards, or turned round in the middle of `turn`; a barrier of the
/// kind `late` meets its deadline, once, and is aborted.
#[derive(Clone, Copy, Debug)]
struct Way {
    turn: Option<Move>,
    late: Option<Move>,
    /// In one barrier, instead of a ramp and a switch.
    offline: bool,
}

const fn way(turn: Option<Move>, late: Option<Move>) -> Way {
    let offline = false;
    Way {
        turn,
        late,
        offline,
    }
}

const fn offline(turn: Option<Move>) -> Way {
    Way {
        offline: true,
        ..way(turn, None)
    }
}

const WAYS: [Way; 10] = [
    way(None, None),
    way(Some(Move::Copy), None),
    way(Some(Move::Ramp(0)), None),
    way(Some(Move::Switch), None),
    way(None, Some(Move::Ramp(0))),
    way(None, Some(Move::Switch)),
    way(Some(Move::Ramp(0)), Some(Move::Unread)),
    way(Some(Move::Switch), Some(Move::SwitchBack)),
    offline(None),
    offline(Some(Move::Finish)),
];

/// A world somewhere along a way, with every map that was ever in force.
#[derive(Clone)]
struct Place {
    w: World,
    way: Way,
    maps: Vec<Arc<Snapshot>>,
}

impl Place {
    fn start(way: Way) -> Self {
        let mut w = World::new(Settings {
            offline: way.offline,
            ..settings()
        });
        w.put(MOVES, 1);
        w.put(STAYS, 1);
        let maps = vec![w.snapshot.clone()];
        w.begin();
        Self { w, way, maps }
    }

    /// One errand further; whether there was one.
    fn step(&mut self) -> bool {
        let Ok(errand) = self.w.next() else {
            return false;
        };
        if self.way.turn == Some(errand.point.goal) {
            self.way.turn = None;
            self.w.coordinator.roll_back("");
        }
        let is_late = self.way.late.map(|goal| (goal.name(), Stage::CloseTo));
        if is_late == Some((errand.point.goal.name(), errand.point.stage)) {
            self.way.late = None;
            self.w.pass(11);
        }
        self.w.step();
        if self.maps.last() != Some(&self.w.snapshot) {
            self.maps.push(self.w.snapshot.clone());
        }
        true
    }

    /// A write of `value` ends here. Once it is answered, a reader with any map sees it, now and
    /// when all is over.
    fn settle(&self, writer: &mut Client, value: u8, story: &str) {
        let mut w = self.w.clone();
        let end = w.finish(writer);
        let seen = |w: &mut World, over: bool| {
            let when = if over { "at the end" } else { "at once" };
            for map in &self.maps {
                let mut reader = w.read_by(map, MOVES);
                match (w.clone().finish(&mut reader), end) {
                    (End::Saw(seen), End::Written { .. }) => {
                        let map = map.epoch();
                        assert_eq!(seen, value, "{story}: map {map}, {when}");
                    }
                    (End::Saw(seen), End::Failed(OperationError::Deadline { .. })) => {
                        assert_eq!(seen, 1, "{story}: nothing was to be changed, {when}");
                    }
                    (End::Saw(seen), _) => assert!([1, value].contains(&seen), "{story}"),
                    // At a barrier; it is tried again at the end.
                    (End::Failed(OperationError::Deadline { .. }), _) if !over => {}
                    (other, _) => panic!("{story}: {other:?}"),
                }
            }
        };
        seen(&mut w, false);
        w.run_out();
        seen(&mut w, true);
        assert_eq!(w.get(STAYS), 1, "{story}");
    }
}

/// One write, with the map in force or the one before; its leg to the authority, or to the mirror,
/// waits for so many errands.
fn one_write(value: u8, lossy: bool) {
    for way in WAYS {
        let mut place = Place::start(way);
        place.w.lossy = lossy;
        let mut at = 0;
        loop {
            for map in place.maps.clone().iter().rev().take(2) {
                for leg in [1, 2] {
                    for wait in 0..=12 {
                        let story = format!("{way:?}, errand {at}, leg {leg}, wait {wait}");
                        one_schedule(place.clone(), map, value, leg, wait, &story);
                    }
                }
            }
            at += 1;
            if !place.step() {
                break;
            }
        }
        assert!(at > 20, "{way:?}");
    }
}

fn one_schedule(mut place: Place, map: &Arc<Snapshot>, value: u8, leg: u8, wait: u8, story: &str) {
    let mut writer = place.w.write_by(map, MOVES, value);
    let mut letter = writer.letter();
    if leg == 2 {
        place.w.post(&mut writer, &letter);
        match writer.sends() {
            Some(mirror) if mirror.attempt.blocking => letter = mirror,
            // Refused, or answered: nothing to hold back.
            _ => return,
        }
    }
    for _ in 0..wait {
        if !place.step() {
            return;
        }
    }
    place.w.post(&mut writer, &letter);
    place.settle(&mut writer, value, story);
}

/// Closing on both sides, the drain after it, and the order of installs: an acknowledged write is
/// seen, and kept, across every transition and its rollback.
#[test]
fn a_write_on_its_way_crosses_every_transition() {
    one_write(9, false);
}

/// The same where mirror writes that nobody waits for are lost.
#[test]
fn a_write_without_its_mirror_crosses_every_transition() {
    one_write(9, true);
}

/// The same for a delete.
#[test]
fn a_delete_on_its_way_crosses_every_transition() {
    one_write(NOTHING, false);
    one_write(NOTHING, true);
}

/// The shard that served the reads at the old epoch installs the new one first; a rolling change
/// begins where nobody reads yet, and ends where nobody reads any more.
#[test]
fn the_place_of_reads_installs_first() {
    let mut seen = Vec::new();
    for way in WAYS {
        let mut place = Place::start(way);
        loop {
            if let Ok(errand) = place.w.next()
                && errand.point.stage == Stage::InstallFirst
                && let Command::Install { shard, .. } = errand.command
                && errand.point.goal != Move::TakeOver
            {
                seen.push((errand.point.goal.name(), place.w.phase().name(), shard));
            }
            if !place.step() {
                break;
            }
        }
    }
    seen.sort_unstable();
    seen.dedup();
    let expected: Vec<(&str, &str, ShardId)> = vec![
        ("abort", "double-write", FROM),
        ("abort", "read-new", TO),
        ("abort", "reversed", TO),
        ("begin", "prepare", TO),
        ("cancel", "ended-from", FROM),
        ("finish", "ended-to", TO),
        ("mirror", "double-write", TO),
        ("offline", "reversed", FROM),
        ("ramp", "read-new", FROM),
        ("switch", "reversed", TO),
        ("switch-back", "double-write", TO),
        ("unread", "double-write", TO),
    ];
    assert_eq!(seen, expected);
}

/// Every change of where a key is read, or of who orders its writes, is a barrier: at its
/// compare-and-swap both guards are closed, and the mirror has all that the authority has. An
/// abort may leave that out, but only where no mirror is read, and then it doesn't say drained.
#[test]
fn both_shards_are_closed_and_drained_when_reads_or_writes_move() {
    let mut barriers = Vec::new();
    for way in WAYS {
        let mut place = Place::start(way);
        place.w.lossy = true;
        while let Ok(errand) = place.w.next() {
            let goal = errand.point.goal;
            if goal.is_barrier() && errand.point.stage == Stage::CloseFrom {
                place.w.put(MOVES, 2);
            }
            if let Command::Swap { snapshot, .. } = &errand.command
                && goal.is_barrier()
            {
                let next = &snapshot.content().keyspaces[0].waves[0];
                let drained = next.drained == next.epoch;
                let closed = [FROM, TO].iter().all(|&at| place.w.guard(at).closed);
                let same = place.w.version(FROM, MOVES) == place.w.version(TO, MOVES);
                assert!(!drained || closed && same, "{way:?}: {}", errand.point);
                barriers.push((goal.name(), place.w.phase().name(), drained));
            }
            place.step();
        }
    }
    barriers.sort_unstable();
    barriers.dedup();
    let expected = [
        ("abort", "double-write", false),
        ("abort", "read-new", true),
        ("abort", "reversed", false),
        ("offline", "double-write", true),
        ("ramp", "double-write", true),
        ("switch", "read-new", true),
        ("switch-back", "reversed", true),
        ("unread", "read-new", true),
    ];
    assert_eq!(barriers, expected);
}

/// A new authority's versions beat all of the old one's, and copying back begins where the two
/// were equal.
#[test]
fn a_new_authority_begins_above_the_old_one() {
    let mut w = World::new(settings());
    w.put(MOVES, 1);
    w.begin();
    let turns = [
        (Move::Mirror, FROM),
        (Move::Switch, TO),
        (Move::SwitchBack, FROM),
    ];
    for (goal, authority) in turns {
        for value in 2..9 {
            w.put(MOVES, value);
        }
        w.run_past(goal, Stage::InstallOther);
        if goal == Move::Switch {
            w.coordinator.roll_back("");
        }
        let (domain, epoch) = (w.wave().domain, w.wave().epoch);
        assert_eq!(w.wave().authority_epoch, epoch, "{goal}");
        let equal = w.log.cursor(domain, epoch);
        assert_eq!(equal.0 > 0, goal != Move::Mirror, "{goal}: {equal}");
        w.put(MOVES, 1);
        let version = w.version(authority, MOVES).unwrap();
        assert_eq!((version.epoch, version.counter), (epoch, 0), "{goal}");
    }
}
