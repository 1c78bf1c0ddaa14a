//! What a topology store owes, asked of each; and what concerns files only.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should say where"
)]

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use ringshift::migration::command::{Answer, Command};
use ringshift::migration::log::Log;
use ringshift::migration::{Request, Requested};

use ringshift::{Epoch, ShardId, Snapshot, Term, Topology};
use ringshift_operator::topology::{
    FileTopology, MemoryTopology, TopologyError, TopologySource, TopologyStore, Watch,
    read_snapshot, snapshot_from,
};

fn first(cluster: &str) -> Snapshot {
    let text = format!(
        r#"{{"cluster":"{cluster}","keyspaces":{{"orders":{{"bits":8}}}},
            "shards":[{{"id":1,"name":"a"}},{{"id":2,"name":"b"}}]}}"#
    );
    let topology: Topology = serde_json::from_str(&text).unwrap();
    topology.snapshot().unwrap()
}

fn after(snapshot: &Snapshot, domains: u32) -> Arc<Snapshot> {
    let mut draft = snapshot.next_draft().unwrap();
    draft.next_domain.0 += domains;
    Arc::new(Snapshot::build(draft).unwrap())
}

fn log(reason: &str) -> Log {
    Log {
        reason: reason.to_owned(),
        ..Log::default()
    }
}

fn swap(expected: &Snapshot, term: u32, snapshot: &Arc<Snapshot>, reason: &str) -> Command {
    Command::Swap {
        expected: expected.epoch(),
        term: Term(term),
        snapshot: Arc::clone(snapshot),
        log: log(reason),
    }
}

fn lead(store: &dyn TopologyStore, term: u32) -> Answer {
    store.command(&Command::Lead {
        term: Term(term),
        nonce: 0,
    })
}

fn on_each(check: impl Fn(&dyn TopologyStore)) {
    check(&MemoryTopology::new());
    let folder = tempfile::tempdir().unwrap();
    check(&FileTopology::new(folder.path().join("topology")));
}

/// Two coordinators that were given the same term: the second is told that it lost it.
#[test]
fn race_9_one_term_has_one_leader() {
    on_each(|store| {
        store.create(&first("demo")).unwrap();
        let lead = |term, nonce| {
            let term = Term(term);
            store.command(&Command::Lead { term, nonce })
        };
        assert!(matches!(lead(5, 1), Answer::Loaded { .. }));
        assert!(matches!(lead(5, 1), Answer::Loaded { .. }), "asked again");
        assert_eq!(lead(5, 2), Answer::TermLost { current: Term(5) });
        assert!(matches!(lead(6, 2), Answer::Loaded { .. }));
        assert_eq!(lead(5, 1), Answer::TermLost { current: Term(6) });
        let drawn = store.draw_term().unwrap();
        assert!(matches!(lead(drawn.0, 3), Answer::Loaded { .. }));
    });
}

/// A beat says that somebody leads; a request waits until the leader has heard it, and no other
/// takes its place.
#[test]
fn a_request_waits_until_it_was_heard() {
    on_each(|store| {
        store.create(&first("demo")).unwrap();
        let renew = |term, heard| {
            store.command(&Command::Renew {
                term: Term(term),
                heard,
                marks: Vec::new(),
            })
        };
        lead(store, 2);
        let before = store.standing().unwrap();
        assert_eq!(renew(2, 0), Answer::Renewed { request: None });
        let after = store.standing().unwrap();
        assert_eq!((before.term, after.term), (Term(2), Term(2)));
        assert!(after.beat > before.beat);
        assert_eq!(renew(1, 0), Answer::TermLost { current: Term(2) });

        let number = store.request(Request::Resume).unwrap();
        let busy = store.request(Request::Resume).unwrap_err();
        assert_eq!(busy.code(), "topology_busy");
        let request = Some(Requested {
            number,
            request: Request::Resume,
        });
        assert_eq!(
            renew(2, 0),
            Answer::Renewed {
                request: request.clone()
            }
        );
        assert_eq!(store.load().unwrap().desk.request, request);
        assert_eq!(renew(2, number), Answer::Renewed { request: None });
        assert!(store.request(Request::Resume).unwrap() > number);
    });
}

#[test]
fn there_is_one_first_snapshot() {
    on_each(|store| {
        assert!(matches!(store.load(), Err(TopologyError::Missing(_))));
        assert!(matches!(
            store.fetch(Epoch::ZERO),
            Err(TopologyError::Missing(_))
        ));
        assert_eq!(lead(store, 1), Answer::Unreachable);
        store.create(&first("demo")).unwrap();
        let error = store.create(&first("other")).unwrap_err();
        assert_eq!(error.code(), "topology_exists");
        let record = store.load().unwrap();
        assert_eq!((record.term, record.snapshot.cluster()), (Term(0), "demo"));
        assert_eq!(record.log, Log::default());
    });
}

#[test]
fn terms_only_rise_and_are_given_once() {
    on_each(|store| {
        store.create(&first("demo")).unwrap();
        assert_eq!(store.draw_term().unwrap(), Term(1));
        assert_eq!(store.draw_term().unwrap(), Term(2));
        assert!(matches!(lead(store, 2), Answer::Loaded { .. }));
        assert!(matches!(lead(store, 2), Answer::Loaded { .. }), "a repeat");
        assert_eq!(lead(store, 1), Answer::TermLost { current: Term(2) });
        assert!(matches!(lead(store, 7), Answer::Loaded { .. }));
        assert_eq!(store.load().unwrap().term, Term(7));
    });
}

/// Race 9: the coordinator of a lower term can change nothing.
#[test]
fn a_swap_compares_epoch_and_term() {
    on_each(|store| {
        let one = first("demo");
        store.create(&one).unwrap();
        lead(store, 2);
        let (two, other_two) = (after(&one, 5), after(&one, 6));
        let lost = Answer::TermLost { current: Term(2) };
        assert_eq!(store.command(&swap(&one, 1, &two, "")), lost);
        assert_eq!(
            store.command(&swap(&one, 3, &two, "")),
            lost,
            "one that hasn't led"
        );
        assert_eq!(
            store.command(&swap(&one, 2, &two, "first")),
            Answer::Swapped
        );
        let current = two.epoch();
        assert_eq!(
            store.command(&swap(&one, 2, &other_two, "")),
            Answer::EpochLost { current }
        );
        assert_eq!(store.load().unwrap().snapshot, two);
        let foreign = after(&first("foreign"), 1);
        let foreign = after(&foreign, 1);
        assert_eq!(
            store.command(&swap(&two, 2, &foreign, "")),
            Answer::EpochLost { current }
        );
        let term = Term(1);
        assert_eq!(
            store.command(&Command::SaveLog {
                term,
                log: log("x")
            }),
            lost
        );
        assert_eq!(store.load().unwrap().log, log("first"));
    });
}

#[test]
fn a_repeated_swap_is_swapped_and_leaves_the_later_log() {
    on_each(|store| {
        let one = first("demo");
        store.create(&one).unwrap();
        lead(store, 1);
        let two = after(&one, 5);
        let command = swap(&one, 1, &two, "first");
        assert_eq!(store.command(&command), Answer::Swapped);
        let term = Term(1);
        assert_eq!(
            store.command(&Command::SaveLog {
                term,
                log: log("later")
            }),
            Answer::Logged
        );
        assert_eq!(store.command(&command), Answer::Swapped);
        assert_eq!(store.load().unwrap().log, log("later"));
    });
}

#[test]
fn a_shard_s_command_is_not_carried_out() {
    on_each(|store| {
        store.create(&first("demo")).unwrap();
        let command = Command::Guards { shard: ShardId(1) };
        assert_eq!(store.command(&command), Answer::Unreachable);
    });
}

#[test]
fn watching_gives_each_newer_snapshot_once() {
    on_each(|store| {
        let one = first("demo");
        store.create(&one).unwrap();
        lead(store, 1);
        let mut watch = Watch::new(store, Epoch::ZERO, Duration::from_millis(1));
        assert_eq!(*watch.next().unwrap().unwrap(), one);
        assert!(watch.poll().unwrap().is_none());
        let two = after(&one, 5);
        store.command(&swap(&one, 1, &two, ""));
        assert_eq!(watch.next().unwrap().unwrap(), two);
        assert!(store.fetch(two.epoch()).unwrap().is_none());
        assert!(store.fetch(one.epoch()).unwrap().is_some());
    });
}

#[test]
fn a_file_is_found_again_by_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("topology");
    let one = first("demo");
    FileTopology::new(&path).create(&one).unwrap();
    let store = FileTopology::new(&path);
    lead(&store, 3);
    let two = after(&one, 5);
    store.command(&swap(&one, 3, &two, "why"));
    let record = FileTopology::new(&path).load().unwrap();
    assert_eq!(
        (record.term, record.snapshot, record.log),
        (Term(3), Arc::clone(&two), log("why"))
    );
    assert_eq!(read_snapshot(&path).unwrap(), *two);
}

#[test]
fn what_a_dead_writer_left_changes_nothing_and_is_swept_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("topology");
    let store = FileTopology::new(&path);
    let one = first("demo");
    store.create(&one).unwrap();
    let half = fs::read(&path).unwrap();
    let left = folder.path().join("topology.4242-0.new");
    fs::write(&left, &half[..half.len() / 2]).unwrap();
    let ours = folder.path().join("topology.mine.new");
    fs::write(&ours, "not a temporary file").unwrap();
    assert_eq!(*store.load().unwrap().snapshot, one);
    lead(&store, 1);
    assert_eq!(*store.load().unwrap().snapshot, one);
    assert!(!left.exists() && ours.exists());
}

#[test]
fn a_broken_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("topology");
    let store = FileTopology::new(&path);
    store.create(&first("demo")).unwrap();
    let whole = fs::read(&path).unwrap();
    for (broken, code) in [
        (whole[..whole.len() - 1].to_vec(), "topology_format"),
        (whole[..20].to_vec(), "topology_format"),
        (Vec::new(), "topology_format"),
        (
            b"something else entirely, and longer than a header".to_vec(),
            "topology_format",
        ),
        ([&whole[..], b"x"].concat(), "topology_format"),
    ] {
        fs::write(&path, &broken).unwrap();
        assert_eq!(store.load().unwrap_err().code(), code);
        assert_eq!(store.fetch(Epoch::ZERO).unwrap_err().code(), code);
        assert_eq!(lead(&store, 1), Answer::Unreachable);
        assert!(store.last_error().is_some());
        assert_eq!(
            store.create(&first("demo")).unwrap_err().code(),
            "topology_exists"
        );
        assert_eq!(fs::read(&path).unwrap(), broken, "left as it was");
    }
}

#[test]
fn every_flipped_bit_and_every_cut_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("topology");
    let store = FileTopology::new(&path);
    store.create(&first("demo")).unwrap();
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        assert!(snapshot_from(&whole[..at]).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            assert!(snapshot_from(&flipped).is_err(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn two_writers_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("topology");
    FileTopology::new(&path).create(&first("demo")).unwrap();
    let mut terms: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let store = FileTopology::new(&path);
                scope.spawn(move || {
                    (0..10)
                        .map(|_| store.draw_term().unwrap())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    });
    terms.sort();
    assert_eq!(terms, (1..=40).map(Term).collect::<Vec<_>>());
}

#[test]
fn a_topology_for_people_and_snapshot_bytes_are_read_too() {
    let one = first("demo");
    assert_eq!(snapshot_from(&one.encode()).unwrap(), one);
    let json = br#" {"cluster":"demo","keyspaces":{"k":{}},"shards":[{"id":1,"name":"a"}]}"#;
    assert_eq!(snapshot_from(json).unwrap().cluster(), "demo");
    for (bytes, code) in [
        (&b""[..], "topology_format"),
        (b"hello", "topology_format"),
        (br#"{"cluster":"#, "topology_json"),
        (br#"{"cluster":"d","keyspaces":{"k":{}},"shards":[]}"#, "topology"),
        (br#"{"cluster":"d","keyspaces":{"k":{}},"shards":[{"id":1,"name":"a","weight":-1}]}"#, "weight"),
        (br#"{"cluster":"d","keyspaces":{"k":{}},"shards":[{"id":1,"name":"a","weight":1e999}]}"#, "topology_json"),
    ] {
        assert_eq!(snapshot_from(bytes).unwrap_err().code(), code);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), record in any::<bool>()) {
        let mut bytes = bytes;
        if record {
            bytes.splice(0..0, *b"RSTR\x01\0\0\0");
        }
        prop_assert!(snapshot_from(&bytes).is_err());
    }
}

#[test]
fn the_folder_may_be_the_one_we_are_in() {
    let store = FileTopology::new("no-such-file-here");
    match store.load() {
        Err(TopologyError::Missing(path)) => assert_eq!(path, store.path()),
        other => panic!("{other:?}"),
    }
}
