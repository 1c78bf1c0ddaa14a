//! A coordinator's commands.

use std::collections::BTreeMap;

use ringshift::migration::command::{Answer, Command, KeyDigest, SlotDigest};
use ringshift::recipes::{SHIFT_UNKNOWN, role_number, sqlite as recipe};
use ringshift::{
    Access, Claim, DomainId, Fence, GuardRow, InstallRow, KeyspaceId, Refusal, Revision,
    SLOT_BITS_STORED, Slot, Term, admit, check_term, close, row_digest, takes_effect,
};
use rusqlite::{Connection, OptionalExtension};

use crate::store::error::StoreError;
use crate::store::memory::{not_a_shard_s, not_held};
use crate::store::sqlite::rows::{self, Result};
use crate::store::sqlite::transaction::{self, Durability, Fault};
use crate::store::sqlite::{SqliteStore, bulk};
use crate::store::{Chunks, ROWS_AT_ONCE, StoredRow};

/// What a transaction of a command comes to: the guard's refusal is an answer, not an error, but
/// what was done before it must not stay.
type Fenced<T> = std::result::Result<T, Refusal>;

impl SqliteStore {
    pub(super) fn carry_out(
        &self,
        command: &Command,
        chunks: &Chunks,
    ) -> std::result::Result<Answer, Fault> {
        match command {
            Command::Claim { term, .. } => self.office(*term, |_| Ok(Answer::Done)),
            Command::Install { term, rows, .. } => self.office(*term, |connection| {
                install(connection, rows)?;
                Ok(Answer::Done)
            }),
            Command::Close { term, fence, .. } => self.office(*term, |connection| {
                close_row(connection, *fence).map(Answer::Closed)
            }),
            Command::Apply {
                term, fence, chunk, ..
            } => {
                let rows = chunks.get(*chunk).ok_or_else(|| not_held(*chunk))?;
                self.apply(*term, *fence, &rows)
            }
            Command::Purge {
                term, fence, limit, ..
            } => self.remove(*fence, Access::Purge(*term), *limit),
            Command::Collect {
                term, fence, limit, ..
            } => self.remove(*fence, Access::Collect(*term), *limit),
            Command::Guards { .. } => self.look(|connection| guards(connection).map(Ok)),
            Command::Revision { fence, .. } => self.look(|connection| {
                let (at, guard) = domain(connection, *fence, Access::Read)?;
                Ok(guard.map(|_| Answer::Revision(at)))
            }),
            Command::Changes {
                fence,
                after,
                limit,
                chunk,
                ..
            } => self.look(|connection| {
                let (at, guard) = domain(connection, *fence, Access::Read)?;
                let guard = match guard {
                    Ok(guard) => guard,
                    Err(refusal) => return Ok(Err(refusal)),
                };
                let limit = (*limit).max(1);
                let (rows, last) = changes(connection, &guard, *after, limit)?;
                let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
                let end = count < limit;
                chunks.put(*chunk, fence.domain, rows);
                Ok(Ok(Answer::Changes {
                    rows: count,
                    upto: if end { at } else { last },
                    end,
                }))
            }),
            Command::Count { fence, .. } => self.look(|connection| {
                let Some(guard) = guard(connection, fence.domain)? else {
                    return Ok(Ok(Answer::Rows(0)));
                };
                let rows: i64 = connection
                    .prepare_cached(recipe::COUNT)?
                    .query_row((guard.keyspace.0, guard.domain.0), |row| row.get(0))?;
                Ok(Ok(Answer::Rows(u64::try_from(rows).unwrap_or(0))))
            }),
            Command::Digests { fence, .. } => self.look(|connection| {
                let (_, guard) = domain(connection, *fence, Access::Read)?;
                match guard {
                    Ok(guard) => digests(connection, &guard).map(|d| Ok(Answer::Digests(d))),
                    Err(refusal) => Ok(Err(refusal)),
                }
            }),
            Command::Keys {
                fence,
                keyspace,
                slots,
                ..
            } => self.look(|connection| {
                let (_, guard) = domain(connection, *fence, Access::Read)?;
                match guard {
                    Ok(guard) => keys(connection, *keyspace, guard.domain, slots)
                        .map(|k| Ok(Answer::Keys(k))),
                    Err(refusal) => Ok(Err(refusal)),
                }
            }),
            Command::Lead { .. } | Command::Swap { .. } | Command::SaveLog { .. } => {
                Err(not_a_shard_s().into())
            }
        }
    }

    /// A change of guard rows by a coordinator of `term`: durable when it is answered, and past
    /// the queue of writers.
    fn office(
        &self,
        term: Term,
        work: impl FnOnce(&Connection) -> Result<Answer>,
    ) -> std::result::Result<Answer, Fault> {
        let writer = self.writer.urgent();
        transaction::write(&writer, Durability::Durable, |connection| {
            let (_, seen) = meta(connection)?;
            if let Err(refusal) = check_term(seen, term) {
                return Ok(Answer::Refused(refusal));
            }
            set_term(connection, term)?;
            work(connection)
        })
    }

    /// A command that only reads, over one unchanging state of the file.
    fn look(
        &self,
        work: impl FnOnce(&Connection) -> Result<Fenced<Answer>>,
    ) -> std::result::Result<Answer, Fault> {
        let control = self.control.lock();
        let answer = transaction::read(&control, work)?;
        Ok(answer.unwrap_or_else(Answer::Refused))
    }

    fn apply(
        &self,
        term: Term,
        fence: Fence,
        rows: &[StoredRow],
    ) -> std::result::Result<Answer, Fault> {
        let access = Access::Copy(term);
        let pieces = rows.len().div_ceil(ROWS_AT_ONCE).max(1);
        let mut left = rows.chunks(ROWS_AT_ONCE);
        for piece in 1..=pieces {
            // The last commit's fsync is for all of them, and for what clients have put here before.
            let durability = if piece == pieces {
                Durability::Durable
            } else {
                Durability::Relaxed
            };
            let rows = left.next().unwrap_or_default();
            let writer = self.writer.ordinary();
            let done = transaction::write(&writer, durability, |connection| {
                let (_, guard) = domain(connection, fence, access)?;
                if let Err(refusal) = guard {
                    return Ok(Err(refusal));
                }
                if durability == Durability::Durable {
                    set_term(connection, meta(connection)?.1)?;
                }
                bulk::apply(connection, fence, access, rows)
            })?;
            drop(writer);
            if let Err(refusal) = done {
                return Ok(Answer::Refused(refusal));
            }
            self.checkpointer.count(rows.len() as u64);
        }
        Ok(Answer::Done)
    }

    fn remove(
        &self,
        fence: Fence,
        access: Access,
        limit: u32,
    ) -> std::result::Result<Answer, Fault> {
        let limit = limit.max(1);
        let at_once = u32::try_from(ROWS_AT_ONCE).unwrap_or(u32::MAX);
        let mut removed = 0;
        loop {
            let wanted = at_once.min(limit - removed);
            let writer = self.writer.ordinary();
            let rows =
                transaction::write(&writer, Durability::Relaxed, |connection| {
                    match domain(connection, fence, access)? {
                        (at, Ok(guard)) => {
                            bulk::remove(connection, &guard, access, wanted, at).map(Ok)
                        }
                        (_, Err(refusal)) => Ok(Err(refusal)),
                    }
                })?;
            drop(writer);
            let rows = match rows {
                Ok(rows) => rows,
                Err(refusal) => return Ok(Answer::Refused(refusal)),
            };
            self.checkpointer.count(rows.into());
            removed += rows;
            if rows < wanted || removed >= limit {
                return Ok(Answer::Removed {
                    rows: removed,
                    end: removed < limit,
                });
            }
        }
    }
}

fn meta(connection: &Connection) -> Result<(Revision, Term)> {
    let mut statement = connection.prepare_cached(recipe::META)?;
    let mut found = statement.query([])?;
    let row = found.next()?.ok_or(StoreError::Damaged("meta row"))?;
    Ok((rows::revision(row, 1)?, rows::term(row, 2)?))
}

fn set_term(connection: &Connection, term: Term) -> Result<()> {
    connection
        .prepare_cached(recipe::TERM_SET)?
        .execute([term.0])?;
    Ok(())
}

fn guard(connection: &Connection, domain: DomainId) -> Result<Option<GuardRow>> {
    let mut statement = connection.prepare_cached(recipe::GUARD)?;
    let mut found = statement.query([domain.0])?;
    found.next()?.map(rows::guard).transpose()
}

/// The shard's revision, and the guard row of the fence's domain if it admits `access` to the
/// whole domain.
fn domain(
    connection: &Connection,
    fence: Fence,
    access: Access,
) -> Result<(Revision, Fenced<GuardRow>)> {
    let (revision, seen) = meta(connection)?;
    let row = guard(connection, fence.domain)?;
    let admitted = admit(row.as_ref(), Some(fence.domain), seen, fence, access).copied();
    Ok((revision, admitted))
}

fn guards(connection: &Connection) -> Result<Answer> {
    let mut statement = connection.prepare_cached(recipe::GUARDS)?;
    let mut found = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        all.push(rows::guard(row)?);
    }
    Ok(Answer::Guards(all))
}

fn put_guard(connection: &Connection, row: &GuardRow) -> Result<()> {
    connection.prepare_cached(recipe::GUARD_PUT)?.execute((
        row.domain.0,
        row.keyspace.0,
        row.epoch.get(),
        role_number(row.role),
        row.closed,
        row.drained.get(),
        row.in_wave,
        row.authority_epoch.get(),
    ))?;
    Ok(())
}

fn install(connection: &Connection, all: &[InstallRow]) -> Result<()> {
    for InstallRow { row, claims } in all {
        if !takes_effect(guard(connection, row.domain)?.as_ref(), row) {
            continue;
        }
        put_guard(connection, row)?;
        let (keyspace, domain) = (row.keyspace.0, row.domain.0);
        for claim in claims {
            match claim {
                Claim::Slots(ranges) => {
                    let mut statement = connection.prepare_cached(recipe::CLAIM_SLOTS)?;
                    for range in ranges {
                        statement.execute((keyspace, range.start, range.end, domain))?;
                    }
                }
                Claim::Key(key) => {
                    connection
                        .prepare_cached(recipe::CLAIM_KEY)?
                        .execute((keyspace, key, domain))?;
                }
                Claim::ReleaseKey(key) => {
                    connection
                        .prepare_cached(recipe::RELEASE_KEY)?
                        .execute((keyspace, key))?;
                }
            }
        }
    }
    Ok(())
}

fn close_row(connection: &Connection, fence: Fence) -> Result<Option<GuardRow>> {
    let Some(row) = guard(connection, fence.domain)? else {
        return Ok(None);
    };
    match close(&row, fence.epoch) {
        Some(closed) => {
            put_guard(connection, &closed)?;
            Ok(Some(closed))
        }
        None => Ok(Some(row)),
    }
}

fn bits(connection: &Connection, keyspace: KeyspaceId) -> Result<u8> {
    let known: Option<u8> = connection
        .prepare_cached(recipe::KEYSPACE)?
        .query_row([keyspace.0], |row| row.get(0))
        .optional()?;
    Ok(known.unwrap_or(SLOT_BITS_STORED - SHIFT_UNKNOWN))
}

fn changes(
    connection: &Connection,
    guard: &GuardRow,
    after: Revision,
    limit: u32,
) -> Result<(Vec<StoredRow>, Revision)> {
    let bits = bits(connection, guard.keyspace)?;
    let mut statement = connection.prepare_cached(recipe::CHANGES)?;
    let after_number = rows::revision_number(after);
    let mut found =
        statement.query((guard.keyspace.0, after_number, guard.domain.0, limit, bits))?;
    let (mut all, mut last) = (Vec::new(), after);
    while let Some(row) = found.next()? {
        let stored_slot = rows::stored_slot(row, 1)?;
        all.push(StoredRow {
            keyspace: guard.keyspace,
            key: row.get(0)?,
            slot: Slot(stored_slot >> SLOT_BITS_STORED.saturating_sub(bits)),
            stored_slot,
            version: rows::version(row, 2)?,
            op: rows::operation(row, 3)?,
            value: rows::value(row, 4)?,
        });
        last = rows::revision(row, 5)?;
    }
    Ok((all, last))
}

fn digests(connection: &Connection, guard: &GuardRow) -> Result<Vec<SlotDigest>> {
    let mut statement = connection.prepare_cached(recipe::DIGEST_ROWS)?;
    let mut found = statement.query((guard.keyspace.0, guard.domain.0))?;
    let mut slots: BTreeMap<Slot, SlotDigest> = BTreeMap::new();
    while let Some(row) = found.next()? {
        let slot = rows::slot(row, 0)?;
        let one = digest(row, 1)?;
        let digest = slots.entry(slot).or_insert(SlotDigest {
            slot,
            rows: 0,
            sum: 0,
        });
        digest.rows += 1;
        digest.sum = digest.sum.wrapping_add(one.digest);
    }
    Ok(slots.into_values().collect())
}

fn keys(
    connection: &Connection,
    keyspace: KeyspaceId,
    domain: DomainId,
    slots: &[Slot],
) -> Result<Vec<KeyDigest>> {
    let mut statement = connection.prepare_cached(recipe::DIGEST_SLOT)?;
    let mut all = Vec::new();
    for slot in slots {
        let mut found = statement.query((keyspace.0, domain.0, slot.0))?;
        while let Some(row) = found.next()? {
            all.push(digest(row, 0)?);
        }
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// The digest of a row of which the key, the version and the value begin at column `at`.
fn digest(row: &rusqlite::Row<'_>, at: usize) -> Result<KeyDigest> {
    let key: Vec<u8> = row.get(at)?;
    let version = rows::version(row, at + 1)?;
    let value = row.get_ref(at + 2)?.as_bytes_or_null();
    let value = value.map_err(|_| StoreError::Damaged("value"))?;
    Ok(KeyDigest {
        digest: row_digest(&key, version, value),
        key,
        version,
    })
}
