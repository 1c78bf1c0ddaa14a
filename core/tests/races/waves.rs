//! Races of a wave with what an earlier one left behind, or has still on its way.

use ringshift::migration::{Answer, Command, Ending, Move, Stage};
use ringshift::{Access, KeyspaceId, Phase, Refusal, Role};

use super::super::KIND;
use super::shard::NOTHING;
use super::world::{
    Errand, FROM, MOVES, MOVES_TOO, TO, World, fencings, is_stale, refusal, settings, slot_of,
};

/// A wave that reached double-write and was taken back. Answers its chunk and its clean-up, which
/// were carried out, to be carried out again.
fn taken_back(w: &mut World) -> (Errand, Errand) {
    w.begin();
    let chunk = w.run_past(Move::Copy, Stage::Apply);
    w.coordinator.roll_back("");
    let purge = w.run_past(Move::Clean, Stage::Purge);
    assert!(matches!(w.run_out(), Ending::RolledBack { .. }));
    (chunk, purge)
}

/// Prepare's purge: what an earlier try has left on `to`, rows and tombstones, isn't trusted.
#[test]
fn race_12_what_a_rolled_back_wave_left_is_purged() {
    if !KIND.moves(MOVES_TOO) {
        return;
    }
    let mut w = World::new(settings());
    w.put(MOVES, 1);
    w.put(MOVES_TOO, 1);
    w.begin();
    w.run_to(Move::Ramp(0), Stage::Log);
    w.put(MOVES_TOO, NOTHING);
    w.coordinator.roll_back("");
    w.run_to(Move::Clean, Stage::Purge);
    // The clean-up is lost: say, `to` was restored from a backup after it.
    w.answer(Answer::Removed { rows: 0, end: true });
    assert!(matches!(w.run_out(), Ending::RolledBack { .. }));
    let left = [Some(1), Some(NOTHING)];
    assert_eq!([MOVES, MOVES_TOO].map(|key| w.held(TO, key)), left);
    w.put(MOVES, NOTHING);
    w.put(MOVES_TOO, 2);
    w.begin();
    w.run_to(Move::Mirror, Stage::Swap);
    assert_eq!([MOVES, MOVES_TOO].map(|key| w.held(TO, key)), [None; 2]);
    w.run_past(Move::Ramp(0), Stage::InstallOther);
    assert_eq!([w.get(MOVES), w.get(MOVES_TOO)], [NOTHING, 2]);
    assert_eq!(w.run_out(), Ending::Complete);
    assert_eq!([w.get(MOVES), w.get(MOVES_TOO)], [NOTHING, 2]);
}

/// Prepare proves `to` empty, and purges again where it isn't.
#[test]
fn race_12_a_purge_that_left_something_is_repeated() {
    let mut w = World::new(settings());
    w.put(MOVES, 1);
    w.begin();
    w.run_past(Move::Mirror, Stage::Purge);
    w.answer(Answer::Rows(1));
    assert_eq!(w.errand().point.stage, Stage::Purge);
    w.run_to(Move::Mirror, Stage::Swap);
}

/// Every chunk carries domain epoch and term: one of an abandoned wave is refused, whatever has
/// become of its slots.
#[test]
fn race_15_a_late_chunk_of_an_abandoned_wave_is_refused() {
    let mut w = World::new(settings());
    w.put(MOVES, 1);
    let (chunk, _) = taken_back(&mut w);
    w.put(MOVES, NOTHING);
    let late = |w: &mut World| {
        let refusal = refusal(&w.deliver(&chunk));
        assert!(matches!(refusal, Refusal::StaleEpoch { .. }), "{refusal:?}");
        assert_eq!(w.held(TO, MOVES), None);
    };
    late(&mut w);
    w.begin();
    w.run_to(Move::Mirror, Stage::InstallFirst);
    late(&mut w);
    w.run_to(Move::Copy, Stage::Read);
    late(&mut w);
    w.run_past(Move::Switch, Stage::InstallOther);
    late(&mut w);
    assert_eq!(w.get(MOVES), NOTHING);
}

/// Within one wave too: a chunk of an earlier phase is refused by its epoch, though `to` is a
/// mirror at both.
#[test]
fn race_15_a_late_chunk_of_an_earlier_phase_is_refused() {
    let mut w = World::new(settings());
    w.put(MOVES, 1);
    w.begin();
    let chunk = w.run_to(Move::Copy, Stage::Apply);
    for goal in [Move::Ramp(0), Move::Switch] {
        w.run_past(goal, Stage::InstallOther);
        let refusal = refusal(&w.deliver(&chunk));
        assert!(is_stale(refusal, w.wave().epoch), "{refusal:?}");
    }
    w.coordinator.roll_back("");
    w.run_past(Move::SwitchBack, Stage::InstallOther);
    assert_eq!(
        (w.phase(), w.guard(TO).role),
        (Phase::DoubleWrite, Role::Mirror)
    );
    let refusal = refusal(&w.deliver(&chunk));
    assert!(is_stale(refusal, w.wave().epoch), "{refusal:?}");
}

/// The shard's own map of slots: a purge of an ended wave is at its epoch and in its role, and
/// still finds nothing of its own where a later wave holds the slots.
#[test]
fn race_27_a_late_purge_of_an_ended_wave_finds_nothing() {
    for unfenced in fencings() {
        a_late_purge_finds_nothing(World::with_unfenced(settings(), unfenced));
    }
}

fn a_late_purge_finds_nothing(mut w: World) {
    w.put(MOVES, 1);
    let (chunk, purge) = taken_back(&mut w);
    w.begin();
    w.run_to(Move::Ramp(0), Stage::Log);
    assert_eq!(w.held(TO, MOVES), Some(1));
    let nothing = Answer::Removed { rows: 0, end: true };
    assert_eq!(w.deliver(&purge), nothing);
    refusal(&w.deliver(&chunk));
    w.run_past(Move::Switch, Stage::InstallOther);
    assert_eq!(w.deliver(&purge), nothing);
    assert_eq!(w.get(MOVES), 1);
    assert_eq!(w.run_out(), Ending::Complete);
    assert_eq!(w.deliver(&purge), nothing);
    assert_eq!(w.get(MOVES), 1);
    // A single row's operation by that fence is refused outright.
    let Command::Purge { term, fence, .. } = purge.command else {
        panic!("{purge:?}")
    };
    let (keyspace, slot) = (KeyspaceId(0), slot_of(MOVES));
    let guard = &w.shards[&TO].guard;
    let admitted = guard.admit(keyspace, slot, &[MOVES], fence, Access::Purge(term));
    let current = fence.epoch;
    assert_eq!(admitted, Err(Refusal::WrongRole { current }));
    assert_eq!(w.held(FROM, MOVES), None);
}
