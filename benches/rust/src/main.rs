//! What routing costs in Rust, beside its floor and its peers, in one run.
//!
//! `cargo xtask bench --language rust --json FILE` calls it so:
//! `ringshift-bench --json FILE --page benches/README.md --chart benches/route.svg`. `--keys` and
//! `--rounds` make a run smaller; `--instructions FILE` counts instructions instead, and compares
//! them with the file, or writes it with `--write`.

mod allocator;
mod chart;
mod curves;
mod figures;
mod hasher;
mod instructions;
mod limits;
mod lookup;
mod lookups;
mod machine;
mod machines;
mod measure;
mod operations;
mod ours;
mod peers;
mod quality;
mod report;
mod workload;

use std::process::ExitCode;

use figures::Figures;
use serde_json::Value;
use workload::{Failure, Keys, shuffled};

const USAGE: &str = "usage: ringshift-bench [--json FILE] [--page FILE --chart FILE] [--keys N] \
    [--rounds N] | --instructions FILE [--write]";

/// What the command line says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Options {
    json: Option<String>,
    page: Option<String>,
    chart: Option<String>,
    keys: usize,
    rounds: usize,
    instructions: Option<String>,
    write: bool,
    scenario: Option<String>,
}

impl Options {
    fn read(args: impl IntoIterator<Item = String>) -> Option<Self> {
        let mut options = Self {
            json: None,
            page: None,
            chart: None,
            keys: 1_000_000,
            rounds: 9,
            instructions: None,
            write: false,
            scenario: None,
        };
        let mut args = args.into_iter();
        while let Some(name) = args.next() {
            match name.as_str() {
                "--write" => options.write = true,
                "--json" => options.json = Some(args.next()?),
                "--page" => options.page = Some(args.next()?),
                "--chart" => options.chart = Some(args.next()?),
                "--keys" => options.keys = args.next()?.parse().ok()?,
                "--rounds" => options.rounds = args.next()?.parse().ok()?,
                "--instructions" => options.instructions = Some(args.next()?),
                "--scenario" => options.scenario = Some(args.next()?),
                _ => return None,
            }
        }
        Some(options)
    }
}

fn main() -> ExitCode {
    let Some(options) = Options::read(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    if let Some(name) = &options.scenario {
        println!("{}", instructions::scenario(name)?);
        return Ok(());
    }
    if let Some(file) = &options.instructions {
        return instructions::run(file, options.write);
    }
    let mut figures = Figures::default();
    let keys = Keys::users(options.keys);
    machine::note(&mut figures);
    figures.note("run", "keys", options.keys);
    figures.number("run", "key_bytes", keys.mean_bytes());
    figures.note("run", "rounds", options.rounds);
    figures.note("run", "load_before", machine::load());
    let in_order = keys.in_order();
    let cold = shuffled(&in_order);
    lookups::run(&mut figures, &in_order, &cold, options.rounds)?;
    machines::run(&mut figures, options.rounds)?;
    operations::run(&mut figures, &in_order, options.rounds)?;
    quality::run(&mut figures)?;
    curves::run(&mut figures, &in_order, options.rounds)?;
    figures.note("run", "load_after", machine::load());

    let judged = limits::judge(&figures);
    limits::note(&mut figures, &judged);
    println!();
    for judged in &judged {
        let [about, bound, value, holds] = judged.row();
        println!("  {holds:<10} {about}: {value} ({bound})");
    }
    println!("{}", limits::summary(&judged));
    if let Some(file) = &options.json {
        let text = serde_json::to_string_pretty(&Value::Object(figures.0.clone()))?;
        std::fs::write(file, text + "\n")?;
    }
    if let Some(file) = &options.page {
        let page = std::fs::read_to_string(file)?;
        let page = report::put(&page, &report::markdown(&figures, &judged))?;
        std::fs::write(file, page)?;
    }
    if let Some(file) = &options.chart {
        std::fs::write(file, chart::svg(&figures))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_read_or_refused() {
        let read = |line: &str| Options::read(line.split_whitespace().map(str::to_owned));
        let options = read("--json a.json --keys 10 --rounds 1");
        assert!(options.is_some_and(|options| {
            options.json.as_deref() == Some("a.json") && options.keys == 10 && !options.write
        }));
        let options = read("--instructions counts.json --write");
        assert!(options.is_some_and(|options| options.write));
        for wrong in ["--keys", "--keys many", "--what"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
