//! A shard in one SQLite file, over the core's recipe.
//!
//! One connection writes, behind a lock that lets coordinators pass; a few read; one serves the
//! coordinator's reading, one checkpoints. Other processes may have the same file open.

mod attempt;
mod batch;
mod checkpoint;
mod command;
mod held;
mod lane;
mod open;
mod pool;
mod rows;
mod transaction;

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use ringshift::advise::StoredSize;
use ringshift::migration::command::{Answer, Command};
use ringshift::store::sql;
use ringshift::{Attempt, AttemptKind, Batch, BatchReply, Failure, Reply};
use rusqlite::Connection;

use crate::store::error::StoreError;
use crate::store::sqlite::checkpoint::Checkpointer;
use crate::store::sqlite::lane::Lane;
use crate::store::sqlite::pool::Pool;
use crate::store::sqlite::transaction::Fault;
use crate::store::{BatchResponse, Chunks, Content, Response, Store};

/// What may be chosen about a [`SqliteStore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Connections that serve reads; more reads than that wait. At least 1.
    pub readers: usize,
    /// The page cache of each connection, in KiB.
    pub cache_kib: u32,
    /// Whether no fence of an attempt is checked, as somebody else's server doesn't: then clients need
    /// leases ([`ClientLease`](ringshift::ClientLease)), and the snapshot must call the shard unfenced.
    pub unfenced: bool,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            readers: 4,
            cache_kib: 8 * 1024,
            unfenced: false,
        }
    }
}

/// A shard in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Arc<Lane<Connection>>,
    readers: Pool,
    /// What a coordinator reads with, so that it never waits for the clients' reads.
    control: Mutex<Connection>,
    checkpointer: Checkpointer,
    incarnation: [u8; 16],
    unfenced: bool,
    last_error: Mutex<Option<String>>,
}

impl SqliteStore {
    /// Opens the shard at `path`, and makes it when there is no file or an empty one.
    ///
    /// # Errors
    /// [`StoreError::NotADatabase`], [`StoreError::Foreign`] or [`StoreError::Format`] for a file
    /// that isn't such a shard, which is then left as it is; [`StoreError::Busy`],
    /// [`StoreError::Database`] or [`StoreError::Io`] when it can't be reached.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, SqliteOptions::default())
    }

    /// The same, with options.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, StoreError> {
        let path = path.as_ref();
        open::check_header(path)?;
        let mut writer = open::connect(path, options.cache_kib)?;
        let incarnation = open::prepare(&mut writer, path)?;
        let writer = Arc::new(Lane::new(writer));
        let readers = (0..options.readers.max(1))
            .map(|_| open::connect(path, options.cache_kib))
            .collect::<Result<_, _>>()?;
        let checkpoints = open::connect(path, 1024)?;
        Ok(Self {
            readers: Pool::new(readers),
            control: Mutex::new(open::connect(path, options.cache_kib)?),
            checkpointer: Checkpointer::start(checkpoints, Arc::clone(&writer))?,
            writer,
            incarnation,
            unfenced: options.unfenced,
            last_error: Mutex::new(None),
        })
    }

    /// What tells this file from every other: drawn when it was made.
    pub fn incarnation(&self) -> [u8; 16] {
        self.incarnation
    }

    /// How much there is of each stored slot, whoever holds it. It reads all rows: now and then, not
    /// all the time.
    ///
    /// # Errors
    /// [`StoreError`] when the database says no.
    pub fn sizes(&self) -> Result<Vec<StoredSize>, StoreError> {
        self.readers.with(held::sizes)
    }

    fn note(&self, error: &StoreError) {
        *self.last_error.lock() = Some(error.to_string());
    }

    /// What is known of a request that failed in the store.
    fn failure(&self, fault: &Fault) -> Failure {
        self.note(&fault.error);
        let rejected = matches!(&fault.error, StoreError::Database(error) if matches!(
            error.sqlite_error_code(),
            Some(rusqlite::ErrorCode::TooBig | rusqlite::ErrorCode::ConstraintViolation)
        ));
        if rejected {
            Failure::Rejected
        } else if fault.unknown {
            Failure::MaybeApplied
        } else {
            Failure::NotSent
        }
    }
}

impl Store for SqliteStore {
    fn attempt(&self, attempt: &Attempt, key: &[u8], content: Content<'_>) -> Response {
        let result = match attempt.kind {
            AttemptKind::Read | AttemptKind::Confirm => self
                .readers
                .with(|connection| attempt::read(connection, attempt, key, content, self.unfenced)),
            AttemptKind::Write | AttemptKind::Apply { .. } => {
                let writer = self.writer.ordinary();
                attempt::write(&writer, attempt, key, content, self.unfenced)
            }
        };
        match result {
            Ok((response, rows)) => {
                if rows > 0 {
                    self.checkpointer.count(rows);
                }
                response
            }
            Err(fault) => Reply::Failed(self.failure(&fault)).into(),
        }
    }

    fn batch(&self, batch: &Batch, requests: &[(&[u8], Content<'_>)]) -> BatchResponse {
        if self.unfenced {
            return BatchReply::Failed(Failure::Rejected).into();
        }
        let result = if batch.changes() {
            let writer = self.writer.ordinary();
            batch::batch(&writer, batch, requests)
        } else {
            self.readers
                .with(|connection| batch::batch(connection, batch, requests))
        };
        match result {
            Ok((response, rows)) => {
                if rows > 0 {
                    self.checkpointer.count(rows);
                }
                response
            }
            Err(fault) => BatchReply::Failed(self.failure(&fault)).into(),
        }
    }

    fn command(&self, command: &Command, chunks: &Chunks) -> Answer {
        let mut connections = command::Connections(self);
        sql::command(&mut connections, command, &mut &*chunks).unwrap_or_else(|fault| {
            self.note(&fault.into());
            Answer::Unreachable
        })
    }

    fn last_error(&self) -> Option<String> {
        self.last_error.lock().clone()
    }
}
