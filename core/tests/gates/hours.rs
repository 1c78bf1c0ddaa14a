//! The calendar, in a coordinator.

use ringshift::Phase;
use ringshift::migration::{Ending, Gate, Stage, Throttle};

use crate::world::{World, settings};

const HOUR: u64 = 3_600_000;
/// 2026-11-21 12:00 UTC, a Saturday.
const NOON: i64 = 1_795_262_400_000;

fn nights() -> ringshift::migration::Settings {
    let mut settings = settings();
    settings.calendar.hours = vec!["02:00-06:00".parse().unwrap()];
    settings.gates.recheck_ms = 60_000;
    settings
}

fn show_clock(world: &mut World) {
    let unix_ms = NOON + i64::try_from(world.now).unwrap();
    let now = world.time();
    world.coordinator.handle_wall_clock(now, unix_ms, 60);
}

/// Milliseconds since local midnight.
fn of_day(at: u64) -> u64 {
    (at + 13 * HOUR) % (24 * HOUR)
}

#[test]
fn nothing_begins_outside_the_hours() {
    let mut settings = nights();
    settings.ramp_ms = 100 * 60_000;
    let mut world = World::new(settings);
    show_clock(&mut world);
    let mut held = false;
    let ending = world.run(|world| {
        let status = world.coordinator.status();
        if let Some(found) = status.held {
            held |= found.verdicts[0].gate == Gate::Hours && !status.open;
            // What was held a moment ago may be open by now.
            assert_eq!(status.open, status.opens_in_ms == Some(0));
            assert!(status.opens_in_ms.is_some_and(|ms| ms <= 20 * HOUR));
        }
    });
    assert_eq!(ending, Ending::Complete);
    assert!(held);
    assert!(
        world.now > 37 * HOUR,
        "three soaks don't fit into one night"
    );
    let inside = 2 * HOUR..6 * HOUR;
    let outside = |done: &&crate::world::Done| {
        let reads = matches!(done.point.goal, ringshift::migration::Move::Check);
        !inside.contains(&of_day(done.at)) && !reads
    };
    // Taking office, staying there and writing the log down change nobody's routes.
    let done: Vec<_> = world.done.iter().filter(outside).collect();
    let quiet = |stage| {
        matches!(
            stage,
            Stage::Lead | Stage::Claim | Stage::Guards | Stage::Log | Stage::Renew
        )
    };
    assert!(done.iter().all(|done| quiet(done.point.stage)), "{done:?}");
}

#[test]
fn a_copy_stops_between_two_chunks_when_the_hours_are_over() {
    let mut settings = nights();
    // A row takes a minute and a half: the night isn't long enough.
    settings.throttle = Throttle::OFF;
    settings.calendar.peak = vec!["00:00-24:00".parse().unwrap()];
    settings.calendar.peak_rows_per_s_max = 1;
    settings.chunk_rows = 5_000;
    let mut world = World::new(settings);
    world.now = 0;
    show_clock(&mut world);
    // Only the last seconds of the night are left when copying begins.
    let mut begun = None;
    world.run(|world| {
        if begun.is_none() && world.phase().is_some_and(|(p, _)| p == Phase::DoubleWrite) {
            begun = Some(world.now);
            let now = world.time();
            let last = NOON + i64::try_from(16 * HOUR + 59 * 60_000 + 59_000).unwrap();
            world.coordinator.handle_wall_clock(now, last, 60);
            world.settings.chunk_rows = 1;
        }
        if begun.is_some() && world.now > begun.unwrap() + HOUR {
            world.coordinator.roll_back("seen enough");
        }
    });
    let begun = begun.unwrap();
    let copied: Vec<u64> = world
        .done
        .iter()
        .filter(|done| done.point.stage == Stage::Read && done.at >= begun)
        .map(|done| done.at - begun)
        .collect();
    assert!(copied.iter().all(|&at| at < 2_000), "{copied:?}");
}

#[test]
fn without_a_clock_named_hours_never_come_and_the_way_back_is_open() {
    let mut world = World::new(nights());
    let ending = world.run(|world| {
        if world.now > 48 * HOUR {
            world.coordinator.roll_back("enough");
        }
    });
    assert!(matches!(ending, Ending::RolledBack { .. }), "{ending:?}");
    assert_eq!(world.barriers(), []);

    // From read-new too, at noon.
    let mut world = World::new(nights());
    let night = NOON + i64::try_from(14 * HOUR).unwrap();
    let now = world.time();
    world.coordinator.handle_wall_clock(now, night, 60);
    let ending = world.run(|world| {
        if world.phase().is_some_and(|(p, _)| p == Phase::ReadNew) {
            let now = world.time();
            world.coordinator.handle_wall_clock(now, NOON, 60);
            world.coordinator.roll_back("enough");
        }
    });
    assert!(matches!(ending, Ending::RolledBack { .. }), "{ending:?}");
    assert!(world.now < HOUR, "{}", world.now);
}
