//! `ringshift status`.

use std::io::Write;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant as Clock};

use clap::Args;
use ringshift::migration::{Item, Request, Wish};
use ringshift::{DomainId, Phase, ShardState, Snapshot};
use ringshift_operator::client::Stores;
use ringshift_operator::topology::Record;
use ringshift_operator::verify::{Condition, condition, waves};
use serde::Serialize;

use crate::cli::CliError;
use crate::cli::carry::{load, under_way};
use crate::cli::interrupt::Interrupts;
use crate::cli::output::Table;
use crate::cli::stores::Shelf;
use crate::cli::words::next_step;

#[derive(Debug, Args)]
pub(super) struct Status {
    /// The topology record, as a coordinator keeps it
    #[arg(long, value_name = "FILE")]
    topology: PathBuf,
    /// Ask the shards too: the folder of their files, or a path with {name} or {id} in it
    #[arg(long, value_name = "FOLDER|PATTERN")]
    stores: Option<PathBuf>,
    /// Go on, and say again whenever something has changed, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// How often to look with --watch, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500)]
    every: u64,
    /// One JSON object, with --watch one a line
    #[arg(long)]
    json: bool,
}

/// All that is said.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Standing {
    cluster: String,
    epoch: u32,
    digest: String,
    /// The highest term that anybody led with.
    term: u32,
    /// Whether anybody has led that term, an agent or a command in the foreground.
    led: bool,
    /// The request that waits for whoever leads.
    request: Option<RequestLine>,
    /// Whether a migration is under way; what follows is about it.
    under_way: bool,
    strategy: Option<&'static str>,
    wish: Wish,
    /// Why it goes back or is paused, or why a wave has stepped back last.
    reason: String,
    /// Why it goes back, also while that is paused.
    back: Option<String>,
    /// The barrier that was begun.
    intent: Option<IntentLine>,
    /// Waves that haven't begun.
    planned: usize,
    finish_agreed: bool,
    open_items: Vec<Item>,
    waves: Vec<WaveLine>,
    shards: Vec<ShardLine>,
    /// What comes next, in words.
    next: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct RequestLine {
    number: u64,
    request: &'static str,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct IntentLine {
    wave: DomainId,
    #[serde(rename = "move")]
    goal: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct WaveLine {
    wave: DomainId,
    keyspace: String,
    from: String,
    to: String,
    phase: &'static str,
    ramp_ppm: u32,
    shadow_ppm: u32,
    slots: u32,
    /// Whether it is narrower than its slots: a key, a prefix, a range.
    narrowed: bool,
    epoch: u32,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct ShardLine {
    id: u32,
    name: String,
    state: ShardState,
    /// Whether it answered; `None` when it wasn't asked.
    answers: Option<bool>,
    #[serde(flatten)]
    condition: Condition,
}

pub(super) fn run(arguments: &Status, out: &mut dyn Write) -> Result<(), CliError> {
    let shelf = arguments
        .stores
        .as_deref()
        .map(|stores| Shelf::new(Some(stores), &arguments.topology));
    let interrupts = if arguments.watch {
        Some(Interrupts::listen("left".to_owned())?)
    } else {
        None
    };
    let (mut stores, mut before) = (Stores::new(), None);
    loop {
        let record = load(&arguments.topology)?;
        let standing = standing(&record, shelf.as_ref(), &mut stores);
        if before.as_ref() != Some(&standing) {
            tell(arguments, &standing, out)?;
            before = Some(standing);
        }
        let Some(interrupts) = &interrupts else {
            return Ok(());
        };
        let until = Clock::now() + Duration::from_millis(arguments.every.max(1));
        while Clock::now() < until {
            if interrupts.asked() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(arguments.every.clamp(1, 20)));
        }
    }
}

fn standing(record: &Record, shelf: Option<&Shelf>, stores: &mut Stores) -> Standing {
    let (snapshot, log) = (&record.snapshot, &record.log);
    let under_way = under_way(record);
    let name = |id| {
        let shard = snapshot.shard(id);
        shard.map_or_else(|| format!("#{id}"), |shard| shard.name.clone())
    };
    let settings = log.settings.as_deref().cloned().unwrap_or_default();
    let request = record.desk.request.as_ref();
    let shards = snapshot.content().shards.iter().map(|shard| {
        let found = shelf.map(|shelf| {
            if !stores.contains_key(&shard.id)
                && let Ok(store) = shelf.open(shard)
            {
                stores.insert(shard.id, store);
            }
            condition(snapshot, shard.id, stores)
        });
        ShardLine {
            id: shard.id.0,
            name: shard.name.clone(),
            state: shard.state,
            answers: found.as_ref().map(Option::is_some),
            condition: found.flatten().unwrap_or_default(),
        }
    });
    Standing {
        cluster: snapshot.cluster().to_owned(),
        epoch: snapshot.epoch().get(),
        digest: snapshot.digest().to_string(),
        term: record.term.0,
        led: record.desk.leader != 0,
        request: request.map(|waiting| RequestLine {
            number: waiting.number,
            request: request_name(&waiting.request),
        }),
        under_way,
        strategy: under_way.then(|| log.strategy.name()),
        wish: log.wish,
        reason: log.reason.clone(),
        back: log.back.clone(),
        intent: log.intent.map(|intent| IntentLine {
            wave: intent.domain,
            goal: intent.goal.to_string(),
        }),
        planned: log.planned.len(),
        finish_agreed: log.finish_agreed,
        open_items: if under_way {
            log.checklist.open(&settings)
        } else {
            Vec::new()
        },
        waves: wave_lines(snapshot, name),
        shards: shards.collect(),
        next: next_step(record),
    }
}

const fn request_name(request: &Request) -> &'static str {
    match request {
        Request::Begin(_) => "begin",
        Request::Pause { .. } => "pause",
        Request::Resume => "resume",
        Request::RollBack { .. } => "roll-back",
        Request::Readmit { .. } => "readmit",
        Request::AgreeToFinish => "agree-to-finish",
    }
}

fn wave_lines(snapshot: &Snapshot, name: impl Fn(ringshift::ShardId) -> String) -> Vec<WaveLine> {
    waves(snapshot)
        .map(|(keyspace, wave)| WaveLine {
            wave: wave.domain,
            keyspace: keyspace.name.clone(),
            from: name(wave.from),
            to: name(wave.to),
            phase: wave.state_name(),
            ramp_ppm: wave.ramp_ppm,
            shadow_ppm: wave.shadow_ppm,
            slots: wave.slot_count(),
            narrowed: wave.matches.is_some(),
            epoch: wave.epoch.get(),
        })
        .collect()
}

fn tell(arguments: &Status, standing: &Standing, out: &mut dyn Write) -> Result<(), CliError> {
    if arguments.json {
        let text = if arguments.watch {
            serde_json::to_string(standing)
        } else {
            serde_json::to_string_pretty(standing)
        };
        writeln!(out, "{}", text.map_err(std::io::Error::from)?)?;
        return Ok(out.flush()?);
    }
    writeln!(
        out,
        "cluster {}  epoch {}  term {}",
        standing.cluster, standing.epoch, standing.term
    )?;
    if standing.under_way {
        people(standing, out)?;
    }
    if let Some(RequestLine { number, request }) = &standing.request {
        writeln!(out, "request {number}, {request}, waits for whoever leads")?;
    }
    for shard in &standing.shards {
        let name = &shard.name;
        if shard.condition.shut {
            writeln!(
                out,
                "shard {name} is shut: its file is older than it was, or another; put the newest back, or say ringshift readmit {name}, and lose what it lacks"
            )?;
        }
        if shard.answers == Some(false) {
            writeln!(out, "shard {name} doesn't answer")?;
        }
        if !shard.condition.owes.is_empty() {
            let domains: Vec<String> = shard
                .condition
                .owes
                .iter()
                .map(ToString::to_string)
                .collect();
            let domains = domains.join(", ");
            writeln!(out, "shard {name} is still to be told of domains {domains}")?;
        }
    }
    writeln!(out, "next: {}", standing.next)?;
    if arguments.watch {
        writeln!(out)?;
    }
    Ok(out.flush()?)
}

fn people(standing: &Standing, out: &mut dyn Write) -> Result<(), CliError> {
    let way = match (standing.wish, &standing.back) {
        (Wish::Forward, _) => "goes forward",
        (Wish::Back, _) => "goes back",
        (Wish::Pause, None) => "paused",
        (Wish::Pause, Some(_)) => "paused on its way back",
    };
    let strategy = standing.strategy.unwrap_or_default();
    let reason = match standing.reason.as_str() {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    writeln!(out, "migration, {strategy}: {way}{reason}")?;
    if let Some(IntentLine { wave, goal }) = &standing.intent {
        writeln!(out, "barrier begun: wave {wave}, {goal}")?;
    }
    if !standing.open_items.is_empty() {
        let items: Vec<String> = standing
            .open_items
            .iter()
            .map(ToString::to_string)
            .collect();
        writeln!(out, "not seen to: {}", items.join(", "))?;
    }
    if !standing.waves.is_empty() {
        let headings = ["wave", "keyspace", "from", "to", ">slots", "phase", ">ramp"];
        let mut table = Table::new(&headings);
        for wave in &standing.waves {
            let ppm = wave.ramp_ppm;
            let ramp = if wave.phase == Phase::ReadNew.name() {
                format!("{}.{:02} %", ppm / 10_000, ppm / 100 % 100)
            } else {
                String::new()
            };
            let slots = if wave.narrowed {
                format!("part of {}", wave.slots)
            } else {
                wave.slots.to_string()
            };
            table.row(vec![
                wave.wave.to_string(),
                wave.keyspace.clone(),
                wave.from.clone(),
                wave.to.clone(),
                slots,
                wave.phase.to_owned(),
                ramp,
            ]);
        }
        out.write_all(table.text().as_bytes())?;
    }
    if standing.planned > 0 {
        writeln!(out, "{} waves haven't begun", standing.planned)?;
    }
    Ok(())
}
