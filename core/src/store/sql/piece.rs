//! Commands that change many rows, in pieces: each transaction is short, and the last one durable.

use alloc::vec::Vec;

use crate::guard::{Access, Fence, Refusal, admit};
use crate::ids::{Revision, Slot, Term, Version};
use crate::migration::command::Answer;
use crate::recipes::sqlite as recipe;
use crate::store::StoredRow;
use crate::store::decide::{Decision, Effect};
use crate::store::look::{Damaged, LOOK_OP, Look};
use crate::store::sql::row::{
    blob, int, integer, key, number, revision_number, value_or_null, version,
};
use crate::store::sql::transaction::{Durability, change, domain, first, meta, transaction};
use crate::store::sql::{Database, Fallible, Lent, ROWS_AT_ONCE, SqlFault, SqlValue, Turn};

/// Puts a chunk's rows, the newer ones only.
pub(super) fn apply<D: Database>(
    database: &mut D,
    term: Term,
    fence: Fence,
    rows: &[StoredRow],
) -> Fallible<Answer, D::Error> {
    let access = Access::Copy(term);
    let pieces = rows.len().div_ceil(ROWS_AT_ONCE).max(1);
    let mut left = rows.chunks(ROWS_AT_ONCE);
    for piece in 1..=pieces {
        // The last commit's fsync is for all of them, and for what clients have put here before.
        let last = piece == pieces;
        let durability = if last {
            Durability::Durable
        } else {
            Durability::Relaxed
        };
        let rows = left.next().unwrap_or_default();
        let done = transaction(database, Turn::Rows, durability, |sql| {
            if let (_, Err(refusal)) = domain(sql, fence, access)? {
                return Ok(Err(refusal));
            }
            if last {
                let seen = meta(sql)?.term;
                change(sql, recipe::TERM_SET, &[int(seen.0)])?;
            }
            apply_piece(sql, fence, access, rows)
        })?;
        if let Err(refusal) = done {
            return Ok(Answer::Refused(refusal));
        }
        database.changed(rows.len() as u64);
    }
    Ok(Answer::Done)
}

/// All rows of a piece, or none.
fn apply_piece<E>(
    sql: &mut Lent<'_, E>,
    fence: Fence,
    access: Access,
    rows: &[StoredRow],
) -> Fallible<Result<(), Refusal>, E> {
    let mut decided: Vec<(&StoredRow, Look, Decision)> = Vec::with_capacity(rows.len());
    for row in rows {
        let look = look(sql, fence, row)?;
        if let Err(refusal) = admit(look.guard.as_ref(), look.holder, look.term, fence, access) {
            return Ok(Err(refusal));
        }
        let deleted = row.value.is_none();
        let decision = look.decide_copy(row.slot, row.stored_slot, row.version, row.op, deleted);
        let apart = SqlFault::Misdirected("a copied row's slot isn't of its keyspace");
        decided.push((row, look, decision.ok_or(apart)?));
    }
    let before = decided.first().map(|(_, look, _)| look.revision);
    let mut revision = before.unwrap_or_default();
    for (row, look, decision) in &decided {
        revision = put(sql, row, look, revision, decision)?;
    }
    if before.is_some_and(|before| before != revision) {
        change(sql, recipe::REVISION_SET, &[revision_number(revision)])?;
    }
    Ok(Ok(()))
}

fn look<E>(sql: &mut Lent<'_, E>, fence: Fence, row: &StoredRow) -> Fallible<Look, E> {
    let parameters = [
        int(fence.domain.0),
        int(row.keyspace.0),
        int(row.slot.0),
        SqlValue::Blob(&row.key),
    ];
    let look = first(sql, recipe::LOOK_WRITE, &parameters, |columns| {
        let number = |at| integer(columns, at);
        Look::of_columns(fence.domain, number, blob(columns, LOOK_OP))
    })?;
    look.ok_or(SqlFault::Damaged(Damaged("the one row of its state")))
}

/// Does to the row what was decided, and answers the revision that is then the last used.
fn put<E>(
    sql: &mut Lent<'_, E>,
    row: &StoredRow,
    look: &Look,
    revision: Revision,
    decision: &Decision,
) -> Fallible<Revision, E> {
    // A copy is put or superseded; it never removes.
    let (Effect::Put { version, op, .. }, next) =
        (decision.effect, Revision(revision.0.saturating_add(1)))
    else {
        return Ok(revision);
    };
    let (keyspace, key) = (int(row.keyspace.0), SqlValue::Blob(&row.key));
    let (version, at) = (int(version.to_i64()), revision_number(next));
    let op = SqlValue::Blob(&op);
    let value = value_or_null(row.value.as_deref());
    if look.present.is_some() {
        change(
            sql,
            recipe::ROW_UPDATE,
            &[keyspace, key, version, at, op, value],
        )?;
        return Ok(next);
    }
    if let Some(bits) = decision.learned {
        change(sql, recipe::KEYSPACE_PUT, &[keyspace, int(bits)])?;
    }
    let stored = int(row.stored_slot);
    let new = [keyspace, key, stored, version, at, op, value];
    change(sql, recipe::ROW_INSERT, &new)?;
    Ok(next)
}

/// Removes rows that the domain holds: all of them, or tombstones only.
pub(super) fn remove<D: Database>(
    database: &mut D,
    fence: Fence,
    access: Access,
    limit: u32,
    release: bool,
) -> Fallible<Answer, D::Error> {
    let limit = limit.max(1);
    let at_once = u32::try_from(ROWS_AT_ONCE).unwrap_or(u32::MAX);
    let mut removed = 0;
    loop {
        let wanted = at_once.min(limit - removed);
        let rows = transaction(database, Turn::Rows, Durability::Relaxed, |sql| {
            let rows = remove_piece(sql, fence, access, wanted)?;
            if release && rows.is_ok_and(|rows| rows < wanted) {
                change(sql, recipe::RELEASE_SCOPES, &[int(fence.domain.0)])?;
            }
            Ok(rows)
        })?;
        let rows = match rows {
            Ok(rows) => rows,
            Err(refusal) => return Ok(Answer::Refused(refusal)),
        };
        database.changed(rows.into());
        removed += rows;
        if rows < wanted || removed >= limit {
            let end = removed < limit;
            return Ok(Answer::Removed { rows: removed, end });
        }
    }
}

fn remove_piece<E>(
    sql: &mut Lent<'_, E>,
    fence: Fence,
    access: Access,
    limit: u32,
) -> Fallible<Result<u32, Refusal>, E> {
    let (revision, guard) = match domain(sql, fence, access)? {
        (revision, Ok(guard)) => (revision, guard),
        (_, Err(refusal)) => return Ok(Err(refusal)),
    };
    let text = match access {
        Access::Collect(_) => recipe::COLLECT_FIND,
        Access::Purge(_)
        | Access::Inspect
        | Access::Read
        | Access::Write
        | Access::Apply
        | Access::Copy(_) => recipe::PURGE_FIND,
    };
    let keyspace = int(guard.keyspace.0);
    let wanted = [keyspace, int(guard.domain.0), int(limit)];
    let mut found: Vec<(Vec<u8>, Slot, Version)> = Vec::new();
    sql.run(text, &wanted, &mut |row| {
        let slot = Slot(number(row, 1, "a slot")?);
        found.push((key(row, 0)?.to_vec(), slot, version(row, 2)?));
        Ok(())
    })?;
    let mut after = revision;
    for (key, slot, floor) in &found {
        let floor = [keyspace, int(slot.0), int(floor.to_i64())];
        change(sql, recipe::FLOOR_RAISE, &floor)?;
        change(sql, recipe::ROW_DELETE, &[keyspace, SqlValue::Blob(key)])?;
        after = Revision(after.0.saturating_add(1));
    }
    if after != revision {
        change(sql, recipe::REVISION_SET, &[revision_number(after)])?;
    }
    Ok(Ok(u32::try_from(found.len()).unwrap_or(u32::MAX)))
}
