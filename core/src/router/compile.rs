//! From a snapshot's keyspace to a flat table.

use alloc::vec;
use alloc::vec::Vec;

use crate::directory::ExactTable;
use crate::guard::Fence;
use crate::hash;
use crate::ids::{ShardIndex, Slot};
use crate::key::KeyRule;
use crate::order::order;
use crate::snapshot::{KeyspaceDraft, Match, Shard, Snapshot, Target};

/// The slot is in a wave that clients take part in.
pub(super) const MOVING: u32 = 1 << 16;
/// Some exact override falls into the slot.
pub(super) const EXACT: u32 = 1 << 17;

/// What routes the keys of one keyspace.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) rule: KeyRule,
    pub(super) seed: u64,
    /// `64 - bits`: a hash's slot is `hash >> shift`.
    shift: u32,
    /// One a slot; exactly `2^bits`.
    entries: Vec<u32>,
    exact: ExactTable,
    pins: Vec<Pin>,
    /// The zone of each shard, as a number.
    pub(super) zones: Vec<u16>,
}

/// Where an exact override sends its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pin {
    pub(super) shard: ShardIndex,
    pub(super) fence: Fence,
}

impl Table {
    /// The slot of a hash, and its entry.
    #[inline]
    pub(super) fn entry(&self, hash: u64) -> (Slot, u32) {
        #[expect(clippy::cast_possible_truncation, reason = "the top 20 bits at most")]
        let slot = (hash >> self.shift) as u32;
        // The table has an entry for every slot, so the default is never taken.
        let entry = self.entries.get(slot as usize).copied().unwrap_or(0);
        (Slot(slot), entry)
    }

    #[inline]
    pub(super) fn shard(entry: u32) -> ShardIndex {
        ShardIndex((entry & 0xffff) as u16)
    }

    /// The shard that orders the writes of each slot.
    pub(super) fn owners(&self) -> Vec<ShardIndex> {
        self.entries
            .iter()
            .map(|&entry| Self::shard(entry))
            .collect()
    }

    /// The override for exactly `key`. Kept out of line: nearly no key comes here.
    #[cold]
    pub(super) fn pin(&self, part: &[u8], hash: u64, key: &[u8]) -> Option<Pin> {
        // The routing part's hash is at hand; it is the key's own where the two are the same.
        let hash = if part.len() == key.len() {
            hash
        } else {
            hash::xxh3(key, self.seed)
        };
        self.exact
            .get(hash, key)
            .and_then(|at| self.pins.get(at))
            .copied()
    }
}

/// Compiles a validated keyspace.
pub(super) fn compile(snapshot: &Snapshot, keyspace: &KeyspaceDraft) -> Table {
    let content = snapshot.content();
    let mut entries: Vec<u32> = Vec::with_capacity(keyspace.slot_count() as usize);
    for run in &keyspace.assignment {
        entries.resize(entries.len() + run.len as usize, u32::from(run.shard.0));
    }
    for wave in keyspace.waves.iter().filter(|wave| wave.phase.is_carved()) {
        let authority = content.index_of(wave.authority()).unwrap_or_default();
        for range in &wave.slots {
            let slots = entries.get_mut(range.start as usize..range.end as usize);
            slots
                .unwrap_or_default()
                .fill(u32::from(authority.0) | MOVING);
        }
    }
    let mut pins = Vec::with_capacity(keyspace.directory.len());
    let mut keys = Vec::with_capacity(keyspace.directory.len());
    for entry in &keyspace.directory {
        let (Match::Exact(key), Target::Shard(shard)) = (&entry.matches, entry.target) else {
            continue;
        };
        let part = keyspace.rule.routing_part(key).unwrap_or(key);
        let slot = hash::slot_of(hash::xxh3(part, keyspace.seed), keyspace.bits);
        if let Some(flags) = entries.get_mut(slot.0 as usize) {
            *flags |= EXACT;
        }
        keys.push((key.clone(), hash::xxh3(key, keyspace.seed)));
        pins.push(Pin {
            shard: content.index_of(shard).unwrap_or_default(),
            fence: Fence {
                domain: entry.domain,
                epoch: entry.epoch,
            },
        });
    }
    // Validation has refused duplicates and too many, the only things that building can refuse.
    let exact = ExactTable::build(keys).unwrap_or_default();
    Table {
        rule: keyspace.rule,
        seed: keyspace.seed,
        shift: 64 - u32::from(keyspace.bits),
        entries,
        exact,
        pins,
        zones: zones(&content.shards),
    }
}

/// A number for each shard's zone: the same one for shards of the same zone only.
fn zones(shards: &[Shard]) -> Vec<u16> {
    let zone = |place: usize| shards.get(place).map(|shard| &shard.zone);
    let mut numbers = vec![0; shards.len()];
    let (mut last, mut number) = (None, 0);
    for place in order(shards.len(), &|a, b| zone(a).cmp(&zone(b))) {
        number += u16::from(last.is_some() && last != zone(place));
        last = zone(place);
        if let Some(of) = numbers.get_mut(place) {
            *of = number;
        }
    }
    numbers
}
