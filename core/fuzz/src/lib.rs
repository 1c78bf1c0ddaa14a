//! The targets of `core/tests/fuzzed`, for libFuzzer.
#![forbid(unsafe_code)]

#[path = "../../tests/fuzzed/corpus.rs"]
mod corpus;
#[path = "../../tests/fuzzed/targets/mod.rs"]
mod targets;

use std::path::Path;
use std::{env, fs};

use targets::{TARGETS, Target};

fn target(name: &str) -> &'static Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("no target is called `{name}`"))
}

/// Feeds `bytes` to the target of that name.
pub fn run(name: &str, bytes: &[u8]) {
    (target(name).run)(bytes);
}

/// Writes what the target begins with, a file for each input, into the folder that `RINGSHIFT_SEEDS`
/// names: the checked-in corpus, and what the published test vectors make.
pub fn seed(name: &str) {
    let Some(folder) = env::var_os("RINGSHIFT_SEEDS") else {
        return;
    };
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fuzzed/corpus");
    for (number, bytes) in corpus::of(target(name), kept).iter().enumerate() {
        let file = Path::new(&folder).join(format!("seed-{number}"));
        fs::write(&file, bytes).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    }
}
