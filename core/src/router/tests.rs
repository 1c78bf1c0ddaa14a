use alloc::string::String;

use super::*;
use crate::key::KEY_BYTES_MAX;
use crate::router::compile::SCOPED;
use crate::snapshot::Topology;

const _: () = {
    const fn shared_between_threads<T: Send + Sync>() {}
    shared_between_threads::<Router>();
    shared_between_threads::<Keyspace<'_>>();
};

fn demo(epoch: u32) -> Arc<Snapshot> {
    let text = r#"{"cluster":"demo","keyspaces":{"orders":{"bits":4,
        "pins":[{"key":"hot","shard":2}]},"chats":{"bits":4,"key":{"parts":1}}},
        "shards":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#;
    let snapshot = serde_json::from_str::<Topology>(text)
        .ok()
        .and_then(|topology| topology.snapshot().ok())
        .and_then(|first| {
            let mut draft = first.content().clone();
            draft.epoch = crate::ids::Epoch::new(epoch)?;
            Snapshot::build(draft).ok()
        });
    let Some(snapshot) = snapshot else {
        unreachable!("the topology is a good one");
    };
    snapshot.into()
}

#[test]
fn a_slot_s_entry_has_a_flag_only_where_there_is_more_to_know() {
    let router = Router::new(demo(1));
    let pinned = router.keyspace("orders").map(|k| {
        let hash = hash::xxh3(b"hot", 0);
        let (slot, entry) = k.table.entry(hash);
        let all = (0..16_u64).map(|slot| k.table.entry(slot << 60).1);
        // One key, so the hashes of one class only.
        assert_eq!((entry & SCOPED).count_ones(), 1);
        let others = (0..8).filter(|class| Table::is_scoped(entry, class ^ hash));
        assert_eq!(others.collect::<Vec<u64>>(), [0]);
        assert_eq!(all.clone().filter(|entry| entry & SCOPED != 0).count(), 1);
        assert!(all.clone().all(|entry| entry & !(SCOPED | 0xffff) == 0));
        slot
    });
    assert_eq!(pinned, Ok(hash::slot_of(hash::xxh3(b"hot", 0), 4)));
    assert_eq!(
        size_of::<u32>(),
        4,
        "an entry's size is part of the promise"
    );
}

#[test]
fn keys_that_are_no_keys_are_refused_everywhere() {
    let router = Router::new(demo(1));
    let large = vec![b'x'; 10_000_000];
    let bytes = large.len();
    for (keyspace, key, error) in [
        ("orders", large.as_slice(), KeyError::TooLong { bytes }),
        ("chats", large.as_slice(), KeyError::TooLong { bytes }),
        ("chats", b"no part", KeyError::Malformed { at: 0 }),
        (
            "chats",
            b"",
            KeyError::TooFewParts {
                wanted: 1,
                found: 0,
            },
        ),
    ] {
        let Ok(keyspace) = router.keyspace(keyspace) else {
            unreachable!("the keyspace is there");
        };
        assert_eq!(keyspace.route(key), Err(error));
        assert_eq!(keyspace.plan(key), Err(error));
        assert_eq!(keyspace.explain(key), Err(error));
        assert_eq!(keyspace.replicas(key, 1), Err(error));
        assert_eq!(keyspace.group_by_shard([key]), Err(error));
        assert_eq!(keyspace.route_many([key], &mut [ShardIndex(0)]), Err(error));
        assert_eq!(keyspace.pinned(key), None);
    }
    let longest = vec![b'x'; KEY_BYTES_MAX];
    assert!(
        router
            .keyspace("orders")
            .is_ok_and(|k| k.plan(&longest).is_ok())
    );
}

#[test]
fn what_came_before_a_bad_key_is_routed() {
    let router = Router::new(demo(1));
    let mut out = [ShardIndex(9); 3];
    let bad = vec![0; KEY_BYTES_MAX + 1];
    let keys: [&[u8]; 3] = [b"hot", &bad, b"hot"];
    let answer = router
        .keyspace("orders")
        .map(|k| k.route_many(keys, &mut out));
    assert!(matches!(answer, Ok(Err(KeyError::TooLong { .. }))));
    assert_eq!(out, [ShardIndex(1), ShardIndex(9), ShardIndex(9)]);
}

#[test]
fn keyspaces_are_found_by_name_and_by_number() {
    let router = Router::new(demo(1));
    let [orders, chats] = ["orders", "chats"].map(|name| router.keyspace(name).map(|k| k.id()));
    assert_eq!((chats, orders), (Ok(KeyspaceId(0)), Ok(KeyspaceId(1))));
    assert_eq!(
        router.keyspace_at(KeyspaceId(1)).map(|k| k.id()),
        Some(KeyspaceId(1))
    );
    assert!(router.keyspace_at(KeyspaceId(2)).is_none());
    let error = router.keyspace("order").map(|k| k.id());
    let message = error.map_err(|error| error.to_string());
    assert_eq!(
        message,
        Err("there is no keyspace `order`; there are: chats, orders".to_string())
    );
}

#[test]
fn an_installed_snapshot_routes_and_a_refused_one_does_not() {
    let mut router = Router::new(demo(3));
    assert_eq!(router.install(demo(3)), Ok(Installed::Same));
    assert_eq!(router.install(demo(4)), Ok(Installed::Replaced));
    let plan = |router: &Router| {
        router
            .keyspace("orders")
            .map(|k| k.plan(b"k").map(|p| p.snapshot))
    };
    assert_eq!(plan(&router), Ok(Ok(demo(4).epoch())));
    assert!(router.install(demo(3)).is_err());
    assert_eq!(plan(&router), Ok(Ok(demo(4).epoch())));
}

#[test]
fn owners_are_who_orders_the_writes_of_each_slot() {
    let router = Router::new(demo(1));
    let Ok(orders) = router.keyspace("orders") else {
        unreachable!("the keyspace is there");
    };
    let owners = orders.owners();
    assert_eq!(owners.len(), 16);
    for key in [b"a".as_slice(), b"user:42", b"", b"hot"] {
        let Ok(route) = orders.route(key) else {
            unreachable!("a good key");
        };
        // All but the pinned one are where their slot is.
        let owner = owners.get(route.slot.0 as usize);
        assert_eq!(owner == Some(&route.shard), key != b"hot", "{key:?}");
    }
}

#[test]
fn many_keys_are_routed_as_each_of_them_is() {
    let router = Router::new(demo(1));
    let Ok(orders) = router.keyspace("orders") else {
        unreachable!("the keyspace is there");
    };
    let texts: Vec<_> = (0..100).map(|n| format!("user:{n}")).collect();
    let keys: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    let one_by_one: Vec<_> = keys
        .iter()
        .filter_map(|key| orders.route(key).ok())
        .map(|route| route.shard)
        .collect();
    for (keys_len, out_len) in [
        (0, 5),
        (5, 0),
        (31, 40),
        (32, 32),
        (33, 33),
        (100, 64),
        (64, 100),
        (100, 100),
    ] {
        let mut out = vec![ShardIndex(9); out_len];
        let mut given = keys.iter().copied().take(keys_len);
        let both = keys_len.min(out_len);
        assert_eq!(orders.route_many(&mut given, &mut out), Ok(both));
        assert_eq!(out.get(..both), one_by_one.get(..both));
        assert!(out.iter().skip(both).all(|left| *left == ShardIndex(9)));
        // It takes no key that it has no place for.
        assert_eq!(given.count(), keys_len - both);
    }
    let bad = vec![0; KEY_BYTES_MAX + 1];
    let mut keys = keys;
    keys.splice(70..71, [bad.as_slice()]);
    let mut out = vec![ShardIndex(9); 100];
    let answer = orders.route_many(keys, &mut out);
    assert!(matches!(answer, Err(KeyError::TooLong { .. })));
    assert_eq!(out.get(..70), one_by_one.get(..70));
    assert_eq!(out.get(70), Some(&ShardIndex(9)));
}

#[test]
fn a_slot_s_wave_is_found_however_many_there_are() {
    const SHARDS: u32 = 300;
    let shards: Vec<_> = (1..=SHARDS)
        .map(|id| format!(r#"{{"id":{id},"name":"s{id}"}}"#))
        .collect();
    let text = format!(
        r#"{{"cluster":"demo","keyspaces":{{"k":{{"bits":12}}}},"shards":[{}]}}"#,
        shards.join(",")
    );
    let first = serde_json::from_str::<Topology>(&text)
        .ok()
        .and_then(|topology| topology.snapshot().ok());
    let Some(mut draft) = first.and_then(|first| first.next_draft().ok()) else {
        unreachable!("the topology is a good one");
    };
    let epoch = draft.epoch;
    let table = draft
        .keyspaces
        .first()
        .map(KeyspaceDraft::table)
        .unwrap_or_default();
    let waves: Vec<Wave> = (0..SHARDS)
        .map(|at| Wave {
            domain: draft.take_domain(),
            epoch,
            drained: crate::ids::Epoch::ZERO,
            authority_epoch: epoch,
            first: crate::phase::Side::From,
            from: ShardId(at + 1),
            to: ShardId((at + 1) % SHARDS + 1),
            phase: Phase::Reversed,
            ramp_ppm: 0,
            shadow_ppm: 0,
            strict: false,
            lease_ms: 0,
            slots: crate::wave::slot_runs(
                (0..)
                    .zip(&table)
                    .filter(|(_, owner)| u32::from(owner.0) == at)
                    .map(|(slot, _)| Slot(slot)),
            ),
            matches: None,
            origin: None,
            pins: false,
            switching: false,
        })
        .collect();
    if let Some(keyspace) = draft.keyspaces.first_mut() {
        keyspace.waves.clone_from(&waves);
    }
    let Ok(snapshot) = Snapshot::build(draft) else {
        unreachable!("the waves are good ones");
    };
    let router = Router::new(snapshot.into());
    let Ok(keyspace) = router.keyspace("k") else {
        unreachable!("the keyspace is there");
    };
    for n in 0..2_000 {
        let Ok(plan) = keyspace.plan(format!("user:{n}").as_bytes()) else {
            unreachable!("a good key");
        };
        let wave = waves.iter().find(|wave| wave.contains(plan.slot));
        let wanted = wave.map(|wave| (wave.domain, wave.to));
        assert_eq!(Some((plan.fence.domain, plan.authority)), wanted);
    }
}
