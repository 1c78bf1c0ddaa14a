//! Shards that are nearly full, or will be.

use alloc::format;
use alloc::vec::Vec;

use super::{Ground, percent, zeros};
use crate::advise::moves::Shares;
use crate::advise::triggers::{Action, Advice, Trigger, Triggers, Urgency};

pub(super) fn judge(ground: &Ground<'_>, triggers: &Triggers, all: &mut Vec<Advice>) {
    let bytes = sizes(ground);
    // Only what has a capacity can be full, or take more.
    let capacities: Vec<u64> = ground
        .shards
        .iter()
        .map(|s| s.capacity_bytes.unwrap_or(0))
        .collect();
    let counted = |values: &[u64]| -> u128 {
        let values = values.iter().zip(&capacities);
        values
            .filter(|&(_, &capacity)| capacity > 0)
            .map(|(&value, _)| u128::from(value))
            .sum()
    };
    let (held, room) = (counted(&bytes), counted(&capacities));
    let limit = u128::from(triggers.storage_percent);
    if room == 0 {
        return;
    }
    let advice = |trigger, shard, action, text, wish| Advice {
        trigger,
        urgency: Urgency::Medium,
        shard,
        keyspace: None,
        action,
        text,
        wish,
    };
    if held * 100 > room * limit {
        let count = missing(held, room, &capacities, limit);
        let text = format!(
            "the shards hold {} % of what they can: add {count}",
            (held * 100).div_ceil(room)
        );
        let wish = Some(ground.more_shards(count));
        all.push(advice(
            Trigger::Storage,
            None,
            Action::AddShards { count },
            text,
            wish,
        ));
        return;
    }
    let targets: Vec<u64> = ground
        .weights()
        .iter()
        .zip(&capacities)
        .map(|(&weight, &capacity)| if weight == 0 { 0 } else { capacity })
        .collect();
    let mut shares = Shares::new(
        bytes
            .iter()
            .zip(&capacities)
            .map(|(&b, &c)| if c == 0 { 0 } else { b })
            .collect(),
        &targets,
    );
    for (at, &capacity) in capacities.iter().enumerate() {
        let used = shares.used(at);
        if capacity == 0 || u128::from(used) * 100 <= u128::from(capacity) * limit {
            continue;
        }
        let pieces = ground.pieces(at, |_, load| load.bytes);
        let moves = shares.relieve(pieces, at);
        let full = format!(
            "shard `{}` is {} % full",
            ground.name(at),
            percent(used, capacity)
        );
        let (text, wish) = if moves.is_empty() {
            (
                format!("{full}; move slots away: which, the sizes of slots would say"),
                None,
            )
        } else {
            let text = format!(
                "{full}; move {} slots to shards that have room",
                moves.len()
            );
            (text, Some(ground.wish(&moves)))
        };
        let shard = Some(ground.id(at));
        all.push(advice(
            Trigger::Storage,
            shard,
            Action::MoveSlots,
            text,
            wish,
        ));
    }
    forecast(ground, triggers, (&bytes, &capacities, room), all);
}

/// Growth goes on as it was.
fn forecast(
    ground: &Ground<'_>,
    triggers: &Triggers,
    (bytes, capacities, room): (&[u64], &[u64], u128),
    all: &mut Vec<Advice>,
) {
    let mut later = 0_u128;
    let mut known = false;
    for ((shard, &bytes), &capacity) in ground.shards.iter().zip(bytes).zip(capacities) {
        if capacity == 0 {
            continue;
        }
        let grown = match shard.bytes_before {
            Some(before) if shard.days > 0 => {
                known = true;
                let grown = u128::from(bytes.saturating_sub(before));
                grown * u128::from(triggers.forecast_days) / u128::from(shard.days)
            }
            _ => 0,
        };
        later += u128::from(bytes) + grown;
    }
    let limit = u128::from(triggers.storage_percent);
    if !known || later * 100 <= room * limit {
        return;
    }
    let count = missing(later, room, capacities, limit);
    all.push(Advice {
        trigger: Trigger::Forecast,
        urgency: Urgency::Medium,
        shard: None,
        keyspace: None,
        action: Action::AddShards { count },
        text: format!(
            "in {} days the shards will hold {} % of what they can, if they grow as they do: plan {count} more now",
            triggers.forecast_days,
            (later * 100).div_ceil(room)
        ),
        wish: Some(ground.more_shards(count)),
    });
}

/// How many shards like these it takes besides, so that `held` is within the limit.
fn missing(held: u128, room: u128, capacities: &[u64], limit: u128) -> u32 {
    let shards = capacities.iter().filter(|&&capacity| capacity > 0).count() as u128;
    let needed = (held * 100 * shards).div_ceil((room * limit).max(1));
    u32::try_from(needed.saturating_sub(shards))
        .unwrap_or(u32::MAX)
        .clamp(1, 1_000)
}

/// The bytes of each shard: as it says, or the sum of its slots.
fn sizes(ground: &Ground<'_>) -> Vec<u64> {
    let mut bytes = zeros(ground);
    for space in &ground.spaces {
        for load in &space.load.slots {
            let owner = space.owners.get(load.slot.0 as usize);
            if let Some(sum) = owner.and_then(|owner| bytes.get_mut(usize::from(owner.0))) {
                *sum = sum.saturating_add(load.bytes);
            }
        }
    }
    for (sum, shard) in bytes.iter_mut().zip(&ground.shards) {
        *sum = shard.bytes.unwrap_or(*sum);
    }
    bytes
}
