//! Writes that come twice, where only the row itself tells them apart.

use ringshift::migration::{Move, Stage};
use ringshift::{AttemptKind, Failure, Reply, Step};

use super::super::client::{Client, DONE, Letter};
use super::super::world::{FROM, MOVES, TO, UNFENCED, World, settings};

/// A transport repeats a request: the row has its operation's id, so the second one changes nothing,
/// at home and in each phase of the wave.
#[test]
fn race_13_a_write_that_comes_twice_is_carried_out_once() {
    for unfenced in UNFENCED {
        let mut w = World::with_unfenced(settings(), unfenced);
        w.put(MOVES, 1);
        w.begin();
        let moves = [
            (Move::Begin, Stage::Swap),
            (Move::Mirror, Stage::InstallOther),
            (Move::Ramp(0), Stage::Open),
            (Move::Switch, Stage::Open),
        ];
        for (value, (goal, stage)) in (2..).zip(moves) {
            w.run_past(goal, stage);
            let mut client = w.write(MOVES, value);
            let letter = client.letter();
            let at = letter.attempt.shard;
            let first = w.post(&mut client, &letter);
            let there = w.shards[&at].rows[&MOVES];
            assert!(matches!(first, Reply::Written { .. }), "{first:?}");
            assert_eq!(w.deliver_letter(&letter), first, "{goal}");
            assert_eq!(w.shards[&at].rows[&MOVES], there, "{goal}");
            w.finish(&mut client);
            assert_eq!(w.get(MOVES), value);
        }
    }
}

/// What it sends next, however long it waits before that.
fn sent(w: &World, client: &mut Client) -> Letter {
    loop {
        match client.step() {
            Step::Send(attempt) => return client.letter_of(attempt),
            Step::Wait { until } => client.pass(until),
            Step::Refresh { .. } => client.refresh(&w.snapshot),
            Step::Done(outcome) => panic!("{outcome:?}"),
        }
    }
}

/// After silence a write isn't sent again: the authority is asked whether it was the row's last.
#[test]
fn race_13_a_write_without_an_answer_is_asked_for() {
    for unfenced in UNFENCED {
        for arrives in [true, false] {
            let mut w = World::with_unfenced(settings(), unfenced);
            w.put(MOVES, 1);
            let mut client = w.write(MOVES, 2);
            let letter = client.letter();
            if arrives {
                w.deliver_letter(&letter);
            }
            client.hear(&letter, Reply::Failed(Failure::MaybeApplied));
            let asks = sent(&w, &mut client);
            assert_eq!(asks.attempt.kind, AttemptKind::Confirm);
            assert_eq!(asks.attempt.shard, FROM);
            w.post(&mut client, &asks);
            let end = w.finish(&mut client);
            assert_eq!(end == DONE, arrives, "{end:?}");
            let held = w.held(FROM, MOVES);
            assert_eq!(held, Some(if arrives { 2 } else { 1 }));
            assert_eq!(w.held(TO, MOVES), None);
        }
    }
}
