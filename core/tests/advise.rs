//! Sketches within their bounds, and advice that fits what is wrong: none where nothing is.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that fails should say where, and its numbers are small"
)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use ringshift::advise::{
    Action, Advice, Distinct, HotKey, KeyspaceLoad, Loads, Meter, RangeLoad, ShardLoad, SlotLoad,
    TopKeys, Trigger, Triggers, Urgency, advise,
};
use ringshift::{Instant, Router, ShardId, Slot, Snapshot, Topology};
use serde_json::{Value, json};

const BITS: u8 = 8;

fn cluster(shards: u32, keyspace: &Value) -> Snapshot {
    let shards: Vec<_> = (1..=shards)
        .map(|id| json!({"id": id, "name": format!("db{id}")}))
        .collect();
    let topology = json!({"cluster": "test", "keyspaces": {"k": keyspace}, "shards": shards});
    let topology: Topology = serde_json::from_value(topology).unwrap();
    topology.snapshot().unwrap()
}

fn plain(shards: u32) -> Snapshot {
    cluster(shards, &json!({"bits": BITS}))
}

/// The shard of each slot, by its place in the list.
fn owners(snapshot: &Snapshot) -> Vec<usize> {
    let table = snapshot.content().keyspaces[0].table();
    table.iter().map(|owner| usize::from(owner.0)).collect()
}

/// So many operations in each slot, and no key that stands out.
fn ops(of: impl Fn(usize) -> u64) -> KeyspaceLoad {
    let slots: Vec<SlotLoad> = (0..1 << BITS)
        .map(|slot| SlotLoad {
            slot: Slot(slot),
            ops: of(slot as usize),
            ..SlotLoad::default()
        })
        .collect();
    KeyspaceLoad {
        keyspace: "k".to_owned(),
        ops: slots.iter().map(|slot| slot.ops).sum(),
        distinct: 100_000,
        slots,
        ..KeyspaceLoad::default()
    }
}

fn of_keyspace(load: KeyspaceLoad) -> Loads {
    Loads {
        keyspaces: vec![load],
        ..Loads::default()
    }
}

fn told(snapshot: &Snapshot, loads: &Loads) -> Vec<Advice> {
    let advice = advise(snapshot, loads, &Triggers::default());
    assert!(advice.is_sorted_by_key(|advice| advice.urgency));
    advice
}

fn wish(advice: &Advice) -> Value {
    serde_json::to_value(advice.wish.as_ref().unwrap()).unwrap()
}

/// The slots of `"1-50,77"`.
fn slots(of: &Value) -> Vec<usize> {
    let runs = of.as_str().unwrap().split(',');
    runs.flat_map(|run| {
        let (first, last) = run.split_once('-').unwrap_or((run, run));
        first.parse().unwrap()..=last.parse::<usize>().unwrap()
    })
    .collect()
}

/// Loads by shard after the slots of a wish have moved.
fn after(snapshot: &Snapshot, loads: &[u64], wish: &Value) -> Vec<u64> {
    let mut owners = owners(snapshot);
    for moved in wish["move_slots"].as_array().unwrap() {
        for slot in slots(&moved["slots"]) {
            owners[slot] = moved["to"].as_u64().unwrap() as usize - 1;
        }
    }
    by_shard(snapshot, &owners, loads)
}

fn by_shard(snapshot: &Snapshot, owners: &[usize], loads: &[u64]) -> Vec<u64> {
    let mut sums = vec![0; snapshot.content().shards.len()];
    for (owner, load) in owners.iter().zip(loads) {
        sums[*owner] += load;
    }
    sums
}

proptest! {
    #[test]
    fn top_keys_keep_to_their_bounds(
        room in 1_usize..40,
        stream in prop::collection::vec((0_u32..200, 1_u64..5), 1..2_000),
    ) {
        let mut top = TopKeys::new(room);
        let mut exact: BTreeMap<u32, u64> = BTreeMap::new();
        for &(number, times) in &stream {
            // A few of them come far more often.
            let number = number * number / 200;
            top.add(&number.to_le_bytes(), times);
            *exact.entry(number).or_default() += times;
        }
        let total: u64 = exact.values().sum();
        let kept = top.top();
        prop_assert!(kept.len() <= room);
        prop_assert_eq!(kept.iter().map(|kept| kept.count).sum::<u64>(), total);
        for kept in &kept {
            let number = u32::from_le_bytes(kept.key.clone().try_into().unwrap());
            let truth = exact[&number];
            prop_assert!(kept.count - kept.error <= truth && truth <= kept.count);
            prop_assert!(kept.error <= total / room as u64);
        }
        for (number, truth) in exact {
            let there = kept.iter().any(|kept| kept.key == number.to_le_bytes());
            prop_assert!(there || truth <= total / room as u64);
        }
    }

    #[test]
    fn different_keys_are_counted_about_right(keys in 1_u64..30_000, seed in any::<u64>()) {
        let mut distinct = Distinct::new(1_024, seed);
        for _twice in 0..2 {
            (0..keys).for_each(|key| distinct.add(&key.to_le_bytes()));
        }
        let told = distinct.estimate();
        if keys < 1_024 {
            prop_assert_eq!(told, keys);
        } else {
            // Six standard deviations.
            prop_assert!(told.abs_diff(keys) * 100 < keys * 19, "{} of {}", told, keys);
        }
    }

    #[test]
    fn a_sampled_meter_counts_what_there_is(rate in 1_u32..50, seed in any::<u64>()) {
        let mut meter = Meter::new("k", BITS, rate, 0, seed);
        // A pattern that a sample of every n-th would see one side of.
        for n in 0..200_000_u32 {
            let slot = Slot(n % 2 * 9);
            meter.record(Instant::ZERO, ShardId(n % 2 + 1), slot, &(n % 2).to_le_bytes());
        }
        let loads = meter.loads();
        prop_assert_eq!(loads.slots.len(), 2);
        for slot in &loads.slots {
            prop_assert!(slot.ops.abs_diff(100_000) < 12_000, "{:?}", slot);
        }
        prop_assert_eq!(loads.shards.iter().map(|(_, ops)| ops).sum::<u64>(), loads.ops);
        prop_assert_eq!(loads.hot.len(), 2);
    }

    #[test]
    fn a_calm_cluster_is_left_alone(
        shards in 2_u32..12,
        noise in prop::collection::vec(50_u64..150, 1 << BITS),
        held in 1_u64..60,
    ) {
        let snapshot = plain(shards);
        let mut loads = of_keyspace(ops(|slot| noise[slot] * 10));
        for id in 1..=shards {
            loads.shards.push(ShardLoad {
                shard: ShardId(id),
                bytes: Some(held),
                capacity_bytes: Some(100),
                bytes_before: Some(held),
                days: 30,
                p99_us: Some(1_500),
                p99_before_us: Some(1_000),
            });
        }
        prop_assert_eq!(told(&snapshot, &loads), []);
        // Nor is one of which nothing is known.
        prop_assert_eq!(told(&snapshot, &Loads::default()), []);
    }

    #[test]
    fn moved_slots_relieve_and_overload_nobody(
        shards in 4_u32..10,
        heat in prop::collection::vec(1_u64..100, 1 << BITS),
        hot in 0_usize..4,
    ) {
        let snapshot = plain(shards);
        let owners = owners(&snapshot);
        let load: Vec<u64> = heat
            .iter()
            .zip(&owners)
            .map(|(&heat, &owner)| if owner == hot { heat * 50 } else { heat })
            .collect();
        let loads = of_keyspace(ops(|slot| load[slot]));
        let before = by_shard(&snapshot, &owners, &load);
        let fair = before.iter().sum::<u64>() / u64::from(shards);
        let advice = told(&snapshot, &loads);
        prop_assert_eq!(&advice, &told(&snapshot, &loads), "the same loads, the same advice");
        if before[hot] <= fair * 3 {
            prop_assert_eq!(advice, []);
            return Ok(());
        }
        prop_assert_eq!((advice[0].trigger, advice[0].action), (Trigger::Load, Action::MoveSlots));
        prop_assert_eq!(advice[0].shard, Some(ShardId(hot as u32 + 1)));
        let after = after(&snapshot, &load, &wish(&advice[0]));
        prop_assert_eq!(after.iter().sum::<u64>(), before.iter().sum::<u64>());
        prop_assert!(after[hot] < fair * 3 / 2, "{:?} of {}", after, fair);
        for (at, (&after, &before)) in after.iter().zip(&before).enumerate() {
            // Nobody else gets above what the hot one had; only it gives.
            prop_assert!(at == hot || (after >= before && after < fair * 2));
        }
        // It is enough: with the slots there, nothing is wrong any more.
        let mut draft = snapshot.next_draft().unwrap();
        let mut table = draft.keyspaces[0].table();
        for moved in wish(&advice[0])["move_slots"].as_array().unwrap() {
            let to = moved["to"].as_u64().unwrap() as u16 - 1;
            for slot in slots(&moved["slots"]) {
                table[slot].0 = to;
            }
        }
        draft.keyspaces[0].set_table(&table);
        prop_assert_eq!(told(&Snapshot::build(draft).unwrap(), &loads), []);
    }
}

/// A load of 100 a slot, and `extra` more for each of these keys, which are on one shard; that.
fn with_hot_keys(snapshot: &Snapshot, keys: &[Vec<u8>], extra: u64) -> (Loads, usize) {
    let router = Router::new(snapshot.clone().into());
    let mut load = ops(|_| 100);
    let mut shards = BTreeSet::new();
    for key in keys {
        let route = router.keyspace("k").unwrap().route(key).unwrap();
        shards.insert(route.shard);
        load.slots[route.slot.0 as usize].ops += extra;
        load.ops += extra;
        load.hot.push(HotKey {
            key: key.clone(),
            ops: extra + 7,
            error: 7,
        });
    }
    assert_eq!(shards.len(), 1);
    (
        of_keyspace(load),
        usize::from(shards.pop_first().unwrap().0),
    )
}

/// Two keys on one shard, in two slots.
fn two_keys(snapshot: &Snapshot, make: impl Fn(u32) -> Vec<u8>) -> Vec<Vec<u8>> {
    let router = Router::new(snapshot.clone().into());
    let route = |key: &Vec<u8>| router.keyspace("k").unwrap().route(key).unwrap();
    let first = make(0);
    let same = |key: &Vec<u8>| {
        let (a, b) = (route(key), route(&first));
        a.shard == b.shard && a.slot != b.slot
    };
    let second = (1..10_000).map(make).find(same).unwrap();
    vec![first, second]
}

#[test]
fn a_hot_key_is_isolated_or_spread() {
    let snapshot = plain(8);
    let keys = two_keys(&snapshot, |n| format!("celebrity {n}").into_bytes());
    // 37,600 in all, 4,700 a shard: two keys of 6,000 make it 15,200 on theirs, 323 %.
    let (loads, shard) = with_hot_keys(&snapshot, &keys, 6_000);
    let advice = told(&snapshot, &loads);
    assert_eq!(advice.len(), 1, "one key less is enough: {advice:?}");
    assert_eq!(advice[0].shard, Some(ShardId(shard as u32 + 1)));
    assert_eq!(advice[0].action, Action::IsolateKey);
    let said = wish(&advice[0]);
    assert_eq!(said["move_key"][0]["key"], "celebrity 0");
    assert_ne!(said["move_key"][0]["to"], shard + 1);
    // A single one of 12,000 would make any other shard as hot: its neighbours leave it alone.
    let (loads, _) = with_hot_keys(&snapshot, &keys[..1], 12_000);
    let advice = told(&snapshot, &loads);
    assert_eq!((advice.len(), advice[0].action), (1, Action::MoveSlots));
    // With 40,000 it has 488 % of a fair share by itself.
    let (loads, _) = with_hot_keys(&snapshot, &keys[..1], 40_000);
    let advice = told(&snapshot, &loads);
    assert_eq!(advice[0].action, Action::SpreadKey { over: 5 });
    assert_eq!((advice.len(), &advice[0].wish), (1, &None));
}

#[test]
fn what_belongs_together_moves_together() {
    let parts = cluster(8, &json!({"bits": BITS, "key": {"parts": 1}}));
    let tenant = |n: u32| ringshift::Composite::new().int(n).finish().unwrap();
    let (loads, _) = with_hot_keys(&parts, &two_keys(&parts, tenant), 6_000);
    let advice = told(&parts, &loads);
    assert_eq!(
        wish(&advice[0])["move_prefix"][0]["prefix"],
        json!({"hex": "0100000030"})
    );
    let tags = cluster(8, &json!({"bits": BITS, "key": "hash-tag"}));
    let keys = two_keys(&tags, |n| n.to_string().into_bytes());
    let (loads, _) = with_hot_keys(&tags, &keys, 6_000);
    let router = Router::new(tags.clone().into());
    let slot = router
        .keyspace("k")
        .unwrap()
        .route(b"{0}:cart")
        .unwrap()
        .slot;
    let advice = told(&tags, &loads);
    assert_eq!(wish(&advice[0])["move_slots"][0]["slots"], slot.to_string());
}

#[test]
fn a_hot_slot_without_a_hot_key_is_cut_smaller() {
    let snapshot = plain(8);
    let (mut loads, _) = with_hot_keys(&snapshot, &[b"one of many".to_vec()], 40_000);
    loads.keyspaces[0].hot.clear();
    let advice = told(&snapshot, &loads);
    let grow = advice
        .iter()
        .find(|advice| advice.action == Action::GrowSlots)
        .unwrap();
    assert_eq!(
        wish(grow),
        json!({"grow_bits": [{"keyspace": "k", "bits": BITS + 2}]})
    );
}

#[test]
fn a_hot_range_is_cut() {
    let snapshot = plain(8);
    let mut load = ops(|_| 100);
    let own = by_shard(&snapshot, &owners(&snapshot), &[100; 1 << BITS]);
    // What the clients say of shards has the range in it, which no slot has.
    load.shards = (1..).map(ShardId).zip(own).collect();
    load.shards[2].1 += 12_000;
    load.ops += 12_000;
    load.ranges.push(RangeLoad {
        shard: ShardId(3),
        start: b"a".to_vec(),
        end: Vec::new(),
        middle: b"m".to_vec(),
        ops: 12_000,
    });
    let advice = told(&snapshot, &of_keyspace(load));
    assert_eq!(advice[0].action, Action::SplitRange);
    let cut = &wish(&advice[0])["split_range"][0];
    assert_eq!(
        (&cut["start"], &cut["at"], &cut["end"]),
        (&json!("a"), &json!("m"), &json!(""))
    );
}

fn held(bytes: &[u64], before: Option<u64>) -> Loads {
    let shards = (1..).zip(bytes).map(|(id, &bytes)| ShardLoad {
        shard: ShardId(id),
        bytes: Some(bytes),
        capacity_bytes: Some(1_000),
        bytes_before: before,
        days: 61,
        ..ShardLoad::default()
    });
    Loads {
        shards: shards.collect(),
        ..Loads::default()
    }
}

#[test]
fn full_shards_give_slots_away_or_get_company() {
    let snapshot = plain(4);
    let owners = owners(&snapshot);
    let mut loads = held(&[810, 100, 100, 100], None);
    assert!(
        told(&snapshot, &loads)[0].wish.is_none(),
        "nothing says which slots"
    );
    let slots: Vec<u64> = owners
        .iter()
        .map(|&o| if o == 0 { 12 } else { 1 })
        .collect();
    let mut load = ops(|_| 0);
    load.slots
        .iter_mut()
        .zip(&slots)
        .for_each(|(slot, &bytes)| slot.bytes = bytes);
    loads.keyspaces.push(load);
    let advice = told(&snapshot, &loads);
    assert_eq!(
        (advice[0].trigger, advice[0].action),
        (Trigger::Storage, Action::MoveSlots)
    );
    let after = after(&snapshot, &slots, &wish(&advice[0]));
    assert!(
        after[0] < 300 && after.iter().all(|&held| held < 500),
        "{after:?}"
    );
    // At the limit, not above it.
    assert_eq!(told(&snapshot, &held(&[800, 100, 100, 100], None)), []);
    // 3,500 of 4,000: four shards and three eighths would have room for that at 80 %.
    let advice = told(&snapshot, &held(&[900, 900, 900, 800], None));
    assert_eq!(advice[0].action, Action::AddShards { count: 1 });
    assert_eq!(
        wish(&advice[0]),
        json!({"add": [{"id": 5, "name": "shard-5"}]})
    );
}

#[test]
fn growth_is_looked_at_half_a_year_ahead() {
    let snapshot = plain(4);
    // 100 more each two months: 900 each in six.
    let advice = told(&snapshot, &held(&[600, 600, 600, 600], Some(500)));
    assert_eq!(
        (advice[0].trigger, advice[0].action),
        (Trigger::Forecast, Action::AddShards { count: 1 })
    );
    assert_eq!(advice[0].urgency, Urgency::Medium);
    assert_eq!(told(&snapshot, &held(&[600, 600, 600, 600], Some(590))), []);
}

#[test]
fn keys_and_latencies_are_looked_at() {
    let snapshot = plain(4);
    let mut load = ops(|_| 100);
    load.distinct = 39;
    load.spread_ops = load.ops / 2 + 1;
    let mut loads = of_keyspace(load);
    loads.shards.push(ShardLoad {
        shard: ShardId(2),
        p99_us: Some(2_001),
        p99_before_us: Some(1_000),
        ..ShardLoad::default()
    });
    let advice = told(&snapshot, &loads);
    let found: Vec<Trigger> = advice.iter().map(|advice| advice.trigger).collect();
    assert_eq!(
        found,
        [Trigger::Distinct, Trigger::Latency, Trigger::Spread]
    );
    assert!(advice.iter().all(|advice| advice.wish.is_none()));
    // At each limit nothing is said, and nothing of a handful of operations.
    loads.keyspaces[0].distinct = 40;
    loads.keyspaces[0].spread_ops -= 1;
    loads.shards[0].p99_us = Some(2_000);
    assert_eq!(told(&snapshot, &loads), []);
    let mut few = ops(|slot| u64::from(slot < 3));
    few.distinct = 1;
    assert_eq!(told(&snapshot, &of_keyspace(few)), []);
}

#[test]
fn what_is_old_counts_less_and_what_others_saw_counts_too() {
    let mut meter = Meter::new("k", BITS, 1, 1_000, 3);
    for n in 0..800 {
        meter.record(Instant::from_millis(n), ShardId(1), Slot(4), b"then");
    }
    for n in 0..150 {
        meter.record(Instant::from_millis(3_000 + n), ShardId(2), Slot(5), b"now");
    }
    let loads = meter.loads();
    assert_eq!(loads.shards, [(ShardId(1), 100), (ShardId(2), 150)]);
    assert_eq!(loads.hot[0].key, b"now");
    let mut both = of_keyspace(loads.clone());
    both.add(&of_keyspace(loads));
    assert_eq!(
        (both.keyspaces[0].ops, both.keyspaces[0].hot[0].ops),
        (500, 300)
    );
    let read: Loads = serde_json::from_str(&serde_json::to_string(&both).unwrap()).unwrap();
    assert_eq!(read, both);
    let slots: BTreeSet<u32> = both.keyspaces[0]
        .slots
        .iter()
        .map(|slot| slot.slot.0)
        .collect();
    assert_eq!(slots, [4, 5].into());
}
