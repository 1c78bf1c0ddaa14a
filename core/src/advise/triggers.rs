//! When something is said, and what can be said.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::advise::wish::Wish;
use crate::ids::ShardId;

/// Above what something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Triggers {
    /// Of a shard's capacity, per cent.
    pub storage_percent: u32,
    /// Of a shard's fair share of the operations, per cent.
    pub load_percent: u32,
    /// Of a shard's usual 99th percentile, per cent.
    pub p99_percent: u32,
    /// Of a keyspace's operations, per cent: those that ask more than one shard.
    pub spread_percent: u32,
    /// Different routing parts a shard; fewer can't be spread.
    pub keys_a_shard: u64,
    /// How far ahead growth is looked at, in days.
    pub forecast_days: u32,
    /// Operations below which loads say nothing.
    pub ops_min: u64,
}

impl Default for Triggers {
    fn default() -> Self {
        Self {
            storage_percent: 80,
            load_percent: 300,
            p99_percent: 200,
            spread_percent: 50,
            keys_a_shard: 10,
            forecast_days: 183,
            ops_min: 1_000,
        }
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// A keyspace has hardly more keys than there are shards.
    Distinct,
    /// A shard has many times its share of the operations.
    Load,
    /// A shard is much slower than it was.
    Latency,
    /// Most operations of a keyspace ask several shards.
    Spread,
    /// A shard is nearly full.
    Storage,
    /// The cluster will be nearly full.
    Forecast,
}

/// How soon it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// Nothing else helps.
    Critical,
    /// Soon.
    High,
    /// Plan it.
    Medium,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Move slots to shards that have room.
    MoveSlots,
    /// Give a key, or the keys of one routing part, to a shard that has room.
    IsolateKey,
    /// Cut a range in two.
    SplitRange,
    /// Write one key as several, each with a part of the value: no shard could carry it.
    SpreadKey {
        /// How many.
        over: u32,
    },
    /// Give the keyspace more and smaller slots, so that they can be moved apart.
    GrowSlots,
    /// Add shards.
    AddShards {
        /// How many.
        count: u32,
    },
    /// Another routing part: more of the key, or what is asked for together.
    ChangeKey,
    /// Find out why: moving data isn't known to help.
    LookInto,
}

/// One thing that is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// What was found.
    pub trigger: Trigger,
    /// How soon it matters.
    pub urgency: Urgency,
    /// The shard that it is about, if it is about one.
    pub shard: Option<ShardId>,
    /// The keyspace, the same way.
    pub keyspace: Option<String>,
    /// What to do.
    pub action: Action,
    /// Both in words.
    pub text: String,
    /// What a plan is made of to do it; `None` where it isn't a migration.
    pub wish: Option<Wish>,
}
