//! `ringshift init`.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use ringshift::{KeyspaceTopology, ShardId, ShardState, ShardTopology, Topology};
use ringshift_operator::topology::{FileTopology, TopologyError, TopologyStore, read_snapshot};

use crate::cli::CliError;

/// The most shards that are named for you.
const SHARDS_NAMED_MAX: u32 = 4_096;

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The file to write; one that exists is left alone
    #[arg(value_name = "FILE", default_value = "topology.json")]
    file: PathBuf,
    /// The cluster's name
    #[arg(long, value_name = "NAME", default_value = "demo")]
    cluster: String,
    /// A keyspace's name; may be repeated
    #[arg(long, value_name = "NAME", default_value = "main")]
    keyspace: Vec<String>,
    /// Each keyspace has two to the power of this many slots: 4 to 20
    #[arg(long, value_name = "N", default_value_t = 16)]
    bits: u8,
    /// So many shards, named shard-1, shard-2 and so on
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "shard",
        required_unless_present_any = ["shard", "from"]
    )]
    shards: Option<u32>,
    /// A shard: its number, its name, and if you like its weight and its zone; may be repeated
    #[arg(long, value_name = "ID=NAME[,WEIGHT[,ZONE]]")]
    shard: Vec<String>,
    /// Make a coordinator's record of this topology file: what a migration needs
    #[arg(long, value_name = "TOPOLOGY", conflicts_with_all = ["shards", "shard", "cluster", "keyspace", "bits"])]
    from: Option<PathBuf>,
}

pub(super) fn run(init: &Init, out: &mut dyn Write) -> Result<(), CliError> {
    if let Some(from) = &init.from {
        return record(init, from, out);
    }
    let topology = Topology {
        cluster: init.cluster.clone(),
        keyspaces: keyspaces(init)?,
        shards: shards(init)?,
        client_lease: None,
    };
    // Refused now rather than by whoever opens the file.
    topology
        .snapshot()
        .map_err(|error| CliError::Refused(error.to_string()))?;
    let mut text = serde_json::to_string_pretty(&topology)
        .map_err(|error| CliError::Refused(error.to_string()))?;
    text.push('\n');
    write_new(init, text.as_bytes())?;
    let path = init.file.display();
    writeln!(
        out,
        "wrote {path}; try: ringshift route --topology {path} some-key"
    )?;
    Ok(())
}

fn record(init: &Init, from: &Path, out: &mut dyn Write) -> Result<(), CliError> {
    let snapshot = read_snapshot(from).map_err(CliError::topology(from))?;
    FileTopology::new(&init.file)
        .create(&snapshot)
        .map_err(CliError::topology(&init.file))?;
    let path = init.file.display();
    let text = format!("wrote {path}; try: ringshift status --topology {path}");
    Ok(writeln!(out, "{text}")?)
}

fn write_new(init: &Init, text: &[u8]) -> Result<(), CliError> {
    let path = &init.file;
    let opened = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = opened.map_err(|error| {
        let error = match error.kind() {
            ErrorKind::AlreadyExists => TopologyError::Exists(path.clone()),
            _ => TopologyError::Io {
                what: "create",
                path: path.clone(),
                error,
            },
        };
        CliError::Topology(path.clone(), error)
    })?;
    let written = file.write_all(text).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // Half a topology would only be in the way of the next try.
        let _ = fs::remove_file(path);
        let what = "write";
        let error = TopologyError::Io {
            what,
            path: path.clone(),
            error,
        };
        CliError::Topology(path.clone(), error)
    })
}

fn keyspaces(init: &Init) -> Result<BTreeMap<String, KeyspaceTopology>, CliError> {
    let mut keyspaces = BTreeMap::new();
    for name in &init.keyspace {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|error| {
            CliError::Refused(format!("the system gives no random numbers: {error}"))
        })?;
        let keyspace = KeyspaceTopology {
            bits: Some(init.bits),
            seed: u64::from_le_bytes(seed).to_string(),
            ..KeyspaceTopology::default()
        };
        if keyspaces.insert(name.clone(), keyspace).is_some() {
            return Err(CliError::Usage(format!("keyspace `{name}` is named twice")));
        }
    }
    Ok(keyspaces)
}

fn shards(init: &Init) -> Result<Vec<ShardTopology>, CliError> {
    match init.shards {
        Some(count @ 1..=SHARDS_NAMED_MAX) => Ok((1..=count)
            .map(|id| shard(id, format!("shard-{id}"), 1.0, ""))
            .collect()),
        Some(count) => Err(CliError::Usage(format!(
            "`--shards {count}`: give 1 to {SHARDS_NAMED_MAX}"
        ))),
        None => init
            .shard
            .iter()
            .map(|text| parse_shard("--shard", text))
            .collect(),
    }
}

fn shard(id: u32, name: String, weight: f64, zone: &str) -> ShardTopology {
    ShardTopology {
        id: ShardId(id),
        name,
        weight,
        endpoint: String::new(),
        zone: zone.to_owned(),
        tags: Vec::new(),
        state: ShardState::Active,
        unfenced: false,
    }
}

pub(super) fn parse_shard(option: &str, text: &str) -> Result<ShardTopology, CliError> {
    let wrong = |what: &str| {
        CliError::Usage(format!(
            "`{option} {text}`: {what}; write it as 1=pg-1 or 1=pg-1,2.5,zone-a"
        ))
    };
    let (id, rest) = text
        .split_once('=')
        .ok_or_else(|| wrong("there is no `=`"))?;
    let id = id
        .parse()
        .map_err(|_| wrong("the id is not a whole number"))?;
    let mut fields = rest.splitn(3, ',');
    let name = fields.next().unwrap_or_default();
    if name.is_empty() {
        return Err(wrong("the name is empty"));
    }
    let weight = match fields.next() {
        None | Some("") => 1.0,
        Some(weight) => match weight.parse::<f64>() {
            Ok(weight) if weight.is_finite() => weight,
            _ => return Err(wrong("the weight is not a number")),
        },
    };
    Ok(shard(
        id,
        name.to_owned(),
        weight,
        fields.next().unwrap_or_default(),
    ))
}
