//! The clusters that the vectors are about.

use ringshift::{
    ClientLease, Draft, Epoch, Match, Phase, Run, ShardId, ShardIndex, Side, Slot, SlotRange,
    Snapshot, Topology, Version, Wave,
};
use serde_json::json;

/// Slots of `orders` that move from shard 1 to 2; `MOVING_KEY` is in one of them.
const MOVING: SlotRange = SlotRange { start: 0, end: 12 };
/// A key of `orders` that moves.
pub(crate) const MOVING_KEY: &[u8] = b"user:42";
/// A key of `orders` that is pinned to shard 3.
pub(crate) const PINNED_KEY: &[u8] = b"celebrity";

pub(crate) fn epoch(n: u32) -> Epoch {
    Epoch::new(n).unwrap_or(Epoch::MAX)
}

/// As the bindings have it: one signed 64-bit number, as a string.
pub(crate) fn version(version: Version) -> String {
    version.to_i64().to_string()
}

/// Where the moving slots are.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// All of them at home on this shard.
    Home(ShardId),
    /// In a wave from shard 1 to 2.
    Wave {
        phase: Phase,
        /// The ramp of read-new, else the sample of shadow-read.
        ppm: u32,
        strict: bool,
    },
}

/// Prepare to reversed, relaxed.
pub(crate) const fn wave(phase: Phase) -> Place {
    Place::Wave {
        phase,
        ppm: 0,
        strict: false,
    }
}

/// Read-new with this ramp.
pub(crate) const fn ramp(ppm: u32) -> Place {
    Place::Wave {
        phase: Phase::ReadNew,
        ppm,
        strict: false,
    }
}

/// The cluster `demo` at epoch `at`, whose moving slots have been where they are since `since`.
pub(crate) fn demo(at: u32, since: u32, place: Place) -> Result<Snapshot, String> {
    let text = r#"{"cluster": "demo",
        "keyspaces": {"orders": {"bits": 4, "pins": [{"key": "celebrity", "shard": 3}]}},
        "shards": [{"id": 1, "name": "pg-1", "endpoint": "postgres://a", "zone": "eu-1"},
                   {"id": 2, "name": "pg-2", "weight": 0.5, "zone": "eu-2", "tags": ["ssd"]},
                   {"id": 3, "name": "pg-3"}]}"#;
    let mut draft = first(text)?;
    draft.epoch = epoch(at);
    let domain = draft.take_domain();
    let owner = match place {
        Place::Home(shard) => draft.index_of(shard).unwrap_or_default(),
        Place::Wave {
            phase: Phase::Ended(Side::To),
            ..
        } => ShardIndex(1),
        Place::Wave { .. } => ShardIndex(0),
    };
    let keyspace = draft.keyspaces.first_mut().ok_or("no keyspace")?;
    let mut table = vec![owner; MOVING.end as usize];
    table.extend([0, 1, 2, 2].map(ShardIndex));
    keyspace.set_table(&table);
    if let Some(home) = keyspace.home_mut(owner) {
        home.epoch = epoch(since);
    }
    if let Place::Wave { phase, ppm, strict } = place {
        let only_in = |wanted| if phase == wanted { ppm } else { 0 };
        keyspace.waves.push(Wave {
            domain,
            epoch: epoch(since),
            drained: Epoch::ZERO,
            authority_epoch: epoch(since),
            first: Side::From,
            from: ShardId(1),
            to: ShardId(2),
            phase,
            ramp_ppm: only_in(Phase::ReadNew),
            shadow_ppm: only_in(Phase::ShadowRead),
            strict,
            lease_ms: 0,
            slots: vec![MOVING],
            matches: None,
            origin: None,
            pins: false,
            switching: false,
        });
    }
    Snapshot::build(draft).map_err(|e| e.to_string())
}

/// The cluster `demo` with a shard that checks no fence, in the pause before reads move.
pub(crate) fn switching() -> Result<Snapshot, String> {
    let strict = false;
    let phase = Phase::DoubleWrite;
    let ppm = 0;
    let demo = demo(9, 8, Place::Wave { phase, ppm, strict })?;
    let mut draft = demo.content().clone();
    draft.client_lease = Some(ClientLease {
        lease_ms: 1_000,
        attempt_ms: 200,
        margin_ms: 100,
    });
    for shard in &mut draft.shards {
        shard.unfenced = shard.id == ShardId(2);
    }
    let waves = draft.keyspaces.iter_mut().flat_map(|k| &mut k.waves);
    waves.for_each(|wave| wave.switching = true);
    Snapshot::build(draft).map_err(|e| e.to_string())
}

/// Everything that a snapshot can hold, once: both placements, all rules of keys, all phases.
pub(crate) fn full() -> Result<Snapshot, String> {
    let text = r#"{"cluster": "кластер", "keyspaces": {
        "chats": {"bits": 5, "seed": "18446744073709551615", "key": {"parts": 2},
                  "placement": {"ring": {"vnodes": 8}}},
        "carts": {"bits": 6, "key": "hash-tag"},
        "users": {"bits": 4, "pins": [{"key": "ключ", "shard": 70000}, {"key": "", "shard": 2},
            {"prefix": "acme:", "shard": 2}, {"range": ["m", "n"], "shard": 70000}]}},
        "shards": [{"id": 2, "name": "b", "state": "draining"},
                   {"id": 70000, "name": "д", "weight": 2.5, "tags": ["x", "y"]},
                   {"id": 1, "name": "a", "weight": 0.001, "endpoint": "unix:/run/a"}]}"#;
    let mut draft = first(text)?;
    draft.epoch = Epoch::MAX;
    let mut domain = draft.next_domain;
    draft.next_domain.0 += 20;
    let keyspace = draft.keyspaces.last_mut().ok_or("no keyspace")?;
    // Half of the slots on shard 1, half on 2; each phase takes two.
    keyspace.assignment = [0, 1]
        .map(|index| Run {
            len: 8,
            shard: ShardIndex(index),
        })
        .to_vec();
    for (n, &phase) in (0_u32..).zip(Phase::ALL) {
        let won = phase == Phase::Ended(Side::To);
        let (from, to) = if won { (2, 1) } else { (1, 2) };
        let only_in = |wanted, ppm| if phase == wanted { ppm } else { 0 };
        keyspace.waves.push(Wave {
            domain,
            epoch: epoch(900 + n),
            drained: epoch(n),
            authority_epoch: epoch(100 + n),
            first: if n % 2 == 0 { Side::From } else { Side::To },
            from: ShardId(from),
            to: ShardId(to),
            phase,
            ramp_ppm: only_in(Phase::ReadNew, 500_000),
            shadow_ppm: only_in(Phase::ShadowRead, 10_000),
            strict: n % 3 == 0,
            lease_ms: n % 2 * 2_000,
            slots: vec![SlotRange {
                start: n,
                end: n + 1,
            }],
            matches: None,
            origin: None,
            pins: false,
            switching: false,
        });
        domain.0 += 2;
    }
    // And one of less than whole slots: a tenant's part of two.
    keyspace.waves.push(Wave {
        domain,
        epoch: epoch(950),
        drained: epoch(949),
        authority_epoch: epoch(940),
        first: Side::From,
        from: ShardId(2),
        to: ShardId(1),
        phase: Phase::ReadNew,
        ramp_ppm: 250_000,
        shadow_ppm: 0,
        strict: false,
        lease_ms: 0,
        slots: vec![SlotRange { start: 9, end: 11 }],
        matches: Some(Match::Prefix(b"bolt:".to_vec())),
        origin: None,
        pins: true,
        switching: false,
    });
    Snapshot::build(draft).map_err(|e| e.to_string())
}

/// A keyspace for each foreign placement that can be adopted.
pub(crate) fn adopted() -> Result<Snapshot, String> {
    let modulo = |hash: &str, seed: u32| {
        json!({"bits": 6, "seed": "9", "slotting": {"modulo": {"hash": hash, "seed": seed, "buckets": 5,
            "shards": [3, 1, 2, 1, 3]}}})
    };
    let server = |name: &str, digests: u32| json!({"name": name, "digests": digests});
    let pins = json!([{"key": "celebrity", "shard": 3}]);
    let topology = json!({"cluster": "adopted", "keyspaces": {
        "crc32": {"bits": 4, "slotting": {"modulo": {"hash": "crc32", "buckets": 3}}, "pins": pins},
        "md5": modulo("md5", 0), "md5-128": modulo("md5-128", 0), "fnv1a64": modulo("fnv1a64", 0),
        "murmur3": modulo("murmur3", 4_294_967_295), "xxh64": modulo("xxh64", 7),
        "xxh3": modulo("xxh3", 7),
        "redis": {"slotting": {"redis-cluster": {"shards": [
            {"shard": 1, "slots": [[0, 5460]]}, {"shard": 2, "slots": [[5461, 10_922]]},
            {"shard": 3, "slots": [[10_923, 16_383]]}]}}},
        "ketama": {"bits": 8, "slotting": {"ketama": {"servers": [
            server("10.0.1.1", 4), server("10.0.1.2:11212", 0), server("10.0.1.3", 9)]}}}},
        "shards": [{"id": 1, "name": "db1"}, {"id": 2, "name": "db2"}, {"id": 3, "name": "db3"}]});
    let topology: Topology = serde_json::from_value(topology).map_err(|e| e.to_string())?;
    topology.snapshot().map_err(|e| e.to_string())
}

/// The least that is a snapshot.
pub(crate) fn least() -> Result<Snapshot, String> {
    let text =
        r#"{"cluster": "c", "keyspaces": {"k": {"bits": 4}}, "shards": [{"id": 0, "name": "s"}]}"#;
    Snapshot::build(first(text)?).map_err(|e| e.to_string())
}

fn first(text: &str) -> Result<Draft, String> {
    let topology: Topology = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let snapshot = topology.snapshot().map_err(|e| e.to_string())?;
    Ok(snapshot.content().clone())
}

/// Fails when the key that the traces are about isn't where they need it.
pub(crate) fn check_key(slot: Slot) -> Result<(), String> {
    if MOVING.contains(slot) {
        Ok(())
    } else {
        Err(format!("slot {slot} doesn't move; choose another key"))
    }
}
