//! `ringshift verify`.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use ringshift::migration::{Log, Mismatch};
use ringshift::{KeyspaceId, MismatchKind, ShardId, Snapshot};
use ringshift_operator::client::Stores;
use ringshift_operator::store::{SqliteStore, Store};
use ringshift_operator::topology::{FileTopology, TopologyError, TopologyStore, read_snapshot};
use ringshift_operator::verify::{Compared, Stray, compare_wave, strays, waves};
use serde_json::{Value, json};

use crate::cli::CliError;
use crate::cli::keys::readable;
use crate::cli::output::key_fields;
use crate::cli::stores::Shelf;

/// How often a wave that advances meanwhile is compared anew.
const TRIES: u32 = 5;

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The topology file
    #[arg(long, value_name = "FILE")]
    topology: PathBuf,
    /// The folder of the shards' files, or a path with {name} or {id} in it; the topology file's
    /// folder when left out
    #[arg(long, value_name = "FOLDER|PATTERN")]
    stores: Option<PathBuf>,
    /// Only this keyspace
    #[arg(long, value_name = "NAME")]
    keyspace: Option<String>,
    /// How long a difference must last before it counts, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500)]
    settle: u64,
    /// List so many keys of each wave and shard at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    list: usize,
    /// One JSON object a line: one a wave, one a shard, then their sum
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Verify, out: &mut dyn Write) -> Result<(), CliError> {
    let (snapshot, _) = state(arguments)?;
    let only = keyspace(arguments, &snapshot)?;
    let shelf = Shelf::new(arguments.stores.as_deref(), &arguments.topology);
    let mut files: Vec<(ShardId, String, Arc<SqliteStore>)> = Vec::new();
    for shard in &snapshot.content().shards {
        files.push((shard.id, shard.name.clone(), shelf.open(shard)?));
    }
    let stores: Stores = files
        .iter()
        .map(|(id, _, store)| (*id, Arc::clone(store) as Arc<dyn Store>))
        .collect();
    let mut told = Told {
        arguments,
        out,
        wrong: 0,
        incomplete: Vec::new(),
    };
    told.waves(only, &stores)?;
    // A wave may have advanced meanwhile: what stands where is asked of the newest.
    let (snapshot, _) = state(arguments)?;
    for (id, name, store) in &files {
        let found = strays(&snapshot, *id, store, only, arguments.list);
        let found = found.map_err(|error| {
            CliError::Refused(format!(
                "can't read shard `{name}`: {error} ({})",
                error.code()
            ))
        })?;
        told.shard(&snapshot, name, found.rows, found.count, &found.listed)?;
    }
    told.end()
}

/// The snapshot, and the log beside it where there is one.
fn state(arguments: &Verify) -> Result<(Arc<Snapshot>, Log), CliError> {
    let path = &arguments.topology;
    match FileTopology::new(path).load() {
        Ok(record) => Ok((record.snapshot, record.log)),
        Err(TopologyError::Unknown) => {
            let snapshot = read_snapshot(path).map_err(CliError::topology(path))?;
            Ok((Arc::new(snapshot), Log::default()))
        }
        Err(error) => Err(CliError::topology(path)(error)),
    }
}

fn keyspace(arguments: &Verify, snapshot: &Snapshot) -> Result<Option<KeyspaceId>, CliError> {
    let Some(name) = &arguments.keyspace else {
        return Ok(None);
    };
    let id = snapshot.keyspace_named(name);
    id.map(Some).ok_or_else(|| {
        let known = snapshot.content().keyspaces.iter();
        let names: Vec<_> = known.map(|keyspace| keyspace.name.as_str()).collect();
        CliError::Refused(format!(
            "there is no keyspace `{name}`; there are {}",
            names.join(", ")
        ))
    })
}

struct Told<'t> {
    arguments: &'t Verify,
    out: &'t mut dyn Write,
    wrong: u64,
    /// What couldn't be looked at.
    incomplete: Vec<String>,
}

impl Told<'_> {
    fn waves(&mut self, only: Option<KeyspaceId>, stores: &Stores) -> Result<(), CliError> {
        let settle = Duration::from_millis(self.arguments.settle);
        let mut done = Vec::new();
        for last in (1..=TRIES).map(|tried| tried == TRIES) {
            let (snapshot, log) = state(self.arguments)?;
            let mut moved = false;
            for (keyspace, wave) in waves(&snapshot) {
                if only.is_some_and(|only| only != keyspace.id) || done.contains(&wave.domain) {
                    continue;
                }
                let found = compare_wave(keyspace, wave, &log, stores, settle);
                if matches!(found, Compared::Moved { .. }) && !last {
                    moved = true;
                    continue;
                }
                done.push(wave.domain);
                let name = |id| named(&snapshot, id);
                let title = format!(
                    "wave {} of {}, {} to {}, {}",
                    wave.domain,
                    keyspace.name,
                    name(wave.from),
                    name(wave.to),
                    wave.phase
                );
                let line = json!({
                    "event": "wave",
                    "wave": wave.domain,
                    "keyspace": keyspace.name,
                    "from": name(wave.from),
                    "to": name(wave.to),
                    "phase": wave.phase.name(),
                });
                self.wave(&title, line, &found)?;
            }
            if !moved {
                break;
            }
        }
        Ok(())
    }

    fn wave(&mut self, title: &str, mut line: Value, found: &Compared) -> Result<(), CliError> {
        let (state, text, rows) = match found {
            Compared::Equal { rows } => ("equal", format!("equal, {rows} rows"), *rows),
            Compared::Copying { rows } => {
                let text = format!("{rows} rows are not copied yet");
                ("copying", text, *rows)
            }
            Compared::Single => ("single", "has one side only".to_owned(), 0),
            Compared::Differs { mismatches } => {
                let count = mismatches.len() as u64;
                self.wrong += count;
                ("differs", format!("{count} keys differ"), count)
            }
            Compared::Unreachable { shard } => {
                let text = format!("shard {shard} doesn't answer");
                self.incomplete.push(format!("{title}: {text}"));
                ("unreachable", text, 0)
            }
            Compared::Moved { shard, refusal } => {
                let text = format!("shard {shard} refuses: {refusal}");
                self.incomplete.push(format!("{title}: {text}"));
                ("moved", text, 0)
            }
        };
        let mismatches: &[Mismatch] = match found {
            Compared::Differs { mismatches } => mismatches,
            _ => &[],
        };
        let listed = mismatches.iter().take(self.arguments.list);
        if !self.arguments.json {
            writeln!(self.out, "{title}: {text}")?;
            for mismatch in listed {
                let (key, kind) = (readable(&mismatch.key), kind_name(mismatch.kind));
                writeln!(self.out, "  {kind:<9} {key}")?;
            }
            return Ok(());
        }
        let listed: Vec<Value> = listed
            .map(|mismatch| {
                let mut fields = key_fields(&mismatch.key);
                fields.insert("kind".to_owned(), kind_name(mismatch.kind).into());
                fields.into()
            })
            .collect();
        if let Some(fields) = line.as_object_mut() {
            fields.insert("state".to_owned(), state.into());
            fields.insert("rows".to_owned(), rows.into());
            fields.insert("mismatches".to_owned(), listed.into());
        }
        Ok(writeln!(self.out, "{line}")?)
    }

    fn shard(
        &mut self,
        snapshot: &Snapshot,
        name: &str,
        rows: u64,
        count: u64,
        listed: &[Stray],
    ) -> Result<(), CliError> {
        self.wrong += count;
        let keyspace = |stray: &Stray| {
            let known = snapshot.content().keyspace(stray.keyspace);
            known.map_or_else(|| format!("#{}", stray.keyspace.0), |k| k.name.clone())
        };
        if self.arguments.json {
            let strays: Vec<Value> = listed
                .iter()
                .map(|stray| {
                    let mut fields = key_fields(&stray.key);
                    fields.insert("keyspace".to_owned(), keyspace(stray).into());
                    let belongs = stray.belongs.map(|id| named(snapshot, id));
                    fields.insert("belongs".to_owned(), belongs.into());
                    fields.into()
                })
                .collect();
            let line = json!({
                "event": "shard", "shard": name, "rows": rows, "astray": count, "strays": strays,
            });
            return Ok(writeln!(self.out, "{line}")?);
        }
        if count == 0 {
            let text = format!("shard {name}: {rows} rows, each where it belongs");
            return Ok(writeln!(self.out, "{text}")?);
        }
        writeln!(self.out, "shard {name}: {rows} rows, {count} astray")?;
        for stray in listed {
            let belongs = match stray.belongs {
                Some(id) => format!("belongs to {}", named(snapshot, id)),
                None => "belongs nowhere".to_owned(),
            };
            let (keyspace, key) = (keyspace(stray), readable(&stray.key));
            writeln!(self.out, "  astray    {key}, of {keyspace}: {belongs}")?;
        }
        Ok(())
    }

    fn end(self) -> Result<(), CliError> {
        if self.arguments.json {
            let line = json!({
                "event": "end", "wrong": self.wrong, "incomplete": self.incomplete,
            });
            writeln!(self.out, "{line}")?;
        }
        if self.wrong > 0 {
            return Err(CliError::Mismatches(self.wrong));
        }
        if self.incomplete.is_empty() {
            return Ok(());
        }
        Err(CliError::Refused(format!(
            "not all could be looked at, try again: {}",
            self.incomplete.join("; ")
        )))
    }
}

fn named(snapshot: &Snapshot, id: ShardId) -> String {
    let shard = snapshot.shard(id);
    shard.map_or_else(|| format!("#{id}"), |shard| shard.name.clone())
}

const fn kind_name(kind: MismatchKind) -> &'static str {
    match kind {
        MismatchKind::Missing => "missing",
        MismatchKind::Extra => "extra",
        MismatchKind::Stale => "stale",
        MismatchKind::Different => "different",
    }
}
