//! A cluster of two shards, and a third that may join.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ringshift::migration::{
    Answer, Changes, Command, Coordinator, Ending, Settings, home_installs, plan,
};
use ringshift::{Policy, ShardId, ShardTopology, Term, Topology};
use ringshift_operator::client::{Client, Stores};
use ringshift_operator::runner::{Observer, Runner};
use ringshift_operator::store::{Chunks, MemoryStore, SqliteStore, Store};
use ringshift_operator::topology::{MemoryTopology, TopologyStore};

pub(crate) struct Cluster {
    pub(crate) topology: Arc<MemoryTopology>,
    pub(crate) stores: Stores,
    names: AtomicU64,
}

impl Cluster {
    /// Keys are placed by their hash tag.
    pub(crate) fn new(open: impl Fn(ShardId) -> Arc<dyn Store>) -> Self {
        let text = r#"{"cluster":"test","keyspaces":{"k":{"bits":8,"key":"hash-tag"}},
                       "shards":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#;
        let topology: Topology = serde_json::from_str(text).unwrap();
        let snapshot = topology.snapshot().unwrap();
        let topology = Arc::new(MemoryTopology::new());
        topology.create(&snapshot).unwrap();
        let mut stores = Stores::new();
        for shard in [1, 2, 3].map(ShardId) {
            let store = open(shard);
            let rows = home_installs(&snapshot, shard);
            let term = Term(1);
            let install = Command::Install { shard, term, rows };
            if shard != ShardId(3) {
                assert_eq!(store.command(&install, &Chunks::default()), Answer::Done);
            }
            stores.insert(shard, store);
        }
        Self {
            topology,
            stores,
            names: AtomicU64::new(u64::from(std::process::id()) << 32),
        }
    }

    pub(crate) fn memory() -> Self {
        Self::new(|_| Arc::new(MemoryStore::new()))
    }

    pub(crate) fn sqlite(folder: &Path) -> Self {
        Self::new(|shard| {
            let path = folder.join(format!("{shard}.db"));
            Arc::new(SqliteStore::open(path).unwrap())
        })
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(
            self.topology.load().unwrap().snapshot,
            self.stores.clone(),
            self.topology.clone(),
            Policy::default(),
            self.names.fetch_add(1, Ordering::Relaxed),
        )
    }

    /// Moves a third of the keys to shard 3.
    pub(crate) fn grow(&self, settings: Settings, observer: &mut impl Observer) -> Ending {
        let shard: ShardTopology = serde_json::from_str(r#"{"id":3,"name":"c"}"#).unwrap();
        let changes = Changes {
            add: vec![shard.shard().unwrap()],
            ..Changes::default()
        };
        let snapshot = self.topology.load().unwrap().snapshot;
        let wanted = plan(&snapshot, &changes, 0).unwrap().log;
        let runner = Runner::new(self.topology.clone(), self.stores.clone());
        let settings = Arc::new(settings);
        let mut coordinator = Coordinator::new(Term(2), settings, Some(wanted), runner.now());
        runner.run(&mut coordinator, observer)
    }
}
