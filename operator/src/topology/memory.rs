//! A topology store in memory.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use ringshift::migration::command::{Answer, Command};
use ringshift::{Epoch, Snapshot, Term};

use crate::topology::{Record, TopologyError, TopologySource, TopologyStore};

/// A record in memory.
#[derive(Debug, Default)]
pub struct MemoryTopology {
    record: Mutex<Option<Record>>,
}

impl MemoryTopology {
    /// Without a record yet.
    pub fn new() -> Self {
        Self::default()
    }
}

fn missing() -> TopologyError {
    TopologyError::Missing(PathBuf::from("memory"))
}

impl TopologySource for MemoryTopology {
    fn fetch(&self, newer_than: Epoch) -> Result<Option<Arc<Snapshot>>, TopologyError> {
        let record = self.record.lock();
        let snapshot = &record.as_ref().ok_or_else(missing)?.snapshot;
        Ok((snapshot.epoch() > newer_than).then(|| Arc::clone(snapshot)))
    }

    fn is_current(&self) -> bool {
        true
    }
}

impl TopologyStore for MemoryTopology {
    fn load(&self) -> Result<Record, TopologyError> {
        self.record.lock().clone().ok_or_else(missing)
    }

    fn create(&self, snapshot: &Snapshot) -> Result<(), TopologyError> {
        let mut record = self.record.lock();
        if record.is_some() {
            return Err(TopologyError::Exists(PathBuf::from("memory")));
        }
        *record = Some(Record::first(Arc::new(snapshot.clone())));
        Ok(())
    }

    fn draw_term(&self) -> Result<Term, TopologyError> {
        let mut record = self.record.lock();
        let next = record.as_ref().ok_or_else(missing)?.next_term();
        let next = next.ok_or(TopologyError::TermsUsedUp)?;
        let term = next.term;
        *record = Some(next);
        Ok(term)
    }

    fn command(&self, command: &Command) -> Answer {
        let mut record = self.record.lock();
        let Some(present) = record.as_ref() else {
            return Answer::Unreachable;
        };
        let (answer, next) = present.decide(command);
        if next.is_some() {
            *record = next;
        }
        answer
    }

    fn last_error(&self) -> Option<String> {
        None
    }
}
