//! Gates, hours, pace, checks and the checklist, in a coordinator over shards in memory.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod hours;
mod pace;
mod reports;
mod seen;
mod world;

use ringshift::migration::{
    Action, AfterPatience, ChecklistRule, Checks, Consent, CoordinatorError, Decided, Ending, Gate,
    Health, Item, Move, Settings, Stage, StoreHealth, Tick, Unknown,
};
use ringshift::{Phase, ShardId};

use world::{KEYS, THIRD, World, settings};

pub(crate) fn slow() -> Health {
    Health {
        p99_us: Some(1_500),
        ..quick()
    }
}

pub(crate) fn quick() -> Health {
    Health {
        p99_us: Some(1_100),
        baseline_p99_us: Some(1_000),
        ..Health::default()
    }
}

fn tell(world: &mut World, health: Health) {
    let now = world.time();
    world.coordinator.handle_health(now, health);
}

fn all_are_first(world: &World) {
    for number in 0..KEYS {
        assert_eq!(world.values(number), [b"first".to_vec()], "key {number}");
    }
}

#[test]
fn with_nothing_known_a_migration_completes() {
    let mut world = World::new(settings());
    assert_eq!(world.run(|_| ()), Ending::Complete);
    assert_eq!(world.decided(), []);
    assert!(world.coordinator.status().checks.keys > 0);
    all_are_first(&world);
}

#[test]
fn a_gate_that_fails_for_a_while_is_waited_for() {
    let mut world = World::new(settings());
    let mut bad = 0;
    let mut held = None;
    let ending = world.run(|world| {
        // Trouble for twenty seconds, when half of the reads have moved.
        let trouble = world.phase() == Some((Phase::ReadNew, 500_000)) && bad < 20_000;
        if trouble {
            bad = bad.max(1);
        }
        let now = world.now;
        tell(world, if trouble { slow() } else { quick() });
        if trouble && let Some(found) = world.coordinator.status().held {
            assert!(found.verdicts.iter().all(|v| v.gate == Gate::Latency));
            bad = now - held.get_or_insert(found.since).as_millis() + 1;
        }
    });
    assert_eq!(ending, Ending::Complete);
    assert_eq!(world.decided(), [Decided::Held, Decided::Passed]);
    let ramps: Vec<Move> = world.barriers().into_iter().map(|(_, goal)| goal).collect();
    let expected = [100_000, 500_000, 1_000_000].map(Move::Ramp);
    assert_eq!(ramps[..3], expected, "no step back");
    let (before, after) = (world.barriers()[1].0, world.barriers()[2].0);
    assert!(after - before >= 20_000, "{before} {after}");
    all_are_first(&world);
}

#[test]
fn a_gate_that_goes_on_failing_steps_the_wave_back_and_at_last_the_migration() {
    let mut settings = settings();
    settings.gates.patience_ms = 30_000;
    settings.gates.steps_back_max = 2;
    let mut world = World::new(settings);
    let mut reasons = Vec::new();
    let ending = world.run(|world| {
        let trouble = matches!(world.phase(), Some((Phase::ReadNew, 500_000..)));
        tell(world, if trouble { slow() } else { quick() });
        let reason = world.coordinator.status().reason;
        if reasons.last() != Some(&reason) {
            reasons.push(reason);
        }
    });
    let ramps: Vec<Move> = world.barriers().into_iter().map(|(_, goal)| goal).collect();
    let [small, half] = [100_000, 500_000].map(Move::Ramp);
    // Up, down, up, down, up, and then all the way.
    assert_eq!(ramps, [small, half, small, half, small, half, Move::Unread]);
    let Ending::RolledBack { reason } = ending else {
        panic!("{ending:?}")
    };
    assert!(
        reason.contains("latency: 1500 µs, the limit is 1500 µs"),
        "{reason}"
    );
    assert!(reasons[1].contains("; ramp to 10.00 %"), "{reasons:?}");
    let wanted = [
        Decided::Held,
        Decided::SteppedBack,
        Decided::Held,
        Decided::SteppedBack,
        Decided::Held,
        Decided::RolledBack,
    ];
    assert_eq!(world.decided(), wanted);
    // It waited out its patience each time: thirty seconds from the first failure.
    for pair in world.coordinator.decisions().collect::<Vec<_>>().chunks(2) {
        let held_ms = pair[1].at.since(pair[0].at);
        assert!((30_000..33_000).contains(&held_ms), "{held_ms}");
    }
    all_are_first(&world);
}

#[test]
fn at_the_first_step_it_goes_back_to_double_write() {
    let mut settings = settings();
    settings.gates.patience_ms = 30_000;
    let mut world = World::new(settings);
    let ending = world.run(|world| {
        let trouble = world.phase() == Some((Phase::ReadNew, 100_000));
        tell(world, if trouble { slow() } else { quick() });
    });
    assert!(matches!(ending, Ending::RolledBack { .. }), "{ending:?}");
    let unread = world
        .barriers()
        .iter()
        .filter(|(_, g)| *g == Move::Unread)
        .count();
    assert_eq!(unread, 4, "three steps back, and the way back");
}

#[test]
fn a_store_that_is_not_healthy_keeps_reads_from_it_and_then_rolls_back() {
    let mut world = World::new(settings());
    let ending = world.run(|world| {
        let sick = StoreHealth {
            shard: THIRD,
            healthy: false,
        };
        let stores = vec![sick];
        tell(world, Health { stores, ..quick() });
        assert_ne!(world.phase().map(|(phase, _)| phase), Some(Phase::ReadNew));
    });
    let Ending::RolledBack { reason } = ending else {
        panic!("{ending:?}")
    };
    assert!(
        reason.contains("store of shard 3: it isn't healthy"),
        "{reason}"
    );
    assert!(world.now >= settings().gates.patience_ms);
    all_are_first(&world);
}

#[test]
fn it_may_pause_or_go_on_waiting_instead() {
    let mut settings = settings();
    settings.gates.after_patience = AfterPatience::Pause;
    let mut world = World::new(settings.clone());
    let ending = world.run(|world| tell(world, slow()));
    assert!(matches!(ending, Ending::Paused { .. }), "{ending:?}");
    world.coordinator.resume();
    assert_eq!(world.run(|world| tell(world, quick())), Ending::Complete);

    settings.gates.after_patience = AfterPatience::Wait;
    let mut world = World::new(settings);
    let ending = world.run(|world| {
        let late = world.now > 3_600_000;
        tell(world, if late { quick() } else { slow() });
    });
    assert_eq!(ending, Ending::Complete);
    assert!(world.now > 3_600_000);
}

#[test]
fn health_that_nobody_knows_can_be_insisted_on() {
    let mut settings = settings();
    settings.gates.unknown = Unknown::Wait;
    let mut world = World::new(settings);
    let ending = world.run(|_| ());
    let Ending::RolledBack { reason } = ending else {
        panic!("{ending:?}")
    };
    assert!(reason.contains("errors: not known"), "{reason}");
    assert_eq!(world.barriers(), []);
}

#[test]
fn mismatches_that_clients_find_count_from_the_phase_s_beginning() {
    let of = |mismatches| Health {
        shadow_mismatches: Some(mismatches),
        ..quick()
    };
    let mut world = World::new(settings());
    assert_eq!(world.run(|world| tell(world, of(9))), Ending::Complete);

    let mut world = World::new(settings());
    let ending = world.run(|world| {
        let shadows = world.phase().is_some_and(|(p, _)| p == Phase::ShadowRead);
        let soaked = world.coordinator.decisions().len() > 0 || world.now > 5_000;
        tell(world, of(if shadows && soaked { 10 } else { 9 }));
    });
    let Ending::RolledBack { reason } = ending else {
        panic!("{ending:?}")
    };
    assert!(
        reason.contains("shadow-mismatches: 1, the limit is 0"),
        "{reason}"
    );
    assert_eq!(world.barriers(), []);
}

/// A row goes bad on the mirror, in `phase`.
fn rots(phase: Phase) -> (World, Ending) {
    let mut settings = settings();
    settings.shadow_ms = 600_000;
    settings.ramp_ms = 600_000;
    settings.reversed_ms = 600_000;
    let mut world = World::new(settings);
    let mut spoilt = 0;
    let ending = world.run(|world| {
        let there = world.phase().is_some_and(|(p, _)| p == phase);
        let soaks = matches!(
            world.coordinator.status().doing,
            ringshift::migration::Doing::Waits { .. }
        );
        if there && soaks && spoilt == 0 {
            spoilt = world.corrupt(20);
            assert_eq!(spoilt, 20);
        }
    });
    (world, ending)
}

#[test]
fn a_row_gone_bad_on_the_mirror_is_found_and_turns_the_migration_back() {
    for phase in [Phase::ShadowRead, Phase::ReadNew] {
        let (world, ending) = rots(phase);
        let Ending::RolledBack { reason } = ending else {
            panic!("{ending:?}")
        };
        assert!(reason.contains("a check of wave"), "{reason}");
        assert_eq!(world.decided(), [Decided::RolledBack]);
        assert!(!world.coordinator.mismatches().is_empty());
        all_are_first(&world);
    }
}

#[test]
fn behind_the_switch_a_bad_mirror_is_never_gone_back_to() {
    let (mut world, ending) = rots(Phase::Reversed);
    let Ending::Paused { reason } = ending else {
        panic!("{ending:?}")
    };
    assert!(reason.contains("a check of wave"), "{reason}");
    // Somebody has looked at it: what is on the new side is what counts.
    let settings = world.record.log.settings.as_mut().unwrap();
    settings.checks = Checks::OFF;
    world.take_over();
    assert!(matches!(world.run(|_| ()), Ending::Paused { .. }));
    world.coordinator.resume();
    assert_eq!(world.run(|_| ()), Ending::Complete);
    all_are_first(&world);
}

#[test]
fn race_18_mirror_writes_that_were_lost_are_no_mismatches() {
    let mut settings = settings();
    settings.shadow_ms = 600_000;
    settings.ramp_ms = 0;
    settings.reversed_ms = 600_000;
    let mut world = World::new(settings);
    let mut next = 0;
    let ending = world.run(|world| {
        let soaks = world
            .phase()
            .is_some_and(|(p, _)| matches!(p, Phase::ShadowRead | Phase::Reversed));
        if soaks && world.now > next {
            next = world.now + 500;
            let number = u32::try_from(world.now / 500).unwrap() % KEYS;
            world.write(number, b"second");
        }
    });
    assert_eq!(ending, Ending::Complete);
    let checks = world.coordinator.status().checks;
    assert!(checks.suspects > 0 && checks.mismatches == 0, "{checks:?}");
}

/// Rows that are late at both looks, and don't change between them: copying catches up first.
#[test]
fn race_18_the_second_look_of_a_verification_comes_after_catch_up() {
    let mut world = World::new(settings());
    let mut verified = 0;
    let ending = world.run(|world| {
        if let Action::Do { point, .. } = world.coordinator.poll()
            && (point.goal, point.stage) == (Move::Verify, Stage::DigestFrom)
        {
            verified += 1;
            for number in 0..KEYS {
                world.write(number, b"late");
            }
        }
    });
    assert!(verified > 0);
    assert_eq!(ending, Ending::Complete);
    assert_eq!(world.coordinator.status().mismatches, 0);
}

#[test]
fn a_check_of_a_mirror_that_is_away_keeps_no_wish_waiting() {
    let mut settings = settings();
    settings.reversed_ms = 600_000;
    let mut world = World::new(settings);
    let (mut since, mut asked) = (None, None);
    let ending = world.run(|world| {
        let soaks = matches!(
            world.coordinator.status().doing,
            ringshift::migration::Doing::Waits { .. }
        );
        let last = world.phase().is_some_and(|(p, _)| p == Phase::Reversed)
            && world.coordinator.status().planned == 0;
        if last && (soaks || since.is_some()) {
            let since = *since.get_or_insert(world.now);
            world.away = Some(world.record.snapshot.content().keyspaces[0].waves[0].from);
            // By then checks have been asked of it, in vain.
            if world.now >= since + 20_000 && asked.is_none() {
                asked = Some(world.now);
                world.coordinator.pause("lunch");
            }
        }
    });
    assert!(matches!(ending, Ending::Paused { .. }), "{ending:?}");
    assert!(asked.is_some_and(|asked| world.now < asked + 1_000));
    world.away = None;
    world.coordinator.resume();
    assert_eq!(world.run(|_| ()), Ending::Complete);
    all_are_first(&world);
}

#[test]
fn finish_waits_for_somebody_s_word_where_it_is_asked_for() {
    let mut settings = settings();
    settings.gates.finish = Consent::Asked;
    let mut world = World::new(settings);
    let mut asked = None;
    let ending = world.run(|world| {
        let held = world.coordinator.status().held;
        if held.is_some_and(|held| held.verdicts[0].gate == Gate::Consent) {
            let since = *asked.get_or_insert(world.now);
            assert_eq!(world.phase().map(|(p, _)| p), Some(Phase::Reversed));
            if world.now >= since + 3_600_000 && !world.record.log.finish_agreed {
                world.coordinator.agree_to_finish();
                // It is written down before anything follows: a successor knows it.
                while !world.record.log.finish_agreed {
                    assert_eq!(world.step(), None);
                }
                world.take_over();
            }
        }
    });
    assert_eq!(ending, Ending::Complete);
    assert!(asked.is_some_and(|since| world.now > since + 3_600_000));
}

#[test]
fn a_strict_checklist_keeps_a_migration_from_beginning() {
    let mut settings = Settings {
        checklist: ChecklistRule::Strict,
        ..settings()
    };
    settings.gates.finish = Consent::Asked;
    let mut world = World::new(settings);
    let ending = world.run(|_| ());
    let Ending::Stuck(error @ CoordinatorError::Unconfirmed { .. }) = ending else {
        panic!("{ending:?}")
    };
    let text = error.to_string();
    assert!(
        text.contains("backup-verified, rollback-rehearsed"),
        "{text}"
    );
    assert!(text.contains("old-copy-kept"), "{text}");
    assert!(!text.contains("counts-compared"), "{text}");
    assert_eq!(world.record.snapshot.epoch().get(), 1);

    let mut wanted = world.wanted.clone();
    wanted.checklist.marks = Item::ALL
        .iter()
        .map(|&item| Tick {
            item,
            by: "ann".to_owned(),
            unix_ms: 1,
            waived: item == Item::OldCopyKept,
            note: String::new(),
        })
        .collect();
    world.begin_with(wanted);
    let ending = world.run(|world| world.coordinator.agree_to_finish());
    assert_eq!(ending, Ending::Complete);
}

#[test]
fn shard_numbers_are_told_apart() {
    let mut world = World::new(settings());
    let elsewhere = StoreHealth {
        shard: ShardId(9),
        healthy: false,
    };
    let stores = vec![elsewhere];
    let ending = world.run(|world| {
        let stores = stores.clone();
        tell(world, Health { stores, ..quick() });
    });
    assert_eq!(ending, Ending::Complete);
}
