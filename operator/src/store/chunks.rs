//! Rows on their way from one shard to another.

use std::sync::Arc;

use parking_lot::Mutex;
use ringshift::DomainId;
use ringshift::migration::command::ChunkId;
use ringshift::store::sql::HoldChunks;
use ringshift::store::{self, StoredRow};

/// The chunks that were read and may still be applied: the newest of each domain.
///
/// An apply only looks, so it can be repeated; a chunk goes when the next one of its domain comes.
#[derive(Debug, Default)]
pub struct Chunks {
    held: Mutex<store::Chunks>,
}

impl Chunks {
    /// None held.
    pub fn new() -> Self {
        Self::default()
    }

    /// Holds `rows` of `domain` as `chunk`, in place of the domain's former chunk.
    pub fn put(&self, chunk: ChunkId, domain: DomainId, rows: Vec<StoredRow>) {
        self.held.lock().put(chunk, domain, rows);
    }

    /// The rows of `chunk`, if it is held.
    pub fn get(&self, chunk: ChunkId) -> Option<Arc<[StoredRow]>> {
        self.held.lock().get(chunk)
    }

    pub(super) fn with<T>(&self, work: impl FnOnce(&mut store::Chunks) -> T) -> T {
        work(&mut self.held.lock())
    }
}

/// The lock is held only while rows are put or got: shards don't wait for each other.
impl HoldChunks for &Chunks {
    fn put(&mut self, chunk: ChunkId, domain: DomainId, rows: Vec<StoredRow>) {
        Chunks::put(self, chunk, domain, rows);
    }

    fn get(&self, chunk: ChunkId) -> Option<Arc<[StoredRow]>> {
        Chunks::get(self, chunk)
    }
}
