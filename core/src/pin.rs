//! Several keys on one shard, for a transaction: data only.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use crate::error::ErrorCode;
use crate::guard::Fence;
use crate::ids::{Epoch, KeyspaceId, ShardId};
use crate::key::KeyError;
use crate::route::Plan;

/// Keys that a transaction takes at most: its one request is one step of the shard, during which
/// nobody else writes there.
pub const TRANSACTION_KEYS_MAX: usize = 1_024;

/// The keys of one transaction, all of them ordered by one shard, by one snapshot.
///
/// Each key has its own fence: keys of one shard may be of several domains, since some may be
/// in a wave. The shard checks all of them in the step that commits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pinned {
    /// The snapshot's epoch.
    pub snapshot: Epoch,
    /// The keyspace.
    pub keyspace: KeyspaceId,
    /// The shard that orders the writes of all keys.
    pub shard: ShardId,
    /// Each key's plan, in the order of the keys.
    pub plans: Vec<Plan>,
}

impl Pinned {
    /// Each fence that the shard is to check, with the places of its keys.
    pub fn fences(&self) -> Vec<(Fence, Vec<usize>)> {
        groups(self.plans.iter().map(|plan| plan.fence))
    }
}

/// Why keys can't be in one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PinError {
    /// There are none.
    Empty,
    /// There are more than [`TRANSACTION_KEYS_MAX`].
    TooMany(
        /// How many.
        usize,
    ),
    /// A key is there twice.
    Twice {
        /// Its first place.
        first: usize,
        /// The other one.
        again: usize,
    },
    /// A key that the transaction was not begun with.
    NotNamed,
    /// One of them isn't a key of this keyspace.
    Key {
        /// Its place.
        at: usize,
        /// What is wrong with it.
        error: KeyError,
    },
    /// One of them is at a shard that checks no fence, and so can't check several in one step.
    Unfenced {
        /// Its place.
        at: usize,
    },
    /// They are ordered by several shards.
    CrossShard {
        /// The shards, each with the places of its keys.
        shards: Vec<(ShardId, Vec<usize>)>,
    },
}

impl PinError {
    /// The stable slug.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Empty | Self::TooMany(_) | Self::Twice { .. } | Self::NotNamed => {
                ErrorCode::TransactionKeys
            }
            Self::Key { error, .. } => error.code(),
            Self::Unfenced { .. } => ErrorCode::Unfenced,
            Self::CrossShard { .. } => ErrorCode::CrossShard,
        }
    }
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a transaction needs at least one key"),
            Self::TooMany(keys) => write!(
                f,
                "a transaction has {TRANSACTION_KEYS_MAX} keys at most, not {keys}; split it"
            ),
            Self::Twice { first, again } => write!(
                f,
                "key {again} of the transaction is key {first} again; name each once"
            ),
            Self::NotNamed => f.write_str(
                "the key isn't one of the transaction's; name all of its keys when it begins",
            ),
            Self::Key { at, error } => write!(f, "key {at} of the transaction: {error}"),
            Self::Unfenced { at } => write!(
                f,
                "key {at} of the transaction is at a shard that checks no fence, which can't have \
                 transactions"
            ),
            Self::CrossShard { shards } => {
                let mut list = String::new();
                for (shard, keys) in shards {
                    let comma = if list.is_empty() { "" } else { "; " };
                    write!(list, "{comma}shard {shard}: ")?;
                    for (n, key) in keys.iter().enumerate() {
                        let comma = if n == 0 { "key " } else { ", " };
                        write!(list, "{comma}{key}")?;
                    }
                }
                let count = shards.len();
                write!(
                    f,
                    "the keys are on {count} shards ({list}), and a transaction has one; give them a \
                     routing part in common"
                )
            }
        }
    }
}

impl core::error::Error for PinError {}

/// The different ones, in the order of their first appearance, each with its places.
pub(crate) fn groups<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<(T, Vec<usize>)> {
    let mut groups: Vec<(T, Vec<usize>)> = Vec::new();
    for (at, one) in all.enumerate() {
        match groups.iter_mut().find(|(known, _)| *known == one) {
            Some((_, places)) => places.push(at),
            None => groups.push((one, [at].into())),
        }
    }
    groups
}
