//! What a coordinator is told between its commands: how the application and the stores are, and
//! what the clock on the wall shows.

use std::time::{Duration, Instant as Clock};

use ringshift::migration::{Answer, Command, Coordinator, Health, StoreWatch};

use crate::runner::{Runner, is_due, micros, unix_ms};

/// How often somebody is asked for health, and told what was seen of the stores.
const HEALTH_EVERY: Duration = Duration::from_millis(500);
/// How often a coordinator is shown the clock.
const CLOCK_EVERY: Duration = Duration::from_secs(10);

/// Who knows how things are outside, and hears what was seen of the stores. Every method says
/// nothing, or does nothing, unless it is overridden.
///
/// Whoever looks on at a runner, or at an agent, is one.
///
/// ```
/// use ringshift::migration::Health;
/// use ringshift_operator::runner::{Observer, Witness};
///
/// struct Errors(u32);
/// impl Witness for Errors {
///     fn health(&mut self) -> Option<Health> {
///         Some(Health { error_ppm: Some(self.0), ..Health::default() })
///     }
/// }
/// impl Observer for Errors {}
/// ```
pub trait Witness {
    /// Asked twice a second at most: how the application and the stores are, if that is known.
    fn health(&mut self) -> Option<Health> {
        None
    }

    /// Told twice a second at most: what the runner, or the agent while it leads, has seen of the
    /// stores itself. Gates know it already.
    fn seen(&mut self, _seen: &Health, _coordinator: &Coordinator) {}

    /// Asked every ten seconds: how many minutes local time is ahead of UTC. The calendar's hours
    /// are in local time.
    fn utc_offset_min(&mut self) -> i16 {
        0
    }
}

/// Tells one coordinator what it can't know by itself, each thing when it is due. Another one has
/// seen no clock yet, and no store: it gets a feed of its own.
#[derive(Default)]
pub(crate) struct Feed {
    asked: Option<Clock>,
    shown: Option<Clock>,
    watch: StoreWatch,
}

impl Feed {
    /// Looks at stores, asks the witness and shows the clock, as far as that is due.
    pub(crate) fn tell(
        &mut self,
        runner: &Runner,
        coordinator: &mut Coordinator,
        witness: &mut impl Witness,
    ) {
        self.look(runner, coordinator);
        if is_due(&mut self.asked, HEALTH_EVERY) {
            if let Some(health) = witness.health() {
                coordinator.handle_health(runner.now(), health);
            }
            let seen = self.watch.health();
            coordinator.handle_seen(runner.now(), seen.clone());
            witness.seen(&seen, coordinator);
        }
        if is_due(&mut self.shown, CLOCK_EVERY) {
            let offset = witness.utc_offset_min();
            let unix_ms = i64::try_from(unix_ms()).unwrap_or(i64::MAX);
            coordinator.handle_wall_clock(runner.now(), unix_ms, offset);
        }
    }

    /// A command of the coordinator's was carried out, and took so long.
    pub(crate) fn handle_command(
        &mut self,
        runner: &Runner,
        command: &Command,
        answer: &Answer,
        took: Duration,
    ) {
        let now = runner.now();
        self.watch
            .handle_command(now, command, answer, micros(took));
    }

    /// Carries out the looks at stores that are due.
    fn look(&mut self, runner: &Runner, coordinator: &Coordinator) {
        let reaches = |shard| runner.reaches(shard);
        while let Some(look) = self.watch.poll(runner.now(), coordinator, reaches) {
            let began = Clock::now();
            let answer = runner.carry_out(&look);
            let took = micros(began.elapsed());
            self.watch.handle_look(runner.now(), &look, &answer, took);
        }
    }
}
