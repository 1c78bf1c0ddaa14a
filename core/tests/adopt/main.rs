//! Adopted placements against the foreign formulas, told by other people's implementations.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that fails should say where, and its numbers are small"
)]

mod hashes;
mod refused;

use std::sync::Arc;

use md5::{Digest as _, Md5};
use proptest::prelude::*;
use ringshift::migration::{Changes, plan};
use ringshift::{ForeignHash, KeyspaceDraft, Router, ShardIndex, Slot, Snapshot, Topology};
use serde_json::{Value, json};

/// A cluster of `shards` shards whose keyspace `k` is as told.
fn snapshot(shards: u32, keyspace: &Value) -> Snapshot {
    let shards: Vec<_> = (1..=shards)
        .map(|id| json!({"id": id, "name": format!("db{id}")}))
        .collect();
    let topology = json!({"cluster": "test", "keyspaces": {"k": keyspace}, "shards": shards});
    let topology: Topology = serde_json::from_value(topology).unwrap();
    topology.snapshot().unwrap()
}

/// Shard (as a place in the list), slot and stored slot of a key.
fn place(router: &Router, key: &[u8]) -> (ShardIndex, Slot, u32) {
    let keyspace = router.keyspace("k").unwrap();
    let (route, plan) = (keyspace.route(key).unwrap(), keyspace.plan(key).unwrap());
    assert_eq!(route.slot, plan.slot);
    assert_eq!(
        router.snapshot().shard_id(route.shard),
        Some(plan.authority)
    );
    let bits = router.snapshot().content().keyspaces[0].bits;
    assert_eq!(route.slot.0, plan.stored_slot >> (20 - bits));
    (route.shard, route.slot, plan.stored_slot)
}

/// The hash as crates that know nothing of us have it.
fn theirs(hash: ForeignHash, key: &[u8], seed: u32) -> u128 {
    let md5 = u128::from_be_bytes(Md5::digest(key).into());
    match hash {
        ForeignHash::Crc32 => crc32fast::hash(key).into(),
        ForeignHash::Md5 => md5 >> 64,
        ForeignHash::Md5Whole => md5,
        ForeignHash::Fnv1a64 => hashes::fnv(key).into(),
        ForeignHash::Murmur3 => murmur3::murmur3_32(&mut &*key, seed).unwrap().into(),
        ForeignHash::Xxh64 => xxhash_rust::xxh64::xxh64(key, seed.into()).into(),
        ForeignHash::Xxh3 => xxhash_rust::xxh3::xxh3_64_with_seed(key, seed.into()).into(),
    }
}

fn any_hash() -> impl Strategy<Value = (ForeignHash, u32)> {
    prop_oneof![
        Just((ForeignHash::Crc32, 0)),
        Just((ForeignHash::Md5, 0)),
        Just((ForeignHash::Md5Whole, 0)),
        Just((ForeignHash::Fnv1a64, 0)),
        any::<u32>().prop_map(|seed| (ForeignHash::Murmur3, seed)),
        any::<u32>().prop_map(|seed| (ForeignHash::Xxh64, seed)),
        any::<u32>().prop_map(|seed| (ForeignHash::Xxh3, seed)),
    ]
}

fn keys() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..50)
}

/// Splits each slot in two, as growing the slot bits does.
fn grown(snapshot: &Snapshot) -> Snapshot {
    let mut draft = snapshot.next_draft().unwrap();
    let keyspace: &mut KeyspaceDraft = &mut draft.keyspaces[0];
    let table = keyspace.table();
    keyspace.bits += 1;
    let table: Vec<_> = table.iter().flat_map(|&owner| [owner, owner]).collect();
    keyspace.set_table(&table);
    Snapshot::build(draft).unwrap()
}

proptest! {
    #[test]
    fn a_modulo_routes_as_the_formula_does(
        (hash, seed) in any_hash(),
        bits in 4_u8..=14,
        shards in 1_u32..=16,
        buckets in 1_u32..=3_000,
        keys in keys(),
    ) {
        let buckets = buckets.min(1 << bits);
        // More buckets than shards, in no order of the shards.
        let owners: Vec<u32> = (0..buckets).map(|b| (b * 7 + b / 3) % shards + 1).collect();
        let slotting = json!({"hash": hash, "seed": seed, "buckets": buckets, "shards": owners});
        let snapshot = snapshot(shards, &json!({"bits": bits, "slotting": {"modulo": slotting}}));
        prop_assert_eq!(&Snapshot::decode(&snapshot.encode()).unwrap(), &snapshot);
        let grown = Router::new(Arc::new(grown(&snapshot)));
        let router = Router::new(Arc::new(snapshot));
        for key in keys {
            let bucket = (theirs(hash, &key, seed) % u128::from(buckets)) as usize;
            let (shard, slot, stored) = place(&router, &key);
            prop_assert_eq!(u32::from(shard.0) + 1, owners[bucket]);
            let later = place(&grown, &key);
            prop_assert_eq!((later.0, later.1.0 / 2, later.2), (shard, slot.0, stored));
        }
    }

    #[test]
    fn redis_cluster_keeps_its_slots(keys in keys(), tags in "[a{}]{0,12}", bits in 14_u8..=20) {
        let of = |first: u32, last: u32| json!([[first, last]]);
        let shards = json!([
            {"shard": 2, "slots": of(0, 5_460)},
            {"shard": 3, "slots": [[5_461, 6_000], [16_000, 16_383]]},
            {"shard": 1, "slots": of(6_001, 15_999)},
        ]);
        let slotting = json!({"redis-cluster": {"shards": shards}});
        let router = Router::new(Arc::new(snapshot(3, &json!({"bits": bits, "slotting": slotting}))));
        for key in keys.into_iter().chain([tags.into_bytes()]) {
            let redis = hashes::redis_slot(&key);
            let owner = match redis {
                0..=5_460 => 1,
                6_001..=15_999 => 0,
                _ => 2,
            };
            let (shard, slot, _) = place(&router, &key);
            prop_assert_eq!((shard.0, slot.0 >> (bits - 14)), (owner, redis));
        }
    }

    #[test]
    fn what_was_adopted_is_then_balanced_like_anything_else(
        buckets in 1_u32..=64,
        (hash, seed) in any_hash(),
    ) {
        let slotting = json!({"hash": hash, "seed": seed, "buckets": buckets});
        let snapshot = snapshot(buckets, &json!({"bits": 12, "slotting": {"modulo": slotting}}));
        let changes = json!({"add": [{"id": 900, "name": "new"}]});
        let changes: Changes = serde_json::from_value(changes).unwrap();
        let plan = plan(&snapshot, &changes, 0).unwrap();
        // As few as any plan moves: the new shard's share, and what evens out the rounding.
        let share = 4_096 / (buckets + 1);
        prop_assert!((share..=share + 1).contains(&plan.figures[0].slots_moved));
        prop_assert_eq!(plan.figures[0].slots_moved, plan.figures[0].slots_least);
    }
}

/// Redis Cluster's own numbers where nothing is told: 14 bits, and the hash tag.
#[test]
fn redis_cluster_s_slots_are_its_own_numbers() {
    let all = json!({"shards": [{"shard": 1, "slots": [[0, 16_383]]}]});
    let router = Router::new(Arc::new(snapshot(
        1,
        &json!({"slotting": {"redis-cluster": all}}),
    )));
    let slot = |key: &[u8]| place(&router, key).1.0;
    assert_eq!(slot(b"{user1000}.following"), slot(b"{user1000}.followers"));
    assert_eq!(slot(b"foo{{bar}}zap"), hashes::redis_slot(b"foo{{bar}}zap"));
}

#[test]
fn ketama_answers_what_libmemcached_answers() {
    let file: Value = serde_json::from_str(include_str!("libmemcached.json")).unwrap();
    let cases = file["ketama"]["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let shards = case["servers"].as_array().unwrap().len() as u32;
        let slotting = json!({"ketama": {"servers": case["servers"]}});
        for bits in [11, 16, 20] {
            let before = snapshot(shards, &json!({"bits": bits, "slotting": slotting}));
            assert_eq!(Snapshot::decode(&before.encode()).unwrap(), before);
            let after = (bits < 20).then(|| Router::new(Arc::new(grown(&before))));
            let router = Router::new(Arc::new(before));
            for (n, owner) in case["owners"].as_array().unwrap().iter().enumerate() {
                let key = format!("user:{n}");
                let (shard, slot, stored) = place(&router, key.as_bytes());
                assert_eq!(json!(shard), *owner, "{} {bits} {key}", case["name"]);
                if let Some(after) = &after {
                    let later = place(after, key.as_bytes());
                    assert_eq!((later.0, later.1.0 / 2, later.2), (shard, slot.0, stored));
                }
            }
        }
    }
}

/// Keys fall on all of a keyspace's slots, so that moving slots moves keys in proportion.
#[test]
fn adopted_slots_are_used_evenly() {
    for slotting in [
        json!({"modulo": {"hash": "crc32", "buckets": 3}}),
        json!({"modulo": {"hash": "md5-128", "buckets": 3}}),
        json!({"ketama": {"servers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}}),
    ] {
        let router = Router::new(Arc::new(snapshot(
            3,
            &json!({"bits": 16, "slotting": slotting}),
        )));
        // 64 slots a heap.
        let mut heaps = vec![0_u32; 1 << 10];
        for n in 0..102_400 {
            let (_, slot, _) = place(&router, format!("user:{n}").as_bytes());
            heaps[(slot.0 >> 6) as usize] += 1;
        }
        // 100 a heap, with a standard deviation of 10 and an arc's one slot too many or too few.
        let (least, most) = (heaps.iter().min().unwrap(), heaps.iter().max().unwrap());
        assert!(*least > 40 && *most < 170, "{slotting}: {least} to {most}");
    }
}
