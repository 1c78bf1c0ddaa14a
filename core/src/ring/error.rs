//! What can be wrong with a placement, of the ring's or of the balancer's making.

use core::fmt;

use crate::error::ErrorCode;
use crate::ids::{SHARDS_MAX, SLOT_BITS_MAX, SLOT_BITS_MIN, ShardId, ShardIndex};

use super::RING_POINTS_MAX;

/// Why slots can't be given to shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlacementError {
    /// The number of slot bits is not 4 to 20.
    Bits {
        /// What was given.
        bits: u8,
    },
    /// The table's length is not a power of two of 2^4 to 2^20.
    TableLength {
        /// Its length.
        slots: usize,
    },
    /// More shards than [`SHARDS_MAX`].
    TooManyShards {
        /// How many.
        shards: usize,
    },
    /// More points than [`RING_POINTS_MAX`].
    TooManyPoints {
        /// How many.
        points: u64,
    },
    /// A shard has the name, the id or the index of another, or an index that is out of range.
    Duplicate {
        /// Its id.
        shard: ShardId,
    },
    /// No shard has a weight above 0.
    NoWeight,
    /// A shard of positive weight would be left without a slot.
    NoSlots {
        /// Its index.
        shard: ShardIndex,
    },
}

impl PlacementError {
    /// The slug: `no_slots` or `topology`.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::NoSlots { .. } => ErrorCode::NoSlots,
            Self::Bits { .. }
            | Self::TableLength { .. }
            | Self::TooManyShards { .. }
            | Self::TooManyPoints { .. }
            | Self::Duplicate { .. }
            | Self::NoWeight => ErrorCode::Topology,
        }
    }
}

impl fmt::Display for PlacementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bits { bits } => write!(
                f,
                "a keyspace can't have {bits} slot bits; choose {SLOT_BITS_MIN} to {SLOT_BITS_MAX}"
            ),
            Self::TableLength { slots } => write!(
                f,
                "a table can't have {slots} slots; it has a power of two of 2^{SLOT_BITS_MIN} to 2^{SLOT_BITS_MAX}"
            ),
            Self::TooManyShards { shards } => {
                write!(
                    f,
                    "there are {shards} shards; at most {SHARDS_MAX} are allowed"
                )
            }
            Self::TooManyPoints { points } => write!(
                f,
                "the ring has {points} points, at most {RING_POINTS_MAX} are allowed; use smaller weights or fewer vnodes"
            ),
            Self::Duplicate { shard } => write!(
                f,
                "shard {shard} has the name, the id or the index of another, or an index out of range; give it its own"
            ),
            Self::NoWeight => {
                f.write_str("no shard has a weight above 0; give one of them a weight, or add one")
            }
            Self::NoSlots { shard } => write!(
                f,
                "the shard at index {shard} has a weight but would get no slot; use more slot bits, or a larger weight for it"
            ),
        }
    }
}

impl core::error::Error for PlacementError {}
