//! A coordinator's commands.

use ringshift::migration::command::{Answer, Command, KeyDigest, sample};
use ringshift::migration::{Lineage, Mark};
use ringshift::recipes::sqlite as recipe;
use ringshift::store::columns_of_guard;
use ringshift::{
    Access, Claim, DomainId, Fence, GuardRow, InstallRow, KeyspaceId, Lease, Refusal, Revision,
    Scope, ShardId, Slot, SlotRange, Term, admit, check_term, close, grant, in_force, takes_effect,
};
use rusqlite::Connection;

use crate::store::error::StoreError;
use crate::store::sqlite::rows::{self, Result};
use crate::store::sqlite::transaction::{self, Durability, Fault};
use crate::store::sqlite::{SqliteStore, bulk, walk};
use crate::store::{Chunks, ROWS_AT_ONCE, StoredRow};

/// What a transaction of a command comes to: the guard's refusal is an answer, not an error, but
/// what was done before it must not stay.
type Fenced<T> = std::result::Result<T, Refusal>;

impl SqliteStore {
    #[expect(
        clippy::too_many_lines,
        reason = "one table, from a command to its answer"
    )]
    pub(super) fn carry_out(
        &self,
        command: &Command,
        chunks: &Chunks,
    ) -> std::result::Result<Answer, Fault> {
        match command {
            Command::Claim {
                shard,
                term,
                lineage,
            } => self.office(*term, |connection| claimed(connection, *shard, *lineage)),
            Command::Time { .. } => {
                self.look(|connection| Ok(Ok(Answer::Time(clock(connection)?))))
            }
            Command::Grant {
                term,
                fence,
                asked,
                lease_ms,
                ..
            } => self.lease(*term, *fence, (*asked, *lease_ms)),
            Command::Shut { term, shut, .. } => self.office(*term, |connection| {
                connection
                    .prepare_cached(recipe::SHUT_SET)?
                    .execute([*shut])?;
                Ok(Answer::Done)
            }),
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
                let rows = chunks
                    .get(*chunk)
                    .ok_or_else(|| StoreError::not_held(*chunk))?;
                self.apply(*term, *fence, &rows)
            }
            Command::Purge {
                term,
                fence,
                limit,
                release,
                ..
            } => self.remove(*fence, Access::Purge(*term), *limit, *release),
            Command::Collect {
                term, fence, limit, ..
            } => self.remove(*fence, Access::Collect(*term), *limit, false),
            Command::Guards { .. } => self.look(|connection| guards(connection).map(Ok)),
            Command::Revision { fence, .. } => self.look(|connection| {
                let (at, guard) = domain(connection, *fence, Access::Inspect)?;
                Ok(guard.map(|_| Answer::Revision(at)))
            }),
            Command::Changes {
                fence,
                after,
                limit,
                chunk,
                ..
            } => self.look(|connection| {
                let (at, guard) = domain(connection, *fence, Access::Inspect)?;
                let guard = match guard {
                    Ok(guard) => guard,
                    Err(refusal) => return Ok(Err(refusal)),
                };
                let limit = (*limit).max(1);
                let (rows, last) = walk::changes(connection, &guard, *after, limit)?;
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
                let (_, guard) = domain(connection, *fence, Access::Inspect)?;
                match guard {
                    Ok(guard) => walk::digests(connection, &guard).map(|d| Ok(Answer::Digests(d))),
                    Err(refusal) => Ok(Err(refusal)),
                }
            }),
            Command::Keys {
                fence,
                keyspace,
                slots,
                ..
            } => self.keys(*fence, *keyspace, slots, |keys| keys),
            Command::Sample {
                fence,
                keyspace,
                slots,
                seed,
                limit,
                ..
            } => self.keys(*fence, *keyspace, slots, |keys| sample(keys, *seed, *limit)),
            Command::Look {
                fence,
                keyspace,
                slots,
                keys,
                ..
            } => self.keys(*fence, *keyspace, slots, |mut found| {
                found.retain(|digest| keys.contains(&digest.key));
                found
            }),
            Command::Lead { .. }
            | Command::Renew { .. }
            | Command::Ask { .. }
            | Command::Swap { .. }
            | Command::SaveLog { .. } => Err(StoreError::not_a_shard_s().into()),
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
            let seen = meta(connection)?.term;
            if let Err(refusal) = check_term(seen, term) {
                return Ok(Answer::Refused(refusal));
            }
            set_term(connection, term)?;
            work(connection)
        })
    }

    /// A lease, of which a power failure may take the last: then it is over.
    fn lease(
        &self,
        term: Term,
        fence: Fence,
        offer: (u64, u32),
    ) -> std::result::Result<Answer, Fault> {
        let writer = self.writer.urgent();
        transaction::write(&writer, Durability::Relaxed, |connection| {
            let seen = meta(connection)?.term;
            let row = guard(connection, fence.domain)?;
            let held = held_lease(connection, fence.domain)?;
            let now = clock(connection)?;
            match grant(row.as_ref(), held, (seen, term), fence, offer, now) {
                Ok(Lease { from, until }) => {
                    connection.prepare_cached(recipe::LEASE_PUT)?.execute((
                        fence.domain.0,
                        rows::millis(from),
                        rows::millis(until),
                    ))?;
                    Ok(Answer::Done)
                }
                Err(refusal) => Ok(Answer::Refused(refusal)),
            }
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

    fn keys(
        &self,
        fence: Fence,
        keyspace: KeyspaceId,
        slots: &[Slot],
        choose: impl FnOnce(Vec<KeyDigest>) -> Vec<KeyDigest>,
    ) -> std::result::Result<Answer, Fault> {
        self.look(|connection| {
            let (_, guard) = domain(connection, fence, Access::Inspect)?;
            match guard {
                Ok(guard) => walk::keys(connection, keyspace, guard.domain, slots)
                    .map(|keys| Ok(Answer::Keys(choose(keys)))),
                Err(refusal) => Ok(Err(refusal)),
            }
        })
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
                    set_term(connection, meta(connection)?.term)?;
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
        release: bool,
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
                            let rows = bulk::remove(connection, &guard, access, wanted, at)?;
                            if release && rows < wanted {
                                connection
                                    .prepare_cached(recipe::RELEASE_SCOPES)?
                                    .execute([guard.domain.0])?;
                            }
                            Ok(Ok(rows))
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

/// The shard's own row.
struct Meta {
    revision: Revision,
    term: Term,
    incarnation: [u8; 16],
    answers: u64,
    shut: bool,
    lineage: Lineage,
}

fn meta(connection: &Connection) -> Result<Meta> {
    let mut statement = connection.prepare_cached(recipe::META)?;
    let mut found = statement.query([])?;
    let row = found.next()?.ok_or(StoreError::Damaged("meta row"))?;
    Ok(Meta {
        revision: rows::revision(row, 1)?,
        term: rows::term(row, 2)?,
        incarnation: rows::operation(row, 3)?,
        answers: rows::revision(row, 4)?.0,
        shut: row.get(5)?,
        lineage: Lineage {
            follows: rows::revision(row, 6)?.0,
            claim: rows::revision(row, 7)?.0,
        },
    })
}

fn claimed(connection: &Connection, shard: ShardId, claim: Lineage) -> Result<Answer> {
    let meta = meta(connection)?;
    let lineage = meta.lineage.then(claim);
    let [follows, claim] =
        [lineage.follows, lineage.claim].map(|claim| rows::revision_number(Revision(claim)));
    connection
        .prepare_cached(recipe::LINEAGE_SET)?
        .execute((follows, claim))?;
    Ok(Answer::Claimed(Mark {
        shard,
        incarnation: meta.incarnation,
        answers: meta.answers,
        shut: meta.shut,
        lineage,
    }))
}

/// The clock that leases are counted by.
fn clock(connection: &Connection) -> Result<u64> {
    let now: i64 = connection
        .prepare_cached(recipe::CLOCK)?
        .query_row([], |row| row.get(0))?;
    u64::try_from(now).map_err(|_| StoreError::Damaged("the machine's clock"))
}

fn held_lease(connection: &Connection, domain: DomainId) -> Result<Lease> {
    let mut statement = connection.prepare_cached(recipe::LEASE)?;
    let mut found = statement.query([domain.0])?;
    Ok(match found.next()? {
        Some(row) => Lease {
            from: rows::revision(row, 0)?.0,
            until: rows::revision(row, 1)?.0,
        },
        None => Lease::default(),
    })
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
    let meta = meta(connection)?;
    // A coordinator looks without a lease.
    let row = guard(connection, fence.domain)?.map(|row| in_force(row, false, meta.shut));
    let admitted = admit(row.as_ref(), Some(fence.domain), meta.term, fence, access).copied();
    Ok((meta.revision, admitted))
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
    connection
        .prepare_cached(recipe::GUARD_PUT)?
        .execute(columns_of_guard(row))?;
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
                Claim::Scope(scope, ranges) => {
                    claim_scope(connection, keyspace, scope, ranges, Some(domain))?;
                }
                Claim::Release(scope, ranges) => {
                    claim_scope(connection, keyspace, scope, ranges, None)?;
                }
                Claim::Clear => {
                    connection
                        .prepare_cached(recipe::CLEAR_SCOPES)?
                        .execute([keyspace])?;
                }
                Claim::Bits(bits) => {
                    let mut statement = connection.prepare_cached(recipe::CLAIM_BITS)?;
                    statement.execute((keyspace, bits))?;
                }
            }
        }
    }
    Ok(())
}

fn claim_scope(
    connection: &Connection,
    keyspace: u16,
    scope: &Scope,
    ranges: &[SlotRange],
    domain: Option<u32>,
) -> Result<()> {
    let mut statement = connection.prepare_cached(recipe::CLAIM_SCOPE)?;
    for range in ranges {
        let Scope { start, end } = scope;
        statement.execute((keyspace, start, end, range.start, range.end, domain))?;
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
