//! The words between a transaction and its driver: data only.
//!
//! As with an operation, no key and no value comes here: keys are named by their places in the list
//! that was pinned, values by the batch whose reply brought them.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ErrorCode;
use crate::guard::Refusal;
use crate::ids::{AttemptId, Epoch, ShardId, Version};
use crate::pin::PinError;
use crate::step::{Attempt, AttemptKind, Failure, OperationError, Reply};
use crate::time::Instant;

/// What the driver is to do next. Drain `poll` until [`TransactionStep::Work`],
/// [`TransactionStep::Wait`] or [`TransactionStep::Done`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TransactionStep {
    /// Send this to its shard, as one request. Wait for the reply only if it is `blocking`.
    Send(Batch),
    /// The caller's turn. Each key's row is what the reply to this batch has brought; then say
    /// `commit` or `roll_back`. Nothing is held at the shard meanwhile.
    Work {
        /// The batch that has read the keys.
        found_by: AttemptId,
    },
    /// Get a snapshot newer than this epoch, pin the keys by it, and hand that to
    /// `handle_snapshot`.
    Refresh {
        /// The epoch to get past.
        newer_than: Epoch,
    },
    /// Wait for a reply, or until this moment and then `handle_timeout`.
    Wait {
        /// When to call `handle_timeout`.
        until: Instant,
    },
    /// The transaction is over. Repeats.
    Done(TransactionOutcome),
}

/// One request to one shard about several keys: all of it is carried out in one step, or nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Batch {
    /// Names the request to the driver and the reply to the transaction.
    pub id: AttemptId,
    /// Where to send it.
    pub shard: ShardId,
    /// What it says of each key; no key is there twice.
    pub parts: Vec<Part>,
    /// Whether the transaction waits for the reply. Of the others the reply may be dropped.
    pub blocking: bool,
}

impl Batch {
    /// Whether it reads all keys for the caller's work; what it finds is what the work sees.
    pub fn begins(&self) -> bool {
        self.parts
            .iter()
            .all(|part| part.attempt.kind == AttemptKind::Read)
    }

    /// Whether it may change rows. One that may not needs one unchanging state of the shard, and
    /// no right to write.
    pub fn changes(&self) -> bool {
        self.parts.iter().any(|part| match part.attempt.kind {
            AttemptKind::Write | AttemptKind::Apply { .. } => true,
            AttemptKind::Read | AttemptKind::Confirm => false,
        })
    }
}

/// What a batch says of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Part {
    /// The key's place in the list that was pinned.
    pub key: usize,
    /// The request, as an operation would make it. One difference: the guard lets a read pass only
    /// where it would let a write pass, since it reads as the authority.
    pub attempt: Attempt,
    /// What the row must be like; if it isn't, nothing is changed.
    pub expected: Expected,
}

/// What a row must be like for a batch to be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// Anything.
    Any,
    /// The row has this version; `None`: there is no row. A tombstone counts as no row.
    Row(Option<Version>),
}

/// What came back from a shard, as facts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BatchReply {
    /// It was carried out. A reply for each part, in their order: as for an operation, and
    /// [`Reply::Superseded`] also for a write of a batch that came twice, when another write has
    /// followed it.
    Done(Vec<Reply>),
    /// A row wasn't as expected; nothing was changed.
    Conflict {
        /// The place of the part among the parts.
        part: usize,
        /// The version of the row or tombstone that is there, `None` when nothing is.
        found: Option<Version>,
    },
    /// The guard refused a part; nothing was changed.
    Refused(Refusal),
    /// No answer that says what happened.
    Failed(Failure),
}

/// What the caller did with a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Use {
    /// It has looked at the row.
    pub read: bool,
    /// It writes it.
    pub write: bool,
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TransactionOutcome {
    /// It is committed; or it has changed nothing, and what it has read was true at one moment.
    Done {
        /// The version that each key was given, in the order of the keys; `None` for one that
        /// wasn't written, or whose version isn't known since another write has followed.
        versions: Vec<Option<Version>>,
        /// Whether a mirror hadn't confirmed it by then (relaxed mode); catch-up will carry it.
        lagging: bool,
    },
    /// The caller took it back. Nothing was changed.
    RolledBack,
    /// It failed.
    Failed(TransactionError),
}

impl TransactionOutcome {
    /// The stable slug of an end that a caller hears of as an error.
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Done { .. } | Self::RolledBack => None,
            Self::Failed(error) => Some(error.code()),
        }
    }
}

/// Why a transaction failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransactionError {
    /// The keys can't be in one transaction, or can't any more since some of them have moved.
    /// Nothing was changed.
    Pin(PinError),
    /// The keys' route changed between the begin and the commit. Nothing was changed: begin again.
    Retryable {
        /// The shard's refusal, if one told; else a newer snapshot did.
        last: Option<Refusal>,
    },
    /// A row that the transaction has read, or puts only if, was changed by somebody else. Nothing
    /// was changed: begin again.
    Conflict {
        /// The key's place.
        key: usize,
        /// The version of the row or tombstone that is there, `None` when nothing is.
        found: Option<Version>,
    },
    /// As for an operation: its outcome is unknown, its time is over, its store said no, or a shard
    /// and the snapshot disagree.
    Operation(OperationError),
}

impl TransactionError {
    /// The stable slug.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Pin(error) => error.code(),
            Self::Retryable { .. } => ErrorCode::Retryable,
            Self::Conflict { .. } => ErrorCode::VersionConflict,
            Self::Operation(error) => error.code(),
        }
    }
}

impl From<PinError> for TransactionError {
    fn from(error: PinError) -> Self {
        Self::Pin(error)
    }
}

impl fmt::Display for TransactionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pin(error) => error.fmt(f),
            Self::Retryable { last } => {
                f.write_str(
                    "the keys were rerouted between the transaction's begin and its commit, and \
                     nothing was changed; begin again",
                )?;
                match last {
                    Some(refusal) => write!(f, ": {refusal}"),
                    None => Ok(()),
                }
            }
            Self::Conflict { key, found } => {
                write!(
                    f,
                    "another write has changed key {key} of the transaction since it was read "
                )?;
                match found {
                    Some(version) => write!(f, "(now version {version})")?,
                    None => f.write_str("(now gone)")?,
                }
                f.write_str(", and nothing was changed; begin again")
            }
            Self::Operation(OperationError::Indeterminate { .. }) => f.write_str(
                "whether the transaction is committed is unknown; read a key that it writes, in \
                 another transaction, to learn what holds",
            ),
            Self::Operation(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for TransactionError {}
