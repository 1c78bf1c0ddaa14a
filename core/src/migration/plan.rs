//! From a wish to waves: which slots move where, and what that costs.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::balance::{all_placed, balanced, modulo_moved_share};
use crate::error::ErrorCode;
use crate::ids::{KeyspaceId, ShardId, ShardIndex, Slot};
use crate::migration::log::{Log, PlannedWave};
use crate::snapshot::{
    KeyspaceDraft, Placement, Shard, ShardState, ShardTopology, Snapshot, TopologyError, ring_of,
    target_weights,
};
use crate::wave::slot_runs;
use crate::weight::Weight;

/// What is wished.
///
/// ```
/// use ringshift::migration::Changes;
/// let text = r#"{"add":[{"id":5,"name":"pg-5"}],"reweight":[{"id":1,"weight":0.5}]}"#;
/// let changes: Changes = serde_json::from_str(text)?;
/// assert_eq!((changes.add.len(), changes.remove.len()), (1, 0));
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
}

/// The same as people write it.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ChangesForPeople {
    add: Vec<ShardTopology>,
    remove: Vec<ShardId>,
    reweight: Vec<Reweight>,
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
        })
    }
}

/// What a migration will do. Data: print it, keep it, then hand its `log` to a coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// What the coordinator begins with.
    pub log: Log,
    /// What moves, keyspace by keyspace.
    pub figures: Vec<PlanFigures>,
}

/// What moves in one keyspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanFigures {
    /// The keyspace.
    pub keyspace: String,
    /// Slots there are.
    pub slots: u32,
    /// Slots that move.
    pub slots_moved: u32,
    /// The least that any plan could move for the same shares.
    pub slots_least: u32,
    /// Slots that `hash % N` would move, to the nearest whole one.
    pub slots_modulo: u32,
    /// Waves.
    pub waves: u32,
}

/// Why a wish can't be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanError {
    /// A migration is under way.
    Busy,
    /// Nothing is wished.
    Nothing,
    /// A shard to remove or reweight isn't there.
    UnknownShard(ShardId),
    /// A shard to add is there already.
    KnownShard(ShardId),
    /// A key is pinned to a shard that is to go.
    Pinned {
        /// The shard.
        shard: ShardId,
        /// The keyspace.
        keyspace: String,
    },
    /// The topology that is wished breaks a rule.
    Topology(TopologyError),
}

impl PlanError {
    /// The stable slug.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Topology(error) => error.code(),
            Self::Busy
            | Self::Nothing
            | Self::UnknownShard(_)
            | Self::KnownShard(_)
            | Self::Pinned { .. } => ErrorCode::Plan,
        }
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => {
                f.write_str("a migration is under way; let it end, or take it back first")
            }
            Self::Nothing => f.write_str("nothing is wished; add, remove or reweight a shard"),
            Self::UnknownShard(shard) => write!(f, "there is no shard {shard}"),
            Self::KnownShard(shard) => write!(f, "there is a shard {shard} already"),
            Self::Pinned { shard, keyspace } => write!(
                f,
                "a key of keyspace `{keyspace}` is pinned to shard {shard}; unpin it before the shard goes"
            ),
            Self::Topology(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for PlanError {}

impl From<TopologyError> for PlanError {
    fn from(error: TopologyError) -> Self {
        Self::Topology(error)
    }
}

/// Plans `changes` from `snapshot`: fewest moves, exact shares (or the ring's, for a keyspace that
/// goes by it), a wave for each pair of shards, split so that none has more than `wave_slots_max`
/// slots (0: no limit).
///
/// # Errors
/// [`PlanError`], and nothing is changed.
///
/// ```
/// # use ringshift::*;
/// # use ringshift::migration::{Changes, plan};
/// let text = r#"{"cluster":"demo","keyspaces":{"orders":{}},
///                "shards":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#;
/// let snapshot = serde_json::from_str::<Topology>(text)?.snapshot()?;
/// let third: ShardTopology = serde_json::from_str(r#"{"id":3,"name":"c"}"#)?;
/// let changes = Changes { add: vec![third.shard()?], ..Changes::default() };
/// let plan = plan(&snapshot, &changes, 0)?;
/// assert_eq!(plan.log.planned.len(), 2);
/// assert_eq!(plan.figures[0].slots_moved, plan.figures[0].slots_least);
/// assert!(plan.figures[0].slots_modulo > 2 * plan.figures[0].slots_moved);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn plan(
    snapshot: &Snapshot,
    changes: &Changes,
    wave_slots_max: u32,
) -> Result<Plan, PlanError> {
    let content = snapshot.content();
    if content
        .keyspaces
        .iter()
        .any(|keyspace| !keyspace.waves.is_empty())
    {
        return Err(PlanError::Busy);
    }
    if *changes == Changes::default() {
        return Err(PlanError::Nothing);
    }
    let shards = shards_after(snapshot, changes)?;
    let mut log = Log {
        base: snapshot.epoch(),
        enlist: Some(shards.clone()),
        before: Some(content.shards.clone()),
        delist: changes.remove.clone(),
        ..Log::default()
    };
    let mut figures = Vec::new();
    for keyspace in &content.keyspaces {
        let present = reindexed(snapshot, keyspace, &shards)?;
        let weights = target_weights(&shards);
        let target = match keyspace.placement {
            Placement::Balanced { .. } => {
                balanced(&present, &weights).map_err(TopologyError::from)?
            }
            Placement::Ring { vnodes } => {
                let ring = ring_of(&shards, &weights, vnodes, keyspace.seed, keyspace.bits)?;
                all_placed(&ring, &weights).map_err(TopologyError::from)?;
                ring
            }
        };
        let waves = waves(keyspace.id, &shards, &present, &target, wave_slots_max);
        figures.push(figures_of(
            snapshot, keyspace, &shards, &weights, &present, &waves,
        ));
        log.planned.extend(waves);
    }
    Ok(Plan { log, figures })
}

fn shards_after(snapshot: &Snapshot, changes: &Changes) -> Result<Vec<Shard>, PlanError> {
    let mut shards = snapshot.content().shards.clone();
    for &(id, weight) in &changes.reweight {
        let shard = shards.iter_mut().find(|s| s.id == id);
        shard.ok_or(PlanError::UnknownShard(id))?.weight = weight;
    }
    for &id in &changes.remove {
        let shard = shards
            .iter_mut()
            .find(|s| s.id == id)
            .ok_or(PlanError::UnknownShard(id))?;
        shard.state = ShardState::Draining;
        for keyspace in &snapshot.content().keyspaces {
            let target = crate::snapshot::Target::Shard(id);
            if keyspace
                .directory
                .iter()
                .any(|entry| entry.target == target)
            {
                let keyspace = keyspace.name.clone();
                return Err(PlanError::Pinned {
                    shard: id,
                    keyspace,
                });
            }
        }
    }
    for shard in &changes.add {
        if shards.iter().any(|known| known.id == shard.id) {
            return Err(PlanError::KnownShard(shard.id));
        }
        if shards.iter().any(|known| known.name == shard.name) {
            let name = shard.name.clone();
            return Err(TopologyError::Duplicate {
                what: "shard",
                name,
            }
            .into());
        }
        shards.push(shard.clone());
    }
    shards.sort_by_key(|shard| shard.id);
    Ok(shards)
}

/// The present owners, as places in the list of shards that is wished.
fn reindexed(
    snapshot: &Snapshot,
    keyspace: &KeyspaceDraft,
    shards: &[Shard],
) -> Result<Vec<ShardIndex>, TopologyError> {
    keyspace
        .table()
        .into_iter()
        .map(|index| {
            let id = snapshot
                .shard_id(index)
                .ok_or(TopologyError::UnknownShardIndex(index))?;
            let at = shards.binary_search_by_key(&id, |shard| shard.id);
            let at = at.ok().and_then(|at| u16::try_from(at).ok());
            at.map(ShardIndex).ok_or(TopologyError::UnknownShard(id))
        })
        .collect()
}

fn waves(
    keyspace: KeyspaceId,
    shards: &[Shard],
    present: &[ShardIndex],
    target: &[ShardIndex],
    slots_max: u32,
) -> Vec<PlannedWave> {
    let id = |index: ShardIndex| {
        shards
            .get(usize::from(index.0))
            .map(|shard| shard.id)
            .unwrap_or_default()
    };
    let mut pairs: BTreeMap<(ShardId, ShardId), Vec<Slot>> = BTreeMap::new();
    for (slot, (&from, &to)) in (0_u32..).zip(present.iter().zip(target)) {
        if from != to {
            pairs
                .entry((id(from), id(to)))
                .or_default()
                .push(Slot(slot));
        }
    }
    let size = if slots_max == 0 {
        usize::MAX
    } else {
        slots_max as usize
    };
    pairs
        .into_iter()
        .flat_map(|((from, to), slots)| {
            let batches = slots.chunks(size).map(|batch| PlannedWave {
                keyspace,
                from,
                to,
                slots: slot_runs(batch.iter().copied()),
                matches: None,
                origin: None,
                pins: false,
            });
            batches.collect::<Vec<_>>()
        })
        .collect()
}

fn figures_of(
    snapshot: &Snapshot,
    keyspace: &KeyspaceDraft,
    shards: &[Shard],
    weights: &[Weight],
    present: &[ShardIndex],
    waves: &[PlannedWave],
) -> PlanFigures {
    let count = |waves: &[PlannedWave]| {
        waves
            .iter()
            .flat_map(|wave| &wave.slots)
            .map(|range| range.len())
            .sum::<u32>()
    };
    let least = balanced(present, weights).map_or(0, |best| {
        present
            .iter()
            .zip(&best)
            .filter(|(before, after)| before != after)
            .count()
    });
    let active = |shards: &[Shard]| {
        shards
            .iter()
            .filter(|shard| shard.state == ShardState::Active)
            .count()
    };
    let before = u32::try_from(active(&snapshot.content().shards)).unwrap_or(u32::MAX);
    let after = u32::try_from(active(shards)).unwrap_or(u32::MAX);
    let slots = keyspace.slot_count();
    let modulo = modulo_moved_share(before, after).map_or(0, |(moved, of)| {
        (u64::from(slots) * moved + of / 2)
            .checked_div(of)
            .unwrap_or(0)
    });
    PlanFigures {
        keyspace: keyspace.name.clone(),
        slots,
        slots_moved: count(waves),
        slots_least: u32::try_from(least).unwrap_or(u32::MAX),
        slots_modulo: u32::try_from(modulo).unwrap_or(u32::MAX),
        waves: u32::try_from(waves.len()).unwrap_or(u32::MAX),
    }
}
