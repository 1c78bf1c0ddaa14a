//! Adds a shard to four SQLite shards under live traffic, and proves that nothing was lost.
//!
//! `cargo run --release --example live_reshard`, or with `-- --help` for what can be varied.

mod checker;
mod cluster;
mod crew;
mod dataset;
mod disturb;
mod history;
mod latency;
mod matrix;
mod moved;
mod options;
mod outside;
mod pace;
mod place;
mod report;
mod run;
mod succession;
mod watch;
mod wish;
mod workload;
mod zipf;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use ringshift::Phase;
use ringshift::migration::Point;

use cluster::Failed;
use disturb::{Disturbance, Fall, How, Moment, with_way_back};
use options::Options;

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
    if options.all || options.seeds.is_some() {
        let matrix = matrix::matrix(options)?;
        let text = if options.json {
            serde_json::to_string(&matrix)? + "\n"
        } else {
            matrix.to_string()
        };
        say(&text)?;
        return Ok(matrix.is_clean());
    }
    let kill_at = named(
        options.kill_at.as_deref(),
        "kill-at",
        "step",
        Point::from_name,
    )?;
    let mut disturbance = Disturbance {
        kill_at: kill_at.map(Moment::first),
        rollback_at: named(
            options.rollback_at.as_deref(),
            "rollback-at",
            "phase",
            phase,
        )?,
        ..Disturbance::default()
    };
    draw(options, &mut disturbance)?;
    if disturbance.fall.is_some() || disturbance.turn_at.is_some() {
        eprintln!("{disturbance}");
    }
    let report = run::run(options, disturbance)?.report;
    let colour = std::io::stdout().is_terminal();
    let text = if options.json {
        report.to_json()? + "\n"
    } else {
        report.render(colour).to_string()
    };
    say(&text)?;
    Ok(report.is_clean())
}

fn say(text: &str) -> Result<(), Failed> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Draws what is left to the seed, from the steps of a rehearsal.
fn draw(options: &Options, disturbance: &mut Disturbance) -> Result<(), Failed> {
    let mut rng = fastrand::Rng::with_seed(options.seed);
    if options.kill_random || options.turn_back_random {
        let rehearsal = Options {
            dir: None,
            history: None,
            outside: Vec::new(),
            quiet: true,
            ..options.clone()
        };
        let steps = run::run(&rehearsal, Disturbance::default())?.steps;
        if options.turn_back_random {
            disturbance.turn_at = Moment::draw(&mut rng, with_way_back(&steps));
        }
        if options.kill_random {
            disturbance.kill_at = Moment::draw(&mut rng, &steps);
        }
    }
    if options.takeover {
        let how = How::draw(&mut rng);
        disturbance.fall = disturbance.kill_at.take().map(|at| Fall {
            at,
            how,
            after_turn: false,
        });
    }
    Ok(())
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
