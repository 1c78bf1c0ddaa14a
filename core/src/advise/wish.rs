//! The wishes that advice comes with: the JSON that a planner reads.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::ids::{ShardId, SlotRange};

/// A wish. What it hasn't got isn't written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Wish {
    /// Shards to add.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<AddShard>,
    /// Slots to move.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub move_slots: Vec<MoveSlots>,
    /// Keys to give to a shard.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub move_key: Vec<IsolateKey>,
    /// Prefixes to give to a shard.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub move_prefix: Vec<IsolatePrefix>,
    /// Ranges to cut.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub split_range: Vec<SplitRange>,
    /// Keyspaces to give more slots.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grow_bits: Vec<GrowSlots>,
}

/// A shard to add. Its endpoint is the application's to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AddShard {
    /// A number that is free.
    pub id: ShardId,
    /// A name that is free.
    pub name: String,
}

/// Slots to move to one shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MoveSlots {
    /// The keyspace.
    pub keyspace: String,
    /// Which slots, as `"1-50,77"`.
    #[serde(serialize_with = "as_list")]
    pub slots: Vec<SlotRange>,
    /// Where they go.
    pub to: ShardId,
}

/// A key to give to a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IsolateKey {
    /// The keyspace.
    pub keyspace: String,
    /// The key.
    pub key: KeyText,
    /// Where it goes.
    pub to: ShardId,
}

/// All keys of one routing part, which they begin with, to give to a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IsolatePrefix {
    /// The keyspace.
    pub keyspace: String,
    /// How they begin.
    pub prefix: KeyText,
    /// Where they go.
    pub to: ShardId,
}

/// A range to cut; its upper half goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SplitRange {
    /// The keyspace.
    pub keyspace: String,
    /// The range's first key.
    pub start: KeyText,
    /// One after its last.
    pub end: KeyText,
    /// The first key of the upper half.
    pub at: KeyText,
    /// Where that goes.
    pub to: ShardId,
}

/// A keyspace to give more slots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GrowSlots {
    /// The keyspace.
    pub keyspace: String,
    /// Its slot bits then.
    pub bits: u8,
}

/// A key's bytes: in JSON its text, or `{"hex": …}` where they aren't UTF-8 that people can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyText(pub Vec<u8>);

impl KeyText {
    /// Its text, if people can read it.
    pub fn text(&self) -> Option<&str> {
        let text = core::str::from_utf8(&self.0).ok()?;
        (!text.chars().any(char::is_control)).then_some(text)
    }
}

impl core::fmt::Display for KeyText {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.text() {
            Some(text) => f.write_str(text),
            None => self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

impl Serialize for KeyText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(text) = self.text() {
            return text.serialize(serializer);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("hex", &format!("{self}"))?;
        map.end()
    }
}

fn as_list<S: Serializer>(slots: &[SlotRange], serializer: S) -> Result<S::Ok, S::Error> {
    let runs: Vec<String> = slots
        .iter()
        .map(|run| match run.end.saturating_sub(run.start) {
            1 => format!("{}", run.start),
            _ => format!("{}-{}", run.start, run.end.saturating_sub(1)),
        })
        .collect();
    runs.join(",").serialize(serializer)
}
