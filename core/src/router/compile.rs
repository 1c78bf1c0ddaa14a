//! From a snapshot's keyspace to a flat table.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::directory::ExactTable;
use crate::guard::Fence;
use crate::hash;
use crate::ids::{SLOT_BITS_STORED, ShardIndex, Slot, SlotRange};
use crate::key::{KEY_BYTES_MAX, KeyError, KeyRule, hash_tag};
use crate::scope::{Match, Nest};
use crate::slotting::ForeignWay;
use crate::snapshot::{Draft, KeyspaceDraft, Snapshot, Target};

/// The slot is in a wave that clients take part in.
pub(super) const MOVING: u32 = 1 << 16;
/// Some override, or some narrowed wave, has keys of the slot: look further.
pub(super) const SCOPED: u32 = 1 << 17;

/// What routes the keys of one keyspace.
#[derive(Clone, Debug)]
pub(super) struct Table {
    way: Way,
    pub(super) seed: u64,
    /// `64 - bits`: a hash's slot is `hash >> shift`.
    shift: u32,
    /// One a slot; exactly `2^bits`.
    entries: Vec<u32>,
    exact: ExactTable,
    /// What else than one key is in front of the slots.
    nest: Nest<u32>,
    scoped: Vec<Scoped>,
    /// The zone of each shard, numbered in the order of first appearance.
    pub(super) zones: Vec<u16>,
}

/// How a key becomes a hash. The two that are hot stand by themselves, and everything else behind
/// one more: a foreign slotting costs the others no branch.
#[derive(Clone, Debug)]
enum Way {
    Whole,
    HashTag,
    Other(Box<Other>),
}

#[derive(Clone, Debug)]
struct Other {
    rule: KeyRule,
    foreign: Option<ForeignWay>,
}

impl Way {
    fn of(keyspace: &KeyspaceDraft) -> Self {
        match (
            keyspace.rule,
            ForeignWay::of(&keyspace.slotting, keyspace.seed),
        ) {
            (KeyRule::Whole, None) => Self::Whole,
            (KeyRule::HashTag, None) => Self::HashTag,
            (rule, foreign) => Self::Other(Box::new(Other { rule, foreign })),
        }
    }
}

/// Where an override, or a narrowed wave, sends its keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scoped {
    /// Who orders their writes.
    pub(super) shard: ShardIndex,
    pub(super) fence: Fence,
    /// Whether it is a wave.
    pub(super) moving: bool,
}

impl Table {
    /// What of `key` is hashed, and its hash: 64 bits whose top bits are the slot, and whose top 20
    /// are stored with its row.
    #[inline]
    pub(super) fn place<'k>(&self, key: &'k [u8]) -> Result<(&'k [u8], u64), KeyError> {
        if key.len() > KEY_BYTES_MAX {
            return Err(KeyError::TooLong { bytes: key.len() });
        }
        let part = match &self.way {
            Way::Whole => key,
            Way::HashTag => hash_tag(key).unwrap_or(key),
            Way::Other(other) => return self.other(other, key),
        };
        Ok((part, hash::xxh3(part, self.seed)))
    }

    #[inline(never)]
    fn other<'k>(&self, other: &Other, key: &'k [u8]) -> Result<(&'k [u8], u64), KeyError> {
        let part = other.rule.routing_part(key)?;
        let hash = match &other.foreign {
            None => hash::xxh3(part, self.seed),
            Some(foreign) => u64::from(foreign.place(part).stored) << (64 - SLOT_BITS_STORED),
        };
        Ok((part, hash))
    }

    /// The hash as people know it: the foreign one where a foreign system made it.
    pub(super) fn shown(&self, part: &[u8], hash: u64) -> u128 {
        match &self.way {
            Way::Other(other) => other
                .foreign
                .as_ref()
                .map_or(hash.into(), |foreign| foreign.place(part).hash),
            Way::Whole | Way::HashTag => hash.into(),
        }
    }

    fn is_foreign(&self) -> bool {
        matches!(&self.way, Way::Other(other) if other.foreign.is_some())
    }

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

    /// What is in front of the slot for `key`. Kept out of line: most keys don't come here.
    #[inline(never)]
    pub(super) fn scoped(&self, part: &[u8], hash: u64, slot: Slot, key: &[u8]) -> Option<Scoped> {
        // The routing part's hash is at hand; it is the key's own where the two are the same.
        let hash = if part.len() == key.len() && !self.is_foreign() {
            hash
        } else {
            hash::xxh3(key, self.seed)
        };
        // Nothing is narrower than one key.
        let at = self.exact.get(hash, key);
        let at = at.or_else(|| usize::try_from(self.nest.get(slot, key)?).ok())?;
        self.scoped.get(at).copied()
    }
}

/// Compiles a validated keyspace.
pub(super) fn compile(snapshot: &Snapshot, keyspace: &KeyspaceDraft) -> Table {
    let content = snapshot.content();
    let mut entries: Vec<u32> = Vec::with_capacity(keyspace.slot_count() as usize);
    for run in &keyspace.assignment {
        entries.resize(entries.len() + run.len as usize, u32::from(run.shard.0));
    }
    for wave in keyspace.waves.iter().filter(|wave| wave.is_carved_whole()) {
        let authority = content.index_of(wave.authority()).unwrap_or_default();
        for range in &wave.slots {
            let slots = entries.get_mut(range.start as usize..range.end as usize);
            slots
                .unwrap_or_default()
                .fill(u32::from(authority.0) | MOVING);
        }
    }
    let InFront {
        exact,
        nest,
        scoped,
    } = in_front(content, keyspace, &mut entries);
    let mut numbers: BTreeMap<&str, u16> = BTreeMap::new();
    let zones = content
        .shards
        .iter()
        .map(|shard| {
            let next = u16::try_from(numbers.len()).unwrap_or(u16::MAX);
            *numbers.entry(&shard.zone).or_insert(next)
        })
        .collect();
    Table {
        way: Way::of(keyspace),
        seed: keyspace.seed,
        shift: 64 - u32::from(keyspace.bits),
        entries,
        exact,
        nest,
        scoped,
        zones,
    }
}

struct InFront {
    exact: ExactTable,
    nest: Nest<u32>,
    scoped: Vec<Scoped>,
}

/// The overrides, and the narrowed waves, which come before what they are carved from. Flags the
/// slots that they have keys of.
fn in_front(content: &Draft, keyspace: &KeyspaceDraft, entries: &mut [u32]) -> InFront {
    let mut scoped = Vec::with_capacity(keyspace.directory.len());
    // Those of one key first, as the exact table counts them.
    let mut keys: Vec<&[u8]> = Vec::new();
    let mut wider = Vec::new();
    let mut flag = |slots: &[SlotRange]| {
        for range in slots {
            let flags = entries.get_mut(range.start as usize..range.end as usize);
            for flags in flags.unwrap_or_default() {
                *flags |= SCOPED;
            }
        }
    };
    for entry in &keyspace.directory {
        let Target::Shard(shard) = entry.target else {
            continue;
        };
        flag(&entry.slots);
        let place = Scoped {
            shard: content.index_of(shard).unwrap_or_default(),
            fence: Fence {
                domain: entry.domain,
                epoch: entry.epoch,
            },
            moving: false,
        };
        // In the directory's order, those of one key stand first.
        if let Match::Exact(key) = &entry.matches {
            keys.push(key);
            scoped.push(place);
        } else {
            wider.push((&entry.matches, &entry.slots, place));
        }
    }
    for wave in &keyspace.waves {
        let Some(matches) = wave.matches.as_ref().filter(|_| wave.phase.is_carved()) else {
            continue;
        };
        flag(&wave.slots);
        let place = Scoped {
            shard: content.index_of(wave.authority()).unwrap_or_default(),
            fence: Fence {
                domain: wave.domain,
                epoch: wave.epoch,
            },
            moving: true,
        };
        let Match::Exact(key) = matches else {
            wider.push((matches, &wave.slots, place));
            continue;
        };
        if let Some(at) = keys.iter().position(|known| known == key) {
            if let Some(entry) = scoped.get_mut(at) {
                *entry = place;
            }
        } else {
            keys.push(key);
            scoped.push(place);
        }
    }
    let keys = keys.into_iter();
    let keys = keys.map(|key| (key.to_vec(), hash::xxh3(key, keyspace.seed)));
    // Validation has refused duplicates and too many, the only things that building can refuse.
    let exact = ExactTable::build(keys).unwrap_or_default();
    let mut claims = Vec::with_capacity(wider.len());
    for (matches, slots, place) in wider {
        if let Ok(at) = u32::try_from(scoped.len()) {
            claims.push((matches.scope(), slots.as_slice(), at));
        }
        scoped.push(place);
    }
    InFront {
        exact,
        nest: Nest::of(claims),
        scoped,
    }
}
