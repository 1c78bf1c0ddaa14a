//! Looks on while an agent carries a migration out.

use std::io::Write;
use std::thread;
use std::time::Duration;

use ringshift::migration::{Consent, Log, Wish};
use ringshift::{DomainId, KeyspaceDraft, Phase, Snapshot};
use ringshift_operator::topology::Record;
use ringshift_operator::verify::waves;
use serde_json::json;

use crate::cli::CliError;
use crate::cli::carry::{Carry, load};
use crate::cli::interrupt::Interrupts;
use crate::cli::words::next_step;

const EVERY: Duration = Duration::from_millis(100);

/// Says what changes until the migration is over, is paused, or waits for a word.
///
/// `before` is the snapshot that it began with: one that is over at the first look is told by it.
pub(super) fn follow(
    arguments: &Carry,
    before: Option<&Snapshot>,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let interrupts = Interrupts::listen("left; the agent goes on".to_owned())?;
    let (mut told, mut wish) = (None, Wish::Forward);
    loop {
        let record = load(&arguments.topology)?;
        let over = record.log == Log::default();
        if over {
            let back = wish == Wish::Back || before.is_some_and(|was| is_same(was, &record));
            return end(arguments, &record, back, out);
        }
        wish = record.log.wish;
        let next = next_step(&record);
        let state: Vec<(DomainId, Phase, u32)> = waves(&record.snapshot)
            .map(|(_, wave)| (wave.domain, wave.phase, wave.ramp_ppm))
            .collect();
        let now = Some((state, next));
        if now != told {
            tell(arguments, &record, &next_step(&record), out)?;
            told = now;
        }
        if wish == Wish::Pause {
            return Err(CliError::Paused(format!(
                "paused: {}; go on with: {}",
                record.log.reason,
                arguments.how("resume")
            )));
        }
        if waits_for_a_word(&record) {
            return Err(CliError::Paused(format!(
                "the next step has no way back, and the agent waits until somebody agrees: {} --yes; or take it back with: {}",
                arguments.how("resume"),
                arguments.how("rollback")
            )));
        }
        if interrupts.asked() {
            return Err(CliError::Paused(format!(
                "no longer looking on, the agent goes on; pause it with: ringshift pause --topology {}",
                arguments.topology.display()
            )));
        }
        thread::sleep(EVERY);
    }
}

/// Whether everything is placed as it was.
fn is_same(was: &Snapshot, record: &Record) -> bool {
    let (was, now) = (was.content(), record.snapshot.content());
    let places = |keyspace: &KeyspaceDraft| {
        let pins = keyspace.directory.iter();
        let pins: Vec<_> = pins.map(|e| (e.matches.clone(), e.target)).collect();
        (keyspace.bits, keyspace.assignment.clone(), pins)
    };
    was.shards == now.shards
        && was
            .keyspaces
            .iter()
            .map(places)
            .eq(now.keyspaces.iter().map(places))
}

/// The record doesn't say that a rollback window is over, so whoever has a long one is told early.
fn waits_for_a_word(record: &Record) -> bool {
    let log = &record.log;
    let asked = log
        .settings
        .as_deref()
        .is_some_and(|settings| settings.gates.finish == Consent::Asked);
    let mut all = waves(&record.snapshot).peekable();
    asked
        && !log.finish_agreed
        && log.wish == Wish::Forward
        && log.planned.is_empty()
        && log.enlist.is_none()
        && all.peek().is_some()
        && all.all(|(_, wave)| wave.phase == Phase::Reversed)
}

fn tell(
    arguments: &Carry,
    record: &Record,
    next: &str,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let epoch = record.snapshot.epoch();
    if arguments.json {
        let all: Vec<_> = waves(&record.snapshot)
            .map(|(keyspace, wave)| {
                json!({
                    "wave": wave.domain, "keyspace": keyspace.name, "from": wave.from,
                    "to": wave.to, "phase": wave.phase.name(), "ramp_ppm": wave.ramp_ppm,
                })
            })
            .collect();
        let line = json!({
            "event": "progress", "epoch": epoch, "wish": record.log.wish, "waves": all,
            "planned": record.log.planned.len(), "next": next,
        });
        writeln!(out, "{line}")?;
    } else {
        writeln!(out, "epoch {epoch}: {next}")?;
    }
    Ok(out.flush()?)
}

fn end(
    arguments: &Carry,
    record: &Record,
    back: bool,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let epoch = record.snapshot.epoch();
    let ending = if back { "rolled-back" } else { "complete" };
    if arguments.json {
        let line = json!({ "event": "ended", "ending": ending, "epoch": epoch });
        writeln!(out, "{line}")?;
    } else {
        writeln!(out, "{ending}, at epoch {epoch}")?;
    }
    if back {
        let text = "the migration went back to where it began";
        return Err(CliError::RolledBack(text.to_owned()));
    }
    Ok(())
}
