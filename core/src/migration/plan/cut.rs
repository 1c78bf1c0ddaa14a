//! From what moves to waves, in their order.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::ids::{DomainId, KeyspaceId, ShardId, ShardIndex, Slot};
use crate::migration::log::PlannedWave;
use crate::migration::plan::strategy::Cut;
use crate::scope::Match;
use crate::snapshot::Shard;
use crate::wave::{PPM, slot_runs};

/// What moves between one pair of shards, in one keyspace.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) keyspace: KeyspaceId,
    pub(super) from: ShardId,
    pub(super) to: ShardId,
    pub(super) slots: Vec<Slot>,
    pub(super) matches: Option<Match>,
    pub(super) origin: Option<DomainId>,
    pub(super) pins: bool,
}

impl Group {
    fn wave(&self, slots: &[Slot]) -> PlannedWave {
        PlannedWave {
            keyspace: self.keyspace,
            from: self.from,
            to: self.to,
            slots: slot_runs(slots.iter().copied()),
            matches: self.matches.clone(),
            origin: self.origin,
            pins: self.pins,
        }
    }

    fn whole(&self) -> PlannedWave {
        self.wave(&self.slots)
    }
}

/// What moves between two tables of a keyspace, pair by pair.
pub(super) fn groups(
    keyspace: KeyspaceId,
    shards: &[Shard],
    present: &[ShardIndex],
    wanted: &[ShardIndex],
) -> Vec<Group> {
    let id = |index: ShardIndex| {
        shards
            .get(usize::from(index.0))
            .map(|shard| shard.id)
            .unwrap_or_default()
    };
    let mut pairs: BTreeMap<(ShardId, ShardId), Vec<Slot>> = BTreeMap::new();
    for (slot, (&from, &to)) in (0_u32..).zip(present.iter().zip(wanted)) {
        if from != to {
            let pair = (id(from), id(to));
            pairs.entry(pair).or_default().push(Slot(slot));
        }
    }
    let group = |((from, to), slots)| Group {
        keyspace,
        from,
        to,
        slots,
        matches: None,
        origin: None,
        pins: false,
    };
    pairs.into_iter().map(group).collect()
}

/// The waves of `groups`, none with more than `slots_max` slots (0: no limit).
pub(super) fn waves(groups: &[Group], cut: &Cut, slots_max: u32) -> Vec<PlannedWave> {
    let limit = match slots_max {
        0 => usize::MAX,
        slots => slots as usize,
    };
    let chunked = |size: usize, group: &Group| {
        if group.matches.is_some() {
            // What a match names is one thing, and becomes one override a shard.
            return Vec::from([group.whole()]);
        }
        let chunks = group.slots.chunks(size.clamp(1, limit));
        chunks.map(|slots| group.wave(slots)).collect::<Vec<_>>()
    };
    match cut {
        Cut::Pairs => groups
            .iter()
            .flat_map(|group| chunked(usize::MAX, group))
            .collect(),
        Cut::Slots(slots) => groups
            .iter()
            .flat_map(|group| chunked(*slots as usize, group))
            .collect(),
        Cut::Parts(parts) => {
            let all = |keyspace| -> usize {
                let here = groups.iter().filter(|group| group.keyspace == keyspace);
                here.map(|group| group.slots.len()).sum()
            };
            let size = |group: &Group| all(group.keyspace).div_ceil((*parts).max(1) as usize);
            groups
                .iter()
                .flat_map(|group| chunked(size(group), group))
                .collect()
        }
        Cut::Shares(shares) => shared(groups, shares)
            .iter()
            .flat_map(|group| chunked(usize::MAX, group))
            .collect(),
    }
}

/// The groups cut where the shares, one after the other, are full: the first ones of as few pairs
/// as possible, each of at least one slot.
fn shared(groups: &[Group], shares: &[u32]) -> Vec<Group> {
    let whole_slots = groups.iter().filter(|group| group.matches.is_none());
    let total: u64 = whole_slots.map(|group| group.slots.len() as u64).sum();
    let mut ends = shares.iter().map(|&ppm| {
        (total * u64::from(ppm.min(PPM)))
            .div_ceil(u64::from(PPM))
            .max(1)
    });
    let mut room = ends.next().unwrap_or(u64::MAX);
    let mut parts = Vec::new();
    for group in groups {
        if group.matches.is_some() {
            parts.push(group.clone());
            continue;
        }
        let mut left = group.slots.as_slice();
        while !left.is_empty() {
            let take = usize::try_from(room).unwrap_or(usize::MAX).min(left.len());
            let (now, later) = left.split_at_checked(take).unwrap_or((left, &[]));
            parts.push(Group {
                slots: now.to_vec(),
                ..group.clone()
            });
            left = later;
            room -= now.len() as u64;
            if room == 0 {
                room = ends.next().unwrap_or(u64::MAX);
            }
        }
    }
    parts
}
