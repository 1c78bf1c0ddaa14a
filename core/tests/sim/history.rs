//! What clients asked for and were told, and whether one register a key explains it.
//!
//! The search is stateright's `LinearizabilityTester`, which this project did not write. It has no
//! memory of what it has tried, so a key's history is bounded: see [`CALLS_A_KEY`].

use ringshift::{Fence, Version};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

/// Calls of one key while the world is at work. Final reads, two a key, come on top.
pub(crate) const CALLS_A_KEY: usize = 10;

/// A value: the number of the call that wrote it.
pub(crate) type Value = u32;

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    Get,
    Put(Value),
    Delete,
    PutIf(Option<Version>, Value),
}

/// What it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Told {
    Found(Version, Value),
    Missing,
    Written(Version),
    Conflict(Option<Version>),
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Running,
    /// It was answered, at this place in the order of all that happens.
    Told(Told, u64),
    /// Whether it was, or ever will be, carried out isn't known.
    Unknown,
    /// Nothing was changed, and never will be.
    Nothing,
}

/// One call of a client.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) key: usize,
    pub(crate) ask: Ask,
    /// Its place in the order of all that happens.
    pub(crate) began: u64,
    pub(crate) end: End,
    /// Under which its last read or write was sent.
    pub(crate) fence: Option<Fence>,
}

/// One key, as the sequential specification has it: a value under a version that rises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Register {
    value: Option<Value>,
    /// `None` after a write whose version nobody was told yet.
    version: Option<Version>,
    /// The highest version that was told.
    floor: Option<Version>,
}

impl Register {
    /// The version that the row has now is told.
    fn rises(&mut self, value: Option<Value>, version: Version) -> bool {
        let rises = self.floor.is_none_or(|floor| floor < version);
        *self = Self {
            value,
            version: Some(version),
            floor: Some(version),
        };
        rises
    }

    /// Whether the present row may have this version; if so, it has.
    fn has(&mut self, version: Version) -> bool {
        match self.version {
            Some(known) => known == version,
            None => self.rises(self.value, version),
        }
    }

    fn puts_unseen(&mut self, value: Option<Value>) {
        (self.value, self.version) = (value, None);
    }
}

impl SequentialSpec for Register {
    type Op = Ask;
    type Ret = Option<Told>;

    /// A call that was never answered, but was carried out.
    fn invoke(&mut self, ask: &Ask) -> Option<Told> {
        match *ask {
            Ask::Get => {}
            Ask::Put(value) => self.puts_unseen(Some(value)),
            Ask::Delete => self.puts_unseen(None),
            // Who expects a version has been told it, so a row whose version nobody was told isn't
            // the one that was expected.
            Ask::PutIf(expected, value) => {
                let live = self.value.and(self.version);
                if live == expected && (expected.is_some() || self.value.is_none()) {
                    self.puts_unseen(Some(value));
                }
            }
        }
        None
    }

    fn is_valid_step(&mut self, ask: &Ask, told: &Option<Told>) -> bool {
        let Some(told) = *told else { return false };
        match (*ask, told) {
            (Ask::Get, Told::Found(version, value)) => {
                self.value == Some(value) && self.has(version)
            }
            (Ask::Get, Told::Missing) => self.value.is_none(),
            (Ask::Put(value), Told::Written(version)) => self.rises(Some(value), version),
            (Ask::Delete, Told::Written(version)) => self.rises(None, version),
            (Ask::PutIf(expected, value), Told::Written(version)) => {
                let as_expected = match (self.value, expected) {
                    (None, None) => true,
                    (Some(_), Some(expected)) => self.has(expected),
                    _ => false,
                };
                as_expected && self.rises(Some(value), version)
            }
            (Ask::PutIf(expected, _), Told::Conflict(found)) => match (self.value, found) {
                // A tombstone has a version, too.
                (None, _) => expected.is_some(),
                (Some(_), Some(found)) => expected != Some(found) && self.has(found),
                (Some(_), None) => false,
            },
            _ => false,
        }
    }
}

/// Whether one register explains all calls of a key, up to a place in the order of what happened.
pub(crate) fn is_linearizable(calls: &[&Call], upto: u64) -> bool {
    // Calls that were never answered are tried last: they are placed where something asks for them.
    const UNANSWERED: usize = 1 << 32;
    let mut moments = Vec::new();
    for (at, call) in calls.iter().enumerate() {
        let told = match call.end {
            End::Nothing => continue,
            End::Told(told, when) if when <= upto => Some((told, when)),
            End::Told(..) | End::Unknown | End::Running => None,
        };
        if call.began > upto || (told.is_none() && call.ask == Ask::Get) {
            continue;
        }
        let thread = if told.is_some() { at } else { at + UNANSWERED };
        moments.push((call.began, thread, call.ask, None));
        if let Some((told, when)) = told {
            moments.push((when, thread, call.ask, Some(told)));
        }
    }
    moments.sort_by_key(|(when, ..)| *when);
    let mut tester = LinearizabilityTester::new(Register::default());
    for (_, thread, ask, told) in moments {
        let heard = match told {
            None => tester.on_invoke(thread, ask),
            told => tester.on_return(thread, told),
        };
        assert!(heard.is_ok(), "a call was answered twice");
    }
    tester.is_consistent()
}
