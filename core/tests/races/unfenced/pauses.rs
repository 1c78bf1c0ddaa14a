//! The pause that a barrier publishes, where a shard doesn't hold writes back.

use ringshift::migration::{Answer, Ending, Move, Point, Stage};
use ringshift::{Phase, Step};

use super::super::client::End;
use super::super::world::{FROM, LEASE, MOVES, MOVES_TOO, TO, World, settings};
use super::begun;

/// A wave without a fence: what its barrier publishes, and what it waits for.
#[test]
fn race_6_a_barrier_publishes_a_pause_and_waits_three_times() {
    let mut w = begun();
    w.run_to(Move::Ramp(0), Stage::Pause);
    let (began, epoch) = (w.now, w.wave().epoch);
    w.step();
    assert!(w.wave().switching, "published");
    assert_eq!((w.phase(), w.wave().epoch), (Phase::DoubleWrite, epoch));
    w.run_to(Move::Ramp(0), Stage::CloseFrom);
    assert_eq!(w.now.since(began), LEASE.wait_ms());
    w.run_past(Move::Ramp(0), Stage::Swap);
    assert!(w.wave().switching && w.phase() == Phase::ReadNew);
    w.run_to(Move::Ramp(0), Stage::Open);
    assert_eq!(w.now.since(began), 2 * LEASE.wait_ms());
    w.step();
    assert!(!w.wave().switching);
    w.run_to(Move::Switch, Stage::Pause);
    assert_eq!(w.now.since(began), 3 * LEASE.wait_ms());
}

/// While a wave is switching reads go on where they were, and writes wait for the next map.
#[test]
fn race_6_a_write_waits_while_reads_go_on() {
    let mut w = begun();
    w.run_past(Move::Switch, Stage::Pause);
    assert_eq!(w.get(MOVES), 1);
    let mut client = w.write(MOVES, 2);
    for _ in 0..3 {
        assert!(matches!(client.step(), Step::Refresh { .. }));
        client.refresh(&w.snapshot.clone());
        let Step::Wait { until } = client.step() else {
            panic!("it waits before it asks again")
        };
        client.pass(until);
    }
    w.run_past(Move::Switch, Stage::Open);
    assert!(matches!(w.finish(&mut client), End::Written { .. }));
    assert_eq!(w.get(MOVES), 2);
}

/// A successor that finds a pause and no barrier lets the writes go on, once nobody acts by an
/// older map.
#[test]
fn race_8_a_pause_that_nobody_is_at_work_on_is_ended() {
    let mut w = World::with_unfenced(settings(), &[FROM, TO]);
    w.put(MOVES, 1);
    w.put(MOVES_TOO, 1);
    w.begin();
    w.run_to(Move::Ramp(0), Stage::Open);
    w.take_over();
    let errand = w.run_to(Move::Reopen, Stage::Open);
    assert_eq!(errand.point, Point::new(Move::Reopen, Stage::Open));
    assert_eq!(w.step(), Answer::Swapped);
    assert!(!w.wave().switching);
    w.put(MOVES, 2);
    assert_eq!(w.run_out(), Ending::Complete);
    assert_eq!(w.get(MOVES), 2);
}
