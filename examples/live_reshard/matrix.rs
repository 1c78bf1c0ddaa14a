//! Many runs in a row: every strategy and every kind of wish, each over some seeds, with a
//! coordinator that falls and with a migration that is turned back.

use std::fmt;
use std::io::{IsTerminal, Write};

use clap::ValueEnum;
use fastrand::Rng;
use ringshift::migration::{Point, Strategy};
use serde::Serialize;

use crate::cluster::Failed;
use crate::disturb::{Disturbance, Fall, How, Moment, with_way_back};
use crate::options::Options;
use crate::report::Report;
use crate::run::run;
use crate::wish::Wished;

/// How often a run is begun anew whose moment didn't come.
const TRIES: u32 = 4;

/// One strategy or wish, over all its runs.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) runs: u64,
    pub(crate) operations: u64,
    pub(crate) lost: u64,
    pub(crate) resurrected: u64,
    pub(crate) wrong_reads: u64,
    pub(crate) undecided: u64,
    pub(crate) misplaced: u64,
    pub(crate) takeovers: u64,
    pub(crate) turned_back: u64,
    pub(crate) keys_moved: u64,
    /// Of the runs that nobody disturbed.
    pub(crate) pause_p50_ms: f64,
    pub(crate) pause_ms_max: f64,
    pub(crate) throughput_ratio: f64,
    /// The longest time that a client waited, takeovers and all.
    pub(crate) client_gap_ms_max: f64,
    pub(crate) failures: Vec<String>,
}

/// All rows.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Matrix {
    pub(crate) rows: Vec<Row>,
    pub(crate) duration_s: f64,
}

impl Matrix {
    pub(crate) fn is_clean(&self) -> bool {
        self.rows.iter().all(|row| row.failures.is_empty())
    }
}

/// Runs what the options name.
pub(crate) fn matrix(options: &Options) -> Result<Matrix, Failed> {
    let clock = std::time::Instant::now();
    let mut matrix = Matrix::default();
    for job in jobs(options) {
        let row = row(options, &job);
        if !options.quiet && !options.json {
            let heading = if matrix.rows.is_empty() { HEADING } else { "" };
            let mut out = std::io::stdout().lock();
            write!(out, "{heading}{row}")?;
            out.flush()?;
        }
        matrix.rows.push(row);
    }
    matrix.duration_s = clock.elapsed().as_secs_f64();
    Ok(matrix)
}

/// A name, and the options of its runs.
fn jobs(options: &Options) -> Vec<Options> {
    let base = Options {
        quiet: true,
        json: false,
        takeover: false,
        all: false,
        seeds: None,
        ..options.clone()
    };
    if !options.all {
        return vec![base];
    }
    let strategies = Strategy::ALL.iter().map(|&strategy| {
        let wish = match strategy {
            Strategy::OverShardMove => Wished::MoveSlots,
            _ => Wished::Add,
        };
        (Some(strategy), wish)
    });
    let wishes = Wished::value_variants().iter().skip(1);
    strategies
        .chain(wishes.map(|&wish| (None, wish)))
        .map(|(strategy, wish)| Options {
            strategy,
            wish: Some(wish),
            ..base.clone()
        })
        .collect()
}

fn row(options: &Options, job: &Options) -> Row {
    let strategy = job.strategy.unwrap_or_default();
    let wish = job.wish.map_or_else(|| "shards".to_owned(), Wished::name);
    let mut row = Row {
        name: format!("{strategy}, {wish}"),
        ..Row::default()
    };
    // Written down before it is known whether it ends well.
    eprint_line(options, &row.name);
    let Some(steps) = row.rehearse(job) else {
        return row;
    };
    for seed in (job.seed..).take(usize::try_from(options.seeds.unwrap_or(1)).unwrap_or(1)) {
        let job = Options {
            seed,
            ..job.clone()
        };
        row.fall(&job, &steps);
        row.turn_back(&job, &steps);
    }
    row
}

impl Row {
    /// A run that nobody disturbs: its figures, and the steps that it went through.
    fn rehearse(&mut self, job: &Options) -> Option<Vec<Point>> {
        match run(job, Disturbance::default()) {
            Ok(ran) => {
                self.pause_p50_ms = ran.report.barriers.pause_p50_ms;
                self.pause_ms_max = ran.report.barriers.pause_ms_max;
                self.throughput_ratio = ran.report.throughput_ratio;
                self.keys_moved = ran.report.moved.keys;
                self.add(job, &Disturbance::default(), &ran.report, "complete");
                Some(ran.steps)
            }
            Err(error) => {
                self.failures.push(format!("seed {}: {error}", job.seed));
                None
            }
        }
    }

    fn fall(&mut self, job: &Options, steps: &[Point]) {
        let mut rng = Rng::with_seed(job.seed);
        for _ in 0..TRIES {
            let Some(at) = Moment::draw(&mut rng, steps) else {
                return;
            };
            let fall = Fall {
                at,
                how: How::draw(&mut rng),
                after_turn: false,
            };
            let disturbance = Disturbance {
                fall: Some(fall),
                ..Disturbance::default()
            };
            if self.try_once(job, &disturbance, "complete", |report| report.takeovers > 0) {
                return;
            }
        }
        self.failures
            .push(format!("seed {}: nobody fell", job.seed));
    }

    fn turn_back(&mut self, job: &Options, steps: &[Point]) {
        let mut rng = Rng::with_seed(!job.seed);
        for _ in 0..TRIES {
            let Some(turn_at) = Moment::draw(&mut rng, with_way_back(steps)) else {
                return;
            };
            // Every other one falls on the way back, too.
            let fall = rng.bool().then(|| Fall {
                at: Moment {
                    point: None,
                    nth: rng.u32(1..80),
                },
                how: How::draw(&mut rng),
                after_turn: true,
            });
            let disturbance = Disturbance {
                turn_at: Some(turn_at),
                fall,
                ..Disturbance::default()
            };
            let turned = |report: &Report| report.restored.is_some();
            if self.try_once(job, &disturbance, "rolled back", turned) {
                self.turned_back += 1;
                return;
            }
        }
        self.failures
            .push(format!("seed {}: never turned back", job.seed));
    }

    /// Whether the run went as it was meant to, or failed for good.
    fn try_once(
        &mut self,
        job: &Options,
        disturbance: &Disturbance,
        ending: &str,
        happened: impl Fn(&Report) -> bool,
    ) -> bool {
        match run(job, *disturbance) {
            Ok(ran) => {
                let happened = happened(&ran.report);
                let ending = if happened { ending } else { "complete" };
                self.add(job, disturbance, &ran.report, ending);
                happened
            }
            Err(error) => {
                self.failures
                    .push(format!("seed {}, {disturbance}: {error}", job.seed));
                true
            }
        }
    }

    fn add(&mut self, job: &Options, disturbance: &Disturbance, report: &Report, ending: &str) {
        self.runs += 1;
        self.operations += report.checked.operations;
        self.lost += report.checked.lost;
        self.resurrected += report.checked.resurrected;
        self.wrong_reads += report.checked.wrong_reads;
        self.undecided += report.checked.undecided;
        self.misplaced += report.misplaced;
        self.takeovers += report.takeovers;
        self.client_gap_ms_max = self.client_gap_ms_max.max(report.client_gap_ms_max);
        let mut say = |what: String| {
            self.failures
                .push(format!("seed {}, {disturbance}: {what}", job.seed));
        };
        if !report.is_clean() {
            say(format!(
                "{:?}, {} misplaced, restored {:?}",
                report.checked, report.misplaced, report.restored
            ));
        }
        if !report.ending.starts_with(ending) {
            say(format!("ended as {}", report.ending));
        }
        if report.mismatches > 0 {
            say(format!("{} mismatches", report.mismatches));
        }
    }
}

fn eprint_line(options: &Options, name: &str) {
    if !options.quiet && std::io::stderr().is_terminal() {
        eprintln!("{name} ...");
    }
}

const HEADING: &str = "\
strategy, wish                      runs  operations  lost  back  wrong  place  falls  turned  \
pause p50 / max, ms  kept, %  gap, ms
";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<34}{:>6}{:>12}{:>6}{:>6}{:>7}{:>7}{:>7}{:>8}{:>12.2} /{:>6.1}{:>9.0}{:>9.1}",
            self.name,
            self.runs,
            self.operations,
            self.lost,
            self.resurrected,
            self.wrong_reads,
            self.misplaced,
            self.takeovers,
            self.turned_back,
            self.pause_p50_ms,
            self.pause_ms_max,
            self.throughput_ratio * 100.0,
            self.client_gap_ms_max,
        )?;
        for failure in &self.failures {
            writeln!(f, "  FAILED: {failure}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |of: fn(&Row) -> u64| self.rows.iter().map(of).sum::<u64>();
        writeln!(
            f,
            "{} runs, {} operations checked, {} lost, {} resurrected, {} wrong reads, {} falls, \
             {} turned back, {:.0} s",
            sum(|row| row.runs),
            sum(|row| row.operations),
            sum(|row| row.lost),
            sum(|row| row.resurrected),
            sum(|row| row.wrong_reads),
            sum(|row| row.takeovers),
            sum(|row| row.turned_back),
            self.duration_s,
        )
    }
}
