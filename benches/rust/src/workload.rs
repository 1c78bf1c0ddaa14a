//! The keys and the shards that every candidate gets, the same in each language's bench.

use std::error::Error;

use ringshift::{
    DomainId, Draft, Entry, Epoch, KeyspaceTopology, Match, Phase, Placement, ShardId, ShardState,
    ShardTopology, Side, Slot, Snapshot, Target, Topology, Wave, slot_runs,
};

/// What can go wrong: a topology that the core refuses, a file that can't be written.
pub(crate) type Failure = Box<dyn Error>;

/// The name of the only keyspace.
pub(crate) const KEYSPACE: &str = "k";

/// `SplitMix64` (Steele, Lea, Flood 2014), as a stream of numbers.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix64(pub(crate) u64);

impl SplitMix64 {
    /// The next number.
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        finalized(self.0)
    }

    /// A number below `end`, near enough to even for a shuffle of a million.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.draw() % (end.max(1) as u64)).unwrap_or(0)
    }
}

/// The mixing of `SplitMix64`: every bit of `z` changes half of the answer's.
pub(crate) fn finalized(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Keys that lie in memory one after the other.
#[derive(Debug)]
pub(crate) struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    /// Distinct keys `user:{u64}`, 24.4 bytes on average.
    pub(crate) fn users(count: usize) -> Self {
        let mut numbers = SplitMix64(42);
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(count));
        for _ in 0..count {
            bytes.extend_from_slice(format!("user:{}", numbers.draw()).as_bytes());
            ends.push(bytes.len());
        }
        Self { bytes, ends }
    }

    /// The keys in the order of memory.
    pub(crate) fn in_order(&self) -> Vec<&[u8]> {
        let mut start = 0;
        let mut keys = Vec::with_capacity(self.ends.len());
        for &end in &self.ends {
            keys.push(self.bytes.get(start..end).unwrap_or_default());
            start = end;
        }
        keys
    }

    /// Mean length in bytes.
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub(crate) fn mean_bytes(&self) -> f64 {
        self.bytes.len() as f64 / self.ends.len().max(1) as f64
    }
}

/// The same keys in an order that no prefetcher guesses.
pub(crate) fn shuffled<'k>(keys: &[&'k [u8]]) -> Vec<&'k [u8]> {
    let mut keys = keys.to_vec();
    let mut dice = SplitMix64(7);
    for end in (1..keys.len()).rev() {
        let other = dice.below(end + 1);
        keys.swap(end, other);
    }
    keys
}

/// What a cluster of the bench has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cluster {
    pub(crate) shards: u32,
    pub(crate) bits: u8,
    /// Whether the ring's table is balanced.
    pub(crate) balanced: bool,
    /// Weights from 0.3 to 3, or all of them 1.
    pub(crate) weighted: bool,
}

impl Cluster {
    /// Equal shards on a balanced table, the default of a topology.
    pub(crate) const fn of(shards: u32, bits: u8) -> Self {
        Self {
            shards,
            bits,
            balanced: true,
            weighted: false,
        }
    }

    /// The weight of the shard at `place`.
    pub(crate) fn weight(self, place: u32) -> f64 {
        if self.weighted {
            0.3 + 2.7 * f64::from(place) / f64::from(self.shards.saturating_sub(1).max(1))
        } else {
            1.0
        }
    }

    /// The shard at `place`, as a topology has it.
    pub(crate) fn shard(self, place: u32) -> ShardTopology {
        ShardTopology {
            id: ShardId(place + 1),
            name: format!("shard-{place}"),
            weight: self.weight(place),
            endpoint: String::new(),
            zone: String::new(),
            tags: Vec::new(),
            state: ShardState::default(),
            unfenced: false,
        }
    }

    /// Its first snapshot: 160 points a shard.
    pub(crate) fn snapshot(self) -> Result<Snapshot, Failure> {
        let placement = if self.balanced {
            Placement::Balanced { vnodes: 160 }
        } else {
            Placement::Ring { vnodes: 160 }
        };
        let keyspace = KeyspaceTopology {
            bits: Some(self.bits),
            placement,
            ..KeyspaceTopology::default()
        };
        let topology = Topology {
            cluster: "bench".to_owned(),
            keyspaces: [(KEYSPACE.to_owned(), keyspace)].into(),
            shards: (0..self.shards).map(|place| self.shard(place)).collect(),
            client_lease: None,
        };
        Ok(topology.snapshot()?)
    }
}

/// `snapshot` with overrides of `count` keys that no workload has.
pub(crate) fn with_overrides(snapshot: &Snapshot, count: u32) -> Result<Snapshot, Failure> {
    edited(snapshot, |draft| {
        let shards = u32::try_from(draft.shards.len())?;
        let mut entries = Vec::new();
        for number in 0..count {
            let matches = Match::Exact(format!("pinned:{number}").into_bytes());
            let keyspace = draft.keyspaces.first().ok_or("no keyspace")?;
            entries.push(Entry {
                slots: keyspace.slots_of(&matches)?,
                matches,
                target: Target::Shard(ShardId(1 + number % shards)),
                domain: draft.take_domain(),
                epoch: Epoch::FIRST,
            });
        }
        entries.sort_by(|a, b| a.matches.cmp(&b.matches));
        let keyspace = draft.keyspaces.first_mut().ok_or("no keyspace")?;
        keyspace.directory = entries;
        Ok(())
    })
}

/// `snapshot` with every slot in a wave that leads to the next shard.
pub(crate) fn with_waves(snapshot: &Snapshot, phase: Phase) -> Result<Snapshot, Failure> {
    edited(snapshot, |draft| {
        let table = draft.keyspaces.first().ok_or("no keyspace")?.table();
        let shards: Vec<ShardId> = draft.shards.iter().map(|shard| shard.id).collect();
        let mut waves = Vec::new();
        for ((at, &from), &to) in (0..).zip(&shards).zip(shards.iter().cycle().skip(1)) {
            let own = (0..).zip(&table).filter(|(_, owner)| owner.0 == at);
            waves.push(wave(
                draft.take_domain(),
                from,
                to,
                phase,
                own.map(|(slot, _)| Slot(slot)),
            ));
        }
        let keyspace = draft.keyspaces.first_mut().ok_or("no keyspace")?;
        keyspace.waves = waves;
        Ok(())
    })
}

fn wave(
    domain: DomainId,
    from: ShardId,
    to: ShardId,
    phase: Phase,
    slots: impl IntoIterator<Item = Slot>,
) -> Wave {
    Wave {
        domain,
        epoch: Epoch::FIRST,
        drained: Epoch::ZERO,
        authority_epoch: Epoch::FIRST,
        first: Side::From,
        from,
        to,
        phase,
        ramp_ppm: 0,
        shadow_ppm: 0,
        strict: false,
        lease_ms: 0,
        slots: slot_runs(slots),
        matches: None,
        origin: None,
        pins: false,
        switching: false,
    }
}

/// The snapshot after `snapshot`, with `edit` made.
pub(crate) fn edited(
    snapshot: &Snapshot,
    edit: impl FnOnce(&mut Draft) -> Result<(), Failure>,
) -> Result<Snapshot, Failure> {
    let mut draft = snapshot.next_draft()?;
    edit(&mut draft)?;
    Ok(Snapshot::build(draft)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_the_other_languages() {
        let keys = Keys::users(3);
        let first: Vec<&[u8]> = keys.in_order();
        // The first draws of SplitMix64 from 42, as its authors' program prints them.
        let wanted: [&[u8]; 3] = [
            b"user:13679457532755275413",
            b"user:2949826092126892291",
            b"user:5139283748462763858",
        ];
        assert_eq!(first, wanted);
    }

    #[test]
    fn a_shuffle_keeps_every_key_and_moves_nearly_all() {
        let keys = Keys::users(1_000);
        let before = keys.in_order();
        let mut after = shuffled(&before);
        let same = before.iter().zip(&after).filter(|(a, b)| a == b).count();
        assert!(same < 20, "{same}");
        after.sort_unstable();
        let mut sorted = before.clone();
        sorted.sort_unstable();
        assert_eq!(after, sorted);
    }
}
