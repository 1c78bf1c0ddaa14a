//! The throttle, in a coordinator.

use ringshift::Phase;
use ringshift::migration::{Ending, Health, Move, Stage};

use crate::world::{Done, KEYS, World, settings};
use crate::{quick, slow};

fn paced() -> ringshift::migration::Settings {
    let mut settings = settings();
    settings.throttle.rows_per_s_min = 2;
    settings.throttle.rows_per_s_start = 20;
    settings.throttle.rows_per_s_max = 1_000;
    settings.lag_rows_max = 9;
    settings
}

/// How long the first backfill took, and what it did.
fn backfill(health: impl Fn() -> Option<Health>) -> (u64, Vec<Done>) {
    let mut world = World::new(paced());
    let mut ended = None;
    world.run(|world| {
        if let Some(health) = health() {
            let now = world.time();
            world.coordinator.handle_health(now, health);
        }
        if ended.is_none() && world.phase().is_some_and(|(p, _)| p == Phase::ShadowRead) {
            ended = Some(world.now);
            world.coordinator.roll_back("seen enough");
        }
    });
    let reads: Vec<Done> = world
        .done
        .iter()
        .filter(|done| done.point.stage == Stage::Read && done.at <= ended.unwrap_or(u64::MAX))
        .cloned()
        .collect();
    let took = reads.last().unwrap().at - reads[0].at;
    (took, reads)
}

#[test]
fn a_p99_near_its_limit_slows_the_copy_and_a_low_one_hastens_it() {
    let steady = || Health {
        p99_us: Some(1_150),
        ..quick()
    };
    let (steady, reads) = backfill(|| Some(steady()));
    let rows: u64 = reads.iter().map(|done| u64::from(done.rows)).sum();
    assert!(rows > u64::from(KEYS) / 10, "{rows}");
    let expected = rows * 1_000 / 20;
    assert!(steady.abs_diff(expected) < 1_500, "{steady} {expected}");
    // Gates let nothing advance meanwhile, copying goes on at what it is allowed.
    let near = || Health {
        p99_us: Some(1_300),
        ..quick()
    };
    let (slowed, _) = backfill(|| Some(near()));
    assert!(slowed > steady * 2, "{slowed} {steady}");
    let low = || Health {
        p99_us: Some(500),
        ..quick()
    };
    let (hastened, _) = backfill(|| Some(low()));
    assert!(hastened * 3 < steady * 2, "{hastened} {steady}");
    let (unknown, _) = backfill(|| None);
    assert_eq!(unknown, steady, "what isn't known changes nothing");
}

#[test]
fn a_barrier_s_drain_is_never_throttled() {
    let mut settings = paced();
    settings.throttle.rows_per_s_start = 2;
    settings.throttle.rows_per_s_max = 2;
    settings.ramp_ms = 0;
    settings.chunk_rows = 3;
    settings.lag_rows_max = 3;
    settings.checks = ringshift::migration::Checks::OFF;
    let mut world = World::new(settings);
    let mut written = 0;
    let ending = world.run(|world| {
        // Rows that only the authority has, right before the barrier closes.
        let barrier = world.done.last().is_some_and(|done| {
            done.point.stage == Stage::Log && done.goal.is_some_and(Move::is_barrier)
        });
        if barrier {
            for number in 0..20 {
                world.write(number, format!("{written}").as_bytes());
            }
            written += 1;
        }
    });
    assert_eq!(ending, Ending::Complete);
    let mut began = None;
    let mut drains = 0;
    for done in &world.done {
        match done.point.stage {
            Stage::CloseFrom => began = Some(done.at),
            Stage::DrainRead => {
                drains += 1;
                assert_eq!(Some(done.at), began, "it waited");
            }
            _ => {}
        }
    }
    assert!(drains > 4, "{drains}");
}

#[test]
fn a_wish_does_not_wait_for_the_end_of_a_slow_copy() {
    let mut world = World::new(paced());
    let mut wished = None;
    let ending = world.run(|world| {
        let now = world.time();
        world.coordinator.handle_health(now, slow());
        if world.phase().is_some_and(|(p, _)| p == Phase::DoubleWrite) && wished.is_none() {
            wished = Some(world.now);
            world.coordinator.pause("lunch");
        }
    });
    assert_eq!(
        ending,
        Ending::Paused {
            reason: "lunch".to_owned()
        }
    );
    let waited = world.now - wished.unwrap();
    assert!(waited <= 5_000, "{waited}");
}
