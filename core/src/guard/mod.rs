//! The shard's side of fencing: accept or refuse, as a pure function of a guard row and a request.
//!
//! A store keeps guard rows durably beside its data and asks these functions inside the same
//! atomic step that reads or changes the data: one SQL transaction, one script, one mutex. No
//! store decides anything of its own.
//!
//! [`Guard`] is a whole shard's fencing state in memory: what the memory store and the model
//! checker hold. A store with rows on disk loads the row and the holder, and calls [`admit`],
//! [`takes_effect`] and [`close`] itself.

mod lease;
mod shard;
mod slot_map;

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ErrorCode;
use crate::ids::{DomainId, Epoch, KeyspaceId, SlotRange, Term};
use crate::phase::Role;
use crate::scope::Scope;

pub use lease::{Lease, grant, in_force};
pub use shard::Guard;
pub use slot_map::SlotMap;

/// What a shard durably knows of one domain. Never deleted: an ended domain stays with role none.
// INVARIANT (guards rise): (epoch, open < closed) of a row never falls; see `takes_effect`, `close`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GuardRow {
    /// The domain.
    pub domain: DomainId,
    /// The keyspace that it belongs to.
    pub keyspace: KeyspaceId,
    /// The domain epoch that operations must carry.
    pub epoch: Epoch,
    /// What this shard may do for the domain.
    pub role: Role,
    /// Whether a barrier holds writes back. Once closed, an epoch never opens again.
    pub closed: bool,
    /// The epoch that the last draining barrier led to.
    pub drained: Epoch,
    /// Whether a delete must leave a tombstone.
    pub in_wave: bool,
    /// The first half of the versions that an authority gives.
    pub authority_epoch: Epoch,
}

/// What an operation says of itself, for the guard to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fence {
    /// The domain that the client's snapshot puts the key in.
    pub domain: DomainId,
    /// That domain's epoch in the client's snapshot.
    pub epoch: Epoch,
}

/// What an operation wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Read a row, for the application.
    Read,
    /// Look at rows, as a coordinator does: without a lease.
    Inspect,
    /// Order a write: put, delete, put-if.
    Write,
    /// Put what the authority has ordered, if newer: a client's mirror write or repair.
    Apply,
    /// The same, by a coordinator of this term.
    Copy(Term),
    /// Remove rows of a domain that has no role here, by a coordinator of this term.
    Purge(Term),
    /// Remove tombstones of a domain that is in no wave, by a coordinator of this term.
    Collect(Term),
}

/// Why a guard refused. Facts only; what to do about it is the client's policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The operation was routed by an older snapshot.
    StaleEpoch {
        /// The shard's epoch of the domain.
        current: Epoch,
        /// The epoch that the last draining barrier led to.
        drained: Epoch,
    },
    /// The shard is behind the client, or a barrier is closed.
    NotReady {
        /// The shard's epoch of the domain.
        current: Epoch,
    },
    /// The shard has never heard of the domain.
    NotOwner,
    /// Same epoch, but the shard's role, or its map of slots, doesn't allow this.
    WrongRole {
        /// The shard's epoch of the domain.
        current: Epoch,
    },
    /// A readable mirror without a lease.
    LeaseOver {
        /// The shard's epoch of the domain.
        current: Epoch,
    },
    /// A coordinator of a higher term has been here.
    StaleTerm {
        /// The highest term seen.
        seen: Term,
    },
}

impl Refusal {
    /// The stable slug.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::StaleEpoch { .. } => ErrorCode::StaleEpoch,
            Self::NotReady { .. } => ErrorCode::NotReady,
            Self::NotOwner => ErrorCode::NotOwner,
            Self::WrongRole { .. } => ErrorCode::WrongRole,
            Self::LeaseOver { .. } => ErrorCode::LeaseOver,
            Self::StaleTerm { .. } => ErrorCode::StaleTerm,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StaleEpoch { current, drained } => {
                write!(
                    f,
                    "the shard is at epoch {current} (drained to {drained}), the request is older"
                )
            }
            Self::NotReady { current } => {
                write!(
                    f,
                    "the shard is at epoch {current} and not ready for the request"
                )
            }
            Self::NotOwner => f.write_str("the shard doesn't know the domain"),
            Self::WrongRole { current } => {
                write!(
                    f,
                    "the shard's role at epoch {current} doesn't allow the request"
                )
            }
            Self::LeaseOver { current } => {
                write!(
                    f,
                    "the shard's lease to answer reads at epoch {current} is over"
                )
            }
            Self::StaleTerm { seen } => write!(f, "a coordinator of term {seen} is in office"),
        }
    }
}

/// Decides whether an operation is let through; the change must be one atomic step with this.
///
/// `row` is the guard row of the domain that the fence names, `holder` the domain that the shard's
/// own map gives the key's slot to (for purge and collect, which go slot by slot: pass the
/// fence's domain and touch only slots that it holds), `seen` the highest term seen. The row must
/// be the one [`in_force`]: the lease of a leased mirror is looked at there.
/// Answers the row, whose `authority_epoch` and `in_wave` decide version and tombstone.
///
/// # Errors
/// The [`Refusal`], by the table in `docs/PROTOCOL.md`.
pub fn admit(
    row: Option<&GuardRow>,
    holder: Option<DomainId>,
    seen: Term,
    fence: Fence,
    access: Access,
) -> Result<&GuardRow, Refusal> {
    if let Access::Copy(term) | Access::Purge(term) | Access::Collect(term) = access {
        check_term(seen, term)?;
    }
    let Some(row) = row else {
        return Err(Refusal::NotOwner);
    };
    let current = row.epoch;
    if fence.epoch < current {
        return Err(Refusal::StaleEpoch {
            current,
            drained: row.drained,
        });
    }
    if fence.epoch > current {
        return Err(Refusal::NotReady { current });
    }
    // Nothing is routed at epoch 0, where the rows of a shut shard are: such a fence is made up.
    if current == Epoch::ZERO {
        return Err(Refusal::NotReady { current });
    }
    if holder != Some(fence.domain) {
        return Err(Refusal::WrongRole { current });
    }
    let (allowed, held_back) = match access {
        Access::Read if row.role == Role::LeasedMirror => {
            return Err(Refusal::LeaseOver { current });
        }
        Access::Read | Access::Inspect => (row.role != Role::None, false),
        Access::Write => (row.role == Role::Authority, row.closed),
        Access::Apply => (row.role.is_mirror(), row.closed),
        Access::Copy(_) => (row.role.is_mirror(), false),
        Access::Purge(_) => (row.role == Role::None, false),
        Access::Collect(_) => (row.role == Role::Authority && !row.in_wave, false),
    };
    if !allowed {
        Err(Refusal::WrongRole { current })
    } else if held_back {
        Err(Refusal::NotReady { current })
    } else {
        Ok(row)
    }
}

/// Refuses a coordinator of a term below the highest seen.
///
/// # Errors
/// [`Refusal::StaleTerm`].
pub fn check_term(seen: Term, term: Term) -> Result<(), Refusal> {
    if term < seen {
        Err(Refusal::StaleTerm { seen })
    } else {
        Ok(())
    }
}

/// What of a keyspace a domain takes hold of on a shard.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Claim {
    /// Slots, whoever held them: their keys that no interval has.
    Slots(Vec<SlotRange>),
    /// The keys of an interval in some slots, whoever held that interval there.
    Scope(Scope, Vec<SlotRange>),
    /// An interval's keys in some slots, which go back to what is around it.
    Release(Scope, Vec<SlotRange>),
    /// Every interval of the keyspace, which goes back to its slots, whoever held it: said first to
    /// a shard whose map may be of any time.
    Clear,
    /// The keyspace has slots of so many bits: what the shard holds in slots of fewer it holds in
    /// each of their parts, floors included. Fewer bits than it has, or as many, change nothing.
    Bits(u8),
}

/// One row of an install, and what its domain takes hold of when the row takes effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InstallRow {
    /// The row as it shall be; open.
    pub row: GuardRow,
    /// What moves to this domain in the shard's own map.
    pub claims: Vec<Claim>,
}

/// Whether a row of an install takes effect over the one that is there.
///
/// Only a higher epoch does. At or below, an install does nothing: a second copy of an old install
/// must not open what a later barrier has closed.
pub fn takes_effect(current: Option<&GuardRow>, new: &GuardRow) -> bool {
    current.is_none_or(|current| new.epoch > current.epoch)
}

/// The row after `close(epoch)`, or `None` when that isn't exactly the row's epoch.
///
/// Closing twice is closing once.
pub fn close(current: &GuardRow, epoch: Epoch) -> Option<GuardRow> {
    (current.epoch == epoch).then_some(GuardRow {
        closed: true,
        ..*current
    })
}

#[cfg(test)]
mod tests;
