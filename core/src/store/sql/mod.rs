//! A coordinator's commands on a shard in a SQL database, over the recipe's statements.
//!
//! Whoever owns the connections hands in a [`Database`], which lends one for each transaction, and
//! [`Sql`], which runs one statement; this module says which, in which order, in which transaction,
//! and decides. So a store in any language that has a synchronous SQLite can take part in a
//! migration, and none has a rule of its own.

mod office;
mod piece;
mod row;
mod transaction;
mod walk;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::error::ErrorCode;
use crate::guard::{Access, Fence};
use crate::ids::{DomainId, KeyspaceId, Slot};
use crate::migration::command::{Answer, ChunkId, Command, KeyDigest, sample};
use crate::recipes::sqlite as recipe;
use crate::store::StoredRow;
use crate::store::look::Damaged;
use crate::store::memory::Chunks;
use crate::store::sql::row::int;
use crate::store::sql::transaction::{change, guard_of, look, looking};

/// A column's value, or a parameter. The recipe has no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SqlValue<'v> {
    /// NULL.
    Null,
    /// A number.
    Integer(i64),
    /// Bytes.
    Blob(&'v [u8]),
    /// Text, as its bytes: never a parameter, and only other hands can have put it there. A value
    /// may be text; a key may not.
    Text(&'v [u8]),
}

/// What is handed each row of a statement's answer: its columns, in their order.
pub type EachRow<'e> = dyn FnMut(&[SqlValue<'_>]) -> Result<(), Damaged> + 'e;

/// One connection to a shard's database, which nobody else uses meanwhile.
///
/// Where there is but this one, it is a [`Database`] too.
pub trait Sql {
    /// What the database fails with.
    type Error;

    /// Runs one statement, or one pragma, to its end, and hands each row of its answer to `each`,
    /// as they come: there may be as many as the shard has. The first fault of `each` ends it.
    ///
    /// `text` is one of the recipe's texts or a transaction's `BEGIN IMMEDIATE`, `BEGIN DEFERRED`,
    /// `COMMIT` or `ROLLBACK`; always the same few, so that they can be kept compiled. Except for
    /// [`DURABLE`](recipe::DURABLE) and [`RELAXED`](recipe::RELAXED): these pragmas act when they
    /// are compiled.
    ///
    /// # Errors
    ///
    /// [`SqlFault::Database`] with what the database says, or [`SqlFault::Damaged`] as `each` had
    /// it. Within a transaction it is rolled back then.
    fn run(
        &mut self,
        text: &'static str,
        parameters: &[SqlValue<'_>],
        each: &mut EachRow<'_>,
    ) -> Result<(), SqlFault<Self::Error>>;
}

impl<S: Sql> Sql for &mut S {
    type Error = S::Error;

    fn run(
        &mut self,
        text: &'static str,
        parameters: &[SqlValue<'_>],
        each: &mut EachRow<'_>,
    ) -> Result<(), SqlFault<S::Error>> {
        S::run(self, text, parameters, each)
    }
}

/// What a connection is wanted for: one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// It only reads, perhaps for long. Whoever reads for clients mustn't wait for it.
    Look,
    /// It changes guard rows or the shard's own. It goes before clients that wait to write.
    Office,
    /// It changes rows, 64 at most. It waits for its turn among the clients that write.
    Rows,
}

/// A shard's database, over one connection or several.
pub trait Database {
    /// What it fails with.
    type Error;

    /// Lends a connection for one transaction, which is over when it is dropped. A later turn never
    /// begins before that.
    fn turn(&mut self, turn: Turn) -> impl Sql<Error = Self::Error>;

    /// Hears how many rows a committed transaction was to change, at most, after its turn: for who
    /// checkpoints by hand.
    fn changed(&mut self, rows: u64) {
        let _ = rows;
    }
}

impl<S: Sql> Database for S {
    type Error = S::Error;

    fn turn(&mut self, _: Turn) -> impl Sql<Error = S::Error> {
        self
    }
}

/// What keeps the rows of chunks from the read to the applies: [`Chunks`], or a lock around one,
/// which is then taken only while rows are put and got.
pub trait HoldChunks {
    /// Holds `rows` of `domain` as `chunk`, in place of the domain's former chunk.
    fn put(&mut self, chunk: ChunkId, domain: DomainId, rows: Vec<StoredRow>);

    /// The rows of `chunk`, if it is held.
    fn get(&self, chunk: ChunkId) -> Option<Arc<[StoredRow]>>;
}

impl HoldChunks for Chunks {
    fn put(&mut self, chunk: ChunkId, domain: DomainId, rows: Vec<StoredRow>) {
        Self::put(self, chunk, domain, rows);
    }

    fn get(&self, chunk: ChunkId) -> Option<Arc<[StoredRow]>> {
        Self::get(self, chunk)
    }
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
type Fallible<T, E> = Result<T, SqlFault<E>>;

/// The connection that was lent for a transaction.
type Lent<'l, E> = dyn Sql<Error = E> + 'l;

/// Rows that a store changes in one go before it lets others in: long commands are cut into
/// pieces of this many, each checked by the guard and atomic on its own.
pub const ROWS_AT_ONCE: usize = 64;

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
pub fn command<D: Database>(
    database: &mut D,
    command: &Command,
    chunks: &mut impl HoldChunks,
) -> Result<Answer, SqlFault<D::Error>> {
    match command {
        Command::Claim {
            shard,
            term,
            lineage,
        } => office::within(database, *term, |sql| {
            office::claimed(sql, *shard, *lineage)
        }),
        Command::Time { .. } => look(database, office::clock).map(Answer::Time),
        Command::Grant {
            term,
            fence,
            asked,
            lease_ms,
            ..
        } => office::lease(database, *term, *fence, (*asked, *lease_ms)),
        Command::Shut { term, shut, .. } => office::within(database, *term, |sql| {
            change(sql, recipe::SHUT_SET, &[int(u8::from(*shut))])?;
            Ok(Answer::Done)
        }),
        Command::Install { term, rows, .. } => {
            office::within(database, *term, |sql| office::install(sql, rows))
        }
        Command::Close { term, fence, .. } => {
            office::within(database, *term, |sql| office::close_row(sql, *fence))
        }
        Command::Guards { .. } => look(database, office::guards),
        Command::Apply {
            term, fence, chunk, ..
        } => {
            let held = "the chunk isn't held; read it again";
            let rows = chunks.get(*chunk).ok_or(SqlFault::Misdirected(held))?;
            piece::apply(database, *term, *fence, &rows)
        }
        Command::Purge {
            term,
            fence,
            limit,
            release,
            ..
        } => piece::remove(database, *fence, Access::Purge(*term), *limit, *release),
        Command::Collect {
            term, fence, limit, ..
        } => piece::remove(database, *fence, Access::Collect(*term), *limit, false),
        Command::Revision { fence, .. } => {
            looking(database, *fence, |_, at, _| Ok(Answer::Revision(at)))
        }
        Command::Changes {
            fence,
            after,
            limit,
            chunk,
            ..
        } => looking(database, *fence, |sql, at, guard| {
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
        Command::Count { fence, .. } => look(database, |sql| {
            let Some(guard) = guard_of(sql, fence.domain)? else {
                return Ok(Answer::Rows(0));
            };
            walk::count(sql, &guard)
        }),
        Command::Digests { fence, .. } => {
            looking(database, *fence, |sql, _, guard| walk::digests(sql, guard))
        }
        Command::Keys {
            fence,
            keyspace,
            slots,
            ..
        } => keys(database, *fence, *keyspace, slots, |keys| keys),
        Command::Sample {
            fence,
            keyspace,
            slots,
            seed,
            limit,
            ..
        } => keys(database, *fence, *keyspace, slots, |keys| {
            sample(keys, *seed, *limit)
        }),
        Command::Look {
            fence,
            keyspace,
            slots,
            keys: wanted,
            ..
        } => keys(database, *fence, *keyspace, slots, |mut found| {
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
fn keys<D: Database>(
    database: &mut D,
    fence: Fence,
    keyspace: KeyspaceId,
    slots: &[Slot],
    choose: impl FnOnce(Vec<KeyDigest>) -> Vec<KeyDigest>,
) -> Fallible<Answer, D::Error> {
    looking(database, fence, |sql, _, guard| {
        let keys = walk::keys(sql, keyspace, guard.domain, slots)?;
        Ok(Answer::Keys(choose(keys)))
    })
}
