//! Whole stories, and what a newer map says where no guard does.

use ringshift::migration::{Action, Move, Settings, Stage};

use super::super::client::DONE;
use super::super::shard::NOTHING;
use super::super::world::{FROM, MOVES, TO, UNFENCED, World, settings};
use super::story::{Story, turned, ways};

/// The whole way, there, and there and back: nobody who may act sees or does anything wrong.
#[test]
fn race_5_by_every_map_that_may_be_acted_by() {
    for unfenced in UNFENCED {
        for (settings, turn) in ways() {
            let mut story = Story::new(settings, unfenced);
            loop {
                turned(&mut story, turn);
                if !story.step() {
                    break;
                }
            }
            story.is_well();
        }
    }
}

/// Killed anywhere, with its last command lost or carried out: the successor doesn't know when the
/// last map was swapped in, and waits.
#[test]
fn race_8_a_successor_waits_it_all_again() {
    for unfenced in UNFENCED {
        for (settings, turn) in ways() {
            let mut story = Story::new(settings, unfenced);
            let mut at = 0;
            loop {
                turned(&mut story, turn);
                at += 1;
                let asks = matches!(story.w.coordinator.poll(), Action::Do { .. });
                for carried_out in [false, true] {
                    if !asks || at % 3 != 0 {
                        continue;
                    }
                    let mut story = story.clone();
                    if carried_out {
                        story.deliver(false);
                    }
                    story.w.take_over();
                    story.goes_on();
                    story.is_well();
                }
                if !story.step() {
                    break;
                }
            }
        }
    }
}

/// A delete by a map from before the carve leaves a tombstone: a client that mirrors already may
/// have put what it deletes on the other shard.
#[test]
fn race_24_a_delete_beside_a_client_that_mirrors_already_is_a_row() {
    let mut w = World::with_unfenced(settings(), &[FROM, TO]);
    w.begin();
    w.run_to(Move::Mirror, Stage::Swap);
    let old = w.snapshot.clone();
    w.step();
    w.put(MOVES, 1);
    assert_eq!(w.held(TO, MOVES), Some(1), "mirrored at once");
    let mut client = w.write_by(&old, MOVES, NOTHING);
    assert_eq!(w.finish(&mut client), DONE);
    w.run_past(Move::Switch, Stage::Open);
    assert_eq!(w.get(MOVES), NOTHING);
}

/// A write whose mirror never answered, before a pause that its barrier drained: done, by the map.
#[test]
fn race_25_a_drain_that_the_map_tells_of_is_done() {
    let mut w = World::with_unfenced(
        Settings {
            strict: true,
            ..settings()
        },
        &[FROM, TO],
    );
    w.put(MOVES, 1);
    w.begin();
    w.run_to(Move::Ramp(0), Stage::Pause);
    let mut client = w.write(MOVES, 2);
    w.advance(&mut client);
    w.cut_off = Some(TO);
    w.advance(&mut client);
    w.run_past(Move::Ramp(0), Stage::Swap);
    client.refresh(&w.snapshot.clone());
    assert_eq!(client.ended(), DONE);
    assert_eq!(w.held(TO, MOVES), Some(2));
}
