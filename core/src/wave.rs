//! A wave: slots that move together between one pair of shards, as the snapshot publishes it.
//!
//! A wave is one fencing domain. A migration that needs several pairs of shards, or smaller
//! batches, has several waves; so a phase advance is always one guard row a shard and one field of
//! the snapshot, and what a barrier closes at once is exactly one wave.

pub(crate) mod gaps;

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::hash::RAMP_PPM_MAX;
use crate::ids::{DomainId, Epoch, ShardId, Slot, SlotRange};
use crate::phase::{Phase, Role, Side};
use crate::scope::Match;

/// A whole, in parts per million.
pub const PPM: u32 = RAMP_PPM_MAX;

/// One wave of one keyspace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Wave {
    /// Its fencing domain, which is also its name. Never used again.
    pub domain: DomainId,
    /// The domain's epoch: when its members or their route last changed.
    pub epoch: Epoch,
    /// The epoch that the last draining barrier led to, [`Epoch::ZERO`] before the first.
    pub drained: Epoch,
    /// The epoch at which the present authority was named: the first half of its versions.
    pub authority_epoch: Epoch,
    /// Whose guard takes this epoch first; a successor of a dead coordinator needs to know.
    pub first: Side,
    /// The shard that the slots leave.
    pub from: ShardId,
    /// The shard that they go to.
    pub to: ShardId,
    /// Where the wave stands.
    pub phase: Phase,
    /// How many keys of a million are read from `to` in read-new; 0 in other phases.
    pub ramp_ppm: u32,
    /// How many keys of a million have their reads compared in shadow-read; 0 in other phases.
    pub shadow_ppm: u32,
    /// Whether a write in double-write and reversed is answered after both shards have it.
    pub strict: bool,
    /// How long the mirror answers reads of read-new after it was last asked for, in milliseconds;
    /// 0: without a lease.
    pub lease_ms: u32,
    /// The slots: sorted, disjoint, not empty.
    #[serde(with = "gaps")]
    pub slots: Vec<SlotRange>,
    /// Which keys of those slots move; `None`: all that no override holds.
    pub matches: Option<Match>,
    /// The override that the keys are carved from; `None`: the home of `from`.
    pub origin: Option<DomainId>,
    /// Whether the keys become an override to `to` at the end; else they join its home.
    pub pins: bool,
    /// Whether writes are paused, since no shard would hold them back: around every change of where
    /// keys are read of a wave with an [unfenced](crate::Shard::unfenced) shard.
    #[serde(default)]
    pub switching: bool,
}

impl Wave {
    /// The shard on `side`.
    pub const fn shard(&self, side: Side) -> ShardId {
        match side {
            Side::From => self.from,
            Side::To => self.to,
        }
    }

    /// The role that the wave's guard row has on `side`.
    pub const fn role(&self, side: Side) -> Role {
        match self.phase.role(side) {
            Role::ReadableMirror if self.lease_ms > 0 => Role::LeasedMirror,
            role => role,
        }
    }

    /// Its phase as people see it; `switching` while writes are paused around a change of the reads.
    pub const fn state_name(&self) -> &'static str {
        if self.switching {
            "switching"
        } else {
            self.phase.name()
        }
    }

    /// Whether `to` answers reads under a lease.
    pub const fn is_leased(&self) -> bool {
        matches!(self.role(Side::To), Role::LeasedMirror)
    }

    /// Which side `shard` is on, if it takes part.
    pub fn side(&self, shard: ShardId) -> Option<Side> {
        if shard == self.from {
            Some(Side::From)
        } else if shard == self.to {
            Some(Side::To)
        } else {
            None
        }
    }

    /// The shard that orders the writes.
    pub const fn authority(&self) -> ShardId {
        self.shard(self.phase.authority())
    }

    /// Whether `slot` is one of the wave's. Its members are narrowed by `matches`.
    pub fn contains(&self, slot: Slot) -> bool {
        in_slots(&self.slots, slot)
    }

    /// Whether the keys are fenced by the wave, and are all keys of its slots that no override
    /// holds.
    pub const fn is_carved_whole(&self) -> bool {
        self.phase.is_carved() && self.matches.is_none()
    }

    /// How many slots move.
    pub fn slot_count(&self) -> u32 {
        self.slots.iter().map(|range| range.len()).sum()
    }
}

/// Whether `slot` is in one of `runs`, which are sorted and disjoint.
pub fn in_slots(runs: &[SlotRange], slot: Slot) -> bool {
    let after = runs.partition_point(|range| range.start <= slot.0);
    after
        .checked_sub(1)
        .and_then(|at| runs.get(at))
        .is_some_and(|run| run.contains(slot))
}

/// Joins sorted slots into the fewest runs.
///
/// ```
/// use ringshift::{slot_runs, Slot, SlotRange};
/// let runs = slot_runs([Slot(3), Slot(4), Slot(9)]);
/// assert_eq!(runs, [SlotRange { start: 3, end: 5 }, SlotRange { start: 9, end: 10 }]);
/// ```
pub fn slot_runs(slots: impl IntoIterator<Item = Slot>) -> Vec<SlotRange> {
    let mut runs: Vec<SlotRange> = Vec::new();
    for Slot(slot) in slots {
        match runs.last_mut() {
            Some(last) if last.end == slot => last.end += 1,
            _ => runs.push(SlotRange {
                start: slot,
                end: slot + 1,
            }),
        }
    }
    runs
}
