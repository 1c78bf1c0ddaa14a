//! What clients asked for and what they were told, as a list of operations.

mod file;
mod load;
mod record;
#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may fail loudly")]
mod tests;

use std::fmt;
use std::num::NonZeroU64;

pub(crate) use file::save;
pub(crate) use load::{Loaded, create, load, resume};
pub(crate) use record::{Recorder, Recorders};

/// A key, as its place in the run's list of keys.
pub(crate) type KeyId = u32;

/// The name of one written value; no two writes of a run carry the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct ValueId(NonZeroU64);

impl ValueId {
    /// What a read found when the bytes were not a value of this run: nobody ever writes it.
    pub(crate) const UNREADABLE: Self = Self(NonZeroU64::MAX);

    /// `None` for 0, so that a value fits in eight bytes together with "absent".
    pub(crate) fn new(id: u64) -> Option<Self> {
        NonZeroU64::new(id).map(Self)
    }

    pub(crate) fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for ValueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a key holds: a value, or nothing (deleted or never written).
pub(crate) type Value = Option<ValueId>;

/// What a client asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Function {
    Read,
    Write,
    /// A put-if: a write that holds only if the key held this just before.
    WriteIf {
        expect: Value,
    },
    Delete,
}

/// What a client was told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Outcome {
    /// It took effect, between invoke and completion.
    Ok,
    /// It certainly did not take effect, and never will.
    Fail,
    /// Nobody knows: it may take effect at any time after its invoke, or never.
    Info,
}

/// One operation of one client, from invoke to completion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Op {
    pub(crate) process: u32,
    pub(crate) key: KeyId,
    pub(crate) function: Function,
    /// Written, or read when the outcome is `Ok`; `None` is "absent".
    pub(crate) value: Value,
    pub(crate) invoke_ns: u64,
    pub(crate) complete_ns: u64,
    pub(crate) outcome: Outcome,
}

impl Op {
    /// Whether it was over before the other began. An unknown outcome is never over.
    pub(crate) fn precedes(&self, other: &Self) -> bool {
        self.deadline_ns() < other.invoke_ns
    }

    /// The latest time at which it took effect, if it did.
    pub(crate) fn deadline_ns(&self) -> u64 {
        match self.outcome {
            Outcome::Ok | Outcome::Fail => self.complete_ns,
            Outcome::Info => u64::MAX,
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = Shown(self.value);
        match self.function {
            Function::Read => write!(f, "the read of {shown}")?,
            Function::Write => write!(f, "the write of {shown}")?,
            Function::WriteIf { expect } => {
                write!(f, "the put of {shown} if {}", Shown(expect))?;
            }
            Function::Delete => write!(f, "the delete")?,
        }
        write!(
            f,
            " of key {} by process {} ({}..{} ns, {})",
            self.key,
            self.process,
            self.invoke_ns,
            self.complete_ns,
            match self.outcome {
                Outcome::Ok => "ok",
                Outcome::Fail => "failed",
                Outcome::Info => "outcome unknown",
            }
        )
    }
}

/// A value for people.
struct Shown(Value);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(id) if id == ValueId::UNREADABLE => f.write_str("unreadable bytes"),
            Some(id) => write!(f, "v{id}"),
            None => f.write_str("nothing"),
        }
    }
}
