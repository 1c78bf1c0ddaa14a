//! From a wish to the table that is wanted: who owns which slot at the end.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::balance::{all_placed, balanced, moved};
use crate::ids::{ShardId, ShardIndex};
use crate::migration::plan::error::PlanError;
use crate::migration::plan::wish::{Balance, Changes, ShardRef};
use crate::snapshot::{
    KeyspaceDraft, Placement, Shard, ShardState, Snapshot, TopologyError, ring_of, target_weights,
};
use crate::weight::Weight;

/// One keyspace, before and after.
pub(super) struct Target {
    pub(super) present: Vec<ShardIndex>,
    pub(super) wanted: Vec<ShardIndex>,
    /// Slots that exact shares would move before the wish: somebody moved them by hand.
    pub(super) off_before: u32,
    /// The same after it.
    pub(super) off_after: u32,
    /// The fewest slots that lead to the shares at the end, where this wish brings the keyspace to
    /// exact ones; other slots that it names are moved then.
    pub(super) least: Option<u32>,
}

/// The list of shards that is wished.
pub(super) fn shards_after(
    snapshot: &Snapshot,
    changes: &Changes,
) -> Result<Vec<Shard>, PlanError> {
    let mut shards = snapshot.content().shards.clone();
    for &(id, weight) in &changes.reweight {
        let shard = shards.iter_mut().find(|s| s.id == id);
        shard.ok_or(PlanError::UnknownShard(id))?.weight = weight;
    }
    for &id in changes.remove.iter().chain(&changes.drain) {
        let shard = shards
            .iter_mut()
            .find(|s| s.id == id)
            .ok_or(PlanError::UnknownShard(id))?;
        shard.state = ShardState::Draining;
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

/// The shard that is meant, which must be one that stays.
pub(super) fn resolve(
    shards: &[Shard],
    wanted: &ShardRef,
) -> Result<(ShardIndex, ShardId), PlanError> {
    let at = match wanted {
        ShardRef::Id(id) => shards
            .iter()
            .position(|shard| shard.id == *id)
            .ok_or(PlanError::UnknownShard(*id))?,
        ShardRef::Name(name) => shards
            .iter()
            .position(|shard| shard.name == *name)
            .ok_or_else(|| PlanError::UnknownShardName(name.clone()))?,
    };
    let id = shards.get(at).map(|shard| shard.id).unwrap_or_default();
    let index = u16::try_from(at).map_err(|_| PlanError::UnknownShard(id))?;
    Ok((ShardIndex(index), id))
}

/// The present and the wanted table of `keyspace`, both over the list of shards that is wished.
pub(super) fn target_of(
    snapshot: &Snapshot,
    keyspace: &KeyspaceDraft,
    changes: &Changes,
    shards: &[Shard],
) -> Result<Target, PlanError> {
    let present = reindexed(snapshot, keyspace, shards)?;
    let weights = target_weights(shards);
    let balance = changes.balance.unwrap_or(if changes.move_slots.is_empty() {
        Balance::Full
    } else {
        // Who moves slots by hand to a new shard means these slots.
        Balance::None
    });
    let balance = if changes.changes_shards() {
        balance
    } else {
        Balance::None
    };
    let mut wanted = match (balance, keyspace.placement) {
        (Balance::None, _) => present.clone(),
        (Balance::Keep, _) => kept(snapshot, &present, shards, &weights)?,
        (Balance::Full, Placement::Balanced { .. }) => {
            balanced(&present, &weights).map_err(TopologyError::from)?
        }
        (Balance::Full, Placement::Ring { vnodes }) => {
            let ring = ring_of(shards, &weights, vnodes, keyspace.seed, keyspace.bits)?;
            all_placed(&ring, &weights).map_err(TopologyError::from)?;
            ring
        }
    };
    let exact = wanted.clone();
    by_hand(keyspace, changes, shards, &mut wanted)?;
    let full = balance == Balance::Full;
    let least = match keyspace.placement {
        _ if !full => None,
        _ if wanted != exact => Some(fewest(&present, &wanted, shards.len())),
        Placement::Balanced { .. } => Some(moved_slots(&present, &exact)),
        Placement::Ring { .. } => Some(off_exact(&present, &weights)),
    };
    for (index, shard) in (0_u16..).zip(shards) {
        let empty = shard.state == ShardState::Active || !wanted.contains(&ShardIndex(index));
        if !empty && (present != wanted || changes.changes_shards()) {
            let keyspace = keyspace.name.clone();
            let shard = shard.id;
            return Err(PlanError::NotEmptied { shard, keyspace });
        }
    }
    Ok(Target {
        off_before: off_balance(snapshot, keyspace),
        // An exactly balanced table is its own.
        off_after: if full && exact == wanted {
            0
        } else {
            off(&wanted, &weights, keyspace.placement)
        },
        least,
        present,
        wanted,
    })
}

fn by_hand(
    keyspace: &KeyspaceDraft,
    changes: &Changes,
    shards: &[Shard],
    wanted: &mut [ShardIndex],
) -> Result<(), PlanError> {
    let mut told: Vec<Option<ShardIndex>> = vec![None; wanted.len()];
    let here = |name: &String| *name == keyspace.name;
    for wish in changes
        .move_slots
        .iter()
        .filter(|wish| here(&wish.keyspace))
    {
        let (to, _) = resolve(shards, &wish.to)?;
        for slot in wish.slots.slots() {
            let place = usize::try_from(slot.0).unwrap_or(usize::MAX);
            let (Some(told), Some(owner)) = (told.get_mut(place), wanted.get_mut(place)) else {
                return Err(PlanError::SlotRange {
                    slot,
                    keyspace: keyspace.name.clone(),
                    slots: keyspace.slot_count(),
                });
            };
            if told.replace(to).is_some_and(|before| before != to) {
                let keyspace = keyspace.name.clone();
                return Err(PlanError::SlotTwice { slot, keyspace });
            }
            *owner = to;
        }
    }
    Ok(())
}

/// Shares for those that come, go or change weight; the others share what is left in proportion to
/// what they have.
fn kept(
    snapshot: &Snapshot,
    present: &[ShardIndex],
    shards: &[Shard],
    weights: &[Weight],
) -> Result<Vec<ShardIndex>, PlanError> {
    let mut have = vec![0_u64; shards.len()];
    for owner in present {
        if let Some(count) = have.get_mut(usize::from(owner.0)) {
            *count += 1;
        }
    }
    let untouched = |shard: &Shard| {
        snapshot
            .shard(shard.id)
            .is_some_and(|before| before == shard)
    };
    let all = || shards.iter().zip(weights).zip(&have);
    let stays = |shard: &Shard, weight: &Weight| untouched(shard) && !weight.is_zero();
    let (mut held, mut theirs) = (0_u64, 0_u64);
    for ((shard, weight), have) in all() {
        if stays(shard, weight) {
            held += have;
            theirs += u64::from(weight.thousandths());
        }
    }
    let most = all().map(|((_, weight), _)| u64::from(weight.thousandths()));
    let unit = most.sum::<u64>().max(1);
    // In units so small that rounding is far below a slot.
    let scaled = |weight: u64| {
        let part = u128::from(weight) * u128::from(Weight::MAX.thousandths()) / u128::from(unit);
        let part = u32::try_from(part).unwrap_or(u32::MAX);
        Weight::from_thousandths(part).unwrap_or(Weight::MAX)
    };
    let kept: Vec<Weight> = all()
        .map(|((shard, weight), &have)| {
            if !stays(shard, weight) || held == 0 {
                return scaled(weight.thousandths().into());
            }
            let part =
                u128::from(have) * u128::from(theirs) * u128::from(Weight::MAX.thousandths());
            let part = part / u128::from(held) / u128::from(unit);
            let part = u32::try_from(part).unwrap_or(u32::MAX);
            Weight::from_thousandths(part).unwrap_or(Weight::MAX)
        })
        .collect();
    Ok(balanced(present, &kept).map_err(TopologyError::from)?)
}

/// Slots that exact shares of the present shards would move.
fn off_balance(snapshot: &Snapshot, keyspace: &KeyspaceDraft) -> u32 {
    let weights = target_weights(&snapshot.content().shards);
    off(&keyspace.table(), &weights, keyspace.placement)
}

fn off(table: &[ShardIndex], weights: &[Weight], placement: Placement) -> u32 {
    match placement {
        Placement::Ring { .. } => 0,
        Placement::Balanced { .. } => off_exact(table, weights),
    }
}

/// The fewest slots that lead from `table` to exact shares.
fn off_exact(table: &[ShardIndex], weights: &[Weight]) -> u32 {
    balanced(table, weights).map_or(0, |best| moved_slots(table, &best))
}

/// The fewest slots that lead from `before` to as many slots for each shard as `after` has.
fn fewest(before: &[ShardIndex], after: &[ShardIndex], shards: usize) -> u32 {
    let (before, after) = (held(before, shards), held(after, shards));
    let given = before.iter().zip(&after);
    given.map(|(has, keeps)| has.saturating_sub(*keeps)).sum()
}

/// How many slots each of so many shards has.
pub(super) fn held(table: &[ShardIndex], shards: usize) -> Vec<u32> {
    let mut held = vec![0; shards];
    for owner in table {
        if let Some(held) = held.get_mut(usize::from(owner.0)) {
            *held += 1;
        }
    }
    held
}

/// How many slots have another owner, of two tables of one keyspace.
pub(super) fn moved_slots(before: &[ShardIndex], after: &[ShardIndex]) -> u32 {
    u32::try_from(moved(before, after)).unwrap_or(u32::MAX)
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
