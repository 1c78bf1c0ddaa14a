//! What can be wrong with a topology store, or with a file that should hold a topology.

use std::fmt;
use std::io;
use std::path::PathBuf;

use ringshift::SnapshotError;

use crate::topology::LOG_BYTES_MAX;

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
    /// A record of a format that this version doesn't know.
    Format {
        /// Its number.
        found: u16,
    },
    /// More or fewer bytes than the record's header says.
    Length {
        /// Bytes that the header says.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// More bytes than there may be.
    TooLarge {
        /// Bytes.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// A checksum isn't that of the bytes.
    Damaged,
    /// The checksums are right, but the log can't be read, or the parts contradict each other.
    Malformed,
    /// The snapshot is refused.
    Snapshot(SnapshotError),
    /// A topology for people breaks a rule.
    Rule(ringshift::TopologyError),
    /// The JSON isn't a topology.
    Json(serde_json::Error),
    /// 2^32 - 1 coordinators have led.
    TermsUsedUp,
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
            Self::Missing(_) => "topology_missing",
            Self::Exists(_) => "topology_exists",
            Self::Unknown
            | Self::Format { .. }
            | Self::Length { .. }
            | Self::TooLarge { .. }
            | Self::Damaged
            | Self::Malformed => "topology_format",
            Self::Snapshot(error) => error.code().as_str(),
            Self::Rule(error) => error.code().as_str(),
            Self::Json(_) => "topology_json",
            Self::TermsUsedUp => "topology_terms",
            Self::Io { .. } => "topology_io",
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
            Self::Format { found } => write!(
                f,
                "the topology record has format {found}, which this version can't read; update it"
            ),
            Self::Length { expected, found } => write!(
                f,
                "the topology record has {found} bytes where its header says {expected}; restore it from a copy"
            ),
            Self::TooLarge { bytes, max } => {
                write!(f, "there are {bytes} bytes; at most {max} are allowed")
            }
            Self::Damaged => f.write_str(
                "the topology record's checksum doesn't match its bytes; restore it from a copy",
            ),
            Self::Malformed => write!(
                f,
                "the topology record can't be read (its log may have {LOG_BYTES_MAX} bytes at most)"
            ),
            Self::Snapshot(error) => error.fmt(f),
            Self::Rule(error) => error.fmt(f),
            Self::Json(error) => write!(f, "the JSON is not a topology: {error}"),
            Self::TermsUsedUp => f.write_str("no term is left; make a new cluster"),
            Self::Io { what, path, error } => {
                write!(f, "can't {what} `{}`: {error}", path.display())
            }
        }
    }
}

impl std::error::Error for TopologyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Snapshot(error) => Some(error),
            Self::Rule(error) => Some(error),
            Self::Json(error) => Some(error),
            Self::Io { error, .. } => Some(error),
            Self::Missing(_)
            | Self::Exists(_)
            | Self::Unknown
            | Self::Format { .. }
            | Self::Length { .. }
            | Self::TooLarge { .. }
            | Self::Damaged
            | Self::Malformed
            | Self::TermsUsedUp => None,
        }
    }
}

impl From<SnapshotError> for TopologyError {
    fn from(error: SnapshotError) -> Self {
        Self::Snapshot(error)
    }
}
