//! Adds a shard to four SQLite shards under live traffic, and proves that nothing was lost.
//!
//! `cargo run --release --example live_reshard`, or with `-- --help` for what can be varied.

mod checker;
mod cluster;
mod crew;
mod dataset;
mod history;
mod latency;
mod moved;
mod options;
mod outside;
mod report;
mod run;
mod watch;
mod workload;
mod zipf;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use ringshift::Phase;
use ringshift::migration::Point;

use cluster::Failed;
use options::Options;
use watch::Disturbance;

fn main() -> ExitCode {
    let options = Options::from_command_line();
    match start(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn start(options: &Options) -> Result<bool, Failed> {
    if options.only_lists() {
        list(options)?;
        return Ok(true);
    }
    let disturbance = Disturbance {
        kill_at: named(
            options.kill_at.as_deref(),
            "kill-at",
            "step",
            Point::from_name,
        )?,
        rollback_at: named(
            options.rollback_at.as_deref(),
            "rollback-at",
            "phase",
            phase,
        )?,
    };
    let report = run::run(options, disturbance)?;
    let colour = std::io::stdout().is_terminal();
    let text = if options.json {
        report.to_json()? + "\n"
    } else {
        report.render(colour).to_string()
    };
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        written => written?,
    }
    Ok(report.is_clean())
}

/// The phases that a migration can be turned back from.
fn phase(name: &str) -> Option<Phase> {
    Phase::from_name(name).filter(|phase| !matches!(phase, Phase::Ended(_)))
}

fn named<T>(
    name: Option<&str>,
    option: &str,
    what: &str,
    find: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Failed> {
    name.map(|name| {
        find(name).ok_or_else(|| {
            format!("there is no {what} `{name}`; `--{option} list` prints them all").into()
        })
    })
    .transpose()
}

fn list(options: &Options) -> Result<(), Failed> {
    let mut out = std::io::stdout().lock();
    if options.kill_at.as_deref() == Some("list") {
        for point in Point::all() {
            writeln!(out, "{point}")?;
        }
    }
    if options.rollback_at.as_deref() == Some("list") {
        for name in Phase::ALL.iter().map(|phase| phase.name()) {
            if phase(name).is_some() {
                writeln!(out, "{name}")?;
            }
        }
    }
    Ok(())
}
