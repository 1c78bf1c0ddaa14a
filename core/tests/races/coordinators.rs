//! Races of coordinators with their own death, and with each other.

use ringshift::migration::{Action, Answer, Command, Coordinator, Ending, Move, Settings, Stage};
use ringshift::{InstallRow, Instant, Phase, Refusal, ShardId, Term};

use super::world::{MOVES, STAYS, World, fencings, settings};

/// Every state of a migration between two errands, forwards or, turned round at `turn`, back.
fn way(turn: Option<Move>, unfenced: &[ShardId]) -> Vec<World> {
    let mut w = World::with_unfenced(settings(), unfenced);
    w.put(MOVES, 1);
    w.put(STAYS, 2);
    w.begin();
    let mut way = Vec::new();
    while let Ok(errand) = w.next() {
        if turn.is_some_and(|turn| errand.point.goal == turn) {
            w.coordinator.roll_back("");
        }
        way.push(w.clone());
        w.step();
    }
    way
}

fn all_ways(unfenced: &[ShardId]) -> impl Iterator<Item = World> {
    let turns = [
        None,
        Some(Move::Copy),
        Some(Move::Ramp(0)),
        Some(Move::Switch),
    ];
    turns.into_iter().flat_map(|turn| way(turn, unfenced))
}

/// The installs that come next, whoever's.
fn installs(w: &mut World, goal: Move) -> Vec<(ShardId, Vec<InstallRow>)> {
    let mut found = Vec::new();
    while let Ok(errand) = w.next() {
        match errand.command {
            Command::Install { shard, rows, .. } if errand.point.goal == goal => {
                found.push((shard, rows));
            }
            _ if errand.point.goal == goal && goal == Move::TakeOver => {}
            _ if errand.point.goal == Move::Tend => {}
            _ => break,
        }
        w.step();
    }
    found
}

/// The successor of a coordinator that died after its compare-and-swap makes the same installs,
/// in the same order; there is no other choice.
#[test]
fn race_8_a_successor_finishes_the_same_installs() {
    let mut swaps = 0;
    for mut w in all_ways(&[]) {
        let swap = w.errand();
        if swap.point.stage != Stage::Swap {
            continue;
        }
        w.step();
        let meant = installs(&mut w.clone(), swap.point.goal);
        for done in 0..meant.len() {
            let mut w = w.clone();
            for _ in 0..done {
                w.step();
            }
            w.take_over();
            assert_eq!(installs(&mut w, Move::TakeOver), meant, "{}", swap.point);
            w.run_out();
            assert_eq!([w.get(MOVES), w.get(STAYS)], [1, 2]);
            swaps += 1;
        }
    }
    assert!(swaps > 30, "{swaps}");
}

/// Killed anywhere, with its last command lost, carried out, or carried out when all is over: the
/// migration ends as it was meant to, and nothing is lost.
#[test]
fn race_8_a_coordinator_may_die_anywhere() {
    for w in all_ways(&[]) {
        for carried_out in [false, true] {
            let mut w = w.clone();
            let last = w.errand();
            if carried_out {
                w.deliver(&last);
            }
            w.take_over();
            // The wish is in the log from the first move on; before that there is no migration.
            let ending = w.run_out();
            let ended = matches!(ending, Ending::Complete | Ending::RolledBack { .. });
            assert!(ended, "{}: {ending:?}", last.point);
            w.put(MOVES, 3);
            w.deliver(&last);
            assert_eq!([w.get(MOVES), w.get(STAYS)], [3, 2], "{}", last.point);
        }
    }
}

/// A barrier that was left closed is run again from its first step, and drains what came between.
#[test]
fn race_8_a_barrier_left_closed_is_run_again() {
    for stage in [Stage::CloseTo, Stage::Closing, Stage::Swap] {
        let mut w = World::new(settings());
        w.put(MOVES, 1);
        w.begin();
        w.run_to(Move::Ramp(0), Stage::Log);
        let mut client = w.write(MOVES, 2);
        w.advance(&mut client);
        w.run_to(Move::Ramp(0), stage);
        w.take_over();
        let again = w.run_to(Move::Ramp(0), Stage::CloseFrom);
        assert_eq!(again.command.domain(), Some(w.wave().domain));
        w.run_past(Move::Ramp(0), Stage::InstallOther);
        assert_eq!(w.get(MOVES), 2);
    }
}

/// A successor that is to stay where it is opens first what its predecessor has closed.
#[test]
fn race_8_a_barrier_left_closed_is_opened_before_a_pause() {
    for (goal, phase) in [
        (Move::Ramp(0), Phase::DoubleWrite),
        (Move::Switch, Phase::ReadNew),
    ] {
        let mut w = World::new(settings());
        w.put(MOVES, 1);
        w.begin();
        w.run_to(goal, Stage::Swap);
        w.take_over();
        w.coordinator.pause("");
        let reason = String::new();
        assert_eq!(w.run_out(), Ending::Paused { reason });
        assert_eq!(w.phase(), phase);
        w.put(MOVES, 2);
        assert_eq!(w.get(MOVES), 2);
    }
}

/// Nor does a soak come before it: writes are waiting.
#[test]
fn race_8_a_barrier_left_closed_does_not_wait_for_a_soak() {
    let mut w = World::new(Settings {
        ramp_ms: 60_000,
        ..settings()
    });
    w.put(MOVES, 1);
    w.begin();
    w.run_to(Move::Switch, Stage::Swap);
    w.take_over();
    let before = w.now;
    w.run_past(Move::Switch, Stage::InstallOther);
    assert_eq!(w.now, before);
    w.put(MOVES, 2);
    assert_eq!(w.get(MOVES), 2);
}

/// Whatever a coordinator still has on its way when another has taken office is refused, by every
/// shard and by the topology store, and the answer makes it step down.
#[test]
fn race_9_the_lower_term_is_refused_everywhere() {
    let mut told = 0;
    for mut w in fencings().flat_map(all_ways) {
        let late = w.errand();
        let mut ghost = w.take_over();
        let office = Term(2);
        w.run_to(Move::TakeOver, Stage::Guards);
        let before = w.clone();
        let answer = w.deliver(&late);
        let refused = match late.command {
            Command::Lead { .. }
            | Command::Renew { .. }
            | Command::Swap { .. }
            | Command::SaveLog { .. } => Answer::TermLost { current: office },
            // They change nothing.
            Command::Guards { .. }
            | Command::Revision { .. }
            | Command::Changes { .. }
            | Command::Count { .. } => continue,
            _ => Answer::Refused(Refusal::StaleTerm { seen: office }),
        };
        assert_eq!(answer, refused, "{}", late.point);
        assert!(w.shards == before.shards && w.snapshot == before.snapshot);
        ghost.handle_answer(Instant::ZERO, late.id, answer);
        assert_eq!(over(&mut ghost), Some(Ending::SteppedDown { term: office }));
        told += 1;
    }
    assert!(told > 240, "{told}");
}

fn over(ghost: &mut Coordinator) -> Option<Ending> {
    match ghost.poll() {
        Action::Over(ending) => Some(ending),
        _ => None,
    }
}

/// Between raising the term and claiming a shard, the old coordinator still reaches that shard.
/// What it does there is its own next step, and the new one sees it when it reads the guards.
#[test]
fn race_9_a_shard_not_claimed_yet_may_still_move() {
    for unfenced in fencings() {
        let mut w = World::with_unfenced(settings(), unfenced);
        w.put(MOVES, 1);
        w.begin();
        w.run_past(Move::Ramp(0), Stage::CloseFrom);
        let late = w.errand();
        w.take_over();
        w.run_past(Move::TakeOver, Stage::Lead);
        assert!(matches!(w.deliver(&late), Answer::Closed(Some(row)) if row.closed));
        w.run_past(Move::Ramp(0), Stage::InstallOther);
        assert_eq!(w.get(MOVES), 1);
    }
}

/// Superseded while it takes office, after its claims: it finds guards of a newer map than the one
/// it has read. That is its successor's work, not a topology store that went back in time.
#[test]
fn race_9_who_is_superseded_while_it_looks_steps_down() {
    let mut w = World::new(settings());
    w.put(MOVES, 1);
    w.begin();
    w.run_past(Move::Begin, Stage::InstallFirst);
    w.take_over();
    w.run_to(Move::TakeOver, Stage::Guards);
    let ghost = w.take_over();
    w.run_past(Move::Mirror, Stage::InstallOther);
    w.coordinator = ghost;
    let term = Term(3);
    assert_eq!(w.run_out(), Ending::SteppedDown { term });
}
