//! How a command fails, and with which exit code.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use ringshift::UnknownKeyspace;
use ringshift_operator::topology::TopologyError;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum CliError {
    /// The topology file can't be read, or was refused.
    Topology(PathBuf, TopologyError),
    /// No keyspace of that name.
    Keyspace(UnknownKeyspace),
    /// What was said can't be meant.
    Usage(String),
    /// What was asked for is refused.
    Refused(String),
    /// Keys that were refused, each named already.
    Keys(u64),
    /// Two sides differ, or rows are where they shouldn't be; they are listed already.
    Mismatches(u64),
    /// The migration is paused; the text says how to go on.
    Paused(String),
    /// The migration went back to where it began, and wasn't asked to.
    RolledBack(String),
    /// Nobody has heard the request in time.
    Unheard(String),
    /// Standard input can't be read.
    Input(io::Error),
    /// Standard output can't be written.
    Output(io::Error),
}

impl CliError {
    pub(super) fn topology(path: &Path) -> impl FnOnce(TopologyError) -> Self {
        let path = path.to_owned();
        move |error| Self::Topology(path, error)
    }

    /// What to say.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Topology(path, error) => {
                let mut text = String::new();
                // These name the file themselves.
                let named = matches!(
                    error,
                    TopologyError::Missing(_)
                        | TopologyError::Exists(_)
                        | TopologyError::Http { .. }
                        | TopologyError::Io { .. }
                );
                if !named {
                    let _ = write!(text, "`{}`: ", path.display());
                }
                let _ = write!(text, "{error}");
                text
            }
            Self::Keyspace(error) => error.to_string(),
            Self::Usage(text)
            | Self::Refused(text)
            | Self::Paused(text)
            | Self::RolledBack(text)
            | Self::Unheard(text) => text.clone(),
            Self::Mismatches(1) => "1 key is not as it should be".to_owned(),
            Self::Mismatches(keys) => format!("{keys} keys are not as they should be"),
            Self::Keys(1) => "1 key was refused".to_owned(),
            Self::Keys(refused) => format!("{refused} keys were refused"),
            Self::Input(error) => format!("can't read standard input: {error}"),
            Self::Output(error) => format!("can't write the output: {error}"),
        }
    }

    pub(super) const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Mismatches(_) => 3,
            Self::Paused(_) => 4,
            Self::RolledBack(_) => 5,
            Self::Unheard(_) => 6,
            Self::Topology(..)
            | Self::Keyspace(_)
            | Self::Refused(_)
            | Self::Keys(_)
            | Self::Input(_)
            | Self::Output(_) => 1,
        }
    }
}

/// Only what is written can fail so; reads say `Input` themselves.
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
