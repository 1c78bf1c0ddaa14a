//! Races of clients and late messages with the guards.

use ringshift::migration::{Answer, Command, Move, Stage};
use ringshift::{Phase, Refusal, Revision, Role};

use super::super::KIND;
use super::client::{DONE, End, refused};
use super::shard::NOTHING;
use super::world::{FROM, MOVES, STAYS, TO, World, is_stale, refusal, settings};

/// The guard refuses a write that was routed before the switch, and one that was sent before it.
#[test]
fn race_5_an_old_map_does_not_write_after_the_switch() {
    let mut w = World::new(settings());
    w.put(MOVES, 1);
    let oldest = w.snapshot.clone();
    w.begin();
    w.run_past(Move::Ramp(0), Stage::InstallOther);
    let old = w.snapshot.clone();
    let mut early = w.write_by(&old, MOVES, 7);
    let sent = early.letter();
    w.run_past(Move::Switch, Stage::InstallOther);
    w.put(MOVES, 2);
    let refusal = refused(w.post(&mut early, &sent));
    assert!(is_stale(refusal, w.snapshot.epoch()), "{refusal:?}");
    for map in [&oldest, &old] {
        let mut client = w.write_by(map, MOVES, 3);
        assert_eq!(client.plan().authority, FROM);
        let refusal = refused(w.advance(&mut client));
        assert!(matches!(refusal, Refusal::StaleEpoch { .. }), "{refusal:?}");
        assert_eq!(w.get(MOVES), 2);
        // It recovers with one refresh, and writes to the one authority.
        let end = w.finish(&mut client);
        assert!(matches!(end, End::Written { .. }), "{end:?}");
        assert_eq!([FROM, TO].map(|at| w.held(at, MOVES)), [Some(3); 2]);
        w.put(MOVES, 2);
    }
}

/// At a carve the epoch of whom the members leave rises too: a map from before it can't write the members as if they
/// were still at home.
#[test]
fn race_5_an_old_map_does_not_write_past_a_carve() {
    let mut w = World::new(settings());
    let old = w.snapshot.clone();
    w.begin();
    w.run_past(Move::Mirror, Stage::InstallOther);
    let e1 = w.snapshot.epoch();
    let stays = w.write(STAYS, 1);
    assert_eq!(stays.plan().fence.epoch, e1);
    for key in [MOVES, STAYS] {
        let mut client = w.write_by(&old, key, 2);
        let refusal = refused(w.advance(&mut client));
        assert!(is_stale(refusal, e1), "{refusal:?}");
        assert!(matches!(w.finish(&mut client), End::Written { .. }));
    }
    assert_eq!(w.held(TO, MOVES), Some(2), "mirrored, as the wave wants");
    assert_eq!(w.held(TO, STAYS), None);
}

/// Reads too: an old map doesn't show what `from` last had.
#[test]
fn race_5_an_old_map_does_not_read_after_the_switch() {
    let mut w = World::new(settings());
    w.put(MOVES, 1);
    w.begin();
    let mut readers = Vec::new();
    for goal in [Move::Mirror, Move::Ramp(0), Move::Switch] {
        readers.push(w.read(MOVES));
        w.run_past(goal, Stage::InstallOther);
    }
    let mut lost = w.write(MOVES, 2);
    w.advance(&mut lost);
    for reader in &mut readers {
        refused(w.advance(reader));
        assert_eq!(w.finish(reader), End::Saw(2));
    }
}

/// A client that is ahead of its shard waits; it makes no second authority.
#[test]
fn race_6_a_client_ahead_of_the_switch_waits() {
    let mut w = World::new(settings());
    w.put(MOVES, 1);
    w.begin();
    let old = w.run_past(Move::Ramp(0), Stage::InstallOther);
    let old_map = w.snapshot.clone();
    assert!(matches!(old.command, Command::Install { .. }));
    w.run_past(Move::Switch, Stage::Swap);
    let e = old_map.epoch();
    for _ in 0..2 {
        let mut ahead = w.write(MOVES, 2);
        assert_eq!(ahead.plan().authority, TO);
        assert_eq!(
            refused(w.advance(&mut ahead)),
            Refusal::NotReady { current: e }
        );
        let mut behind = w.write_by(&old_map, MOVES, 3);
        assert_eq!(
            refused(w.advance(&mut behind)),
            Refusal::NotReady { current: e }
        );
        let mut reader = w.read(MOVES);
        assert_eq!(
            refused(w.advance(&mut reader)),
            Refusal::NotReady { current: e }
        );
    }
    w.run_past(Move::Switch, Stage::InstallFirst);
    w.put(MOVES, 2);
    assert_eq!(w.get(MOVES), 2);
}

/// The same where no guard is closed: at a carve and at its end, the shard that isn't there yet
/// refuses the client that is.
#[test]
fn race_6_a_client_ahead_of_a_rolling_change_waits() {
    let mut w = World::new(settings());
    w.put(MOVES, 1);
    w.put(STAYS, 1);
    w.begin();
    let e = w.snapshot.epoch();
    w.run_past(Move::Mirror, Stage::InstallFirst);
    let mut ahead = w.write(MOVES, 2);
    assert_eq!(
        refused(w.advance(&mut ahead)),
        Refusal::NotOwner,
        "a new domain"
    );
    let mut ahead = w.write(STAYS, 2);
    assert_eq!(
        refused(w.advance(&mut ahead)),
        Refusal::NotReady { current: e }
    );
    w.run_past(Move::Mirror, Stage::InstallOther);
    w.run_past(Move::Finish, Stage::Swap);
    let mut ahead = w.write(MOVES, 3);
    assert_eq!(ahead.plan().authority, TO);
    // A new override is a domain that `to` hasn't heard of.
    let there = if KIND.pins() {
        Refusal::NotOwner
    } else {
        Refusal::NotReady { current: e }
    };
    assert_eq!(refused(w.advance(&mut ahead)), there);
    w.run_past(Move::Finish, Stage::InstallFirst);
    assert_eq!(w.finish(&mut ahead), DONE);
    assert_eq!(w.get(MOVES), 3);
}

/// Guards only rise: a second copy of an install doesn't open what a later barrier has closed.
#[test]
fn race_22_a_second_install_does_not_reopen_a_closed_guard() {
    for goal in [Stage::InstallFirst, Stage::InstallOther] {
        let mut w = World::new(settings());
        w.put(MOVES, 1);
        w.begin();
        let copy = w.run_to(Move::Ramp(0), goal);
        w.run_to(Move::Switch, Stage::Reverse);
        let side = copy.command.shard().unwrap();
        assert!(w.guard(side).closed, "closed and drained");
        assert_eq!(w.deliver(&copy), Answer::Done);
        assert!(w.guard(side).closed);
        let mut client = w.write(MOVES, 2);
        let current = w.snapshot.epoch();
        assert_eq!(
            refused(w.advance(&mut client)),
            Refusal::NotReady { current }
        );
        w.run_past(Move::Switch, Stage::InstallOther);
        assert!(matches!(w.finish(&mut client), End::Written { .. }));
        assert_eq!(w.get(MOVES), 2);
    }
}

/// Purge is fenced: prepare's, late, finds `to` at another epoch and in another role.
#[test]
fn race_23_a_late_purge_of_prepare_is_refused() {
    let mut w = World::new(settings());
    w.put(MOVES, 1);
    w.begin();
    let purge = w.run_to(Move::Mirror, Stage::Purge);
    for goal in [Move::Ramp(0), Move::Switch, Move::Finish] {
        w.run_to(goal, goal.stages()[0]);
        let refusal = refusal(&w.deliver(&purge));
        assert!(is_stale(refusal, w.wave().epoch), "{goal}: {refusal:?}");
        assert_eq!(w.held(TO, MOVES), Some(1));
    }
    w.run_out();
    refusal(&w.deliver(&purge));
    assert_eq!(w.get(MOVES), 1);
}

/// A purge that knows the epoch is still refused where the shard has a role.
#[test]
fn race_23_a_purge_at_the_right_epoch_is_refused_by_the_role() {
    let mut w = World::new(settings());
    w.put(MOVES, 1);
    w.begin();
    let mut purge = w.run_to(Move::Mirror, Stage::Purge);
    for role in [Role::Mirror, Role::ReadableMirror, Role::Authority] {
        while w.guard(TO).role != role {
            w.step();
        }
        let current = w.wave().epoch;
        if let Command::Purge { fence, .. } = &mut purge.command {
            fence.epoch = current;
        }
        let wrong = Refusal::WrongRole { current };
        assert_eq!(refusal(&w.deliver(&purge)), wrong, "{role:?}");
    }
}

/// Backfill reads nothing before the authority's guard is in the wave, where a delete still takes
/// the row away instead of leaving a tombstone.
#[test]
fn race_24_backfill_starts_after_the_guard() {
    let mut w = World::new(settings());
    w.put(MOVES, 1);
    let old = w.snapshot.clone();
    w.begin();
    let install = w.run_to(Move::Mirror, Stage::InstallOther);
    assert_eq!(install.command.shard(), Some(FROM), "the authority, last");
    // An eager copier, of the very fence that backfill will have.
    let early = w.clone().run_to(Move::Copy, Stage::Read);
    assert_eq!(refusal(&w.deliver(&early)), Refusal::NotOwner);
    let mut client = w.write_by(&old, MOVES, NOTHING);
    assert_eq!(w.finish(&mut client), DONE);
    assert_eq!(w.held(FROM, MOVES), None, "no tombstone");
    let first = w.run_past(Move::Copy, Stage::Read);
    let Command::Changes { after, .. } = first.command else {
        panic!("{first:?}")
    };
    assert_eq!(after, Revision(0), "from the first row");
    assert!(matches!(w.deliver(&early), Answer::Changes { rows: 0, .. }));
    w.run_past(Move::Ramp(0), Stage::InstallOther);
    assert_eq!(w.phase(), Phase::ReadNew);
    assert_eq!(w.get(MOVES), NOTHING);
}
