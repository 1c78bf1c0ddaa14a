//! Waves of less than whole slots: who is disturbed, and who isn't.

use std::sync::Arc;

use ringshift::migration::{Ending, Move, Stage};
use ringshift::{Refusal, Router, Snapshot};

use super::super::KIND;
use super::client::{DONE, End, refused};
use super::shard::Key;
use super::world::{FROM, MOVES, MOVES_TOO, STAYS, THERE, TO, World, fencings, settings};

fn domain_epoch(snapshot: &Arc<Snapshot>, key: Key) -> (u32, u32) {
    let router = Router::new(snapshot.clone());
    let plan = router.keyspace("k").unwrap().plan(&[key]).unwrap();
    (plan.fence.domain.0, plan.fence.epoch.get())
}

/// Keys that don't move see a newer epoch of their domain at the carve and, where the members join
/// them again or leave them for good, never after it.
#[test]
fn only_the_first_carve_is_seen_outside_of_what_moves() {
    let mut w = World::new(settings());
    for key in [MOVES, MOVES_TOO, STAYS, THERE] {
        w.put(key, 1);
    }
    let outside: Vec<Key> = [MOVES_TOO, STAYS, THERE]
        .into_iter()
        .filter(|&key| key != MOVES_TOO || !KIND.moves(key))
        .collect();
    let before = w.snapshot.clone();
    w.begin();
    w.run_past(Move::Mirror, Stage::InstallOther);
    let carved = w.snapshot.clone();
    // At `from` whoever had the members has a new epoch, and `to` is as it was.
    assert_eq!(domain_epoch(&before, THERE), domain_epoch(&carved, THERE));
    let mut old = w.write_by(&before, MOVES, 2);
    assert!(matches!(
        refused(w.advance(&mut old)),
        Refusal::StaleEpoch { .. }
    ));
    assert!(matches!(w.finish(&mut old), End::Written { .. }));
    let joins_home = !KIND.pins();
    w.run_to(Move::Clean, Stage::Purge);
    for key in outside {
        let joined = joins_home && key == THERE;
        let (then, now) = (domain_epoch(&carved, key), domain_epoch(&w.snapshot, key));
        assert_eq!(then == now, !joined, "{KIND:?} {key}: {then:?} {now:?}");
        let mut client = w.write_by(&carved, key, 3);
        let first = w.advance(&mut client);
        if joined {
            assert!(matches!(refused(first), Refusal::StaleEpoch { .. }));
        }
        assert_eq!(w.finish(&mut client), DONE);
    }
    assert_eq!(w.run_out(), Ending::Complete);
    assert_eq!(w.get(MOVES), 2);
    assert_eq!((w.held(FROM, MOVES), w.held(TO, MOVES)), (None, Some(2)));
}

/// A write of an old map, of the domain that a member was carved from, is refused at `from`
/// through every phase; and one by the wave's own is, after its end.
#[test]
fn an_old_map_is_refused_for_what_was_carved() {
    let mut w = World::new(settings());
    w.put(MOVES, 1);
    let before = w.snapshot.clone();
    w.begin();
    w.run_past(Move::Mirror, Stage::InstallOther);
    for goal in [Move::Ramp(0), Move::Switch, Move::Finish] {
        let mut old = w.write_by(&before, MOVES, 9);
        assert!(matches!(
            refused(w.advance(&mut old)),
            Refusal::StaleEpoch { .. }
        ));
        w.run_past(goal, Stage::InstallOther);
    }
    let ended = w.wave().epoch;
    let reversed = w.wave().authority_epoch;
    assert!(reversed < ended);
    assert_eq!(w.run_out(), Ending::Complete);
    let mut late = w.write_by(&before, MOVES, 9);
    assert!(matches!(
        refused(w.advance(&mut late)),
        Refusal::StaleEpoch { .. }
    ));
    assert_eq!(w.finish(&mut late), DONE);
    assert_eq!(w.get(MOVES), 9);
}

/// Taken back from double-write, the members are again whose they were: the same override where
/// there was one.
#[test]
fn what_is_taken_back_is_whose_it_was() {
    for stage in [Stage::InstallFirst, Stage::InstallOther] {
        for dies in [false, true] {
            let mut w = World::new(settings());
            w.put(MOVES, 1);
            let before = w.snapshot.clone();
            w.begin();
            w.run_to(Move::Ramp(0), Stage::Log);
            let carved = w.snapshot.clone();
            w.coordinator.roll_back("");
            w.run_to(Move::Cancel, stage);
            if dies {
                w.take_over();
                w.coordinator.roll_back("");
            }
            assert!(matches!(w.run_out(), Ending::RolledBack { .. }));
            assert_eq!(
                domain_epoch(&before, MOVES).0,
                domain_epoch(&w.snapshot, MOVES).0
            );
            let mut old = w.write_by(&carved, MOVES, 2);
            assert!(matches!(
                refused(w.advance(&mut old)),
                Refusal::StaleEpoch { .. }
            ));
            assert_eq!(w.finish(&mut old), DONE);
            assert_eq!((w.get(MOVES), w.held(TO, MOVES)), (2, None));
        }
    }
}

/// What a wave has left behind goes with its last row: it isn't in front of what comes later and is
/// wider.
#[test]
fn race_27_what_a_wave_has_held_does_not_hide_what_is_around_it() {
    for unfenced in fencings() {
        let mut w = World::with_unfenced(settings(), unfenced);
        w.put(MOVES, 1);
        w.begin();
        w.run_to(Move::Ramp(0), Stage::Log);
        w.coordinator.roll_back("");
        assert!(matches!(w.run_out(), Ending::RolledBack { .. }));
        w.begin_around();
        assert_eq!(w.run_out(), Ending::Complete);
        w.put(MOVES, 2);
        assert_eq!((w.held(FROM, MOVES), w.held(TO, MOVES)), (None, Some(2)));
    }
}

/// A member that went is moved once more, and back: what the first wave has left in the shards'
/// maps is in nobody's way.
#[test]
fn race_27_what_has_moved_moves_on() {
    for unfenced in fencings() {
        moves_on(World::with_unfenced(settings(), unfenced));
    }
}

fn moves_on(mut w: World) {
    for key in [MOVES, STAYS, THERE] {
        w.put(key, 1);
    }
    w.begin();
    assert_eq!(w.run_out(), Ending::Complete);
    w.put(MOVES, 2);
    let all: Vec<Key> = vec![MOVES, STAYS, THERE];
    for turn in 3..7 {
        w.move_on();
        assert_eq!(w.run_out(), Ending::Complete, "{turn}");
        w.put(MOVES, turn);
        assert_eq!(
            all.iter().map(|&key| w.get(key)).collect::<Vec<_>>(),
            [turn, 1, 1]
        );
    }
    let held = [FROM, TO].map(|shard| w.held(shard, MOVES).is_some());
    assert_eq!(held.iter().filter(|held| **held).count(), 1, "{held:?}");
}
