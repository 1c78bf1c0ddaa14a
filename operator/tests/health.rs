//! What a runner and a client measure by themselves, over SQLite files behind a wrapper that makes
//! them slow or silent: the gates wait, the migration steps back and says why.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use ringshift::migration::{
    Answer, Changes, Command, Coordinator, Decided, Ending, Health, Log, Settings, home_installs,
    plan,
};
use ringshift::{
    Attempt, Batch, Failure, Outcome, Phase, Policy, Reply, ShardId, ShardTopology, Term, Topology,
};
use ringshift_operator::Reporter;
use ringshift_operator::client::{Client, Stores};
use ringshift_operator::runner::{Event, Observer, Runner, Witness};
use ringshift_operator::store::{
    BatchResponse, Change, Chunks, Content, Response, SqliteStore, Store,
};
use ringshift_operator::topology::{MemoryTopology, TopologyStore};

const KEYS: u32 = 120;

/// What is wrong with the third shard.
#[derive(Default)]
struct Trouble {
    delay_ms: AtomicU64,
    silent: AtomicBool,
}

impl Trouble {
    fn delay(&self) {
        let ms = self.delay_ms.load(Ordering::SeqCst);
        thread::sleep(Duration::from_millis(ms));
    }
}

struct Troubled {
    inner: SqliteStore,
    trouble: Arc<Trouble>,
}

impl Store for Troubled {
    fn attempt(&self, attempt: &Attempt, key: &[u8], content: Content<'_>) -> Response {
        self.trouble.delay();
        if self.trouble.silent.load(Ordering::SeqCst) {
            return Reply::Failed(Failure::NotSent).into();
        }
        self.inner.attempt(attempt, key, content)
    }
    fn batch(&self, batch: &Batch, requests: &[(&[u8], Content<'_>)]) -> BatchResponse {
        self.inner.batch(batch, requests)
    }
    fn command(&self, command: &Command, chunks: &Chunks) -> Answer {
        self.trouble.delay();
        if self.trouble.silent.load(Ordering::SeqCst) {
            return Answer::Unreachable;
        }
        self.inner.command(command, chunks)
    }
    fn last_error(&self) -> Option<String> {
        self.inner.last_error()
    }
}

struct Cluster {
    topology: Arc<MemoryTopology>,
    stores: Stores,
    wanted: Log,
    trouble: Arc<Trouble>,
    folder: tempfile::TempDir,
}

/// Two shards with rows on them, and the plan that adds a third, which can be troubled.
fn cluster() -> Cluster {
    let text = r#"{"cluster":"test","keyspaces":{"k":{"bits":8}},
                   "shards":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#;
    let topology: Topology = serde_json::from_str(text).unwrap();
    let snapshot = topology.snapshot().unwrap();
    let topology = Arc::new(MemoryTopology::new());
    topology.create(&snapshot).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let open = |id: u32| SqliteStore::open(folder.path().join(format!("{id}.db"))).unwrap();
    let trouble = Arc::new(Trouble::default());
    let mut stores: Stores = BTreeMap::new();
    for id in [1, 2] {
        let (shard, store) = (ShardId(id), open(id));
        let install = Command::Install {
            shard,
            term: Term(0),
            rows: home_installs(&snapshot, shard),
        };
        assert_eq!(store.command(&install, &Chunks::default()), Answer::Done);
        stores.insert(shard, Arc::new(store));
    }
    let third = Troubled {
        inner: open(3),
        trouble: Arc::clone(&trouble),
    };
    stores.insert(ShardId(3), Arc::new(third));
    let third: ShardTopology = serde_json::from_str(r#"{"id":3,"name":"c"}"#).unwrap();
    let changes = Changes {
        add: vec![third.shard().unwrap()],
        ..Changes::default()
    };
    let wanted = plan(&snapshot, &changes, 0).unwrap().log;
    let cluster = Cluster {
        topology,
        stores,
        wanted,
        trouble,
        folder,
    };
    let client = cluster.client(1);
    (0..KEYS).for_each(|key| put(&client, key));
    cluster
}

fn put(client: &Client, key: u32) {
    let keyspace = client.keyspace("k").unwrap();
    let ended = keyspace.write(&key.to_le_bytes(), Change::Put(b"first"));
    let outcome = ended.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Written { .. }), "{outcome:?}");
}

fn read(client: &Client, key: u32) -> Outcome {
    let keyspace = client.keyspace("k").unwrap();
    keyspace.get(&key.to_le_bytes()).unwrap().outcome
}

impl Cluster {
    fn client(&self, name: u64) -> Client {
        let snapshot = self.topology.load().unwrap().snapshot;
        let topology = self.topology.clone();
        let policy = Policy {
            deadline_ms: 300,
            ..Policy::default()
        };
        Client::new(snapshot, self.stores.clone(), topology, policy, name)
    }

    /// Carries the migration out, with nothing handed in: how it ended, and what it has decided.
    fn migrate(&self, settings: Settings, observer: impl Observer) -> (Ending, Vec<Decided>) {
        let runner = Runner::new(self.topology.clone(), self.stores.clone());
        let wanted = Some(self.wanted.clone());
        let mut coordinator = Coordinator::new(Term(1), Arc::new(settings), wanted, runner.now());
        let report = self.folder.path().join("report");
        let mut reporter = Reporter::new(&runner, observer).writing(&report);
        let ending = runner.run(&mut coordinator, &mut reporter);
        let decided = coordinator.decisions().map(|d| d.what).collect();
        (ending, decided)
    }

    fn all_are_there(&self) {
        let fresh = self.client(9);
        for key in 0..KEYS {
            let outcome = read(&fresh, key);
            assert!(
                matches!(outcome, Outcome::Value { .. }),
                "{key}: {outcome:?}"
            );
        }
    }
}

/// Soaks that are long enough for a few looks, and a barrier that a slow store doesn't break.
fn settings() -> Settings {
    let mut settings = Settings {
        shadow_ms: 200,
        ramps_ppm: vec![1_000_000],
        ramp_ms: 4_000,
        reversed_ms: 100,
        barrier_ms: 60_000,
        ..Settings::default()
    };
    settings.gates.recheck_ms = 50;
    settings.gates.patience_ms = 1_500;
    settings
}

fn phase(coordinator: &Coordinator) -> Option<Phase> {
    coordinator.status().waves.first().map(|wave| wave.phase)
}

/// Makes the third shard slow once keys are read from it, and well again after the step back.
struct Slows(Arc<Trouble>);

impl Witness for Slows {}

impl Observer for Slows {
    fn after(&mut self, _: &Event<'_>, coordinator: &Coordinator) {
        let mut decisions = coordinator.decisions();
        let retreated = decisions.any(|d| d.what == Decided::SteppedBack);
        let slow = phase(coordinator) == Some(Phase::ReadNew) && !retreated;
        let ms = if slow { 250 } else { 0 };
        self.0.delay_ms.store(ms, Ordering::SeqCst);
    }
}

#[test]
fn a_store_that_gets_slow_is_waited_for_and_then_the_migration_goes_back_and_says_why() {
    let cluster = cluster();
    let slows = Slows(Arc::clone(&cluster.trouble));
    let (ending, decided) = cluster.migrate(settings(), slows);
    let Ending::RolledBack { reason } = ending else {
        panic!("{ending:?} {decided:?}")
    };
    assert!(reason.contains("latency: "), "{reason}");
    assert!(reason.contains("the limit is 150000 µs"), "{reason}");
    assert_eq!(decided.first(), Some(&Decided::Held), "{decided:?}");
    assert!(decided.contains(&Decided::SteppedBack), "{decided:?}");
    cluster.all_are_there();
    // The report tells the same, with the latency of the looks.
    let report = std::fs::read_to_string(cluster.folder.path().join("report/report.md")).unwrap();
    assert!(report.contains("latency: "), "{report}");
}

/// Makes the third shard silent in shadow-read, until the gates have noticed; for ten seconds at
/// most.
struct Silences(Arc<Trouble>, u32);

impl Witness for Silences {
    fn seen(&mut self, seen: &Health, coordinator: &Coordinator) {
        let held = coordinator.decisions().any(|d| d.what == Decided::Held);
        let in_time = phase(coordinator) == Some(Phase::ShadowRead) && self.1 < 20;
        self.1 += u32::from(in_time);
        let silent = in_time && !held;
        assert!(seen.error_ppm.is_none(), "of operations it knows nothing");
        self.0.silent.store(silent, Ordering::SeqCst);
    }
}

impl Observer for Silences {}

#[test]
fn a_store_that_falls_silent_is_waited_for_and_then_it_goes_on() {
    let cluster = cluster();
    let mut settings = settings();
    settings.shadow_ms = 5_000;
    settings.ramp_ms = 100;
    settings.gates.patience_ms = 60_000;
    settings.checks.keys_per_minute = 0;
    let silences = Silences(Arc::clone(&cluster.trouble), 0);
    let (ending, decided) = cluster.migrate(settings, silences);
    assert_eq!(ending, Ending::Complete, "{decided:?}");
    assert_eq!(decided, [Decided::Held, Decided::Passed]);
    cluster.all_are_there();
}

#[test]
fn a_client_says_how_its_operations_and_their_stores_are() {
    let cluster = cluster();
    let (ending, _) = cluster.migrate(
        Settings {
            shadow_ms: 0,
            ramp_ms: 0,
            ..settings()
        },
        Slows(Arc::default()),
    );
    assert_eq!(ending, Ending::Complete);
    let client = cluster.client(2);
    assert_eq!(client.health().p99_us, None, "it has done nothing yet");
    for key in 0..KEYS {
        read(&client, key);
    }
    let well = client.health();
    assert_eq!(well.error_ppm, Some(0));
    assert!(well.p99_us < Some(200_000), "{well:?}");
    assert!(well.stores.iter().all(|store| store.healthy), "{well:?}");
    cluster.trouble.delay_ms.store(200, Ordering::SeqCst);
    for key in 0..KEYS / 4 {
        read(&client, key);
    }
    let slow = client.health();
    assert!(slow.p99_us >= Some(200_000), "{slow:?}");
    cluster.trouble.delay_ms.store(0, Ordering::SeqCst);
    cluster.trouble.silent.store(true, Ordering::SeqCst);
    let failed = (0..8).filter(|&key| matches!(read(&client, key), Outcome::Failed(_)));
    let failed = u32::try_from(failed.count()).unwrap();
    let sick = client.health();
    assert!(failed > 0 && sick.error_ppm > Some(0), "{sick:?}");
    for store in sick.stores {
        assert_eq!(store.healthy, store.shard != ShardId(3));
    }
}
