//! From a snapshot's keyspace to a flat table.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use crate::directory::ExactTable;
use crate::guard::Fence;
use crate::hash;
use crate::ids::{SLOT_BITS_STORED, ShardIndex, Slot, SlotRange};
use crate::key::{KEY_BYTES_MAX, KeyError, KeyRule, hash_tag};
use crate::order::order;
use crate::scope::{Match, Nest};
use crate::slotting::ForeignWay;
use crate::snapshot::{Draft, KeyspaceDraft, Shard, Snapshot, Target};

/// The slot is in a wave that clients take part in.
pub(super) const MOVING: u32 = 1 << 16;
/// Some override, or some narrowed wave, has keys of the slot. A flag for each of eight classes of
/// hashes, so that ten thousand pinned keys send one other key in fifty further, and not one in
/// seven.
pub(super) const SCOPED: u32 = 0xff << SCOPED_SHIFT;
const SCOPED_SHIFT: u32 = 17;
/// The first wave that can have the slot, or this many where there are more waves before it.
const WAVES_SKIPPED_MAX: u32 = u32::MAX >> WAVE_SHIFT;
const WAVE_SHIFT: u32 = 25;

/// The flag of the hashes that are of one class with `hash`.
#[inline]
const fn scoped_flag(hash: u64) -> u32 {
    1 << (SCOPED_SHIFT + (hash & 7) as u32)
}

/// What routes the keys of one keyspace.
#[derive(Clone, Debug)]
pub(super) struct Table {
    way: Way,
    /// Keys of fewer bytes are routed at once: those that are hashed whole, or none.
    at_once_below: usize,
    /// Whether anything is in front of any slot.
    is_scoped: bool,
    pub(super) seed: u64,
    /// `64 - bits`: a hash's slot is `hash >> shift`.
    shift: u32,
    /// One a slot; exactly `2^bits`.
    entries: Vec<u32>,
    exact: ExactTable,
    /// What else than one key is in front of the slots.
    nest: Nest<u32>,
    scoped: Vec<Scoped>,
    /// The zone of each shard, as a number.
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

    #[inline]
    fn place<'k>(&self, seed: u64, key: &'k [u8]) -> Result<(&'k [u8], u64), KeyError> {
        if key.len() > KEY_BYTES_MAX {
            return Err(KeyError::TooLong { bytes: key.len() });
        }
        let part = match self {
            Self::Whole => key,
            Self::HashTag => hash_tag(key).unwrap_or(key),
            Self::Other(other) => return other.place(seed, key),
        };
        Ok((part, hash::xxh3(part, seed)))
    }
}

impl Other {
    #[inline(never)]
    fn place<'k>(&self, seed: u64, key: &'k [u8]) -> Result<(&'k [u8], u64), KeyError> {
        let part = self.rule.routing_part(key)?;
        let hash = match &self.foreign {
            None => hash::xxh3(part, seed),
            Some(foreign) => u64::from(foreign.place(part).stored) << (64 - SLOT_BITS_STORED),
        };
        Ok((part, hash))
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
    /// Whether a key of so many bytes is one that is hashed whole.
    #[inline]
    pub(super) fn is_at_once(&self, bytes: usize) -> bool {
        bytes < self.at_once_below
    }

    /// The slot and the entry of a key that [is hashed whole](Self::is_at_once).
    #[inline]
    pub(super) fn at_once(&self, key: &[u8]) -> (Slot, u32) {
        let hash = hash::xxh3(key, self.seed);
        let (slot, entry) = self.entry(hash);
        // Asked for the table first, since that is one answer for all keys.
        if self.is_scoped && Self::is_scoped(entry, hash) {
            return (slot, self.entry_in_front(key, hash, key));
        }
        (slot, entry)
    }

    /// What of `key` is hashed, and its hash: 64 bits whose top bits are the slot, and whose top 20
    /// are stored with its row.
    #[inline]
    pub(super) fn place<'k>(&self, key: &'k [u8]) -> Result<(&'k [u8], u64), KeyError> {
        self.way.place(self.seed, key)
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

    /// Whether some override, or some narrowed wave, may have a key of that hash.
    #[inline]
    pub(super) fn is_scoped(entry: u32, hash: u64) -> bool {
        entry & scoped_flag(hash) != 0
    }

    /// How many of the keyspace's waves certainly don't have the slot: the first ones.
    pub(super) fn waves_before(entry: u32) -> usize {
        (entry >> WAVE_SHIFT) as usize
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

    /// What stands for the entry of the key's slot, where something in front of it may have the
    /// key. One number in, one number out, so that a route stays in registers.
    #[inline(never)]
    pub(super) fn entry_in_front(&self, part: &[u8], hash: u64, key: &[u8]) -> u32 {
        let (slot, entry) = self.entry(hash);
        self.scoped(part, hash, slot, key).map_or(entry, |scoped| {
            u32::from(scoped.shard.0) | if scoped.moving { MOVING } else { 0 }
        })
    }
}

/// Compiles a validated keyspace.
pub(super) fn compile(snapshot: &Snapshot, keyspace: &KeyspaceDraft) -> Table {
    let content = snapshot.content();
    let mut entries: Vec<u32> = Vec::with_capacity(keyspace.slot_count() as usize);
    for run in &keyspace.assignment {
        entries.resize(entries.len() + run.len as usize, u32::from(run.shard.0));
    }
    for (before, wave) in (0_u32..).zip(&keyspace.waves) {
        if !wave.is_carved_whole() {
            continue;
        }
        let authority = content.index_of(wave.authority()).unwrap_or_default();
        let skipped = before.min(WAVES_SKIPPED_MAX) << WAVE_SHIFT;
        for range in &wave.slots {
            let slots = entries.get_mut(range.start as usize..range.end as usize);
            slots
                .unwrap_or_default()
                .fill(u32::from(authority.0) | MOVING | skipped);
        }
    }
    let way = Way::of(keyspace);
    let InFront {
        exact,
        nest,
        scoped,
    } = in_front(content, keyspace, &way, &mut entries);
    Table {
        at_once_below: match way {
            Way::Whole => KEY_BYTES_MAX + 1,
            Way::HashTag | Way::Other(_) => 0,
        },
        way,
        seed: keyspace.seed,
        shift: 64 - u32::from(keyspace.bits),
        entries,
        is_scoped: !scoped.is_empty(),
        exact,
        nest,
        scoped,
        zones: zones(&content.shards),
    }
}

struct InFront {
    exact: ExactTable,
    nest: Nest<u32>,
    scoped: Vec<Scoped>,
}

/// The overrides, and the narrowed waves, which come before what they are carved from. Flags the
/// slots that they have keys of.
fn in_front(content: &Draft, keyspace: &KeyspaceDraft, way: &Way, entries: &mut [u32]) -> InFront {
    let mut scoped = Vec::with_capacity(keyspace.directory.len());
    // Those of one key first, as the exact table counts them.
    let mut keys: Vec<&[u8]> = Vec::new();
    let mut wider = Vec::new();
    let mut flag = |matches: &Match, slots: &[SlotRange]| {
        let wanted = match matches {
            // A key that has no place has no class either, so that it is looked for everywhere.
            Match::Exact(key) => way
                .place(keyspace.seed, key)
                .map_or(SCOPED, |(_, hash)| scoped_flag(hash)),
            Match::Prefix(_) | Match::Range { .. } => SCOPED,
        };
        for range in slots {
            let flags = entries.get_mut(range.start as usize..range.end as usize);
            for flags in flags.unwrap_or_default() {
                *flags |= wanted;
            }
        }
    };
    for entry in &keyspace.directory {
        let Target::Shard(shard) = entry.target else {
            continue;
        };
        flag(&entry.matches, &entry.slots);
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
        flag(matches, &wave.slots);
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
