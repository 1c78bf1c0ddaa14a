//! `ringshift resume`, `rollback`: what is said to a migration under way.

use std::io::Write;

use clap::Args;
use ringshift::Phase;
use ringshift::migration::Wish;
use ringshift_operator::topology::Record;
use ringshift_operator::verify::waves;
use serde_json::json;

use crate::cli::CliError;
use crate::cli::carry::{Carry, Turn, carry, under_way};

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

pub(super) fn resume(arguments: &Resume, out: &mut dyn Write) -> Result<(), CliError> {
    let record = arguments.carry.record()?;
    if !under_way(&record) {
        return Err(nothing());
    }
    if arguments.carry.dry_run {
        let text = match record.log.wish {
            Wish::Pause => "would go on with the paused migration",
            Wish::Forward => "it isn't paused; would carry it out from where it stands",
            Wish::Back => "it goes back; would carry that out from where it stands",
        };
        return say(&arguments.carry, out, text);
    }
    carry(&arguments.carry, &Turn::GoOn, out)
}

pub(super) fn roll_back(arguments: &RollBack, out: &mut dyn Write) -> Result<(), CliError> {
    let record = arguments.carry.record()?;
    if !under_way(&record) {
        return Err(nothing());
    }
    if arguments.carry.dry_run {
        return dry_run(&arguments.carry, &record, out);
    }
    let reason = arguments.reason.clone();
    carry(&arguments.carry, &Turn::Back(reason), out)
}

fn nothing() -> CliError {
    CliError::Refused("no migration is under way; see ringshift status".to_owned())
}

fn say(arguments: &Carry, out: &mut dyn Write, text: &str) -> Result<(), CliError> {
    if arguments.json {
        writeln!(out, "{}", json!({ "event": "dry-run", "text": text }))?;
    } else {
        writeln!(out, "{text}")?;
    }
    Ok(())
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
