//! `ringshift agent`: lead when nobody else does, stand by while somebody does.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use ringshift::Shard;
use ringshift::migration::{
    Agent as Machine, Answer, Command, Coordinator, Ending, Health, Point, Settings,
};
use ringshift_operator::agent::{self, Post};
use ringshift_operator::client::Stores;
use ringshift_operator::runner::{Event, Runner, Witness};
use ringshift_operator::store::{SqliteStore, Store};
use ringshift_operator::topology::{FileTopology, TopologyStore};
use serde_json::{Value, json};

use crate::cli::CliError;
use crate::cli::health::{HealthFile, World};
use crate::cli::stores::Shelf;
use crate::cli::story::Story;

/// The lease of an agent that is told nothing else.
const LEASE_MS: u32 = 2_000;

/// What may be said about an agent.
#[derive(Debug, Args)]
pub(super) struct Agent {
    /// The topology record, as a coordinator keeps it
    #[arg(long, value_name = "FILE")]
    topology: PathBuf,
    /// The folder of the shards' files, each `NAME.db` unless the shard's endpoint says otherwise,
    /// or a path with {name} or {id} in it; the topology record's folder when left out
    #[arg(long, value_name = "FOLDER|PATTERN")]
    stores: Option<PathBuf>,
    /// Where report.json and report.md go when a migration ends that it led; beside the topology
    /// record when left out
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
    #[command(flatten)]
    world: World,
    /// What this agent is called in what it prints
    #[arg(long, value_name = "NAME", default_value = "agent")]
    name: String,
    /// Settings as JSON; the same for all agents of a cluster
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// End with the first migration that ends
    #[arg(long)]
    once: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Stop for good before this step, as if killed: a move and a stage, `switch/swap` say
    #[arg(long, value_name = "POINT", hide = true)]
    freeze_at: Option<String>,
}

pub(super) fn run(args: &Agent, out: &mut dyn Write) -> Result<(), CliError> {
    let topology = Arc::new(FileTopology::new(&args.topology));
    let refuse = CliError::topology(&args.topology);
    let record = topology.load().map_err(refuse)?;
    let settings = match &args.settings {
        Some(path) => settings(path)?,
        None => Settings {
            lease_ms: LEASE_MS,
            ..Settings::default()
        },
    };
    let freeze_at = match &args.freeze_at {
        Some(name) => {
            let point = Point::from_name(name);
            Some(point.ok_or_else(|| CliError::Usage(format!("there is no point `{name}`")))?)
        }
        None => None,
    };
    let mut desk = Desk {
        shelf: Shelf::new(args.stores.as_deref(), &args.topology),
        story: Story::new(args.report.as_deref(), &args.topology),
        health: args.world.file(),
        utc_offset: args.world.utc_offset,
        name: args.name.clone(),
        json: args.json,
        freeze_at,
        out,
    };
    let mut stores = Stores::new();
    for shard in &record.snapshot.content().shards {
        if let Some(store) = desk.open(shard) {
            stores.insert(shard.id, store);
        }
    }
    let runner = Runner::new(topology, stores);
    let nonce = agent::draw_nonce().map_err(CliError::Input)?;
    let mut machine = Machine::new(nonce, Arc::new(settings), runner.now());
    desk.say("stands by", json!({ "event": "standby" }));
    // Whoever wants it to stop kills it: a standby takes over a lease later, and nothing is lost.
    let stop = AtomicBool::new(false);
    match agent::run(&runner, &mut machine, &mut desk, &stop, args.once) {
        Some(Ending::Stuck(error)) => Err(CliError::Refused(error.to_string())),
        _ => Ok(()),
    }
}

fn settings(path: &Path) -> Result<Settings, CliError> {
    let refuse = |text: String| CliError::Refused(format!("`{}`: {text}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))
}

/// Where an agent's stores are, and what it says.
struct Desk<'o> {
    shelf: Shelf,
    story: Story,
    health: HealthFile,
    utc_offset: i16,
    name: String,
    json: bool,
    freeze_at: Option<Point>,
    out: &'o mut dyn Write,
}

impl Desk<'_> {
    fn say(&mut self, text: &str, mut event: Value) {
        // Whoever reads along may have gone; the work goes on.
        let _ = if self.json {
            if let Some(fields) = event.as_object_mut() {
                fields.insert("agent".to_owned(), self.name.as_str().into());
            }
            writeln!(self.out, "{event}")
        } else {
            writeln!(self.out, "{}: {text}", self.name)
        };
        let _ = self.out.flush();
    }
}

impl Witness for Desk<'_> {
    fn health(&mut self) -> Option<Health> {
        let health = self.health.news()?;
        self.story.health(&health);
        Some(health)
    }

    fn seen(&mut self, seen: &Health, _coordinator: &Coordinator) {
        self.story.seen(seen);
    }

    fn utc_offset_min(&mut self) -> i16 {
        self.utc_offset
    }
}

impl Post for Desk<'_> {
    fn open(&mut self, shard: &Shard) -> Option<Arc<dyn Store>> {
        match SqliteStore::open(self.shelf.path(shard)) {
            Ok(store) => Some(Arc::new(store)),
            Err(error) => {
                let (shard, error) = (&shard.name, error.to_string());
                let text = format!("can't open shard `{shard}`: {error}");
                self.say(
                    &text,
                    json!({ "event": "closed", "shard": shard, "error": error }),
                );
                None
            }
        }
    }

    fn before(&mut self, point: Point, _coordinator: &Coordinator) {
        if self.freeze_at == Some(point) {
            let point = point.to_string();
            self.say(
                &format!("stops before {point}"),
                json!({ "event": "frozen", "point": point }),
            );
            loop {
                std::thread::sleep(Duration::from_secs(3_600));
            }
        }
    }

    fn after(&mut self, point: Point, command: &Command, answer: &Answer, _: &Coordinator) {
        if let (Command::Swap { snapshot, .. }, Answer::Swapped) = (command, answer) {
            let (goal, epoch) = (point.goal.name(), snapshot.epoch().get());
            let text = format!("epoch {epoch}: {goal}");
            self.say(
                &text,
                json!({ "event": "epoch", "epoch": epoch, "move": goal }),
            );
        }
    }

    fn told(&mut self, event: &Event<'_>, coordinator: &Coordinator) {
        self.story.told(event, coordinator);
    }

    fn leads(&mut self, leads: bool) {
        let (text, event) = if leads {
            ("leads", "lead")
        } else {
            ("no longer leads", "standby")
        };
        self.say(text, json!({ "event": event }));
    }

    fn ended(&mut self, ending: &Ending) {
        let text = match ending {
            Ending::Complete => "complete".to_owned(),
            Ending::RolledBack { reason } => format!("rolled back: {reason}"),
            Ending::Paused { reason } => format!("paused: {reason}"),
            Ending::SteppedDown { term } => format!("stepped down for term {}", term.0),
            Ending::Stuck(error) => format!("can't go on: {error}"),
        };
        let report = match self.story.end(ending) {
            Some(Ok(folder)) => Some(folder.to_string_lossy().into_owned()),
            Some(Err(error)) => {
                let text = format!("can't write the report: {error}");
                self.say(
                    &text,
                    json!({ "event": "no-report", "error": error.to_string() }),
                );
                None
            }
            None => None,
        };
        self.say(
            &text,
            json!({ "event": "ended", "ending": ending, "report": report }),
        );
    }
}
