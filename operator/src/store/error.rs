//! What can go wrong with a store itself.

use std::fmt;
use std::path::PathBuf;

use ringshift::ErrorCode;
use ringshift::migration::command::ChunkId;
use ringshift::store::Damaged;
use ringshift::store::sql::SqlFault;

/// Why a store can't be opened, or couldn't carry something out.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// The file is not an SQLite database.
    NotADatabase(PathBuf),
    /// The file is a database, but of something else.
    Foreign(PathBuf),
    /// The file is of a format that this version doesn't know.
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
    },
    /// A row of the store's own tables has a number out of its range.
    Damaged(&'static str),
    /// A chunk is not held, a command is not a shard's, or a copied row is of another keyspace.
    Misdirected(String),
    /// Another process held the file for too long.
    Busy,
    /// The database said no.
    Database(rusqlite::Error),
    /// The system said no.
    Io(std::io::Error),
}

impl StoreError {
    pub(super) fn not_held(chunk: ChunkId) -> Self {
        Self::Misdirected(format!("chunk {} isn't held; read it again", chunk.0))
    }

    pub(super) fn not_a_shard_s() -> Self {
        Self::Misdirected("the command is for the topology store".to_owned())
    }

    pub(super) fn disagrees() -> Self {
        Self::Misdirected("a copied row's slot isn't of its keyspace".to_owned())
    }

    /// The stable slug.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotADatabase(_) | Self::Foreign(_) | Self::Format { .. } => {
                ErrorCode::StoreFormat.as_str()
            }
            Self::Damaged(_) => ErrorCode::StoreDamaged.as_str(),
            Self::Misdirected(_) => "store_misdirected",
            Self::Busy => ErrorCode::StoreBusy.as_str(),
            Self::Database(_) | Self::Io(_) => ErrorCode::StoreIo.as_str(),
        }
    }
}

impl From<Damaged> for StoreError {
    fn from(damaged: Damaged) -> Self {
        Self::Damaged(damaged.0)
    }
}

impl From<SqlFault<Self>> for StoreError {
    fn from(fault: SqlFault<Self>) -> Self {
        match fault {
            SqlFault::Database(error) => error,
            SqlFault::Damaged(damaged) => damaged.into(),
            SqlFault::Misdirected(text) => Self::Misdirected(text.to_owned()),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotADatabase(path) => {
                write!(
                    f,
                    "`{}` is not an SQLite database; give another path",
                    path.display()
                )
            }
            Self::Foreign(path) => write!(
                f,
                "`{}` is a database without Ringshift's tables; give a new path",
                path.display()
            ),
            Self::Format { path, found } => write!(
                f,
                "`{}` has format {found}, which this version can't read; update it",
                path.display()
            ),
            Self::Damaged(what) => {
                write!(f, "the store's own {what} is out of range; check the disk")
            }
            Self::Misdirected(what) => f.write_str(what),
            Self::Busy => f.write_str("another process held the database for too long; try again"),
            Self::Database(error) => write!(f, "the database failed: {error}"),
            Self::Io(error) => write!(f, "input or output failed: {error}"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Database(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::NotADatabase(_)
            | Self::Foreign(_)
            | Self::Format { .. }
            | Self::Damaged(_)
            | Self::Misdirected(_)
            | Self::Busy => None,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                Self::Busy
            }
            _ => Self::Database(error),
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}
