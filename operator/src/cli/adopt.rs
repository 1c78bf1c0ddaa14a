//! `ringshift adopt`.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use ringshift::migration::command::{Answer, Command};
use ringshift::migration::home_installs;
use ringshift::{Policy, Refusal, Router, ShardId, Snapshot, Term};
use ringshift_operator::adopt::{Adopted, Checked, OldRows};
use ringshift_operator::client::{Client, Stores};
use ringshift_operator::store::{Chunks, SqliteStore, Store};
use ringshift_operator::topology::{MemoryTopology, TopologyStore, read_snapshot};
use serde_json::json;

use crate::cli::CliError;
use crate::cli::keys::{pick, readable};

#[derive(Debug, Args)]
pub(super) struct Adopt {
    /// The topology file, whose keyspace has the old system's slotting
    #[arg(long, value_name = "FILE")]
    topology: PathBuf,
    /// The keyspace; may be left out when there is only one
    #[arg(long, value_name = "NAME")]
    keyspace: Option<String>,
    /// The shard's number
    #[arg(long, value_name = "ID")]
    shard: u32,
    /// The SQLite file of the old system on that shard; it is only read
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// The shard's file; made when there is none
    #[arg(long, value_name = "FILE")]
    into: PathBuf,
    /// The old table
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with = "query",
        required_unless_present = "query"
    )]
    table: Option<String>,
    /// Its column of keys
    #[arg(long, value_name = "COLUMN", default_value = "key")]
    key: String,
    /// Its column of values
    #[arg(long, value_name = "COLUMN", default_value = "value")]
    value: String,
    /// A query that answers keys and values, instead of a table
    #[arg(long, value_name = "SQL")]
    query: Option<String>,
    /// Only look whether each key is where the slotting says
    #[arg(long)]
    dry_run: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Adopt, out: &mut dyn Write) -> Result<(), CliError> {
    let snapshot =
        read_snapshot(&arguments.topology).map_err(CliError::topology(&arguments.topology))?;
    let snapshot = Arc::new(snapshot);
    let shard = ShardId(arguments.shard);
    let Some(name) = snapshot.shard(shard).map(|shard| shard.name.clone()) else {
        return Err(CliError::Usage(format!("there is no shard {shard}")));
    };
    let router = Router::new(Arc::clone(&snapshot));
    let keyspace = pick(&router, arguments.keyspace.as_deref())?;
    if !keyspace.waves().is_empty() {
        return Err(CliError::Refused(
            "a migration is under way; adopt before it or after it".to_owned(),
        ));
    }
    let query = match (&arguments.query, &arguments.table) {
        (Some(query), _) => query.clone(),
        (None, table) => OldRows::query(
            table.as_deref().unwrap_or_default(),
            &arguments.key,
            &arguments.value,
        ),
    };
    let refused = |error: &dyn std::fmt::Display| CliError::Refused(error.to_string());
    let rows = OldRows::open(&arguments.from, &query).map_err(|e| refused(&e))?;
    let checked = rows.check(&keyspace, shard).map_err(|e| refused(&e))?;
    if checked.misplaced > 0 {
        return Err(misplaced(&checked, &name, &snapshot));
    }
    if arguments.dry_run {
        return say(arguments, out, &checked, None, &name);
    }
    let store = SqliteStore::open(&arguments.into).map_err(|e| refused(&e))?;
    guard(&store, &snapshot, shard)?;
    let topology = MemoryTopology::new();
    topology.create(&snapshot).map_err(|e| refused(&e))?;
    let mut operations = [0; 8];
    getrandom::fill(&mut operations).map_err(|e| refused(&e))?;
    let stores: Stores = [(shard, Arc::new(store) as Arc<dyn Store>)].into();
    let client = Client::new(
        Arc::clone(&snapshot),
        stores,
        Arc::new(topology),
        Policy::default(),
        u64::from_le_bytes(operations),
    );
    let number = client.keyspace(&snapshot_name(&snapshot, keyspace.id()));
    let number = number.map_err(CliError::Keyspace)?;
    let adopted = rows.adopt(&number).map_err(|e| refused(&e))?;
    say(arguments, out, &checked, Some(adopted), &name)
}

fn snapshot_name(snapshot: &Snapshot, id: ringshift::KeyspaceId) -> String {
    let keyspace = snapshot.content().keyspace(id);
    keyspace.map_or_else(String::new, |keyspace| keyspace.name.clone())
}

/// Puts the shard's guard in place. One that a coordinator has led since is there already, and
/// says no to what it doesn't hold.
fn guard(store: &SqliteStore, snapshot: &Snapshot, shard: ShardId) -> Result<(), CliError> {
    let install = Command::Install {
        shard,
        term: Term(1),
        rows: home_installs(snapshot, shard),
    };
    match store.command(&install, &Chunks::default()) {
        Answer::Done | Answer::Refused(Refusal::StaleTerm { .. }) => Ok(()),
        _ => Err(CliError::Refused(format!(
            "the guard of shard {shard} can't be put in place: {}",
            store
                .last_error()
                .unwrap_or_else(|| "it was refused".to_owned())
        ))),
    }
}

fn misplaced(checked: &Checked, here: &str, snapshot: &Snapshot) -> CliError {
    let examples: Vec<String> = checked
        .examples
        .iter()
        .map(|(key, belongs)| {
            let name = snapshot.shard(*belongs).map(|shard| shard.name.as_str());
            format!("`{}` belongs to `{}`", readable(key), name.unwrap_or("?"))
        })
        .collect();
    CliError::Refused(format!(
        "{} of {} keys on `{here}` belong elsewhere: {}; nothing was written: make the slotting the old system's, or move these rows first",
        checked.misplaced,
        checked.rows,
        examples.join(", ")
    ))
}

fn say(
    arguments: &Adopt,
    out: &mut dyn Write,
    checked: &Checked,
    adopted: Option<Adopted>,
    name: &str,
) -> Result<(), CliError> {
    if arguments.json {
        let object = json!({
            "shard": arguments.shard,
            "rows": checked.rows,
            "written": adopted.map(|adopted| adopted.written),
            "present": adopted.map(|adopted| adopted.present),
        });
        return Ok(writeln!(out, "{object}")?);
    }
    let rows = checked.rows;
    match adopted {
        None => writeln!(out, "{rows} rows on `{name}`, all where the slotting says")?,
        Some(Adopted { written, present }) => writeln!(
            out,
            "{rows} rows on `{name}`: {written} adopted, {present} were there already"
        )?,
    }
    Ok(())
}
