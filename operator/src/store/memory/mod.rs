//! A shard in memory: the core's own guard, and a map of rows, behind one mutex.

mod walk;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use ringshift::migration::command::{Answer, Command};
use ringshift::{Access, Attempt, Failure, Guard, KeyspaceId, Reply, Revision, Slot, Version};

use crate::store::decide::{self, Bits, Decision, Effect, Present, Request};
use crate::store::error::StoreError;
use crate::store::{Chunks, Content, Found, OperationKey, ROWS_AT_ONCE, Response, Store};

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
                    return self.note(&StoreError::not_held(*chunk));
                };
                // In pieces, as a store that must let others in does it.
                for rows in rows.chunks(ROWS_AT_ONCE) {
                    match self.shard.lock().apply(*term, *fence, rows) {
                        Ok(Answer::Unreachable) => return self.note(&StoreError::disagrees()),
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
                self.note(&StoreError::not_a_shard_s())
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
}
