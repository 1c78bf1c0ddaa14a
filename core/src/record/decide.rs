//! What a command does to a record: pure, and the same for every topology store.

use alloc::sync::Arc;

use crate::ids::Term;
use crate::migration::command::{Answer, Command};
use crate::record::Record;

impl Record {
    /// The answer to [`Command::Lead`], [`Command::Swap`] or [`Command::SaveLog`], and the record
    /// to store, durably, before it is given; `None`: this one stays. [`Answer::Unreachable`] for
    /// a shard's command.
    ///
    /// A repeated swap is recognised by its snapshot's digest, and leaves the log alone, which may
    /// have gone on since.
    ///
    /// ```
    /// # use ringshift::{Topology, Term, migration::{Answer, Command, Log}, record::Record};
    /// # let text = r#"{"cluster":"demo","keyspaces":{"k":{}},"shards":[{"id":1,"name":"a"}]}"#;
    /// # let topology: Topology = serde_json::from_str(text)?;
    /// # let snapshot = topology.snapshot()?.into();
    /// let record = Record { term: Term(0), snapshot, log: Log::default() };
    /// let (answer, next) = record.command(&Command::Lead { term: Term(1) });
    /// assert!(matches!(answer, Answer::Loaded { .. }));
    /// let next = next.unwrap_or(record);
    /// assert_eq!(next.term, Term(1));
    ///
    /// // Whoever was in office before is told so.
    /// let late = Command::SaveLog { term: Term(0), log: Log::default() };
    /// assert_eq!(next.command(&late), (Answer::TermLost { current: Term(1) }, None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn command(&self, command: &Command) -> (Answer, Option<Self>) {
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
            | Command::Keys { .. } => (Answer::Unreachable, None),
        }
    }

    /// The record at the next term, for a coordinator to lead with; `None` after 2^32 - 1 terms.
    pub fn next_term(&self) -> Option<Self> {
        let term = Term(self.term.0.checked_add(1)?);
        Some(Self {
            term,
            ..self.clone()
        })
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
        // The same term again is the same coordinator, asking once more.
        let next = (term > self.term).then(|| Self {
            term,
            ..self.clone()
        });
        (loaded, next)
    }
}
