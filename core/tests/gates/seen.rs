//! What whoever carries the commands out sees of the stores by itself: looks, silence, and what
//! gates make of them where nobody hands anything in.

use std::cell::Cell;

use ringshift::migration::{
    Answer, Command, Coordinator, Decided, Ending, Gate, Health, Move, StoreHealth, StoreWatch,
};
use ringshift::{Phase, ShardId};

use crate::quick;
use crate::world::{THIRD, World, settings};

/// Carries out the looks that are due, each in `us`; answers how many there were.
fn look(watch: &mut StoreWatch, world: &World, us: u32, answer: &Answer) -> Vec<ShardId> {
    let mut looked = Vec::new();
    while let Some(command) = watch.poll(world.time(), &world.coordinator, |_| true) {
        assert!(matches!(command, Command::Guards { .. }), "{command:?}");
        looked.extend(command.shard());
        watch.handle_look(world.time(), &command, answer, us);
        assert!(looked.len() <= 100, "it goes on for ever");
    }
    looked
}

#[test]
fn a_store_that_gets_slow_steps_the_migration_back_with_nothing_handed_in() {
    let mut settings = settings();
    settings.gates.patience_ms = 5_000;
    settings.gates.steps_back_max = 0;
    let mut world = World::new(settings);
    let mut watch = StoreWatch::default();
    let ending = world.run(|world| {
        let slow = matches!(world.phase(), Some((Phase::ReadNew, _)));
        let us = if slow { 400_000 } else { 3_000 };
        look(&mut watch, world, us, &Answer::Guards(Vec::new()));
        let now = world.time();
        world.coordinator.handle_seen(now, watch.health());
    });
    let Ending::RolledBack { reason } = ending else {
        panic!("{ending:?}")
    };
    assert!(reason.contains("latency: "), "{reason}");
    assert!(reason.contains("the limit is 150000 µs"), "{reason}");
    assert_eq!(world.decided(), [Decided::Held, Decided::RolledBack]);
}

#[test]
fn a_store_that_falls_silent_is_waited_for() {
    let mut world = World::new(settings());
    let mut watch = StoreWatch::default();
    let away = Cell::new(0);
    let ending = world.run(|world| {
        let at_work = world.phase() == Some((Phase::ShadowRead, 0)) && away.get() < 8;
        let silent = at_work.then_some(THIRD);
        while let Some(command) = watch.poll(world.time(), &world.coordinator, |_| true) {
            let is_silent = command.shard() == silent && silent.is_some();
            away.set(away.get() + u32::from(is_silent));
            let answer = if is_silent {
                Answer::Unreachable
            } else {
                Answer::Guards(Vec::new())
            };
            watch.handle_look(world.time(), &command, &answer, 100);
        }
        let now = world.time();
        world.coordinator.handle_seen(now, watch.health());
    });
    assert_eq!(ending, Ending::Complete);
    assert_eq!(world.decided(), [Decided::Held, Decided::Passed]);
    let why = &world.coordinator.decisions().next().unwrap().why;
    assert!(why.contains("store of shard 3: it isn't healthy"), "{why}");
}

#[test]
fn looks_are_many_before_the_first_wave_few_after_and_none_in_between() {
    let mut world = World::new(settings());
    let mut watch = StoreWatch::default();
    let done = Answer::Guards(Vec::new());
    assert_eq!(
        look(&mut watch, &world, 1, &done),
        [],
        "nothing is known yet"
    );
    let mut first = None;
    let mut in_barriers = 0;
    let mut most = 0;
    world.tick_ms = 100;
    let ending = world.run(|world| {
        let looked = look(&mut watch, world, 1, &done);
        if world.coordinator.goal().is_some_and(Move::is_barrier) {
            in_barriers += looked.len();
        } else if first.is_none() && !looked.is_empty() {
            assert_eq!(world.phase(), None, "before the first wave");
            first = Some(looked.len());
        } else {
            most = most.max(looked.len());
        }
    });
    assert_eq!(ending, Ending::Complete);
    assert_eq!((first, in_barriers, most), (Some(100), 0, 1));
    assert_eq!(look(&mut watch, &world, 1, &done), [], "it is over");
    assert_eq!(
        watch.health(),
        Health::default(),
        "the next one begins anew"
    );
}

#[test]
fn the_settings_can_forbid_it_and_what_is_handed_in_comes_first() {
    let mut forbidden = settings();
    forbidden.gates.watch_stores = false;
    let mut world = World::new(forbidden);
    let mut watch = StoreWatch::default();
    let done = Answer::Guards(Vec::new());
    world.run(|world| assert_eq!(look(&mut watch, world, 1, &done), []));

    let mut world = World::new(settings());
    let found = |coordinator: &Coordinator, gate| {
        let status = coordinator.status();
        let verdict = status.gates.into_iter().find(|v| v.gate == gate);
        verdict.and_then(|verdict| verdict.found)
    };
    let mut checked = false;
    world.run(|world| {
        let now = world.time();
        let seen = Health {
            p99_us: Some(77),
            baseline_p99_us: Some(70),
            stores: vec![StoreHealth {
                shard: THIRD,
                healthy: true,
            }],
            ..Health::default()
        };
        if world.phase().is_some() && !checked {
            checked = true;
            world.coordinator.handle_seen(now, seen);
            assert_eq!(found(&world.coordinator, Gate::Latency), Some(77));
            world.coordinator.handle_health(now, quick());
            assert_eq!(found(&world.coordinator, Gate::Latency), Some(1_100));
            assert_eq!(found(&world.coordinator, Gate::Store(THIRD)), Some(1));
        }
    });
    assert!(checked);
}
