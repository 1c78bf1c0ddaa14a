//! Rows on their way from one shard to another.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use ringshift::migration::command::ChunkId;
use ringshift::{DomainId, KeyspaceId, Slot, Version};

use crate::store::OperationKey;

/// A row as one shard gives it and another takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// The chunks that were read and may still be applied: the newest of each domain.
///
/// An apply only looks, so it can be repeated; a chunk goes when the next one of its domain comes.
#[derive(Debug, Default)]
pub struct Chunks {
    held: Mutex<BTreeMap<ChunkId, Held>>,
}

/// Of which domain, and the rows.
type Held = (DomainId, Arc<[StoredRow]>);

impl Chunks {
    /// None held.
    pub fn new() -> Self {
        Self::default()
    }

    /// Holds `rows` of `domain` as `chunk`, in place of the domain's former chunk.
    pub fn put(&self, chunk: ChunkId, domain: DomainId, rows: Vec<StoredRow>) {
        let mut held = self.held.lock();
        held.retain(|_, (of, _)| *of != domain);
        held.insert(chunk, (domain, rows.into()));
    }

    /// The rows of `chunk`, if it is held.
    pub fn get(&self, chunk: ChunkId) -> Option<Arc<[StoredRow]>> {
        self.held
            .lock()
            .get(&chunk)
            .map(|(_, rows)| Arc::clone(rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_chunk_of_a_domain_takes_the_former_one_s_place() {
        let chunks = Chunks::new();
        chunks.put(ChunkId(1), DomainId(1), Vec::new());
        chunks.put(ChunkId(2), DomainId(2), Vec::new());
        assert!(chunks.get(ChunkId(1)).is_some() && chunks.get(ChunkId(1)).is_some());
        chunks.put(ChunkId(3), DomainId(1), Vec::new());
        assert!(chunks.get(ChunkId(1)).is_none());
        assert!(chunks.get(ChunkId(2)).is_some() && chunks.get(ChunkId(3)).is_some());
    }
}
