//! A mirror that answers reads, and dies, or is only cut off from the coordinator.

use std::sync::Arc;

use ringshift::migration::{Action, Answer, Command, Coordinator, Ending, Move, Settings, Stage};
use ringshift::{Instant, Phase, Refusal, Snapshot};

use super::client::{DONE, End, refused};
use super::world::{Errand, FROM, MOVES, MOVES_TOO, STAYS, TO, World, settings};

const LEASE: u32 = 1_000;
const MARGIN: u64 = 100;
const PATIENCE: u64 = 200;

fn leased() -> Settings {
    Settings {
        ramp_ms: 60_000,
        barrier_ms: 5_000,
        retry_ms: 10,
        lease_ms: LEASE,
        margin_ms: MARGIN,
        patience_ms: PATIENCE,
        ..settings()
    }
}

/// In read-new, with a lease.
fn world() -> World {
    let mut w = World::new(leased());
    w.pass(1_000);
    w.put(MOVES, 1);
    w.put(STAYS, 1);
    w.begin();
    w.run_past(Move::Ramp(0), Stage::InstallOther);
    w.run_past(Move::Tend, Stage::Grant);
    assert_eq!(w.phase(), Phase::ReadNew);
    assert_eq!(w.get(MOVES), 1);
    w
}

/// Steps with `TO` unreachable for the coordinator, until it asks for `stage` of `goal`.
fn without_to(w: &mut World, goal: Move, stage: Stage) -> Errand {
    for _ in 0..1_000 {
        let errand = w.errand();
        if (errand.point.goal, errand.point.stage) == (goal, stage) {
            return errand;
        }
        step_without_to(w);
    }
    panic!("never at {goal}/{}", stage.name());
}

fn step_without_to(w: &mut World) {
    let errand = w.errand();
    if errand.command.shard() == Some(TO) {
        w.pass(5);
        w.answer(Answer::Unreachable);
    } else {
        w.step();
    }
}

fn read_at(w: &mut World, map: &Arc<Snapshot>) -> Result<End, Refusal> {
    let mut reader = w.read_by(map, MOVES);
    let letter = reader.letter();
    match w.post(&mut reader, &letter) {
        ringshift::Reply::Refused(refusal) => Err(refusal),
        _ => Ok(w.finish(&mut reader)),
    }
}

#[test]
fn race_29_a_mirror_reads_only_under_a_lease() {
    let mut w = World::new(leased());
    w.pass(1_000);
    w.put(MOVES, 1);
    w.begin();
    w.run_past(Move::Ramp(0), Stage::InstallOther);
    let map = w.snapshot.clone();
    let current = map.epoch();
    assert_eq!(read_at(&mut w, &map), Err(Refusal::LeaseOver { current }));
    w.run_past(Move::Tend, Stage::Grant);
    assert_eq!(read_at(&mut w, &map), Ok(End::Saw(1)));
    w.pass(u64::from(LEASE));
    assert_eq!(read_at(&mut w, &map), Err(Refusal::LeaseOver { current }));
}

/// However long copying or a soak takes, grants come due by time and are made first.
#[test]
fn race_29_a_lease_is_kept_up() {
    let mut w = world();
    let map = w.snapshot.clone();
    let until = w.now.after(30_000);
    while w.now < until {
        w.step();
        assert_eq!(read_at(&mut w, &map), Ok(End::Saw(1)));
        w.op = 1;
    }
    assert_eq!(w.phase(), Phase::ReadNew);
    // Nor does a barrier end it before its compare-and-swap.
    w.run_to(Move::Switch, Stage::Swap);
    assert_eq!(read_at(&mut w, &map), Ok(End::Saw(1)));
}

/// `to` is cut off from the coordinator, not from the clients. It serves no read once `from` has
/// the epoch under which it orders writes that `to` doesn't hear of.
#[test]
fn race_29_to_stops_reading_before_from_goes_on() {
    let mut w = world();
    let old = w.snapshot.clone();
    w.pass(300);
    let install = without_to(&mut w, Move::StepBack, Stage::InstallFirst);
    assert_eq!(install.command.shard(), Some(FROM));
    let current = old.epoch();
    assert_eq!(read_at(&mut w, &old), Err(Refusal::LeaseOver { current }));
    w.step();
    w.put(MOVES, 2);
    assert_eq!(read_at(&mut w, &old), Err(Refusal::LeaseOver { current }));
    assert_eq!(w.get(MOVES), 2);
}

/// A grant that arrives when it is long over is counted from when the shard was asked.
#[test]
fn race_29_a_late_grant_is_worth_nothing() {
    for copies in [1, 2] {
        let mut w = world();
        let old = w.snapshot.clone();
        w.pass(300);
        let late = w.run_to(Move::Tend, Stage::Grant);
        w.answer(Answer::Unreachable);
        without_to(&mut w, Move::StepBack, Stage::InstallFirst);
        w.step();
        for _ in 0..copies {
            w.deliver(&late);
        }
        w.put(MOVES, 2);
        let current = old.epoch();
        assert_eq!(read_at(&mut w, &old), Err(Refusal::LeaseOver { current }));
    }
}

/// No grant is made while a step back is under way, and none is of another epoch.
#[test]
fn race_29_grants_stop_first_and_belong_to_their_epoch() {
    let mut w = world();
    w.pass(300);
    let late = w.run_to(Move::Tend, Stage::Grant);
    let mut closed = w.clone();
    without_to(&mut closed, Move::StepBack, Stage::CloseFrom);
    loop {
        let errand = closed.errand();
        if errand.point.stage == Stage::InstallFirst {
            break;
        }
        assert_ne!(errand.point.stage, Stage::Grant);
        assert_ne!(errand.point.stage, Stage::Time);
        step_without_to(&mut closed);
    }
    w.coordinator.roll_back("");
    w.run_past(Move::Unread, Stage::InstallOther);
    let current = w.wave().epoch;
    let answer = w.deliver(&late);
    assert!(
        matches!(answer, Answer::Refused(Refusal::StaleEpoch { current: c, .. }) if c == current),
        "{answer:?}"
    );
}

/// `to` answers again while its leases are waited out: it gets none, since nobody would wait for
/// that one.
#[test]
fn race_29_who_is_back_within_a_step_back_gets_no_lease() {
    let mut w = world();
    without_to(&mut w, Move::StepBack, Stage::CloseFrom);
    // Closed; from now on the end of every lease is waited for.
    w.step();
    loop {
        let errand = w.errand();
        if errand.point.stage == Stage::InstallFirst {
            break;
        }
        assert_ne!(errand.point.stage, Stage::Grant);
        assert_ne!(errand.point.stage, Stage::Time);
        w.step();
    }
}

/// `to` dies: the wave steps back within lease + 2 s, nothing acknowledged is lost, and other keys
/// never wait. Back again, `to` gets its install before anything else.
#[test]
fn race_21_a_dead_to_steps_back() {
    let mut w = world();
    w.put(MOVES, 2);
    w.put(MOVES_TOO, 3);
    let began = w.now;
    w.cut_off = Some(TO);
    let mut lost = w.write(MOVES_TOO, 4);
    w.advance(&mut lost);
    while w.phase() == Phase::ReadNew || w.guard(FROM).epoch < w.wave().epoch {
        step_without_to(&mut w);
        w.put(STAYS, 5);
    }
    let took = w.now.since(began);
    assert!(took <= u64::from(LEASE) + 2_000, "{took} ms");
    assert_eq!(w.phase(), Phase::DoubleWrite);
    assert!(w.wave().drained < w.wave().epoch, "nothing was drained");
    assert_eq!(w.get(MOVES), 2);
    w.put(MOVES, 6);
    assert_eq!(w.get(MOVES), 6);
    // Without `to`, nothing of this wave is done.
    for _ in 0..20 {
        let errand = w.errand();
        assert_eq!(errand.point.goal, Move::Tend, "{}", errand.point);
        step_without_to(&mut w);
    }
    w.cut_off = None;
    while w.guard(TO).epoch < w.wave().epoch {
        let errand = w.errand();
        let first = matches!(errand.point.goal, Move::Tend | Move::TakeOver);
        assert!(first, "{}", errand.point);
        w.step();
    }
    assert_eq!(w.run_out(), Ending::Complete);
    assert_eq!([w.get(MOVES), w.get(STAYS)], [6, 5]);
}

/// A strict wave that has stepped back answers when the authority has a write: nobody is there to
/// wait for. When `to` is back and has caught up, writes wait for it again, before reads move.
#[test]
fn race_21_a_strict_wave_is_strict_again_when_to_is_back() {
    let mut w = World::new(Settings {
        strict: true,
        ..leased()
    });
    w.pass(1_000);
    w.put(MOVES, 1);
    w.begin();
    w.run_past(Move::Mirror, Stage::InstallOther);
    assert!(w.wave().strict);
    w.run_past(Move::Ramp(0), Stage::InstallOther);
    w.run_past(Move::Tend, Stage::Grant);
    w.cut_off = Some(TO);
    while w.phase() == Phase::ReadNew || w.guard(FROM).epoch < w.wave().epoch {
        step_without_to(&mut w);
    }
    assert!(!w.wave().strict);
    w.put(MOVES, 2);
    w.cut_off = None;
    w.run_to(Move::Abort, Stage::CloseFrom);
    assert_eq!(w.held(TO, MOVES), Some(2), "caught up first");
    w.lossy = true;
    // One that was routed before waits for both, too: it is refused, and asks for a new map.
    let mut early = w.write(MOVES, 3);
    w.run_past(Move::Abort, Stage::InstallOther);
    assert!(w.wave().strict);
    assert_eq!(w.phase(), Phase::DoubleWrite);
    assert_eq!(w.wave().drained, w.wave().epoch);
    assert!(matches!(w.finish(&mut early), End::Written { .. }));
    assert_eq!(w.held(TO, MOVES), Some(3), "its answer has waited for both");
    let mut next = w.write(MOVES, 4);
    w.advance(&mut next);
    assert_eq!(w.held(FROM, MOVES), Some(4));
    let mirror = next.letter();
    assert!(mirror.attempt.blocking, "answered without `to`");
    w.post(&mut next, &mirror);
    assert_eq!(next.ended(), DONE);
    w.lossy = false;
    assert_eq!(w.run_out(), Ending::Complete);
}

/// A leader that dies with `to`: the successor, which can't claim it, waits out what the dead one
/// may have granted at its very end.
#[test]
fn race_21_a_successor_waits_it_all_again() {
    let mut w = world();
    let old = w.snapshot.clone();
    let mut ghost = w.take_over();
    w.step();
    // The one before doesn't know yet, and leads for as long as its lead lasts.
    let mut sent = 0;
    let mut stepped_back = false;
    for _ in 0..400 {
        if let Action::Do { id, command, .. } = ghost.poll() {
            let answer = match &command {
                Command::Renew { .. } => Answer::Unreachable,
                Command::Time { .. } => Answer::Time(w.now.as_millis() + 2_000_000),
                Command::Grant { .. } => {
                    sent += 1;
                    let term = ringshift::Term(1);
                    let Command::Grant {
                        fence,
                        asked,
                        lease_ms,
                        ..
                    } = command
                    else {
                        unreachable!()
                    };
                    let shard = w.shards.get_mut(&TO).unwrap();
                    match shard.guard.grant(term, fence, asked, lease_ms) {
                        Ok(()) => Answer::Done,
                        Err(refusal) => Answer::Refused(refusal),
                    }
                }
                _ => Answer::Unreachable,
            };
            ghost.handle_answer(w.now, id, answer);
        }
        ghost.handle_timeout(w.now);
        let errand = w.errand();
        if errand.point.stage == Stage::InstallFirst && errand.point.goal == Move::StepBack {
            let current = old.epoch();
            assert_eq!(read_at(&mut w, &old), Err(Refusal::LeaseOver { current }));
            stepped_back = true;
            break;
        }
        if errand.command.shard() == Some(TO) {
            w.answer(Answer::Unreachable);
        } else {
            w.step();
        }
    }
    assert!(sent > 0, "the one before granted at its end");
    assert!(stepped_back);
}

/// A leader that can't renew stops to act, whoever leads by then.
#[test]
fn race_29_who_cannot_renew_stops_granting() {
    let w = world();
    let lead_over = w.now.after(u64::from(LEASE));
    let mut lone: Coordinator = w.coordinator.clone();
    let mut now = w.now;
    while now < lead_over.after(3_000) {
        match lone.poll() {
            Action::Do { id, command, .. } => {
                let answer = match command {
                    Command::Time { .. } => Answer::Time(1),
                    Command::Grant { .. } => {
                        assert!(now < lead_over, "a grant at {now}");
                        Answer::Done
                    }
                    Command::Renew { .. } => Answer::Unreachable,
                    other => panic!("{other:?}"),
                };
                lone.handle_answer(now, id, answer);
            }
            Action::Wait { until } => {
                now = until.min(now.after(50));
                lone.handle_timeout(now);
            }
            Action::Over(ending) => panic!("{ending:?}"),
        }
        now = now.after(1);
    }
}

/// A pause takes reads back to `from` where nobody stays to renew the lease.
#[test]
fn race_29_a_pause_leaves_no_mirror_without_a_lease() {
    let mut w = world();
    w.coordinator.pause("enough");
    let reason = "enough".into();
    assert_eq!(w.run_out(), Ending::Paused { reason });
    assert_eq!(w.phase(), Phase::DoubleWrite);
    w.pass(10 * u64::from(LEASE));
    assert_eq!(w.get(MOVES), 1);
}

/// `to` dies between the compare-and-swap that takes reads back and its own install: time stands
/// for its answer.
#[test]
fn race_21_to_dies_within_the_way_back() {
    let mut w = world();
    let old = w.snapshot.clone();
    w.coordinator.roll_back("");
    w.run_to(Move::Unread, Stage::InstallFirst);
    let began = w.now;
    while w.guard(FROM).epoch < w.wave().epoch {
        step_without_to(&mut w);
        if w.guard(FROM).epoch < w.wave().epoch {
            continue;
        }
        let current = old.epoch();
        assert_eq!(read_at(&mut w, &old), Err(Refusal::LeaseOver { current }));
    }
    assert!(w.now.since(began) <= u64::from(LEASE) + 2_000);
    w.put(MOVES, 2);
    assert_eq!(w.get(MOVES), 2);
}

/// Who reads by an old map while the mirror has no lease, asks for a new map, and waits.
#[test]
fn race_29_a_refused_reader_comes_back() {
    let mut w = world();
    let mut reader = w.read(MOVES);
    w.pass(u64::from(LEASE));
    let current = w.wave().epoch;
    assert_eq!(
        refused(w.advance(&mut reader)),
        Refusal::LeaseOver { current }
    );
    w.run_past(Move::Tend, Stage::Grant);
    assert_eq!(w.finish(&mut reader), End::Saw(1));
    assert!(w.now > Instant::ZERO);
}
