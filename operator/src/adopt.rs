//! Rows of a system that shards already, brought under the guard of the shard that has them.
//!
//! The slotting of the keyspace says where the old system has each key, so no row leaves its shard:
//! it is written beside where it is, through the same guard as every write, and gets a version, a
//! revision and its stored slot.
//!
//! While rows are adopted nobody may write them elsewhere: stop the writers of the old table, or
//! let clients write through the guard only. A key that is there already is left as it is, so an
//! adoption that was cut short is begun again. Once clients delete through the guard it is over: a
//! second run would bring the deleted rows back.

use std::fmt;
use std::path::{Path, PathBuf};

use ringshift::{ErrorCode, KeyError, Keyspace, Outcome, ShardId};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::client::ClientKeyspace;
use crate::store::Change;

/// How many misplaced keys are kept as examples.
const EXAMPLES: usize = 10;

/// The rows of a plain SQLite table: what a query of two columns answers.
#[derive(Debug)]
pub struct OldRows {
    path: PathBuf,
    connection: Connection,
    query: String,
}

/// Whether the keys of a shard are where the slotting says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Rows looked at.
    pub rows: u64,
    /// Keys that belong to another shard.
    pub misplaced: u64,
    /// The first of them, and where they belong.
    pub examples: Vec<(Vec<u8>, ShardId)>,
}

/// What an adoption did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adopted {
    /// Rows written.
    pub written: u64,
    /// Rows that were there already.
    pub present: u64,
}

/// Why rows can't be adopted.
#[derive(Debug)]
#[non_exhaustive]
pub enum AdoptError {
    /// The old table can't be read.
    Read {
        /// Its file.
        path: PathBuf,
        /// What the database said.
        error: rusqlite::Error,
    },
    /// The query doesn't answer two columns.
    Columns(usize),
    /// A key or a value is neither text, nor bytes, nor an integer.
    Type {
        /// Which: `key` or `value`.
        what: &'static str,
        /// Its row, counted from 1.
        row: u64,
    },
    /// A key can't be one.
    Key {
        /// Its row, counted from 1.
        row: u64,
        /// Why.
        error: KeyError,
    },
    /// A row wasn't written.
    Write {
        /// Its key.
        key: Vec<u8>,
        /// How the write ended.
        code: ErrorCode,
    },
}

impl AdoptError {
    /// The stable slug.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Read { .. } => ErrorCode::StoreIo,
            Self::Columns(_) => ErrorCode::Argument,
            Self::Type { .. } => ErrorCode::KeyType,
            Self::Key { error, .. } => error.code(),
            Self::Write { code, .. } => *code,
        }
    }
}

impl fmt::Display for AdoptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, error } => write!(f, "`{}`: {error}", path.display()),
            Self::Columns(found) => {
                write!(
                    f,
                    "the query answers {found} columns; ask for key and value"
                )
            }
            Self::Type { what, row } => write!(
                f,
                "the {what} of row {row} is neither text, nor bytes, nor an integer; cast it in the query"
            ),
            Self::Key { row, error } => write!(f, "the key of row {row}: {error}"),
            Self::Write { key, code } => write!(
                f,
                "key `{}` was not adopted ({code}); mend that and begin again: what is there already stays",
                key.escape_ascii()
            ),
        }
    }
}

impl std::error::Error for AdoptError {}

impl OldRows {
    /// The rows that `query` answers in the SQLite file at `path`, which is only read. The first
    /// column is the key, the second the value; text stands for its UTF-8, an integer for its
    /// decimal digits.
    ///
    /// # Errors
    /// [`AdoptError::Read`], [`AdoptError::Columns`].
    pub fn open(path: &Path, query: &str) -> Result<Self, AdoptError> {
        let failed = |error| AdoptError::Read {
            path: path.to_owned(),
            error,
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        let columns = connection.prepare(query).map_err(failed)?.column_count();
        if columns != 2 {
            return Err(AdoptError::Columns(columns));
        }
        Ok(Self {
            path: path.to_owned(),
            connection,
            query: query.to_owned(),
        })
    }

    /// The query for all rows of a table, its names quoted.
    pub fn query(table: &str, key: &str, value: &str) -> String {
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        format!(
            "SELECT {}, {} FROM {}",
            quoted(key),
            quoted(value),
            quoted(table)
        )
    }

    /// Whether each key belongs to `shard`. Look before anything is written: a key elsewhere means
    /// that the slotting isn't the old system's, or that the row had been lost there already.
    ///
    /// # Errors
    /// [`AdoptError::Read`], [`AdoptError::Type`], [`AdoptError::Key`].
    pub fn check(&self, keyspace: &Keyspace<'_>, shard: ShardId) -> Result<Checked, AdoptError> {
        let mut checked = Checked::default();
        self.each(|row, key, _| {
            let plan = keyspace.plan(key);
            let belongs = plan.map_err(|error| AdoptError::Key { row, error })?;
            checked.rows += 1;
            if belongs.authority != shard {
                checked.misplaced += 1;
                if checked.examples.len() < EXAMPLES {
                    checked.examples.push((key.to_vec(), belongs.authority));
                }
            }
            Ok(())
        })?;
        Ok(checked)
    }

    /// Writes each row whose key isn't there yet.
    ///
    /// # Errors
    /// Those of [`check`](Self::check), and [`AdoptError::Write`]. What was written by then stays.
    pub fn adopt(&self, keyspace: &ClientKeyspace<'_>) -> Result<Adopted, AdoptError> {
        let mut adopted = Adopted::default();
        self.each(|row, key, value| {
            let change = Change::PutIf {
                expected: None,
                value,
            };
            let ended = keyspace.write(key, change);
            let outcome = ended
                .map_err(|error| AdoptError::Key { row, error })?
                .outcome;
            match (outcome, outcome.code()) {
                (Outcome::Conflict { .. }, _) => adopted.present += 1,
                (_, None) => adopted.written += 1,
                (_, Some(code)) => {
                    let key = key.to_vec();
                    return Err(AdoptError::Write { key, code });
                }
            }
            Ok(())
        })?;
        Ok(adopted)
    }

    fn each(
        &self,
        mut work: impl FnMut(u64, &[u8], &[u8]) -> Result<(), AdoptError>,
    ) -> Result<(), AdoptError> {
        let failed = |error| AdoptError::Read {
            path: self.path.clone(),
            error,
        };
        let mut statement = self.connection.prepare(&self.query).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        let mut number = 0;
        while let Some(row) = rows.next().map_err(failed)? {
            number += 1;
            let bytes = |at, what| {
                let refused = AdoptError::Type { what, row: number };
                match row.get_ref(at).map_err(failed)? {
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(bytes.to_vec()),
                    ValueRef::Integer(number) => Ok(number.to_string().into_bytes()),
                    ValueRef::Null | ValueRef::Real(_) => Err(refused),
                }
            };
            let (key, value) = (bytes(0, "key")?, bytes(1, "value")?);
            work(number, &key, &value)?;
        }
        Ok(())
    }
}
