//! The run, from the first record to the report.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant as Clock};

use ringshift::migration::{Coordinator, Ending, Settings};
use ringshift::{Policy, Router, ShardId, Snapshot, modulo_moved_share};
use ringshift_operator::client::Client;
use ringshift_operator::runner::Runner;
use ringshift_operator::topology::TopologyStore;

use crate::checker::check;
use crate::cluster::{Cluster, Failed, KEYSPACE, Settled};
use crate::dataset::Dataset;
use crate::history::{self, KeyId, Op, Recorders};
use crate::latency::Meter;
use crate::options::Options;
use crate::report::{Barriers, Checked, Moved, Report};
use crate::watch::{Disturbance, Watch};
use crate::workload::{Done, Shared, Stage, Worker};
use crate::zipf::Zipf;

/// How long clients run before the migration begins, and after it.
struct Windows {
    warm_up: Duration,
    before: Duration,
    after: Duration,
}

impl Windows {
    fn of(options: &Options) -> Self {
        let ms = if options.brisk {
            [20, 50, 20]
        } else {
            [500, 3_000, 300]
        };
        let [warm_up, before, after] = ms.map(Duration::from_millis);
        Self {
            warm_up,
            before,
            after,
        }
    }
}

/// Soaks short enough to watch, where a real migration takes a week.
fn settings(options: &Options) -> Settings {
    if options.brisk {
        return Settings {
            shadow_ms: 5,
            ramps_ppm: vec![250_000, 1_000_000],
            ramp_ms: 1,
            reversed_ms: 10,
            chunk_rows: 4,
            lag_rows_max: 4,
            checkpoint_chunks: 2,
            ..Settings::default()
        };
    }
    Settings {
        shadow_ms: 100,
        ramp_ms: 20,
        reversed_ms: 500,
        ..Settings::default()
    }
}

pub(crate) fn run(options: &Options, disturbance: Disturbance) -> Result<Report, Failed> {
    let clock = Clock::now();
    let folder = Folder::of(options)?;
    let settled = if options.resume {
        Settled::read(&folder.path)?
    } else {
        Settled::of(options)
    };
    let dataset = dataset(&settled)?;
    let keys = dataset.keys();
    let mut cluster = if options.resume {
        Cluster::open(&folder.path)?
    } else {
        let cluster = Cluster::create(&folder.path, settled.seed)?;
        settled.write(&folder.path)?;
        cluster
    };
    let begun = cluster.topology.load()?;
    let (recorders, past) = recorders(options, &folder.path, &keys)?;
    let count = u32::try_from(keys.len())?;
    let shared = Shared {
        keys: keys.clone(),
        records: dataset.records,
        zipf: Zipf::new(count, settled.seed).ok_or("there are no records")?,
        stage: Stage::default(),
        clock,
        clock_from_ns: past.last_ns,
        next_value: AtomicU64::new(past.value_max + 1),
    };
    let plan = if !options.resume || cluster.must_plan(&settled)? {
        Some(cluster.plan(&settled, options.wave_slots)?)
    } else {
        None
    };
    let waves = plan
        .as_ref()
        .map_or(begun.log.planned.len(), |plan| plan.log.planned.len());
    let crew = Crew::new(&cluster, &begun.snapshot, options.threads, settled.seed);
    let mut watch = Watch::new(disturbance, waves, options.quiet || options.json, clock)?;
    let mut crew_done = Vec::new();
    if !options.resume {
        crew_done = load(&shared, &crew, &recorders, count)?;
    }

    let windows = Windows::of(options);
    let mut during = Duration::ZERO;
    let mut ending = Ending::Complete;
    let traffic = with_traffic(&shared, &crew, &recorders, || {
        thread::sleep(windows.warm_up);
        shared.stage.set(Stage::BEFORE);
        thread::sleep(windows.before);
        shared.stage.set(Stage::DURING);
        let began = Clock::now();
        let term = ringshift::Term(begun.term.0 + 1);
        let runner = Runner::new(cluster.topology.clone(), cluster.stores.clone());
        let log = plan.as_ref().map(|plan| plan.log.clone());
        let mut coordinator =
            Coordinator::new(term, Arc::new(settings(options)), log, runner.now());
        ending = runner.run(&mut coordinator, &mut watch);
        during = began.elapsed();
        shared.stage.set(Stage::COOL_DOWN);
        thread::sleep(windows.after);
        Ok(coordinator.mismatches().len())
    })?;
    watch.finish();
    if let Ending::Stuck(error) = &ending {
        return Err(format!("the migration is stuck: {error}").into());
    }

    let mut last = Worker::new(&shared, crew.client(0), recorders.client(), settled.seed)?;
    last.read_all(0..count)?;
    crew_done.extend(traffic.crew);
    crew_done.push(last.finish()?);

    let mut report = Report {
        seed: settled.seed,
        source: dataset.source,
        records: u64::from(count),
        clients: options.threads.into(),
        shards_before: begun.snapshot.content().shards.len() as u64,
        ending: match &ending {
            Ending::Complete => "complete".to_owned(),
            Ending::RolledBack { reason } => format!("rolled back: {reason}"),
            Ending::Paused { reason } => format!("paused: {reason}"),
            Ending::SteppedDown { term } => format!("stepped down before term {term}"),
            Ending::Stuck(error) => format!("stuck: {error}"),
        },
        mismatches: traffic.mismatches as u64,
        retries: crew.sum(Client::retries),
        refreshes: crew.sum(Client::refreshes),
        barriers: Barriers::new(&watch.pauses),
        catch_up_lag_rows_max: watch.lag_rows_max,
        steps: std::mem::take(&mut watch.steps),
        ..Report::default()
    };
    let mut meter = Meter::new()?;
    let mut ops: Vec<Op> = past.ops;
    for part in crew_done {
        meter.merge(&part.meter);
        ops.extend(part.ops);
    }
    report.set_traffic(&meter, windows.before.as_secs_f64(), during.as_secs_f64());
    let end = cluster.topology.load()?.snapshot;
    report.shards_after = end.content().shards.len() as u64;
    report.moved = moved(&begun.snapshot, &end, &keys)?;
    let checking = Clock::now();
    report.checked = Checked::new(&check(&ops, |_| None), checking.elapsed().as_secs_f64());
    if let Some(path) = &options.history {
        history::save(path, &ops, &keys)?;
    }
    report.duration_s = clock.elapsed().as_secs_f64();
    Ok(report)
}

fn dataset(settled: &Settled) -> Result<Dataset, Failed> {
    let mut dataset = match &settled.input {
        Some(path) => Dataset::from_input(path)?,
        None => Dataset::bundled()?,
    };
    if let Some(count) = settled.records {
        dataset.keep_first(count);
    }
    Ok(dataset)
}

/// Where the shards live; a temporary folder is removed at the end.
struct Folder {
    path: PathBuf,
    temporary: bool,
}

impl Folder {
    fn of(options: &Options) -> Result<Self, Failed> {
        if let Some(path) = &options.dir {
            return Ok(Self {
                path: path.clone(),
                temporary: false,
            });
        }
        let name = format!("live_reshard-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path)?;
        Ok(Self {
            path,
            temporary: true,
        })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary {
            // Best effort: it lies among temporary files.
            let _left = fs::remove_dir_all(&self.path);
        }
    }
}

/// Recorders, and what was recorded before a resumed run.
fn recorders(
    options: &Options,
    folder: &Path,
    keys: &Arc<[String]>,
) -> Result<(Recorders, history::Loaded), Failed> {
    let journal = folder.join("history.jsonl");
    if options.resume {
        Ok(history::resume(&journal, keys.clone())?)
    } else if options.dir.is_some() {
        Ok((
            history::create(&journal, keys.clone())?,
            history::Loaded::default(),
        ))
    } else {
        Ok((Recorders::in_memory(), history::Loaded::default()))
    }
}

/// The clients: most share one map, one learns of changes only by being refused, one learns of
/// them before the shards do.
struct Crew {
    shared: Client,
    stale: Client,
    ahead: Client,
    threads: u16,
    seed: u64,
}

impl Crew {
    fn new(cluster: &Cluster, map: &Arc<Snapshot>, threads: u16, seed: u64) -> Self {
        let client = || {
            let topology: Arc<dyn TopologyStore> = cluster.topology.clone();
            // Never the name of a killed run's client: a store that sees an operation's id again
            // takes it for a repeat, and changes nothing.
            let name = fastrand::u64(..);
            let stores = cluster.stores.clone();
            Client::new(map.clone(), stores, topology, Policy::default(), name)
        };
        Self {
            shared: client(),
            stale: client(),
            ahead: client(),
            threads,
            seed,
        }
    }

    /// The client of a thread: of eight threads, one is stale and one ahead.
    fn client(&self, thread: u16) -> &Client {
        match thread % 8 {
            6 => &self.stale,
            7 => &self.ahead,
            _ => &self.shared,
        }
    }

    fn sum(&self, figure: impl Fn(&Client) -> u64) -> u64 {
        [&self.shared, &self.stale, &self.ahead]
            .into_iter()
            .map(figure)
            .sum()
    }
}

struct Traffic {
    crew: Vec<Done>,
    mismatches: usize,
}

/// Runs `work` while all clients read and write.
fn with_traffic(
    shared: &Shared,
    crew: &Crew,
    recorders: &Recorders,
    work: impl FnOnce() -> Result<usize, Failed>,
) -> Result<Traffic, Failed> {
    let watching = AtomicBool::new(true);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..crew.threads)
            .map(|thread| {
                let recorder = recorders.client();
                let seed = crew
                    .seed
                    .wrapping_mul(0x9e37_79b9)
                    .wrapping_add(thread.into());
                scope.spawn(move || -> Result<Done, Failed> {
                    let mut worker = Worker::new(shared, crew.client(thread), recorder, seed)?;
                    worker.run()?;
                    Ok(worker.finish()?)
                })
            })
            .collect();
        scope.spawn(|| watch_topology(crew, &watching));
        let worked = work();
        shared.stage.set(Stage::OVER);
        watching.store(false, Ordering::Relaxed);
        let mut done = Vec::new();
        for thread in threads {
            done.push(thread.join().map_err(|_| "a client panicked")??);
        }
        Ok(Traffic {
            crew: done,
            mismatches: worked?,
        })
    })
}

/// Tells the client that is to be ahead of every change at once, and the shared one now and then.
fn watch_topology(crew: &Crew, watching: &AtomicBool) {
    let mut tick = 0_u32;
    while watching.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(1));
        tick += 1;
        if tick.is_multiple_of(50) {
            look_for_news(&crew.shared);
        }
        look_for_news(&crew.ahead);
    }
}

fn look_for_news(client: &Client) {
    let epoch = client.router().snapshot().epoch();
    if let Ok(Some(snapshot)) = client.topology().fetch(epoch) {
        client.install(snapshot);
    }
}

/// Puts the first value of every key there, through the clients, as everything later.
fn load(
    shared: &Shared,
    crew: &Crew,
    recorders: &Recorders,
    count: u32,
) -> Result<Vec<Done>, Failed> {
    let threads = u32::from(crew.threads);
    thread::scope(|scope| {
        let loaders: Vec<_> = (0..threads)
            .map(|thread| {
                let recorder = recorders.client();
                scope.spawn(move || -> Result<Done, Failed> {
                    let mut worker = Worker::new(shared, crew.client(0), recorder, 0)?;
                    let keys = (0..count).filter(|key: &KeyId| key % threads == thread);
                    worker.load(keys)?;
                    Ok(worker.finish()?)
                })
            })
            .collect();
        let mut done = Vec::new();
        for loader in loaders {
            done.push(loader.join().map_err(|_| "a loader panicked")??);
        }
        Ok(done)
    })
}

/// What moved, by the keys and slots of the first and the last snapshot.
fn moved(before: &Arc<Snapshot>, after: &Arc<Snapshot>, keys: &[String]) -> Result<Moved, Failed> {
    let (old, new) = (Router::new(before.clone()), Router::new(after.clone()));
    let (old_keys, new_keys) = (old.keyspace(KEYSPACE)?, new.keyspace(KEYSPACE)?);
    let mut keys_moved = 0_u32;
    for key in keys {
        let there = before.shard_id(old_keys.route(key.as_bytes())?.shard);
        let here = after.shard_id(new_keys.route(key.as_bytes())?.shard);
        keys_moved += u32::from(there != here);
    }
    let owners = |snapshot: &Snapshot| -> Vec<Option<ShardId>> {
        let tables = snapshot.content().keyspaces.iter().flat_map(|k| k.table());
        tables.map(|owner| snapshot.shard_id(owner)).collect()
    };
    let (old_owners, new_owners) = (owners(before), owners(after));
    let slots = old_owners
        .iter()
        .zip(&new_owners)
        .filter(|(old, new)| old != new)
        .count();
    let count = |snapshot: &Snapshot| u32::try_from(snapshot.content().shards.len());
    let (had, has) = (count(before)?, count(after)?);
    let modulo = modulo_moved_share(had, has).map_or(0.0, |(moved, of)| share(moved, of));
    Ok(Moved {
        slots_total: old_owners.len() as u64,
        slots: slots as u64,
        keys: keys_moved.into(),
        keys_share: share(keys_moved.into(), keys.len() as u64),
        keys_share_ideal: share(had.abs_diff(has).into(), had.max(has).into()),
        keys_share_modulo: modulo,
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}
