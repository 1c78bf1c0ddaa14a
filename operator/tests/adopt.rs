//! A system that shards by `crc32(key) % 4` is taken over where its rows are, and then grows to a
//! fifth shard while clients write.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should say where"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ringshift::migration::{Changes, Coordinator, Ending, Settings, plan};
use ringshift::{Outcome, Policy, Router, ShardId, Snapshot};
use ringshift_operator::client::{Client, Stores};
use ringshift_operator::runner::{Runner, Unobserved};
use ringshift_operator::store::{Change, SqliteStore};
use ringshift_operator::topology::{MemoryTopology, TopologyStore, read_snapshot};
use rusqlite::Connection;
use tempfile::TempDir;

const ROWS: u32 = 2_000;
const WRITERS: u32 = 4;

fn key(n: u32) -> String {
    format!("user:{n}")
}

/// The old system: four files with a plain table, each row where its CRC says.
fn old_system(folder: &Path) {
    let files: Vec<Connection> = (0..4)
        .map(|n| Connection::open(folder.join(format!("old{n}.db"))).unwrap())
        .collect();
    for file in &files {
        let table = "CREATE TABLE users (id TEXT PRIMARY KEY, body TEXT); BEGIN";
        file.execute_batch(table).unwrap();
    }
    for n in 0..ROWS {
        let shard = crc32fast::hash(key(n).as_bytes()) % 4;
        files[shard as usize]
            .execute(
                "INSERT INTO users VALUES (?1, ?2)",
                (key(n), format!("old {n}")),
            )
            .unwrap();
    }
    for file in &files {
        file.execute_batch("COMMIT").unwrap();
    }
}

fn topology(folder: &Path, hash: &str) -> PathBuf {
    let path = folder.join(format!("{hash}.json"));
    let text = format!(
        r#"{{"cluster": "shop", "keyspaces": {{"users": {{"bits": 8,
            "slotting": {{"modulo": {{"hash": "{hash}", "buckets": 4}}}}}}}},
            "shards": [{{"id": 1, "name": "db0"}}, {{"id": 2, "name": "db1"}},
                       {{"id": 3, "name": "db2"}}, {{"id": 4, "name": "db3"}}]}}"#
    );
    fs::write(&path, text).unwrap();
    path
}

fn shard_file(folder: &Path, shard: u32) -> PathBuf {
    folder.join(format!("shard{shard}.db"))
}

/// `ringshift adopt` of one shard: exit code, output, errors.
fn adopt(folder: &Path, topology: &Path, shard: u32, more: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ringshift"))
        .args([
            "adopt", "--table", "users", "--key", "id", "--value", "body",
        ])
        .arg("--topology")
        .arg(topology)
        .args(["--shard", &shard.to_string()])
        .arg("--from")
        .arg(folder.join(format!("old{}.db", shard - 1)))
        .arg("--into")
        .arg(shard_file(folder, shard))
        .args(more)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn adopted() -> (TempDir, Snapshot) {
    let folder = tempfile::tempdir().unwrap();
    old_system(folder.path());
    let topology = topology(folder.path(), "crc32");
    for shard in 1..=4 {
        let (code, out, err) = adopt(folder.path(), &topology, shard, &[]);
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        assert!(out.ends_with("adopted, 0 were there already\n"), "{out}");
    }
    let snapshot = read_snapshot(&topology).unwrap();
    (folder, snapshot)
}

/// Each row that a shard's file has: key and value.
fn rows_in(folder: &Path, shard: u32) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let file = Connection::open(shard_file(folder, shard)).unwrap();
    let mut rows = file
        .prepare("SELECT key, value FROM ringshift_row")
        .unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

struct World {
    topology: Arc<MemoryTopology>,
    stores: Stores,
    snapshot: Arc<Snapshot>,
}

impl World {
    fn client(&self, name: u64) -> Client {
        let topology = Arc::clone(&self.topology) as Arc<dyn TopologyStore>;
        let stores = self.stores.clone();
        let snapshot = Arc::clone(&self.snapshot);
        Client::new(snapshot, stores, topology, Policy::default(), name)
    }
}

fn value(client: &Client, key: &str) -> Option<Vec<u8>> {
    let ended = client
        .keyspace("users")
        .unwrap()
        .get(key.as_bytes())
        .unwrap();
    match ended.outcome {
        Outcome::Value { .. } => ended.found.unwrap().value,
        Outcome::Missing => None,
        other => panic!("{key}: {other:?}"),
    }
}

/// Writes, deletes and reads its own keys until told to stop, at least once each; answers what must
/// be there.
fn writer(client: &Client, own: u32, stop: &AtomicBool) -> BTreeMap<String, Option<Vec<u8>>> {
    let users = client.keyspace("users").unwrap();
    let mut model: BTreeMap<String, Option<Vec<u8>>> = (0..ROWS)
        .filter(|n| n % WRITERS == own)
        .map(|n| (key(n), Some(format!("old {n}").into_bytes())))
        .collect();
    let keys: Vec<String> = model.keys().cloned().collect();
    for (turn, key) in keys.iter().cycle().enumerate() {
        if turn > 3 * keys.len() && stop.load(Ordering::Relaxed) {
            break;
        }
        let kept = model.get_mut(key).unwrap();
        assert_eq!(value(client, key), *kept, "{key} in turn {turn}");
        let next = (turn % 5 != 0).then(|| format!("new {turn}").into_bytes());
        let change = next.as_deref().map_or(Change::Delete, Change::Put);
        let outcome = users.write(key.as_bytes(), change).unwrap().outcome;
        assert!(
            matches!(outcome, Outcome::Written { .. }),
            "{key}: {outcome:?}"
        );
        *kept = next;
    }
    model
}

#[test]
fn a_modulo_is_adopted_and_grows_by_a_shard_under_writes() {
    let (folder, snapshot) = adopted();
    let mut world = World {
        topology: Arc::new(MemoryTopology::new()),
        stores: Stores::new(),
        snapshot: Arc::new(snapshot),
    };
    world.topology.create(&world.snapshot).unwrap();
    for shard in 1..=5 {
        let store = SqliteStore::open(shard_file(folder.path(), shard)).unwrap();
        world.stores.insert(ShardId(shard), Arc::new(store));
    }
    let changes: Changes = serde_json::from_str(r#"{"add": [{"id": 5, "name": "db4"}]}"#).unwrap();
    let plan = plan(&world.snapshot, &changes, 0).unwrap();
    assert_eq!(
        plan.figures[0].slots_moved, 51,
        "a fifth of 256, and no more"
    );
    let stop = AtomicBool::new(false);
    let (ending, models) = thread::scope(|threads| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|own| {
                let (world, stop) = (&world, &stop);
                threads.spawn(move || writer(&world.client(u64::from(own) + 1), own, stop))
            })
            .collect();
        let topology = Arc::clone(&world.topology) as Arc<dyn TopologyStore>;
        let runner = Runner::new(topology, world.stores.clone());
        let settings = Settings {
            shadow_ms: 50,
            ramps_ppm: vec![100_000, 1_000_000],
            ramp_ms: 50,
            reversed_ms: 50,
            ..Settings::default()
        };
        let term = world.topology.draw_term().unwrap();
        let wanted = Some(plan.log.clone());
        let mut coordinator = Coordinator::new(term, Arc::new(settings), wanted, runner.now());
        let ending = runner.run(&mut coordinator, &mut Unobserved);
        stop.store(true, Ordering::Relaxed);
        let models: Vec<_> = writers.into_iter().map(|w| w.join().unwrap()).collect();
        (ending, models)
    });
    assert_eq!(ending, Ending::Complete);
    let end = world.topology.load().unwrap().snapshot;
    let router = Router::new(Arc::clone(&end));
    let users = router.keyspace("users").unwrap();
    assert!(users.waves().is_empty());
    let expected: BTreeMap<_, _> = models.into_iter().flatten().collect();
    assert_eq!(expected.len(), ROWS as usize);
    let reader = world.client(99);
    for (key, kept) in &expected {
        assert_eq!(value(&reader, key), *kept, "{key}");
    }
    // On disk, too: each live row once, on the shard that it belongs to; the others as crc32 % 4.
    let mut found = BTreeMap::new();
    for shard in 1..=5 {
        for (key, value) in rows_in(folder.path(), shard) {
            let here = users.plan(&key).unwrap().authority;
            assert_eq!(here, ShardId(shard), "{}", key.escape_ascii());
            if shard < 5 {
                assert_eq!(crc32fast::hash(&key) % 4 + 1, shard);
            }
            let key = String::from_utf8(key).unwrap();
            assert!(found.insert(key, value).is_none());
        }
    }
    found.retain(|_, value| value.is_some());
    let mut live = expected;
    live.retain(|_, value| value.is_some());
    assert_eq!(found, live);
    assert!(!rows_in(folder.path(), 5).is_empty());
}

#[test]
fn another_formula_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    old_system(folder.path());
    let wrong = topology(folder.path(), "fnv1a64");
    let (code, out, err) = adopt(folder.path(), &wrong, 1, &["--dry-run"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("belong elsewhere: `user:"), "{err}");
    let (code, _, err) = adopt(folder.path(), &wrong, 1, &[]);
    assert!(code == 1 && err.contains("nothing was written"), "{err}");
    assert!(!shard_file(folder.path(), 1).exists());
    let right = topology(folder.path(), "crc32");
    let (code, out, _) = adopt(folder.path(), &right, 1, &["--dry-run", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &said["written"]), (0, &serde_json::Value::Null));
    assert!(!shard_file(folder.path(), 1).exists());
}

/// Cut short and begun again: what is there stays, newer values too.
#[test]
fn a_second_adoption_changes_nothing() {
    let (folder, snapshot) = adopted();
    let store = SqliteStore::open(shard_file(folder.path(), 1)).unwrap();
    let world = World {
        topology: Arc::new(MemoryTopology::new()),
        stores: [(ShardId(1), Arc::new(store) as _)].into(),
        snapshot: Arc::new(snapshot),
    };
    world.topology.create(&world.snapshot).unwrap();
    let client = world.client(1);
    let (first, _) = rows_in(folder.path(), 1).swap_remove(0);
    let users = client.keyspace("users").unwrap();
    let ended = users.write(&first, Change::Put(b"newer")).unwrap();
    assert!(matches!(ended.outcome, Outcome::Written { .. }));
    let before = rows_in(folder.path(), 1);
    let again = adopt(folder.path(), &folder.path().join("crc32.json"), 1, &[]);
    assert!(again.0 == 0 && again.1.contains(": 0 adopted"), "{again:?}");
    assert_eq!(rows_in(folder.path(), 1), before);
    assert!(before.contains(&(first, Some(b"newer".to_vec()))));
}

#[test]
fn a_query_may_make_the_rows_and_types_are_told() {
    let folder = tempfile::tempdir().unwrap();
    old_system(folder.path());
    let topology = topology(folder.path(), "crc32");
    let run = |query: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_ringshift"))
            .args([
                "adopt",
                "--shard",
                "1",
                "--dry-run",
                "--query",
                query,
                "--topology",
            ])
            .arg(&topology)
            .arg("--from")
            .arg(folder.path().join("old0.db"))
            .arg("--into")
            .arg(shard_file(folder.path(), 1))
            .output()
            .unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let fine = "SELECT id, json_object('body', body) FROM users";
    assert_eq!(run(fine), (0, String::new()));
    for (query, says) in [
        ("SELECT id FROM users", "1 columns"),
        ("SELECT id, 1.5 FROM users", "the value of row 1"),
        ("SELECT NULL, body FROM users", "the key of row 1"),
        ("SELECT id, body FROM nobody", "no such table"),
    ] {
        let (code, err) = run(query);
        assert!(code == 1 && err.contains(says), "{query}: {err}");
    }
}
