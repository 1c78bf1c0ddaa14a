//! What may be wished: data, in JSON for people.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{ShardId, Slot, SlotRange};
use crate::migration::plan::PlanError;
use crate::migration::plan::keys::{
    MergeRanges, MoveKey, MovePrefix, MoveRange, PinKeyspace, SplitRange, Unpin,
};
use crate::snapshot::{Shard, ShardTopology, TopologyError};
use crate::wave::slot_runs;
use crate::weight::Weight;

/// What is wished: any number of wishes, one plan for all of them.
///
/// ```
/// use ringshift::migration::Changes;
/// let text = r#"{"add":[{"id":5,"name":"pg-5"}],"reweight":[{"id":1,"weight":0.5}]}"#;
/// let changes: Changes = serde_json::from_str(text)?;
/// assert_eq!((changes.add.len(), changes.remove.len()), (1, 0));
///
/// // Slots 1 to 50 to a new server, and nothing else.
/// let text = r#"{"add":[{"id":5,"name":"pg-5"}],
///                "move_slots":[{"keyspace":"users","slots":"1-50","to":"pg-5"}]}"#;
/// let changes: Changes = serde_json::from_str(text)?;
/// assert_eq!(changes.move_slots[0].slots.0[0].len(), 50);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ChangesForPeople")]
pub struct Changes {
    /// Shards to add.
    pub add: Vec<Shard>,
    /// Shards to empty and strike off the list.
    pub remove: Vec<ShardId>,
    /// Shards to give another weight.
    pub reweight: Vec<(ShardId, Weight)>,
    /// Shards to empty, and to keep on the list without a share.
    pub drain: Vec<ShardId>,
    /// What the shares of the others do when shards come, go or change weight.
    pub balance: Option<Balance>,
    /// Slots to move by hand.
    pub move_slots: Vec<MoveSlots>,
    /// Keys to pin to a shard, one by one.
    pub move_key: Vec<MoveKey>,
    /// Prefixes, tenants say, to pin to a shard.
    pub move_prefix: Vec<MovePrefix>,
    /// Ranges of keys to pin to a shard.
    pub move_range: Vec<MoveRange>,
    /// Overrides to take away: their keys go back to where their slots are.
    pub unpin: Vec<Unpin>,
    /// Ranges that have an override, to be cut in two.
    pub split_range: Vec<SplitRange>,
    /// Ranges that have overrides, to be brought together on one shard.
    pub merge_ranges: Vec<MergeRanges>,
    /// Prefixes to send to another keyspace. Refused: see [`PlanError::KeyspacePin`].
    pub pin_keyspace: Vec<PinKeyspace>,
    /// Keyspaces to give more slots. Alone in its plan.
    pub grow_bits: Vec<GrowBits>,
}

/// What a change of shards does to keyspaces that go by exact shares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// Every shard ends with its exact share; what was moved by hand before goes back to that.
    #[default]
    Full,
    /// Shards that come, go or change weight get theirs; between the others nothing moves, so that
    /// what was moved by hand stays in proportion.
    Keep,
    /// Only what is moved by hand moves. A shard that goes must be empty after that.
    None,
}

/// A shard, by number or by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ShardRef {
    /// By number.
    Id(ShardId),
    /// By name.
    Name(String),
}

impl fmt::Display for ShardRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => write!(f, "`{name}`"),
        }
    }
}

/// Slots of a keyspace that go to one shard, whoever has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveSlots {
    /// The keyspace's name.
    pub keyspace: String,
    /// Which slots.
    pub slots: SlotList,
    /// Where they go.
    pub to: ShardRef,
}

/// A keyspace that gets more slots: each of the present ones is split, on the shard where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrowBits {
    /// The keyspace's name.
    pub keyspace: String,
    /// It is to have `2^bits` slots: more than now, at most 20.
    pub bits: u8,
}

/// Slots as people write them: `"1-50,77"`, the ends included, or `[1, 2, 77]`.
///
/// ```
/// use ringshift::migration::SlotList;
/// let list: SlotList = "7,1-3,4".parse()?;
/// assert_eq!(list.to_string(), "1-4,7");
/// assert!("4-3".parse::<SlotList>().is_err());
/// # Ok::<(), ringshift::migration::PlanError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SlotsForPeople", into = "String")]
pub struct SlotList(
    /// The fewest runs, sorted.
    pub Vec<SlotRange>,
);

#[derive(Deserialize)]
#[serde(untagged)]
enum SlotsForPeople {
    Text(String),
    Numbers(Vec<u32>),
    Runs(Vec<SlotRange>),
}

/// The most slots that are looked at before a keyspace says how many it has.
const SLOTS_MAX: u32 = 1 << crate::ids::SLOT_BITS_MAX;

impl SlotList {
    fn of(runs: impl IntoIterator<Item = SlotRange>) -> Result<Self, PlanError> {
        let mut slots = Vec::new();
        for run in runs {
            if run.is_empty() || run.end > SLOTS_MAX {
                return Err(PlanError::Slots {
                    text: alloc::format!("{}-{}", run.start, run.end.saturating_sub(1)),
                });
            }
            slots.extend(run.slots());
        }
        slots.sort_unstable();
        slots.dedup();
        Ok(Self(slot_runs(slots)))
    }

    /// The slots, in order.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        self.0.iter().flat_map(|run| run.slots())
    }
}

impl core::str::FromStr for SlotList {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let wrong = || PlanError::Slots { text: text.into() };
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| wrong());
        let run = |part: &str| -> Result<SlotRange, PlanError> {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (start, last) = (number(first)?, number(last)?);
            let end = last.checked_add(1).ok_or_else(wrong)?;
            Ok(SlotRange { start, end })
        };
        let runs = text.split(',').map(run).collect::<Result<Vec<_>, _>>()?;
        Self::of(runs)
    }
}

impl TryFrom<SlotsForPeople> for SlotList {
    type Error = PlanError;

    fn try_from(slots: SlotsForPeople) -> Result<Self, PlanError> {
        match slots {
            SlotsForPeople::Text(text) => text.parse(),
            SlotsForPeople::Numbers(numbers) => {
                Self::of(numbers.into_iter().map(|start| SlotRange {
                    start,
                    end: start.saturating_add(1),
                }))
            }
            SlotsForPeople::Runs(runs) => Self::of(runs),
        }
    }
}

impl From<SlotList> for String {
    fn from(list: SlotList) -> Self {
        list.to_string()
    }
}

impl fmt::Display for SlotList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, run) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match run.len() {
                1 => write!(f, "{comma}{}", run.start)?,
                _ => write!(f, "{comma}{}-{}", run.start, run.end.saturating_sub(1))?,
            }
        }
        Ok(())
    }
}

/// The same as people write it.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ChangesForPeople {
    add: Vec<ShardTopology>,
    remove: Vec<ShardId>,
    reweight: Vec<Reweight>,
    drain: Vec<ShardId>,
    balance: Option<Balance>,
    move_slots: Vec<MoveSlots>,
    move_key: Vec<MoveKey>,
    move_prefix: Vec<MovePrefix>,
    move_range: Vec<MoveRange>,
    unpin: Vec<Unpin>,
    split_range: Vec<SplitRange>,
    merge_ranges: Vec<MergeRanges>,
    pin_keyspace: Vec<PinKeyspace>,
    grow_bits: Vec<GrowBits>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reweight {
    id: ShardId,
    weight: f64,
}

impl TryFrom<ChangesForPeople> for Changes {
    type Error = TopologyError;

    fn try_from(changes: ChangesForPeople) -> Result<Self, TopologyError> {
        let add = changes.add.iter().map(ShardTopology::shard);
        let reweight = changes.reweight.iter().map(|shard| {
            let weight = Weight::from_f64(shard.weight)?;
            Ok((shard.id, weight))
        });
        Ok(Self {
            add: add.collect::<Result<_, _>>()?,
            remove: changes.remove,
            reweight: reweight.collect::<Result<_, TopologyError>>()?,
            drain: changes.drain,
            balance: changes.balance,
            move_slots: changes.move_slots,
            move_key: changes.move_key,
            move_prefix: changes.move_prefix,
            move_range: changes.move_range,
            unpin: changes.unpin,
            split_range: changes.split_range,
            merge_ranges: changes.merge_ranges,
            pin_keyspace: changes.pin_keyspace,
            grow_bits: changes.grow_bits,
        })
    }
}

impl Changes {
    /// Whether the list of shards changes.
    pub(super) const fn changes_shards(&self) -> bool {
        !(self.add.is_empty()
            && self.remove.is_empty()
            && self.reweight.is_empty()
            && self.drain.is_empty())
    }
}
