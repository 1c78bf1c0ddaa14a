//! The run, from the first record to the report.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::{Duration, Instant as Clock};

use parking_lot::Mutex;
use ringshift::Snapshot;
use ringshift::migration::{Ending, Plan, Point, Settings};
use ringshift_operator::client::Client;
use ringshift_operator::topology::TopologyStore;

use crate::checker::check;
use crate::cluster::{Cluster, Failed, Settled, first_snapshot};
use crate::crew::Crew;
use crate::dataset::{Dataset, Record};
use crate::disturb::Disturbance;
use crate::history::{self, Op, Recorders};
use crate::latency::Meter;
use crate::moved::moved;
use crate::options::Options;
use crate::outside::{Harm, Outsiders, machine_ns};
use crate::pace::{Windows, settings};
use crate::place::{is_restored, misplaced};
use crate::report::{Barriers, Checked, Report};
use crate::succession::lead;
use crate::watch::Watch;
use crate::wish::Wished;
use crate::workload::{Done, Shared, Stage, Worker};
use crate::zipf::Zipf;

/// A run that is over.
pub(crate) struct Ran {
    pub(crate) report: Report,
    /// Every step that its coordinators went through.
    pub(crate) steps: Vec<Point>,
}

/// Runs everything that the options ask for; the report says whether anything was lost.
pub(crate) fn run(options: &Options, disturbance: Disturbance) -> Result<Ran, Failed> {
    let (clock, origin_ns) = (Clock::now(), machine_ns());
    let folder = Folder::of(options)?;
    let settled = Settled::of(options, &folder.path)?;
    let dataset = dataset(&settled)?;
    let keys = dataset.keys();
    let mut cluster = if options.resume {
        Cluster::open(&folder.path)?
    } else {
        Cluster::create(&folder.path, &settled)?
    };
    let begun = cluster.topology.load()?;
    let count = u32::try_from(keys.len())?;
    let zipf = Zipf::new(count, settled.seed).ok_or("there are no records")?;
    let settings = Arc::new(settings(options, &settled));
    let must_plan = !options.resume || cluster.must_plan(&settled)?;
    let hot: Vec<_> = zipf
        .hottest(3)
        .filter_map(|key| keys.get(key as usize))
        .collect();
    let plan = must_plan.then(|| cluster.plan(&settled, options.wave_slots, &settings, &hot));
    let plan = plan.transpose()?;
    let (recorders, past) = recorders(options, &folder.path, &keys)?;
    let shared = Shared {
        keys: keys.clone(),
        records: dataset.records,
        zipf,
        stage: Stage::default(),
        clock,
        clock_from_ns: past.last_ns,
        next_value: AtomicU64::new(past.value_max + 1),
    };
    let crew = Crew::new(&cluster, &begun.snapshot, options.threads, settled.seed);
    let mut done = Vec::new();
    if !options.resume {
        done = crew.load(&shared, &recorders, count)?;
    }
    let planned = plan.as_ref().map_or(&begun.log, |plan| &plan.log);
    let outsiders = outsiders(options, &folder.path, &shared.records, settled.seed)?;
    let quiet = options.quiet || options.json;
    let waves = planned.planned.len();
    let watch = Mutex::new(Watch::new(disturbance, outsiders, waves, quiet, clock)?);
    let (migration, crew_done) = crew.with_traffic(&shared, &recorders, || {
        let migration = migrate(options, &cluster, &settings, plan.as_ref(), &shared, &watch);
        let mut watch = watch.lock();
        watch.outside_error.take().map_or(Ok(()), Err)?;
        watch.outsiders.stop()?;
        migration
    })?;
    done.extend(crew_done);
    let mut watch = watch.into_inner();
    let from_ns = past.last_ns;
    let (outside, outside_ops) = watch.outsiders.histories(&keys, origin_ns, from_ns)?;
    let mut past_ops = past.ops;
    past_ops.extend(outside_ops);
    let mut last = Worker::new(&shared, crew.client(0), recorders.client(), settled.seed)?;
    last.read_all(0..count)?;
    done.push(last.finish()?);

    let end = cluster.topology.load()?.snapshot;
    let mut report = Report {
        strategy: settled.strategy.map(|strategy| strategy.to_string()),
        wish: settled.wish.map(Wished::name),
        takeovers: migration.takeovers,
        seed: settled.seed,
        source: dataset.source,
        records: u64::from(count),
        clients: options.threads.into(),
        shards_before: begun.snapshot.content().shards.len() as u64,
        shards_after: end.content().shards.len() as u64,
        ending: migration.ending,
        moved: moved(&begun.snapshot, &end, &keys)?,
        shadow_reads: crew.sum(|client| client.shadow_figures().same),
        mismatches: migration.mismatches as u64
            + crew.sum(|client| client.shadow_figures().mismatches),
        retries: crew.sum(Client::retries),
        refreshes: crew.sum(Client::refreshes),
        barriers: Barriers::new(&watch.pauses),
        catch_up_lag_rows_max: watch.lag_rows_max,
        steps: std::mem::take(&mut watch.steps),
        outside,
        ..Report::default()
    };
    let all_back = migration.went_back && !watch.kept && !options.resume;
    let plan = plan.filter(|_| !migration.went_back);
    let first = Arc::new(first_snapshot(&settled)?);
    look_where(&mut report, [&first, &end], all_back, plan.as_ref(), &keys)?;
    let ops = judge(&mut report, &migration.windows, past_ops, done)?;
    if let Some(path) = &options.history {
        history::save(path, &ops, &keys)?;
    }
    report.duration_s = clock.elapsed().as_secs_f64();
    Ok(Ran {
        report,
        steps: watch.points,
    })
}

/// What a migration leaves beside what its observer has seen.
struct Migration {
    ending: String,
    went_back: bool,
    mismatches: usize,
    takeovers: u64,
    /// How long clients were measured before it, and during it.
    windows: (Duration, Duration),
}

/// Lets the clients run for a while, migrates, and lets them run on for a while.
fn migrate(
    options: &Options,
    cluster: &Cluster,
    settings: &Arc<Settings>,
    plan: Option<&Plan>,
    shared: &Shared,
    watch: &Mutex<Watch>,
) -> Result<Migration, Failed> {
    let windows = Windows::of(options);
    thread::sleep(windows.warm_up);
    shared.stage.set(Stage::BEFORE);
    thread::sleep(windows.before);
    shared.stage.set(Stage::DURING);
    let clock = Clock::now();
    let log = plan.map(|plan| &plan.log);
    let led = lead(cluster, settings, log, watch)?;
    let during = clock.elapsed();
    shared.stage.set(Stage::COOL_DOWN);
    thread::sleep(windows.after);
    watch.lock().finish();
    let went_back = matches!(led.ending, Ending::RolledBack { .. });
    let ending = match led.ending {
        Ending::Complete => "complete".to_owned(),
        Ending::RolledBack { reason } => format!("rolled back: {reason}"),
        Ending::Paused { reason } => format!("paused: {reason}"),
        Ending::SteppedDown { term } => format!("stepped down before term {term}"),
        Ending::Stuck(error) => return Err(format!("the migration is stuck: {error}").into()),
    };
    Ok(Migration {
        ending,
        went_back,
        mismatches: led.mismatches,
        takeovers: led.takeovers,
        windows: (windows.before, during),
    })
}

/// Adds whether everything ended where it was to. A resumed run has no plan: it doesn't know all
/// that was planned, nor what is over for good.
fn look_where(
    report: &mut Report,
    [first, end]: [&Arc<Snapshot>; 2],
    all_back: bool,
    plan: Option<&Plan>,
    keys: &[String],
) -> Result<(), Failed> {
    if all_back {
        report.restored = Some(is_restored(first, end));
        report.misplaced = misplaced(first, end, &[], keys)?;
    } else if let Some(plan) = plan {
        report.misplaced = misplaced(first, end, &plan.log.planned, keys)?;
    }
    Ok(())
}

/// Checks every operation and adds what was measured; answers the operations.
fn judge(
    report: &mut Report,
    (before, during): &(Duration, Duration),
    past: Vec<Op>,
    done: Vec<Done>,
) -> Result<Vec<Op>, Failed> {
    let mut meter = Meter::new()?;
    let mut ops = past;
    for part in done {
        meter.merge(&part.meter);
        ops.extend(part.ops);
    }
    report.set_traffic(&meter, before.as_secs_f64(), during.as_secs_f64());
    let clock = Clock::now();
    let verdict = check(&ops, |_| None);
    report.checked = Checked::new(&verdict, clock.elapsed().as_secs_f64());
    if !verdict.is_clean() {
        eprintln!("{verdict}");
    }
    Ok(ops)
}

fn outsiders(
    options: &Options,
    folder: &Path,
    records: &[Record],
    seed: u64,
) -> Result<Outsiders, Failed> {
    let harm = Harm {
        kill: options.kill_outside,
        freeze: options.freeze_outside,
    };
    Outsiders::start(&options.outside, harm, folder, records, seed)
}

fn dataset(settled: &Settled) -> Result<Dataset, Failed> {
    let mut dataset = match &settled.input {
        Some(path) => Dataset::from_input(path)?,
        None => Dataset::bundled()?,
    };
    if let Some(count) = settled.records {
        dataset.keep_first(count);
    }
    if settled.wish.is_some_and(Wished::is_about_keys) {
        dataset.give_to_tenants();
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
