//! How a coordinator's work ends.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;

use crate::error::ErrorCode;
use crate::guard::Refusal;
use crate::ids::{DomainId, Epoch, ShardId, Term};
use crate::migration::checklist::Item;
use crate::migration::moves::{Move, Point};

/// How a coordinator's work ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The migration is complete, or there was none.
    Complete,
    /// It was taken back to where it began.
    RolledBack {
        /// Why; empty when it was asked for without a reason.
        reason: String,
    },
    /// It is paused, in a safe state.
    Paused {
        /// Why.
        reason: String,
    },
    /// A coordinator of a higher term is in office.
    SteppedDown {
        /// Its term.
        term: Term,
    },
    /// It can't go on, and says why. The data are safe as they are.
    Stuck(CoordinatorError),
}

/// Why a coordinator can't go on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CoordinatorError {
    /// A shard's guard is ahead of the snapshot: the topology store went back in time.
    GuardAhead {
        /// The shard.
        shard: ShardId,
        /// The domain.
        domain: DomainId,
        /// The guard's epoch.
        guard: Epoch,
        /// The snapshot's.
        snapshot: Epoch,
    },
    /// A shard's file is older than it was, or another; it is shut.
    Restored {
        /// The shard.
        shard: ShardId,
    },
    /// The plan was made from another snapshot than the one in force.
    OutdatedPlan {
        /// The epoch that it was made from.
        plan: Epoch,
        /// The epoch in force.
        snapshot: Epoch,
    },
    /// The plan can't be carried out on the snapshot in force.
    BadPlan {
        /// Why.
        message: String,
    },
    /// The risk checklist is strict, and items of it are open.
    Unconfirmed {
        /// The items.
        items: Vec<Item>,
    },
    /// A shard goes on refusing a command, whatever is read again.
    Refused {
        /// The shard.
        shard: Option<ShardId>,
        /// Where.
        point: Point,
        /// The refusal.
        refusal: Refusal,
    },
    /// The next snapshot would break a rule.
    Topology {
        /// Where.
        goal: Move,
        /// The rule.
        message: String,
    },
    /// The store answered something else than was asked.
    Senseless {
        /// Where.
        point: Point,
    },
}

impl CoordinatorError {
    /// The stable slug.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::GuardAhead { .. } => ErrorCode::ForkedSnapshot,
            Self::Restored { .. } => ErrorCode::NotReady,
            Self::Refused { refusal, .. } => refusal.code(),
            Self::Topology { .. } => ErrorCode::Topology,
            Self::OutdatedPlan { .. }
            | Self::BadPlan { .. }
            | Self::Unconfirmed { .. }
            | Self::Senseless { .. } => ErrorCode::Plan,
        }
    }
}

impl fmt::Display for CoordinatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GuardAhead {
                shard,
                domain,
                guard,
                snapshot,
            } => write!(
                f,
                "shard {shard} has domain {domain} at epoch {guard}, the topology store only at {snapshot}; restore the store's newest state"
            ),
            Self::Restored { shard } => write!(
                f,
                "shard {shard} has another file, or an older one, than it had, and refuses everything; put the newest back, or readmit it and lose what it lacks"
            ),
            Self::OutdatedPlan { plan, snapshot } => write!(
                f,
                "the plan was made from epoch {plan}, epoch {snapshot} is in force; plan again"
            ),
            Self::BadPlan { message } => f.write_str(message),
            Self::Unconfirmed { items } => {
                f.write_str("the risk checklist has open items; confirm or waive ")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            Self::Refused {
                shard: Some(shard),
                point,
                refusal,
            } => {
                write!(f, "shard {shard} goes on refusing {point}: {refusal}")
            }
            Self::Refused {
                shard: None,
                point,
                refusal,
            } => {
                write!(f, "{point} goes on being refused: {refusal}")
            }
            Self::Topology { goal, message } => write!(f, "can't {goal}: {message}"),
            Self::Senseless { point } => write!(f, "the answer to {point} makes no sense"),
        }
    }
}

impl core::error::Error for CoordinatorError {}
