//! Why a delta is refused.

use alloc::string::String;
use core::fmt;

use crate::error::ErrorCode;
use crate::ids::Epoch;

/// Why a delta is refused. The snapshot at hand stays as it is; fetch the whole one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeltaError {
    /// The bytes begin otherwise.
    NotADelta,
    /// A format that this version doesn't know.
    Format {
        /// Its number.
        found: u16,
    },
    /// It is cut short, too long, or names places that the snapshot doesn't have.
    Malformed,
    /// It is of another cluster.
    Foreign {
        /// Our cluster.
        ours: String,
    },
    /// It was made from another snapshot than the one at hand.
    Base {
        /// The epoch at hand.
        ours: Epoch,
        /// The epoch that it was made from.
        theirs: Epoch,
    },
    /// What it makes isn't what it was made for.
    Damaged,
}

impl DeltaError {
    /// The stable slug.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::NotADelta | Self::Format { .. } | Self::Malformed | Self::Damaged => {
                ErrorCode::SnapshotFormat
            }
            Self::Foreign { .. } => ErrorCode::ForeignCluster,
            Self::Base { .. } => ErrorCode::DeltaBase,
        }
    }
}

impl fmt::Display for DeltaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotADelta => f.write_str("these bytes are not a delta"),
            Self::Format { found } => write!(
                f,
                "the delta has format {found}, which this version can't read; update it"
            ),
            Self::Malformed => f.write_str("the delta can't be read; fetch the whole snapshot"),
            Self::Foreign { ours } => {
                write!(f, "the delta is of another cluster than `{ours}`")
            }
            Self::Base { ours, theirs } => write!(
                f,
                "the delta is from another snapshot, of epoch {theirs}, than the one of epoch {ours} at hand; fetch the whole snapshot"
            ),
            Self::Damaged => f.write_str(
                "the delta makes another snapshot than it was made for; fetch the whole one",
            ),
        }
    }
}

impl core::error::Error for DeltaError {}
