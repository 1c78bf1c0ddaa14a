//! A coordinator's commands on a shard in a SQL database, over the recipe's statements.
//!
//! Whoever owns the connection hands in [`Sql`], which runs one statement; this module says which,
//! in which order, in which transaction, and decides. So a store in any language that has a
//! synchronous SQLite can take part in a migration, and none has a rule of its own.

mod office;
mod piece;
mod walk;

use alloc::vec::Vec;
use core::fmt;

use crate::error::ErrorCode;
use crate::guard::{Access, Fence, GuardRow, Refusal, admit, in_force};
use crate::ids::{DomainId, KeyspaceId, Revision, Slot, Term, Version};
use crate::migration::command::{Answer, Command, KeyDigest, sample};
use crate::migration::request::Lineage;
use crate::recipes::sqlite as recipe;
use crate::store::look::{Damaged, guard_of_columns, operation};
use crate::store::memory::Chunks;

/// A column's value, or a parameter. The recipe has no others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SqlValue {
    /// NULL.
    Null,
    /// A number.
    Integer(i64),
    /// Bytes.
    Blob(Vec<u8>),
}

/// The rows of a statement's answer; none for one that answers nothing.
pub type SqlRows = Vec<Vec<SqlValue>>;

/// One connection to a shard's database, which nobody else uses meanwhile.
pub trait Sql {
    /// What the database fails with.
    type Error;

    /// Runs one statement, or one pragma, to its end.
    ///
    /// `text` is one of the recipe's texts or a transaction's `BEGIN IMMEDIATE`, `BEGIN DEFERRED`,
    /// `COMMIT` or `ROLLBACK`; always the same few, so that they can be kept compiled. Except for
    /// [`DURABLE`](recipe::DURABLE) and [`RELAXED`](recipe::RELAXED): these pragmas act when they
    /// are compiled.
    ///
    /// # Errors
    ///
    /// What the database says. Within a transaction it is rolled back then.
    fn run(&mut self, text: &'static str, parameters: &[SqlValue]) -> Result<SqlRows, Self::Error>;
}

/// Why a command had no answer. A coordinator takes each for silence and asks again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqlFault<E> {
    /// The database failed. What it was to change is unchanged, except where the commit failed:
    /// then it may be done. Every command may be repeated.
    Database(E),
    /// The shard's own tables are damaged.
    Damaged(Damaged),
    /// The command isn't for this shard, or names a chunk that isn't held: what it says.
    Misdirected(&'static str),
}

impl<E> SqlFault<E> {
    /// The fault's stable slug: `store_io` where the database itself failed.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Database(_) => ErrorCode::StoreIo,
            Self::Damaged(damaged) => damaged.code(),
            Self::Misdirected(_) => ErrorCode::Argument,
        }
    }
}

impl<E: fmt::Display> fmt::Display for SqlFault<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => error.fmt(f),
            Self::Damaged(damaged) => damaged.fmt(f),
            Self::Misdirected(text) => f.write_str(text),
        }
    }
}

impl<E> From<Damaged> for SqlFault<E> {
    fn from(damaged: Damaged) -> Self {
        Self::Damaged(damaged)
    }
}

/// What a step of a command ends with.
type Fallible<T, S> = Result<T, SqlFault<<S as Sql>::Error>>;

/// How many rows one transaction changes at most: a client waits behind it no longer.
const ROWS_AT_ONCE: usize = 64;

/// Carries out one of a coordinator's commands for a shard. `chunks` holds what was read until it
/// is applied elsewhere: one for all shards of a runner.
///
/// # Errors
///
/// [`SqlFault`]: answer [`Answer::Unreachable`], and tell somebody.
#[expect(
    clippy::too_many_lines,
    reason = "one table, from a command to its answer"
)]
pub fn command<S: Sql>(
    sql: &mut S,
    command: &Command,
    chunks: &mut Chunks,
) -> Result<Answer, SqlFault<S::Error>> {
    match command {
        Command::Claim {
            shard,
            term,
            lineage,
        } => office::within(sql, *term, |sql| office::claimed(sql, *shard, *lineage)),
        Command::Time { .. } => transaction(sql, Begin::Read, office::clock).map(Answer::Time),
        Command::Grant {
            term,
            fence,
            asked,
            lease_ms,
            ..
        } => office::lease(sql, *term, *fence, (*asked, *lease_ms)),
        Command::Shut { term, shut, .. } => office::within(sql, *term, |sql| {
            query(sql, recipe::SHUT_SET, &[int(u8::from(*shut))])?;
            Ok(Answer::Done)
        }),
        Command::Install { term, rows, .. } => {
            office::within(sql, *term, |sql| office::install(sql, rows))
        }
        Command::Close { term, fence, .. } => {
            office::within(sql, *term, |sql| office::close_row(sql, *fence))
        }
        Command::Guards { .. } => transaction(sql, Begin::Read, office::guards),
        Command::Apply {
            term, fence, chunk, ..
        } => {
            let held = "the chunk isn't held; read it again";
            let rows = chunks.get(*chunk).ok_or(SqlFault::Misdirected(held))?;
            piece::apply(sql, *term, *fence, &rows)
        }
        Command::Purge {
            term,
            fence,
            limit,
            release,
            ..
        } => piece::remove(sql, *fence, Access::Purge(*term), *limit, *release),
        Command::Collect {
            term, fence, limit, ..
        } => piece::remove(sql, *fence, Access::Collect(*term), *limit, false),
        Command::Revision { fence, .. } => {
            looking(sql, *fence, |_, at, _| Ok(Answer::Revision(at)))
        }
        Command::Changes {
            fence,
            after,
            limit,
            chunk,
            ..
        } => looking(sql, *fence, |sql, at, guard| {
            let limit = (*limit).max(1);
            let (rows, last) = walk::changes(sql, guard, *after, limit)?;
            let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
            let end = count < limit;
            chunks.put(*chunk, fence.domain, rows);
            Ok(Answer::Changes {
                rows: count,
                upto: if end { at } else { last },
                end,
            })
        }),
        Command::Count { fence, .. } => transaction(sql, Begin::Read, |sql| {
            let Some(guard) = guard_of(sql, fence.domain)? else {
                return Ok(Answer::Rows(0));
            };
            walk::count(sql, &guard)
        }),
        Command::Digests { fence, .. } => {
            looking(sql, *fence, |sql, _, guard| walk::digests(sql, guard))
        }
        Command::Keys {
            fence,
            keyspace,
            slots,
            ..
        } => keys(sql, *fence, *keyspace, slots, |keys| keys),
        Command::Sample {
            fence,
            keyspace,
            slots,
            seed,
            limit,
            ..
        } => keys(sql, *fence, *keyspace, slots, |keys| {
            sample(keys, *seed, *limit)
        }),
        Command::Look {
            fence,
            keyspace,
            slots,
            keys: wanted,
            ..
        } => keys(sql, *fence, *keyspace, slots, |mut found| {
            found.retain(|digest| wanted.contains(&digest.key));
            found
        }),
        Command::Lead { .. }
        | Command::Renew { .. }
        | Command::Ask { .. }
        | Command::Swap { .. }
        | Command::SaveLog { .. } => Err(SqlFault::Misdirected(
            "the command is for the topology store",
        )),
    }
}

/// The rows of some slots that the domain holds, or those of them that are chosen.
fn keys<S: Sql>(
    sql: &mut S,
    fence: Fence,
    keyspace: KeyspaceId,
    slots: &[Slot],
    choose: impl FnOnce(Vec<KeyDigest>) -> Vec<KeyDigest>,
) -> Fallible<Answer, S> {
    looking(sql, fence, |sql, _, guard| {
        let keys = walk::keys(sql, keyspace, guard.domain, slots)?;
        Ok(Answer::Keys(choose(keys)))
    })
}

/// How a transaction begins and ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// One unchanging state.
    Read,
    /// A change that survives the process.
    Write,
    /// A change that is on disk when it is answered.
    Durable,
}

fn transaction<S: Sql, T>(
    sql: &mut S,
    begin: Begin,
    work: impl FnOnce(&mut S) -> Fallible<T, S>,
) -> Fallible<T, S> {
    let run = |sql: &mut S, text| {
        let done = sql.run(text, &[]);
        done.map(drop).map_err(SqlFault::Database)
    };
    if begin == Begin::Durable {
        run(sql, recipe::DURABLE)?;
    }
    let opened = run(
        sql,
        match begin {
            Begin::Read => "BEGIN DEFERRED",
            Begin::Write | Begin::Durable => "BEGIN IMMEDIATE",
        },
    );
    let done = opened.and_then(|()| {
        let done = work(sql).and_then(|done| run(sql, "COMMIT").map(|()| done));
        if done.is_err() {
            // SQLite itself ends a transaction after some faults; then there is nothing to do.
            let _ = sql.run("ROLLBACK", &[]);
        }
        done
    });
    if begin == Begin::Durable {
        run(sql, recipe::RELAXED)?;
    }
    done
}

/// A look at what an admitted domain holds.
fn looking<S: Sql>(
    sql: &mut S,
    fence: Fence,
    work: impl FnOnce(&mut S, Revision, &GuardRow) -> Fallible<Answer, S>,
) -> Fallible<Answer, S> {
    transaction(sql, Begin::Read, |sql| {
        match domain(sql, fence, Access::Inspect)? {
            (at, Ok(guard)) => work(sql, at, &guard),
            (_, Err(refusal)) => Ok(Answer::Refused(refusal)),
        }
    })
}

/// The shard's revision, and the guard row if it admits the access. Which domain holds a key is
/// looked up row by row.
fn domain<S: Sql>(
    sql: &mut S,
    fence: Fence,
    access: Access,
) -> Fallible<(Revision, Result<GuardRow, Refusal>), S> {
    let meta = meta(sql)?;
    // A coordinator looks without a lease.
    let row = guard_of(sql, fence.domain)?.map(|row| in_force(row, false, meta.shut));
    let admitted = admit(row.as_ref(), Some(fence.domain), meta.term, fence, access).copied();
    Ok((meta.revision, admitted))
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

fn meta<S: Sql>(sql: &mut S) -> Fallible<Meta, S> {
    let rows = query(sql, recipe::META, &[])?;
    let row = rows.first().ok_or(Damaged("the one row of its state"))?;
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
}

fn guard_of<S: Sql>(sql: &mut S, domain: DomainId) -> Fallible<Option<GuardRow>, S> {
    let rows = query(sql, recipe::GUARD, &[int(domain.0)])?;
    Ok(rows.first().map(|row| guard(row)).transpose()?)
}

fn guard(row: &[SqlValue]) -> Result<GuardRow, Damaged> {
    guard_of_columns(|at| integer(row, at))
}

fn query<S: Sql>(sql: &mut S, text: &'static str, parameters: &[SqlValue]) -> Fallible<SqlRows, S> {
    sql.run(text, parameters).map_err(SqlFault::Database)
}

fn int(number: impl Into<i64>) -> SqlValue {
    SqlValue::Integer(number.into())
}

/// No store counts its changes beyond an i64.
fn revision_number(revision: Revision) -> SqlValue {
    SqlValue::Integer(i64::try_from(revision.0).unwrap_or(i64::MAX))
}

fn integer(row: &[SqlValue], at: usize) -> Option<i64> {
    match row.get(at) {
        Some(SqlValue::Integer(number)) => Some(*number),
        Some(SqlValue::Null | SqlValue::Blob(_)) | None => None,
    }
}

fn number<N: TryFrom<i64>>(row: &[SqlValue], at: usize, what: &'static str) -> Result<N, Damaged> {
    let number = integer(row, at).ok_or(Damaged(what))?;
    N::try_from(number).map_err(|_| Damaged(what))
}

fn version(row: &[SqlValue], at: usize) -> Result<Version, Damaged> {
    let number = number(row, at, "a version")?;
    Version::from_i64(number).ok_or(Damaged("a version"))
}

fn blob(row: &[SqlValue], at: usize, what: &'static str) -> Result<Vec<u8>, Damaged> {
    value(row, at, what)?.ok_or(Damaged(what))
}

/// Bytes, or none where there is NULL.
fn value(row: &[SqlValue], at: usize, what: &'static str) -> Result<Option<Vec<u8>>, Damaged> {
    match row.get(at) {
        Some(SqlValue::Blob(bytes)) => Ok(Some(bytes.clone())),
        Some(SqlValue::Null) => Ok(None),
        Some(SqlValue::Integer(_)) | None => Err(Damaged(what)),
    }
}

fn operation_of(row: &[SqlValue], at: usize) -> Result<crate::store::OperationKey, Damaged> {
    match row.get(at) {
        Some(SqlValue::Blob(bytes)) => operation(Some(bytes)),
        Some(SqlValue::Null | SqlValue::Integer(_)) | None => operation(None),
    }
}
