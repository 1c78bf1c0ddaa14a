//! Races of a wave with another writer of the topology.

use std::sync::Arc;

use ringshift::migration::{Ending, Log, Move, Stage, home_installs};
use ringshift::{
    Entry, GuardRow, InstallRow, KeyspaceId, Match, Refusal, Shard, ShardId, Snapshot, Target,
    slot_runs,
};

use super::client::{End, refused};
use super::shard::{Key, Shard as Store};
use super::world::{FROM, MOVES, STAYS, THERE, TO, UNFENCED, World, settings, slot_of};

/// A key is pinned where it is: it leaves its shard's home for an entry of its own. Published, and
/// the rows that the shard needs for it: those of this change, and no other.
fn pin(w: &mut World, key: Key, shard: ShardId) -> Vec<InstallRow> {
    let mut draft = w.snapshot.next_draft().unwrap();
    let (epoch, domain) = (draft.epoch, draft.take_domain());
    let index = draft.index_of(shard).unwrap();
    let keyspace = draft.keyspace_mut(KeyspaceId(0)).unwrap();
    keyspace.directory.push(Entry {
        matches: Match::Exact(vec![key]),
        slots: slot_runs([slot_of(key)]),
        target: Target::Shard(shard),
        domain,
        epoch,
    });
    // Whoever had the key has it no more.
    let scope = Match::Exact(vec![key]).scope();
    let around = |entry: &&mut Entry| {
        entry.domain != domain
            && entry.target == Target::Shard(shard)
            && entry.matches.scope().encloses(&scope)
    };
    let around = keyspace.directory.iter_mut().find(around);
    match around {
        Some(entry) => entry.epoch = epoch,
        None => keyspace.home_mut(index).unwrap().epoch = epoch,
    }
    keyspace.directory.sort_by(|a, b| a.matches.cmp(&b.matches));
    w.snapshot = Arc::new(Snapshot::build(draft).unwrap());
    let mut rows = home_installs(&w.snapshot, shard);
    rows.retain(|install| install.row.epoch == epoch);
    assert_eq!(rows.len(), 2, "its entry, and who had it before");
    rows
}

fn edit(w: &mut World, key: Key, shard: ShardId) {
    let rows = pin(w, key, shard);
    let guard = &mut w.shards.get_mut(&shard).unwrap().guard;
    let term = guard.term();
    guard.install(term, &rows).unwrap();
}

/// The wave's guard rows on both shards.
fn guards(w: &World) -> [GuardRow; 2] {
    [FROM, TO].map(|shard| w.guard(shard))
}

/// A wave just before `stage` of the barrier `goal`.
fn at(goal: Move, stage: Stage) -> World {
    unfenced_at(&[], goal, stage)
}

fn unfenced_at(unfenced: &[ShardId], goal: Move, stage: Stage) -> World {
    let mut w = World::with_unfenced(settings(), unfenced);
    for key in [MOVES, STAYS, THERE] {
        w.put(key, 1);
    }
    w.begin();
    let turn = match goal {
        Move::Unread => Some(Move::Ramp(0)),
        Move::SwitchBack => Some(Move::Switch),
        _ => None,
    };
    if let Some(turn) = turn {
        w.run_past(turn, Stage::InstallOther);
        w.coordinator.roll_back("");
    }
    w.run_to(goal, stage);
    w
}

const BARRIERS: [Move; 4] = [Move::Ramp(0), Move::Unread, Move::Switch, Move::SwitchBack];

/// An edit carries its own rows only: the wave's guards stay as its own installs have left them,
/// and its late install still takes effect, in its own order.
#[test]
fn race_28_an_edit_between_two_installs_carries_its_own_rows() {
    for goal in BARRIERS {
        for stage in [Stage::InstallFirst, Stage::InstallOther] {
            for (key, shard) in [(STAYS, FROM), (THERE, TO)] {
                let mut w = at(goal, stage);
                let (old, before) = (w.snapshot.clone(), guards(&w));
                edit(&mut w, key, shard);
                assert_eq!(guards(&w), before, "{goal}: the wave's rows are its own");
                // The pinned key is served, by the new map and, after a refresh, by the old one.
                assert_eq!(w.get(key), 1);
                let mut client = w.write_by(&old, key, 2);
                assert!(matches!(
                    refused(w.advance(&mut client)),
                    Refusal::StaleEpoch { .. }
                ));
                assert!(matches!(w.finish(&mut client), End::Written { .. }));
                w.run_past(goal, Stage::InstallOther);
                let epoch = w.wave().epoch;
                assert_eq!(epoch, old.epoch(), "the edit left the wave's epoch alone");
                for row in guards(&w) {
                    assert_eq!((row.epoch, row.closed), (epoch, false), "{goal}");
                }
                w.put(MOVES, 3);
                assert_eq!([w.get(MOVES), w.get(key)], [3, 2]);
                // The next compare-and-swap is lost to the edit, and made again after reading.
                let ending = w.run_out();
                assert!(!matches!(ending, Ending::Stuck(_)), "{ending:?}");
                assert_eq!([w.get(MOVES), w.get(key)], [3, 2]);
            }
        }
    }
}

/// Where no guard tells a client of the edit, the rows are only the coordinator's books; they are
/// as orderly. The compare-and-swap that ends the pause is lost to the edit, and made again.
#[test]
fn race_28_an_edit_between_two_installs_without_a_fence() {
    for unfenced in UNFENCED {
        for goal in BARRIERS {
            for stage in [Stage::InstallFirst, Stage::InstallOther] {
                for (key, shard) in [(STAYS, FROM), (THERE, TO)] {
                    let mut w = unfenced_at(unfenced, goal, stage);
                    let (old, before) = (w.snapshot.clone(), guards(&w));
                    edit(&mut w, key, shard);
                    assert_eq!(guards(&w), before, "{goal}: the wave's rows are its own");
                    // Whoever still acts by the older map, and whoever has the newer.
                    for (value, map) in [(2, old.clone()), (3, w.snapshot.clone())] {
                        let mut client = w.write_by(&map, key, value);
                        assert!(matches!(w.finish(&mut client), End::Written { .. }));
                        assert_eq!(w.get(key), value);
                    }
                    w.run_past(goal, Stage::InstallOther);
                    for row in guards(&w) {
                        assert_eq!((row.epoch, row.closed), (old.epoch(), false), "{goal}");
                    }
                    let ending = w.run_out();
                    assert!(!matches!(ending, Ending::Stuck(_)), "{ending:?}");
                    w.put(MOVES, 4);
                    assert_eq!([w.get(MOVES), w.get(key)], [4, 3]);
                }
            }
        }
    }
}

/// What the order protects: back from read-new, `from` must not open, brought up to date by an
/// edit, while `to` still answers reads at the old epoch.
#[test]
fn race_28_an_edit_does_not_open_the_second_shard_first() {
    let mut w = at(Move::Unread, Stage::Swap);
    let old = w.snapshot.clone();
    w.step();
    let mut reader = w.read_by(&old, MOVES);
    edit(&mut w, STAYS, FROM);
    let mut writer = w.write(MOVES, 2);
    let current = old.epoch();
    assert_eq!(
        refused(w.advance(&mut writer)),
        Refusal::NotReady { current }
    );
    assert_eq!(
        w.finish(&mut reader),
        End::Saw(1),
        "nothing newer can be answered yet"
    );
    w.run_past(Move::Unread, Stage::InstallOther);
    assert!(matches!(w.finish(&mut writer), End::Written { .. }));
    let mut reader = w.read_by(&old, MOVES);
    assert_eq!(w.finish(&mut reader), End::Saw(2));
}

/// The same in a transition that rolls: an edit of `to` between the mirror's install and the
/// authority's.
#[test]
fn race_28_an_edit_in_the_middle_of_a_carve() {
    let mut w = at(Move::Mirror, Stage::InstallOther);
    let domain = w.wave().domain;
    edit(&mut w, THERE, TO);
    assert_eq!(w.shards[&FROM].guard.row(domain), None);
    w.run_past(Move::Mirror, Stage::InstallOther);
    assert!(w.shards[&FROM].guard.row(domain).is_some());
    w.put(MOVES, 2);
    assert_eq!(w.held(TO, MOVES), Some(2), "mirrored");
    assert_eq!(w.run_out(), Ending::Complete);
    assert_eq!([w.get(MOVES), w.get(STAYS), w.get(THERE)], [2, 1, 1]);
}

/// An edit that lands while a barrier's guards are closed costs its compare-and-swap only: the
/// barrier is run again.
#[test]
fn race_28_an_edit_inside_a_barrier_repeats_it() {
    for goal in BARRIERS {
        let mut w = at(goal, Stage::Swap);
        edit(&mut w, STAYS, FROM);
        assert!(guards(&w).iter().all(|row| row.closed));
        w.run_to(goal, Stage::CloseFrom);
        w.run_past(goal, Stage::InstallOther);
        assert!(guards(&w).iter().all(|row| !row.closed));
        let ending = w.run_out();
        assert!(!matches!(ending, Ending::Stuck(_)), "{ending:?}");
        assert_eq!([w.get(MOVES), w.get(STAYS)], [1, 1]);
    }
}

/// A home changes once more before its carve is installed. An edit should have waited; one that
/// didn't must not cost rows, even where the coordinator dies and another makes the installs.
#[test]
fn race_28_an_edit_of_a_home_before_its_carve_is_installed_loses_nothing() {
    for stage in [Stage::InstallFirst, Stage::InstallOther] {
        for dies in [false, true] {
            let mut w = at(Move::Mirror, stage);
            edit(&mut w, STAYS, FROM);
            if dies {
                w.take_over();
            }
            w.run_to(Move::Copy, Stage::Read);
            assert_eq!([w.get(MOVES), w.get(STAYS)], [1, 1]);
            w.run_past(Move::Ramp(0), Stage::InstallOther);
            assert_eq!(w.held(TO, MOVES), Some(1), "copied");
            assert_eq!(w.run_out(), Ending::Complete);
            assert_eq!([w.get(MOVES), w.get(STAYS)], [1, 1]);
            assert_eq!(w.held(FROM, MOVES), None, "purged");
        }
    }
}

/// A new shard is an edit like any other: what is installed for it are its own homes, and nothing
/// on the shards that were there.
#[test]
fn race_28_a_new_shard_brings_its_own_rows() {
    let mut w = World::new(settings());
    let mut shards = w.snapshot.content().shards.clone();
    shards.push(Shard {
        id: ShardId(3),
        name: "z".to_owned(),
        ..shards[0].clone()
    });
    w.shards.insert(ShardId(3), Store::default());
    w.begin_with(Log {
        base: w.snapshot.epoch(),
        enlist: Some(shards),
        ..Log::default()
    });
    let install = w.run_past(Move::Enlist, Stage::InstallFirst);
    assert_eq!(install.command.shard(), Some(ShardId(3)));
    assert_ne!(w.errand().point.goal, Move::Enlist, "no other install");
    assert_eq!(w.run_out(), Ending::Complete);
}

/// An edit between a successor's look at the snapshot and its look at the guards: they are ahead of
/// what it has read, not of the topology store.
#[test]
fn race_28_an_edit_during_a_take_over_is_read_again() {
    let mut w = at(Move::Copy, Stage::Read);
    w.take_over();
    w.run_to(Move::TakeOver, Stage::Guards);
    edit(&mut w, STAYS, FROM);
    assert_eq!(w.run_out(), Ending::Complete);
    assert_eq!([w.get(MOVES), w.get(STAYS)], [1, 1]);
}
