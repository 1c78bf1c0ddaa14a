//! `ringshift pause`, `resume`, `rollback`, `readmit`: what is said to a migration under way. Whoever
//! leads is asked; where nobody does, it is done here and now.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ringshift::Phase;
use ringshift::migration::{Request, Wish};
use ringshift_operator::topology::{FileTopology, Record};
use ringshift_operator::verify::waves;
use serde_json::json;

use crate::cli::CliError;
use crate::cli::carry::{Carry, Turn, carry, load, under_way};
use crate::cli::follow::follow;
use crate::cli::leader::{ask, is_led};
use crate::cli::readmit::take_back;

#[derive(Debug, Args)]
pub(super) struct Resume {
    #[command(flatten)]
    carry: Carry,
}

#[derive(Debug, Args)]
pub(super) struct RollBack {
    /// Why; it stands in the log and in the report
    #[arg(long, value_name = "TEXT", default_value = "asked for")]
    reason: String,
    #[command(flatten)]
    carry: Carry,
}

#[derive(Debug, Args)]
pub(super) struct Pause {
    /// The topology record, as a coordinator keeps it
    #[arg(long, value_name = "FILE")]
    topology: PathBuf,
    /// Why; it stands in the log
    #[arg(long, value_name = "TEXT", default_value = "asked for")]
    reason: String,
    /// How long to wait until it was heard, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u64,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Readmit {
    /// The shard, by name or number
    #[arg(value_name = "SHARD")]
    shard: String,
    #[command(flatten)]
    carry: Carry,
}

pub(super) fn pause(arguments: &Pause, out: &mut dyn Write) -> Result<(), CliError> {
    let record = load(&arguments.topology)?;
    if !under_way(&record) {
        return Err(nothing());
    }
    if record.log.wish == Wish::Pause {
        let text = format!("it is paused already: {}", record.log.reason);
        return say(arguments.json, out, &text);
    }
    if arguments.dry_run {
        let text = "would ask whoever leads to pause after the present move";
        return say(arguments.json, out, text);
    }
    let topology = FileTopology::new(&arguments.topology);
    if !is_led(&topology, &record)? {
        return Err(CliError::Unheard(format!(
            "nobody leads, so the migration stands still as it is; go on with: ringshift resume --topology {0} --stores FOLDER; or take it back with: ringshift rollback --topology {0} --stores FOLDER",
            arguments.topology.display()
        )));
    }
    let reason = arguments.reason.clone();
    let patience = Duration::from_secs(arguments.wait);
    ask(&topology, Request::Pause { reason }, patience)?;
    let epoch = load(&arguments.topology)?.snapshot.epoch();
    say(arguments.json, out, &format!("paused, at epoch {epoch}"))
}

pub(super) fn resume(arguments: &Resume, out: &mut dyn Write) -> Result<(), CliError> {
    let record = arguments.carry.record()?;
    if !under_way(&record) {
        return Err(nothing());
    }
    if arguments.carry.dry_run {
        let text = match (record.log.wish, &record.log.back) {
            (Wish::Pause, None) => "would go on with the paused migration",
            (Wish::Pause, Some(_)) => "would go on with the paused migration, on its way back",
            (Wish::Forward, _) => "it isn't paused; would carry it out from where it stands",
            (Wish::Back, _) => "it goes back; would carry that out from where it stands",
        };
        return say(arguments.carry.json, out, text);
    }
    go_on(&arguments.carry, &record, out)
}

/// Goes on with what is under way: by whoever leads, or here.
pub(super) fn go_on(
    arguments: &Carry,
    record: &Record,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let topology = FileTopology::new(&arguments.topology);
    if !is_led(&topology, record)? {
        return carry(arguments, &Turn::GoOn, out);
    }
    if arguments.yes {
        ask(&topology, Request::AgreeToFinish, arguments.patience())?;
    }
    if record.log.wish == Wish::Pause {
        ask(&topology, Request::Resume, arguments.patience())?;
    }
    say(
        arguments.json,
        out,
        "whoever leads goes on; looking on, Ctrl-C stops only that",
    )?;
    follow(arguments, None, out)
}

pub(super) fn roll_back(arguments: &RollBack, out: &mut dyn Write) -> Result<(), CliError> {
    let record = arguments.carry.record()?;
    if !under_way(&record) {
        return Err(nothing());
    }
    if arguments.carry.dry_run {
        return dry_run(&arguments.carry, &record, out);
    }
    let topology = FileTopology::new(&arguments.carry.topology);
    let reason = arguments.reason.clone();
    if !is_led(&topology, &record)? {
        return carry(&arguments.carry, &Turn::Back(reason), out);
    }
    let patience = arguments.carry.patience();
    ask(&topology, Request::RollBack { reason }, patience)?;
    let text = "whoever leads takes it back; looking on, Ctrl-C stops only that";
    say(arguments.carry.json, out, text)?;
    match follow(&arguments.carry, None, out) {
        Err(CliError::RolledBack(_)) => Ok(()),
        other => other,
    }
}

fn nothing() -> CliError {
    CliError::Refused("no migration is under way; see ringshift status".to_owned())
}

pub(super) fn readmit(arguments: &Readmit, out: &mut dyn Write) -> Result<(), CliError> {
    let carry = &arguments.carry;
    let record = carry.record()?;
    let text = &arguments.shard;
    let mut shards = record.snapshot.content().shards.iter();
    let found = shards.find(|shard| shard.name == *text || shard.id.to_string() == *text);
    let Some(shard) = found.map(|shard| shard.id) else {
        return Err(CliError::Refused(format!("there is no shard `{text}`")));
    };
    if carry.dry_run {
        let text = format!(
            "would take shard {text} back with the file that it has; what that lacks is lost"
        );
        return say(carry.json, out, &text);
    }
    let topology = FileTopology::new(&carry.topology);
    if is_led(&topology, &record)? {
        ask(&topology, Request::Readmit { shard }, carry.patience())?;
    } else {
        take_back(carry, &record, shard)?;
    }
    say(carry.json, out, &format!("shard {text} is taken back"))
}

fn say(json: bool, out: &mut dyn Write, text: &str) -> Result<(), CliError> {
    if json {
        writeln!(out, "{}", json!({ "event": "said", "text": text }))?;
    } else {
        writeln!(out, "{text}")?;
    }
    Ok(out.flush()?)
}

/// What a rollback would take back.
fn dry_run(arguments: &Carry, record: &Record, out: &mut dyn Write) -> Result<(), CliError> {
    let name = |id| {
        let shard = record.snapshot.shard(id);
        shard.map_or_else(|| format!("#{id}"), |shard| shard.name.clone())
    };
    let all: Vec<_> = waves(&record.snapshot)
        .map(|(_, wave)| (wave, !matches!(wave.phase, Phase::Ended(_))))
        .collect();
    let list = !record.log.kept;
    if arguments.json {
        let all: Vec<_> = all
            .iter()
            .map(|(wave, goes)| {
                json!({
                    "wave": wave.domain, "from": name(wave.from), "to": name(wave.to),
                    "phase": wave.phase.name(), "goes_back": goes,
                })
            })
            .collect();
        let line = json!({
            "event": "dry-run", "waves": all, "planned": record.log.planned.len(),
            "shards_restored": list,
        });
        return Ok(writeln!(out, "{line}")?);
    }
    for (wave, goes) in all.iter().rev() {
        let (domain, phase) = (wave.domain, wave.phase);
        let (from, to) = (name(wave.from), name(wave.to));
        if *goes {
            writeln!(out, "wave {domain}, {phase}: goes back from {to} to {from}")?;
        } else {
            writeln!(out, "wave {domain}, {phase}: is over, and stays as it is")?;
        }
    }
    if !record.log.planned.is_empty() {
        let planned = record.log.planned.len();
        writeln!(out, "{planned} waves that haven't begun are dropped")?;
    }
    let text = if list {
        "the list of shards becomes what it was"
    } else {
        "a wave has ended for good, so the list of shards stays as it is"
    };
    writeln!(out, "{text}")?;
    Ok(writeln!(out, "nothing was changed")?)
}
