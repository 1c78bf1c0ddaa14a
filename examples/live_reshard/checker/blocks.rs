//! Turns the operations of one key into jobs with windows.
//!
//! Every value is written once, so everybody who saw a value saw the same write, and the register
//! can't leave a value and come back to it. Between the write and the last who saw it nothing else
//! fits: they are one *block*. A put-if stands right behind the value that it replaced, so its
//! block and that one are one block too. A block must begin before the first completion in it
//! (`due`) and can't end before the last invoke in it (`ready`):
//!
//! - `ready <= due`: all of it fits into one instant, anywhere between the two. A point.
//! - `ready > due`: the register holds its values from `due` to `ready` at least. A hold. To begin
//!   it earlier helps nobody, since that only shortens what stood before.
//!
//! Writes of unknown outcome vanish here. If somebody saw the value, the write happened, before
//! that somebody's completion, and is as good as acknowledged. If nobody did, leaving it out
//! changes nothing that anybody saw: what stood before just stands longer. Only deletes of unknown
//! outcome stay unknown, since all deletes look alike to a reader.

use std::collections::HashMap;

use super::Violation;
use crate::history::{Function, Op, Outcome, Value, ValueId};

/// What the search has to put in order.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) start: Start,
    pub(super) jobs: Vec<Job>,
}

/// What the register holds at the beginning.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    Absent,
    Holding { until_ns: u64 },
}

/// Something that must happen within a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) kind: Kind,
    pub(super) ready_ns: u64,
    pub(super) due_ns: u64,
    /// The place of an operation of the job among the key's operations, for messages.
    pub(super) op: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Leaves nothing behind.
    Delete,
    /// The same, but may as well not happen.
    MaybeDelete,
    /// Needs nothing to be there.
    ReadAbsent,
    /// Comes and goes in an instant.
    Point { from_absent: bool },
    /// Begins at `due_ns`, ends at `ready_ns`, and `due_ns < ready_ns`.
    Hold { from_absent: bool },
}

/// A value: its write and all who saw it.
struct Level {
    /// `None` for the value that was there at the beginning.
    write: Option<usize>,
    /// The put-if that replaced it.
    next: Option<usize>,
    needed: bool,
    /// When the last reader began and when the first one ended.
    reads_ready_ns: u64,
    reads_due_ns: u64,
    first_read: Option<usize>,
}

/// Sorts one key's operations into jobs; an error is a violation that needs no search.
pub(super) fn plan(ops: &[Op], initial: Value) -> Result<Plan, Violation> {
    let mut jobs = Vec::new();
    let mut levels = Levels::collect(ops, initial, &mut jobs)?;
    levels.mark_needed()?;
    let start = levels.chain_up(&mut jobs)?;
    Ok(Plan { start, jobs })
}

struct Levels<'a> {
    ops: &'a [Op],
    all: Vec<Level>,
    of_value: HashMap<ValueId, usize>,
}

impl<'a> Levels<'a> {
    fn collect(ops: &'a [Op], initial: Value, jobs: &mut Vec<Job>) -> Result<Self, Violation> {
        let mut found = Self {
            ops,
            all: Vec::new(),
            of_value: HashMap::new(),
        };
        if let Some(value) = initial {
            found.add(value, None);
        }
        for (at, op) in ops.iter().enumerate() {
            let op = *op;
            if op.complete_ns < op.invoke_ns {
                return Err(Violation::Malformed { op });
            }
            let job = |kind| Job {
                kind,
                ready_ns: op.invoke_ns,
                due_ns: op.deadline_ns(),
                op: at,
            };
            match (op.function, op.outcome, op.value) {
                (_, Outcome::Fail, _)
                | (Function::Read, Outcome::Info, _)
                | (Function::Read, Outcome::Ok, Some(_)) => {}
                (Function::Read, Outcome::Ok, None) => jobs.push(job(Kind::ReadAbsent)),
                (Function::Delete, Outcome::Ok, _) => jobs.push(job(Kind::Delete)),
                (Function::Delete, Outcome::Info, _) => jobs.push(job(Kind::MaybeDelete)),
                (Function::Write | Function::WriteIf { .. }, _, None) => {
                    return Err(Violation::Malformed { op });
                }
                (Function::Write | Function::WriteIf { .. }, _, Some(value)) => {
                    if !found.add(value, Some(at)) {
                        return Err(Violation::Malformed { op });
                    }
                }
            }
        }
        for (at, op) in ops.iter().enumerate() {
            if let (Function::Read, Outcome::Ok, Some(value)) = (op.function, op.outcome, op.value)
            {
                let Some(level) = found.level_of(value) else {
                    return Err(Violation::NeverWritten { seen: *op });
                };
                level.reads_ready_ns = level.reads_ready_ns.max(op.invoke_ns);
                if op.complete_ns <= level.reads_due_ns {
                    level.reads_due_ns = op.complete_ns;
                    level.first_read = Some(at);
                }
            }
        }
        Ok(found)
    }

    /// False if the value is there already.
    fn add(&mut self, value: ValueId, write: Option<usize>) -> bool {
        let place = self.all.len();
        self.all.push(Level {
            write,
            next: None,
            needed: false,
            reads_ready_ns: 0,
            reads_due_ns: u64::MAX,
            first_read: None,
        });
        self.of_value.insert(value, place).is_none()
    }

    fn level_of(&mut self, value: ValueId) -> Option<&mut Level> {
        let place = *self.of_value.get(&value)?;
        self.all.get_mut(place)
    }

    fn write_of(&self, level: &Level) -> Option<Op> {
        level.write.and_then(|at| self.ops.get(at)).copied()
    }

    /// Marks each value that was certainly there, and ties put-ifs to what they replaced.
    fn mark_needed(&mut self) -> Result<(), Violation> {
        let mut open: Vec<usize> = Vec::new();
        for (place, level) in self.all.iter().enumerate() {
            let acknowledged = match self.write_of(level) {
                Some(op) => op.outcome == Outcome::Ok,
                None => true,
            };
            if acknowledged || level.first_read.is_some() {
                open.push(place);
            }
        }
        while let Some(place) = open.pop() {
            let Some(level) = self.all.get_mut(place) else {
                continue;
            };
            if std::mem::replace(&mut level.needed, true) {
                continue;
            }
            let Some(at) = level.write else { continue };
            let Some(&op) = self.ops.get(at) else {
                continue;
            };
            let Function::WriteIf {
                expect: Some(expect),
            } = op.function
            else {
                continue;
            };
            let Some(&before) = self.of_value.get(&expect) else {
                return Err(Violation::NeverWritten { seen: op });
            };
            let Some(replaced) = self.all.get_mut(before) else {
                continue;
            };
            if let Some(other) = replaced.next.replace(place) {
                let first = self.all.get(other).and_then(|one| self.write_of(one));
                return Err(Violation::ReplacedTwice {
                    first: first.unwrap_or(op),
                    second: op,
                });
            }
            open.push(before);
        }
        Ok(())
    }

    /// Follows each chain of put-ifs from its head and makes a job of it.
    fn chain_up(&self, jobs: &mut Vec<Job>) -> Result<Start, Violation> {
        let mut start = Start::Absent;
        let mut chained = 0_usize;
        for (place, head) in self.all.iter().enumerate() {
            let from_absent = match self.write_of(head).map(|op| op.function) {
                Some(Function::WriteIf { expect: Some(_) }) => continue,
                Some(Function::WriteIf { expect: None }) => true,
                Some(Function::Write | Function::Read | Function::Delete) | None => false,
            };
            if !head.needed {
                continue;
            }
            let chain = self.walk(place)?;
            chained += chain.levels;
            if head.write.is_none() {
                start = Start::Holding {
                    until_ns: chain.ready_ns,
                };
                continue;
            }
            jobs.push(Job {
                kind: if chain.ready_ns <= chain.due_ns {
                    Kind::Point { from_absent }
                } else {
                    Kind::Hold { from_absent }
                },
                ready_ns: chain.ready_ns,
                due_ns: chain.due_ns,
                op: chain.first_due,
            });
        }
        let needed = self.all.iter().filter(|level| level.needed);
        if chained == needed.clone().count() {
            return Ok(start);
        }
        // What no head leads to is a circle: each of its put-ifs waits for another.
        let in_circle = needed
            .filter_map(|level| self.write_of(level))
            .find(|op| matches!(op.function, Function::WriteIf { expect: Some(_) }));
        match in_circle {
            Some(op) => Err(Violation::TooEarly { op }),
            None => Ok(start),
        }
    }

    fn walk(&self, head: usize) -> Result<Chain, Violation> {
        let mut chain = Chain {
            levels: 0,
            ready_ns: 0,
            due_ns: u64::MAX,
            first_due: 0,
        };
        let mut next = Some(head);
        while let Some(level) = next.and_then(|place| self.all.get(place)) {
            chain.levels += 1;
            if let (Some(at), Some(op)) = (level.write, self.write_of(level)) {
                chain.ready_ns = chain.ready_ns.max(op.invoke_ns);
                self.bound(&mut chain, op.deadline_ns(), Some(at))?;
            } else {
                chain.due_ns = 0;
            }
            self.bound(&mut chain, level.reads_due_ns, level.first_read)?;
            chain.ready_ns = chain.ready_ns.max(level.reads_ready_ns);
            next = level.next;
        }
        Ok(chain)
    }

    /// Whatever comes next in the chain can't end before all that comes earlier has begun.
    fn bound(&self, chain: &mut Chain, due_ns: u64, at: Option<usize>) -> Result<(), Violation> {
        if due_ns < chain.ready_ns
            && let Some(&op) = at.and_then(|at| self.ops.get(at))
        {
            return Err(Violation::TooEarly { op });
        }
        if due_ns < chain.due_ns {
            chain.due_ns = due_ns;
            chain.first_due = at.unwrap_or_default();
        }
        Ok(())
    }
}

struct Chain {
    levels: usize,
    ready_ns: u64,
    due_ns: u64,
    first_due: usize,
}
