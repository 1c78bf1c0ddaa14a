//! Proves from a history of operations that every key behaved like one register, or says where not.
//!
//! Knows nothing of shards, routes or phases: it sees what clients asked for, what they were told
//! and when. Each key is judged alone, in three steps, a file each:
//!
//! - [`blocks`]: operations that must stand next to each other become one job with a window.
//! - [`search`]: is there an order of the jobs that respects the windows? This is the proof.
//! - [`classify`]: for a key without such an order, what a person would say went wrong.
//!
//! Operation A comes before B only if A completed strictly before B was invoked.

mod blocks;
#[cfg(test)]
mod brute;
mod classify;
#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may fail loudly")]
mod properties;
mod search;
#[cfg(test)]
#[expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test may fail loudly"
)]
mod speed;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::history::{KeyId, Op, Value};

pub(crate) use classify::Finding;

/// Why a key's history fits no register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Violation {
    /// A value was seen that nobody wrote, or only by a write that failed.
    NeverWritten { seen: Op },
    /// An operation completed before something that it depends on was invoked.
    TooEarly { op: Op },
    /// Two acknowledged put-ifs both replaced the same value.
    ReplacedTwice { first: Op, second: Op },
    /// No order of the operations lets this one take effect in time.
    NoOrder { op: Op },
    /// The history itself is at fault: a value written twice, or a completion before its invoke.
    Malformed { op: Op },
    /// Too many operations at once to decide.
    Undecided { op: Op },
}

/// What the checker found over all keys.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) keys: usize,
    pub(crate) operations: usize,
    pub(crate) findings: Vec<Finding>,
    /// Keys that could not be judged. Never silently good: see [`Verdict::is_clean`].
    pub(crate) undecided: Vec<Violation>,
}

impl Verdict {
    /// Acknowledged writes that are gone.
    pub(crate) fn lost(&self) -> usize {
        self.count(|finding| matches!(finding, Finding::Lost { .. }))
    }

    /// Acknowledged deletes whose value came back.
    pub(crate) fn resurrected(&self) -> usize {
        self.count(|finding| matches!(finding, Finding::Resurrected { .. }))
    }

    /// Other reads that no register would have answered.
    pub(crate) fn wrong_reads(&self) -> usize {
        self.count(|finding| matches!(finding, Finding::WrongRead { .. }))
    }

    /// Whether every key was judged and found right.
    pub(crate) fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.undecided.is_empty()
    }

    fn count(&self, which: impl Fn(&Finding) -> bool) -> usize {
        self.findings.iter().filter(|found| which(found)).count()
    }
}

/// Judges a whole history; `initial` says what each key held before its first operation.
pub(crate) fn check(ops: &[Op], initial: impl Fn(KeyId) -> Value) -> Verdict {
    let mut sorted = ops.to_vec();
    sorted.sort_by_key(|op| op.key);
    let mut verdict = Verdict {
        operations: ops.len(),
        ..Verdict::default()
    };
    for of_key in sorted.chunk_by(|a, b| a.key == b.key) {
        let Some(first) = of_key.first() else {
            continue;
        };
        verdict.keys += 1;
        let before = initial(first.key);
        match check_key(of_key, before) {
            Ok(()) => {}
            Err(violation @ (Violation::Malformed { .. } | Violation::Undecided { .. })) => {
                verdict.undecided.push(violation);
            }
            Err(violation) => {
                verdict
                    .findings
                    .extend(classify::classify(of_key, before, violation));
            }
        }
    }
    verdict
}

/// Whether the operations of one key fit a register that first held `initial`.
fn check_key(ops: &[Op], initial: Value) -> Result<(), Violation> {
    let plan = blocks::plan(ops, initial)?;
    search::search(ops, &plan)
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverWritten { seen } => write!(f, "{seen} saw a value that was never written"),
            Self::TooEarly { op } => write!(f, "{op} ended before what it builds on had begun"),
            Self::ReplacedTwice { first, second } => {
                write!(f, "{first} and {second} both replaced the same value")
            }
            Self::NoOrder { op } => write!(f, "no order of the operations has room for {op}"),
            Self::Malformed { op } => write!(
                f,
                "{op} makes no sense: its value was written before, or it ends before it begins"
            ),
            Self::Undecided { op } => write!(f, "too much happened at once around {op}"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        for violation in &self.undecided {
            writeln!(f, "not decided: {violation}")?;
        }
        Ok(())
    }
}
