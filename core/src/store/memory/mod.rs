//! A shard in memory: the core's own guard, and a map of rows.

mod walk;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::advise::StoredSize;
use crate::guard::{Guard, InstallRow, Refusal};
use crate::ids::{DomainId, KeyspaceId, Revision, SLOT_BITS_STORED, Slot, Term, Version};
use crate::migration::command::ChunkId;
use crate::migration::request::Lineage;
use crate::step::{Attempt, Failure};
use crate::store::batch::{BatchPart, BatchResponse, decide_batch};
use crate::store::decide::{Decision, Effect, Present};
use crate::store::look::Look;
use crate::store::{Content, Found, OperationKey, Response, StoredRow};
use crate::transaction::{Batch, BatchReply};

/// A shard in memory. It locks nothing: put it behind a mutex, or hold it alone.
///
/// - Inputs: [`attempt`](Self::attempt), [`batch`](Self::batch), [`command`](Self::command), [`install`](Self::install),
///   [`apply`](Self::apply).
/// - Getters: `guard`, `revision`, `row`, `rows`.
///
/// ```
/// use ringshift::migration::Lineage;
/// use ringshift::migration::command::{Answer, Command};
/// use ringshift::store::{Chunks, MemoryShard};
/// use ringshift::{ShardId, Term};
///
/// let mut shard = MemoryShard::default();
/// let lineage = Lineage { follows: 0, claim: 9 };
/// let claim = Command::Claim { shard: ShardId(1), term: Term(3), lineage };
/// let answer = shard.command(&claim, &mut Chunks::default());
/// assert!(matches!(answer, Answer::Claimed(mark) if mark.answers == 1));
/// assert_eq!(shard.guard().term(), Term(3));
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryShard {
    guard: Guard,
    rows: BTreeMap<RowKey, Row>,
    /// The same rows, by the revision of their last change.
    changed: BTreeMap<Revision, RowKey>,
    floors: BTreeMap<(KeyspaceId, Slot), Version>,
    revision: Revision,
    incarnation: [u8; 16],
    unfenced: bool,
    /// Answers that a shard with a disk would have put there first.
    answers: u64,
    /// The last claim.
    lineage: Lineage,
}

/// A copied row's slot isn't of its keyspace; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disagrees;

type RowKey = (KeyspaceId, Arc<[u8]>);

#[derive(Clone, Debug)]
struct Row {
    slot: Slot,
    stored_slot: u32,
    version: Version,
    revision: Revision,
    op: OperationKey,
    value: Option<Vec<u8>>,
}

impl Row {
    fn present(&self) -> Present {
        Present {
            version: self.version,
            op: self.op,
            deleted: self.value.is_none(),
        }
    }

    fn found(&self) -> Found {
        Found {
            value: self.value.clone(),
            op: self.op,
        }
    }
}

impl MemoryShard {
    /// Carries out one request of an operation, in one step with the fence check.
    ///
    /// Content that doesn't go with the kind, or a slot that doesn't go with the stored slot, is
    /// answered with [`Failure::Rejected`](crate::Failure::Rejected).
    pub fn attempt(&mut self, attempt: &Attempt, key: &[u8], content: Content<'_>) -> Response {
        let look = self.look(attempt.fence.domain, attempt.keyspace, attempt.slot, key);
        let decision = if self.unfenced {
            look.decide_unfenced(attempt, content)
        } else {
            look.decide(attempt, content)
        };
        let row = self.rows.get(&(attempt.keyspace, Arc::from(key)));
        let found = row.filter(|_| decision.found).map(Row::found);
        let place = (attempt.keyspace, attempt.slot, attempt.stored_slot);
        self.put(place, key, &decision, content.value());
        Response {
            reply: decision.reply,
            found,
        }
    }

    /// Carries out a batch in one step, or nothing of it. `requests` has the key and the content of
    /// each of its parts; a batch with fewer of them than parts is
    /// [`Failure::Rejected`](crate::Failure::Rejected).
    pub fn batch(&mut self, batch: &Batch, requests: &[(&[u8], Content<'_>)]) -> BatchResponse {
        if requests.len() != batch.parts.len() || self.unfenced {
            return BatchReply::Failed(Failure::Rejected).into();
        }
        let both = || batch.parts.iter().zip(requests);
        let looked = both().map(|(part, &(key, content))| {
            let Attempt {
                fence,
                keyspace,
                slot,
                ..
            } = part.attempt;
            let look = self.look(fence.domain, keyspace, slot, key);
            BatchPart {
                part,
                look,
                content,
            }
        });
        let decisions = match decide_batch(&looked.collect::<Vec<_>>()) {
            Ok(decisions) => decisions,
            Err(reply) => return reply.into(),
        };
        let mut found = Vec::with_capacity(decisions.len());
        for (decision, (part, &(key, content))) in decisions.iter().zip(both()) {
            let attempt = &part.attempt;
            let row = self.rows.get(&(attempt.keyspace, Arc::from(key)));
            found.push(row.filter(|_| decision.found).map(Row::found));
            let place = (attempt.keyspace, attempt.slot, attempt.stored_slot);
            self.put(place, key, decision, content.value());
        }
        BatchResponse::done(&decisions, found)
    }

    /// Installs guard rows, as a coordinator of `term` does.
    ///
    /// # Errors
    /// [`Refusal::StaleTerm`] when a coordinator of a higher term has been here.
    pub fn install(&mut self, term: Term, rows: &[InstallRow]) -> Result<(), Refusal> {
        let before: Vec<(KeyspaceId, u8)> = self.guard.map().all_bits().collect();
        self.guard.install(term, rows)?;
        for (keyspace, had) in before {
            let has = self.guard.map().bits(keyspace).unwrap_or(had);
            if has > had {
                self.split_slots(keyspace, has, has - had);
            }
        }
        Ok(())
    }

    /// Rows and floors after a keyspace's slots were split: each part keeps the whole's floor.
    fn split_slots(&mut self, keyspace: KeyspaceId, bits: u8, more: u8) {
        for ((_, _), row) in self.rows.iter_mut().filter(|((k, _), _)| *k == keyspace) {
            row.slot = Slot(row.stored_slot >> SLOT_BITS_STORED.saturating_sub(bits));
        }
        let floors = core::mem::take(&mut self.floors);
        for ((of, slot), floor) in floors {
            if of == keyspace {
                let parts = (0..1_u32 << more).map(|part| Slot((slot.0 << more) + part));
                self.floors.extend(parts.map(|slot| ((of, slot), floor)));
            } else {
                self.floors.insert((of, slot), floor);
            }
        }
    }

    /// Gives the shard a name that tells it from every other memory, drawn at random: with it, one
    /// that lost everything and began anew is seen.
    pub fn name(&mut self, incarnation: [u8; 16]) {
        self.incarnation = incarnation;
    }

    /// Makes it a shard that checks no fence of an attempt, as somebody else's server doesn't: its
    /// clients need leases. Guard rows are kept, and checked, for coordinators only.
    pub fn without_fences(&mut self) {
        self.unfenced = true;
    }

    /// What time it is; see [`Guard::handle_time`].
    pub fn handle_time(&mut self, now: u64) {
        self.guard.handle_time(now);
    }

    /// The guard.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The revision of the last change.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Version and value of a key's row or tombstone, whoever holds it.
    pub fn row(&self, keyspace: KeyspaceId, key: &[u8]) -> Option<(Version, Option<&[u8]>)> {
        let row = self.rows.get(&(keyspace, Arc::from(key)))?;
        Some((row.version, row.value.as_deref()))
    }

    /// How much there is of each stored slot, whoever holds it.
    pub fn sizes(&self) -> Vec<StoredSize> {
        let mut sizes: BTreeMap<(KeyspaceId, u32), StoredSize> = BTreeMap::new();
        for ((keyspace, key), row) in &self.rows {
            let size = sizes
                .entry((*keyspace, row.stored_slot))
                .or_insert(StoredSize {
                    keyspace: *keyspace,
                    stored_slot: row.stored_slot,
                    rows: 0,
                    bytes: 0,
                });
            size.rows += 1;
            let value = row.value.as_ref().map_or(0, Vec::len);
            size.bytes += (key.len() + value) as u64;
        }
        sizes.into_values().collect()
    }

    /// How many rows there are, tombstones too.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    fn look(&self, domain: DomainId, keyspace: KeyspaceId, slot: Slot, key: &[u8]) -> Look {
        let floor = self.floors.get(&(keyspace, slot)).copied();
        Look {
            term: self.guard.term(),
            revision: self.revision,
            bits: self.guard.map().bits(keyspace),
            holder: self.guard.map().holder(keyspace, slot, key),
            floor: floor.unwrap_or(Version::ZERO),
            guard: self.guard.in_force(domain),
            present: self.rows.get(&(keyspace, Arc::from(key))).map(Row::present),
        }
    }

    fn put(
        &mut self,
        (keyspace, slot, stored_slot): (KeyspaceId, Slot, u32),
        key: &[u8],
        decision: &Decision,
        value: Option<&[u8]>,
    ) {
        let key: RowKey = (keyspace, Arc::from(key));
        match decision.effect {
            Effect::Keep => {}
            Effect::Put { version, op, .. } => {
                if let Some(bits) = decision.learned {
                    self.guard.learn_bits(keyspace, bits);
                }
                let revision = self.next_revision();
                let row = Row {
                    slot,
                    stored_slot,
                    version,
                    revision,
                    op,
                    value: value.map(<[u8]>::to_vec),
                };
                if let Some(former) = self.rows.insert(key.clone(), row) {
                    self.changed.remove(&former.revision);
                }
                self.changed.insert(revision, key);
            }
            Effect::Remove { floor } => {
                self.remove(&key);
                self.raise_floor(keyspace, slot, floor);
            }
        }
    }

    fn next_revision(&mut self) -> Revision {
        self.revision = Revision(self.revision.0 + 1);
        self.revision
    }

    fn remove(&mut self, key: &RowKey) {
        if let Some(former) = self.rows.remove(key) {
            self.changed.remove(&former.revision);
            self.next_revision();
        }
    }

    fn raise_floor(&mut self, keyspace: KeyspaceId, slot: Slot, version: Version) {
        let floor = self.floors.entry((keyspace, slot)).or_insert(Version::ZERO);
        *floor = version.max(*floor);
    }
}

/// The chunks that were read and may still be applied: the newest of each domain.
///
/// An apply only looks, so it can be repeated; a chunk goes when the next one of its domain comes.
#[derive(Clone, Debug, Default)]
pub struct Chunks {
    held: BTreeMap<ChunkId, (DomainId, Arc<[StoredRow]>)>,
}

impl Chunks {
    /// Holds `rows` of `domain` as `chunk`, in place of the domain's former chunk.
    pub fn put(&mut self, chunk: ChunkId, domain: DomainId, rows: Vec<StoredRow>) {
        self.held.retain(|_, (of, _)| *of != domain);
        self.held.insert(chunk, (domain, rows.into()));
    }

    /// The rows of `chunk`, if it is held.
    pub fn get(&self, chunk: ChunkId) -> Option<Arc<[StoredRow]>> {
        self.held.get(&chunk).map(|(_, rows)| Arc::clone(rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_chunk_of_a_domain_takes_the_former_one_s_place() {
        let mut chunks = Chunks::default();
        chunks.put(ChunkId(1), DomainId(1), Vec::new());
        chunks.put(ChunkId(2), DomainId(2), Vec::new());
        assert!(chunks.get(ChunkId(1)).is_some() && chunks.get(ChunkId(1)).is_some());
        chunks.put(ChunkId(3), DomainId(1), Vec::new());
        assert!(chunks.get(ChunkId(1)).is_none());
        assert!(chunks.get(ChunkId(2)).is_some() && chunks.get(ChunkId(3)).is_some());
    }
}
