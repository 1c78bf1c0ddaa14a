//! What happened in a run, so that one can see that the faults really happen.

use std::collections::BTreeMap;
use std::fmt;

/// How often each thing happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts(BTreeMap<&'static str, u64>);

/// What must happen at least once in a run of any size worth the name.
pub(crate) const EXPECTED: &[&str] = &[
    "attempts",
    "backups put back",
    "client crashes",
    "client freezes",
    "commands repeated",
    "coordinator crashes",
    "coordinator freezes",
    "directory edits",
    "disks slowed",
    "failed: deadline",
    "failed: indeterminate",
    "fetches",
    "leases granted",
    "messages late",
    "messages lost",
    "messages repeated",
    "migrations begun",
    "migrations finished",
    "migrations paused",
    "migrations rolled back",
    "partitions",
    "refused: not-ready",
    "refused: stale-epoch",
    "refused: stale-term",
    "refused: wrong-role",
    "shard crashes",
    "shards readmitted",
    "shards shut",
    "stale answers of the topology",
    "take-overs",
    "two coordinators at once",
    "worlds",
    "worlds with client leases",
    "worlds with mirror leases",
];

impl Counts {
    pub(crate) fn add(&mut self, what: &'static str) {
        self.add_many(what, 1);
    }

    pub(crate) fn add_many(&mut self, what: &'static str, times: u64) {
        *self.0.entry(what).or_default() += times;
    }

    pub(crate) fn get(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            self.add_many(what, *times);
        }
    }

    /// What was expected and never happened.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let expected = EXPECTED.iter().copied();
        expected.filter(|what| self.get(what) == 0).collect()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, times) in &self.0 {
            writeln!(f, "  {what:<36} {times:>12}")?;
        }
        Ok(())
    }
}
