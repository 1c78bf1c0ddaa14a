//! Stores: where a shard's rows are, behind its guard.
//!
//! A [`Store`] carries out what [`Attempt`]s and [`Command`]s say. The fence check and the change
//! are one atomic step in each; what a write becomes is decided in one place for all stores.
//!
//! - [`MemoryStore`]: everything in memory, for tests and small services.
//! - [`SqliteStore`]: one file, shared with other processes if need be.

mod chunks;
mod decide;
mod error;
mod memory;
mod sqlite;

use ringshift::migration::command::{Answer, Command};
use ringshift::{Attempt, Reply, Version};

pub use chunks::{Chunks, StoredRow};
pub use error::StoreError;
pub use memory::MemoryStore;
pub use sqlite::{SqliteOptions, SqliteStore};

/// Names one write for good: drawn at random by whoever asks for it, and kept with the row, so
/// that a repeat of the same request is known as one. Never use one twice.
pub type OperationKey = [u8; 16];

/// Rows that a store changes in one go before it lets others in: long commands are cut into
/// pieces of this many, each checked by the guard and atomic on its own.
pub const ROWS_AT_ONCE: usize = 64;

/// What a caller wants to do to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The value; `None` for a tombstone.
    pub value: Option<Vec<u8>>,
    /// The operation that made the row what it is. It travels with the row.
    pub op: OperationKey,
}

/// What goes with an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// Nothing: a read.
    None,
    /// The caller's own write: for a write, a confirm, and an apply of one's own.
    Own {
        /// What to do.
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

/// What a store answers to an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// One shard's rows behind its guard.
///
/// Calls block, and may come from any number of threads.
pub trait Store: Send + Sync {
    /// Carries out one request of an operation, in one atomic step with the fence check.
    ///
    /// Content that doesn't go with the kind, or a slot that doesn't go with the stored slot, is
    /// answered with [`Failure::Rejected`](ringshift::Failure::Rejected).
    fn attempt(&self, attempt: &Attempt, key: &[u8], content: Content<'_>) -> Response;

    /// Carries out a coordinator's command. [`Answer::Unreachable`] for one that is not a
    /// shard's, for a chunk that isn't held, and for every failure of the store itself: then
    /// [`last_error`](Self::last_error) says more.
    ///
    /// Rows that `Changes` reads are left in `chunks`, where `Apply` finds them.
    fn command(&self, command: &Command, chunks: &Chunks) -> Answer;

    /// The last failure of the store itself, for people.
    fn last_error(&self) -> Option<String>;
}
