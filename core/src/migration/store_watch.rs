//! What whoever carries a coordinator's commands out sees of the stores: small looks, all of one
//! kind and so comparable, and whether the coordinator's own commands are answered.

use alloc::vec::Vec;

use crate::ids::ShardId;
use crate::migration::command::{Answer, Command};
use crate::migration::coordinator::Coordinator;
use crate::migration::gates::Health;
use crate::migration::log::Log;
use crate::migration::moves::Move;
use crate::migration::pulse::{Pulse, PulseOptions};
use crate::time::Instant;

/// Looks that the baseline is made of, at most.
const FIRST_LOOKS: u32 = 100;
/// They stop after this long: a lead has to be renewed.
const FIRST_MS: u64 = 500;
/// From one look to the next, at least.
const GAP_MS: u64 = 100;
/// The looks take one part in so many of the time, at most.
const SHARE: u64 = 5;
/// Below this a p99 of looks is nobody's trouble: a flush of a disk, a busy scheduler.
const BASELINE_US_MIN: u32 = 100_000;

/// Looks after the stores of a migration that is under way, so that its gates know of them where
/// nobody hands anything in.
///
/// A look is a [`Command::Guards`]: it reads a few rows of the shard's own and changes nothing. The
/// first looks, before the first wave begins, are the baseline; who takes over in the middle takes
/// its own first looks for that. Then there are about ten a second, at the shards of the waves in
/// turn, and fewer where they take long. None while nothing is under way, none while a barrier
/// keeps writers waiting, and none where the settings say `gates.watch_stores = false`.
///
/// - Output: [`poll`](Self::poll), until it answers `None`.
/// - Inputs: [`handle_look`](Self::handle_look) after each look,
///   [`handle_command`](Self::handle_command) after each command of the coordinator's own.
/// - Getter: [`health`](Self::health), which is for
///   [`Coordinator::handle_seen`](crate::migration::Coordinator::handle_seen).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreWatch {
    pulse: Pulse,
    /// Looks that the baseline still needs, and when it has to do with what it has.
    first: u32,
    until: Option<Instant>,
    due: Instant,
    turn: usize,
}

impl Default for StoreWatch {
    fn default() -> Self {
        let options = PulseOptions {
            baseline_us_min: BASELINE_US_MIN,
            ..PulseOptions::default()
        };
        Self {
            pulse: Pulse::new(options),
            first: FIRST_LOOKS,
            until: None,
            due: Instant::ZERO,
            turn: 0,
        }
    }
}

impl StoreWatch {
    /// The look that is due, at a shard that `reaches` knows a store of; `None` for now.
    pub fn poll(
        &mut self,
        now: Instant,
        coordinator: &Coordinator,
        reaches: impl Fn(ShardId) -> bool,
    ) -> Option<Command> {
        self.pulse.handle_timeout(now);
        let snapshot = coordinator.snapshot()?;
        if *coordinator.log() == Log::default() || !coordinator.watches_stores() {
            // The next migration is held against what is usual then.
            *self = Self::default();
            return None;
        }
        if coordinator.goal().is_some_and(Move::is_barrier) {
            return None;
        }
        let until = *self.until.get_or_insert(now.after(FIRST_MS));
        let is_first = self.first > 0 && now < until;
        if !is_first && self.first > 0 {
            self.first = 0;
            self.pulse.take_baseline();
        }
        if !is_first && now < self.due {
            return None;
        }
        let content = snapshot.content();
        let waves = content.keyspaces.iter().flat_map(|k| &k.waves);
        let mut shards: Vec<ShardId> = waves.flat_map(|wave| [wave.from, wave.to]).collect();
        if shards.is_empty() {
            shards = content.shards.iter().map(|shard| shard.id).collect();
        }
        shards.sort_unstable();
        shards.dedup();
        shards.retain(|&shard| reaches(shard));
        let at = self.turn.checked_rem(shards.len())?;
        self.turn = at + 1;
        let shard = *shards.get(at)?;
        Some(Command::Guards { shard })
    }

    /// A look at a shard has taken so long, and was answered or not.
    pub fn handle_look(&mut self, now: Instant, look: &Command, answer: &Answer, took_us: u32) {
        self.handle_command(now, look, answer, took_us);
        self.pulse.handle_operation(now, took_us, is_silent(answer));
        let gap = u64::from(took_us / 1_000).saturating_mul(SHARE - 1);
        self.due = now.after(gap.max(GAP_MS));
        self.first = self.first.saturating_sub(1);
        if self.first == 0 && !self.pulse.has_baseline() {
            self.pulse.take_baseline();
        }
    }

    /// A command of the coordinator's was carried out. How long it took says nothing of its store,
    /// but for a few that are as short as a look: a chunk takes as long as it is large.
    pub fn handle_command(&mut self, now: Instant, command: &Command, answer: &Answer, us: u32) {
        let Some(shard) = command.shard() else {
            return;
        };
        let short = matches!(
            command,
            Command::Guards { .. } | Command::Time { .. } | Command::Look { .. }
        );
        let took_us = if short { us } else { 0 };
        self.pulse
            .handle_request(now, shard, took_us, is_silent(answer));
    }

    /// What was seen: the looks' p99 with its baseline, and whether each shard answers. Of the
    /// application it knows nothing, so it says nothing of errors.
    pub fn health(&self) -> Health {
        Health {
            error_ppm: None,
            ..self.pulse.health()
        }
    }
}

fn is_silent(answer: &Answer) -> bool {
    matches!(answer, Answer::Unreachable)
}
