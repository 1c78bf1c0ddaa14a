//! Why a wish can't be planned, or a plan can't be carried out.

use alloc::string::String;
use core::fmt;

use crate::error::ErrorCode;
use crate::ids::{Epoch, ShardId, Slot};
use crate::snapshot::{Digest, TopologyError};

/// Why a wish can't be planned, or a plan isn't one for this snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanError {
    /// A migration is under way.
    Busy,
    /// Nothing is wished.
    Nothing,
    /// A shard to remove or reweight isn't there.
    UnknownShard(ShardId),
    /// A shard is named that isn't there, nor among those to add.
    UnknownShardName(String),
    /// A shard to add is there already.
    KnownShard(ShardId),
    /// A keyspace is named that isn't there.
    UnknownKeyspace(String),
    /// A key is pinned to a shard that is to go.
    Pinned {
        /// The shard.
        shard: ShardId,
        /// The keyspace.
        keyspace: String,
    },
    /// A list of slots can't be read.
    Slots {
        /// As it was written.
        text: String,
    },
    /// A slot past the keyspace's last.
    SlotRange {
        /// The slot.
        slot: Slot,
        /// The keyspace.
        keyspace: String,
        /// How many slots it has.
        slots: u32,
    },
    /// One slot is wished to two shards.
    SlotTwice {
        /// The slot.
        slot: Slot,
        /// The keyspace.
        keyspace: String,
    },
    /// A shard that is to go, or takes no slots, would have some.
    NotEmptied {
        /// The shard.
        shard: ShardId,
        /// The keyspace.
        keyspace: String,
    },
    /// A key, a prefix or a range can't be one.
    Key {
        /// Why.
        message: String,
    },
    /// A keyspace can't have that many slots.
    Bits {
        /// The keyspace.
        keyspace: String,
        /// The bits that it has.
        has: u8,
        /// Those that are wished.
        wished: u8,
    },
    /// More slots are wished beside something else.
    GrowAlone,
    /// Wishes about keys overlap, or slots of their keyspace move in the same plan.
    Together {
        /// The keyspace.
        keyspace: String,
    },
    /// No override matches exactly that.
    NoOverride {
        /// What was named.
        matches: String,
        /// The keyspace.
        keyspace: String,
    },
    /// An override lies inside another one, whose shard it can't go back to by itself.
    Inside {
        /// What it matches.
        matches: String,
        /// What the outer one matches.
        outer: String,
    },
    /// A cut isn't inside its range, or cuts aren't rising.
    CutOutside {
        /// The range.
        matches: String,
    },
    /// A prefix is wished into another keyspace.
    KeyspacePin {
        /// The keyspace that it is wished out of.
        keyspace: String,
    },
    /// The plan was made from another snapshot.
    Outdated {
        /// The cluster that it was made for.
        cluster: String,
        /// Its epoch.
        epoch: Epoch,
        /// Its digest.
        digest: Digest,
    },
    /// The plan says what no planner says.
    Forged {
        /// What.
        what: String,
    },
    /// The topology that is wished breaks a rule.
    Topology(TopologyError),
}

impl PlanError {
    /// The stable slug.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Topology(error) => error.code(),
            Self::UnknownKeyspace(_) => ErrorCode::UnknownKeyspace,
            Self::Busy
            | Self::Nothing
            | Self::UnknownShard(_)
            | Self::UnknownShardName(_)
            | Self::KnownShard(_)
            | Self::Pinned { .. }
            | Self::Slots { .. }
            | Self::SlotRange { .. }
            | Self::SlotTwice { .. }
            | Self::NotEmptied { .. }
            | Self::Key { .. }
            | Self::Bits { .. }
            | Self::GrowAlone
            | Self::Together { .. }
            | Self::NoOverride { .. }
            | Self::Inside { .. }
            | Self::CutOutside { .. }
            | Self::KeyspacePin { .. }
            | Self::Outdated { .. }
            | Self::Forged { .. } => ErrorCode::Plan,
        }
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => {
                f.write_str("a migration is under way; let it end, or take it back first")
            }
            Self::Nothing => f.write_str(
                "nothing is wished, or everything is so already; add, remove or reweight a shard, or move slots or keys",
            ),
            Self::UnknownShard(shard) => write!(f, "there is no shard {shard}"),
            Self::UnknownShardName(name) => {
                write!(f, "there is no shard `{name}`; add it in the same wish, or correct the name")
            }
            Self::KnownShard(shard) => write!(f, "there is a shard {shard} already"),
            Self::UnknownKeyspace(name) => write!(f, "there is no keyspace `{name}`"),
            Self::Pinned { shard, keyspace } => write!(
                f,
                "a key of keyspace `{keyspace}` is pinned to shard {shard}; unpin it before the shard goes"
            ),
            Self::Slots { text } => write!(
                f,
                "`{text}` isn't a list of slots; write it as 1-50,77, the smaller one first, below 1048576"
            ),
            Self::SlotRange {
                slot,
                keyspace,
                slots,
            } => write!(
                f,
                "keyspace `{keyspace}` has no slot {slot}; its slots are 0 to {}",
                slots.saturating_sub(1)
            ),
            Self::SlotTwice { slot, keyspace } => write!(
                f,
                "slot {slot} of keyspace `{keyspace}` is wished to two shards; keep one of them"
            ),
            Self::NotEmptied { shard, keyspace } => write!(
                f,
                "shard {shard} takes no slots but would have some of keyspace `{keyspace}`; move them elsewhere"
            ),
            Self::Key { message } => f.write_str(message),
            Self::Bits {
                keyspace,
                has,
                wished,
            } => write!(
                f,
                "keyspace `{keyspace}` has {has} slot bits and can't get {wished}; give more than it has, at most 20"
            ),
            Self::GrowAlone => f.write_str(
                "more slots are wished beside something else; grow first, and plan the rest from the snapshot after that",
            ),
            Self::Together { keyspace } => write!(
                f,
                "wishes about keyspace `{keyspace}` overlap: a key would move twice; plan one of them, and the other from the snapshot after that"
            ),
            Self::NoOverride { matches, keyspace } => write!(
                f,
                "keyspace `{keyspace}` has no override for exactly {matches}; see the present ones with show"
            ),
            Self::Inside { matches, outer } => write!(
                f,
                "{matches} lies inside {outer}, which has a shard of its own; unpin that first, or move both"
            ),
            Self::CutOutside { matches } => write!(
                f,
                "a cut isn't inside {matches}, or cuts aren't rising; give keys inside it in their order"
            ),
            Self::KeyspacePin { keyspace } => write!(
                f,
                "keys of keyspace `{keyspace}` can't be sent to another keyspace: a row's slot, its seed and its grouping belong to the keyspace that it was written in; pin the prefix to a shard instead"
            ),
            Self::Outdated {
                cluster,
                epoch,
                digest,
            } => write!(
                f,
                "the plan was made for cluster `{cluster}` at epoch {epoch}, digest {digest}, and another snapshot is in force; plan again"
            ),
            Self::Forged { what } => write!(f, "the plan can't be carried out: {what}; plan again"),
            Self::Topology(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for PlanError {}

impl From<TopologyError> for PlanError {
    fn from(error: TopologyError) -> Self {
        Self::Topology(error)
    }
}
