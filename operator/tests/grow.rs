//! A keyspace gets more slots, on shards in SQLite files, under clients that don't know yet.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::sync::Arc;

use ringshift::migration::{
    Action, Answer, Changes, Command, Coordinator, Ending, Log, Move, PlanOptions, Settings, Stage,
    home_installs, plan_with,
};
use ringshift::{Epoch, Outcome, Policy, ShardId, Snapshot, Term, Topology, Version};
use ringshift_operator::client::{Client, Stores};
use ringshift_operator::runner::{Runner, Unobserved};
use ringshift_operator::store::{Change, Chunks, SqliteStore, Store};
use ringshift_operator::topology::{MemoryTopology, TopologyStore};

const KEYS: u32 = 300;

struct Cluster {
    topology: Arc<MemoryTopology>,
    stores: Stores,
    _folder: tempfile::TempDir,
}

fn cluster() -> Cluster {
    let text = r#"{"cluster":"grow","keyspaces":{"k":{"bits":4,"pins":[{"key":"hot","shard":2}]}},
                   "shards":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#;
    let topology: Topology = serde_json::from_str(text).unwrap();
    let snapshot = topology.snapshot().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let topology = Arc::new(MemoryTopology::new());
    topology.create(&snapshot).unwrap();
    let mut stores: Stores = BTreeMap::new();
    for shard in [ShardId(1), ShardId(2), ShardId(3)] {
        let store = SqliteStore::open(folder.path().join(format!("{shard}.db"))).unwrap();
        let rows = home_installs(&snapshot, shard);
        let install = Command::Install {
            shard,
            term: Term(0),
            rows,
        };
        assert_eq!(store.command(&install, &Chunks::default()), Answer::Done);
        stores.insert(shard, Arc::new(store));
    }
    Cluster {
        topology,
        stores,
        _folder: folder,
    }
}

impl Cluster {
    fn client(&self, name: u64) -> Client {
        let snapshot = self.topology.load().unwrap().snapshot;
        let topology = self.topology.clone();
        Client::new(
            snapshot,
            self.stores.clone(),
            topology,
            Policy::default(),
            name,
        )
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.topology.load().unwrap().snapshot
    }

    fn plan(&self, wish: &str) -> Log {
        let wish: Changes = serde_json::from_str(wish).unwrap();
        let settings = Settings {
            shadow_ms: 0,
            ramp_ms: 0,
            reversed_ms: 0,
            ..Settings::default()
        };
        let options = PlanOptions {
            settings: Some(settings),
            ..PlanOptions::default()
        };
        plan_with(&self.snapshot(), &wish, &options).unwrap().log
    }

    fn runner(&self) -> Runner {
        Runner::new(self.topology.clone(), self.stores.clone())
    }

    fn run(&self, term: u32, wanted: Option<Log>) -> Ending {
        let runner = self.runner();
        let settings = Arc::new(Settings::default());
        let mut coordinator = Coordinator::new(Term(term), settings, wanted, runner.now());
        runner.run(&mut coordinator, &mut Unobserved)
    }
}

fn write(client: &Client, key: &[u8], change: Change<'_>) -> Version {
    let ended = client.keyspace("k").unwrap().write(key, change).unwrap();
    let Outcome::Written { version, .. } = ended.outcome else {
        panic!("{}: {:?}", key.escape_ascii(), ended.outcome)
    };
    version
}

fn read(client: &Client, key: &[u8]) -> Option<Vec<u8>> {
    let ended = client.keyspace("k").unwrap().get(key).unwrap();
    let failed = matches!(ended.outcome, Outcome::Failed(_));
    assert!(!failed, "{}: {:?}", key.escape_ascii(), ended.outcome);
    ended.found.and_then(|found| found.value)
}

#[test]
fn slots_are_split_where_they_are_and_a_client_with_the_old_map_finds_its_rows() {
    let cluster = cluster();
    let (stale, other) = (cluster.client(1), cluster.client(2));
    let keys: Vec<Vec<u8>> = (0..KEYS)
        .map(|key| key.to_string().into_bytes())
        .chain([b"hot".to_vec()])
        .collect();
    for key in &keys {
        write(&stale, key, Change::Put(b"old"));
    }
    // Its row goes, and leaves a floor in its slot.
    let gone = write(&stale, b"7", Change::Delete);
    let before = cluster.snapshot();

    // A coordinator dies when one of the two shards has its slots and the other hasn't.
    let runner = cluster.runner();
    let wanted = Some(cluster.plan(r#"{"grow_bits":[{"keyspace":"k","bits":9}]}"#));
    let settings = Arc::new(Settings::default());
    let mut first = Coordinator::new(Term(1), settings, wanted, runner.now());
    loop {
        let Action::Do {
            id, point, command, ..
        } = first.poll()
        else {
            panic!("it never grew")
        };
        let answer = runner.carry_out(&command);
        first.handle_answer(runner.now(), id, answer);
        if (point.goal, point.stage) == (Move::Grow, Stage::InstallFirst) {
            break;
        }
    }
    let half = cluster.snapshot();
    assert_eq!(half.content().keyspaces[0].bits, 9);
    // The old map still serves the shard that hasn't heard.
    let router = ringshift::Router::new(Arc::clone(&before));
    let mut served = 0;
    for key in &keys {
        let plan = router.keyspace("k").unwrap().plan(key).unwrap();
        if plan.authority == ShardId(2) && key != b"7" {
            assert_eq!(read(&other, key).as_deref(), Some(&b"old"[..]));
            served += 1;
        }
    }
    assert!(served > 100);

    assert_eq!(cluster.run(2, None), Ending::Complete);
    let after = cluster.snapshot();
    let (old, new) = (
        &before.content().keyspaces[0],
        &after.content().keyspaces[0],
    );
    for (old, new) in old.homes.iter().zip(&new.homes) {
        assert!(new.epoch > old.epoch && old.domain == new.domain);
    }
    for (slot, owner) in (0_usize..).zip(new.table()) {
        assert_eq!(old.table()[slot >> 5], owner);
    }
    for client in [&stale, &other, &cluster.client(3)] {
        for key in &keys {
            let expected = (key != b"7").then(|| b"old".to_vec());
            assert_eq!(read(client, key), expected, "{}", key.escape_ascii());
        }
    }
    let again = write(&stale, b"7", Change::Put(b"new"));
    assert!(again > gone, "the floor of the slot is kept");
    for key in &keys {
        write(&stale, key, Change::Put(b"new"));
    }

    // The new slots are real ones: they move one by one.
    let wanted = cluster.plan(r#"{"add":[{"id":3,"name":"c"}]}"#);
    assert!(wanted.planned.iter().any(|wave| wave.slots.len() > 1));
    assert_eq!(cluster.run(3, Some(wanted)), Ending::Complete);
    let fresh = cluster.client(4);
    for key in &keys {
        assert_eq!(read(&fresh, key).as_deref(), Some(&b"new"[..]));
    }
}

#[test]
fn a_shard_s_floors_and_slots_grow_once() {
    let cluster = cluster();
    let store = cluster.stores.get(&ShardId(1)).unwrap();
    let mut draft = cluster.snapshot().next_draft().unwrap();
    draft.keyspaces[0].bits = 5;
    for run in &mut draft.keyspaces[0].assignment {
        run.len *= 2;
    }
    for home in &mut draft.keyspaces[0].homes {
        home.epoch = draft.epoch;
    }
    for entry in &mut draft.keyspaces[0].directory {
        let slot = ringshift::hash::slot_of(ringshift::hash::xxh3(b"hot", 0), 5);
        entry.slots = ringshift::slot_runs([slot]);
        entry.epoch = draft.epoch;
    }
    assert_eq!(draft.epoch, Epoch::new(2).unwrap());
    let grown = Snapshot::build(draft).unwrap();
    let install = Command::Install {
        shard: ShardId(1),
        term: Term(1),
        rows: home_installs(&grown, ShardId(1)),
    };
    // Twice, as a message that is repeated.
    for _ in 0..2 {
        assert_eq!(store.command(&install, &Chunks::default()), Answer::Done);
    }
    let client_snapshot = Arc::new(grown);
    let client = Client::new(
        Arc::clone(&client_snapshot),
        cluster.stores.clone(),
        cluster.topology.clone(),
        Policy::default(),
        1,
    );
    let router = ringshift::Router::new(client_snapshot);
    let here = |key: &u32| {
        let plan = router.keyspace("k").unwrap().plan(&key.to_le_bytes());
        plan.unwrap().authority == ShardId(1)
    };
    for key in (0..50).filter(here) {
        write(&client, &key.to_le_bytes(), Change::Put(b"x"));
    }
}
