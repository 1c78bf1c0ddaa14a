//! `ringshift plan`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use ringshift::migration::{PlanOptions, Rate, Risk, Strategy, plan_with};
use ringshift_operator::plan::write_plan;
use ringshift_operator::topology::read_snapshot;

use crate::cli::CliError;
use crate::cli::wish::Wish;

#[derive(Debug, Args)]
pub(super) struct Plan {
    /// The topology file
    #[arg(long, visible_alias = "from", value_name = "FILE")]
    topology: PathBuf,
    #[command(flatten)]
    wish: Wish,
    /// How to carry it out: online, maintenance-window, shadow, incremental, canary, big-bang,
    /// over-shard-move or adopt; `advise` for the one that fits
    #[arg(long, value_name = "NAME", default_value = "online")]
    strategy: String,
    /// No wave has more slots than this
    #[arg(long, value_name = "N", default_value_t = 0)]
    wave_slots: u32,
    /// What each keyspace holds, in JSON: {"users":{"keys":N,"bytes":N}}, or slot by slot
    #[arg(long, value_name = "FILE")]
    sizes: Option<PathBuf>,
    /// How fast copying is: 20000 rows a second, or bytes: 50MB
    #[arg(long, value_name = "RATE")]
    rate: Vec<String>,
    /// For how many seconds writes may be held
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    downtime: u64,
    /// How careful to be: lowest, low, medium or high
    #[arg(long, value_name = "RISK", default_value = "medium")]
    risk: String,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Write the plan to this file too
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(arguments: &Plan, out: &mut dyn Write) -> Result<(), CliError> {
    let snapshot =
        read_snapshot(&arguments.topology).map_err(CliError::topology(&arguments.topology))?;
    let changes = arguments.wish.changes(&snapshot)?;
    let refused = |error: ringshift::migration::PlanError| {
        CliError::Refused(format!("{error} ({})", error.code()))
    };
    let mut options = options(arguments)?;
    let mut plan = plan_with(&snapshot, &changes, &options).map_err(refused)?;
    if arguments.strategy == ADVISE && plan.advice.strategy != plan.strategy {
        options.strategy = Some(plan.advice.strategy);
        plan = plan_with(&snapshot, &changes, &options).map_err(refused)?;
    }
    if let Some(path) = &arguments.output {
        write_plan(path, &plan).map_err(|error| CliError::Refused(error.to_string()))?;
    }
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &plan).map_err(std::io::Error::from)?;
        out.write_all(b"\n")?;
    } else {
        write!(out, "{plan}")?;
        if let Some(path) = &arguments.output {
            writeln!(out, "wrote {}", path.display())?;
        }
    }
    Ok(())
}

const ADVISE: &str = "advise";

fn options(arguments: &Plan) -> Result<PlanOptions, CliError> {
    let strategy = match arguments.strategy.as_str() {
        ADVISE => None,
        name => Some(Strategy::from_name(name).ok_or_else(|| {
            let names: Vec<_> = Strategy::ALL.iter().map(|one| one.name()).collect();
            CliError::Usage(format!(
                "`--strategy {name}`: give one of {}, or {ADVISE}",
                names.join(", ")
            ))
        })?),
    };
    let risk = match arguments.risk.as_str() {
        "lowest" => Risk::Lowest,
        "low" => Risk::Low,
        "medium" => Risk::Medium,
        "high" => Risk::High,
        other => {
            let text = format!("`--risk {other}`: give lowest, low, medium or high");
            return Err(CliError::Usage(text));
        }
    };
    let sizes = match &arguments.sizes {
        None => PlanOptions::default().sizes,
        Some(path) => {
            let refused =
                |error: String| CliError::Refused(format!("`{}`: {error}", path.display()));
            let text = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
            serde_json::from_slice(&text).map_err(|error| refused(error.to_string()))?
        }
    };
    let mut rate = Rate::default();
    for text in &arguments.rate {
        add_rate(&mut rate, text)?;
    }
    Ok(PlanOptions {
        strategy,
        wave_slots_max: arguments.wave_slots,
        sizes,
        rate,
        downtime_ms: arguments.downtime.saturating_mul(1000),
        risk,
        ..PlanOptions::default()
    })
}

fn add_rate(rate: &mut Rate, text: &str) -> Result<(), CliError> {
    const UNITS: [(&str, u64); 4] = [
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("B", 1),
    ];
    let wrong = || {
        CliError::Usage(format!(
            "`--rate {text}`: write it as 20000 for rows a second, or 50MB for bytes"
        ))
    };
    let text_ = text.trim_end_matches("/s");
    let unit = UNITS.iter().find(|(unit, _)| text_.ends_with(unit));
    let number = unit.map_or(text_, |(unit, _)| text_.trim_end_matches(unit));
    let number: u64 = number.trim().parse().map_err(|_| wrong())?;
    match unit {
        Some((_, size)) => rate.bytes_per_s = Some(number.saturating_mul(*size)),
        None => rate.rows_per_s = Some(number),
    }
    Ok(())
}
