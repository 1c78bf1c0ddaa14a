//! `ringshift advise`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use ringshift::advise::{Loads, ShardLoad, Triggers, Urgency, advise, store_sizes};
use ringshift::{ShardId, Snapshot};
use ringshift_operator::store::SqliteStore;
use ringshift_operator::topology::read_snapshot;

use crate::cli::CliError;

#[derive(Debug, Args)]
pub(super) struct Advise {
    /// The topology file
    #[arg(long, value_name = "FILE")]
    topology: PathBuf,
    /// Loads in JSON, as clients' meters and monitoring say them; may be repeated, and is added up
    #[arg(long, value_name = "FILE")]
    loads: Vec<PathBuf>,
    /// A shard's SQLite file, to measure; may be repeated
    #[arg(long, value_name = "ID=FILE")]
    store: Vec<String>,
    /// What each shard can hold, where the loads don't say
    #[arg(long, value_name = "BYTES")]
    capacity: Option<u64>,
    /// What counts as wrong, in JSON; what it leaves out stays as usual
    #[arg(long, value_name = "FILE")]
    triggers: Option<PathBuf>,
    /// One JSON array
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Advise, out: &mut dyn Write) -> Result<(), CliError> {
    let snapshot =
        read_snapshot(&arguments.topology).map_err(CliError::topology(&arguments.topology))?;
    if arguments.loads.is_empty() && arguments.store.is_empty() {
        let text = "say what is known: `--loads FILE`, `--store ID=FILE`, or both";
        return Err(CliError::Usage(text.to_owned()));
    }
    let mut loads = Loads::default();
    for path in &arguments.loads {
        loads.add(&read(path)?);
    }
    for store in &arguments.store {
        loads.add(&measured(store, &snapshot)?);
    }
    if let Some(capacity) = arguments.capacity {
        let shards = snapshot.content().shards.iter();
        let known = |id: ShardId| {
            let mut loads = loads.shards.iter();
            loads.any(|load| load.shard == id && load.capacity_bytes.is_some())
        };
        let capacities = shards
            .filter(|shard| !known(shard.id))
            .map(|shard| ShardLoad {
                shard: shard.id,
                capacity_bytes: Some(capacity),
                ..ShardLoad::default()
            });
        let shards = capacities.collect();
        loads.add(&Loads {
            shards,
            ..Loads::default()
        });
    }
    let triggers = match &arguments.triggers {
        Some(path) => read(path)?,
        None => Triggers::default(),
    };
    let advice = advise(&snapshot, &loads, &triggers);
    if arguments.json {
        return Ok(writeln!(out, "{}", text(&advice)?)?);
    }
    if advice.is_empty() {
        return Ok(writeln!(out, "nothing is wrong by what is known")?);
    }
    for one in &advice {
        let urgency = match one.urgency {
            Urgency::Critical => "critical",
            Urgency::High => "high",
            Urgency::Medium => "medium",
        };
        writeln!(out, "{urgency:<9} {}", one.text)?;
        if let Some(wish) = &one.wish {
            writeln!(out, "{:<9} wish: {}", "", text(wish)?)?;
        }
    }
    Ok(())
}

fn text(value: &impl serde::Serialize) -> Result<String, CliError> {
    serde_json::to_string(value).map_err(|error| CliError::Refused(error.to_string()))
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, CliError> {
    let wrong =
        |error: &dyn std::fmt::Display| CliError::Refused(format!("`{}`: {error}", path.display()));
    let bytes = fs::read(path).map_err(|error| wrong(&error))?;
    serde_json::from_slice(&bytes).map_err(|error| wrong(&error))
}

fn measured(store: &str, snapshot: &Snapshot) -> Result<Loads, CliError> {
    let usage = |what: &str| {
        CliError::Usage(format!(
            "`--store {store}`: {what}; write it as 1=shard1.db"
        ))
    };
    let (id, path) = store
        .split_once('=')
        .ok_or_else(|| usage("there is no `=`"))?;
    let id = id
        .parse()
        .map_err(|_| usage("the number of the shard is none"))?;
    let shard = ShardId(id);
    if snapshot.shard(shard).is_none() {
        return Err(usage("there is no such shard"));
    }
    let path = Path::new(path);
    // Opening it would make it.
    if !path.exists() {
        return Err(CliError::Refused(format!(
            "there is no file `{}`",
            path.display()
        )));
    }
    let sizes = SqliteStore::open(path).and_then(|store| store.sizes());
    let sizes = sizes.map_err(|error| CliError::Refused(error.to_string()))?;
    Ok(store_sizes(snapshot, shard, sizes))
}
