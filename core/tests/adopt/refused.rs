//! What can't be adopted, and what is said of it.

use ringshift::{ErrorCode, KeyRule, Slotting, Snapshot, Topology, TopologyError};
use serde_json::{Value, json};

fn error(keyspace: &Value) -> TopologyError {
    let shards = json!([{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]);
    let topology = json!({"cluster": "test", "keyspaces": {"k": keyspace}, "shards": shards});
    let topology: Topology = serde_json::from_value(topology).unwrap();
    topology.snapshot().unwrap_err()
}

#[test]
fn what_makes_no_sense_is_refused() {
    let modulo = |value: Value| json!({"bits": 4, "slotting": {"modulo": value}});
    let redis = |shards: Value| json!({"slotting": {"redis-cluster": {"shards": shards}}});
    let ketama = |servers: Value| json!({"bits": 9, "slotting": {"ketama": {"servers": servers}}});
    let cases = [
        (
            modulo(json!({"hash": "crc32", "buckets": 3})),
            "a shard for each bucket",
        ),
        (
            modulo(json!({"hash": "crc32", "buckets": 17, "shards": vec![1; 17]})),
            "buckets",
        ),
        (modulo(json!({"hash": "crc32", "buckets": 0})), "buckets"),
        (
            modulo(json!({"hash": "crc32", "buckets": 2, "shards": [1, 3]})),
            "no shard 3",
        ),
        (
            modulo(json!({"hash": "md5", "buckets": 2, "seed": 1})),
            "takes no seed",
        ),
        (
            redis(json!([{"shard": 1, "slots": [[0, 16_382]]}])),
            "given to nobody",
        ),
        (
            redis(json!([{"shard": 1, "slots": [[0, 16_384]]}])),
            "0 to 16383",
        ),
        (
            redis(json!([{"shard": 1, "slots": [[7, 3]]}])),
            "0 to 16383",
        ),
        (
            redis(json!([{"shard": 1, "slots": [[0, 16_383]]}, {"shard": 2, "slots": [[5, 5]]}])),
            "given twice",
        ),
        (
            json!({"bits": 13, "slotting": {"redis-cluster": {"shards": []}}}),
            "the slot bits of a slotting",
        ),
        (
            json!({"key": {"parts": 1}, "slotting": {"redis-cluster": {"shards": []}}}),
            "hash tag",
        ),
        (
            ketama(json!([{"name": "x"}, {"name": "y"}, {"name": "z"}])),
            "more servers than shards",
        ),
        (ketama(json!([{"name": "x", "digests": 129}])), "points"),
        (
            ketama(json!([{"name": "x", "digests": u32::MAX}])),
            "points",
        ),
        (ketama(json!([{"name": "x", "digests": 0}])), "points"),
        (ketama(json!([{"name": "x"}, {"name": "x"}])), "`x`"),
        (ketama(json!([{"name": ""}])), "ketama server"),
        (ketama(json!([{"name": "x", "shard": 9}])), "no shard 9"),
    ];
    for (keyspace, says) in cases {
        let error = error(&keyspace);
        assert_eq!(error.code(), ErrorCode::Topology, "{keyspace}");
        assert!(error.to_string().contains(says), "{keyspace}: {error}");
    }
}

/// A snapshot from elsewhere is held to the same rules as a topology.
#[test]
fn a_snapshot_keeps_the_rules_too() {
    let keyspace = json!({"bits": 14, "slotting": {"redis-cluster": {
        "shards": [{"shard": 1, "slots": [[0, 16_383]]}]}}});
    let mut draft = super::snapshot(1, &keyspace).content().clone();
    draft.keyspaces[0].rule = KeyRule::Whole;
    let error = Snapshot::build(draft.clone()).unwrap_err();
    assert!(matches!(error, TopologyError::Slotting { .. }), "{error}");
    draft.keyspaces[0].slotting = Slotting::Xxh3;
    assert!(Snapshot::build(draft).is_ok());
    // Runs of slots that were made for more slots than there are.
    let modulo = json!({"bits": 6, "slotting": {"modulo": {"hash": "crc32", "buckets": 1}}});
    let mut draft = super::snapshot(1, &modulo).content().clone();
    let Slotting::Modulo(modulo) = &mut draft.keyspaces[0].slotting else {
        unreachable!()
    };
    modulo.bits = 7;
    assert!(matches!(
        Snapshot::build(draft),
        Err(TopologyError::Range { .. })
    ));
}
