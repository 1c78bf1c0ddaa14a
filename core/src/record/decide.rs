//! What a coordinator's command does to a record: pure, and the same for every topology store.

use alloc::sync::Arc;

use crate::ids::Term;
use crate::migration::command::{Answer, Command};
use crate::migration::request::{Mark, Request, Requested, remember};
use crate::record::Record;

impl Record {
    /// What to answer to a command, and the record to store, durably, before it is given.
    ///
    /// [`Answer::Unreachable`] for a command that is a shard's. A repeated swap is recognised by
    /// its snapshot's digest, and leaves the log alone, which may have gone on since.
    #[must_use]
    pub fn decide(&self, command: &Command) -> (Answer, Option<Self>) {
        match command {
            Command::Lead { term, nonce } => self.lead(*term, *nonce),
            Command::Ask { request } => self.ask(request),
            Command::Swap { term, .. }
            | Command::SaveLog { term, .. }
            | Command::Renew { term, .. }
                if *term != self.term =>
            {
                let current = self.term;
                (Answer::TermLost { current }, None)
            }
            Command::Swap {
                expected,
                snapshot,
                log,
                ..
            } => {
                if snapshot.digest() == self.snapshot.digest() {
                    return (Answer::Swapped, None);
                }
                let forward = matches!(self.snapshot.check_successor(snapshot), Ok(true));
                if *expected != self.snapshot.epoch() || !forward {
                    let current = self.snapshot.epoch();
                    return (Answer::EpochLost { current }, None);
                }
                if let Err(error) = self.snapshot.check_edit(snapshot) {
                    return (Answer::Unsafe(error), None);
                }
                let next = Self {
                    snapshot: Arc::clone(snapshot),
                    log: log.clone(),
                    ..self.clone()
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
            Command::Renew { heard, marks, .. } => self.renew(*heard, marks),
            Command::Claim { .. }
            | Command::Time { .. }
            | Command::Grant { .. }
            | Command::Shut { .. }
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

    fn lead(&self, term: Term, nonce: u64) -> (Answer, Option<Self>) {
        // The same term again is the same coordinator, asking once more: see `next_term`.
        let theirs = term == self.term && ![0, nonce].contains(&self.desk.leader);
        if term < self.term || theirs {
            let current = self.term;
            return (Answer::TermLost { current }, None);
        }
        let loaded = Answer::Loaded {
            snapshot: Arc::clone(&self.snapshot),
            log: self.log.clone(),
            marks: self.desk.marks.clone(),
        };
        if term == self.term && self.desk.leader == nonce {
            return (loaded, None);
        }
        let mut next = self.clone();
        (next.term, next.beat, next.desk.leader) = (term, 0, nonce);
        (loaded, Some(next))
    }

    fn renew(&self, heard: u64, marks: &[Mark]) -> (Answer, Option<Self>) {
        let mut next = self.clone();
        next.beat = next.beat.wrapping_add(1);
        let desk = &mut next.desk;
        desk.request = desk.request.take().filter(|r| r.number > heard);
        for mark in marks {
            remember(&mut desk.marks, *mark);
        }
        let request = desk.request.clone();
        (Answer::Renewed { request }, Some(next))
    }

    fn ask(&self, request: &Request) -> (Answer, Option<Self>) {
        if let Some(Requested { number, .. }) = self.desk.request {
            return (Answer::Busy { number }, None);
        }
        let mut next = self.clone();
        let number = next.desk.numbered.saturating_add(1);
        next.desk.numbered = number;
        let request = request.clone();
        next.desk.request = Some(Requested { number, request });
        (Answer::Requested { number }, Some(next))
    }

    /// The record at the next term: stored before the term is given to a coordinator, no two are
    /// given the same. `None` after 2^32 - 1 terms.
    #[must_use]
    pub fn next_term(&self) -> Option<Self> {
        let term = Term(self.term.0.checked_add(1)?);
        let mut next = self.clone();
        (next.term, next.beat, next.desk.leader) = (term, 0, 0);
        Some(next)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails should say where")]
mod tests {
    use super::*;
    use crate::ids::ShardId;
    use crate::snapshot::{ClientLease, Draft, EditError, Snapshot, Topology};

    fn record() -> Record {
        let text = r#"{"cluster":"demo","keyspaces":{"k":{}},"shards":[{"id":1,"name":"a"}]}"#;
        let topology: Topology = serde_json::from_str(text).unwrap();
        Record::first(Arc::new(topology.snapshot().unwrap()))
    }

    /// Whoever swaps it in: clients of the map in force would act wrongly beside the next.
    #[test]
    fn a_swap_that_clients_can_not_follow_is_refused() {
        let mut draft = record().snapshot.content().clone();
        draft.client_lease = Some(ClientLease {
            lease_ms: 1_000,
            attempt_ms: 100,
            margin_ms: 10,
        });
        let record = Record::first(Arc::new(Snapshot::build(draft).unwrap()));
        let swap = |edit: fn(&mut Draft)| {
            let mut draft = record.snapshot.next_draft().unwrap();
            edit(&mut draft);
            record.decide(&Command::Swap {
                expected: record.snapshot.epoch(),
                term: record.term,
                snapshot: Arc::new(Snapshot::build(draft).unwrap()),
                log: record.log.clone(),
            })
        };
        let marks = |draft: &mut Draft| draft.shards.iter_mut().for_each(|s| s.unfenced = true);
        let shard = ShardId(1);
        let refused = Answer::Unsafe(EditError::Fencing { shard });
        assert_eq!(swap(marks), (refused, None));
        let (answer, next) = swap(|draft| draft.client_lease = None);
        assert_eq!(answer, Answer::Swapped);
        assert!(next.is_some());
    }

    /// Two that were given the same term, or one that asks again and another that comes late.
    #[test]
    fn race_9_one_term_has_one_leader() {
        let first = record();
        let lead = |nonce| Command::Lead {
            term: Term(1),
            nonce,
        };
        let (answer, next) = first.decide(&lead(7));
        assert!(matches!(answer, Answer::Loaded { .. }), "{answer:?}");
        let taken = next.unwrap();
        assert!(matches!(
            taken.decide(&lead(7)),
            (Answer::Loaded { .. }, None)
        ));
        let current = Term(1);
        let (answer, next) = taken.decide(&lead(8));
        assert_eq!((answer, next), (Answer::TermLost { current }, None));
    }
}
