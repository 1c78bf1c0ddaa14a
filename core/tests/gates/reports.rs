//! What a report says of a migration, and how far its waves have come.

use ringshift::Phase;
use ringshift::migration::{Ending, Health};

use crate::world::{KEYS, World, settings};
use crate::{quick, slow};

#[test]
fn it_tells_the_whole_story() {
    let mut world = World::new(settings());
    let mut bad = true;
    let ending = world.run(|world| {
        let now = world.time();
        let trouble = bad && world.phase() == Some((Phase::ReadNew, 500_000));
        let health = if trouble { slow() } else { quick() };
        world.report.handle_health(now, &health);
        world.coordinator.handle_health(now, health);
        let held = world.coordinator.status().held;
        bad &= held.is_none_or(|held| now.since(held.since) < 20_000);
    });
    assert_eq!(ending, Ending::Complete);
    let summary = world.report.summary();
    assert_eq!(summary.ending, Some(Ending::Complete));
    assert_eq!(summary.took_ms, world.now);
    let goals: Vec<&str> = summary
        .moves
        .iter()
        .map(|line| line.goal.as_str())
        .collect();
    for goal in [
        "begin",
        "mirror",
        "copy",
        "shadow",
        "ramp to 50.00 %",
        "switch",
        "finish",
    ] {
        assert!(goals.contains(&goal), "{goal}: {goals:?}");
    }
    assert!(!goals.contains(&"check"));
    assert!(summary.moves.is_sorted_by_key(|line| line.from_ms));
    assert!(summary.moves.iter().all(|line| line.from_ms <= line.to_ms));
    assert_eq!(summary.decisions.len(), world.decided().len());
    assert!(summary.decisions.len() >= 2);
    assert_eq!(summary.latency.p99_before_us, Some(1_000));
    assert_eq!(summary.latency.p99_max_us, Some(1_500));
    assert!(summary.keys_checked > 0);
    // Every row that moved was copied once, and removed from where it was.
    let moved = (0..KEYS)
        .filter(|&number| {
            world.shards[&crate::THIRD]
                .row(ringshift::KeyspaceId(0), &crate::world::key(number))
                .is_some()
        })
        .count() as u64;
    assert!(moved > 100, "{moved}");
    assert_eq!(summary.rows_copied, moved);
    assert_eq!(summary.rows_removed, moved);
    assert_eq!(
        summary.waves.iter().map(|wave| wave.rows).sum::<u64>(),
        moved
    );
    assert!(summary.waves.iter().all(|wave| wave.over && wave.caught_up));

    let json = serde_json::to_value(&world.report).unwrap();
    assert_eq!(json["ending"], "complete");
    assert_eq!(json["decisions"][0]["what"], "held");
    let text = world.report.text();
    assert!(text.starts_with("# Migration: complete\n"), "{text}");
    assert!(
        text.contains("latency: 1500 µs, the limit is 1500 µs"),
        "{text}"
    );
    assert!(text.contains("| 1000 µs, 1100 µs, 1500 µs |"), "{text}");
}

#[test]
fn progress_rises_to_the_estimate_and_says_how_long_it_takes() {
    let mut settings = settings();
    settings.throttle.rows_per_s_start = 20;
    settings.throttle.rows_per_s_min = 20;
    settings.throttle.rows_per_s_max = 20;
    let mut world = World::new(settings);
    let mut last = 0;
    let mut looks = 0;
    let mut told = None;
    world.run(|world| {
        let Some(first) = world.report.progress().first().cloned() else {
            return;
        };
        if first.rows_estimated.is_none() {
            world.report.handle_estimate(first.wave, 200);
        }
        assert!(first.rows >= last);
        last = first.rows;
        if !first.caught_up && first.rows >= 100 {
            looks += 1;
            assert_eq!(first.lag_rows, Some(200_u64.saturating_sub(first.rows)));
            told = told.or(first.eta_ms.map(|eta| world.now + eta));
            // Twenty rows a second were allowed.
            assert!(
                first
                    .rows_per_s
                    .is_some_and(|rate| (18..=25).contains(&rate)),
                "{first:?}"
            );
        }
        if first.caught_up
            && let Some(told) = told.take()
        {
            let off = world.now.abs_diff(told);
            assert!(off < 2_500, "told {told}, it was {}", world.now);
            world.coordinator.roll_back("seen enough");
        }
    });
    assert!(looks > 3);
}

#[test]
fn a_migration_that_turned_back_says_why() {
    let mut world = World::new(settings());
    world.run(|world| {
        let now = world.time();
        let health = Health {
            error_ppm: Some(20_000),
            ..quick()
        };
        world.coordinator.handle_health(now, health);
    });
    let text = world.report.text();
    let first = text.lines().next().unwrap();
    assert!(
        first.starts_with("# Migration: rolled back: wave "),
        "{first}"
    );
    assert!(
        first.contains("errors: 20000 ppm, the limit is 10000 ppm"),
        "{first}"
    );
    assert!(text.contains("RolledBack: wave "), "{text}");
}
