//! What can be wrong with a topology, and with the bytes of a snapshot.

use alloc::string::String;
use core::fmt;

use crate::error::ErrorCode;
use crate::ids::{DomainId, Epoch, ShardId, ShardIndex, Slot};
use crate::key::KeyError;
use crate::ring::PlacementError;
use crate::snapshot::Digest;
use crate::snapshot::delta::DeltaError;
use crate::snapshot::edit::EditError;
use crate::snapshot::limits;
use crate::weight::WeightError;

/// A rule that a topology breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TopologyError {
    /// There is no shard, or no keyspace.
    Empty(&'static str),
    /// More of something than its limit.
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// A name is empty, too long, or has a control character.
    Name {
        /// Whose.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Two of a kind have the same name or number.
    Duplicate {
        /// Of what.
        what: &'static str,
        /// The name or number.
        name: String,
    },
    /// A list is not in its order.
    Unsorted(&'static str),
    /// A number is outside its range.
    Range {
        /// Which.
        what: &'static str,
        /// The number.
        value: u64,
        /// The lowest.
        min: u64,
        /// The highest.
        max: u64,
    },
    /// A weight is not a number of 0 to 1,000,000.
    Weight(WeightError),
    /// Slots can't be given to the shards.
    Placement(PlacementError),
    /// A key can't be one.
    Key(KeyError),
    /// A shard is named that isn't there.
    UnknownShard(ShardId),
    /// A shard is unfenced, and the cluster has no lease for its clients.
    NoClientLease(ShardId),
    /// A shard index is past the list of shards.
    UnknownShardIndex(ShardIndex),
    /// A keyspace's runs don't fill its slots exactly, or neighbours could be joined.
    Assignment {
        /// The keyspace.
        keyspace: String,
        /// Slots filled.
        filled: u64,
        /// Slots there are.
        slots: u32,
    },
    /// A keyspace's slotting can't be one.
    Slotting {
        /// The keyspace.
        keyspace: String,
        /// What is wrong.
        rule: &'static str,
    },
    /// Not exactly one home domain a shard.
    Homes {
        /// The keyspace.
        keyspace: String,
    },
    /// A domain id is used twice, or wasn't given out yet.
    Domain(DomainId),
    /// A wave breaks a rule.
    Wave {
        /// The wave.
        domain: DomainId,
        /// Which.
        rule: &'static str,
    },
    /// A pin to this shard doesn't say in exactly one way which keys it is for.
    Pin(ShardId),
    /// A match, of an override or a wave, breaks a rule.
    Match {
        /// Which keys, in words.
        matches: String,
        /// Which rule.
        rule: &'static str,
    },
    /// Two matches share some keys, and neither has all of the other's.
    Crossing {
        /// The keys of the one, in words.
        first: String,
        /// The keys of the other.
        second: String,
    },
    /// Two waves hold one slot, or some of its keys.
    Overlap {
        /// The slot.
        slot: Slot,
    },
    /// A kind of override that this version's builder doesn't take.
    Unsupported(&'static str),
    /// The change isn't safe while clients act by the older snapshot.
    Edit(EditError),
    /// There is no epoch after 2^31 - 1.
    EpochsUsedUp,
    /// The encoded snapshot would be larger than its limit.
    TooLarge {
        /// Bytes.
        bytes: usize,
    },
}

impl TopologyError {
    /// The stable slug.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Weight(_) => ErrorCode::Weight,
            Self::Placement(error) => error.code(),
            Self::Key(error) => error.code(),
            Self::Edit(error) => error.code(),
            _ => ErrorCode::Topology,
        }
    }
}

impl fmt::Display for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty(what) => write!(f, "there is no {what}; a topology needs at least one"),
            Self::TooMany { what, count, max } => {
                write!(f, "there are {count} {what}; at most {max} fit")
            }
            Self::Name { what, name } => write!(
                f,
                "the name `{name}` of a {what} is empty, longer than {} bytes or has a control character",
                limits::NAME_BYTES_MAX
            ),
            Self::Duplicate { what, name } => {
                write!(
                    f,
                    "there are two of the {what} `{name}`; make them different"
                )
            }
            Self::Unsorted(what) => write!(f, "the {what} are not in their order"),
            Self::Range {
                what,
                value,
                min,
                max,
            } => {
                write!(f, "{what} is {value}; it must be {min} to {max}")
            }
            Self::Weight(error) => error.fmt(f),
            Self::Placement(error) => error.fmt(f),
            Self::Key(error) => error.fmt(f),
            Self::UnknownShard(shard) => write!(f, "there is no shard {shard}"),
            Self::NoClientLease(shard) => write!(
                f,
                "shard {shard} is unfenced, and the cluster has no `client_lease`; add one"
            ),
            Self::UnknownShardIndex(index) => write!(f, "there is no shard at index {index}"),
            Self::Assignment {
                keyspace,
                filled,
                slots,
            } => write!(
                f,
                "the assignment of keyspace `{keyspace}` fills {filled} of {slots} slots, or isn't in the fewest runs"
            ),
            Self::Slotting { keyspace, rule } => {
                write!(f, "the slotting of keyspace `{keyspace}`: {rule}")
            }
            Self::Homes { keyspace } => {
                write!(f, "keyspace `{keyspace}` must have one home domain a shard")
            }
            Self::Domain(domain) => {
                write!(f, "domain {domain} is used twice, or was never given out")
            }
            Self::Wave { domain, rule } => write!(f, "wave {domain}: {rule}"),
            Self::Pin(shard) => write!(
                f,
                "a pin to shard {shard} needs exactly one of `key`, `prefix`, `range` and `parts`"
            ),
            Self::Match { matches, rule } => {
                write!(f, "the override or wave for {matches}: {rule}")
            }
            Self::Crossing { first, second } => write!(
                f,
                "the overrides or waves for {first} and for {second} share some of their keys; keep them apart, or let one enclose the other"
            ),
            Self::Overlap { slot } => write!(f, "slot {slot} is in two waves; end one first"),
            Self::Unsupported(what) => write!(f, "{what} overrides are not supported yet"),
            Self::Edit(error) => error.fmt(f),
            Self::EpochsUsedUp => f.write_str("there is no epoch after 2^31 - 1"),
            Self::TooLarge { bytes } => write!(
                f,
                "the snapshot has {bytes} bytes; at most {} are allowed",
                limits::SNAPSHOT_BYTES_MAX
            ),
        }
    }
}

impl core::error::Error for TopologyError {}

impl From<KeyError> for TopologyError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<PlacementError> for TopologyError {
    fn from(error: PlacementError) -> Self {
        Self::Placement(error)
    }
}

impl From<EditError> for TopologyError {
    fn from(error: EditError) -> Self {
        Self::Edit(error)
    }
}

impl From<WeightError> for TopologyError {
    fn from(error: WeightError) -> Self {
        Self::Weight(error)
    }
}

/// Why bytes, or a snapshot, were refused. What was in force before stays in force.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The bytes don't begin as a snapshot does.
    NotASnapshot,
    /// A format that this version doesn't know.
    Format {
        /// Its number.
        found: u16,
    },
    /// Fewer or more bytes than the header says.
    Length {
        /// Bytes that the header says.
        expected: u64,
        /// Bytes there are.
        found: usize,
    },
    /// More bytes than a snapshot may have.
    TooLarge {
        /// Bytes.
        bytes: u64,
    },
    /// The digest at the end isn't that of the bytes: damaged.
    Damaged,
    /// The digest is right, but the content can't be read or isn't in its canonical form.
    Malformed,
    /// The content breaks a rule.
    Topology(TopologyError),
    /// A snapshot of another cluster.
    ForeignCluster {
        /// Our cluster.
        ours: String,
        /// Theirs.
        theirs: String,
    },
    /// Older than the one in force.
    Older {
        /// The epoch in force.
        ours: Epoch,
        /// Its epoch.
        theirs: Epoch,
    },
    /// The epoch in force, with other content: two writers, or a store that went back in time.
    Forked {
        /// The epoch.
        epoch: Epoch,
        /// The digest in force.
        ours: Digest,
        /// Its digest.
        theirs: Digest,
    },
    /// A delta is refused.
    Delta(DeltaError),
}

impl SnapshotError {
    /// The stable slug.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::NotASnapshot
            | Self::Format { .. }
            | Self::Length { .. }
            | Self::TooLarge { .. }
            | Self::Damaged
            | Self::Malformed => ErrorCode::SnapshotFormat,
            Self::Topology(error) => error.code(),
            Self::ForeignCluster { .. } => ErrorCode::ForeignCluster,
            Self::Older { .. } => ErrorCode::OlderSnapshot,
            Self::Forked { .. } => ErrorCode::ForkedSnapshot,
            Self::Delta(error) => error.code(),
        }
    }
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotASnapshot => f.write_str("these bytes are not a snapshot"),
            Self::Format { found } => {
                write!(
                    f,
                    "the snapshot has format {found}, which this version can't read; update it"
                )
            }
            Self::Length { expected, found } => {
                write!(
                    f,
                    "the snapshot has {found} bytes where its header says {expected}"
                )
            }
            Self::TooLarge { bytes } => write!(
                f,
                "the snapshot has {bytes} bytes; at most {} are allowed",
                limits::SNAPSHOT_BYTES_MAX
            ),
            Self::Damaged => {
                f.write_str("the snapshot's digest doesn't match its bytes; fetch it again")
            }
            Self::Malformed => f.write_str("the snapshot's content can't be read"),
            Self::Topology(error) => write!(f, "the snapshot breaks a rule: {error}"),
            Self::ForeignCluster { ours, theirs } => {
                write!(
                    f,
                    "the snapshot is of cluster `{theirs}`, this router is of `{ours}`"
                )
            }
            Self::Older { ours, theirs } => {
                write!(
                    f,
                    "the snapshot is of epoch {theirs}, epoch {ours} is in force"
                )
            }
            Self::Forked {
                epoch,
                ours,
                theirs,
            } => write!(
                f,
                "two snapshots of epoch {epoch}: {ours} is in force, {theirs} was offered; find the second writer"
            ),
            Self::Delta(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SnapshotError {}

impl From<DeltaError> for SnapshotError {
    fn from(error: DeltaError) -> Self {
        Self::Delta(error)
    }
}

impl From<TopologyError> for SnapshotError {
    fn from(error: TopologyError) -> Self {
        Self::Topology(error)
    }
}
