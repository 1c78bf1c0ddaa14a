//! `cargo xtask break`: takes one protection of the core out, and sees whether a test goes red.
//!
//! A protection that nobody misses is either not needed or not tested. Nothing of this is in the
//! core: a copy of it under `target/broken/` gets every protection's broken variant at once, each
//! behind a switch that an environment variable names, so that the copy is built only once.

mod client;
mod coordinator;
mod copy;
mod run;
mod shard;

use std::fs;
use std::path::{Path, PathBuf};

/// One protection, and how to take it out.
pub(super) struct Variant {
    /// The races of `core/docs/PROTOCOL.md` that it holds.
    pub(super) races: &'static [u8],
    /// What is taken out: words with dashes.
    pub(super) name: &'static str,
    /// Where, in the core's sources.
    pub(super) edits: &'static [Edit],
    /// The tests that must miss it, each of them: a suite, and a part of their names.
    pub(super) missed_by: &'static [(&'static str, &'static str)],
}

/// A piece of text that is in the file exactly once, and what takes its place.
pub(super) struct Edit {
    /// Below `core/src`.
    pub(super) file: &'static str,
    /// What is there.
    pub(super) was: &'static str,
    /// What comes there; `BROKEN` is whether this variant is the one switched on.
    pub(super) put: &'static str,
}

const fn edit(file: &'static str, was: &'static str, put: &'static str) -> Edit {
    Edit { file, was, put }
}

fn all() -> impl Iterator<Item = &'static Variant> {
    [shard::VARIANTS, client::VARIANTS, coordinator::VARIANTS]
        .into_iter()
        .flatten()
}

/// The command: `all`, `--list`, a race's number, or a variant's name.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let wanted: Vec<&Variant> = match args {
        [word] if word == "--list" => {
            for variant in all() {
                println!("{:<12} {}", races(variant), variant.name);
            }
            return Ok(());
        }
        [word] if word == "all" => all().collect(),
        [word] => all()
            .filter(|v| v.name == word || v.races.iter().any(|race| race.to_string() == *word))
            .collect(),
        _ => Vec::new(),
    };
    if wanted.is_empty() {
        return Err("cargo xtask break all | --list | RACE | NAME".to_owned());
    }
    let place = copy::make(Path::new("."), all())?;
    run::missed(&place, &wanted)
}

fn races(variant: &Variant) -> String {
    let numbers: Vec<String> = variant.races.iter().map(u8::to_string).collect();
    format!("race {}", numbers.join(", "))
}

/// The files of a folder, deep, by their paths in it.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        for entry in entries {
            let path = entry.map_err(|e| e.to_string())?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    Ok(found)
}
