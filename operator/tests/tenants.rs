//! A tenant that is spread over three shards moves to a fourth, and back home, over SQLite files
//! and under concurrent writers: nothing is lost, and who isn't of the tenant hardly notices.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail loudly"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ringshift::migration::{
    Answer, Command, Coordinator, Ending, Log, PlannedWave, Settings, home_installs,
};
use ringshift::{
    Attempt, Fence, KeyspaceId, Match, Outcome, Policy, Refusal, Reply, ShardId, Slot, Snapshot,
    Target, Term, Topology, slot_runs,
};
use ringshift_operator::client::{Client, Stores};
use ringshift_operator::runner::{Runner, Unobserved};
use ringshift_operator::store::{Change, Chunks, Content, Response, SqliteStore, Store};
use ringshift_operator::topology::{MemoryTopology, TopologyStore};

const K: KeyspaceId = KeyspaceId(0);
const TENANT: &[u8] = b"acme:";
const WRITERS: u32 = 3;
/// Keys of each writer, half of them the tenant's.
const KEYS: u32 = 60;

/// A store that counts how many requests for keys of nobody's tenant had a stale map.
struct Watched {
    inner: SqliteStore,
    stale: Arc<AtomicUsize>,
}

impl Store for Watched {
    fn attempt(&self, attempt: &Attempt, key: &[u8], content: Content<'_>) -> Response {
        let response = self.inner.attempt(attempt, key, content);
        let stale = matches!(response.reply, Reply::Refused(Refusal::StaleEpoch { .. }));
        if stale && !key.starts_with(TENANT) {
            self.stale.fetch_add(1, Ordering::Relaxed);
        }
        response
    }
    fn command(&self, command: &Command, chunks: &Chunks) -> Answer {
        self.inner.command(command, chunks)
    }
    fn last_error(&self) -> Option<String> {
        self.inner.last_error()
    }
}

struct Cluster {
    topology: Arc<MemoryTopology>,
    stores: Stores,
    stale: Arc<AtomicUsize>,
}

fn cluster(folder: &Path) -> Cluster {
    let text = r#"{"cluster":"test","keyspaces":{"k":{"bits":6}},"shards":[{"id":1,"name":"a"},
                   {"id":2,"name":"b"},{"id":3,"name":"c"},{"id":4,"name":"d"}]}"#;
    let topology: Topology = serde_json::from_str(text).unwrap();
    let snapshot = topology.snapshot().unwrap();
    let topology = Arc::new(MemoryTopology::new());
    topology.create(&snapshot).unwrap();
    let stale = Arc::new(AtomicUsize::new(0));
    let mut stores: Stores = BTreeMap::new();
    for shard in (1..=4).map(ShardId) {
        let inner = SqliteStore::open(folder.join(format!("{shard}.db"))).unwrap();
        let (term, rows) = (Term(1), home_installs(&snapshot, shard));
        let install = Command::Install { shard, term, rows };
        assert_eq!(inner.command(&install, &Chunks::default()), Answer::Done);
        let stale = Arc::clone(&stale);
        stores.insert(shard, Arc::new(Watched { inner, stale }));
    }
    Cluster {
        topology,
        stores,
        stale,
    }
}

fn key(writer: u32, n: u32) -> Vec<u8> {
    let whose = ["acme", "bolt"][(n % 2) as usize];
    format!("{whose}:{writer}:{n}").into_bytes()
}

impl Cluster {
    fn snapshot(&self) -> Arc<Snapshot> {
        self.topology.load().unwrap().snapshot
    }

    fn client(&self, name: u64) -> Client {
        let (stores, topology) = (self.stores.clone(), self.topology.clone());
        Client::new(self.snapshot(), stores, topology, Policy::default(), name)
    }

    fn migrate(&self, term: u32, planned: Vec<PlannedWave>) -> Ending {
        let wanted = Log {
            base: self.snapshot().epoch(),
            planned,
            ..Log::default()
        };
        let settings = Settings {
            shadow_ms: 0,
            ramps_ppm: vec![500_000, 1_000_000],
            ramp_ms: 0,
            reversed_ms: 0,
            chunk_rows: 7,
            lag_rows_max: 7,
            barrier_ms: 2_000,
            ..Settings::default()
        };
        let runner = Runner::new(self.topology.clone(), self.stores.clone());
        let wanted = Some(wanted);
        let mut coordinator =
            Coordinator::new(Term(term), Arc::new(settings), wanted, runner.now());
        runner.run(&mut coordinator, &mut Unobserved)
    }

    /// Rows that a domain holds on a shard.
    fn count(&self, shard: ShardId, fence: Fence) -> u64 {
        let count = Command::Count { shard, fence };
        match self.stores[&shard].command(&count, &Chunks::default()) {
            Answer::Rows(rows) => rows,
            other => panic!("{other:?}"),
        }
    }

    /// Runs `work` while each writer counts its keys up; answers the last count that each key has
    /// had acknowledged.
    fn under_load(&self, from: u32, work: impl FnOnce()) -> BTreeMap<Vec<u8>, u32> {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let (client, stop) = (self.client(u64::from(from + writer)), &stop);
                    scope.spawn(move || {
                        let mut last = BTreeMap::new();
                        let mut count = from;
                        while !stop.load(Ordering::Relaxed) || count < from + 2 {
                            count += 1;
                            for n in 0..KEYS {
                                let key = key(writer, n);
                                put(&client, &key, count);
                                assert_eq!(get(&client, &key), Some(count));
                                last.insert(key, count);
                            }
                        }
                        last
                    })
                })
                .collect();
            work();
            stop.store(true, Ordering::Relaxed);
            let all = writers.into_iter().flat_map(|w| w.join().unwrap());
            all.collect()
        })
    }
}

fn put(client: &Client, key: &[u8], count: u32) {
    let value = count.to_le_bytes();
    let ended = client
        .keyspace("k")
        .unwrap()
        .write(key, Change::Put(&value));
    let outcome = ended.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Written { .. }), "{outcome:?}");
}

fn get(client: &Client, key: &[u8]) -> Option<u32> {
    let ended = client.keyspace("k").unwrap().get(key).unwrap();
    let outcome = ended.outcome;
    assert!(!matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    let value = ended.found.and_then(|found| found.value)?;
    Some(u32::from_le_bytes(value.try_into().unwrap()))
}

#[test]
fn a_tenant_of_three_shards_moves_to_a_fourth_and_back_home() {
    let folder = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    let cluster = cluster(folder.path());
    let matches = Match::Prefix(TENANT.to_vec());
    let to = ShardId(4);

    // One wave a shard that has some of it, with the slots of that shard.
    let snapshot = cluster.snapshot();
    let table = snapshot.content().keyspaces[0].table();
    let planned: Vec<PlannedWave> =
        (1..=3)
            .map(|from| PlannedWave {
                keyspace: K,
                from: ShardId(from),
                to,
                slots: slot_runs((0..64).map(Slot).filter(|slot| {
                    snapshot.shard_id(table[slot.0 as usize]) == Some(ShardId(from))
                })),
                matches: Some(matches.clone()),
                origin: None,
                pins: true,
            })
            .collect();
    let last = cluster.under_load(0, || {
        assert_eq!(cluster.migrate(2, planned), Ending::Complete);
    });
    // Each writer's client has met each home's carve at most once.
    let stale = cluster.stale.swap(0, Ordering::Relaxed);
    assert!(stale <= 3 * WRITERS as usize, "{stale} stale requests");

    let snapshot = cluster.snapshot();
    let keyspace = &snapshot.content().keyspaces[0];
    assert_eq!((keyspace.directory.len(), keyspace.waves.len()), (3, 0));
    let fresh = cluster.client(90);
    for (key, count) in &last {
        assert_eq!(get(&fresh, key), Some(*count), "{key:?}");
    }
    let tenant = last.keys().filter(|key| key.starts_with(TENANT)).count() as u64;
    let held = |cluster: &Cluster| {
        let snapshot = cluster.snapshot();
        let keyspace = &snapshot.content().keyspaces[0];
        let homes = keyspace.homes.iter().zip(1..).map(|(home, shard)| {
            let (domain, epoch) = (home.domain, home.epoch);
            cluster.count(ShardId(shard), Fence { domain, epoch })
        });
        let entries = keyspace.directory.iter().map(|entry| {
            assert_eq!(entry.target, Target::Shard(to));
            let (domain, epoch) = (entry.domain, entry.epoch);
            cluster.count(to, Fence { domain, epoch })
        });
        (homes.sum::<u64>(), entries.sum::<u64>())
    };
    let (homes, entries) = held(&cluster);
    assert_eq!(homes + entries, last.len() as u64);
    assert!(
        entries > tenant / 2 && entries <= tenant,
        "{entries} of {tenant}"
    );

    // Back: each override to the home of the shard that has its slots.
    let planned: Vec<PlannedWave> = keyspace
        .directory
        .iter()
        .map(|entry| {
            let slot = Slot(entry.slots[0].start);
            PlannedWave {
                keyspace: K,
                from: to,
                to: snapshot.shard_id(keyspace.owner(slot).unwrap()).unwrap(),
                slots: entry.slots.clone(),
                matches: Some(matches.clone()),
                origin: Some(entry.domain),
                pins: false,
            }
        })
        .collect();
    let last = cluster.under_load(1_000_000, || {
        assert_eq!(cluster.migrate(3, planned), Ending::Complete);
    });
    // Each home's epoch has risen once, when its part came back.
    let stale = cluster.stale.load(Ordering::Relaxed);
    assert!(stale <= 3 * WRITERS as usize, "{stale} stale requests");
    let fresh = cluster.client(91);
    for (key, count) in &last {
        assert_eq!(get(&fresh, key), Some(*count), "{key:?}");
    }
    assert_eq!(held(&cluster), (last.len() as u64, 0));
    // Nobody's map has anything left in front of its slots.
    drop((fresh, cluster));
    for shard in 1..=4 {
        let file = folder.path().join(format!("{shard}.db"));
        let connection = rusqlite::Connection::open(file).unwrap();
        for table in ["ringshift_scope", "ringshift_hold"] {
            let text = format!("SELECT count(*) FROM {table}");
            let left: i64 = connection.query_row(&text, [], |row| row.get(0)).unwrap();
            assert_eq!(left, 0, "{table} of shard {shard}");
        }
    }
}
