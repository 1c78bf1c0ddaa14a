//! What to say of a keyspace that isn't there.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::error::ErrorCode;
use crate::snapshot::Snapshot;

/// No keyspace of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKeyspace {
    name: String,
    known: String,
}

impl UnknownKeyspace {
    /// What to say of a name that isn't in `snapshot`.
    pub fn of(name: &str, snapshot: &Snapshot) -> Self {
        let known = snapshot.content().keyspaces.iter();
        Self {
            name: name.to_string(),
            known: known
                .map(|keyspace| keyspace.name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        }
    }

    /// The stable slug.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::UnknownKeyspace
    }
}

impl fmt::Display for UnknownKeyspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "there is no keyspace `{}`; there are: {}",
            self.name, self.known
        )
    }
}

impl core::error::Error for UnknownKeyspace {}
