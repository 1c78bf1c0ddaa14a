//! Says in plain terms what went wrong with a key that the search found no order for.
//!
//! Simple passes over what each reader saw. An acknowledged put-if counts as a reader too: it saw
//! what it replaced.
//!
//! - **lost**: an acknowledged write ended before a read began, the read saw something older, and
//!   nobody sees the write's value from then on.
//! - **resurrected**: a read saw a value that was written before an acknowledged delete began,
//!   and the delete ended before the read began.
//! - **wrong read**: any other read that no register answers: a value never written, one from a
//!   write that failed or had not begun, an older value although the newer one is still there.
//!
//! A lost write counts once however many reads miss it, and so does a delete that was undone.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::Violation;
use crate::history::{Function, Op, Outcome, Value, ValueId};

/// One thing that went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Finding {
    /// An acknowledged write is gone; `None` is what the key held at the beginning.
    Lost { write: Option<Op>, seen: Op },
    /// A value came back after an acknowledged delete.
    Resurrected { delete: Op, seen: Op },
    /// A read that no register would have answered so.
    WrongRead { seen: Op, why: Wrong },
}

/// What is wrong with a read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wrong {
    NeverWritten,
    WriteFailed,
    BeforeItsWrite,
    /// Older than an acknowledged value that is still there.
    Stale,
    /// Nothing simple to say, but no order of the operations explains the key.
    NoOrder(&'static str),
}

/// All that went wrong with one key, which is known to be at fault.
pub(super) fn classify(ops: &[Op], initial: Value, violation: Violation) -> Vec<Finding> {
    let mut found = findings(ops, initial);
    if let (true, Violation::ReplacedTwice { first, second }) = (found.is_empty(), violation) {
        found.push(Finding::Lost {
            write: Some(first),
            seen: second,
        });
    }
    if found.is_empty() {
        found.push(match violation {
            Violation::NeverWritten { seen } => Finding::WrongRead {
                seen,
                why: Wrong::NeverWritten,
            },
            Violation::TooEarly { op } => Finding::WrongRead {
                seen: op,
                why: Wrong::NoOrder("it ended before what it builds on had begun"),
            },
            Violation::NoOrder { op }
            | Violation::ReplacedTwice { first: op, .. }
            | Violation::Malformed { op }
            | Violation::Undecided { op } => Finding::WrongRead {
                seen: op,
                why: Wrong::NoOrder("no order of the key's operations has room for it"),
            },
        });
    }
    found
}

/// What the passes find: nothing, in a key that has an order.
pub(super) fn findings(ops: &[Op], initial: Value) -> Vec<Finding> {
    Passes::new(ops, initial).run()
}

/// Acknowledged operations by completion, each with the one that began last among all up to it.
struct Acknowledged(Vec<(u64, Op)>);

impl Acknowledged {
    fn new(ops: impl Iterator<Item = Op>) -> Self {
        let mut all: Vec<Op> = ops.collect();
        all.sort_by_key(|op| op.complete_ns);
        let mut newest: Option<Op> = None;
        Self(
            all.into_iter()
                .map(|op| {
                    let best = newest.filter(|best| best.invoke_ns >= op.invoke_ns);
                    newest = Some(best.unwrap_or(op));
                    (op.complete_ns, best.unwrap_or(op))
                })
                .collect(),
        )
    }

    /// The one that began last among those that ended before the read began.
    fn newest_before(&self, read: &Op) -> Option<Op> {
        let until = self.0.partition_point(|(end, _)| *end < read.invoke_ns);
        let last = until.checked_sub(1)?;
        self.0.get(last).map(|(_, op)| *op)
    }
}

/// When a value was written at the latest: by its write's end, or by its first reader's.
#[derive(Clone, Copy)]
struct Written {
    by: Option<Op>,
    until_ns: Option<u64>,
}

struct Passes {
    initial: Value,
    written: HashMap<ValueId, Written>,
    reads: Vec<(Value, Op)>,
    /// When each value was last seen.
    seen_last_ns: HashMap<ValueId, u64>,
    writes: Acknowledged,
    deletes: Acknowledged,
    /// Everything that may have left nothing behind, by invoke, with the latest end so far.
    absences: Vec<(u64, u64)>,
}

impl Passes {
    fn new(ops: &[Op], initial: Value) -> Self {
        let mut reads = Vec::new();
        let mut written = HashMap::new();
        if let Some(value) = initial {
            let at_first = Written {
                by: None,
                until_ns: None,
            };
            written.insert(value, at_first);
        }
        for op in ops {
            match (op.function, op.outcome) {
                (Function::Read, Outcome::Ok) => reads.push((op.value, *op)),
                (Function::WriteIf { expect }, Outcome::Ok) => reads.push((expect, *op)),
                _ => {}
            }
            if let (Function::Write | Function::WriteIf { .. }, Some(value)) =
                (op.function, op.value)
            {
                let by = Some(*op);
                let until_ns = Some(op.deadline_ns());
                written.entry(value).or_insert(Written { by, until_ns });
            }
        }
        let mut seen_last_ns: HashMap<ValueId, u64> = HashMap::new();
        for (value, op) in reads.iter().filter_map(|(value, op)| value.zip(Some(op))) {
            let last = seen_last_ns.entry(value).or_default();
            *last = op.complete_ns.max(*last);
            if let Some(until_ns) = written.get_mut(&value).and_then(|w| w.until_ns.as_mut()) {
                *until_ns = op.complete_ns.min(*until_ns);
            }
        }
        let acknowledged = |op: &&Op| op.outcome == Outcome::Ok;
        let writes = ops
            .iter()
            .filter(acknowledged)
            .filter(|op| matches!(op.function, Function::Write | Function::WriteIf { .. }));
        let deletes = ops.iter().filter(|op| op.function == Function::Delete);
        let mut absences: Vec<(u64, u64)> = deletes
            .clone()
            .filter(|op| op.outcome != Outcome::Fail)
            .map(|op| (op.invoke_ns, op.deadline_ns()))
            .collect();
        absences.sort_unstable();
        let mut latest = 0;
        for (_, end) in &mut absences {
            latest = latest.max(*end);
            *end = latest;
        }
        Self {
            initial,
            written,
            reads,
            seen_last_ns,
            writes: Acknowledged::new(writes.copied()),
            deletes: Acknowledged::new(deletes.filter(acknowledged).copied()),
            absences,
        }
    }

    fn run(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut counted = HashSet::new();
        for (value, seen) in &self.reads {
            let Some(finding) = self.judge(*value, seen) else {
                continue;
            };
            let subject = match finding {
                Finding::Lost { write, .. } => (1, write.map_or(0, |op| op.invoke_ns), write),
                Finding::Resurrected { delete, .. } => (2, delete.invoke_ns, Some(delete)),
                Finding::WrongRead { seen, .. } => (3, seen.invoke_ns, Some(seen)),
            };
            let name = (subject.0, subject.1, subject.2.map(|op| op.process));
            if counted.insert(name) {
                found.push(finding);
            }
        }
        found
    }

    fn judge(&self, value: Value, seen: &Op) -> Option<Finding> {
        match value {
            Some(value) => self.judge_value(value, seen),
            None => self.judge_absence(seen),
        }
    }

    fn judge_value(&self, value: ValueId, seen: &Op) -> Option<Finding> {
        let wrong = |why| Some(Finding::WrongRead { seen: *seen, why });
        let Some(written) = self.written.get(&value) else {
            return wrong(Wrong::NeverWritten);
        };
        if let Some(write) = written.by {
            if write.outcome == Outcome::Fail {
                return wrong(Wrong::WriteFailed);
            }
            if seen.precedes(&write) {
                return wrong(Wrong::BeforeItsWrite);
            }
        }
        // `None`, what was there at the beginning, is before everything.
        let is_older = |op: &Op| written.until_ns < Some(op.invoke_ns);
        if let Some(delete) = self.deletes.newest_before(seen).filter(is_older) {
            return Some(Finding::Resurrected {
                delete,
                seen: *seen,
            });
        }
        let write = self.writes.newest_before(seen).filter(is_older)?;
        Some(self.lost_or_stale(Some(write), seen))
    }

    fn judge_absence(&self, seen: &Op) -> Option<Finding> {
        let began = self
            .absences
            .partition_point(|(invoke_ns, _)| *invoke_ns <= seen.complete_ns);
        let absent_until = began
            .checked_sub(1)
            .and_then(|last| self.absences.get(last))
            .map(|(_, end)| *end);
        let write = self.writes.newest_before(seen);
        match write.filter(|op| absent_until < Some(op.invoke_ns)) {
            Some(write) => Some(self.lost_or_stale(Some(write), seen)),
            None if absent_until.is_none() && self.initial.is_some() => {
                Some(self.lost_or_stale(None, seen))
            }
            None => None,
        }
    }

    fn lost_or_stale(&self, write: Option<Op>, seen: &Op) -> Finding {
        let value = write.map_or(self.initial, |op| op.value);
        let last_ns = value.and_then(|value| self.seen_last_ns.get(&value));
        if last_ns.is_some_and(|last_ns| *last_ns >= seen.invoke_ns) {
            return Finding::WrongRead {
                seen: *seen,
                why: Wrong::Stale,
            };
        }
        Finding::Lost { write, seen: *seen }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { write: None, seen } => {
                write!(f, "lost: the record as loaded; {seen} missed it")
            }
            Self::Lost {
                write: Some(write),
                seen,
            } => write!(f, "lost: {write}; {seen} missed it"),
            Self::Resurrected { delete, seen } => {
                write!(f, "resurrected: {seen} came after {delete}")
            }
            Self::WrongRead { seen, why } => write!(
                f,
                "wrong read: {seen}: {}",
                match why {
                    Wrong::NeverWritten => "nobody ever wrote that",
                    Wrong::WriteFailed => "the write of it had failed",
                    Wrong::BeforeItsWrite => "the write of it had not begun",
                    Wrong::Stale => "a newer value was acknowledged and is still there",
                    Wrong::NoOrder(why) => why,
                }
            ),
        }
    }
}
