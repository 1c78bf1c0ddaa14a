//! What a coordinator's command does to a record: pure, and the same for every topology store.

use alloc::sync::Arc;

use crate::ids::Term;
use crate::migration::command::{Answer, Command};
use crate::record::Record;

impl Record {
    /// What to answer to a command, and the record to store, durably, before it is given.
    ///
    /// [`Answer::Unreachable`] for a command that is a shard's. A repeated swap is recognised by
    /// its snapshot's digest, and leaves the log alone, which may have gone on since.
    #[must_use]
    pub fn decide(&self, command: &Command) -> (Answer, Option<Self>) {
        match command {
            Command::Lead { term } => self.lead(*term),
            Command::Swap { term, .. } | Command::SaveLog { term, .. } if *term != self.term => {
                let current = self.term;
                (Answer::TermLost { current }, None)
            }
            Command::Swap {
                expected,
                term,
                snapshot,
                log,
            } => {
                if snapshot.digest() == self.snapshot.digest() {
                    return (Answer::Swapped, None);
                }
                let forward = matches!(self.snapshot.check_successor(snapshot), Ok(true));
                if *expected != self.snapshot.epoch() || !forward {
                    let current = self.snapshot.epoch();
                    return (Answer::EpochLost { current }, None);
                }
                let next = Self {
                    term: *term,
                    snapshot: Arc::clone(snapshot),
                    log: log.clone(),
                };
                (Answer::Swapped, Some(next))
            }
            Command::SaveLog { log, .. } => {
                let next = Self {
                    log: log.clone(),
                    ..self.clone()
                };
                (Answer::Logged, Some(next))
            }
            Command::Claim { .. }
            | Command::Guards { .. }
            | Command::Install { .. }
            | Command::Close { .. }
            | Command::Revision { .. }
            | Command::Changes { .. }
            | Command::Apply { .. }
            | Command::Purge { .. }
            | Command::Count { .. }
            | Command::Collect { .. }
            | Command::Digests { .. }
            | Command::Keys { .. }
            | Command::Sample { .. }
            | Command::Look { .. } => (Answer::Unreachable, None),
        }
    }

    fn lead(&self, term: Term) -> (Answer, Option<Self>) {
        if term < self.term {
            let current = self.term;
            return (Answer::TermLost { current }, None);
        }
        let loaded = Answer::Loaded {
            snapshot: Arc::clone(&self.snapshot),
            log: self.log.clone(),
        };
        // The same term again is the same coordinator, asking once more: see `next_term`.
        let next = (term > self.term).then(|| Self {
            term,
            ..self.clone()
        });
        (loaded, next)
    }

    /// The record at the next term: stored before the term is given to a coordinator, no two are
    /// given the same. `None` after 2^32 - 1 terms.
    #[must_use]
    pub fn next_term(&self) -> Option<Self> {
        let term = Term(self.term.0.checked_add(1)?);
        Some(Self {
            term,
            ..self.clone()
        })
    }
}
