//! The whole routing state at one epoch: immutable once built, and replaced whole.
//!
//! A snapshot is data. It owns no connection, and nothing in it is patched in place: a change is a
//! new [`Draft`], built through the same validation, at the next epoch.

mod adopt;
mod codec;
mod content;
mod delta;
mod draft;
mod edit;
mod error;
mod in_front;
pub mod limits;
mod topology;
mod validate;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::{Epoch, KeyspaceId, ShardId, ShardIndex};

pub use adopt::{
    KetamaServerTopology, KetamaTopology, ModuloTopology, RedisShardTopology, RedisTopology,
    SlottingTopology,
};
pub use delta::{DELTA_MAGIC, Delta, DeltaError};
pub use draft::{
    ClientLease, Draft, Entry, Home, KeyspaceDraft, Placement, Run, Shard, ShardState, Target, runs,
};
pub use edit::EditError;
pub use error::{SnapshotError, TopologyError};
pub use topology::{KeyspaceTopology, PinTopology, ShardTopology, Topology};
pub(crate) use topology::{ring_of, target_weights};

/// SHA-256 of a snapshot's canonical bytes: two snapshots with one digest are the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Hexadecimal for people, 32 bytes for machines.
impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return <[u8; 32]>::deserialize(deserializer).map(Self);
        }
        let text = String::deserialize(deserializer)?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let pair = |pair: &[u8]| match pair {
            [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pair).collect();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        let error = || serde::de::Error::custom("a digest has 64 hexadecimal digits");
        bytes.map(Self).ok_or_else(error)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A validated, immutable routing state. Equal, and hashed, by its digest.
#[derive(Clone)]
pub struct Snapshot {
    content: Draft,
    digest: Digest,
}

impl Snapshot {
    /// Validates `draft`: every limit, every reference, every rule between its parts.
    ///
    /// # Errors
    /// The [`TopologyError`] of the first rule that it breaks.
    pub fn build(draft: Draft) -> Result<Self, TopologyError> {
        validate::validate(&draft)?;
        let digest = codec::digest(&draft)?;
        Ok(Self {
            content: draft,
            digest,
        })
    }

    /// The canonical bytes: the same content always gives the same bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(&self.content, &self.digest)
    }

    /// Reads what [`encode`](Self::encode) wrote, and validates it.
    ///
    /// # Errors
    /// [`SnapshotError`] when the bytes are cut short, too long, changed in any bit, of a later
    /// format, not canonical, or break a rule.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let (content, digest) = codec::decode(bytes)?;
        validate::validate(&content)?;
        Ok(Self { content, digest })
    }

    /// The content, to be read. [`Clone`] it to make the next one.
    #[inline]
    pub fn content(&self) -> &Draft {
        &self.content
    }

    /// When this state came into force.
    pub fn epoch(&self) -> Epoch {
        self.content.epoch
    }

    /// The cluster's name.
    pub fn cluster(&self) -> &str {
        &self.content.cluster
    }

    /// What tells this snapshot from all others.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The shard of that number.
    pub fn shard(&self, id: ShardId) -> Option<&Shard> {
        let index = self.content.index_of(id)?;
        self.content.shard_at(index)
    }

    /// The number of the shard at `index`.
    pub fn shard_id(&self, index: ShardIndex) -> Option<ShardId> {
        self.content.shard_at(index).map(|shard| shard.id)
    }

    /// The number of the keyspace of that name.
    pub fn keyspace_named(&self, name: &str) -> Option<KeyspaceId> {
        self.content
            .keyspaces
            .iter()
            .find(|k| k.name == name)
            .map(|k| k.id)
    }

    /// A draft of the state after this one: the same content, one epoch later.
    ///
    /// # Errors
    /// [`TopologyError::EpochsUsedUp`] after 2^31 - 1 changes.
    pub fn next_draft(&self) -> Result<Draft, TopologyError> {
        let epoch = self
            .content
            .epoch
            .next()
            .ok_or(TopologyError::EpochsUsedUp)?;
        Ok(Draft {
            epoch,
            ..self.content.clone()
        })
    }

    /// Whether `newer` may take this one's place, by the three-way comparison of epochs.
    ///
    /// `Ok(true)`: it is newer. `Ok(false)`: it is the same one.
    ///
    /// # Errors
    /// [`SnapshotError::ForeignCluster`], [`SnapshotError::Older`], or
    /// [`SnapshotError::Forked`] for the same epoch with other content.
    pub fn check_successor(&self, newer: &Self) -> Result<bool, SnapshotError> {
        if self.content.cluster != newer.content.cluster {
            return Err(SnapshotError::ForeignCluster {
                ours: self.content.cluster.clone(),
                theirs: newer.content.cluster.clone(),
            });
        }
        let (ours, theirs) = (self.epoch(), newer.epoch());
        if theirs < ours {
            return Err(SnapshotError::Older { ours, theirs });
        }
        if theirs == ours && self.digest != newer.digest {
            return Err(SnapshotError::Forked {
                epoch: ours,
                ours: self.digest,
                theirs: newer.digest,
            });
        }
        Ok(theirs > ours)
    }
}

impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Snapshot {}

impl Hash for Snapshot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

/// As its bytes.
impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.encode())
    }
}

/// From its bytes.
impl<'de> Deserialize<'de> for Snapshot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Vec::<u8>::deserialize(deserializer)?;
        Self::decode(&bytes).map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = {
            use alloc::format;
            let text: String = format!("{}", self.digest);
            text
        };
        f.debug_struct("Snapshot")
            .field("cluster", &self.content.cluster)
            .field("epoch", &self.content.epoch)
            .field("digest", &digest)
            .finish_non_exhaustive()
    }
}
