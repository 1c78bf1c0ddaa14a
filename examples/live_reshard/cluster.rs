//! The cluster of the example: SQLite shards and a topology file in one folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringshift::migration::{
    Answer, Changes, Command, Log, Plan, PlanOptions, Settings, Strategy, home_installs, plan,
    plan_with,
};
use ringshift::{
    ClientLease, ForeignHash, KeyspaceTopology, ModuloTopology, Shard, ShardId, ShardState,
    ShardTopology, SlottingTopology, Snapshot, Term, Topology,
};
use ringshift_operator::client::Stores;
use ringshift_operator::store::{Chunks, SqliteOptions, SqliteStore};
use ringshift_operator::topology::{FileTopology, TopologyStore};
use serde::{Deserialize, Serialize};

use crate::options::Options;
use crate::wish::Wished;

/// The one keyspace.
pub(crate) const KEYSPACE: &str = "records";
/// What clients have where shards check no fence. The longest attempt is that of a thread on a busy
/// machine, between its decision and SQLite's commit.
const LEASE: ClientLease = ClientLease {
    lease_ms: 300,
    attempt_ms: 600,
    margin_ms: 100,
};
/// Shards before anything moves.
pub(crate) const SHARDS: u16 = 4;

pub(crate) type Failed = Box<dyn std::error::Error + Send + Sync>;

/// What a killed run leaves for the one that resumes it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Settled {
    pub(crate) seed: u64,
    pub(crate) records: Option<usize>,
    pub(crate) input: Option<PathBuf>,
    pub(crate) added: u16,
    pub(crate) removed: u16,
    pub(crate) strategy: Option<Strategy>,
    pub(crate) wish: Option<Wished>,
    pub(crate) unfenced: bool,
}

impl Settled {
    /// What the options say, or what the run to be resumed was told.
    pub(crate) fn of(options: &Options, folder: &Path) -> Result<Self, Failed> {
        if options.resume {
            return Self::read(folder);
        }
        Ok(Self {
            seed: options.seed,
            records: options.records,
            input: options.input.clone(),
            added: options.shards_added(),
            removed: options.shards_removed(),
            strategy: options.strategy,
            wish: options.wish,
            unfenced: options.unfenced,
        })
    }

    fn read(folder: &Path) -> Result<Self, Failed> {
        let path = folder.join("run.json");
        let text = fs::read_to_string(&path).map_err(|error| {
            format!(
                "`{}` can't be read: {error}; is it the folder of a killed run?",
                path.display()
            )
        })?;
        Ok(serde_json::from_str(&text)?)
    }

    fn write(&self, folder: &Path) -> Result<(), Failed> {
        Ok(fs::write(
            folder.join("run.json"),
            serde_json::to_string_pretty(self)?,
        )?)
    }
}

/// The folder's stores.
pub(crate) struct Cluster {
    pub(crate) topology: Arc<FileTopology>,
    pub(crate) stores: Stores,
    folder: PathBuf,
}

impl Cluster {
    /// A new cluster in an empty folder.
    pub(crate) fn create(folder: &Path, settled: &Settled) -> Result<Self, Failed> {
        fs::create_dir_all(folder)?;
        let topology_file = folder.join("topology.ringshift");
        if topology_file.exists() {
            let error = format!(
                "`{}` has a cluster already; go on with --resume, or take another folder",
                folder.display()
            );
            return Err(error.into());
        }
        let snapshot = first_snapshot(settled)?;
        let topology = Arc::new(FileTopology::new(&topology_file));
        topology.create(&snapshot)?;
        let mut cluster = Self {
            topology,
            stores: Stores::new(),
            folder: folder.to_path_buf(),
        };
        cluster.open_stores(&snapshot.content().shards)?;
        for (&shard, store) in &cluster.stores {
            let rows = home_installs(&snapshot, shard);
            let install = Command::Install {
                shard,
                term: Term(1),
                rows,
            };
            let answer = store.command(&install, &Chunks::default());
            if answer != Answer::Done {
                return Err(format!("shard {shard} can't be set up: {answer:?}").into());
            }
        }
        settled.write(folder)?;
        Ok(cluster)
    }

    /// The cluster that a killed run left.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failed> {
        let topology = Arc::new(FileTopology::new(folder.join("topology.ringshift")));
        let record = topology.load()?;
        let mut cluster = Self {
            topology,
            stores: Stores::new(),
            folder: folder.to_path_buf(),
        };
        cluster.open_stores(&record.snapshot.content().shards)?;
        for shards in [record.log.enlist, record.log.before].into_iter().flatten() {
            cluster.open_stores(&shards)?;
        }
        Ok(cluster)
    }

    /// Opens what isn't open yet; a shard's endpoint is its file's name.
    fn open_stores(&mut self, shards: &[Shard]) -> Result<(), Failed> {
        for shard in shards {
            if !self.stores.contains_key(&shard.id) {
                let options = SqliteOptions {
                    unfenced: shard.unfenced,
                    ..SqliteOptions::default()
                };
                let store = SqliteStore::open_with(self.folder.join(&shard.endpoint), options)?;
                self.stores.insert(shard.id, Arc::new(store));
            }
        }
        Ok(())
    }

    /// Plans what was asked for and opens the shards that join.
    pub(crate) fn plan(
        &mut self,
        settled: &Settled,
        wave_slots: u32,
        settings: &Settings,
        hot: &[&String],
    ) -> Result<Plan, Failed> {
        let snapshot = self.topology.load()?.snapshot;
        let changes = match settled.wish {
            Some(wish) => wish.changes(&snapshot, hot)?,
            None => shard_changes(settled, &snapshot)?,
        };
        let plan = if settled.strategy.is_none() && settled.wish.is_none() {
            plan(&snapshot, &changes, wave_slots)?
        } else {
            let options = PlanOptions {
                strategy: settled.strategy,
                settings: Some(settings.clone()),
                wave_slots_max: wave_slots,
                ..PlanOptions::default()
            };
            plan_with(&snapshot, &changes, &options)?
        };
        self.open_stores(plan.log.enlist.as_deref().unwrap_or_default())?;
        Ok(plan)
    }

    /// Whether a resumed run finds nothing to go on with: it was killed before its plan was written
    /// down.
    pub(crate) fn must_plan(&self, settled: &Settled) -> Result<bool, Failed> {
        let record = self.topology.load()?;
        let first = first_snapshot(settled)?;
        Ok(record.log == Log::default() && record.snapshot.digest() == first.digest())
    }
}

fn shard_changes(settled: &Settled, snapshot: &Snapshot) -> Result<Changes, Failed> {
    let known = &snapshot.content().shards;
    let next = known.iter().map(|shard| shard.id.0).max().unwrap_or(0) + 1;
    let add = (next..)
        .take(settled.added.into())
        .map(|id| shard(id, settled.unfenced).shard())
        .collect::<Result<Vec<_>, _>>()?;
    let remove = known
        .iter()
        .rev()
        .take(settled.removed.into())
        .map(|shard| shard.id);
    Ok(Changes {
        add,
        remove: remove.collect(),
        ..Changes::default()
    })
}

/// What every run of those settings begins with, a resumed one too.
pub(crate) fn first_snapshot(settled: &Settled) -> Result<Snapshot, Failed> {
    let shards = (1..=u32::from(SHARDS))
        .map(|id| shard(id, settled.unfenced))
        .collect();
    let keyspace = KeyspaceTopology {
        seed: settled.seed.to_string(),
        bits: settled.wish.map(Wished::bits),
        slotting: match settled.strategy {
            Some(Strategy::Adopt) => crc32_modulo(),
            _ => SlottingTopology::default(),
        },
        pins: settled.wish.map_or_else(Vec::new, Wished::pins),
        ..KeyspaceTopology::default()
    };
    let topology = Topology {
        cluster: "live-reshard".to_owned(),
        keyspaces: BTreeMap::from([(KEYSPACE.to_owned(), keyspace)]),
        shards,
        client_lease: settled.unfenced.then_some(LEASE),
    };
    Ok(topology.snapshot()?)
}

/// What is adopted: `crc32(key) % 4`, as clients have it that know of four servers.
fn crc32_modulo() -> SlottingTopology {
    SlottingTopology::Modulo(ModuloTopology {
        hash: ForeignHash::Crc32,
        seed: 0,
        buckets: SHARDS.into(),
        shards: Vec::new(),
    })
}

fn shard(id: u32, unfenced: bool) -> ShardTopology {
    ShardTopology {
        id: ShardId(id),
        name: format!("shard-{id}"),
        weight: 1.0,
        endpoint: format!("shard-{id}.db"),
        zone: String::new(),
        tags: Vec::new(),
        state: ShardState::Active,
        unfenced,
    }
}
