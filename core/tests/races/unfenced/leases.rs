//! What clients have instead of a fence: a lease, counted from the sending of a refresh.

use ringshift::migration::{Move, Stage};
use ringshift::{Epoch, OperationError, RefreshGate, RefreshStep, Reply, Step};

use super::super::client::{DONE, End};
use super::super::shard::NOTHING;
use super::super::world::{FROM, LEASE, MOVES, TO, World, settings};
use super::{begun, lease_ms};

/// The last moment: an attempt that began within its lease, and is carried out as late as an
/// attempt may be, is waited for by every barrier.
#[test]
fn race_5_an_attempt_that_freezes_on_its_way_is_waited_for() {
    let mut w = begun();
    w.run_to(Move::Switch, Stage::Pause);
    let mut client = w.write(MOVES, 2);
    let frozen = client.letter();
    w.step();
    w.pass(lease_ms() + u64::from(LEASE.attempt_ms) - 1);
    assert!(matches!(
        w.post(&mut client, &frozen),
        Reply::Written { .. }
    ));
    let mirror = client.letter();
    w.post(&mut client, &mirror);
    assert_eq!(client.ended(), DONE);
    w.run_past(Move::Switch, Stage::Open);
    assert_eq!(w.get(MOVES), 2);
}

/// What the guarantee rests on: a request that a store carries out later than the longest attempt
/// is not waited for. Then an answered write is lost, and nothing can tell.
#[test]
fn race_5_an_attempt_that_outlives_the_longest_is_lost() {
    let mut w = begun();
    w.run_to(Move::Switch, Stage::Pause);
    let mut client = w.write(MOVES, 2);
    let frozen = client.letter();
    w.run_past(Move::Finish, Stage::Swap);
    assert!(matches!(
        w.post(&mut client, &frozen),
        Reply::Written { .. }
    ));
    assert_eq!(w.get(MOVES), 1, "the assumption is needed");
}

/// The lease is counted from the sending: an answer that was long on its way is worth less.
#[test]
fn race_5_a_lease_counts_from_the_sending_of_the_refresh() {
    let mut w = begun();
    w.run_to(Move::Switch, Stage::Pause);
    // Asked just before the swap, and told what was in force then, much later.
    let (map, sent) = (w.snapshot.clone(), w.now);
    w.step();
    let swapped = w.now;
    w.pass(lease_ms() - 1);
    let mut gate = RefreshGate::new(Epoch::FIRST, 5, 0);
    gate.renewed(w.now, sent, map.epoch());
    for (later, sends) in [(0, true), (1, false), (500, false)] {
        let now = w.now.after(later);
        let mut client = w.write_under(&gate, &map, now, 9);
        let began = client.sends().is_some();
        assert_eq!(began, sends, "{later} ms later");
        let waited = now.since(swapped) + u64::from(LEASE.attempt_ms);
        assert!(!began || waited < LEASE.wait_ms());
    }
}

/// A client whose lease is over asks first, and fails closed when nobody answers.
#[test]
fn race_17_without_its_topology_store_a_client_fails_closed() {
    let w = World::with_unfenced(settings(), &[FROM, TO]);
    let mut gate = RefreshGate::new(Epoch::FIRST, 5, 0);
    let map = w.snapshot.clone();
    gate.renewed(w.now, w.now, map.epoch());
    let end = w.now.after(lease_ms());
    let mut w = w;
    for value in [NOTHING, 7] {
        let mut client = w.write_under(&gate, &map, end, value);
        assert!(matches!(client.step(), Step::Refresh { .. }));
        assert!(client.sends().is_none());
        client.pass(end.after(u64::from(u32::MAX)));
        let failed = End::Failed(OperationError::Deadline { last: None });
        assert_eq!(client.ended(), failed);
    }
    // "Nothing newer" renews it.
    gate.renewed(end, end, map.epoch());
    let mut client = w.write_under(&gate, &map, end, 7);
    assert!(client.sends().is_some());
}

/// A driver that hands no time in sends nothing, and an attempt that froze before it was sent isn't.
#[test]
fn race_5_a_plan_without_a_lease_sends_nothing() {
    let mut w = World::with_unfenced(settings(), &[FROM]);
    let gate = RefreshGate::new(Epoch::FIRST, 5, 0);
    let map = w.snapshot.clone();
    let mut client = w.write_under(&gate, &map, w.now, 7);
    assert!(client.sends().is_none());
    let mut gate = gate;
    gate.renewed(w.now, w.now, map.epoch());
    let mut client = w.write_under(&gate, &map, w.now, 7);
    let letter = client.letter();
    assert!(!letter.attempt.is_over(w.now.after(lease_ms() - 1)));
    assert!(letter.attempt.is_over(w.now.after(lease_ms())));
}

/// A map that came from elsewhere, behind one that was confirmed, has no lease of that one's.
#[test]
fn race_16_an_older_map_has_no_newer_one_s_lease() {
    let mut w = World::with_unfenced(settings(), &[FROM, TO]);
    let old = w.snapshot.clone();
    w.begin();
    w.run_past(Move::Begin, Stage::Swap);
    let mut gate = RefreshGate::new(Epoch::FIRST, 5, 0);
    gate.renewed(w.now, w.now, w.snapshot.epoch());
    assert!(w.write_under(&gate, &old, w.now, 7).sends().is_none());
    let new = w.snapshot.clone();
    assert!(w.write_under(&gate, &new, w.now, 7).sends().is_some());
}

/// Their leases are over at once: a thousand operations make one request, and its answer renews them
/// all.
#[test]
fn race_11_a_thousand_leases_that_are_over_make_one_refresh() {
    let mut w = begun();
    let (map, end) = (w.snapshot.clone(), w.now.after(lease_ms()));
    let mut gate = RefreshGate::new(Epoch::FIRST, 5, 0);
    gate.renewed(w.now, w.now, map.epoch());
    let begun = gate.begun();
    let mut clients: Vec<_> = (0..1_000)
        .map(|_| w.write_under(&gate, &map, end, 7))
        .collect();
    let mut fetches = 0;
    for client in &mut clients {
        let Step::Refresh { newer_than } = client.step() else {
            panic!("it acts without a lease")
        };
        match gate.want(end, newer_than) {
            RefreshStep::Fetch => fetches += 1,
            other => assert_eq!(other, RefreshStep::Join),
        }
    }
    assert_eq!((fetches, gate.begun() - begun), (1, 1));
    gate.renewed(end, end, map.epoch());
    for client in &mut clients {
        client.refresh(&map);
        if let Step::Wait { until } = client.step() {
            client.pass(until);
        }
        assert!(client.sends().is_some());
    }
}
