//! Two shards in files, with rows on them, and a third that is to join; agents over them.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use ringshift::migration::command::{Answer, Command};
use ringshift::migration::{Changes, Request, Settings, home_installs, plan};
use ringshift::{Outcome, Policy, ShardId, ShardTopology, Snapshot, Term, Topology};
use ringshift_operator::agent;
use ringshift_operator::client::{Client, Stores};
use ringshift_operator::store::{Change, Chunks, SqliteStore, Store};
use ringshift_operator::topology::{FileTopology, TopologyStore};

pub(crate) const KEYS: u32 = 120;
pub(crate) const LEASE_MS: u32 = 1_000;

pub(crate) fn settings(ramp_ms: u64) -> Settings {
    Settings {
        shadow_ppm: 0,
        ramps_ppm: vec![1_000_000],
        ramp_ms,
        reversed_ms: 0,
        chunk_rows: 16,
        lag_rows_max: 16,
        barrier_ms: 2_000,
        lease_ms: LEASE_MS,
        margin_ms: 200,
        patience_ms: 300,
        ..Settings::default()
    }
}

pub(crate) fn key(n: u32) -> Vec<u8> {
    format!("user:{n}").into_bytes()
}

/// Two shards with rows on them, and a third that is to join.
pub(crate) struct Cluster {
    folder: tempfile::TempDir,
    pub(crate) topology: Arc<FileTopology>,
    snapshot: Arc<Snapshot>,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = r#"{"cluster":"agents","keyspaces":{"k":{"bits":6}},
                       "shards":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#;
        let topology: Topology = serde_json::from_str(text).unwrap();
        let snapshot = Arc::new(topology.snapshot().unwrap());
        let store = FileTopology::new(folder.path().join("cluster.topology"));
        store.create(&snapshot).unwrap();
        let cluster = Self {
            folder,
            topology: Arc::new(store),
            snapshot,
        };
        for (id, store) in cluster.stores() {
            let rows = home_installs(&cluster.snapshot, id);
            let install = Command::Install {
                shard: id,
                term: Term(0),
                rows,
            };
            assert_eq!(store.command(&install, &Chunks::new()), Answer::Done);
        }
        let client = cluster.client(cluster.stores());
        for n in 0..KEYS {
            write(&client, n, 0);
        }
        cluster
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn store(&self, name: &str) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(self.path(name)).unwrap())
    }

    pub(crate) fn stores(&self) -> Stores {
        self.stores_of(&[(1, "a.db"), (2, "b.db"), (3, "c.db")])
    }

    pub(crate) fn stores_of(&self, files: &[(u32, &str)]) -> Stores {
        let open = |&(id, name): &(u32, &str)| (ShardId(id), self.store(name));
        files.iter().map(open).collect()
    }

    pub(crate) fn client(&self, stores: Stores) -> Client {
        let record = self.topology.load().unwrap();
        let policy = Policy {
            deadline_ms: 200,
            ..Policy::default()
        };
        let name = agent::draw_nonce().unwrap();
        Client::new(record.snapshot, stores, self.topology.clone(), policy, name)
    }

    pub(crate) fn wish(&self) -> Request {
        let text = r#"{"id":3,"name":"c"}"#;
        let shard: ShardTopology = serde_json::from_str(text).unwrap();
        let changes = Changes {
            add: vec![shard.shard().unwrap()],
            ..Changes::default()
        };
        Request::Begin(plan(&self.snapshot, &changes, 0).unwrap().log)
    }

    pub(crate) fn agent(&self, settings: &Path, more: &[&str]) -> Running {
        let mut child = Process::new(env!("CARGO_BIN_EXE_ringshift"))
            .args(["agent", "--json", "--topology"])
            .arg(self.topology.path())
            .arg("--settings")
            .arg(settings)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Running { child, lines }
    }
}

/// An agent's process, killed at the latest when the test is over.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Running {
    /// Reads on until an event of that name.
    pub(crate) fn until(&mut self, event: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "no {event}");
            if line.contains(&format!("\"event\":\"{event}\"")) {
                return line;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn try_write(client: &Client, n: u32, value: u32) -> bool {
    let keyspace = client.keyspace("k").unwrap();
    let value = value.to_string();
    let ended = keyspace
        .write(&key(n), Change::Put(value.as_bytes()))
        .unwrap();
    matches!(ended.outcome, Outcome::Written { .. })
}

#[track_caller]
pub(crate) fn write(client: &Client, n: u32, value: u32) {
    assert!(try_write(client, n, value), "key {n}");
}

pub(crate) fn try_read(client: &Client, n: u32) -> Option<String> {
    let ended = client.keyspace("k").unwrap().get(&key(n)).unwrap();
    match ended.outcome {
        Outcome::Value { .. } => {
            let value = ended.found.unwrap().value.unwrap();
            Some(String::from_utf8(value).unwrap())
        }
        _ => None,
    }
}

/// How long it takes until every key can be written and read again.
pub(crate) fn resumed(client: &Client, value: u32) -> Duration {
    let began = Clock::now();
    for n in 0..KEYS {
        while !try_write(client, n, value) || try_read(client, n) != Some(value.to_string()) {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "key {n} is stuck"
            );
        }
    }
    began.elapsed()
}
