//! What a lookup answers: data only.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ErrorCode;
use crate::guard::Fence;
use crate::ids::{DomainId, Epoch, KeyspaceId, ShardId, ShardIndex, Slot};
use crate::phase::Phase;
use crate::time::Instant;

/// Where a key is, in one number: the shard that orders its writes, and its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// The shard that orders the key's writes, as its place in the snapshot's list.
    pub shard: ShardIndex,
    /// The key's slot.
    pub slot: Slot,
    /// Whether the slot is in a wave that clients take part in: then a read may go elsewhere, and
    /// a write goes to two shards. [`Plan`] has the whole of it.
    pub moving: bool,
}

/// Everything that an operation on one key needs to know from one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    /// The snapshot's epoch.
    pub snapshot: Epoch,
    /// The keyspace.
    pub keyspace: KeyspaceId,
    /// The key's slot.
    pub slot: Slot,
    /// The top 20 bits of the key's hash.
    pub stored_slot: u32,
    /// The key's domain, and its epoch.
    pub fence: Fence,
    /// The shard that orders the writes.
    pub authority: ShardId,
    /// The shard that gets each write after the authority.
    pub mirror: Option<ShardId>,
    /// Where reads go.
    pub read: ReadPlace,
    /// Whether a write is answered only after the mirror has it.
    pub strict: bool,
    /// The shard to compare a read with, for the sampled keys of shadow-read.
    pub shadow: Option<ShardId>,
    /// Where one of these shards checks no fence: what stands in for it.
    pub leased: Option<Leased>,
}

impl Plan {
    /// This plan, where every shard of the key checks the fence itself: for a client that has no
    /// leases.
    ///
    /// # Errors
    /// [`Unleased`], where one doesn't.
    pub const fn fenced(self) -> Result<Self, Unleased> {
        match self.leased {
            None => Ok(self),
            Some(_) => Err(Unleased),
        }
    }
}

/// A key is at a shard that checks no fence, and the client has no leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unleased;

impl Unleased {
    /// The stable slug.
    pub const fn code(self) -> ErrorCode {
        ErrorCode::Unfenced
    }
}

impl fmt::Display for Unleased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the key is at a shard that checks no fence, and this client has no leases; use one that has",
        )
    }
}

impl core::error::Error for Unleased {}

/// What stands in for the fence, at shards that check none.
///
/// A plan comes from its router with a lease that is over: [`RefreshGate::lease`](crate::RefreshGate::lease)
/// says until when it holds. Whoever doesn't ask sends nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Leased {
    /// No attempt begins at this moment, or later.
    pub until: Instant,
    /// From the sending of a refresh until the lease is over, in milliseconds.
    pub lease_ms: u32,
    /// How long an attempt may take, in milliseconds.
    pub attempt_ms: u32,
    /// Whether writes are paused, since reads are about to move.
    pub switching: bool,
    /// The epoch that the last draining barrier led to.
    pub drained: Epoch,
    /// The first half of the versions that the authority gives.
    pub authority_epoch: Epoch,
    /// Whether a delete must leave a tombstone.
    pub in_wave: bool,
}

impl Leased {
    /// What a request says to a shard that can't look it up.
    pub(crate) const fn unfenced(&self) -> Unfenced {
        Unfenced {
            until: self.until,
            authority_epoch: self.authority_epoch,
            in_wave: self.in_wave,
        }
    }
}

/// What a request says to a shard that checks no fence. One that does doesn't look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Unfenced {
    /// It must not be sent at this moment, or later.
    pub until: Instant,
    /// The first half of the version that a write gets.
    pub authority_epoch: Epoch,
    /// Whether a delete must leave a tombstone.
    pub in_wave: bool,
}

/// Where a read goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadPlace {
    /// To this shard.
    One(ShardId),
    /// To the first; if it has nothing, not even a tombstone, to the second, and what is found
    /// there goes to the first before it is answered.
    Fallback {
        /// The new place.
        first: ShardId,
        /// The old one.
        second: ShardId,
    },
}

/// Each step from a key to its shards, for people and for tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The keyspace.
    pub keyspace: String,
    /// The epoch of the snapshot that says so.
    pub epoch: Epoch,
    /// The bytes of the key that were hashed.
    pub routing_part: Vec<u8>,
    /// Their hash, in hex.
    pub hash: String,
    /// How many slots there are.
    pub slots: u32,
    /// The key's slot.
    pub slot: Slot,
    /// Whether an override for exactly this key decided.
    pub pinned: bool,
    /// The fencing domain.
    pub domain: DomainId,
    /// Its epoch.
    pub domain_epoch: Epoch,
    /// The phase of the key's wave, if it is in one.
    pub phase: Option<String>,
    /// The ramp of that wave in parts per million, and whether the key is inside.
    pub ramp: Option<(u32, bool)>,
    /// The shard that orders the writes.
    pub authority: String,
    /// The shard that gets each write after it.
    pub mirror: Option<String>,
    /// Where reads go, in the order of asking.
    pub reads: Vec<String>,
    /// Whether a write is answered only after the mirror has it.
    pub strict: bool,
}

/// A shard as a fan-out sees it: with the waves that make two shards hold the same keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ShardShare {
    /// The shard.
    pub shard: ShardId,
    /// Slots that it orders the writes of.
    pub slots: u32,
    /// Slots that it holds a copy of, as the mirror of a wave in this phase.
    pub mirrored: u32,
    /// The furthest phase among the waves that it takes part in.
    pub phase: Option<Phase>,
}
