//! A topology as people write it: what is accepted makes a snapshot that holds, and survives being
//! written down.

use ringshift::{SlottingTopology, Snapshot, Topology};

use super::routed;

/// What takes longer than this is left alone: a ring of millions of points is allowed, and slow.
const WORK_MAX: f64 = 50_000.0;

/// The examples of the documentation, and one with everything in it.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        r#"{"cluster":"demo","keyspaces":{"orders":{"bits":4}},
            "shards":[{"id":1,"name":"pg-1"},{"id":2,"name":"pg-2","weight":0.5}]}"#,
        r#"{"cluster":"c","keyspaces":{"k":{"bits":5,"seed":"7","key":"hash-tag",
            "placement":{"ring":{"vnodes":16}},"pins":[{"key":"a","shard":1},
            {"prefix":"t:","shard":2},{"range":["m","n"],"shard":1}]},
            "l":{"bits":4,"key":{"parts":1},"pins":[{"parts":["x"],"shard":2}]}},
            "shards":[{"id":1,"name":"a","zone":"z","tags":["ssd"],"endpoint":"e"},
            {"id":2,"name":"b","state":"draining"},{"id":9,"name":"c"}]}"#,
        r#"{"cluster":"u","client_lease":{"lease_ms":1000,"attempt_ms":200,"margin_ms":100},
            "keyspaces":{"k":{"bits":4,"placement":{"balanced":{"vnodes":4}}}},
            "shards":[{"id":1,"name":"t","unfenced":true},{"id":2,"name":"o"}]}"#,
        r#"{"cluster":"r","keyspaces":{"k":{"bits":14,"slotting":{"redis-cluster":{"shards":[
            {"shard":1,"slots":[[0,8191]]},{"shard":2,"slots":[[8192,16383]]}]}}}},
            "shards":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#,
        r#"{"cluster":"m","keyspaces":{"k":{"bits":6,"slotting":{"modulo":{"hash":"crc32",
            "buckets":3,"shards":[1,2,1]}}}},"shards":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#,
        r#"{"cluster":"h","keyspaces":{"k":{"bits":4,"slotting":{"ketama":{"servers":[
            {"name":"10.0.0.1:11211"},{"name":"b","weight":2,"shard":1}]}}}},
            "shards":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#,
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

pub(crate) fn run(bytes: &[u8]) {
    let Ok(topology) = serde_json::from_slice::<Topology>(bytes) else {
        return;
    };
    let text = serde_json::to_string(&topology).unwrap();
    let mut read: Topology = serde_json::from_str(&text).unwrap();
    // A float's last digit may not survive being text twice; all else does.
    for (read, shard) in read.shards.iter_mut().zip(&topology.shards) {
        assert!((read.weight - shard.weight).abs() <= shard.weight.abs() * 1e-12);
        read.weight = shard.weight;
    }
    assert_eq!(read, topology, "{text}");
    if is_slow(&topology) {
        return;
    }
    let Ok(snapshot) = topology.snapshot() else {
        assert!(read.snapshot().is_err());
        return;
    };
    assert_eq!(read.snapshot().unwrap(), snapshot);
    let bytes = snapshot.encode();
    assert_eq!(Snapshot::decode(&bytes).unwrap(), snapshot);
    assert_eq!(
        Snapshot::build(snapshot.content().clone()).unwrap(),
        snapshot
    );
    routed::check(&snapshot);
}

fn is_slow(topology: &Topology) -> bool {
    let weight: f64 = topology.shards.iter().map(|shard| shard.weight.abs()).sum();
    topology.keyspaces.values().any(|keyspace| {
        let points = weight * f64::from(keyspace.placement.vnodes());
        let digests: u64 = match &keyspace.slotting {
            SlottingTopology::Ketama(ketama) => {
                let servers = ketama.servers.iter();
                let digests = servers
                    .map(|server| server.digests.unwrap_or(server.weight.saturating_mul(40)));
                digests.map(u64::from).sum()
            }
            _ => 0,
        };
        keyspace.bits.unwrap_or(16) > 14 || points > WORK_MAX || digests > 10_000
    })
}
