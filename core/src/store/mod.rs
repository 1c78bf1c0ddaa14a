//! The shard's side of the vocabulary, and what a store decides: the same for every store, in
//! every language.
//!
//! A store looks up what there is ([`Look`]), asks [`Look::decide`], carries the [`Effect`] out and
//! answers, all in one transaction. [`MemoryShard`] is a whole shard in memory, for tests, for
//! simulations, and for pages that show what happens.

mod batch;
mod decide;
mod look;
mod memory;
pub mod sql;

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::{KeyspaceId, Slot, Version};
use crate::step::Reply;

pub use batch::{BatchPart, BatchResponse, decide_batch};
pub use decide::{Decision, Effect, Present};
pub use look::{
    Damaged, LOOK_COLUMNS, LOOK_OP, LOOK_VALUE, Look, columns_of_guard, guard_of_columns, operation,
};
pub use memory::{Chunks, Disagrees, MemoryShard};

/// Names one write for good: drawn at random by whoever asks for it, and kept with the row, so
/// that a repeat of the same request is known as one. Never use one twice.
pub type OperationKey = [u8; 16];

/// What a caller wants to do to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change<'a> {
    /// Put this value, whatever is there.
    Put(&'a [u8]),
    /// Delete the row, whatever is there.
    Delete,
    /// Put this value if the row is as expected.
    PutIf {
        /// The version that the row must have; `None`: there must be no row. A tombstone counts
        /// as no row.
        expected: Option<Version>,
        /// The value.
        value: &'a [u8],
    },
}

/// What came back with [`Reply::Found`], [`Reply::Deleted`] or [`Reply::Conflict`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The value; `None` for a tombstone.
    pub value: Option<Vec<u8>>,
    /// The operation that made the row what it is. It travels with the row.
    pub op: OperationKey,
}

/// What goes with an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content<'a> {
    /// Nothing: a read.
    None,
    /// The caller's own write: for a write, a confirm, and an apply of one's own.
    Own {
        /// What to do.
        #[serde(borrow)]
        change: Change<'a>,
        /// Its name.
        op: OperationKey,
    },
    /// A row as another shard has it: for an apply.
    Row {
        /// The value; `None` for a tombstone.
        value: Option<&'a [u8]>,
        /// The operation that made it.
        op: OperationKey,
    },
}

impl<'a> Content<'a> {
    /// The value that an [`Effect::Put`] puts; `None` for a tombstone, and for a read.
    pub const fn value(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Own {
                change: Change::Put(value) | Change::PutIf { value, .. },
                ..
            } => Some(value),
            Self::Row { value, .. } => value,
            Self::None
            | Self::Own {
                change: Change::Delete,
                ..
            } => None,
        }
    }
}

/// What a store answers to an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The reply, for the operation.
    pub reply: Reply,
    /// What was found, for the driver.
    pub found: Option<Found>,
}

impl From<Reply> for Response {
    fn from(reply: Reply) -> Self {
        Self { reply, found: None }
    }
}

/// A row as one shard gives it and another takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRow {
    /// The keyspace.
    pub keyspace: KeyspaceId,
    /// The key.
    pub key: Vec<u8>,
    /// Its slot.
    pub slot: Slot,
    /// The top 20 bits of its hash.
    pub stored_slot: u32,
    /// The version that the authority gave.
    pub version: Version,
    /// The value; `None` for a tombstone.
    pub value: Option<Vec<u8>>,
    /// The operation that made it what it is.
    pub op: OperationKey,
}
