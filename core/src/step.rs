//! The whole vocabulary between an operation and its driver: data only.
//!
//! The core holds no payload. A value stays with the driver, named by the attempt that carries it
//! ([`Payload::Own`]) or that found it ([`Payload::FoundBy`]).

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ErrorCode;
use crate::guard::{Fence, Refusal};
use crate::ids::{AttemptId, Epoch, KeyspaceId, ShardId, Slot, Version};
use crate::route::Unfenced;
use crate::time::Instant;

/// What the driver is to do next. Drain `poll` until [`Step::Wait`] or [`Step::Done`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Send this to its shard. Wait for the reply only if it is `blocking`.
    Send(Attempt),
    /// Get a snapshot newer than this epoch, and hand it to `handle_snapshot`. Any snapshot that
    /// is at hand by then will do, even the same: the operation asks once a budget.
    Refresh {
        /// The epoch to get past: a snapshot with at least the next one answers the need.
        newer_than: Epoch,
    },
    /// Nothing to do but wait: for a reply, or until this moment and then `handle_timeout`.
    Wait {
        /// When to call `handle_timeout`.
        until: Instant,
    },
    /// The operation is over. Repeats.
    Done(Outcome),
}

/// One request to one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attempt {
    /// Names the request to the driver and the reply to the operation.
    pub id: AttemptId,
    /// Where to send it.
    pub shard: ShardId,
    /// The keyspace of the key.
    pub keyspace: KeyspaceId,
    /// The key's slot, at the keyspace's own number of bits.
    pub slot: Slot,
    /// The top 20 bits of the key's hash, which the store keeps with the row.
    pub stored_slot: u32,
    /// What the shard's guard is to check.
    pub fence: Fence,
    /// What to do.
    pub kind: AttemptKind,
    /// Whether the operation waits for the reply. Of the others the reply may be dropped.
    pub blocking: bool,
    /// What a shard needs to be told that checks no fence; `None` where all of the key's shards do.
    pub unfenced: Option<Unfenced>,
}

impl Attempt {
    /// Whether it must not be sent any more: its lease is over. Then it certainly didn't reach the
    /// shard ([`Failure::NotSent`]).
    pub fn is_over(&self, now: Instant) -> bool {
        self.unfenced.is_some_and(|unfenced| unfenced.until <= now)
    }

    /// The attempt whose reply brought this one's payload, if it isn't the caller's own.
    pub const fn found_by(&self) -> Option<AttemptId> {
        match self.kind {
            AttemptKind::Apply {
                payload: Payload::FoundBy(id),
                ..
            } => Some(id),
            AttemptKind::Apply {
                payload: Payload::Own,
                ..
            }
            | AttemptKind::Read
            | AttemptKind::Write
            | AttemptKind::Confirm => None,
        }
    }
}

/// What a request does at the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptKind {
    /// Read the row: [`Reply::Found`], [`Reply::Deleted`] or [`Reply::Missing`].
    Read,
    /// Carry out the caller's own write (put, delete or put-if) as its authority:
    /// [`Reply::Written`] or [`Reply::Conflict`]. Must not be repeated by the transport.
    Write,
    /// Ask the authority whether the caller's write, known by its operation id, is the last one
    /// that the row has seen: [`Reply::Written`] if so, else [`Reply::Missing`].
    Confirm,
    /// Put this version of the row, or of its tombstone, if it is newer than what is there:
    /// [`Reply::Written`] or [`Reply::Superseded`].
    Apply {
        /// The version that the authority gave.
        version: Version,
        /// Which content.
        payload: Payload,
    },
}

/// Where the content of an [`AttemptKind::Apply`] comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// The caller's own write: its value, or a tombstone for a delete.
    Own,
    /// What the reply to that attempt carried: its value, or its tombstone.
    FoundBy(AttemptId),
}

/// What came back from a shard, as facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// The row is there.
    Found {
        /// Its version.
        version: Version,
    },
    /// A tombstone is there: a hit that says deleted.
    Deleted {
        /// Its version.
        version: Version,
    },
    /// Nothing is there.
    Missing,
    /// Done, as this version.
    Written {
        /// The version that the authority gave, or that was applied.
        version: Version,
    },
    /// Something newer was there; nothing was changed.
    Superseded,
    /// A put-if found another version than it asked for; nothing was changed. The driver keeps
    /// what was found, as for a read.
    Conflict {
        /// The version of the row or tombstone that is there, `None` when nothing is.
        found: Option<Version>,
    },
    /// The guard refused.
    Refused(Refusal),
    /// No answer that says what happened.
    Failed(Failure),
}

/// How a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// It certainly didn't reach the shard.
    NotSent,
    /// It may or may not have been carried out.
    MaybeApplied,
    /// The store refused the request itself (a constraint, a size): repeating it is no use.
    Rejected,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A read found the value that the reply to `from` carried.
    Value {
        /// The attempt whose reply carries the value.
        from: AttemptId,
        /// The row's version.
        version: Version,
    },
    /// A read found nothing, or a tombstone.
    Missing,
    /// A write is done.
    Written {
        /// Its version.
        version: Version,
        /// A mirror that hadn't confirmed it by then (relaxed mode); catch-up will carry it.
        lagging: Option<ShardId>,
    },
    /// A put-if was refused: the row has another version.
    Conflict {
        /// What was found.
        found: Option<Version>,
    },
    /// It failed.
    Failed(OperationError),
}

impl Outcome {
    /// The stable slug of an end that a caller hears of as an error: a conflict or a failure.
    pub const fn code(self) -> Option<ErrorCode> {
        match self {
            Self::Value { .. } | Self::Missing | Self::Written { .. } => None,
            Self::Conflict { .. } => Some(ErrorCode::VersionConflict),
            Self::Failed(error) => Some(error.code()),
        }
    }
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OperationError {
    /// Whether the write was, or will be, carried out is not known. Read before trying again.
    Indeterminate {
        /// The version, where the authority is known to have accepted it.
        version: Option<Version>,
    },
    /// The deadline passed, or the attempts were used up, and nothing was changed.
    Deadline {
        /// The last refusal, for the message.
        last: Option<Refusal>,
    },
    /// The store refused the request itself; nothing was changed.
    Rejected,
    /// A shard at the snapshot's own epoch has another role, and a refresh didn't mend it: a fork
    /// of the history, or a bug. Nothing was changed.
    WrongRole {
        /// The shard.
        shard: ShardId,
        /// Its epoch of the key's domain.
        current: Epoch,
    },
}

impl OperationError {
    /// The stable slug.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Indeterminate { .. } => ErrorCode::Indeterminate,
            Self::Deadline { .. } => ErrorCode::Deadline,
            Self::Rejected => ErrorCode::Rejected,
            Self::WrongRole { .. } => ErrorCode::WrongRole,
        }
    }
}

impl fmt::Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Indeterminate {
                version: Some(version),
            } => write!(
                f,
                "the authority accepted version {version}, but its mirror didn't confirm it; read the key to learn what holds"
            ),
            Self::Indeterminate { version: None } => {
                f.write_str("the write's outcome is unknown; read the key to learn what holds")
            }
            Self::Deadline { last: Some(last) } => {
                write!(f, "the deadline passed and nothing was changed: {last}")
            }
            Self::Deadline { last: None } => {
                f.write_str("the deadline passed and nothing was changed")
            }
            Self::Rejected => f.write_str("the store refused the request"),
            Self::WrongRole { shard, current } => write!(
                f,
                "shard {shard} has another role at epoch {current} than the snapshot says; compare snapshot digests"
            ),
        }
    }
}

impl core::error::Error for OperationError {}

/// A reply to an attempt that the operation doesn't wait for: late, repeated, or of another one.
/// Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UnknownAttempt(pub AttemptId);

impl UnknownAttempt {
    /// The stable slug.
    pub const fn code(self) -> ErrorCode {
        ErrorCode::UnknownAttempt
    }
}

impl fmt::Display for UnknownAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attempt {} is not waited for", self.0)
    }
}

impl core::error::Error for UnknownAttempt {}
