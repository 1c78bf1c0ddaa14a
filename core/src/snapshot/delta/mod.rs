//! From one snapshot to a later one, in as many bytes as have changed.
//!
//! ```text
//! "RSHD"  u16 format  u32 cluster  [u8; 8] base digest  [u8; 32] digest
//! base epoch  epochs ahead  bytes of the edits  edits  moves
//! ```
//! The fixed numbers are little-endian, the others LEB128. `cluster` is half the hash of its name,
//! the base digest the first bytes of it.
//!
//! A snapshot's content falls into its tables of slots and the rest. The rest is patched as the
//! bytes that it is, by edits: copy so many, drop so many, put these. So a field that snapshots
//! learn of later needs nothing here. A table is patched by moves: these slots, to that shard.
//! Whatever the patch does, what comes of it is built as any snapshot is, and must have the digest
//! that it was made for.

mod apply;
mod diff;
mod error;
mod make;
mod wire;

use alloc::vec::Vec;

use crate::hash;
use crate::ids::Epoch;
use crate::snapshot::{Digest, Draft, Snapshot, SnapshotError, content};
use wire::{Reader, put};

pub use error::DeltaError;

/// How a delta's bytes begin.
pub const DELTA_MAGIC: [u8; 4] = *b"RSHD";
const FORMAT: u16 = 1;
/// Bytes of the base's digest: enough to tell snapshots apart. What is made is checked in full.
const BASE_BYTES: usize = 8;

/// The way from one snapshot to a later one.
///
/// ```
/// # use ringshift::*;
/// # let text = r#"{"cluster":"demo","keyspaces":{"orders":{}},"shards":[{"id":1,"name":"a"}]}"#;
/// # let first = serde_json::from_str::<Topology>(text)?.snapshot()?;
/// let mut draft = first.next_draft()?;
/// draft.shards[0].zone = "eu-1".to_owned();
/// let second = Snapshot::build(draft)?;
///
/// let bytes = first.delta(&second)?.encode();
/// assert!(bytes.len() < second.encode().len());
/// assert_eq!(first.apply(&Delta::decode(&bytes)?)?.encode(), second.encode());
///
/// // It leads from there to there, and nowhere else.
/// let error = second.apply(&Delta::decode(&bytes)?).unwrap_err();
/// assert_eq!(error.code(), ErrorCode::DeltaBase);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    cluster: u32,
    base: Epoch,
    base_digest: [u8; BASE_BYTES],
    epoch: Epoch,
    digest: Digest,
    /// The edits and the moves.
    patch: Vec<u8>,
}

impl Delta {
    /// The epoch of the snapshot that it is for.
    pub const fn base(&self) -> Epoch {
        self.base
    }

    /// The epoch of the snapshot that it makes.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The digest of the snapshot that it makes.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The canonical bytes: the same two snapshots always give the same bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 + self.patch.len());
        bytes.extend_from_slice(&DELTA_MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&self.cluster.to_le_bytes());
        bytes.extend_from_slice(&self.base_digest);
        bytes.extend_from_slice(&self.digest.0);
        put(&mut bytes, self.base.get());
        put(&mut bytes, self.epoch.get().wrapping_sub(self.base.get()));
        bytes.extend_from_slice(&self.patch);
        bytes
    }

    /// Reads the front of what [`encode`](Self::encode) wrote. Whether the rest holds is seen when
    /// it is [applied](Snapshot::apply).
    ///
    /// # Errors
    /// [`DeltaError::NotADelta`], [`DeltaError::Format`], and [`DeltaError::Malformed`] for a front
    /// that is cut short or has epochs that there are none of.
    pub fn decode(bytes: &[u8]) -> Result<Self, DeltaError> {
        let mut reader = Reader(bytes);
        if reader.array() != Ok(DELTA_MAGIC) {
            return Err(DeltaError::NotADelta);
        }
        let format = u16::from_le_bytes(reader.array()?);
        if format != FORMAT {
            return Err(DeltaError::Format { found: format });
        }
        let cluster = u32::from_le_bytes(reader.array()?);
        let base_digest = reader.array()?;
        let digest = Digest(reader.array()?);
        let base = reader.number()?;
        let epoch = base.checked_add(reader.number()?);
        let epoch_of = |number| Epoch::new(number).ok_or(DeltaError::Malformed);
        Ok(Self {
            cluster,
            base: epoch_of(base)?,
            base_digest,
            epoch: epoch_of(epoch.ok_or(DeltaError::Malformed)?)?,
            digest,
            patch: reader.0.to_vec(),
        })
    }
}

impl Snapshot {
    /// The delta from this snapshot to `newer`.
    ///
    /// # Errors
    /// Those of [`check_successor`](Self::check_successor): there is no way back, to another
    /// cluster, or across a fork.
    pub fn delta(&self, newer: &Self) -> Result<Delta, SnapshotError> {
        self.check_successor(newer)?;
        Ok(Delta {
            cluster: cluster_of(self),
            base: self.epoch(),
            base_digest: short(&self.digest),
            epoch: newer.epoch(),
            digest: newer.digest,
            patch: make::patch(self.content(), newer.content()),
        })
    }

    /// The snapshot that `delta` makes of this one: the same, byte for byte, as was given to
    /// [`delta`](Self::delta).
    ///
    /// # Errors
    /// [`SnapshotError::Delta`] for a delta of another cluster, from another snapshot, or that
    /// doesn't hold; [`SnapshotError::Topology`] where what it makes breaks a rule.
    pub fn apply(&self, delta: &Delta) -> Result<Self, SnapshotError> {
        if delta.cluster != cluster_of(self) {
            let ours = self.content.cluster.clone();
            return Err(DeltaError::Foreign { ours }.into());
        }
        if delta.base != self.epoch() || delta.base_digest != short(&self.digest) {
            let (ours, theirs) = (self.epoch(), delta.base);
            return Err(DeltaError::Base { ours, theirs }.into());
        }
        let made = Self::build(apply::patched(self.content(), &delta.patch)?)?;
        if made.digest != delta.digest || made.epoch() != delta.epoch {
            return Err(DeltaError::Damaged.into());
        }
        Ok(made)
    }
}

fn cluster_of(snapshot: &Snapshot) -> u32 {
    let hash = hash::xxh3(snapshot.cluster().as_bytes(), 0);
    // The low half.
    hash.to_le_bytes()
        .first_chunk()
        .map_or(0, |half| u32::from_le_bytes(*half))
}

fn short(digest: &Digest) -> [u8; BASE_BYTES] {
    digest.0.first_chunk().copied().unwrap_or_default()
}

/// The content without its tables, and as bytes.
fn rest_of(draft: &Draft) -> Vec<u8> {
    // A copy by way of its bytes: what a client links has a reader of them anyway.
    let Some(mut rest) = content::decode(&content::encode(draft)) else {
        return Vec::new();
    };
    for keyspace in &mut rest.keyspaces {
        keyspace.assignment = Vec::new();
    }
    content::encode(&rest)
}
