//! Plans carried out: never two authorities, never a key unplaced, and the estimate is what moved.

use proptest::prelude::*;
use ringshift::migration::{
    Changes, Ending, KeyspaceSizes, Plan, PlanError, PlanOptions, SlotSize, Strategy as Way,
    plan_with,
};
use ringshift::{Router, Snapshot, moved};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::world::{Then, World, quick, snapshot};

/// A wish, by chance. It may be one that is refused.
fn wish() -> impl Strategy<Value = Value> {
    let add = (0_u32..3).prop_map(|n| {
        (0..n)
            .map(|i| json!({"id": 10 + i, "name": format!("n{i}")}))
            .collect::<Vec<_>>()
    });
    let remove = prop::collection::btree_set(1_u32..4, 0..2);
    let weight = prop::option::of((1_u32..4, prop_oneof![Just(0.5), Just(2.0), Just(0.0)]));
    let slots = prop::option::weighted(0.3, (prop::collection::vec(0_u32..64, 1..12), 1_u32..4));
    let balance = prop_oneof![Just(Value::Null), Just(json!("full")), Just(json!("keep"))];
    (add, remove, weight, slots, balance).prop_map(|(add, remove, weight, slots, balance)| {
        let reweight: Vec<Value> = weight
            .into_iter()
            .map(|(id, weight)| json!({"id": id, "weight": weight}))
            .collect();
        let slots: Vec<Value> = slots
            .into_iter()
            .map(|(slots, to)| json!({"keyspace": "k", "slots": slots, "to": to}))
            .collect();
        json!({"add": add, "remove": remove, "reweight": reweight, "move_slots": slots,
               "balance": balance})
    })
}

fn keys(count: u16) -> Vec<Vec<u8>> {
    (0..count).map(|n| n.to_be_bytes().to_vec()).collect()
}

/// What each slot holds.
fn sizes(snapshot: &Snapshot, keys: &[Vec<u8>]) -> KeyspaceSizes {
    let router = Router::new(Arc::new(snapshot.clone()));
    let keyspace = router.keyspace("k").unwrap();
    let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
    for key in keys {
        *counts
            .entry(keyspace.plan(key).unwrap().slot.0)
            .or_default() += 1;
    }
    let size = |(slot, keys)| SlotSize {
        slot,
        keys,
        bytes: keys,
    };
    KeyspaceSizes {
        slots: counts.into_iter().map(size).collect(),
        ..KeyspaceSizes::default()
    }
}

fn table(snapshot: &Snapshot) -> Vec<ringshift::ShardId> {
    let content = snapshot.content();
    let id = |index| snapshot.shard_id(index).unwrap();
    content.keyspaces[0].table().into_iter().map(id).collect()
}

/// A slot that is named to stay where it is saves a move that exact shares would have.
#[test]
fn what_is_least_is_least_beside_slots_moved_by_hand_too() {
    let base = snapshot(3, 6, r#""whole""#);
    for slot in 0..64 {
        let wish = serde_json::json!({
            "add": [{"id": 10, "name": "n0"}, {"id": 11, "name": "n1"}],
            "balance": "full",
            "move_slots": [{"keyspace": "k", "slots": [slot], "to": 3}],
            "remove": [1],
        });
        let changes: Changes = serde_json::from_value(wish).unwrap();
        let plan = plan_with(&base, &changes, &PlanOptions::default()).unwrap();
        let figures = &plan.figures[0];
        assert!(
            figures.slots_moved >= figures.slots_least,
            "{slot}: {figures:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_was_estimated_is_what_moves(
        wish in wish(),
        shards in 3_u32..5,
        way in prop::sample::select(Way::ALL),
        wave_slots_max in prop_oneof![Just(0_u32), 1_u32..9],
        turn in prop::option::weighted(0.4, 0_usize..400),
        death in 0_usize..400,
    ) {
        let base = snapshot(shards, 6, r#""whole""#);
        let keys = keys(120);
        let changes: Changes = serde_json::from_value(wish).unwrap();
        let mut options = PlanOptions {
            strategy: Some(way),
            wave_slots_max,
            settings: Some(quick(way.settings())),
            ..PlanOptions::default()
        };
        options.sizes.insert("k".to_owned(), sizes(&base, &keys));
        let plan = match plan_with(&base, &changes, &options) {
            Ok(plan) => plan,
            Err(PlanError::Nothing | PlanError::NotEmptied { .. } | PlanError::Topology(_)) => {
                return Ok(());
            }
            Err(error) => panic!("{error}"),
        };
        let text = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan.clone());
        let figures = &plan.figures[0];
        prop_assert!(figures.slots_moved >= figures.slots_least);
        if changes.move_slots.is_empty() && changes.balance.is_none() {
            prop_assert_eq!(figures.slots_moved, figures.slots_least);
        }

        let mut world = World::new(base.clone(), keys);
        let (before, rows_before) = (table(&base), world.places());
        // Dies once, turns back perhaps; others go on with what is in the log.
        let own = options.settings.clone().unwrap();
        let mut ending = world.drive(&own, Some(plan.log.clone()), |step, _, _| {
            if step == death { Then::Die } else { Then::Nothing }
        });
        if ending.is_none() {
            let wanted = (world.record.log == ringshift::migration::Log::default())
                .then(|| plan.log.clone());
            // With other settings: those of the log count.
            let other = ringshift::migration::Settings::default();
            ending = world.drive(&other, wanted, |step, _, _| {
                if Some(step) == turn { Then::RollBack } else { Then::Nothing }
            });
        }
        let ending = ending.unwrap();
        world.settled();
        let after = table(&world.record.snapshot);
        match ending {
            Ending::Complete => {
                let wave_slots: u32 = plan.waves.iter().map(|wave| wave.slots).sum();
                let rows: u64 = plan.waves.iter().map(|wave| wave.moves.unwrap().keys).sum();
                let changed = moved_ids(&before, &after);
                prop_assert_eq!(changed, figures.slots_moved as usize);
                prop_assert_eq!(wave_slots, figures.slots_moved);
                let places = world.places();
                let went = rows_before.iter().zip(&places).filter(|(a, b)| a != b).count();
                prop_assert_eq!(went as u64, rows);
                for shard in &plan.shards {
                    let has = after.iter().filter(|id| **id == shard.shard).count();
                    prop_assert_eq!(has, shard.slots_after as usize);
                }
                let listed = |id| world.record.snapshot.shard(id).is_some();
                prop_assert!(changes.remove.iter().all(|id| !listed(*id)));
            }
            Ending::RolledBack { .. } => {
                // Waves that have ended for good stay; without such all is as it was.
                if !world.goals.contains(&ringshift::migration::Move::Finish) {
                    prop_assert_eq!(before, after);
                }
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}

fn moved_ids(before: &[ringshift::ShardId], after: &[ringshift::ShardId]) -> usize {
    let index = |id: &ringshift::ShardId| ringshift::ShardIndex(u16::try_from(id.0).unwrap());
    let all = |ids: &[ringshift::ShardId]| ids.iter().map(index).collect::<Vec<_>>();
    moved(&all(before), &all(after))
}
