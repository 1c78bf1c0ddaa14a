//! A shard in memory, behind one mutex.

use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};
use ringshift::advise::StoredSize;
use ringshift::migration::command::{Answer, Command};
use ringshift::store::MemoryShard;
use ringshift::{Attempt, Batch, Fence, Refusal, Term};

use crate::store::error::StoreError;
use crate::store::{BatchResponse, Chunks, Content, ROWS_AT_ONCE, Response, Store, StoredRow};

/// A shard in memory.
#[derive(Debug)]
pub struct MemoryStore {
    shard: Mutex<MemoryShard>,
    /// Leases are counted from here.
    origin: Instant,
    last_error: Mutex<Option<String>>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        let mut shard = MemoryShard::default();
        let mut incarnation = [0; 16];
        // Without a name it is taken for any other memory that has none: no worse than before.
        if getrandom::fill(&mut incarnation).is_ok() {
            shard.name(incarnation);
        }
        Self {
            shard: Mutex::new(shard),
            origin: Instant::now(),
            last_error: Mutex::default(),
        }
    }
}

impl MemoryStore {
    /// An empty shard that knows no domain.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty shard that checks no fence, as somebody else's server doesn't: its clients need
    /// leases ([`ClientLease`](ringshift::ClientLease)).
    pub fn unfenced() -> Self {
        let store = Self::default();
        store.shard.lock().without_fences();
        store
    }

    /// How much there is of each stored slot, whoever holds it.
    pub fn sizes(&self) -> Vec<StoredSize> {
        self.shard.lock().sizes()
    }

    /// The shard, which is told the time first.
    fn shard(&self) -> MutexGuard<'_, MemoryShard> {
        let mut shard = self.shard.lock();
        let ms = self.origin.elapsed().as_millis();
        shard.handle_time(u64::try_from(ms).unwrap_or(u64::MAX));
        shard
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
            if self.shard().apply(term, fence, piece)?.is_err() {
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
        self.shard().attempt(attempt, key, content)
    }

    fn batch(&self, batch: &Batch, requests: &[(&[u8], Content<'_>)]) -> BatchResponse {
        self.shard().batch(batch, requests)
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
            Command::Lead { .. }
            | Command::Renew { .. }
            | Command::Ask { .. }
            | Command::Swap { .. }
            | Command::SaveLog { .. } => self.note(&StoreError::not_a_shard_s()),
            _ => chunks.with(|chunks| self.shard().command(command, chunks)),
        }
    }

    fn last_error(&self) -> Option<String> {
        self.last_error.lock().clone()
    }
}
