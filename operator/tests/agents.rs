//! Agents over real files: one dies, another goes on; a shard dies, the others go on.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant as Clock};

use ringshift::migration::command::{Answer, Command};
use ringshift::migration::{Agent, Changes, Ending, Point, Request, Settings, home_installs, plan};
use ringshift::{
    Attempt, Batch, BatchReply, Failure, Outcome, Phase, Policy, Reply, Shard, ShardId,
    ShardTopology, Snapshot, Term, Topology,
};
use ringshift_operator::agent::{self, Post};
use ringshift_operator::client::{Client, Stores};
use ringshift_operator::runner::Runner;
use ringshift_operator::store::{
    BatchResponse, Change, Chunks, Content, Response, SqliteStore, Store,
};
use ringshift_operator::topology::{FileTopology, TopologyStore};

const KEYS: u32 = 120;
const LEASE_MS: u32 = 1_000;

fn settings(ramp_ms: u64) -> Settings {
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

fn key(n: u32) -> Vec<u8> {
    format!("user:{n}").into_bytes()
}

/// Two shards with rows on them, and a third that is to join.
struct Cluster {
    folder: tempfile::TempDir,
    topology: Arc<FileTopology>,
    snapshot: Arc<Snapshot>,
}

impl Cluster {
    fn new() -> Self {
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

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn store(&self, name: &str) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(self.path(name)).unwrap())
    }

    fn stores(&self) -> Stores {
        let names = [(1, "a.db"), (2, "b.db"), (3, "c.db")];
        names
            .map(|(id, name)| (ShardId(id), self.store(name)))
            .into_iter()
            .collect()
    }

    fn client(&self, stores: Stores) -> Client {
        let record = self.topology.load().unwrap();
        let policy = Policy {
            deadline_ms: 200,
            ..Policy::default()
        };
        let name = Arc::as_ptr(&record.snapshot) as u64;
        Client::new(record.snapshot, stores, self.topology.clone(), policy, name)
    }

    fn wish(&self) -> Request {
        let text = r#"{"id":3,"name":"c"}"#;
        let shard: ShardTopology = serde_json::from_str(text).unwrap();
        let changes = Changes {
            add: vec![shard.shard().unwrap()],
            ..Changes::default()
        };
        Request::Begin(plan(&self.snapshot, &changes, 0).unwrap().log)
    }

    fn agent(&self, settings: &Path, more: &[&str]) -> Running {
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
struct Running {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Running {
    /// Reads on until an event of that name.
    fn until(&mut self, event: &str) -> String {
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

fn try_write(client: &Client, n: u32, value: u32) -> bool {
    let keyspace = client.keyspace("k").unwrap();
    let value = value.to_string();
    let ended = keyspace
        .write(&key(n), Change::Put(value.as_bytes()))
        .unwrap();
    matches!(ended.outcome, Outcome::Written { .. })
}

#[track_caller]
fn write(client: &Client, n: u32, value: u32) {
    assert!(try_write(client, n, value), "key {n}");
}

fn try_read(client: &Client, n: u32) -> Option<String> {
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
fn resumed(client: &Client, value: u32) -> Duration {
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

/// kill -9 of the leading agent, inside each kind of barrier and right after its compare-and-swap:
/// the other takes over with nobody's help, and the migration ends.
#[test]
fn a_leader_killed_inside_a_barrier_is_replaced() {
    for point in [
        "ramp/swap",
        "ramp/install-other",
        "switch/reverse",
        "switch/install-first",
    ] {
        assert!(Point::from_name(point).is_some());
        let cluster = Cluster::new();
        let path = cluster.path("settings.json");
        fs::write(&path, serde_json::to_string(&settings(0)).unwrap()).unwrap();
        let mut first = cluster.agent(&path, &["--name", "first", "--freeze-at", point]);
        first.until("lead");
        let mut second = cluster.agent(&path, &["--name", "second", "--once"]);
        second.until("standby");
        cluster.topology.request(cluster.wish()).unwrap();
        first.until("frozen");
        first.child.kill().unwrap();
        first.child.wait().unwrap();
        let client = cluster.client(cluster.stores());
        let took = resumed(&client, 1);
        assert!(took < Duration::from_secs(5), "{point}: {took:?}");
        println!("{point}: writes and reads resumed after {took:?}");
        assert!(second.until("ended").contains("complete"));
        assert!(second.child.wait().unwrap().success());
        for n in 0..KEYS {
            assert_eq!(try_read(&client, n), Some("1".to_owned()), "key {n}");
        }
        let record = cluster.topology.load().unwrap();
        assert_eq!(record.snapshot.content().shards.len(), 3);
    }
}

/// A store whose server can die.
struct Mortal {
    inner: Arc<dyn Store>,
    dead: Arc<AtomicBool>,
}

impl Store for Mortal {
    fn attempt(&self, attempt: &Attempt, key: &[u8], content: Content<'_>) -> Response {
        if self.dead.load(Ordering::SeqCst) {
            return Reply::Failed(Failure::NotSent).into();
        }
        self.inner.attempt(attempt, key, content)
    }
    fn batch(&self, batch: &Batch, requests: &[(&[u8], Content<'_>)]) -> BatchResponse {
        if self.dead.load(Ordering::SeqCst) {
            return BatchResponse {
                reply: BatchReply::Failed(Failure::NotSent),
                found: Vec::new(),
            };
        }
        self.inner.batch(batch, requests)
    }
    fn command(&self, command: &Command, chunks: &Chunks) -> Answer {
        if self.dead.load(Ordering::SeqCst) {
            return Answer::Unreachable;
        }
        self.inner.command(command, chunks)
    }
    fn last_error(&self) -> Option<String> {
        None
    }
}

struct Quiet;

impl Post for Quiet {
    fn open(&mut self, _shard: &Shard) -> Option<Arc<dyn Store>> {
        None
    }
}

/// `to` dies in read-new: reads and writes resume within lease + 2 s; when it is back the migration
/// ends as it was meant to.
#[test]
fn a_dead_to_steps_back_and_the_migration_ends_when_it_is_back() {
    let cluster = Cluster::new();
    let dead = Arc::new(AtomicBool::new(false));
    let mortal = |mut stores: Stores| {
        let inner = stores.remove(&ShardId(3)).unwrap();
        let dead = dead.clone();
        stores.insert(ShardId(3), Arc::new(Mortal { inner, dead }));
        stores
    };
    let runner = Runner::new(cluster.topology.clone(), mortal(cluster.stores()));
    let stop = AtomicBool::new(false);
    let client = cluster.client(mortal(cluster.stores()));
    cluster.topology.request(cluster.wish()).unwrap();
    thread::scope(|scope| {
        let led = scope.spawn(|| {
            let settings = Arc::new(settings(1_500));
            let mut agent = Agent::new(agent::draw_nonce().unwrap(), settings, runner.now());
            agent::run(&runner, &mut agent, &mut Quiet, &stop, true)
        });
        let phases = || {
            let record = cluster.topology.load().unwrap();
            let keyspaces = record.snapshot.content().keyspaces.iter();
            let waves = keyspaces.flat_map(|keyspace| &keyspace.waves);
            waves.map(|wave| wave.phase).collect::<Vec<_>>()
        };
        while !phases().contains(&Phase::ReadNew) {
            thread::sleep(Duration::from_millis(5));
        }
        // A lease was granted, and is renewed.
        thread::sleep(Duration::from_millis(300));
        write(&client, 1, 7);
        dead.store(true, Ordering::SeqCst);
        let took = resumed(&client, 8);
        println!("reads and writes resumed after {took:?}");
        let limit = Duration::from_millis(u64::from(LEASE_MS) + 2_000);
        assert!(took < limit, "{took:?}");
        dead.store(false, Ordering::SeqCst);
        assert_eq!(led.join().unwrap(), Some(Ending::Complete));
    });
    for n in 0..KEYS {
        assert_eq!(try_read(&client, n), Some("8".to_owned()), "key {n}");
    }
}

/// Others ask through the record; whoever leads hears them.
#[test]
fn a_request_is_heard_by_whoever_leads() {
    let cluster = Cluster::new();
    let path = cluster.path("settings.json");
    fs::write(&path, serde_json::to_string(&settings(60_000)).unwrap()).unwrap();
    let mut agent = cluster.agent(&path, &["--once"]);
    let topology = &*cluster.topology;
    let ask = |request: Request| {
        let number = topology.request(request).unwrap();
        let patience = Duration::from_secs(10);
        assert!(agent::wait_heard(topology, number, patience).unwrap());
    };
    ask(cluster.wish());
    let reason = || "not today".to_owned();
    ask(Request::Pause { reason: reason() });
    agent.until("ended");
    assert!(topology.load().unwrap().log.reason.contains("not today"));
    let mut again = cluster.agent(&path, &["--once"]);
    ask(Request::RollBack { reason: reason() });
    assert!(again.until("ended").contains("rolled-back"));
    let record = topology.load().unwrap();
    assert_eq!(record.snapshot.content().shards.len(), 2);
    assert!(topology.standing().unwrap().term > Term(1));
}
