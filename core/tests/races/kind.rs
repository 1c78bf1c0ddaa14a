//! What a wave's members are.

use ringshift::{Draft, Entry, KeyspaceId, Match, SlotRange, Target};

/// What the wave's members are, of the keys of its slot.
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
}

fn range(start: &[u8], end: &[u8]) -> Match {
    Match::Range {
        start: start.to_vec(),
        end: end.to_vec(),
    }
}

impl Kind {
    /// Which keys of the slot are members. All but one kind leave keys of it out.
    pub(crate) fn matches(self) -> Option<Match> {
        match self {
            Self::Slots => None,
            Self::Exact | Self::Part => Some(Match::Exact(b"a".to_vec())),
            Self::Prefix => Some(Match::Prefix(b"a".to_vec())),
            Self::Range | Self::Unpinned => Some(range(b"a", b"f")),
            Self::Override => Some(range(b"a", b"c")),
        }
    }

    /// The override that they are carved from.
    pub(crate) fn origin(self) -> Option<Match> {
        match self {
            Self::Slots | Self::Exact | Self::Prefix | Self::Range => None,
            Self::Override => Some(range(b"a", b"c")),
            Self::Part | Self::Unpinned => Some(range(b"a", b"f")),
        }
    }

    /// Whether they are an override of `to` in the end.
    pub(crate) fn pins(self) -> bool {
        !matches!(self, Self::Slots | Self::Unpinned)
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
