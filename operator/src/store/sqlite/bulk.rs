//! One piece of a command that changes many rows; the caller's transaction is around it, and the
//! domain has been admitted in it.

use ringshift::recipes::sqlite as recipe;
use ringshift::{Access, Fence, GuardRow, Refusal, Revision, Version, admit};
use rusqlite::Connection;

use crate::store::StoredRow;
use crate::store::error::StoreError;
use crate::store::sqlite::attempt::{self, Place};
use crate::store::sqlite::rows::{self, Result};

/// Puts each row that is newer. All of them are checked before the first is put, so a refusal
/// leaves nothing behind.
pub(super) fn apply(
    connection: &Connection,
    fence: Fence,
    access: Access,
    rows: &[StoredRow],
) -> Result<std::result::Result<(), Refusal>> {
    let mut looks = Vec::with_capacity(rows.len());
    for row in rows {
        let place = Place {
            fence,
            keyspace: row.keyspace,
            slot: row.slot,
            stored_slot: row.stored_slot,
            key: &row.key,
        };
        let look = attempt::look(connection, &place)?;
        if let Err(refusal) = admit(look.guard.as_ref(), look.holder, look.term, fence, access) {
            return Ok(Err(refusal));
        }
        let deleted = row.value.is_none();
        let decision = look
            .decide_copy(row.slot, row.stored_slot, row.version, row.op, deleted)
            .ok_or_else(StoreError::disagrees)?;
        looks.push((row, place, look, decision));
    }
    let before = looks.first().map(|(_, _, look, _)| look.revision);
    let mut revision = before.unwrap_or_default();
    for (row, place, look, decision) in &looks {
        let value = row.value.as_deref();
        revision = attempt::carry_out(connection, place, look, revision, decision, value)?;
    }
    if before.is_some_and(|before| before != revision) {
        attempt::set_revision(connection, revision)?;
    }
    Ok(Ok(()))
}

/// Removes up to `limit` rows, or tombstones when the access is a collect, that the domain holds
/// here, and raises their slots' floors. Answers how many.
pub(super) fn remove(
    connection: &Connection,
    guard: &GuardRow,
    access: Access,
    limit: u32,
    revision: Revision,
) -> Result<u32> {
    let text = match access {
        Access::Collect(_) => recipe::COLLECT_FIND,
        Access::Purge(_)
        | Access::Read
        | Access::Inspect
        | Access::Write
        | Access::Apply
        | Access::Copy(_) => recipe::PURGE_FIND,
    };
    let mut found: Vec<(Vec<u8>, u32, Version)> = Vec::new();
    {
        let mut statement = connection.prepare_cached(text)?;
        let mut all = statement.query((guard.keyspace.0, guard.domain.0, limit))?;
        while let Some(row) = all.next()? {
            found.push((row.get(0)?, rows::slot(row, 1)?.0, rows::version(row, 2)?));
        }
    }
    let mut after = revision;
    for (key, slot, version) in &found {
        let slot = ringshift::Slot(*slot);
        attempt::raise_floor(connection, guard.keyspace, slot, version.to_i64())?;
        connection
            .prepare_cached(recipe::ROW_DELETE)?
            .execute((guard.keyspace.0, key))?;
        after = Revision(after.0.saturating_add(1));
    }
    if after != revision {
        attempt::set_revision(connection, after)?;
    }
    Ok(u32::try_from(found.len()).unwrap_or(u32::MAX))
}
