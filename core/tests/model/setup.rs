//! A world, built from what a test says of it.

use std::sync::Arc;

use ringshift::migration::{Checks, Log, PlannedWave, Settings, Throttle};
use ringshift::{
    ClientLease, Epoch, KeyspaceId, Phase, Policy, ShardId, Slot, SlotRange, Snapshot, Topology,
};

use crate::shard::{Key, Places, Value};
use crate::world::{Do, Faults, Start, TICK, World};

/// A key in the first wave's slot, one beside it on the same shard, and one on another.
pub(crate) const MOVES: Key = b'a';
pub(crate) const STAYS: Key = b'b';
pub(crate) const THERE: Key = b'u';

/// What clients of unfenced shards have: a tick for the lease and one for an attempt. The rest makes
/// the coordinator's wait three of them: it wakes when it means to, and no barrier is late by itself.
pub(crate) const LEASE: ClientLease = ClientLease {
    lease_ms: 1_000,
    attempt_ms: 1_000,
    margin_ms: 999,
};

/// The phases in which a migration may stand still, and be taken back.
pub(crate) const PHASES: [Phase; 5] = [
    Phase::Prepare,
    Phase::DoubleWrite,
    Phase::ShadowRead,
    Phase::ReadNew,
    Phase::Reversed,
];

fn slot_of(key: Key) -> Slot {
    ringshift::hash::slot_of(ringshift::hash::xxh3(&[key], 0), 4)
}

/// Two shards, and a wave with the slot of [`MOVES`]; each client does what its script says.
pub(crate) fn world(scripts: &[&[Do]]) -> World {
    let mut keys: Vec<Key> = scripts.iter().copied().flatten().map(|d| d.key()).collect();
    keys.sort_unstable();
    keys.dedup();
    let initial = topology(2, &[]);
    World {
        wanted: wanted(&initial, &[MOVES]),
        initial,
        settings: Arc::new(Settings {
            strict: false,
            shadow_ppm: 0,
            shadow_ms: 0,
            verify: false,
            ramps_ppm: vec![1_000_000],
            ramp_ms: 0,
            reversed_ms: 0,
            chunk_rows: 8,
            lag_rows_max: 8,
            checkpoint_chunks: 8,
            barrier_ms: 10,
            retry_ms: 0,
            throttle: Throttle::OFF,
            checks: Checks::OFF,
            ..Settings::default()
        }),
        policy: Policy {
            deadline_ms: u32::MAX,
            attempt_ms: 0,
            attempts_max: 4,
            confirm: true,
            seed: 0,
        },
        scripts: scripts.iter().map(|script| script.to_vec()).collect(),
        keys,
        places: Places {
            keyspace: KeyspaceId(0),
            slot_of,
            stored_of: |key| ringshift::hash::stored_slot(ringshift::hash::xxh3(&[key], 0)),
        },
        loaded: Vec::new(),
        starts: vec![Start::Before],
        informed: false,
        timed: false,
        marks: false,
        pinned: STAYS,
        faults: Faults::default(),
    }
}

fn topology(shards: u32, unfenced: &[u32]) -> Arc<Snapshot> {
    let named = ["x", "y", "z"];
    let shards: Vec<String> = (1..=shards)
        .zip(named)
        .map(|(id, name)| format!(r#"{{"id":{id},"name":"{name}"}}"#))
        .collect();
    let text = format!(
        r#"{{"cluster":"model","keyspaces":{{"k":{{"bits":4}}}},"shards":[{}]}}"#,
        shards.join(",")
    );
    let topology: Topology = serde_json::from_str(&text).unwrap();
    let mut draft = topology.snapshot().unwrap().content().clone();
    draft.client_lease = (!unfenced.is_empty()).then_some(LEASE);
    for shard in &mut draft.shards {
        shard.unfenced = unfenced.contains(&shard.id.0);
    }
    Arc::new(Snapshot::build(draft).unwrap())
}

/// A plan: the slot of each key moves from where it is to the next shard.
fn wanted(initial: &Snapshot, keys: &[Key]) -> Log {
    let shards = u32::try_from(initial.content().shards.len()).unwrap();
    let owner = |key| {
        let index = initial.content().keyspaces[0].owner(slot_of(key)).unwrap();
        initial.shard_id(index).unwrap()
    };
    assert_eq!(owner(MOVES), owner(STAYS));
    assert_ne!(owner(MOVES), owner(THERE));
    assert_ne!(slot_of(MOVES), slot_of(STAYS));
    let wave = |key: &Key| {
        let (slot, from) = (slot_of(*key).0, owner(*key));
        PlannedWave {
            keyspace: KeyspaceId(0),
            from,
            to: ShardId(from.0 % shards + 1),
            slots: vec![SlotRange {
                start: slot,
                end: slot + 1,
            }],
            matches: None,
            origin: None,
            pins: false,
        }
    };
    Log {
        base: Epoch::FIRST,
        planned: keys.iter().map(wave).collect(),
        ..Log::default()
    }
}

impl World {
    pub(crate) fn with(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    pub(crate) fn loaded(mut self, loaded: &[(Key, Value)]) -> Self {
        self.loaded = loaded.to_vec();
        self
    }

    pub(crate) fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }

    pub(crate) fn from(mut self, starts: &[Start]) -> Self {
        self.starts = starts.to_vec();
        self
    }

    /// Clients start with the map in force.
    pub(crate) fn informed(mut self) -> Self {
        self.informed = true;
        self
    }

    /// These check no fence; time passes.
    pub(crate) fn unfenced(mut self, shards: &[u32]) -> Self {
        self.initial = topology(2, shards);
        self.wanted = wanted(&self.initial, &[MOVES]);
        self.timed = true;
        // Time passes in ticks; a barrier that one falls into is too late.
        self.set(|settings| settings.barrier_ms = TICK / 2)
    }

    /// Shards say which file they are, and may be put back to a copy.
    pub(crate) fn marked(mut self) -> Self {
        self.marks = true;
        self
    }

    /// The slot of [`THERE`] moves too, from its shard to the next.
    pub(crate) fn two_waves(mut self, shards: u32) -> Self {
        self.initial = topology(shards, &[]);
        self.wanted = wanted(&self.initial, &[MOVES, THERE]);
        self
    }
}
