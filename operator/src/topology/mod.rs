//! Where a cluster's routing state lives: one record of term, snapshot and log, with one writer at
//! a time.
//!
//! - [`FileTopology`]: a file, for one host.
//! - [`MemoryTopology`]: for tests.
//! - [`HttpTopology`]: what a server says, to be read; [`serve`] is such a server.
//! - [`Watch`]: newer snapshots, as they come.
//! - [`read_snapshot`]: a snapshot from whatever a file holds, a topology for people included.

mod error;
mod file;
mod http;
mod memory;
mod read;
pub mod serve;
mod watch;

use std::sync::Arc;

use ringshift::migration::command::{Answer, Command};
use ringshift::migration::{Request, Standing};
use ringshift::{Epoch, Snapshot, Term};

pub use error::TopologyError;
pub use file::FileTopology;
pub use http::HttpTopology;
pub use memory::MemoryTopology;
pub use read::{read_snapshot, snapshot_from};
pub use ringshift::record::Record;
pub use watch::Watch;

/// Where newer snapshots come from.
pub trait TopologySource: Send + Sync {
    /// The snapshot in force if it is newer than that; cheap when it isn't.
    ///
    /// # Errors
    /// [`TopologyError::Missing`] where there is none yet; everything that is wrong with what is
    /// there.
    fn fetch(&self, newer_than: Epoch) -> Result<Option<Arc<Snapshot>>, TopologyError>;

    /// Whether [`fetch`](Self::fetch) answers what is in force at some moment after it was called, as
    /// who looks into the topology store itself does. An answer that somebody kept may be older.
    ///
    /// Only such a source renews the lease of clients at [unfenced](ringshift::Shard::unfenced)
    /// shards; with another they do nothing there. `false` unless told.
    fn is_current(&self) -> bool {
        false
    }
}

/// The one place that says which snapshot is in force.
pub trait TopologyStore: TopologySource {
    /// The whole record.
    ///
    /// # Errors
    /// [`TopologyError::Missing`] before [`create`](Self::create); everything that is wrong with
    /// what is there.
    fn load(&self) -> Result<Record, TopologyError>;

    /// Puts a first snapshot, at term 0 and with an empty log.
    ///
    /// # Errors
    /// [`TopologyError::Exists`] when there is anything already, which then stays as it is.
    fn create(&self, snapshot: &Snapshot) -> Result<(), TopologyError>;

    /// Raises the stored term by one, durably, and answers it. No two coordinators are given the
    /// same, so each may then send its [`Command::Lead`] as often as it must.
    ///
    /// # Errors
    /// As [`load`](Self::load); [`TopologyError::TermsUsedUp`] after 2^32 - 1 terms.
    fn draw_term(&self) -> Result<Term, TopologyError>;

    /// Who leads, as far as the record's front says; cheap.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn standing(&self) -> Result<Standing, TopologyError> {
        let record = self.load()?;
        Ok(Standing {
            term: record.term,
            beat: record.beat,
        })
    }

    /// Asks whoever leads for something: to begin a migration, to pause, resume or roll back the
    /// one under way, to readmit a shard. It is picked up within a quarter of a lease, once there
    /// is a leader; answered is only that it waits, under this number. When it was heard, the
    /// record's `desk.request` is empty again; what came of it, the record's log says.
    ///
    /// # Errors
    /// [`TopologyError::Busy`] while another request waits; as [`load`](Self::load).
    fn request(&self, request: Request) -> Result<u64, TopologyError> {
        match self.command(&Command::Ask { request }) {
            Answer::Requested { number } => Ok(number),
            Answer::Busy { number } => Err(TopologyError::Busy { number }),
            _ => Err(self
                .load()
                .err()
                .unwrap_or_else(|| TopologyError::Failed(self.last_error().unwrap_or_default()))),
        }
    }

    /// Carries out the commands that are for a topology store, durably.
    /// [`Answer::Unreachable`] for a shard's commands and for every failure of the store itself:
    /// then [`last_error`](Self::last_error) says more.
    ///
    /// A repeated swap is recognised by its snapshot's digest, and leaves the log alone, which may
    /// have gone on since.
    fn command(&self, command: &Command) -> Answer;

    /// The last failure of the store itself, for people.
    fn last_error(&self) -> Option<String>;
}
