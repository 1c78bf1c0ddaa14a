//! One transaction on a connection that was lent for it, and what each begins with.

use crate::guard::{Access, Fence, GuardRow, Refusal, admit, in_force};
use crate::ids::{DomainId, Revision, Term};
use crate::migration::command::Answer;
use crate::migration::request::Lineage;
use crate::recipes::sqlite as recipe;
use crate::store::OperationKey;
use crate::store::look::Damaged;
use crate::store::sql::row::{guard, int, number, operation_of};
use crate::store::sql::{Database, Fallible, Lent, SqlFault, SqlValue, Turn};

/// Whether a commit must be on disk when it is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// It survives the process.
    Relaxed,
    /// It is on disk, and all that was committed before it.
    Durable,
}

/// Runs `work` in one transaction: over one unchanging state, or with no other writer between.
pub(super) fn transaction<D: Database, T>(
    database: &mut D,
    turn: Turn,
    durability: Durability,
    work: impl FnOnce(&mut Lent<'_, D::Error>) -> Fallible<T, D::Error>,
) -> Fallible<T, D::Error> {
    let begin = match turn {
        Turn::Look => "BEGIN DEFERRED",
        Turn::Office | Turn::Rows => "BEGIN IMMEDIATE",
    };
    let mut lent = database.turn(turn);
    let sql: &mut Lent<'_, D::Error> = &mut lent;
    if durability == Durability::Durable {
        change(sql, recipe::DURABLE, &[])?;
    }
    let done = change(sql, begin, &[]).and_then(|()| {
        let done = work(sql).and_then(|done| change(sql, "COMMIT", &[]).map(|()| done));
        if done.is_err() {
            // SQLite itself ends a transaction after some faults; then there is nothing to do.
            let _ = change(sql, "ROLLBACK", &[]);
        }
        done
    });
    if durability == Durability::Durable {
        change(sql, recipe::RELAXED, &[])?;
    }
    done
}

/// Runs a statement of which no row is expected.
pub(super) fn change<E>(
    sql: &mut Lent<'_, E>,
    text: &'static str,
    parameters: &[SqlValue<'_>],
) -> Fallible<(), E> {
    sql.run(text, parameters, &mut |_| Ok(()))
}

/// What the first row of a statement's answer says, if there is one.
pub(super) fn first<E, T>(
    sql: &mut Lent<'_, E>,
    text: &'static str,
    parameters: &[SqlValue<'_>],
    read: impl Fn(&[SqlValue<'_>]) -> Result<T, Damaged>,
) -> Fallible<Option<T>, E> {
    let mut found = None;
    sql.run(text, parameters, &mut |row| {
        if found.is_none() {
            found = Some(read(row)?);
        }
        Ok(())
    })?;
    Ok(found)
}

/// A look without a change.
pub(super) fn look<D: Database, T>(
    database: &mut D,
    work: impl FnOnce(&mut Lent<'_, D::Error>) -> Fallible<T, D::Error>,
) -> Fallible<T, D::Error> {
    transaction(database, Turn::Look, Durability::Relaxed, work)
}

/// A look at what an admitted domain holds.
pub(super) fn looking<D: Database>(
    database: &mut D,
    fence: Fence,
    work: impl FnOnce(&mut Lent<'_, D::Error>, Revision, &GuardRow) -> Fallible<Answer, D::Error>,
) -> Fallible<Answer, D::Error> {
    look(database, |sql| match domain(sql, fence, Access::Inspect)? {
        (at, Ok(guard)) => work(sql, at, &guard),
        (_, Err(refusal)) => Ok(Answer::Refused(refusal)),
    })
}

/// The shard's revision, and the guard row if it admits the access. Which domain holds a key is
/// looked up row by row.
pub(super) fn domain<E>(
    sql: &mut Lent<'_, E>,
    fence: Fence,
    access: Access,
) -> Fallible<(Revision, Result<GuardRow, Refusal>), E> {
    let meta = meta(sql)?;
    // A coordinator looks without a lease.
    let row = guard_of(sql, fence.domain)?.map(|row| in_force(row, false, meta.shut));
    let admitted = admit(row.as_ref(), Some(fence.domain), meta.term, fence, access).copied();
    Ok((meta.revision, admitted))
}

/// The shard's own row.
pub(super) struct Meta {
    pub(super) revision: Revision,
    pub(super) term: Term,
    pub(super) incarnation: OperationKey,
    pub(super) answers: u64,
    pub(super) shut: bool,
    pub(super) lineage: Lineage,
}

pub(super) fn meta<E>(sql: &mut Lent<'_, E>) -> Fallible<Meta, E> {
    let meta = first(sql, recipe::META, &[], |row| {
        Ok(Meta {
            revision: Revision(number(row, 1, "the revision")?),
            term: Term(number(row, 2, "the term")?),
            incarnation: operation_of(row, 3)?,
            answers: number(row, 4, "the count of durable answers")?,
            shut: number::<u8>(row, 5, "whether the shard is shut")? != 0,
            lineage: Lineage {
                follows: number(row, 6, "the claim before the last")?,
                claim: number(row, 7, "the last claim")?,
            },
        })
    })?;
    meta.ok_or(SqlFault::Damaged(Damaged("the one row of its state")))
}

pub(super) fn guard_of<E>(
    sql: &mut Lent<'_, E>,
    domain: DomainId,
) -> Fallible<Option<GuardRow>, E> {
    first(sql, recipe::GUARD, &[int(domain.0)], guard)
}
