//! Wishes about keys: one key, tenants, ranges; planned, carried out, taken back, unpinned.

use ringshift::migration::{
    Changes, Ending, Move, Plan, PlanError, PlanOptions, Settings, Strategy, plan_with,
};
use ringshift::{Composite, ShardId};

use crate::world::{Then, World, quick, snapshot};

/// Users of three tenants, and others.
fn keys() -> Vec<Vec<u8>> {
    let of = |tenant: &str| {
        (0..40)
            .map(move |n| format!("{tenant}/{n:03}").into_bytes())
            .collect()
    };
    let tenants: [Vec<Vec<u8>>; 4] = ["acme", "acmf", "zeta", "other"].map(of);
    tenants.concat()
}

fn wished(world: &World, wish: &str) -> Result<Plan, PlanError> {
    let wish: Changes = serde_json::from_str(wish).unwrap();
    let options = PlanOptions {
        settings: Some(quick(Settings::default())),
        ..PlanOptions::default()
    };
    plan_with(&world.record.snapshot, &wish, &options)
}

#[track_caller]
fn done(world: &mut World, wish: &str) -> Plan {
    let plan = wished(world, wish).unwrap();
    let log = Some(plan.log.clone());
    let ending = world.drive(&Settings::default(), log, |_, _, _| Then::Nothing);
    assert_eq!(ending, Some(Ending::Complete));
    world.settled();
    plan
}

/// Shards of the keys that begin so.
fn of(world: &World, prefix: &str) -> Vec<ShardId> {
    let places = world.keys.iter().zip(world.places());
    let mine = places.filter(|(key, _)| key.starts_with(prefix.as_bytes()));
    mine.map(|(_, place)| place).collect()
}

#[test]
fn a_tenant_moves_and_nobody_else_and_goes_back() {
    let mut world = World::new(snapshot(4, 6, r#""whole""#), keys());
    let before = world.places();
    let to_three = r#"{"move_prefix":[{"keyspace":"k","prefix":"acme/","to":"s3"}]}"#;
    let plan = done(&mut world, to_three);
    // From each of the three others, one wave; what is there already isn't moved.
    assert_eq!(plan.waves.len(), 3, "{plan}");
    assert!(
        plan.notes
            .iter()
            .any(|note| note.contains("are on that shard already")),
        "{plan}"
    );
    assert!(of(&world, "acme/").iter().all(|shard| *shard == ShardId(3)));
    let pairs = world.keys.iter().zip(before.iter().zip(world.places()));
    for (key, (then, now)) in pairs {
        assert!(
            key.starts_with(b"acme/") || *then == now,
            "{}",
            key.escape_ascii()
        );
    }
    assert_eq!(wished(&world, to_three), Err(PlanError::Nothing));
    // A second tenant beside it, whose slots are the same.
    done(
        &mut world,
        r#"{"move_prefix":[{"keyspace":"k","prefix":"acmf/","to":2}]}"#,
    );
    assert!(of(&world, "acmf/").iter().all(|shard| *shard == ShardId(2)));
    // Elsewhere, from its overrides, and back to its slots.
    done(
        &mut world,
        r#"{"move_prefix":[{"keyspace":"k","prefix":"acme/","to":1}]}"#,
    );
    done(
        &mut world,
        r#"{"unpin":[{"keyspace":"k","prefix":"acme/"},{"keyspace":"k","prefix":"acmf/"}]}"#,
    );
    assert_eq!(world.places(), before);
}

#[test]
fn one_key_is_pinned_and_unpinned() {
    let mut world = World::new(snapshot(3, 4, r#""whole""#), keys());
    let before = world.places();
    let key = world.keys[0].clone();
    let to = if before[0] == ShardId(1) { 2 } else { 1 };
    let text = String::from_utf8(key).unwrap();
    let wish = format!(r#"{{"move_key":[{{"keyspace":"k","key":"{text}","to":{to}}}]}}"#);
    let plan = done(&mut world, &wish);
    assert_eq!(plan.waves.len(), 1);
    assert_eq!(plan.waves[0].slots, 1);
    assert_eq!(world.places()[0], ShardId(to));
    // A shard with a pinned key isn't struck off.
    let remove = format!(r#"{{"remove":[{to}]}}"#);
    assert!(matches!(
        wished(&world, &remove),
        Err(PlanError::Pinned { .. })
    ));
    done(
        &mut world,
        &format!(r#"{{"unpin":[{{"keyspace":"k","key":"{text}"}}]}}"#),
    );
    assert_eq!(world.places(), before);
    done(&mut world, &remove);
}

#[test]
fn a_range_goes_piece_by_piece_is_split_and_merged() {
    let mut world = World::new(snapshot(3, 4, r#""whole""#), keys());
    let all = r#"{"move_range":[{"keyspace":"k","start":"acme/","end":"acmg","to":1,
                                 "cut_at":["acme/020","acmf"]}]}"#;
    let plan = done(&mut world, all);
    let mut pieces: Vec<&str> = plan
        .waves
        .iter()
        .map(|wave| wave.matches.as_str())
        .collect();
    // From each of the two other shards, piece after piece.
    assert_eq!(pieces.len(), 6, "{pieces:?}");
    pieces.dedup();
    assert_eq!(pieces.len(), 3, "{pieces:?}");
    assert!(of(&world, "acm").iter().all(|shard| *shard == ShardId(1)));
    let split =
        r#"{"split_range":[{"keyspace":"k","start":"acmf","end":"acmg","at":"acmf/010","to":2}]}"#;
    let had = of(&world, "acmf/0");
    // Only what has an override can be split; here each shard but the first has given its part.
    assert!(!had.is_empty());
    done(&mut world, split);
    let moved = of(&world, "acmf/03");
    assert!(moved.contains(&ShardId(2)));
    assert!(
        of(&world, "acmf/00")
            .iter()
            .all(|shard| *shard == ShardId(1))
    );
    let merge = r#"{"merge_ranges":[{"keyspace":"k","ranges":[["acmf/010","acmg"]],"to":1}]}"#;
    done(&mut world, merge);
    assert!(of(&world, "acm").iter().all(|shard| *shard == ShardId(1)));
}

#[test]
fn a_composite_tenant_is_one_slot_and_one_wave() {
    let keys = (0..30).map(|n| Composite::new().str("acme").int(n).finish().unwrap());
    let mut world = World::new(snapshot(3, 6, r#"{"parts":1}"#), keys.collect());
    let home = world.places()[0].0;
    let to = home % 3 + 1;
    let wish = format!(
        r#"{{"move_prefix":[{{"keyspace":"k","prefix":{{"parts":["acme"]}},"to":{to}}}]}}"#
    );
    let plan = done(&mut world, &wish);
    assert_eq!((plan.waves.len(), plan.waves[0].slots), (1, 1));
    assert!(world.places().iter().all(|place| place.0 == to));
}

#[test]
fn every_strategy_moves_a_tenant_and_takes_it_back() {
    for &strategy in Strategy::ALL {
        for back in [false, true] {
            let mut world = World::new(snapshot(3, 4, r#""whole""#), keys());
            let before = world.places();
            let wish = r#"{"move_prefix":[{"keyspace":"k","prefix":"zeta/","to":1}]}"#;
            let wish: Changes = serde_json::from_str(wish).unwrap();
            let options = PlanOptions {
                strategy: Some(strategy),
                settings: Some(quick(strategy.settings())),
                ..PlanOptions::default()
            };
            let plan = plan_with(&world.record.snapshot, &wish, &options).unwrap();
            let ending = world.drive(&Settings::default(), Some(plan.log), |_, c, _| {
                let reversed = c.snapshot().is_some_and(|s| {
                    let mut waves = s.content().keyspaces[0].waves.iter();
                    waves.any(|wave| wave.phase == ringshift::Phase::Reversed)
                });
                if back && reversed {
                    Then::RollBack
                } else {
                    Then::Nothing
                }
            });
            if back {
                assert!(
                    matches!(ending, Some(Ending::RolledBack { .. })),
                    "{strategy}"
                );
                assert_eq!(before, world.places(), "{strategy}");
                assert!(world.goals.contains(&Move::SwitchBack), "{strategy}");
            } else {
                assert_eq!(ending, Some(Ending::Complete), "{strategy}");
                assert!(of(&world, "zeta/").iter().all(|shard| *shard == ShardId(1)));
            }
            world.settled();
        }
    }
}

#[test]
fn wishes_about_keys_that_cannot_be_meant_are_refused() {
    let mut world = World::new(snapshot(3, 4, r#""whole""#), keys());
    let refused = |world: &World, wish: &str| wished(world, wish).unwrap_err();
    let both = r#"{"move_prefix":[{"keyspace":"k","prefix":"acme","to":1}],
                   "move_key":[{"keyspace":"k","key":"acme/1","to":2}]}"#;
    assert!(matches!(refused(&world, both), PlanError::Together { .. }));
    let slots = r#"{"move_prefix":[{"keyspace":"k","prefix":"acme","to":1}],"remove":[2]}"#;
    assert!(matches!(refused(&world, slots), PlanError::Together { .. }));
    let nothing = r#"{"unpin":[{"keyspace":"k","prefix":"acme/"}]}"#;
    assert!(matches!(
        refused(&world, nothing),
        PlanError::NoOverride { .. }
    ));
    let empty = r#"{"move_prefix":[{"keyspace":"k","prefix":"","to":1}]}"#;
    assert!(matches!(refused(&world, empty), PlanError::Key { .. }));
    for (start, end, cuts) in [
        ("b", "a", "[]"),
        ("a", "c", r#"["d"]"#),
        ("a", "z", r#"["c","b"]"#),
    ] {
        let range = format!(
            r#"{{"move_range":[{{"keyspace":"k","start":"{start}","end":"{end}","to":1,"cut_at":{cuts}}}]}}"#
        );
        assert!(
            matches!(refused(&world, &range), PlanError::CutOutside { .. }),
            "{range}"
        );
    }
    let hex = r#"{"move_key":[{"keyspace":"k","key":{"hex":"abc"},"to":1}]}"#;
    assert!(matches!(refused(&world, hex), PlanError::Key { .. }));
    done(
        &mut world,
        r#"{"move_prefix":[{"keyspace":"k","prefix":"acme","to":1}]}"#,
    );
    let across = r#"{"move_range":[{"keyspace":"k","start":"acme/020","end":"b","to":1}]}"#;
    assert!(matches!(refused(&world, across), PlanError::Inside { .. }));
}

#[test]
fn slots_that_grow_take_their_overrides_along() {
    let mut world = World::new(snapshot(3, 4, r#""whole""#), keys());
    done(
        &mut world,
        r#"{"move_prefix":[{"keyspace":"k","prefix":"acme/","to":1}]}"#,
    );
    done(
        &mut world,
        r#"{"move_key":[{"keyspace":"k","key":"zeta/007","to":3}]}"#,
    );
    let before = world.places();
    let plan = done(&mut world, r#"{"grow_bits":[{"keyspace":"k","bits":9}]}"#);
    assert!(plan.to_string().contains("gets 9 slot bits"), "{plan}");
    assert_eq!(world.places(), before);
    assert_eq!(world.record.snapshot.content().keyspaces[0].bits, 9);
    let add = r#"{"add":[{"id":9,"name":"new"}]}"#;
    done(&mut world, add);
    done(
        &mut world,
        r#"{"unpin":[{"keyspace":"k","prefix":"acme/"}]}"#,
    );
}
