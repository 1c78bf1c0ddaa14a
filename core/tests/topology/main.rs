//! Every rule that a topology can break, broken once.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails should say where"
)]

mod scopes;
mod waves;

use ringshift::{
    DomainId, Draft, Entry, Epoch, ErrorCode, KeyError, KeyRule, KeyspaceDraft, Match, Phase,
    Placement, PlacementError, Run, Shard, ShardId, ShardIndex, Side, Slot, SlotRange, Snapshot,
    Target, Topology, TopologyError, Wave, WeightError,
};
use waves::wave;

/// Three shards, two keyspaces; the first has a pin and a wave from shard 1 to 2.
fn valid() -> Draft {
    let text = r#"{"cluster":"demo",
        "keyspaces":{"a":{"bits":4,"pins":[{"key":"hot","shard":3}]},"b":{"bits":4}},
        "shards":[{"id":1,"name":"one"},{"id":2,"name":"two"},{"id":3,"name":"three","tags":["t"]}]}"#;
    let topology: Topology = serde_json::from_str(text).unwrap();
    let mut draft = topology.snapshot().unwrap().next_draft().unwrap();
    let keyspace = &mut draft.keyspaces[0];
    let runs = [(8, 0), (4, 1), (4, 2)];
    keyspace.assignment = runs
        .map(|(len, shard)| Run {
            len,
            shard: ShardIndex(shard),
        })
        .to_vec();
    let (domain, epoch) = (draft.take_domain(), draft.epoch);
    draft.keyspaces[0].waves.push(Wave {
        domain,
        epoch,
        drained: Epoch::ZERO,
        authority_epoch: epoch,
        first: Side::To,
        from: ShardId(1),
        to: ShardId(2),
        phase: Phase::DoubleWrite,
        ramp_ppm: 0,
        shadow_ppm: 0,
        strict: false,
        lease_ms: 0,
        slots: vec![
            SlotRange { start: 0, end: 2 },
            SlotRange { start: 4, end: 6 },
        ],
        matches: None,
        origin: None,
        pins: false,
        switching: false,
    });
    draft
}

#[track_caller]
fn broken(change: impl FnOnce(&mut Draft)) -> TopologyError {
    let mut draft = valid();
    assert!(Snapshot::build(draft.clone()).is_ok());
    change(&mut draft);
    Snapshot::build(draft).unwrap_err()
}

#[track_caller]
fn first(change: impl FnOnce(&mut KeyspaceDraft)) -> TopologyError {
    broken(|draft| change(&mut draft.keyspaces[0]))
}

#[track_caller]
fn shard(change: impl FnOnce(&mut Shard)) -> TopologyError {
    broken(|draft| change(&mut draft.shards[1]))
}

#[track_caller]
fn is_range(error: &TopologyError, of: &str, found: u64) {
    assert!(
        matches!(error, TopologyError::Range { what, value, min, max }
            if *what == of && *value == found && !(*min..=*max).contains(value)),
        "{error}"
    );
}

fn later() -> Epoch {
    Epoch::new(3).unwrap()
}

#[test]
fn empty() {
    assert_eq!(broken(|d| d.shards.clear()), TopologyError::Empty("shard"));
    assert_eq!(
        broken(|d| d.keyspaces.clear()),
        TopologyError::Empty("keyspace")
    );
    for (text, missing) in [
        (
            r#"{"cluster":"c","keyspaces":{"k":{}},"shards":[]}"#,
            "shard",
        ),
        (
            r#"{"cluster":"c","keyspaces":{},"shards":[{"id":1,"name":"s"}]}"#,
            "keyspace",
        ),
    ] {
        let topology: Topology = serde_json::from_str(text).unwrap();
        assert_eq!(topology.snapshot(), Err(TopologyError::Empty(missing)));
    }
}

#[test]
fn too_many() {
    #[track_caller]
    fn is_one_too_many(error: &TopologyError, of: &str, limit: usize) {
        assert!(
            matches!(error, TopologyError::TooMany { what, count, max }
                if *what == of && *max == limit && *count == limit + 1),
            "{error}"
        );
    }
    let shards = broken(|d| d.shards = vec![d.shards[0].clone(); 65_536]);
    is_one_too_many(&shards, "shards", 65_535);
    let keyspaces = broken(|d| d.keyspaces = vec![d.keyspaces[1].clone(); 257]);
    is_one_too_many(&keyspaces, "keyspaces", 256);
    let waves = first(|k| k.waves = vec![k.waves[0].clone(); 1_025]);
    is_one_too_many(&waves, "waves", 1_024);
    let tags = shard(|s| s.tags = vec!["x".to_owned(); 65]);
    is_one_too_many(&tags, "tags of a shard", 64);
    let endpoint = shard(|s| s.endpoint = "x".repeat(1_025));
    is_one_too_many(&endpoint, "bytes of an endpoint", 1_024);
    let key = first(|k| k.directory[0].matches = Match::Exact(vec![0; 65_537]));
    is_one_too_many(&key, "bytes of a key", 65_536);
    let overrides = first(|k| k.directory = vec![k.directory[0].clone(); 1_000_001]);
    is_one_too_many(&overrides, "overrides", 1_000_000);
    let text = r#"{"cluster":"c","keyspaces":{},"shards":[{"id":1,"name":"s"}]}"#;
    let mut topology: Topology = serde_json::from_str(text).unwrap();
    for n in 0..257 {
        topology
            .keyspaces
            .insert(n.to_string(), ringshift::KeyspaceTopology::default());
    }
    is_one_too_many(&topology.snapshot().unwrap_err(), "keyspaces", 256);
}

#[test]
fn names() {
    let long = "é".repeat(65);
    for wrong in ["", "a\nb", "\u{7f}", long.as_str()] {
        for (error, of) in [
            (broken(|d| d.cluster = wrong.to_owned()), "cluster"),
            (shard(|s| s.name = wrong.to_owned()), "shard"),
            (shard(|s| s.tags = vec![wrong.to_owned()]), "tag"),
            (first(|k| k.name = wrong.to_owned()), "keyspace"),
        ] {
            let name = wrong.to_owned();
            assert_eq!(error, TopologyError::Name { what: of, name });
        }
    }
    assert!(matches!(
        shard(|s| s.zone = "\t".to_owned()),
        TopologyError::Name { what: "zone", .. }
    ));
    let text = r#"{"cluster":"c","keyspaces":{"k":{"seed":"-1"}},"shards":[{"id":1,"name":"s"}]}"#;
    let topology: Topology = serde_json::from_str(text).unwrap();
    assert!(matches!(
        topology.snapshot(),
        Err(TopologyError::Name { .. })
    ));
}

#[test]
fn duplicates() {
    let twice = |what, name: &str| TopologyError::Duplicate {
        what,
        name: name.to_owned(),
    };
    assert_eq!(
        shard(|s| s.name = "three".to_owned()),
        twice("shard", "three")
    );
    assert_eq!(first(|k| k.name = "b".to_owned()), twice("keyspace", "b"));
    let text = r#"{"cluster":"c","keyspaces":{"k":{}},"shards":[{"id":7,"name":"s"},{"id":7,"name":"t"}]}"#;
    let topology: Topology = serde_json::from_str(text).unwrap();
    assert_eq!(topology.snapshot(), Err(twice("shard number", "7")));
}

#[test]
fn unsorted() {
    let unsorted = TopologyError::Unsorted;
    assert_eq!(broken(|d| d.shards.swap(0, 1)), unsorted("shards"));
    assert_eq!(shard(|s| s.id = ShardId(3)), unsorted("shards"));
    assert_eq!(broken(|d| d.keyspaces.swap(0, 1)), unsorted("keyspaces"));
    assert_eq!(
        first(|k| k.directory.push(k.directory[0].clone())),
        unsorted("overrides")
    );
    assert_eq!(
        first(|k| k.waves.push(k.waves[0].clone())),
        unsorted("waves")
    );
}

#[test]
fn ranges() {
    is_range(&broken(|d| d.epoch = Epoch::ZERO), "the epoch", 0);
    for bits in [0, 3, 21, 255] {
        is_range(&first(|k| k.bits = bits), "slot bits", bits.into());
        let text = format!(
            r#"{{"cluster":"c","keyspaces":{{"k":{{"bits":{bits}}}}},"shards":[{{"id":1,"name":"s"}}]}}"#
        );
        let topology: Topology = serde_json::from_str(&text).unwrap();
        is_range(&topology.snapshot().unwrap_err(), "slot bits", bits.into());
    }
    for vnodes in [0, 4_097] {
        for placement in [Placement::Ring { vnodes }, Placement::Balanced { vnodes }] {
            is_range(&first(|k| k.placement = placement), "vnodes", vnodes.into());
        }
    }
    let parts = "the parts that a key is grouped by";
    is_range(&first(|k| k.rule = KeyRule::Parts(0)), parts, 0);
    for (epoch, value) in [(Epoch::ZERO, 0), (later(), 3)] {
        is_range(
            &first(|k| k.homes[1].epoch = epoch),
            "a home's epoch",
            value,
        );
        is_range(
            &first(|k| k.directory[0].epoch = epoch),
            "an override's epoch",
            value,
        );
        is_range(&wave(|w| w.epoch = epoch), "a wave's epoch", value);
    }
}

#[test]
fn weights_and_placements() {
    let mut topology: Topology = serde_json::from_str(
        r#"{"cluster":"c","keyspaces":{"k":{"bits":4,"placement":{"ring":{"vnodes":1}}}},
            "shards":[{"id":1,"name":"s"},{"id":2,"name":"t"}]}"#,
    )
    .unwrap();
    for weight in [f64::NAN, f64::INFINITY, -0.1, 1_000_000.1] {
        topology.shards[1].weight = weight;
        let error = topology.snapshot().unwrap_err();
        assert_eq!(error, TopologyError::Weight(WeightError));
        assert_eq!(error.code(), ErrorCode::Weight);
    }
    topology
        .shards
        .iter_mut()
        .for_each(|shard| shard.weight = 0.0);
    let error = topology.snapshot().unwrap_err();
    assert_eq!(error, TopologyError::Placement(PlacementError::NoWeight));
    assert_eq!(error.code(), ErrorCode::Topology);
    // More shards than a ring of 16 slots has room for.
    topology.shards = (0..40)
        .map(|n| {
            let text = format!(r#"{{"id":{n},"name":"s{n}"}}"#);
            serde_json::from_str(&text).unwrap()
        })
        .collect();
    assert_eq!(topology.snapshot().unwrap_err().code(), ErrorCode::NoSlots);
}

#[test]
fn references() {
    let nobody = TopologyError::UnknownShard(ShardId(9));
    let target = Target::Shard(ShardId(9));
    assert_eq!(first(|k| k.directory[0].target = target), nobody);
    assert_eq!(wave(|w| w.from = ShardId(9)), nobody);
    assert_eq!(wave(|w| w.to = ShardId(9)), nobody);
    assert_eq!(
        first(|k| k.assignment[2].shard = ShardIndex(3)),
        TopologyError::UnknownShardIndex(ShardIndex(3))
    );
    assert_eq!(
        first(|k| k.rule = KeyRule::Parts(1)),
        TopologyError::Key(KeyError::Malformed { at: 0 })
    );
}

#[test]
fn assignments() {
    let wrong = |filled| TopologyError::Assignment {
        keyspace: "a".to_owned(),
        filled,
        slots: 16,
    };
    assert_eq!(first(|k| k.assignment[0].len = 7), wrong(15));
    assert_eq!(
        first(|k| k.assignment[0].len = u32::MAX),
        wrong((1 << 32) - 1 + 8)
    );
    assert_eq!(first(|k| k.assignment.clear()), wrong(0));
    // The same shard twice in a row, and a run of nothing: two spellings of one table.
    assert_eq!(first(|k| k.assignment[1].shard = ShardIndex(0)), wrong(16));
    let nothing = Run {
        len: 0,
        shard: ShardIndex(1),
    };
    assert_eq!(first(|k| k.assignment.push(nothing)), wrong(16));
}

#[test]
fn what_the_format_holds_but_nobody_routes_yet() {
    let with = |matches, target| {
        let (domain, epoch) = (DomainId(1), Epoch::FIRST);
        let entry = Entry {
            matches,
            slots: vec![SlotRange { start: 0, end: 16 }],
            target,
            domain,
            epoch,
        };
        first(|k| k.directory = vec![entry])
    };
    let there = Target::Keyspace(ringshift::KeyspaceId(1));
    let unsupported = TopologyError::Unsupported("keyspace");
    assert_eq!(with(Match::Prefix(b"a".to_vec()), there), unsupported);
}

#[test]
fn epochs_end() {
    let mut draft = valid();
    draft.epoch = Epoch::MAX;
    let last = Snapshot::build(draft).unwrap();
    assert_eq!(last.next_draft(), Err(TopologyError::EpochsUsedUp));
}

#[test]
fn people_s_form_is_read_back_and_its_defaults_are_those_of_the_docs() {
    let text = r#"{"cluster":"demo","keyspaces":{"orders":{}},"shards":[{"id":1,"name":"pg-1"}]}"#;
    let topology: Topology = serde_json::from_str(text).unwrap();
    let full = r#"{"cluster":"demo","keyspaces":{"orders":{"bits":16,"seed":"0",
        "key":"whole","placement":{"balanced":{"vnodes":160}},"pins":[]}},"shards":[{"id":1,
        "name":"pg-1","weight":1.0,"endpoint":"","zone":"","tags":[],"state":"active"}]}"#;
    let full: Topology = serde_json::from_str(full).unwrap();
    assert_eq!(topology.snapshot(), full.snapshot());
    let again = serde_json::to_string(&topology).unwrap();
    assert_eq!(topology, serde_json::from_str(&again).unwrap());
    for rule in [r#""hash-tag""#, r#"{"parts":2}"#] {
        let text = text.replace("{}", &format!(r#"{{"key":{rule}}}"#));
        assert!(serde_json::from_str::<Topology>(&text).is_ok(), "{text}");
    }
    for typo in [r#""wieght":2"#, r#""weight":"2""#, r#""id":1.5"#] {
        let text = text.replace(r#""id":1"#, &format!(r#""id":1,{typo}"#));
        assert!(serde_json::from_str::<Topology>(&text).is_err(), "{text}");
    }
}
