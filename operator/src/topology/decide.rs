//! What a command does to a record: pure, and the same for every topology store.

use std::sync::Arc;

use ringshift::Term;
use ringshift::migration::command::{Answer, Command};

use crate::topology::{Record, TopologyError};

/// The answer, and the record to store before it is given.
pub(super) type Decision = (Answer, Option<Record>);

pub(super) fn decide(record: &Record, command: &Command) -> Decision {
    match command {
        Command::Lead { term } => lead(record, *term),
        Command::Swap { term, .. } | Command::SaveLog { term, .. } if *term != record.term => {
            let current = record.term;
            (Answer::TermLost { current }, None)
        }
        Command::Swap {
            expected,
            term,
            snapshot,
            log,
        } => {
            if snapshot.digest() == record.snapshot.digest() {
                return (Answer::Swapped, None);
            }
            let forward = matches!(record.snapshot.check_successor(snapshot), Ok(true));
            if *expected != record.snapshot.epoch() || !forward {
                let current = record.snapshot.epoch();
                return (Answer::EpochLost { current }, None);
            }
            let next = Record {
                term: *term,
                snapshot: Arc::clone(snapshot),
                log: log.clone(),
            };
            (Answer::Swapped, Some(next))
        }
        Command::SaveLog { log, .. } => {
            let next = Record {
                log: log.clone(),
                ..record.clone()
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

fn lead(record: &Record, term: Term) -> Decision {
    if term < record.term {
        let current = record.term;
        return (Answer::TermLost { current }, None);
    }
    let loaded = Answer::Loaded {
        snapshot: Arc::clone(&record.snapshot),
        log: record.log.clone(),
    };
    // The same term again is the same coordinator, asking once more: see `draw_term`.
    let next = (term > record.term).then(|| Record {
        term,
        ..record.clone()
    });
    (loaded, next)
}

/// The record at the next term.
pub(super) fn next_term(record: &Record) -> Result<Record, TopologyError> {
    let term = record.term.0.checked_add(1);
    let term = Term(term.ok_or(TopologyError::TermsUsedUp)?);
    Ok(Record {
        term,
        ..record.clone()
    })
}
