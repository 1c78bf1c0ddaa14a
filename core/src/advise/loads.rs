//! What was counted and measured, as data.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::{ShardId, Slot};

/// The loads and sizes of a cluster. Whatever isn't known is left out: nothing is advised about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Loads {
    /// Of shards.
    pub shards: Vec<ShardLoad>,
    /// Of keyspaces.
    pub keyspaces: Vec<KeyspaceLoad>,
}

/// What is known of one shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardLoad {
    /// The shard.
    pub shard: ShardId,
    /// Bytes that it holds; without it, those of its slots.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Bytes that it can hold.
    #[serde(default)]
    pub capacity_bytes: Option<u64>,
    /// Bytes that it held `days` ago.
    #[serde(default)]
    pub bytes_before: Option<u64>,
    /// How long ago that was.
    #[serde(default)]
    pub days: u32,
    /// Its 99th percentile of latency now, in microseconds.
    #[serde(default)]
    pub p99_us: Option<u64>,
    /// What that usually is.
    #[serde(default)]
    pub p99_before_us: Option<u64>,
}

/// What is known of one keyspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyspaceLoad {
    /// Its name.
    pub keyspace: String,
    /// Operations.
    #[serde(default)]
    pub ops: u64,
    /// Operations that had to ask more than one shard.
    #[serde(default)]
    pub spread_ops: u64,
    /// About how many different routing parts there are; 0: not known.
    #[serde(default)]
    pub distinct: u64,
    /// Operations by shard.
    #[serde(default)]
    pub shards: Vec<(ShardId, u64)>,
    /// By slot; slots that aren't there have nothing.
    #[serde(default)]
    pub slots: Vec<SlotLoad>,
    /// The routing parts that come most often.
    #[serde(default)]
    pub hot: Vec<HotKey>,
    /// Ranges that have an override.
    #[serde(default)]
    pub ranges: Vec<RangeLoad>,
}

/// What is known of one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotLoad {
    /// The slot.
    pub slot: Slot,
    /// Operations.
    #[serde(default)]
    pub ops: u64,
    /// Rows.
    #[serde(default)]
    pub rows: u64,
    /// Bytes of keys and values.
    #[serde(default)]
    pub bytes: u64,
}

/// A routing part that comes often.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HotKey {
    /// Its bytes.
    pub key: Vec<u8>,
    /// At most so many operations.
    pub ops: u64,
    /// By how much that may be too high.
    #[serde(default)]
    pub error: u64,
}

/// What is known of a range that has an override.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeLoad {
    /// Its shard.
    pub shard: ShardId,
    /// Its first key.
    pub start: Vec<u8>,
    /// One after its last.
    pub end: Vec<u8>,
    /// A key with about half of its operations below it.
    pub middle: Vec<u8>,
    /// Operations.
    #[serde(default)]
    pub ops: u64,
}

impl Loads {
    /// Adds what another process has counted, or a store has measured.
    ///
    /// Counts are added up. Of what isn't a count, the higher is kept; so keys are counted too low
    /// where two processes see different ones.
    pub fn add(&mut self, other: &Self) {
        for theirs in &other.shards {
            match self
                .shards
                .iter_mut()
                .find(|ours| ours.shard == theirs.shard)
            {
                Some(ours) => ours.add(theirs),
                None => self.shards.push(*theirs),
            }
        }
        for theirs in &other.keyspaces {
            let same = |ours: &&mut KeyspaceLoad| ours.keyspace == theirs.keyspace;
            match self.keyspaces.iter_mut().find(same) {
                Some(ours) => ours.add(theirs),
                None => self.keyspaces.push(theirs.clone()),
            }
        }
    }
}

impl ShardLoad {
    fn add(&mut self, other: &Self) {
        self.bytes = self.bytes.max(other.bytes);
        self.capacity_bytes = self.capacity_bytes.max(other.capacity_bytes);
        self.bytes_before = self.bytes_before.max(other.bytes_before);
        self.days = self.days.max(other.days);
        self.p99_us = self.p99_us.max(other.p99_us);
        self.p99_before_us = self.p99_before_us.max(other.p99_before_us);
    }
}

impl KeyspaceLoad {
    fn add(&mut self, other: &Self) {
        self.ops = self.ops.saturating_add(other.ops);
        self.spread_ops = self.spread_ops.saturating_add(other.spread_ops);
        self.distinct = self.distinct.max(other.distinct);
        let mut shards: BTreeMap<ShardId, u64> = BTreeMap::new();
        for &(shard, ops) in self.shards.iter().chain(&other.shards) {
            let sum = shards.entry(shard).or_default();
            *sum = sum.saturating_add(ops);
        }
        self.shards = shards.into_iter().collect();
        let mut slots: BTreeMap<Slot, SlotLoad> = BTreeMap::new();
        for load in self.slots.iter().chain(&other.slots) {
            let sum = slots.entry(load.slot).or_insert(SlotLoad {
                slot: load.slot,
                ..SlotLoad::default()
            });
            sum.ops = sum.ops.saturating_add(load.ops);
            sum.rows = sum.rows.saturating_add(load.rows);
            sum.bytes = sum.bytes.saturating_add(load.bytes);
        }
        self.slots = slots.into_values().collect();
        for theirs in &other.hot {
            match self.hot.iter_mut().find(|ours| ours.key == theirs.key) {
                Some(ours) => {
                    ours.ops = ours.ops.saturating_add(theirs.ops);
                    ours.error = ours.error.saturating_add(theirs.error);
                }
                None => self.hot.push(theirs.clone()),
            }
        }
        self.hot
            .sort_by(|a, b| b.ops.cmp(&a.ops).then_with(|| a.key.cmp(&b.key)));
        self.ranges.extend(other.ranges.iter().cloned());
    }
}
