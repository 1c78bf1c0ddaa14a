//! What tells the strategies apart, in what their coordinators do.

use ringshift::migration::{
    Balance, Changes, Cut, Ending, KeyspaceSizes, Move, Plan, PlanOptions, Rate, Settings,
    Strategy, plan_with,
};
use ringshift::{Phase, Role};

use crate::world::{Then, World, quick, snapshot};

fn keys() -> Vec<Vec<u8>> {
    (0..300_u16).map(|n| n.to_be_bytes().to_vec()).collect()
}

fn planned(strategy: Strategy, bits: u8) -> (World, Plan) {
    let base = snapshot(3, bits, r#""whole""#);
    let wish = r#"{"add":[{"id":9,"name":"new"}]}"#;
    let changes: Changes = serde_json::from_str(wish).unwrap();
    let options = PlanOptions {
        strategy: Some(strategy),
        settings: Some(quick(strategy.settings())),
        ..PlanOptions::default()
    };
    let plan = plan_with(&base, &changes, &options).unwrap();
    (World::new(base, keys()), plan)
}

#[test]
fn a_maintenance_window_holds_writes_from_before_the_copy_and_reads_go_on() {
    let (mut world, plan) = planned(Strategy::MaintenanceWindow, 6);
    let first = plan.log.planned[0].clone();
    let router = world.router();
    let key = world
        .keys
        .iter()
        .find(|key| {
            let slot = router.keyspace("k").unwrap().plan(key).unwrap().slot;
            first.slots.iter().any(|range| range.contains(slot))
        })
        .unwrap()
        .clone();
    let mut died = 0;
    // A coordinator dies inside the window, and another again: the next ones finish it.
    let mut ending = None;
    for turn in 0..3 {
        let wanted = (turn == 0).then(|| plan.log.clone());
        ending = world.drive(&Settings::default(), wanted, |_, _, log| {
            let copying = log.cursors.iter().any(|c| c.at.0 > 0)
                && log.intent.is_some_and(|i| i.goal == Move::Offline);
            if copying && turn < 2 {
                Then::Die
            } else {
                Then::Nothing
            }
        });
        if ending.is_none() {
            died += 1;
            let router = world.router();
            assert!(!world.write(&router, &key), "writes are held");
            assert_eq!(world.read(&key), Some(vec![1]), "reads go on");
        }
    }
    assert_eq!(ending, Some(Ending::Complete));
    assert_eq!(died, 2);
    assert!(world.goals.contains(&Move::Offline));
    let never = |goal: &Move| matches!(goal, Move::Copy | Move::Ramp(_) | Move::Switch);
    assert!(!world.goals.iter().any(never), "{:?}", world.goals);
    world.settled();
}

#[test]
fn whoever_wants_back_in_the_window_needn_t_wait_for_its_end() {
    let (mut world, plan) = planned(Strategy::MaintenanceWindow, 6);
    let ending = world.drive(&Settings::default(), Some(plan.log), |_, _, log| {
        let intent = log.intent;
        if intent.is_some_and(|intent| intent.goal == Move::Offline) {
            Then::RollBack
        } else {
            Then::Nothing
        }
    });
    assert!(
        matches!(ending, Some(Ending::RolledBack { .. })),
        "{ending:?}"
    );
    assert!(world.goals.contains(&Move::Abort), "{:?}", world.goals);
    world.settled();
}

#[test]
fn a_window_that_is_too_short_is_left_and_taken_back() {
    let (mut world, mut plan) = planned(Strategy::MaintenanceWindow, 6);
    let settings = plan.log.settings.as_mut().unwrap();
    settings.offline_ms = 0;
    settings.retry_ms = 1;
    // The clock goes on with each answer that doesn't come.
    let ending = world.drive_slowly(plan.log);
    let Some(Ending::RolledBack { reason }) = ending else {
        panic!("{ending:?}")
    };
    assert!(reason.contains("writes were held for 0 ms"), "{reason}");
    world.settled();
}

#[test]
fn incremental_waves_end_before_the_next_begins() {
    let (mut world, plan) = planned(Strategy::Incremental, 8);
    assert!(plan.log.planned.len() >= 16);
    let ending = world.drive(&Settings::default(), Some(plan.log), |_, coordinator, _| {
        if let Some(snapshot) = coordinator.snapshot() {
            let waves = &snapshot.content().keyspaces[0].waves;
            assert!(waves.len() <= 1, "one at a time");
        }
        Then::Nothing
    });
    assert_eq!(ending, Some(Ending::Complete));
    world.settled();
}

#[test]
fn an_incremental_rollback_keeps_what_has_ended_and_the_shards_that_have_it() {
    let (mut world, plan) = planned(Strategy::Incremental, 8);
    let ending = world.drive(&Settings::default(), Some(plan.log), |_, coordinator, _| {
        let third = coordinator.log().kept
            && coordinator.snapshot().is_some_and(|snapshot| {
                let mut waves = snapshot.content().keyspaces[0].waves.iter();
                waves.any(|wave| wave.phase == Phase::ReadNew)
            });
        if third { Then::RollBack } else { Then::Nothing }
    });
    assert!(
        matches!(ending, Some(Ending::RolledBack { .. })),
        "{ending:?}"
    );
    let snapshot = world.record.snapshot.clone();
    let new = snapshot.content().index_of(ringshift::ShardId(9)).unwrap();
    let has = snapshot.content().keyspaces[0].table();
    let has = has.iter().filter(|owner| **owner == new).count();
    assert!(has > 0 && has < 64, "{has}");
    world.settled();
    // And a plan from there goes on to the end.
    let wish: Changes = serde_json::from_str(r#"{"reweight":[{"id":9,"weight":1}]}"#).unwrap();
    let plan = plan_with(&snapshot_of(&world), &wish, &PlanOptions::default()).unwrap();
    assert_eq!(plan.shards[3].slots_after, 64);
}

fn snapshot_of(world: &World) -> ringshift::Snapshot {
    ringshift::Snapshot::clone(&world.record.snapshot)
}

#[test]
fn canary_waves_are_the_named_shares() {
    let (_, plan) = planned(Strategy::Canary, 16);
    let sizes: Vec<u32> = plan.waves.iter().map(|wave| wave.slots).collect();
    let all: u32 = sizes.iter().sum();
    assert_eq!(all, plan.figures[0].slots_moved);
    assert_eq!(sizes[..2], [all.div_ceil(1_000), all.div_ceil(100)]);
    let upto = |count: usize| sizes[..count].iter().sum::<u32>();
    let cut = (3..sizes.len()).map(upto).find(|sum| *sum >= all / 10);
    assert_eq!(
        cut,
        Some(all.div_ceil(1_000) + all.div_ceil(100) + all.div_ceil(10))
    );
    assert_eq!(
        Strategy::Canary.cut(),
        Cut::Shares(vec![1_000, 10_000, 100_000])
    );
}

#[test]
fn each_strategy_makes_the_moves_that_its_table_says() {
    for &strategy in Strategy::ALL {
        let (mut world, plan) = planned(strategy, 6);
        let ending = world.drive(&Settings::default(), Some(plan.log), |_, _, _| {
            Then::Nothing
        });
        assert_eq!(ending, Some(Ending::Complete), "{strategy}");
        let made = |goal: fn(&Move) -> bool| world.goals.iter().any(goal);
        let ramps = world
            .goals
            .iter()
            .filter(|g| matches!(g, Move::Ramp(_)))
            .count();
        let (shadow, offline) = match strategy {
            Strategy::MaintenanceWindow => (false, true),
            Strategy::BigBang | Strategy::OverShardMove => (false, false),
            _ => (true, false),
        };
        assert_eq!(made(|g| *g == Move::Shadow), shadow, "{strategy}");
        assert_eq!(made(|g| *g == Move::Offline), offline, "{strategy}");
        assert_eq!(ramps > 0, !offline, "{strategy}");
        world.settled();
        let none =
            |s: &ringshift::store::MemoryShard| s.guard().rows().all(|r| r.role != Role::Mirror);
        assert!(world.shards.values().all(none));
    }
}

#[test]
fn keep_leaves_what_was_moved_by_hand_in_proportion() {
    let base = snapshot(3, 8, r#""whole""#);
    let mut world = World::new(base, keys());
    let plan_of = |world: &World, wish: &str| {
        let wish: Changes = serde_json::from_str(wish).unwrap();
        plan_with(&world.record.snapshot, &wish, &PlanOptions::default()).unwrap()
    };
    let owned = plan_of(&world, r#"{"remove":[1]}"#).shards[0].slots_before;
    let by_hand = r#"{"move_slots":[{"keyspace":"k","slots":"0-127","to":2}]}"#;
    let mut first = plan_of(&world, by_hand);
    first.log.settings = Some(quick(Settings::default()));
    assert!(
        owned > 0 && first.notes.iter().any(|note| note.contains("balance keep")),
        "{first}"
    );
    assert_eq!(
        world.drive(&Settings::default(), Some(first.log), |_, _, _| {
            Then::Nothing
        }),
        Some(Ending::Complete)
    );
    let (full, keep) = (
        plan_of(&world, r#"{"add":[{"id":9,"name":"new"}]}"#),
        plan_of(
            &world,
            r#"{"add":[{"id":9,"name":"new"}],"balance":"keep"}"#,
        ),
    );
    assert!(
        full.notes.iter().any(|note| note.contains("restores")),
        "{full}"
    );
    let moved = |plan: &Plan| plan.figures[0].slots_moved;
    assert_eq!(moved(&keep), 64);
    assert!(moved(&full) > 64);
    assert!(keep.waves.iter().all(|wave| wave.to == "new"), "{keep}");
    assert_eq!(serde_json::to_value(Balance::Keep).unwrap(), "keep");
}

#[test]
fn time_is_what_rates_and_soaks_say() {
    let base = snapshot(3, 8, r#""whole""#);
    let wish: Changes = serde_json::from_str(r#"{"add":[{"id":9,"name":"new"}]}"#).unwrap();
    let mut options = PlanOptions {
        rate: Rate {
            rows_per_s: Some(1_000),
            bytes_per_s: Some(1_000_000),
        },
        strategy: Some(Strategy::MaintenanceWindow),
        ..PlanOptions::default()
    };
    let size = KeyspaceSizes {
        keys: 256_000,
        bytes: 512_000_000,
        slots: Vec::new(),
    };
    options.sizes.insert("k".to_owned(), size);
    let plan = plan_with(&base, &wish, &options).unwrap();
    // 64 slots of 256, 2 MB each, at 1 MB a second; three waves.
    assert_eq!(plan.time.copy_ms, Some(128_000));
    assert_eq!(
        plan.time.held_ms,
        plan.waves.iter().map(|wave| wave.copy_ms).max().unwrap()
    );
    assert_eq!(plan.time.soak_ms, 0);
    options.strategy = Some(Strategy::Online);
    let plan = plan_with(&base, &wish, &options).unwrap();
    assert_eq!(plan.time.soak_ms, 3 * (60_000 + 6 * 300_000));
    assert_eq!(plan.time.held_ms, None);
}
