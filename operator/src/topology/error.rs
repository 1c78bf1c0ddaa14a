//! What can be wrong with a topology store, or with a file that should hold a topology.

use std::fmt;
use std::io;
use std::path::PathBuf;

use ringshift::record::RecordError;
use ringshift::{ErrorCode, SnapshotError};

/// Why a topology can't be read or written. What was there stays as it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum TopologyError {
    /// There is none yet.
    Missing(PathBuf),
    /// There is one already.
    Exists(PathBuf),
    /// The bytes are neither a record, nor a snapshot, nor JSON.
    Unknown,
    /// More bytes than there may be.
    TooLarge {
        /// Bytes.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// The bytes of a record or a snapshot are refused.
    Record(RecordError),
    /// A topology for people breaks a rule.
    Rule(ringshift::TopologyError),
    /// The JSON isn't a topology.
    Json(serde_json::Error),
    /// 2^32 - 1 coordinators have led.
    TermsUsedUp,
    /// A server doesn't answer, or not as it should.
    Http {
        /// Where.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// Another request waits for the coordinator.
    Busy {
        /// Its number.
        number: u64,
    },
    /// The store failed, and said this.
    Failed(String),
    /// The system said no.
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

impl TopologyError {
    /// The stable slug.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => ErrorCode::TopologyMissing.as_str(),
            Self::Exists(_) => "topology_exists",
            Self::Unknown | Self::TooLarge { .. } => ErrorCode::TopologyFormat.as_str(),
            Self::Record(error) => error.code().as_str(),
            Self::Rule(error) => error.code().as_str(),
            Self::Json(_) => "topology_json",
            Self::TermsUsedUp => "topology_terms",
            Self::Busy { .. } => "topology_busy",
            Self::Io { .. } | Self::Http { .. } | Self::Failed(_) => ErrorCode::TopologyIo.as_str(),
        }
    }
}

impl fmt::Display for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => write!(
                f,
                "there is no topology at `{}`; make one with `ringshift init`",
                path.display()
            ),
            Self::Exists(path) => write!(
                f,
                "`{}` exists already and was left as it is; give another path",
                path.display()
            ),
            Self::Unknown => f.write_str(
                "the file is neither a topology in JSON nor a snapshot nor a topology record",
            ),
            Self::TooLarge { bytes, max } => {
                write!(f, "there are {bytes} bytes; at most {max} are allowed")
            }
            Self::Record(error) => error.fmt(f),
            Self::Rule(error) => error.fmt(f),
            Self::Json(error) => write!(f, "the JSON is not a topology: {error}"),
            Self::TermsUsedUp => f.write_str("no term is left; make a new cluster"),
            Self::Http { url, reason } => write!(
                f,
                "can't get `{url}`: {reason}; see that `ringshift serve` runs there"
            ),
            Self::Busy { number } => write!(
                f,
                "request {number} still waits for a coordinator; see that `ringshift agent` runs, and ask again"
            ),
            Self::Failed(text) => write!(f, "the topology store failed: {text}"),
            Self::Io { what, path, error } => {
                write!(f, "can't {what} `{}`: {error}", path.display())
            }
        }
    }
}

impl std::error::Error for TopologyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Record(error) => Some(error),
            Self::Rule(error) => Some(error),
            Self::Json(error) => Some(error),
            Self::Io { error, .. } => Some(error),
            Self::Missing(_)
            | Self::Exists(_)
            | Self::Unknown
            | Self::TooLarge { .. }
            | Self::Http { .. }
            | Self::TermsUsedUp
            | Self::Busy { .. }
            | Self::Failed(_) => None,
        }
    }
}

impl From<SnapshotError> for TopologyError {
    fn from(error: SnapshotError) -> Self {
        Self::Record(error.into())
    }
}

impl From<RecordError> for TopologyError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}
