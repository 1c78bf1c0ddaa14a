//! The rules of overrides and waves of less than whole slots.

use ringshift::{
    Draft, Entry, Match, Phase, ShardId, ShardIndex, Side, SlotRange, Snapshot, Target, Topology,
    TopologyError, Wave,
};

use crate::{first, valid};

fn prefix(bytes: &[u8]) -> Match {
    Match::Prefix(bytes.to_vec())
}

fn range(start: &[u8], end: &[u8]) -> Match {
    Match::Range {
        start: start.to_vec(),
        end: end.to_vec(),
    }
}

fn run(start: u32, end: u32) -> Vec<SlotRange> {
    vec![SlotRange { start, end }]
}

/// Adds an override to shard 3 to the first keyspace.
fn pin(draft: &mut Draft, matches: Match, slots: Vec<SlotRange>) {
    let (domain, epoch) = (draft.take_domain(), draft.epoch);
    let keyspace = &mut draft.keyspaces[0];
    keyspace.directory.push(Entry {
        matches,
        slots,
        target: Target::Shard(ShardId(3)),
        domain,
        epoch,
    });
    keyspace
        .directory
        .sort_by(|a, b| (&a.matches, &a.slots).cmp(&(&b.matches, &b.slots)));
}

fn with(pins: &[(Match, Vec<SlotRange>)]) -> Result<(), TopologyError> {
    let mut draft = valid();
    for (matches, slots) in pins {
        pin(&mut draft, matches.clone(), slots.clone());
    }
    Snapshot::build(draft).map(|_| ())
}

#[track_caller]
fn rule_of(result: Result<(), TopologyError>) -> &'static str {
    match result {
        Err(TopologyError::Match { rule, .. } | TopologyError::Wave { rule, .. }) => rule,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn intervals_are_apart_or_nested() {
    let all = run(0, 16);
    let fine = [
        (prefix(b"acme:"), all.clone()),
        (prefix(b"acme:eu:"), run(0, 4)),
        (range(b"b", b"c"), run(0, 8)),
        // The same interval, in other slots and other words.
        (prefix(b"b"), run(8, 16)),
        (range(b"x", b""), all.clone()),
        (prefix(b"xx"), all.clone()),
    ];
    assert_eq!(with(&fine), Ok(()));
    let crossing = with(&[
        (range(b"a", b"c"), run(0, 1)),
        (range(b"b", b"d"), run(1, 2)),
    ]);
    assert_eq!(
        crossing.unwrap_err().to_string(),
        "the overrides or waves for the range `a` to `c` and for the range `b` to `d` share some of \
         their keys; keep them apart, or let one enclose the other"
    );
    let twice = with(&[(range(b"b", b"c"), run(0, 8)), (prefix(b"b"), run(7, 16))]);
    assert_eq!(
        rule_of(twice),
        "another override has the same keys; keep one of them"
    );
}

#[test]
fn each_way_in_which_a_match_is_none() {
    let all = run(0, 16);
    let every = "it has every key; give the slots to other shards instead";
    assert_eq!(rule_of(with(&[(prefix(b""), all.clone())])), every);
    assert_eq!(rule_of(with(&[(range(b"", b""), all.clone())])), every);
    let backwards = with(&[(range(b"b", b"b"), all.clone())]);
    assert_eq!(rule_of(backwards), "it ends before it begins");
    let single = with(&[(range(b"k", b"k\0"), all.clone())]);
    assert_eq!(rule_of(single), "it is one key; pin that");
    let key = Match::Exact(b"k".to_vec());
    let elsewhere = "one key has the one slot that it falls into";
    assert_eq!(rule_of(with(&[(key, all)])), elsewhere);
    let slots = "its slots are missing, not sorted, or not in the fewest runs";
    assert_eq!(rule_of(with(&[(prefix(b"a"), vec![])])), slots);
    assert_eq!(rule_of(with(&[(prefix(b"a"), run(3, 3))])), slots);
    let touching = [run(3, 4), run(4, 5)].concat();
    assert_eq!(rule_of(with(&[(prefix(b"a"), touching)])), slots);
    let beyond = with(&[(prefix(b"a"), run(3, 17))]);
    assert_eq!(rule_of(beyond), "it has slots that the keyspace hasn't");
}

/// A wave of a prefix out of the home of shard 1, whose slots 0 to 1 and 4 to 5 are in another.
fn narrow(change: impl FnOnce(&mut Draft, &mut Wave)) -> Result<(), TopologyError> {
    let mut draft = valid();
    let mut wave = draft.keyspaces[0].waves[0].clone();
    wave.domain = draft.take_domain();
    wave.slots = run(6, 8);
    wave.matches = Some(prefix(b"acme:"));
    wave.pins = true;
    change(&mut draft, &mut wave);
    draft.keyspaces[0].waves.push(wave);
    Snapshot::build(draft).map(|_| ())
}

#[test]
fn a_wave_is_carved_from_whom_its_keys_belong_to() {
    assert_eq!(narrow(|_, _| {}), Ok(()));
    let none = narrow(|_, wave| wave.matches = None);
    assert!(rule_of(none).contains("give it a match"));
    let stays = narrow(|_, wave| wave.pins = false);
    assert_eq!(
        rule_of(stays),
        "its slots' other keys stay, so its keys must be pinned"
    );
    let foreign = narrow(|_, wave| wave.slots = run(8, 9));
    assert_eq!(rule_of(foreign), "a slot of it belongs to another shard");
    let overridden = narrow(|draft, _| pin(draft, prefix(b"ac"), run(0, 16)));
    assert_eq!(
        rule_of(overridden),
        "an override has keys of it; carve it from that one"
    );
    // One inside it keeps its keys.
    assert_eq!(
        narrow(|draft, _| pin(draft, prefix(b"acme:eu:"), run(0, 16))),
        Ok(())
    );
}

#[test]
fn no_key_is_in_two_waves() {
    let slot = ringshift::Slot(0);
    let whole = narrow(|_, wave| wave.slots = run(0, 1));
    assert_eq!(whole, Err(TopologyError::Overlap { slot }));
    let two = |matches: Match, slots| {
        narrow(|draft, wave| {
            let domain = draft.take_domain();
            let other = Wave {
                domain,
                matches: Some(matches),
                slots,
                ..wave.clone()
            };
            draft.keyspaces[0].waves.push(wave.clone());
            *wave = other;
        })
    };
    let slot = ringshift::Slot(7);
    assert_eq!(
        two(prefix(b"acme:eu:"), run(7, 8)),
        Err(TopologyError::Overlap { slot })
    );
    assert_eq!(two(prefix(b"bolt:"), run(7, 8)), Ok(()));
    assert_eq!(two(prefix(b"acme:"), run(2, 4)), Ok(()));
}

/// A wave out of an override of shard 3, to shard 1.
fn carved(change: impl FnOnce(&mut Draft, &mut Wave)) -> Result<(), TopologyError> {
    narrow(|draft, wave| {
        pin(draft, prefix(b"acme:"), run(6, 8));
        let mut entries = draft.keyspaces[0].directory.iter();
        let entry = entries
            .find(|entry| entry.matches == prefix(b"acme:"))
            .unwrap();
        wave.origin = Some(entry.domain);
        (wave.from, wave.to) = (ShardId(3), ShardId(1));
        wave.pins = false;
        change(draft, wave);
    })
}

#[test]
fn a_wave_out_of_an_override_has_keys_of_it_only() {
    assert_eq!(carved(|_, _| {}), Ok(()));
    assert_eq!(carved(|_, wave| wave.pins = true), Ok(()));
    let gone = carved(|draft, wave| wave.origin = Some(draft.take_domain()));
    assert_eq!(
        rule_of(gone),
        "the override that it is carved from isn't there"
    );
    let elsewhere = carved(|_, wave| wave.from = ShardId(2));
    assert_eq!(
        rule_of(elsewhere),
        "the override that it is carved from is on another shard"
    );
    for (matches, slots) in [(prefix(b"acme:"), run(6, 9)), (prefix(b"acme"), run(6, 8))] {
        let more = carved(|_, wave| (wave.matches, wave.slots) = (Some(matches), slots));
        assert_eq!(
            rule_of(more),
            "the override that it is carved from hasn't all of its keys"
        );
    }
    let inner = carved(|draft, wave| {
        pin(draft, prefix(b"acme:e"), run(7, 8));
        (wave.matches, wave.pins) = (Some(prefix(b"acme:eu:")), true);
    });
    assert!(rule_of(inner).starts_with("a narrower override than its origin has keys of it"));
    let part = carved(|_, wave| wave.matches = Some(prefix(b"acme:eu:")));
    assert_eq!(
        rule_of(part),
        "a part of an override can't join a home; pin it"
    );
    let around = carved(|draft, _| pin(draft, prefix(b"a"), run(0, 16)));
    assert_eq!(
        rule_of(around),
        "a wider override than its origin would have its keys; pin them"
    );
    let not_home = carved(|_, wave| wave.to = ShardId(2));
    assert_eq!(rule_of(not_home), "a slot of it belongs to another shard");
    let became = carved(|_, wave| (wave.pins, wave.phase) = (true, Phase::Ended(Side::To)));
    assert_eq!(
        rule_of(became),
        "the override that its keys became isn't there"
    );
}

#[test]
fn pins_are_written_in_four_ways() {
    let text = |pins: &str| {
        format!(
            r#"{{"cluster":"c","keyspaces":{{"k":{{"bits":4,"key":{{"parts":1}},"pins":[{pins}]}}}},
               "shards":[{{"id":1,"name":"a"}},{{"id":2,"name":"b"}}]}}"#
        )
    };
    let build = |pins: &str| {
        let topology: Topology = serde_json::from_str(&text(pins)).unwrap();
        topology.snapshot()
    };
    let snapshot = build(
        r#"{"parts":["acme"],"shard":2},{"prefix":"\u0009","shard":2},{"range":["x","y"],"shard":1}"#,
    )
    .unwrap();
    let keyspace = &snapshot.content().keyspaces[0];
    let found: Vec<&Match> = keyspace
        .directory
        .iter()
        .map(|entry| &entry.matches)
        .collect();
    let acme = prefix(b"\x04\0\0\0acme");
    assert_eq!(found, [&acme, &prefix(b"\t"), &range(b"x", b"y")]);
    assert!(
        keyspace
            .directory
            .iter()
            .all(|entry| entry.slots == run(0, 16))
    );
    let router = ringshift::Router::new(snapshot.clone().into());
    let orders = router.keyspace("k").unwrap();
    for n in 0..50 {
        let composite = ringshift::Composite::new();
        let key = composite.str("acme").int(n).finish().unwrap();
        assert_eq!(orders.route(&key).unwrap().shard, ShardIndex(1));
    }
    for none in [r#"{"shard":2}"#, r#"{"key":"a","prefix":"a","shard":2}"#] {
        let error = build(none).unwrap_err();
        assert_eq!(error, TopologyError::Pin(ShardId(2)));
        assert_eq!(error.code().as_str(), "topology");
    }
}

#[test]
fn one_key_is_refused_where_it_has_no_slot() {
    let no_parts = first(|k| {
        k.rule = ringshift::KeyRule::Parts(1);
    });
    assert!(matches!(no_parts, TopologyError::Key(_)), "{no_parts:?}");
}
