//! Sizes of real stores, and what the binary says of them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails should say where"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command as Process;
use std::sync::Arc;

use ringshift::advise::{Loads, StoredSize, store_sizes};
use ringshift::migration::command::{Answer, Command};
use ringshift::migration::home_installs;
use ringshift::{Outcome, Policy, ShardId, Snapshot, Term, Topology};
use ringshift_operator::client::{Client, Stores};
use ringshift_operator::store::{Change, Chunks, MemoryStore, SqliteStore, Store};
use ringshift_operator::topology::{MemoryTopology, TopologyStore};
use serde_json::Value;

const TOPOLOGY: &str = r#"{"cluster": "demo", "keyspaces": {"k": {"bits": 8}},
    "shards": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]}"#;
const ROWS: u32 = 500;

fn snapshot() -> Snapshot {
    let topology: Topology = serde_json::from_str(TOPOLOGY).unwrap();
    topology.snapshot().unwrap()
}

/// Puts rows of rising length through a client, and deletes some.
fn fill(snapshot: &Arc<Snapshot>, stores: Stores) {
    for (&shard, store) in &stores {
        let install = Command::Install {
            shard,
            term: Term(1),
            rows: home_installs(snapshot, shard),
        };
        assert_eq!(store.command(&install, &Chunks::default()), Answer::Done);
    }
    let topology = Arc::new(MemoryTopology::new());
    topology.create(snapshot).unwrap();
    let client = Client::new(Arc::clone(snapshot), stores, topology, Policy::default(), 1);
    let keyspace = client.keyspace("k").unwrap();
    let write = |key: u32, change: Change<'_>| {
        let outcome = keyspace
            .write(format!("key {key}").as_bytes(), change)
            .unwrap()
            .outcome;
        assert!(matches!(outcome, Outcome::Written { .. }));
    };
    for key in 0..ROWS {
        write(key, Change::Put(&vec![b'x'; key as usize]));
    }
    (0..ROWS)
        .step_by(10)
        .for_each(|key| write(key, Change::Delete));
}

/// What must be there: rows and bytes by slot and shard, as the router has them.
fn expected(snapshot: &Snapshot) -> BTreeMap<(ShardId, u32), (u64, u64)> {
    let router = ringshift::Router::new(snapshot.clone().into());
    let keyspace = router.keyspace("k").unwrap();
    let mut all: BTreeMap<_, (u64, u64)> = BTreeMap::new();
    for number in (0..ROWS).filter(|key| key % 10 != 0) {
        let key = format!("key {number}");
        let plan = keyspace.plan(key.as_bytes()).unwrap();
        let sum = all.entry((plan.authority, plan.slot.0)).or_default();
        *sum = (sum.0 + 1, sum.1 + key.len() as u64 + u64::from(number));
    }
    all
}

fn check(snapshot: &Snapshot, sizes: [Vec<StoredSize>; 2]) {
    let mut loads = Loads::default();
    for (shard, sizes) in (1..).map(ShardId).zip(sizes) {
        loads.add(&store_sizes(snapshot, shard, sizes));
    }
    let expected = expected(snapshot);
    let slots = &loads.keyspaces[0].slots;
    let found: BTreeMap<u32, (u64, u64)> = slots
        .iter()
        .map(|load| (load.slot.0, (load.rows, load.bytes)))
        .collect();
    let wanted = expected
        .iter()
        .map(|(&(_, slot), &sum)| (slot, sum))
        .collect();
    assert_eq!(found, wanted);
    for load in &loads.shards {
        let own = expected
            .iter()
            .filter(|((shard, _), _)| *shard == load.shard);
        assert_eq!(load.bytes, Some(own.map(|(_, sum)| sum.1).sum()));
    }
}

#[test]
fn stores_measure_themselves_alike() {
    let snapshot = Arc::new(snapshot());
    let memory = [1, 2].map(|_| Arc::new(MemoryStore::new()));
    let folder = tempfile::tempdir().unwrap();
    let open = |n| SqliteStore::open(folder.path().join(format!("{n}.db"))).unwrap();
    let files = [1, 2].map(|n| Arc::new(open(n)));
    let ids = [ShardId(1), ShardId(2)];
    let dynamic = |stores: [Arc<dyn Store>; 2]| ids.into_iter().zip(stores).collect::<Stores>();
    fill(&snapshot, dynamic(memory.clone().map(|store| store as _)));
    fill(&snapshot, dynamic(files.clone().map(|store| store as _)));
    check(&snapshot, memory.map(|store| store.sizes()));
    check(&snapshot, files.map(|store| store.sizes().unwrap()));
}

fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut process = Process::new(env!("CARGO_BIN_EXE_ringshift"));
    process.current_dir(folder).arg("advise").args(arguments);
    let output = process.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn the_binary_measures_adds_up_and_says_the_wish() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = Arc::new(snapshot());
    let files = [1, 2].map(|n| {
        let store = SqliteStore::open(folder.path().join(format!("{n}.db"))).unwrap();
        (ShardId(n), Arc::new(store) as Arc<dyn Store>)
    });
    fill(&snapshot, files.into());
    fs::write(folder.path().join("t.json"), TOPOLOGY).unwrap();
    let stores = [
        "--topology",
        "t.json",
        "--store",
        "1=1.db",
        "--store",
        "2=2.db",
    ];
    let with = |more: &[&str]| run(folder.path(), &[&stores[..], more].concat());
    let calm = with(&["--capacity", "1000000000"]);
    assert_eq!(
        (calm.0, calm.1.as_str()),
        (0, "nothing is wrong by what is known\n")
    );
    // Shard 1 can hold less than the other, by what monitoring says.
    let held: u64 = expected(&snapshot)
        .iter()
        .filter(|((shard, _), _)| *shard == ShardId(1))
        .map(|(_, sum)| sum.1)
        .sum();
    let loads = format!(
        r#"{{"shards": [{{"shard": 1, "capacity_bytes": {}}}]}}"#,
        held + held / 10
    );
    fs::write(folder.path().join("loads.json"), loads).unwrap();
    let more = ["--loads", "loads.json", "--capacity", "1000000", "--json"];
    let (code, out, err) = with(&more);
    assert_eq!((code, err.as_str()), (0, ""));
    let said: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(said[0]["trigger"], "storage");
    assert_eq!(said[0]["action"], "move-slots");
    assert_eq!(said[0]["wish"]["move_slots"][0]["to"], 2);
    let (_, out, _) = with(&more[..4]);
    assert!(
        out.starts_with("medium    shard `a` is 91 % full; move "),
        "{out}"
    );
    assert!(
        out.contains("\n          wish: {\"move_slots\":[{\"keyspace\":\"k\","),
        "{out}"
    );
}

#[test]
fn what_is_said_wrongly_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.json"), TOPOLOGY).unwrap();
    fs::write(folder.path().join("bad.json"), r#"{"shard": []}"#).unwrap();
    for (arguments, code, says) in [
        (&[][..], 2, "`--loads FILE`"),
        (&["--store", "1.db"], 2, "there is no `=`"),
        (&["--store", "9=1.db"], 2, "there is no such shard"),
        (&["--store", "1=1.db"], 1, "there is no file"),
        (&["--loads", "none.json"], 1, "`none.json`"),
        (&["--loads", "bad.json"], 1, "unknown field `shard`"),
    ] {
        let all = [&["--topology", "t.json"], arguments].concat();
        let ran = run(folder.path(), &all);
        assert!(
            ran.0 == code && ran.2.contains(says),
            "{arguments:?}: {ran:?}"
        );
        assert!(!folder.path().join("1.db").exists());
    }
}
