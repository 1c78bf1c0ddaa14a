//! Carries a migration out in the foreground: progress, Ctrl-C, the word before the point of no
//! return, the report.

use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use clap::Args;
use ringshift::migration::{Coordinator, Ending, Gate, Health, Log, Move, Report, Settings, Wish};
use ringshift::{DomainId, Epoch, Term};
use ringshift_operator::Reporter;
use ringshift_operator::agent::draw_nonce;
use ringshift_operator::runner::{Observer, Runner, Witness};
use ringshift_operator::topology::{FileTopology, Record, TopologyStore};
use serde_json::json;

use crate::cli::CliError;
use crate::cli::health::{HealthFile, World};
use crate::cli::interrupt::Interrupts;
use crate::cli::progress::Show;
use crate::cli::stores::Shelf;

/// What carrying out needs to know, whichever command it is.
#[derive(Debug, Args)]
pub(super) struct Carry {
    /// The topology record, as a coordinator keeps it
    #[arg(long, value_name = "FILE")]
    pub(super) topology: PathBuf,
    /// The folder of the shards' files, or a path with {name} or {id} in it; the topology record's
    /// folder when left out
    #[arg(long, value_name = "FOLDER|PATTERN")]
    pub(super) stores: Option<PathBuf>,
    /// Where report.json and report.md go; beside the topology record when left out
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
    /// Agree to the point of no return beforehand
    #[arg(long)]
    pub(super) yes: bool,
    #[command(flatten)]
    world: World,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// How long to wait until an agent that leads has heard of it, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u64,
    /// One JSON object a line
    #[arg(long)]
    pub(super) json: bool,
}

/// Which way it is to go.
pub(super) enum Turn {
    /// Begin this.
    Begin(Box<Log>),
    /// Go on with what is under way, paused or not.
    GoOn,
    /// Take it back, for this reason.
    Back(String),
}

impl Carry {
    pub(super) fn record(&self) -> Result<Record, CliError> {
        load(&self.topology)
    }

    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(self.wait)
    }

    pub(super) fn shelf(&self) -> Shelf {
        Shelf::new(self.stores.as_deref(), &self.topology)
    }

    /// The command that goes on from here.
    pub(super) fn how(&self, command: &str) -> String {
        let mut text = format!("ringshift {command} --topology {}", self.topology.display());
        if let Some(stores) = &self.stores {
            let _ = write!(text, " --stores '{}'", stores.display());
        }
        text
    }

    fn report(&self, record: &Record) -> PathBuf {
        let epoch = record.snapshot.epoch();
        let report = self.report.clone();
        report.unwrap_or_else(|| report_folder(&self.topology, epoch))
    }
}

/// Where a report goes that nobody has named a place for. Each stretch of a migration that was
/// paused, or taken over, has its own.
pub(super) fn report_folder(topology: &Path, from: Epoch) -> PathBuf {
    let mut name = topology.to_owned().into_os_string();
    name.push(format!(".report/from-epoch-{from}"));
    name.into()
}

/// The record at `path`.
pub(super) fn load(path: &Path) -> Result<Record, CliError> {
    FileTopology::new(path).load().map_err(|error| {
        let text = CliError::topology(path)(error).text();
        CliError::Refused(format!(
            "{text}; a migration needs a record, ringshift init RECORD --from TOPOLOGY makes one"
        ))
    })
}

/// Whether a migration is under way.
pub(super) fn under_way(record: &Record) -> bool {
    record.log != Log::default()
}

pub(super) fn carry(arguments: &Carry, turn: &Turn, out: &mut dyn Write) -> Result<(), CliError> {
    let topology = Arc::new(FileTopology::new(&arguments.topology));
    let record = arguments.record()?;
    let wanted = match turn {
        Turn::Begin(log) => Some(Log::clone(log)),
        Turn::GoOn | Turn::Back(_) => None,
    };
    let listed = &record.snapshot.content().shards;
    let logs = [Some(&record.log), wanted.as_ref()];
    let joining = logs.into_iter().flatten().flat_map(|log| {
        let lists = [&log.enlist, &log.before];
        lists.into_iter().flatten().flatten()
    });
    // Nobody has led a new cluster yet, so no shard has anything; later only one that joins.
    let new = |id| record.term == Term(0) || record.snapshot.shard(id).is_none();
    let stores = arguments.shelf().all(listed.iter().chain(joining), new)?;
    let paused = record.log.wish == Wish::Pause;
    let goes_back = record.log.back.is_some() || matches!(turn, Turn::Back(_));
    let leaving = format!(
        "left at once; the migration stands as it is, go on with: {}",
        arguments.how(if goes_back { "rollback" } else { "resume" })
    );
    let interrupts = Interrupts::listen(leaving)?;
    let term = topology
        .draw_term()
        .map_err(CliError::topology(&arguments.topology))?;
    let runner = Runner::new(topology, stores);
    let settings = wanted.as_ref().and_then(|log| log.settings.as_deref());
    let settings = settings.or(record.log.settings.as_deref());
    let settings = Arc::new(settings.map_or_else(Settings::default, Settings::clone));
    let nonce = draw_nonce().map_err(CliError::Input)?;
    // It renews its lead, so that no agent that stands by takes over, and it hears requests.
    let mut coordinator = Coordinator::new(term, settings, wanted, runner.now())
        .led_by(nonce)
        .that_stays();
    if let Turn::Back(reason) = turn {
        coordinator.roll_back(reason);
    }
    let folder = arguments.report(&record);
    let watcher = Watcher {
        show: Show::new(out, arguments.json),
        runner: &runner,
        interrupts,
        asks: false,
        pausing: false,
        looked: None,
        health: arguments.world.file(),
        utc_offset: arguments.world.utc_offset,
    };
    let mut reporter = Reporter::new(&runner, watcher).writing(&folder).counting();
    let mut resumes = paused && matches!(turn, Turn::GoOn);
    let ending = loop {
        let ending = runner.run(&mut coordinator, &mut reporter);
        let watcher = reporter.behind_mut();
        if !matches!(ending, Ending::Paused { .. }) || watcher.interrupts.asked() {
            break ending;
        }
        let asked = std::mem::take(&mut watcher.asks);
        if asked && (arguments.yes || watcher.agreed()) {
            coordinator.agree_to_finish();
        } else if !resumes {
            break ending;
        }
        resumes = false;
        watcher.pausing = false;
        coordinator.resume();
    };
    let failure = reporter.failure().map(ToString::to_string);
    let watcher = reporter.behind_mut();
    let show = &mut watcher.show;
    show.end();
    let epoch = coordinator
        .snapshot()
        .map(|snapshot| snapshot.epoch().get());
    let written = match failure {
        None => format!("the report is in {}", folder.display()),
        Some(error) => format!("no report, {}: {error}", folder.display()),
    };
    let event = json!({
        "event": "ended", "ending": ending, "epoch": epoch, "report": folder.to_string_lossy(),
    });
    show.say(&written, &event);
    let end = ended(arguments, &ending, goes_back);
    if end.is_ok() && !show.is_json() {
        let text = match ending {
            Ending::RolledBack { .. } => "rolled back: everything is where it was before",
            _ => "complete",
        };
        show.say(text, &json!(null));
    }
    end
}

/// What an ending is to whoever waits for it.
fn ended(arguments: &Carry, ending: &Ending, goes_back: bool) -> Result<(), CliError> {
    match ending {
        Ending::Complete => Ok(()),
        Ending::RolledBack { .. } if goes_back => Ok(()),
        Ending::RolledBack { reason } => Err(CliError::RolledBack(format!(
            "the migration went back to where it began: {reason}"
        ))),
        Ending::Paused { reason } if goes_back => Err(CliError::Paused(format!(
            "paused, on the way back: {reason}; go on so with: {}",
            arguments.how("rollback")
        ))),
        Ending::Paused { reason } => Err(CliError::Paused(format!(
            "paused, nothing is lost: {reason}; go on with: {}; or take it back with: {}",
            arguments.how("resume"),
            arguments.how("rollback")
        ))),
        Ending::SteppedDown { term } => Err(CliError::Refused(format!(
            "a coordinator of term {} has taken over; see what it does with: ringshift status --watch --topology {}",
            term.0,
            arguments.topology.display()
        ))),
        Ending::Stuck(error) => Err(CliError::Refused(format!("{error} ({})", error.code()))),
    }
}

/// Looks on, and speaks for whoever sits in front.
struct Watcher<'o, 'r> {
    show: Show<'o>,
    runner: &'r Runner,
    interrupts: Interrupts,
    /// The point of no return is reached, and nobody has agreed to it.
    asks: bool,
    /// A pause was asked for already.
    pausing: bool,
    looked: Option<Clock>,
    health: HealthFile,
    utc_offset: i16,
}

impl Watcher<'_, '_> {
    /// Asks on the terminal, if there is one.
    fn agreed(&mut self) -> bool {
        if self.show.is_json() || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return false;
        }
        self.show.say(
            "The next step has no way back: the old copies are removed. The migration is paused until you say so.",
            &json!(null),
        );
        let _ = write!(io::stderr(), "Type `finish` to go on: ");
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        read.is_ok() && line.trim() == "finish"
    }
}

impl Witness for Watcher<'_, '_> {
    fn health(&mut self) -> Option<Health> {
        let health = self.health.news()?;
        self.show.health(&health);
        Some(health)
    }

    fn utc_offset_min(&mut self) -> i16 {
        self.utc_offset
    }
}

impl Observer for Watcher<'_, '_> {
    fn barrier(&mut self, goal: Move, wave: Option<DomainId>, pause: Duration) {
        self.show.barrier(goal, wave, pause);
    }

    fn reported(&mut self, report: &Report, coordinator: &Coordinator) {
        let now = self.runner.now();
        self.show.progress(report.progress(), coordinator, now);
    }

    fn waiting(&mut self, coordinator: &Coordinator) {
        let due = Duration::from_millis(200);
        if self.looked.is_none_or(|looked| looked.elapsed() >= due) {
            self.looked = Some(Clock::now());
            let held = coordinator.status().held;
            let mut verdicts = held.iter().flat_map(|held| &held.verdicts);
            self.asks = verdicts.any(|verdict| verdict.gate == Gate::Consent);
        }
    }

    fn wants_pause(&mut self, coordinator: &Coordinator) -> Option<String> {
        // There is nothing to pause before it is written down.
        let log = coordinator.log();
        if self.pausing || log.wish == Wish::Pause || *log == Log::default() {
            return None;
        }
        let reason = if self.interrupts.asked() {
            "stopped with Ctrl-C"
        } else if self.asks {
            "the next step has no way back, and nobody has agreed to it; --yes does"
        } else {
            return None;
        };
        self.pausing = true;
        Some(reason.to_owned())
    }
}
