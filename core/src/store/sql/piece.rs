//! Commands that change many rows, in pieces: each transaction is short, and the last one durable.

use alloc::vec::Vec;

use crate::guard::{Access, Fence, Refusal, admit};
use crate::ids::{Revision, Slot, Term};
use crate::migration::command::Answer;
use crate::recipes::sqlite as recipe;
use crate::store::StoredRow;
use crate::store::decide::{Decision, Effect};
use crate::store::look::{Damaged, LOOK_OP, Look};
use crate::store::sql::{
    Begin, Fallible, ROWS_AT_ONCE, Sql, SqlFault, SqlValue, blob, domain, int, integer, meta,
    number, query, revision_number, transaction, version,
};

/// Puts a chunk's rows, the newer ones only.
pub(super) fn apply<S: Sql>(
    sql: &mut S,
    term: Term,
    fence: Fence,
    rows: &[StoredRow],
) -> Fallible<Answer, S> {
    let access = Access::Copy(term);
    let pieces = rows.len().div_ceil(ROWS_AT_ONCE).max(1);
    let mut left = rows.chunks(ROWS_AT_ONCE);
    for piece in 1..=pieces {
        // The last commit's fsync is for all of them, and for what clients have put here before.
        let last = piece == pieces;
        let begin = if last { Begin::Durable } else { Begin::Write };
        let rows = left.next().unwrap_or_default();
        let done = transaction(sql, begin, |sql| {
            if let (_, Err(refusal)) = domain(sql, fence, access)? {
                return Ok(Err(refusal));
            }
            if last {
                let seen = meta(sql)?.term;
                query(sql, recipe::TERM_SET, &[int(seen.0)])?;
            }
            apply_piece(sql, fence, access, rows)
        })?;
        if let Err(refusal) = done {
            return Ok(Answer::Refused(refusal));
        }
    }
    Ok(Answer::Done)
}

/// All rows of a piece, or none.
fn apply_piece<S: Sql>(
    sql: &mut S,
    fence: Fence,
    access: Access,
    rows: &[StoredRow],
) -> Fallible<Result<(), Refusal>, S> {
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
        query(sql, recipe::REVISION_SET, &[revision_number(revision)])?;
    }
    Ok(Ok(()))
}

fn look<S: Sql>(sql: &mut S, fence: Fence, row: &StoredRow) -> Fallible<Look, S> {
    let parameters = [
        int(fence.domain.0),
        int(row.keyspace.0),
        int(row.slot.0),
        SqlValue::Blob(row.key.clone()),
    ];
    let rows = query(sql, recipe::LOOK_WRITE, &parameters)?;
    let columns = rows.first().ok_or(Damaged("the one row of its state"))?;
    let op = match columns.get(LOOK_OP) {
        Some(SqlValue::Blob(bytes)) => Some(bytes.as_slice()),
        Some(SqlValue::Null | SqlValue::Integer(_)) | None => None,
    };
    Ok(Look::of_columns(
        fence.domain,
        |at| integer(columns, at),
        op,
    )?)
}

/// Does to the row what was decided, and answers the revision that is then the last used.
fn put<S: Sql>(
    sql: &mut S,
    row: &StoredRow,
    look: &Look,
    revision: Revision,
    decision: &Decision,
) -> Fallible<Revision, S> {
    // A copy is put or superseded; it never removes.
    let (Effect::Put { version, op, .. }, next) =
        (decision.effect, Revision(revision.0.saturating_add(1)))
    else {
        return Ok(revision);
    };
    let (keyspace, key) = (int(row.keyspace.0), SqlValue::Blob(row.key.clone()));
    let (version, at) = (int(version.to_i64()), revision_number(next));
    let op = SqlValue::Blob(op.to_vec());
    let value = row.value.clone().map_or(SqlValue::Null, SqlValue::Blob);
    if look.present.is_some() {
        query(
            sql,
            recipe::ROW_UPDATE,
            &[keyspace, key, version, at, op, value],
        )?;
        return Ok(next);
    }
    if let Some(bits) = decision.learned {
        query(sql, recipe::KEYSPACE_PUT, &[keyspace.clone(), int(bits)])?;
    }
    let stored = int(row.stored_slot);
    let new = [keyspace, key, stored, version, at, op, value];
    query(sql, recipe::ROW_INSERT, &new)?;
    Ok(next)
}

/// Removes rows that the domain holds: all of them, or tombstones only.
pub(super) fn remove<S: Sql>(
    sql: &mut S,
    fence: Fence,
    access: Access,
    limit: u32,
    release: bool,
) -> Fallible<Answer, S> {
    let limit = limit.max(1);
    let at_once = u32::try_from(ROWS_AT_ONCE).unwrap_or(u32::MAX);
    let mut removed = 0;
    loop {
        let wanted = at_once.min(limit - removed);
        let rows = transaction(sql, Begin::Write, |sql| {
            let rows = remove_piece(sql, fence, access, wanted)?;
            if release && rows.is_ok_and(|rows| rows < wanted) {
                query(sql, recipe::RELEASE_SCOPES, &[int(fence.domain.0)])?;
            }
            Ok(rows)
        })?;
        let rows = match rows {
            Ok(rows) => rows,
            Err(refusal) => return Ok(Answer::Refused(refusal)),
        };
        removed += rows;
        if rows < wanted || removed >= limit {
            let end = removed < limit;
            return Ok(Answer::Removed { rows: removed, end });
        }
    }
}

fn remove_piece<S: Sql>(
    sql: &mut S,
    fence: Fence,
    access: Access,
    limit: u32,
) -> Fallible<Result<u32, Refusal>, S> {
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
    let found = query(
        sql,
        text,
        &[keyspace.clone(), int(guard.domain.0), int(limit)],
    )?;
    let mut after = revision;
    for row in &found {
        let key = SqlValue::Blob(blob(row, 0, "a key")?);
        let slot = Slot(number(row, 1, "a slot")?);
        let floor = version(row, 2)?.to_i64();
        query(
            sql,
            recipe::FLOOR_RAISE,
            &[keyspace.clone(), int(slot.0), int(floor)],
        )?;
        query(sql, recipe::ROW_DELETE, &[keyspace.clone(), key])?;
        after = Revision(after.0.saturating_add(1));
    }
    if after != revision {
        query(sql, recipe::REVISION_SET, &[revision_number(after)])?;
    }
    Ok(Ok(u32::try_from(found.len()).unwrap_or(u32::MAX)))
}
