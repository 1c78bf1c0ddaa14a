//! Stores: where a shard's rows are, behind its guard.
//!
//! A [`Store`] carries out what [`Attempt`]s and [`Command`]s say. The fence check and the change
//! are one atomic step in each; what a write becomes is decided in one place for all stores.
//!
//! - [`MemoryStore`]: everything in memory, for tests and small services.
//! - [`SqliteStore`]: one file, shared with other processes if need be.

mod chunks;
mod error;
mod memory;
mod sqlite;

use ringshift::migration::command::{Answer, Command};
use ringshift::{Attempt, Batch};

pub use chunks::Chunks;
pub use error::StoreError;
pub use memory::MemoryStore;
pub use ringshift::store::sql::ROWS_AT_ONCE;
pub use ringshift::store::{
    BatchResponse, Change, Content, Found, OperationKey, Response, StoredRow,
};
pub use sqlite::{SqliteOptions, SqliteStore};

/// One shard's rows behind its guard.
///
/// Calls block, and may come from any number of threads.
pub trait Store: Send + Sync {
    /// Carries out one request of an operation, in one atomic step with the fence check.
    ///
    /// Content that doesn't go with the kind, or a slot that doesn't go with the stored slot, is
    /// answered with [`Failure::Rejected`](ringshift::Failure::Rejected).
    fn attempt(&self, attempt: &Attempt, key: &[u8], content: Content<'_>) -> Response;

    /// Carries out a batch of a transaction in one atomic step with the checks of all its fences,
    /// or nothing of it. `requests` has the key and the content of each part.
    fn batch(&self, batch: &Batch, requests: &[(&[u8], Content<'_>)]) -> BatchResponse;

    /// Carries out a coordinator's command. [`Answer::Unreachable`] for one that is not a
    /// shard's, for a chunk that isn't held, and for every failure of the store itself: then
    /// [`last_error`](Self::last_error) says more.
    ///
    /// Rows that `Changes` reads are left in `chunks`, where `Apply` finds them.
    fn command(&self, command: &Command, chunks: &Chunks) -> Answer;

    /// The last failure of the store itself, for people.
    fn last_error(&self) -> Option<String>;
}
