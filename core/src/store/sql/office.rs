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
use crate::store::sql::{
    Begin, Fallible, Sql, SqlValue, guard, guard_of, int, meta, number, query, revision_number,
    transaction,
};

/// What a coordinator of a term does durably: refused below the highest term seen.
pub(super) fn within<S: Sql>(
    sql: &mut S,
    term: Term,
    work: impl FnOnce(&mut S) -> Fallible<Answer, S>,
) -> Fallible<Answer, S> {
    transaction(sql, Begin::Durable, |sql| {
        let seen = meta(sql)?.term;
        if let Err(refusal) = check_term(seen, term) {
            return Ok(Answer::Refused(refusal));
        }
        query(sql, recipe::TERM_SET, &[int(term.0)])?;
        work(sql)
    })
}

/// What the shard says of itself at a claim, which it keeps.
pub(super) fn claimed<S: Sql>(sql: &mut S, shard: ShardId, claim: Lineage) -> Fallible<Answer, S> {
    let meta = meta(sql)?;
    let lineage = meta.lineage.then(claim);
    let kept = [lineage.follows, lineage.claim].map(|claim| revision_number(Revision(claim)));
    query(sql, recipe::LINEAGE_SET, &kept)?;
    Ok(Answer::Claimed(Mark {
        shard,
        incarnation: meta.incarnation,
        answers: meta.answers,
        shut: meta.shut,
        lineage,
    }))
}

/// The clock that leases are counted by.
pub(super) fn clock<S: Sql>(sql: &mut S) -> Fallible<u64, S> {
    let rows = query(sql, recipe::CLOCK, &[])?;
    let row = rows.first().ok_or(Damaged("the machine's clock"))?;
    Ok(number(row, 0, "the machine's clock")?)
}

/// Lets a leased mirror answer reads for `lease_ms` from when it said the time `asked`.
pub(super) fn lease<S: Sql>(
    sql: &mut S,
    term: Term,
    fence: Fence,
    offer: (u64, u32),
) -> Fallible<Answer, S> {
    transaction(sql, Begin::Write, |sql| {
        let seen = meta(sql)?.term;
        let row = guard_of(sql, fence.domain)?;
        let held = query(sql, recipe::LEASE, &[int(fence.domain.0)])?;
        let held = match held.first() {
            Some(row) => Lease {
                from: number(row, 0, "a lease")?,
                until: number(row, 1, "a lease")?,
            },
            None => Lease::default(),
        };
        let now = clock(sql)?;
        match grant(row.as_ref(), held, (seen, term), fence, offer, now) {
            Ok(Lease { from, until }) => {
                let [from, until] = [from, until].map(|ms| revision_number(Revision(ms)));
                query(sql, recipe::LEASE_PUT, &[int(fence.domain.0), from, until])?;
                Ok(Answer::Done)
            }
            Err(refusal) => Ok(Answer::Refused(refusal)),
        }
    })
}

/// Installs rows, each judged by itself; the caller's transaction makes them one step.
pub(super) fn install<S: Sql>(sql: &mut S, all: &[InstallRow]) -> Fallible<Answer, S> {
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
                        let claimed = [keyspace.clone(), start, end, domain.clone()];
                        query(sql, recipe::CLAIM_SLOTS, &claimed)?;
                    }
                }
                Claim::Scope(scope, ranges) => {
                    claim_scope(sql, &keyspace, scope, ranges, &domain)?;
                }
                Claim::Release(scope, ranges) => {
                    claim_scope(sql, &keyspace, scope, ranges, &SqlValue::Null)?;
                }
                Claim::Clear => {
                    query(sql, recipe::CLEAR_SCOPES, core::slice::from_ref(&keyspace))?;
                }
                Claim::Bits(bits) => {
                    query(sql, recipe::CLAIM_BITS, &[keyspace.clone(), int(*bits)])?;
                }
            }
        }
    }
    Ok(Answer::Done)
}

fn claim_scope<S: Sql>(
    sql: &mut S,
    keyspace: &SqlValue,
    scope: &Scope,
    ranges: &[SlotRange],
    domain: &SqlValue,
) -> Fallible<(), S> {
    for range in ranges {
        let [start, end] = [&scope.start, &scope.end].map(|key| SqlValue::Blob(key.clone()));
        let (first, after) = (int(range.start), int(range.end));
        let claimed = [keyspace.clone(), start, end, first, after, domain.clone()];
        query(sql, recipe::CLAIM_SCOPE, &claimed)?;
    }
    Ok(())
}

pub(super) fn close_row<S: Sql>(sql: &mut S, fence: Fence) -> Fallible<Answer, S> {
    let Some(row) = guard_of(sql, fence.domain)? else {
        return Ok(Answer::Closed(None));
    };
    let Some(closed) = close(&row, fence.epoch) else {
        return Ok(Answer::Closed(Some(row)));
    };
    put_guard(sql, &closed)?;
    Ok(Answer::Closed(Some(closed)))
}

pub(super) fn guards<S: Sql>(sql: &mut S) -> Fallible<Answer, S> {
    let rows = query(sql, recipe::GUARDS, &[])?;
    let rows: Result<Vec<GuardRow>, _> = rows.iter().map(|row| guard(row)).collect();
    Ok(Answer::Guards(rows?))
}

fn put_guard<S: Sql>(sql: &mut S, row: &GuardRow) -> Fallible<(), S> {
    query(
        sql,
        recipe::GUARD_PUT,
        &columns_of_guard(row).map(SqlValue::Integer),
    )?;
    Ok(())
}
