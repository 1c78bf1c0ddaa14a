//! `ringshift reshard`: begins a plan and carries it out.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use ringshift::migration::{Consent, Log, Plan, Request, Settings};
use ringshift_operator::plan::read_plan;
use ringshift_operator::topology::{FileTopology, Record};
use serde_json::json;

use crate::cli::CliError;
use crate::cli::ask::go_on;
use crate::cli::carry::{Carry, Turn, carry, under_way};
use crate::cli::follow::follow;
use crate::cli::leader::{ask, is_led};

#[derive(Debug, Args)]
pub(super) struct Reshard {
    /// The plan, as ringshift plan -o writes it
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// Settings in JSON, in place of the plan's own
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    #[command(flatten)]
    carry: Carry,
}

pub(super) fn run(arguments: &Reshard, out: &mut dyn Write) -> Result<(), CliError> {
    let path = &arguments.plan;
    let mut plan = read_plan(path).map_err(|error| CliError::Refused(error.to_string()))?;
    let record = arguments.carry.record()?;
    if is_begun(&plan, &record) {
        if arguments.carry.dry_run {
            let text = "this plan has begun already; reshard would go on with it";
            return say(arguments, out, text);
        }
        return go_on(&arguments.carry, &record, out);
    }
    if under_way(&record) {
        return Err(CliError::Refused(format!(
            "another migration is under way; go on with it: {}; or take it back: {}",
            arguments.carry.how("resume"),
            arguments.carry.how("rollback")
        )));
    }
    if let Some(path) = &arguments.settings {
        plan.log.settings = Some(Box::new(settings(path)?));
    }
    plan.check(&record.snapshot)
        .map_err(|error| CliError::Refused(format!("{error} ({})", error.code())))?;
    if arguments.carry.dry_run {
        return dry_run(arguments, &plan, &record, out);
    }
    let digest = plan.digest;
    let mut log = plan.log;
    let settings = log.settings.get_or_insert_default();
    // Whoever sits in front is asked, whatever the plan says; agents go by the plan.
    if !arguments.carry.yes {
        settings.gates.finish = Consent::Asked;
    }
    log.finish_agreed = arguments.carry.yes;
    let topology = FileTopology::new(&arguments.carry.topology);
    if !is_led(&topology, &record)? {
        return carry(&arguments.carry, &Turn::Begin(Box::new(log)), out);
    }
    ask(&topology, Request::Begin(log), arguments.carry.patience())?;
    // One that was ignored left everything as it was.
    let now = arguments.carry.record()?;
    if !under_way(&now) && now.snapshot.digest() == digest {
        return Err(CliError::Refused(
            "the agent that leads has not begun the plan: its checklist may be strict; see what the agent says".to_owned(),
        ));
    }
    follow(&arguments.carry, Some(&record.snapshot), out)
}

/// Whether the migration under way is the plan's.
fn is_begun(plan: &Plan, record: &Record) -> bool {
    let log = &record.log;
    *log != Log::default() && log.digest == Some(plan.digest) && log.back.is_none()
}

pub(super) fn settings(path: &Path) -> Result<Settings, CliError> {
    let refused = |text: String| CliError::Refused(format!("`{}`: {text}", path.display()));
    let text = fs::read(path).map_err(|error| refused(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| refused(error.to_string()))
}

fn say(arguments: &Reshard, out: &mut dyn Write, text: &str) -> Result<(), CliError> {
    if arguments.carry.json {
        writeln!(out, "{}", json!({ "event": "dry-run", "text": text }))?;
    } else {
        writeln!(out, "{text}")?;
    }
    Ok(())
}

fn dry_run(
    arguments: &Reshard,
    plan: &Plan,
    record: &Record,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let shelf = arguments.carry.shelf();
    let listed = &record.snapshot.content().shards;
    let shards = plan.log.enlist.as_ref().unwrap_or(listed);
    let files: Vec<_> = shards
        .iter()
        .map(|shard| (shard, shelf.path(shard)))
        .collect();
    let settings = plan.log.settings.as_deref().cloned().unwrap_or_default();
    let open = plan.log.checklist.open(&settings);
    if arguments.carry.json {
        let files: Vec<_> = files
            .iter()
            .map(|(shard, path)| {
                json!({
                    "shard": shard.name, "file": path.to_string_lossy(), "exists": path.exists(),
                })
            })
            .collect();
        let line = json!({
            "event": "dry-run", "epoch": record.snapshot.epoch(), "plan": plan, "stores": files,
            "open_items": open,
        });
        return Ok(writeln!(out, "{line}")?);
    }
    writeln!(out, "{plan}")?;
    for (shard, path) in files {
        let there = if path.exists() {
            ""
        } else {
            ", which would be made"
        };
        writeln!(out, "shard {}: {}{there}", shard.name, path.display())?;
    }
    for item in open {
        writeln!(out, "not seen to: {item}")?;
    }
    writeln!(
        out,
        "nothing was changed; the plan fits epoch {}",
        record.snapshot.epoch()
    )?;
    Ok(())
}
