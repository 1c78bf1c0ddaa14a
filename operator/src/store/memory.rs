//! A shard in memory: the core's own guard, and a map of rows, behind one mutex.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use ringshift::migration::command::{Answer, ChunkId, Command, KeyDigest, SlotDigest};
use ringshift::{
    Access, Attempt, DomainId, Failure, Fence, Guard, GuardRow, KeyspaceId, Refusal, Reply,
    Revision, Slot, Term, Version, row_digest,
};

use crate::store::decide::{self, Bits, Decision, Effect, Present, Request};
use crate::store::error::StoreError;
use crate::store::{
    Chunks, Content, Found, OperationKey, ROWS_AT_ONCE, Response, Store, StoredRow,
};

/// A shard in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    shard: Mutex<Shard>,
    last_error: Mutex<Option<String>>,
}

type RowKey = (KeyspaceId, Arc<[u8]>);

#[derive(Debug, Default)]
struct Shard {
    guard: Guard,
    rows: BTreeMap<RowKey, Row>,
    /// The same rows, by the revision of their last change.
    changed: BTreeMap<Revision, RowKey>,
    floors: BTreeMap<(KeyspaceId, Slot), Version>,
    bits: BTreeMap<KeyspaceId, u8>,
    revision: Revision,
}

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

/// Where a row is, for the one that writes it.
struct Place<'a> {
    keyspace: KeyspaceId,
    slot: Slot,
    stored_slot: u32,
    key: &'a [u8],
}

impl MemoryStore {
    /// An empty shard that knows no domain.
    pub fn new() -> Self {
        Self::default()
    }

    fn note(&self, error: &StoreError) -> Answer {
        *self.last_error.lock() = Some(error.to_string());
        Answer::Unreachable
    }
}

impl Store for MemoryStore {
    fn attempt(&self, attempt: &Attempt, key: &[u8], content: Content<'_>) -> Response {
        let Some(request) = Request::of(attempt, content) else {
            return Reply::Failed(Failure::Rejected).into();
        };
        self.shard.lock().attempt(attempt, key, request)
    }

    fn command(&self, command: &Command, chunks: &Chunks) -> Answer {
        match command {
            Command::Apply {
                term, fence, chunk, ..
            } => {
                let Some(rows) = chunks.get(*chunk) else {
                    return self.note(&not_held(*chunk));
                };
                // In pieces, as a store that must let others in does it.
                for rows in rows.chunks(ROWS_AT_ONCE) {
                    match self.shard.lock().apply(*term, *fence, rows) {
                        Ok(Answer::Unreachable) => return self.note(&disagrees()),
                        Ok(_) => {}
                        Err(refusal) => return Answer::Refused(refusal),
                    }
                }
                if rows.is_empty()
                    && let Err(refusal) = self.shard.lock().apply(*term, *fence, &[])
                {
                    return Answer::Refused(refusal);
                }
                Answer::Done
            }
            Command::Lead { .. } | Command::Swap { .. } | Command::SaveLog { .. } => {
                self.note(&not_a_shard_s())
            }
            _ => match self.shard.lock().command(command, chunks) {
                Ok(answer) => answer,
                Err(refusal) => Answer::Refused(refusal),
            },
        }
    }

    fn last_error(&self) -> Option<String> {
        self.last_error.lock().clone()
    }
}

pub(super) fn not_held(chunk: ChunkId) -> StoreError {
    StoreError::Misdirected(format!("chunk {} isn't held; read it again", chunk.0))
}

pub(super) fn not_a_shard_s() -> StoreError {
    StoreError::Misdirected("the command is for the topology store".to_owned())
}

pub(super) fn disagrees() -> StoreError {
    StoreError::Misdirected("a copied row's slot isn't of its keyspace".to_owned())
}

impl Shard {
    fn attempt(&mut self, attempt: &Attempt, key: &[u8], request: Request<'_>) -> Response {
        let access = match request {
            Request::Read | Request::Confirm(_) => Access::Read,
            Request::Write(..) => Access::Write,
            Request::Apply(..) => Access::Apply,
        };
        let guard =
            match self
                .guard
                .admit(attempt.keyspace, attempt.slot, key, attempt.fence, access)
            {
                Ok(guard) => *guard,
                Err(refusal) => return Reply::Refused(refusal).into(),
            };
        let place = Place {
            keyspace: attempt.keyspace,
            slot: attempt.slot,
            stored_slot: attempt.stored_slot,
            key,
        };
        if self.learn(&place, false) {
            return Reply::Failed(Failure::Rejected).into();
        }
        let row = self.row(&place);
        let present = row.map(Row::present);
        let decision = match request {
            Request::Read => {
                return Response {
                    reply: decide::read(present),
                    found: row.map(Row::found),
                };
            }
            Request::Confirm(op) => decide::confirm(present, op),
            Request::Apply(version, op, value) => decide::apply(present, version, op, value),
            Request::Write(change, op) => {
                decide::write(&guard, present, self.floor(&place), change, op)
            }
        };
        let found = match decision.reply {
            Reply::Conflict { .. } => row.map(Row::found),
            _ => None,
        };
        self.carry_out(&place, &decision);
        Response {
            reply: decision.reply,
            found,
        }
    }

    fn row(&self, place: &Place<'_>) -> Option<&Row> {
        self.rows.get(&(place.keyspace, Arc::from(place.key)))
    }

    fn floor(&self, place: &Place<'_>) -> Version {
        let floor = self.floors.get(&(place.keyspace, place.slot));
        floor.copied().unwrap_or(Version::ZERO)
    }

    /// Learns the keyspace's bits if asked to; answers whether the place contradicts them.
    fn learn(&mut self, place: &Place<'_>, store: bool) -> bool {
        let known = self.bits.get(&place.keyspace).copied();
        match decide::bits(known, place.slot, place.stored_slot) {
            Bits::Agree => false,
            Bits::Disagree => true,
            Bits::Learned(bits) => {
                if store {
                    self.bits.insert(place.keyspace, bits);
                }
                false
            }
        }
    }

    fn carry_out(&mut self, place: &Place<'_>, decision: &Decision<'_>) {
        match decision.effect {
            Effect::Keep => {}
            Effect::Put { version, op, value } => {
                self.learn(place, true);
                let revision = self.next_revision();
                let key: RowKey = (place.keyspace, Arc::from(place.key));
                let row = Row {
                    slot: place.slot,
                    stored_slot: place.stored_slot,
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
                self.remove(&(place.keyspace, Arc::from(place.key)));
                self.raise_floor(place.keyspace, place.slot, floor);
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

    fn command(&mut self, command: &Command, chunks: &Chunks) -> Result<Answer, Refusal> {
        Ok(match command {
            Command::Claim { term, .. } => {
                self.guard.claim(*term)?;
                Answer::Done
            }
            Command::Guards { .. } => Answer::Guards(self.guard.rows().copied().collect()),
            Command::Install { term, rows, .. } => {
                self.guard.install(*term, rows)?;
                Answer::Done
            }
            Command::Close { term, fence, .. } => {
                Answer::Closed(self.guard.close(*term, fence.domain, fence.epoch)?)
            }
            Command::Revision { fence, .. } => {
                self.guard.admit_domain(*fence, Access::Read)?;
                Answer::Revision(self.revision)
            }
            Command::Changes {
                fence,
                after,
                limit,
                chunk,
                ..
            } => {
                let guard = *self.guard.admit_domain(*fence, Access::Read)?;
                let limit = usize::try_from((*limit).max(1)).unwrap_or(usize::MAX);
                let (rows, last) = self.changes(&guard, *after, limit);
                let end = rows.len() < limit;
                let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
                chunks.put(*chunk, fence.domain, rows);
                Answer::Changes {
                    rows: count,
                    upto: if end { self.revision } else { last },
                    end,
                }
            }
            Command::Purge {
                term, fence, limit, ..
            } => self.removal(*fence, Access::Purge(*term), *limit, false)?,
            Command::Collect {
                term, fence, limit, ..
            } => self.removal(*fence, Access::Collect(*term), *limit, true)?,
            Command::Count { fence, .. } => {
                let keyspace = self.guard.row(fence.domain).map(|row| row.keyspace);
                let held = keyspace.map_or(0, |keyspace| self.held(keyspace, fence.domain).count());
                Answer::Rows(held as u64)
            }
            Command::Digests { fence, .. } => {
                let guard = *self.guard.admit_domain(*fence, Access::Read)?;
                let mut slots: BTreeMap<Slot, SlotDigest> = BTreeMap::new();
                for ((_, key), row) in self.held(guard.keyspace, fence.domain) {
                    let digest = slots.entry(row.slot).or_insert(SlotDigest {
                        slot: row.slot,
                        rows: 0,
                        sum: 0,
                    });
                    digest.rows += 1;
                    let one = row_digest(key, row.version, row.value.as_deref());
                    digest.sum = digest.sum.wrapping_add(one);
                }
                Answer::Digests(slots.into_values().collect())
            }
            Command::Keys {
                fence,
                keyspace,
                slots,
                ..
            } => {
                self.guard.admit_domain(*fence, Access::Read)?;
                let keys = self
                    .held(*keyspace, fence.domain)
                    .filter(|(_, row)| slots.contains(&row.slot))
                    .map(|((_, key), row)| KeyDigest {
                        key: key.to_vec(),
                        version: row.version,
                        digest: row_digest(key, row.version, row.value.as_deref()),
                    })
                    .collect();
                Answer::Keys(keys)
            }
            Command::Lead { .. }
            | Command::Swap { .. }
            | Command::SaveLog { .. }
            | Command::Apply { .. } => Answer::Unreachable,
        })
    }

    /// The rows that `domain` holds here, by key.
    fn held(
        &self,
        keyspace: KeyspaceId,
        domain: DomainId,
    ) -> impl Iterator<Item = (&RowKey, &Row)> {
        self.rows.iter().filter(move |((of, key), row)| {
            *of == keyspace && self.guard.holds(domain, keyspace, row.slot, key)
        })
    }

    fn changes(
        &self,
        guard: &GuardRow,
        after: Revision,
        limit: usize,
    ) -> (Vec<StoredRow>, Revision) {
        let mut last = after;
        let next = Revision(after.0.saturating_add(1));
        let rows = self
            .changed
            .range(next..)
            .filter_map(|(_, key)| Some((key, self.rows.get(key)?)))
            .filter(|((keyspace, key), row)| {
                *keyspace == guard.keyspace
                    && self.guard.holds(guard.domain, *keyspace, row.slot, key)
            })
            .take(limit)
            .map(|((keyspace, key), row)| {
                last = row.revision;
                StoredRow {
                    keyspace: *keyspace,
                    key: key.to_vec(),
                    slot: row.slot,
                    stored_slot: row.stored_slot,
                    version: row.version,
                    value: row.value.clone(),
                    op: row.op,
                }
            })
            .collect();
        (rows, last)
    }

    fn removal(
        &mut self,
        fence: Fence,
        access: Access,
        limit: u32,
        tombstones: bool,
    ) -> Result<Answer, Refusal> {
        let guard = *self.guard.admit_domain(fence, access)?;
        let limit = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
        let found: Vec<(RowKey, Slot, Version)> = self
            .held(guard.keyspace, guard.domain)
            .filter(|(_, row)| !tombstones || row.value.is_none())
            .take(limit)
            .map(|(key, row)| (key.clone(), row.slot, row.version))
            .collect();
        let end = found.len() < limit;
        let rows = u32::try_from(found.len()).unwrap_or(u32::MAX);
        for (key, slot, version) in found {
            self.remove(&key);
            self.raise_floor(guard.keyspace, slot, version);
        }
        Ok(Answer::Removed { rows, end })
    }

    /// All of `rows` or, refused or contradicted, none.
    fn apply(&mut self, term: Term, fence: Fence, rows: &[StoredRow]) -> Result<Answer, Refusal> {
        let access = Access::Copy(term);
        self.guard.admit_domain(fence, access)?;
        for row in rows {
            self.guard
                .admit(row.keyspace, row.slot, &row.key, fence, access)?;
            if self.learn(&place_of(row), false) {
                return Ok(Answer::Unreachable);
            }
        }
        for row in rows {
            let place = place_of(row);
            let present = self.row(&place).map(Row::present);
            let decision = decide::apply(present, row.version, row.op, row.value.as_deref());
            self.carry_out(&place, &decision);
        }
        Ok(Answer::Done)
    }
}

fn place_of(row: &StoredRow) -> Place<'_> {
    Place {
        keyspace: row.keyspace,
        slot: row.slot,
        stored_slot: row.stored_slot,
        key: &row.key,
    }
}
