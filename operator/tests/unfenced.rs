//! Stores that check no fence: clients under leases, on real clocks, while a shard joins.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ringshift::migration::{
    Changes, Checks, Command, Coordinator, Ending, Log, Move, Settings, Throttle, home_installs,
    plan,
};
use ringshift::{
    DomainId, Epoch, OperationError, Outcome, Policy, ShardId, ShardTopology, Snapshot, Term,
    Topology,
};
use ringshift_operator::client::{Client, Stores};
use ringshift_operator::runner::{Observer, Runner, Witness};
use ringshift_operator::store::{Change, Chunks, MemoryStore, SqliteOptions, SqliteStore, Store};
use ringshift_operator::topology::{MemoryTopology, TopologyError, TopologySource, TopologyStore};

const THREADS: u32 = 3;
const KEYS_EACH: u32 = 40;
/// Twice lease, longest attempt and margin, and what a clock in whole milliseconds may be behind.
const WAITS_MS: u64 = 2 * (100 + 400 + 50 + 1);
/// What the pauses are at least, by a finer clock.
const PAUSE_MS: u128 = 2 * (100 + 400 + 50);

struct Cluster {
    topology: Arc<MemoryTopology>,
    stores: Stores,
    wanted: Log,
}

fn cluster(store: impl Fn(ShardId) -> Arc<dyn Store>) -> Cluster {
    let text = r#"{"cluster":"test","keyspaces":{"k":{"bits":8}},
        "client_lease":{"lease_ms":100,"attempt_ms":400,"margin_ms":50},
        "shards":[{"id":1,"name":"a","unfenced":true},{"id":2,"name":"b","unfenced":true}]}"#;
    let topology: Topology = serde_json::from_str(text).unwrap();
    let snapshot = topology.snapshot().unwrap();
    let topology = Arc::new(MemoryTopology::new());
    topology.create(&snapshot).unwrap();
    let mut stores: Stores = BTreeMap::new();
    for shard in [1, 2, 3].map(ShardId) {
        let store = store(shard);
        let rows = home_installs(&snapshot, shard);
        let term = Term(1);
        store.command(&Command::Install { shard, term, rows }, &Chunks::default());
        stores.insert(shard, store);
    }
    let third = r#"{"id":3,"name":"c","unfenced":true}"#;
    let third: ShardTopology = serde_json::from_str(third).unwrap();
    let changes = Changes {
        add: vec![third.shard().unwrap()],
        ..Changes::default()
    };
    let plan = plan(&snapshot, &changes, 0).unwrap();
    let pauses = plan.time.pauses.unwrap();
    assert_eq!((pauses.waves, pauses.pause_ms), (2, WAITS_MS));
    assert!(plan.to_string().contains("a shard checks no fence"));
    Cluster {
        topology,
        stores,
        wanted: plan.log,
    }
}

impl Cluster {
    fn client(&self, name: u64, topology: Arc<dyn TopologySource>) -> Client {
        let snapshot = self.topology.load().unwrap().snapshot;
        let policy = Policy {
            deadline_ms: 20_000,
            ..Policy::default()
        };
        Client::new(snapshot, self.stores.clone(), topology, policy, name)
    }
}

#[derive(Default)]
struct Pauses(Vec<Duration>);

impl Witness for Pauses {}

impl Observer for Pauses {
    fn barrier(&mut self, _: Move, _: Option<DomainId>, pause: Duration) {
        self.0.push(pause);
    }
}

/// Each thread has its own keys, and no read of one may show less than its last answered write.
fn traffic(client: &Client, thread: u32, over: &AtomicBool) -> BTreeMap<u32, u32> {
    let keyspace = client.keyspace("k").unwrap();
    let mut last = BTreeMap::new();
    let mut round = 0_u32;
    while !over.load(Ordering::Relaxed) || round == 0 {
        round += 1;
        for n in 0..KEYS_EACH {
            let key = thread * KEYS_EACH + n;
            let bytes = key.to_le_bytes();
            let deletes = (round + n).is_multiple_of(5);
            let value = round.to_le_bytes();
            let change = if deletes {
                Change::Delete
            } else {
                Change::Put(&value)
            };
            let outcome = keyspace.write(&bytes, change).unwrap().outcome;
            assert!(matches!(outcome, Outcome::Written { .. }), "{outcome:?}");
            last.insert(key, if deletes { 0 } else { round });
            let read = keyspace.get(&bytes).unwrap();
            let found = read.found.and_then(|found| found.value);
            let seen = found.map_or(0, |bytes| u32::from_le_bytes(bytes.try_into().unwrap()));
            assert_eq!(Some(&seen), last.get(&key), "key {key}: {:?}", read.outcome);
        }
    }
    last
}

fn moves_under_traffic(cluster: &Cluster) {
    let over = AtomicBool::new(false);
    let mut pauses = Pauses::default();
    let settings = Settings {
        shadow_ms: 1,
        ramp_ms: 1,
        reversed_ms: 1,
        ramps_ppm: vec![500_000, 1_000_000],
        throttle: Throttle::OFF,
        checks: Checks::OFF,
        ..Settings::default()
    };
    let last = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let client = cluster.client(u64::from(thread) + 1, cluster.topology.clone());
                let over = &over;
                scope.spawn(move || traffic(&client, thread, over))
            })
            .collect();
        let runner = Runner::new(cluster.topology.clone(), cluster.stores.clone());
        let wanted = Some(cluster.wanted.clone());
        let mut coordinator = Coordinator::new(Term(1), Arc::new(settings), wanted, runner.now());
        let ending = runner.run(&mut coordinator, &mut pauses);
        over.store(true, Ordering::Relaxed);
        assert_eq!(ending, Ending::Complete);
        let threads = threads.into_iter().map(|thread| thread.join().unwrap());
        threads.reduce(|all, one| all.into_iter().chain(one).collect())
    });
    let reader = cluster.client(99, cluster.topology.clone());
    let keyspace = reader.keyspace("k").unwrap();
    for (key, value) in last.unwrap() {
        let found = keyspace.get(&key.to_le_bytes()).unwrap().found;
        let found = found.and_then(|found| found.value);
        let seen = found.map_or(0, |bytes| u32::from_le_bytes(bytes.try_into().unwrap()));
        assert_eq!(seen, value, "key {key}");
    }
    // Two waves; of each two steps of the ramp and a switch.
    assert_eq!(pauses.0.len(), 6);
    assert!(pauses.0.iter().all(|pause| pause.as_millis() >= PAUSE_MS));
}

#[test]
fn a_shard_joins_stores_in_memory_that_check_no_fence() {
    moves_under_traffic(&cluster(|_| Arc::new(MemoryStore::unfenced())));
}

#[test]
fn a_shard_joins_files_that_check_no_fence() {
    let folder = tempfile::tempdir().unwrap();
    moves_under_traffic(&cluster(|shard| {
        let options = SqliteOptions {
            unfenced: true,
            ..SqliteOptions::default()
        };
        let path = folder.path().join(format!("{shard}.db"));
        Arc::new(SqliteStore::open_with(path, options).unwrap())
    }));
}

/// An answer that was kept somewhere doesn't renew a lease.
struct Kept(Arc<MemoryTopology>);

impl TopologySource for Kept {
    fn fetch(&self, newer_than: Epoch) -> Result<Option<Arc<Snapshot>>, TopologyError> {
        self.0.fetch(newer_than)
    }
}

#[test]
fn a_source_that_keeps_its_answers_renews_nothing() {
    let cluster = cluster(|_| Arc::new(MemoryStore::unfenced()));
    let snapshot = cluster.topology.load().unwrap().snapshot;
    let policy = Policy {
        deadline_ms: 100,
        ..Policy::default()
    };
    let kept = Arc::new(Kept(cluster.topology.clone()));
    let client = Client::new(snapshot, cluster.stores.clone(), kept, policy, 1);
    let keyspace = client.keyspace("k").unwrap();
    let failed = Outcome::Failed(OperationError::Deadline { last: None });
    for _ in 0..2 {
        let write = keyspace.write(b"a", Change::Put(b"1")).unwrap();
        assert_eq!((write.outcome, write.attempts), (failed, 0));
        assert_eq!(keyspace.get(b"a").unwrap().outcome, failed);
    }
}

/// A store without guards refuses a client that takes it for one with them.
#[test]
fn a_client_that_knows_of_no_lease_is_rejected() {
    let text = r#"{"cluster":"test","keyspaces":{"k":{"bits":8}},"shards":[{"id":1,"name":"a"}]}"#;
    let topology: Topology = serde_json::from_str(text).unwrap();
    let snapshot = Arc::new(topology.snapshot().unwrap());
    let source = Arc::new(MemoryTopology::new());
    source.create(&snapshot).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions {
        unfenced: true,
        ..SqliteOptions::default()
    };
    let file = SqliteStore::open_with(folder.path().join("a.db"), options).unwrap();
    let stores: [Arc<dyn Store>; 2] = [Arc::new(MemoryStore::unfenced()), Arc::new(file)];
    for store in stores {
        let stores = BTreeMap::from([(ShardId(1), store)]);
        let client = Client::new(
            snapshot.clone(),
            stores,
            source.clone(),
            Policy::default(),
            1,
        );
        let keyspace = client.keyspace("k").unwrap();
        let write = keyspace.write(b"a", Change::Put(b"1")).unwrap().outcome;
        assert_eq!(write, Outcome::Failed(OperationError::Rejected));
        let read = keyspace.get(b"a").unwrap().outcome;
        assert_eq!(read, Outcome::Failed(OperationError::Rejected));
    }
}
