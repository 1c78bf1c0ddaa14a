//! The continuous checker: a few random keys at a time, compared on both sides of a wave.
//!
//! It finds what digests at one moment can't: rows that go bad later. One look proves nothing (a
//! row may simply be late), so a key counts only at the second look of [`Verifier`], after copying
//! has caught up in between.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::guard::Fence;
use crate::hash::xxh3;
use crate::ids::{DomainId, KeyspaceId, ShardId, Slot};
use crate::migration::command::{Command, KeyDigest};
use crate::migration::verify::{Mismatch, Verifier};
use crate::time::Instant;
use crate::wave::Wave;

/// How much is checked while a wave has two sides.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Checks {
    /// Keys a minute, about; 0: none. 1,000 by default.
    pub keys_per_minute: u32,
    /// Keys a round. 50 by default.
    pub keys_per_round: u32,
    /// What the random choice starts from. Two coordinators with one seed still choose otherwise:
    /// their terms differ.
    pub seed: u64,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            keys_per_minute: 1_000,
            keys_per_round: 50,
            seed: 0,
        }
    }
}

impl Checks {
    /// No checks.
    pub const OFF: Self = Self {
        keys_per_minute: 0,
        keys_per_round: 0,
        seed: 0,
    };

    /// From one round to the next, in milliseconds.
    fn round_ms(&self) -> u64 {
        let keys = u64::from(self.keys_per_round.max(1));
        keys * 60_000 / u64::from(self.keys_per_minute.max(1))
    }
}

/// What the checker has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct CheckFigures {
    /// Rounds.
    pub rounds: u64,
    /// Keys that were looked at on both sides.
    pub keys: u64,
    /// Keys that differed at the first look.
    pub suspects: u64,
    /// Keys that differed at the second look too.
    pub mismatches: u64,
}

/// Slots of a round at most: each is a walk of its own.
const SLOTS_MAX: u32 = 1_024;

/// Which keys are compared, and where a comparison stands.
///
/// - Output: [`next`](Self::next).
/// - Inputs: [`handle_keys`](Self::handle_keys), [`handle_caught_up`](Self::handle_caught_up),
///   [`handle_silence`](Self::handle_silence).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Checker {
    due: Option<Instant>,
    round: u64,
    /// How many slots a round samples: twice as many after a thin one, half after a full one.
    width: u32,
    look: Option<Looking>,
    figures: CheckFigures,
}

/// A round on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Looking {
    domain: DomainId,
    /// The wave's epoch; after a transition the round means nothing.
    fence: Fence,
    /// Whether the mirror is sampled: only there can a row be that the authority doesn't have.
    from_mirror: bool,
    slots: Vec<Slot>,
    seed: u64,
    sampled: Vec<KeyDigest>,
    verifier: Verifier,
    step: CheckStep,
}

/// What a round does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckStep {
    /// Draw keys on one side.
    Sample,
    /// Look at them on the other.
    Compare,
    /// Copy until the mirror has caught up.
    CatchUp,
    /// The second look at the mirror.
    LookMirror,
    /// The second look at the authority.
    LookAuthority,
}

impl Checker {
    /// What it has done so far.
    pub fn figures(&self) -> CheckFigures {
        self.figures
    }

    /// When a round is due: `None` where none ever is.
    pub fn due(&self, settings: &Checks) -> Option<Instant> {
        (settings.keys_per_minute > 0).then(|| self.due.unwrap_or(Instant::ZERO))
    }

    /// The wave and the step of the round on its way. A round whose wave isn't in `waves` at the
    /// same epoch any more is dropped.
    pub fn next(&mut self, waves: &[&Wave]) -> Option<(DomainId, CheckStep)> {
        let look = self.look.as_ref()?;
        let (domain, fence, step) = (look.domain, look.fence, look.step);
        let stands = |wave: &&Wave| wave.domain == domain && wave.epoch == fence.epoch;
        if waves.iter().any(stands) {
            return Some((domain, step));
        }
        self.look = None;
        None
    }

    /// Begins a round if one is due: `waves` are those that have two sides, all caught up once.
    pub fn begin(&mut self, now: Instant, settings: &Checks, salt: u64, waves: &[&Wave]) -> bool {
        if self.due(settings).is_none_or(|due| due > now) || waves.is_empty() {
            return false;
        }
        self.due = Some(now.after(settings.round_ms()));
        self.round += 1;
        let seed = settings.seed ^ salt.rotate_left(32);
        let draw = |n: u64| {
            let mut bytes = [0; 16];
            let (round, number) = bytes.split_at_mut(8);
            round.copy_from_slice(&self.round.to_le_bytes());
            number.copy_from_slice(&n.to_le_bytes());
            xxh3(&bytes, seed)
        };
        let Some(wave) = waves.get(below(draw(0), waves.len() as u64)) else {
            return false;
        };
        let count = wave.slot_count();
        let width = self.width.clamp(1, SLOTS_MAX);
        let mut slots: Vec<Slot> = if width >= count {
            wave.slots
                .iter()
                .flat_map(|range| range.start..range.end)
                .map(Slot)
                .collect()
        } else {
            (1..=u64::from(width))
                .filter_map(|n| nth_slot(wave, below(draw(n), count.into())))
                .collect()
        };
        slots.sort_unstable();
        slots.dedup();
        self.look = Some(Looking {
            domain: wave.domain,
            fence: Fence {
                domain: wave.domain,
                epoch: wave.epoch,
            },
            from_mirror: self.round.is_multiple_of(4),
            slots,
            seed: draw(u64::MAX),
            sampled: Vec::new(),
            verifier: Verifier::default(),
            step: CheckStep::Sample,
        });
        true
    }

    /// The command of the round's step, for the two sides' shards.
    pub fn command(
        &self,
        settings: &Checks,
        keyspace: KeyspaceId,
        authority: ShardId,
        mirror: ShardId,
    ) -> Option<Command> {
        let look = self.look.as_ref()?;
        let (fence, slots) = (look.fence, look.slots.clone());
        let (sampled, other) = if look.from_mirror {
            (mirror, authority)
        } else {
            (authority, mirror)
        };
        let (shard, keys) = match look.step {
            CheckStep::Sample => {
                return Some(Command::Sample {
                    shard: sampled,
                    fence,
                    keyspace,
                    slots,
                    seed: look.seed,
                    limit: settings.keys_per_round.max(1),
                });
            }
            CheckStep::Compare => {
                let keys = look.sampled.iter().map(|digest| digest.key.clone());
                (other, keys.collect())
            }
            CheckStep::LookMirror => (mirror, look.verifier.suspects()),
            CheckStep::LookAuthority => (authority, look.verifier.suspects()),
            CheckStep::CatchUp => return None,
        };
        Some(Command::Look {
            shard,
            fence,
            keyspace,
            slots,
            keys,
        })
    }

    /// What the step's command found. Answers the next step and the mismatches that are certain;
    /// without a next step the round is over.
    pub fn handle_keys(
        &mut self,
        settings: &Checks,
        keys: Vec<KeyDigest>,
    ) -> (Option<CheckStep>, Vec<Mismatch>) {
        let Some(mut look) = self.look.take() else {
            return (None, Vec::new());
        };
        let next = match look.step {
            CheckStep::Sample => {
                let full = keys.len() as u64 >= u64::from(settings.keys_per_round.max(1));
                let width = self.width.clamp(1, SLOTS_MAX);
                self.width = if full { width / 2 } else { width * 2 }.clamp(1, SLOTS_MAX);
                self.figures.rounds += 1;
                self.figures.keys += keys.len() as u64;
                let found = !keys.is_empty();
                look.sampled = keys;
                found.then_some(CheckStep::Compare)
            }
            CheckStep::Compare => {
                let sampled = core::mem::take(&mut look.sampled);
                let (authority, mirror) = if look.from_mirror {
                    (keys, sampled)
                } else {
                    (sampled, keys)
                };
                look.verifier.authority_keys(authority);
                look.verifier.mirror_keys(&mirror);
                self.figures.suspects += look.verifier.suspects().len() as u64;
                look.verifier.is_suspicious().then_some(CheckStep::CatchUp)
            }
            CheckStep::CatchUp => Some(CheckStep::CatchUp),
            CheckStep::LookMirror => {
                look.verifier.second_mirror(keys);
                Some(CheckStep::LookAuthority)
            }
            CheckStep::LookAuthority => {
                let found = look.verifier.second_authority(&keys);
                self.figures.mismatches += found.len() as u64;
                return (None, found);
            }
        };
        if let Some(step) = next {
            look.step = step;
            self.look = Some(look);
        }
        (next, Vec::new())
    }

    /// Whether the round on its way waits for copying of `domain`.
    pub fn waits_for(&self, domain: DomainId) -> bool {
        (self.look.as_ref())
            .is_some_and(|look| look.domain == domain && look.step == CheckStep::CatchUp)
    }

    /// Copying of `domain` has caught up. Answers whether the round has waited for that.
    pub fn handle_caught_up(&mut self, domain: DomainId) -> bool {
        match &mut self.look {
            Some(look) if look.domain == domain && look.step == CheckStep::CatchUp => {
                look.step = CheckStep::LookMirror;
                true
            }
            _ => false,
        }
    }

    /// Whoever was asked doesn't answer: the round is dropped. A shard that is away must not keep
    /// a migration from anything, least of all from going back.
    pub fn handle_silence(&mut self) {
        self.look = None;
    }
}

/// A number below `end`, which isn't 0, from 64 random bits.
fn below(random: u64, end: u64) -> usize {
    let scaled = (u128::from(random) * u128::from(end)) >> 64;
    usize::try_from(scaled).unwrap_or(0)
}

fn nth_slot(wave: &Wave, n: usize) -> Option<Slot> {
    let mut left = u32::try_from(n).ok()?;
    for range in &wave.slots {
        if left < range.len() {
            return Some(Slot(range.start + left));
        }
        left -= range.len();
    }
    None
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]
mod tests;
