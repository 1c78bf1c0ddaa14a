//! Races of a read that looks behind: deletes, late rows, and what the next reader sees.

use ringshift::migration::{Move, Stage};
use ringshift::{AttemptKind, Phase, Reply};

use super::client::{End, Letter};
use super::shard::NOTHING;
use super::world::{Errand, FROM, MOVES, TO, World, settings};

/// A world in read-new, in which `old` and then `new` were accepted by `from`. A chunk of catch-up
/// with `old` is on its way to `to`, and so are both mirror writes.
fn two_writes_behind(old: u8, new: u8) -> (World, Errand, [Letter; 2]) {
    let mut w = World::new(settings());
    w.begin();
    w.run_past(Move::Ramp(0), Stage::InstallOther);
    assert_eq!(w.phase(), Phase::ReadNew);
    let mut first = w.write(MOVES, old);
    w.advance(&mut first);
    let chunk = w.run_to(Move::Copy, Stage::Apply);
    let mut second = w.write(MOVES, new);
    w.advance(&mut second);
    let mirrors = [first.letter(), second.letter()];
    assert_eq!(w.held(TO, MOVES), None);
    (w, chunk, mirrors)
}

/// A tombstone on the shard that reads go to is a hit: the deleted row's shard isn't asked.
#[test]
fn race_3_a_tombstone_is_a_hit() {
    let mut w = World::new(settings());
    w.put(MOVES, 1);
    w.begin();
    w.run_past(Move::Ramp(0), Stage::InstallOther);
    w.put(MOVES, NOTHING);
    let mut reader = w.read(MOVES);
    assert!(matches!(w.advance(&mut reader), Reply::Deleted { .. }));
    assert_eq!(reader.ended(), End::Saw(NOTHING));
}

/// While its key is in a wave, a delete leaves a tombstone on both shards: a chunk that still has
/// the row finds something newer.
#[test]
fn race_3_a_late_chunk_does_not_bring_a_deleted_row_back() {
    let mut w = World::new(settings());
    w.put(MOVES, 1);
    w.begin();
    w.run_past(Move::Copy, Stage::Read);
    w.put(MOVES, NOTHING);
    assert_eq!([FROM, TO].map(|at| w.held(at, MOVES)), [Some(NOTHING); 2]);
    w.run_past(Move::Copy, Stage::Apply);
    w.run_past(Move::Ramp(0), Stage::InstallOther);
    assert_eq!(w.get(MOVES), NOTHING);
    w.run_out();
    assert_eq!(w.get(MOVES), NOTHING);
    assert_eq!(w.held(TO, MOVES), None, "collected at the end");
}

/// A delete whose mirror write was lost is carried by catch-up, as a tombstone like any row.
#[test]
fn race_3_catch_up_carries_a_delete() {
    let mut w = World::new(settings());
    w.put(MOVES, 1);
    w.begin();
    w.run_to(Move::Ramp(0), Stage::Log);
    assert_eq!(w.held(TO, MOVES), Some(1));
    let mut client = w.write(MOVES, NOTHING);
    w.advance(&mut client);
    w.run_past(Move::Ramp(0), Stage::InstallOther);
    assert_eq!(w.held(TO, MOVES), Some(NOTHING));
    assert_eq!(w.get(MOVES), NOTHING);
}

/// A tombstone that was found behind is repaired like a row: else a copy of the row that it
/// deletes, still on its way, is seen by the next reader.
#[test]
fn race_3_a_tombstone_found_behind_is_repaired_first() {
    let (mut w, chunk, _lost) = two_writes_behind(1, NOTHING);
    assert_eq!(w.get(MOVES), NOTHING);
    assert_eq!(w.held(TO, MOVES), Some(NOTHING), "repaired");
    w.deliver(&chunk);
    assert_eq!(w.get(MOVES), NOTHING);
}

/// What was found behind is put in front before it is shown: else the next reader sees less.
#[test]
fn race_4_what_a_reader_saw_the_next_one_sees() {
    let (mut w, chunk, _lost) = two_writes_behind(1, 2);
    assert_eq!(w.get(MOVES), 2);
    w.deliver(&chunk);
    assert_eq!(w.get(MOVES), 2);
}

/// The answer waits for the repair. One that meets a barrier starts the read again, and is never
/// stamped with a newer epoch.
#[test]
fn race_4_a_refused_repair_starts_the_read_again() {
    let (mut w, chunk, _lost) = two_writes_behind(1, 2);
    let mut reader = w.read(MOVES);
    assert_eq!(w.advance(&mut reader), Reply::Missing);
    assert!(matches!(w.advance(&mut reader), Reply::Found { .. }));
    let repair = reader.letter();
    assert!(matches!(repair.attempt.kind, AttemptKind::Apply { .. }));
    w.coordinator.roll_back("");
    w.run_past(Move::Unread, Stage::InstallOther);
    w.put(MOVES, 3);
    assert!(matches!(w.post(&mut reader, &repair), Reply::Refused(_)));
    assert_eq!(w.finish(&mut reader), End::Saw(3));
    w.deliver(&chunk);
    assert_eq!(w.get(MOVES), 3);
}

/// Mirror writes that come last of all find what the repair has put.
#[test]
fn race_4_late_mirror_writes_find_the_repair() {
    let (mut w, _chunk, [first, second]) = two_writes_behind(1, 2);
    assert_eq!(w.get(MOVES), 2);
    assert_eq!(w.deliver_letter(&first), Reply::Superseded);
    assert_eq!(w.get(MOVES), 2);
    assert_eq!(w.deliver_letter(&second), Reply::Superseded);
    assert_eq!(w.get(MOVES), 2);
}
