//! A shard in memory, behind one mutex.

use parking_lot::Mutex;
use ringshift::advise::StoredSize;
use ringshift::migration::command::{Answer, Command};
use ringshift::store::MemoryShard;
use ringshift::{Attempt, Batch, Fence, Refusal, Term};

use crate::store::error::StoreError;
use crate::store::{BatchResponse, Chunks, Content, ROWS_AT_ONCE, Response, Store, StoredRow};

/// A shard in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    shard: Mutex<MemoryShard>,
    last_error: Mutex<Option<String>>,
}

impl MemoryStore {
    /// An empty shard that knows no domain.
    pub fn new() -> Self {
        Self::default()
    }

    /// How much there is of each stored slot, whoever holds it.
    pub fn sizes(&self) -> Vec<StoredSize> {
        self.shard.lock().sizes()
    }

    fn note(&self, error: &StoreError) -> Answer {
        *self.last_error.lock() = Some(error.to_string());
        Answer::Unreachable
    }

    /// In pieces, as a store that must let others in does it.
    fn apply(&self, term: Term, fence: Fence, rows: &[StoredRow]) -> Result<Answer, Refusal> {
        let mut pieces = rows.chunks(ROWS_AT_ONCE);
        let mut piece = pieces.next().unwrap_or_default();
        loop {
            if self.shard.lock().apply(term, fence, piece)?.is_err() {
                return Ok(self.note(&StoreError::disagrees()));
            }
            match pieces.next() {
                Some(next) => piece = next,
                None => return Ok(Answer::Done),
            }
        }
    }
}

impl Store for MemoryStore {
    fn attempt(&self, attempt: &Attempt, key: &[u8], content: Content<'_>) -> Response {
        self.shard.lock().attempt(attempt, key, content)
    }

    fn batch(&self, batch: &Batch, requests: &[(&[u8], Content<'_>)]) -> BatchResponse {
        self.shard.lock().batch(batch, requests)
    }

    fn command(&self, command: &Command, chunks: &Chunks) -> Answer {
        match command {
            Command::Apply {
                term, fence, chunk, ..
            } => match chunks.get(*chunk) {
                Some(rows) => self
                    .apply(*term, *fence, &rows)
                    .unwrap_or_else(Answer::Refused),
                None => self.note(&StoreError::not_held(*chunk)),
            },
            Command::Lead { .. } | Command::Swap { .. } | Command::SaveLog { .. } => {
                self.note(&StoreError::not_a_shard_s())
            }
            _ => chunks.with(|chunks| self.shard.lock().command(command, chunks)),
        }
    }

    fn last_error(&self) -> Option<String> {
        self.last_error.lock().clone()
    }
}
