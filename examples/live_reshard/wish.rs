//! The wishes that a run can be given, as data for the planner.

use std::sync::Arc;

use clap::ValueEnum;
use ringshift::migration::Changes;
use ringshift::{PinTopology, Router, ShardId, Snapshot};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cluster::{Failed, KEYSPACE, SHARDS};

/// A kind of wish, each with an example of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Wished {
    /// A fifth shard
    Add,
    /// The fourth shard goes
    Remove,
    /// Other shares for two shards
    Reweight,
    /// The second shard is emptied, and stays on the list
    Drain,
    /// 150 of 256 slots to a new shard
    MoveSlots,
    /// Four times as many slots, each split where it is
    GrowBits,
    /// The three hottest keys, each to another shard
    MoveKey,
    /// A tenant to a shard
    MovePrefix,
    /// A range of tenants to a shard, in two pieces
    MoveRange,
    /// A tenant that is pinned goes back to its slots
    Unpin,
    /// The upper half of a pinned range to another shard
    SplitRange,
    /// Two pinned ranges to one shard
    MergeRanges,
}

/// Tenants that keys are given to, where a wish is about keys.
const TENANTS: usize = 16;

impl Wished {
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether it names keys, so that these must have tenants in front.
    pub(crate) const fn is_about_keys(self) -> bool {
        match self {
            Self::Add
            | Self::Remove
            | Self::Reweight
            | Self::Drain
            | Self::MoveSlots
            | Self::GrowBits => false,
            Self::MoveKey
            | Self::MovePrefix
            | Self::MoveRange
            | Self::Unpin
            | Self::SplitRange
            | Self::MergeRanges => true,
        }
    }

    /// The slot bits that the keyspace begins with.
    pub(crate) const fn bits(self) -> u8 {
        match self {
            Self::MoveSlots => 8,
            Self::GrowBits => 12,
            _ => 16,
        }
    }

    /// What is pinned before it begins.
    pub(crate) fn pins(self) -> Vec<PinTopology> {
        let pin = |prefix: Option<&str>, range: Option<[&str; 2]>, shard| PinTopology {
            key: None,
            prefix: prefix.map(str::to_owned),
            range: range.map(|ends| ends.map(str::to_owned)),
            parts: None,
            shard: ShardId(shard),
        };
        match self {
            Self::Unpin => vec![pin(Some("t03/"), None, 2)],
            Self::SplitRange => vec![pin(None, Some(["t04/", "t08/"]), 2)],
            Self::MergeRanges => vec![
                pin(None, Some(["t04/", "t06/"]), 2),
                pin(None, Some(["t06/", "t08/"]), 3),
            ],
            _ => Vec::new(),
        }
    }

    /// The wish; `hot` are the keys that are asked for most.
    pub(crate) fn changes(self, now: &Arc<Snapshot>, hot: &[&String]) -> Result<Changes, Failed> {
        let fifth = json!([{"id": 5, "name": "shard-5", "endpoint": "shard-5.db"}]);
        let wish = match self {
            Self::Add => json!({ "add": fifth }),
            Self::Remove => json!({"remove": [SHARDS]}),
            Self::Reweight => {
                json!({"reweight": [{"id": 1, "weight": 0.5}, {"id": 3, "weight": 2.0}]})
            }
            Self::Drain => json!({"drain": [2]}),
            Self::MoveSlots => json!({"add": fifth, "move_slots":
                [{"keyspace": KEYSPACE, "slots": "1-50,100-199", "to": "shard-5"}]}),
            Self::GrowBits => json!({"grow_bits": [{"keyspace": KEYSPACE, "bits": 14}]}),
            Self::MoveKey => json!({ "move_key": move_keys(now, hot)? }),
            Self::MovePrefix => {
                json!({"move_prefix": [{"keyspace": KEYSPACE, "prefix": "t03/", "to": 2}]})
            }
            Self::MoveRange => json!({"move_range": [{"keyspace": KEYSPACE,
                "start": "t05/", "end": "t08/", "cut_at": ["t06/"], "to": 3}]}),
            Self::Unpin => json!({"unpin": [{"keyspace": KEYSPACE, "prefix": "t03/"}]}),
            Self::SplitRange => json!({"split_range": [{"keyspace": KEYSPACE,
                "start": "t04/", "end": "t08/", "at": "t06/", "to": 3}]}),
            Self::MergeRanges => json!({"merge_ranges": [{"keyspace": KEYSPACE,
                "ranges": [["t04/", "t06/"], ["t06/", "t08/"]], "to": 2}]}),
        };
        Ok(serde_json::from_value(wish)?)
    }
}

/// Each of the keys to the shard after its own.
fn move_keys(now: &Arc<Snapshot>, keys: &[&String]) -> Result<Vec<Value>, Failed> {
    let router = Router::new(now.clone());
    let keyspace = router.keyspace(KEYSPACE)?;
    let mut moves = Vec::new();
    for key in keys {
        let own = now.shard_id(keyspace.route(key.as_bytes())?.shard);
        let to = own.map_or(1, |shard| shard.0 % u32::from(SHARDS) + 1);
        moves.push(json!({"keyspace": KEYSPACE, "key": key, "to": to}));
    }
    Ok(moves)
}

/// The key as its tenant has it.
pub(crate) fn of_tenant(place: usize, key: &str) -> String {
    format!("t{:02}/{key}", place % TENANTS)
}
