//! Claims, installs and closes: small, durable, and never behind a long transaction.

use alloc::vec::Vec;

use crate::guard::{
    Claim, Fence, GuardRow, InstallRow, Lease, check_term, close, grant, takes_effect,
};
use crate::ids::{Revision, ShardId, SlotRange, Term};
use crate::migration::command::Answer;
use crate::migration::request::{Lineage, Mark};
use crate::recipes::sqlite as recipe;
use crate::scope::Scope;
use crate::store::look::{Damaged, columns_of_guard};
use crate::store::sql::row::{guard, int, number, revision_number};
use crate::store::sql::transaction::{Durability, change, first, guard_of, meta, transaction};
use crate::store::sql::{Database, Fallible, Lent, SqlFault, SqlValue, Turn};

/// What a coordinator of a term does durably: refused below the highest term seen.
pub(super) fn within<D: Database>(
    database: &mut D,
    term: Term,
    work: impl FnOnce(&mut Lent<'_, D::Error>) -> Fallible<Answer, D::Error>,
) -> Fallible<Answer, D::Error> {
    transaction(database, Turn::Office, Durability::Durable, |sql| {
        let seen = meta(sql)?.term;
        if let Err(refusal) = check_term(seen, term) {
            return Ok(Answer::Refused(refusal));
        }
        change(sql, recipe::TERM_SET, &[int(term.0)])?;
        work(sql)
    })
}

/// What the shard says of itself at a claim, which it keeps.
pub(super) fn claimed<E>(
    sql: &mut Lent<'_, E>,
    shard: ShardId,
    claim: Lineage,
) -> Fallible<Answer, E> {
    let meta = meta(sql)?;
    let lineage = meta.lineage.then(claim);
    let kept = [lineage.follows, lineage.claim].map(|claim| revision_number(Revision(claim)));
    change(sql, recipe::LINEAGE_SET, &kept)?;
    Ok(Answer::Claimed(Mark {
        shard,
        incarnation: meta.incarnation,
        answers: meta.answers,
        shut: meta.shut,
        lineage,
    }))
}

/// The clock that leases are counted by.
pub(super) fn clock<E>(sql: &mut Lent<'_, E>) -> Fallible<u64, E> {
    let damaged = "the machine's clock";
    let now = first(sql, recipe::CLOCK, &[], |row| number(row, 0, damaged))?;
    now.ok_or(SqlFault::Damaged(Damaged(damaged)))
}

/// Lets a leased mirror answer reads for `lease_ms` from when it said the time `asked`. A power
/// failure may take the last lease: then it is over.
pub(super) fn lease<D: Database>(
    database: &mut D,
    term: Term,
    fence: Fence,
    offer: (u64, u32),
) -> Fallible<Answer, D::Error> {
    transaction(database, Turn::Office, Durability::Relaxed, |sql| {
        let seen = meta(sql)?.term;
        let row = guard_of(sql, fence.domain)?;
        let held = first(sql, recipe::LEASE, &[int(fence.domain.0)], |row| {
            Ok(Lease {
                from: number(row, 0, "a lease")?,
                until: number(row, 1, "a lease")?,
            })
        })?;
        let held = held.unwrap_or_default();
        let now = clock(sql)?;
        match grant(row.as_ref(), held, (seen, term), fence, offer, now) {
            Ok(Lease { from, until }) => {
                let [from, until] = [from, until].map(|ms| revision_number(Revision(ms)));
                change(sql, recipe::LEASE_PUT, &[int(fence.domain.0), from, until])?;
                Ok(Answer::Done)
            }
            Err(refusal) => Ok(Answer::Refused(refusal)),
        }
    })
}

/// Installs rows, each judged by itself; the caller's transaction makes them one step.
pub(super) fn install<E>(sql: &mut Lent<'_, E>, all: &[InstallRow]) -> Fallible<Answer, E> {
    for InstallRow { row, claims } in all {
        if !takes_effect(guard_of(sql, row.domain)?.as_ref(), row) {
            continue;
        }
        put_guard(sql, row)?;
        let (keyspace, domain) = (int(row.keyspace.0), int(row.domain.0));
        for claim in claims {
            match claim {
                Claim::Slots(ranges) => {
                    for range in ranges {
                        let (start, end) = (int(range.start), int(range.end));
                        let claimed = [keyspace, start, end, domain];
                        change(sql, recipe::CLAIM_SLOTS, &claimed)?;
                    }
                }
                Claim::Scope(scope, ranges) => {
                    claim_scope(sql, keyspace, scope, ranges, domain)?;
                }
                Claim::Release(scope, ranges) => {
                    claim_scope(sql, keyspace, scope, ranges, SqlValue::Null)?;
                }
                Claim::Clear => {
                    change(sql, recipe::CLEAR_SCOPES, &[keyspace])?;
                }
                Claim::Bits(bits) => {
                    change(sql, recipe::CLAIM_BITS, &[keyspace, int(*bits)])?;
                }
            }
        }
    }
    Ok(Answer::Done)
}

fn claim_scope<E>(
    sql: &mut Lent<'_, E>,
    keyspace: SqlValue<'_>,
    scope: &Scope,
    ranges: &[SlotRange],
    domain: SqlValue<'_>,
) -> Fallible<(), E> {
    for range in ranges {
        let [start, end] = [&scope.start, &scope.end].map(|key| SqlValue::Blob(key));
        let (first, after) = (int(range.start), int(range.end));
        let claimed = [keyspace, start, end, first, after, domain];
        change(sql, recipe::CLAIM_SCOPE, &claimed)?;
    }
    Ok(())
}

pub(super) fn close_row<E>(sql: &mut Lent<'_, E>, fence: Fence) -> Fallible<Answer, E> {
    let Some(row) = guard_of(sql, fence.domain)? else {
        return Ok(Answer::Closed(None));
    };
    let Some(closed) = close(&row, fence.epoch) else {
        return Ok(Answer::Closed(Some(row)));
    };
    put_guard(sql, &closed)?;
    Ok(Answer::Closed(Some(closed)))
}

pub(super) fn guards<E>(sql: &mut Lent<'_, E>) -> Fallible<Answer, E> {
    let mut all = Vec::new();
    sql.run(recipe::GUARDS, &[], &mut |row| {
        all.push(guard(row)?);
        Ok(())
    })?;
    Ok(Answer::Guards(all))
}

fn put_guard<E>(sql: &mut Lent<'_, E>, row: &GuardRow) -> Fallible<(), E> {
    change(
        sql,
        recipe::GUARD_PUT,
        &columns_of_guard(row).map(SqlValue::Integer),
    )?;
    Ok(())
}
