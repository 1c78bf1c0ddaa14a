//! What a wave's members are.

use ringshift::{Draft, Entry, KeyspaceId, Match, Slot, SlotRange, Target, hash};

/// The slot bits of the keyspace that the waves are in.
const BITS: u8 = 4;
/// The buckets of a foreign placement: the first and the last are `from`'s.
const BUCKETS: u32 = 3;

/// What the wave's members are, of the keys of its slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// All of them, as members of the home of `from`.
    Slots,
    /// One key, out of that home.
    Exact,
    /// The keys of a prefix, out of that home.
    Prefix,
    /// The keys of a range, out of that home.
    Range,
    /// An override of `from`, whole: in the wave's slot. It has keys in other slots.
    Override,
    /// One key out of an override of `from`.
    Part,
    /// An override of `from`, which goes to the home of `to`, whose slot it is.
    Unpinned,
    /// All keys of a bucket of `crc32(key) % 3`, as members of the home of `from`: several slots of
    /// a placement that was taken over from somebody else.
    Adopted,
}

/// The slots of a bucket.
fn bucket(number: u32) -> SlotRange {
    let start = |number| (number << BITS) / BUCKETS;
    SlotRange {
        start: start(number),
        end: start(number + 1),
    }
}

fn range(start: &[u8], end: &[u8]) -> Match {
    Match::Range {
        start: start.to_vec(),
        end: end.to_vec(),
    }
}

impl Kind {
    /// The keyspace, as JSON.
    pub(crate) const fn keyspace(self) -> &'static str {
        match self {
            Self::Adopted => {
                r#"{"bits":4,"slotting":{"modulo":{"hash":"crc32","buckets":3,"shards":[1,2,1]}}}"#
            }
            _ => r#"{"bits":4}"#,
        }
    }

    /// A key that is on the other shard from the first.
    pub(crate) const fn there(self) -> u8 {
        match self {
            Self::Adopted => b'g',
            _ => b'u',
        }
    }

    /// The 20 bits that a store keeps of a key's hash.
    pub(crate) fn stored_of(self, key: u8) -> u32 {
        if self != Self::Adopted {
            return hash::stored_slot(hash::xxh3(&[key], 0));
        }
        // Each bucket is a run of slots; what the remainder leaves of the hash spreads over it.
        let crc = hash::crc32(&[key]);
        let run = bucket(crc % BUCKETS);
        let finer = 20 - BITS;
        (run.start << finer) + crc / BUCKETS % ((run.end - run.start) << finer)
    }

    /// A key's slot.
    pub(crate) fn slot_of(self, key: u8) -> Slot {
        Slot(self.stored_of(key) >> (20 - BITS))
    }

    /// The slots that the wave of `key` has.
    pub(crate) fn slots(self, key: u8) -> SlotRange {
        let Slot(start) = self.slot_of(key);
        match self {
            Self::Adopted => bucket(hash::crc32(&[key]) % BUCKETS),
            _ => SlotRange {
                start,
                end: start + 1,
            },
        }
    }

    /// Which keys of the slots are members; `None`: all of them.
    pub(crate) fn matches(self) -> Option<Match> {
        match self {
            Self::Slots | Self::Adopted => None,
            Self::Exact | Self::Part => Some(Match::Exact(b"a".to_vec())),
            Self::Prefix => Some(Match::Prefix(b"a".to_vec())),
            Self::Range | Self::Unpinned => Some(range(b"a", b"f")),
            Self::Override => Some(range(b"a", b"c")),
        }
    }

    /// The override that they are carved from.
    pub(crate) fn origin(self) -> Option<Match> {
        match self {
            Self::Slots | Self::Adopted | Self::Exact | Self::Prefix | Self::Range => None,
            Self::Override => Some(range(b"a", b"c")),
            Self::Part | Self::Unpinned => Some(range(b"a", b"f")),
        }
    }

    /// Whether they are an override of `to` in the end.
    pub(crate) fn pins(self) -> bool {
        !matches!(self, Self::Slots | Self::Adopted | Self::Unpinned)
    }

    /// Whether `key`, of the wave's slot, is one of them.
    pub(crate) fn moves(self, key: u8) -> bool {
        self.matches()
            .is_none_or(|matches| matches.contains(&[key]))
    }

    /// Puts the override that they are carved from into a first snapshot.
    pub(crate) fn prepare(self, draft: &mut Draft, slot: u32) {
        let Some(matches) = self.origin() else {
            return;
        };
        let (domain, epoch) = (draft.take_domain(), draft.epoch);
        let from = draft.shards[0].id;
        let keyspace = draft.keyspace_mut(KeyspaceId(0)).unwrap();
        if self == Self::Unpinned {
            let mut table = keyspace.table();
            table[slot as usize].0 = 1;
            keyspace.set_table(&table);
        }
        keyspace.directory.push(Entry {
            matches,
            slots: vec![SlotRange { start: 0, end: 16 }],
            target: Target::Shard(from),
            domain,
            epoch,
        });
    }
}
