//! Races of writes with the copier, with each other, and with their own second leg.

use ringshift::migration::{Answer, Move, Settings, Stage};
use ringshift::{OperationError, Phase, Refusal, Reply};

use super::super::KIND;
use super::client::{DONE, End, refused};
use super::shard::NOTHING;
use super::world::{FROM, MOVES, MOVES_TOO, TO, World, is_stale, settings};

fn strict() -> Settings {
    Settings {
        strict: true,
        ..settings()
    }
}

/// A world in double-write, backfill done, with `value` written before.
fn double_write(settings: Settings, value: u8) -> World {
    let mut w = World::new(settings);
    w.put(MOVES, value);
    w.begin();
    w.run_to(Move::Ramp(0), Stage::Log);
    assert_eq!(w.phase(), Phase::DoubleWrite);
    w
}

/// Put-if-newer at the mirror: a chunk that was read before a write doesn't undo it.
#[test]
fn race_1_a_late_chunk_does_not_undo_a_write() {
    let mut w = World::new(settings());
    w.put(MOVES, 1);
    w.begin();
    w.run_past(Move::Copy, Stage::Read);
    w.put(MOVES, 2);
    assert_eq!(w.held(TO, MOVES), Some(2), "the mirror write came first");
    let chunk = w.run_past(Move::Copy, Stage::Apply);
    assert_eq!(w.held(TO, MOVES), Some(2));
    w.run_past(Move::Ramp(0), Stage::InstallOther);
    assert_eq!(w.get(MOVES), 2);
    w.deliver(&chunk);
    assert_eq!(w.get(MOVES), 2);
}

/// The authority's version orders two writers, in whatever order the mirror hears of them.
#[test]
fn race_2_two_writers_have_one_order_on_both_shards() {
    for value in [3, NOTHING] {
        let mut w = double_write(strict(), 1);
        let (mut a, mut b) = (w.write(MOVES, 2), w.write(MOVES, value));
        w.advance(&mut a);
        w.advance(&mut b);
        let (late, early) = (a.letter(), b.letter());
        assert_eq!(late.attempt.shard, TO);
        assert!(matches!(w.post(&mut b, &early), Reply::Written { .. }));
        assert_eq!(w.post(&mut a, &late), Reply::Superseded);
        assert_eq!([a.ended(), b.ended()], [DONE; 2]);
        assert_eq!([FROM, TO].map(|at| w.held(at, MOVES)), [Some(value); 2]);
        w.run_past(Move::Switch, Stage::InstallOther);
        assert_eq!(w.get(MOVES), value);
    }
}

/// The cursor of catch-up: what a mirror write failed to bring, copying brings before reads move.
#[test]
fn race_7_catch_up_carries_what_the_mirror_missed() {
    let mut w = double_write(settings(), 1);
    let mut client = w.write(MOVES, 2);
    w.advance(&mut client);
    let lost = client.letter();
    assert!(!lost.attempt.blocking, "nobody waits for it");
    assert_eq!(client.ended(), End::Written { lagging: Some(TO) });
    assert_eq!(w.held(TO, MOVES), Some(1));
    w.run_to(Move::Ramp(0), Stage::Swap);
    assert_eq!(w.held(TO, MOVES), Some(2));
    w.run_past(Move::Ramp(0), Stage::InstallOther);
    assert_eq!(w.get(MOVES), 2);
}

/// A strict write whose mirror never answers is neither done nor failed, and says its version.
#[test]
fn race_7_a_strict_write_without_its_mirror_is_indeterminate() {
    let mut w = double_write(strict(), 1);
    let mut client = w.write(MOVES, 2);
    w.advance(&mut client);
    w.cut_off = Some(TO);
    let version = w.version(FROM, MOVES);
    let unknown = OperationError::Indeterminate { version };
    assert_eq!(w.finish(&mut client), End::Failed(unknown));
    assert!(version.is_some());
}

/// In read-new the mirror is read: a write is answered after it has it, in every ack mode.
#[test]
fn race_7_in_read_new_every_write_waits_for_its_mirror() {
    let mut w = double_write(settings(), 1);
    w.run_past(Move::Ramp(0), Stage::InstallOther);
    let mut client = w.write(MOVES, 2);
    w.advance(&mut client);
    let mirror = client.letter();
    assert!(mirror.attempt.blocking, "answered before reads can see it");
    w.post(&mut client, &mirror);
    assert_eq!(client.ended(), DONE);
    assert_eq!(w.get(MOVES), 2);
}

/// Rule (a) of a refused mirror write: a drain above its epoch has carried it, so it is done.
#[test]
fn race_25_a_drained_refusal_is_done() {
    let mut w = double_write(strict(), 1);
    let mut client = w.write(MOVES, 2);
    w.advance(&mut client);
    let mirror = client.letter();
    w.run_past(Move::Ramp(0), Stage::InstallOther);
    let refusal = refused(w.post(&mut client, &mirror));
    assert!(is_stale(refusal, w.snapshot.epoch()), "{refusal:?}");
    assert_eq!(client.ended(), DONE);
    assert_eq!(w.held(TO, MOVES), Some(2));
}

/// A refusal whose newer epoch nothing drained to proves nothing: the outcome is unknown.
#[test]
fn race_25_an_undrained_refusal_is_indeterminate() {
    let mut w = double_write(strict(), 1);
    let mut client = w.write(MOVES, 2);
    w.advance(&mut client);
    let mirror = client.letter();
    // A barrier that finds `to` silent past its deadline is aborted, and leaves the drain out.
    w.run_to(Move::Ramp(0), Stage::CloseTo);
    w.pass(11);
    w.answer(Answer::Unreachable);
    w.run_past(Move::Abort, Stage::InstallOther);
    assert_eq!(w.phase(), Phase::DoubleWrite);
    assert_eq!(w.held(TO, MOVES), Some(1));
    let refusal = refused(w.post(&mut client, &mirror));
    assert!(is_stale(refusal, w.snapshot.epoch()), "{refusal:?}");
    let version = w.version(FROM, MOVES);
    let unknown = OperationError::Indeterminate { version };
    assert_eq!(w.finish(&mut client), End::Failed(unknown));
}

/// Nor does a drain that led to the attempt's own epoch: it came before the write.
#[test]
fn race_25_an_earlier_drain_does_not_count() {
    let mut w = double_write(strict(), 1);
    w.run_past(Move::Switch, Stage::InstallOther);
    w.coordinator.roll_back("");
    w.run_to(Move::SwitchBack, Stage::Log);
    assert_eq!(w.wave().drained, w.wave().epoch);
    let mut client = w.write(MOVES, 2);
    w.advance(&mut client);
    let mirror = client.letter();
    w.run_to(Move::SwitchBack, Stage::CloseTo);
    w.pass(11);
    w.answer(Answer::Unreachable);
    w.run_past(Move::Abort, Stage::InstallOther);
    assert_eq!(w.phase(), Phase::Reversed);
    assert_eq!(w.held(FROM, MOVES), Some(1));
    refused(w.post(&mut client, &mirror));
    let version = w.version(TO, MOVES);
    let unknown = OperationError::Indeterminate { version };
    assert_eq!(w.finish(&mut client), End::Failed(unknown));
}

/// Rule (c): the wave was taken back, and the shard that accepted the write still orders them.
#[test]
fn race_25_a_refusal_by_a_mirror_that_is_no_more_is_done() {
    let mut w = double_write(strict(), 1);
    let mut client = w.write(MOVES, 2);
    w.advance(&mut client);
    let mirror = client.letter();
    w.coordinator.roll_back("");
    w.run_past(Move::Cancel, Stage::InstallOther);
    let refusal = refused(w.post(&mut client, &mirror));
    assert!(is_stale(refusal, w.snapshot.epoch()), "{refusal:?}");
    assert_eq!(w.finish(&mut client), DONE);
    assert_eq!(w.get(MOVES), 2);
}

/// The same at the other end: the wave is over on `to`, which had accepted the write.
#[test]
fn race_25_a_refusal_after_the_end_on_the_new_shard_is_done() {
    let mut w = double_write(strict(), 1);
    w.run_past(Move::Switch, Stage::InstallOther);
    let mut client = w.write(MOVES, 2);
    w.advance(&mut client);
    let mirror = client.letter();
    assert_eq!(mirror.attempt.shard, FROM);
    w.run_past(Move::Finish, Stage::InstallOther);
    refused(w.post(&mut client, &mirror));
    assert_eq!(w.finish(&mut client), DONE);
    w.run_out();
    assert_eq!(w.get(MOVES), 2);
}

/// The cursor moves when a chunk is acknowledged, not when it is read or sent.
#[test]
fn race_26_a_refused_chunk_is_copied_again() {
    let rows = Settings {
        chunk_rows: 1,
        checkpoint_chunks: 1,
        lag_rows_max: 0,
        ..settings()
    };
    let mut w = World::new(rows);
    w.put(MOVES, 1);
    w.put(MOVES_TOO, 2);
    w.begin();
    w.run_to(Move::Copy, Stage::Apply);
    let (domain, since) = (w.wave().domain, w.wave().authority_epoch);
    let before = w.coordinator.log().cursor(domain, since);
    let current = w.snapshot.epoch();
    w.answer(Answer::Refused(Refusal::NotReady { current }));
    assert_eq!(w.coordinator.log().cursor(domain, since), before);
    assert_eq!(w.log.cursor(domain, since), before);
    // Nor does the next coordinator start behind it.
    w.run_to(Move::Copy, Stage::Apply);
    w.take_over();
    w.run_to(Move::Ramp(0), Stage::Log);
    assert_eq!(
        [MOVES, MOVES_TOO].map(|key| w.held(TO, key)),
        [Some(1), KIND.moves(MOVES_TOO).then_some(2)]
    );
}

/// The same behind closed guards: what the drain couldn't put isn't drained.
#[test]
fn race_26_a_refused_drain_is_drained_again() {
    let mut w = double_write(settings(), 1);
    let mut client = w.write(MOVES, 2);
    w.advance(&mut client);
    w.run_to(Move::Ramp(0), Stage::DrainApply);
    let current = w.snapshot.epoch();
    w.answer(Answer::Refused(Refusal::NotReady { current }));
    w.run_past(Move::Ramp(0), Stage::InstallOther);
    assert_eq!(w.held(TO, MOVES), Some(2));
    assert_eq!(w.get(MOVES), 2);
}
