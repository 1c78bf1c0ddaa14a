//! Plans in files: what `ringshift plan` writes and `ringshift reshard` begins with.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ringshift::migration::Plan;

/// Why a plan's file can't be read or written.
#[derive(Debug)]
pub enum PlanFileError {
    /// The system said no.
    Io {
        /// To what.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It holds no plan, or one that says what this version doesn't know.
    Json {
        /// The file.
        path: PathBuf,
        /// Why.
        error: serde_json::Error,
    },
}

impl fmt::Display for PlanFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { what, path, error } => {
                write!(f, "can't {what} `{}`: {error}", path.display())
            }
            Self::Json { path, error } => write!(
                f,
                "`{}` is not a plan: {error}; write one with ringshift plan -o",
                path.display()
            ),
        }
    }
}

impl std::error::Error for PlanFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            Self::Json { error, .. } => Some(error),
        }
    }
}

/// The plan in the JSON file at `path`. Whether it is one for the snapshot in force, [`Plan::check`]
/// says; a coordinator asks that of its log before it begins.
///
/// # Errors
/// [`PlanFileError`].
pub fn read_plan(path: &Path) -> Result<Plan, PlanFileError> {
    let path = || path.to_owned();
    let bytes = fs::read(path()).map_err(|error| PlanFileError::Io {
        what: "read",
        path: path(),
        error,
    })?;
    serde_json::from_slice(&bytes).map_err(|error| PlanFileError::Json {
        path: path(),
        error,
    })
}

/// Writes `plan` to the file at `path`, in place of what was there.
///
/// # Errors
/// [`PlanFileError`].
pub fn write_plan(path: &Path, plan: &Plan) -> Result<(), PlanFileError> {
    let owned = || path.to_owned();
    let mut text = serde_json::to_vec_pretty(plan).map_err(|error| PlanFileError::Json {
        path: owned(),
        error,
    })?;
    text.push(b'\n');
    fs::write(path, text).map_err(|error| PlanFileError::Io {
        what: "write",
        path: owned(),
        error,
    })
}
