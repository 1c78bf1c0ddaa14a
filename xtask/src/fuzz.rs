//! `cargo xtask fuzz`: the targets of `core/tests/fuzzed` under libFuzzer. It needs a nightly
//! compiler and cargo-fuzz; the gate runs the same targets on stable, without either.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::sh::{self, Sh};

const TARGETS: [&str; 7] = [
    "snapshot",
    "delta",
    "topology",
    "directory",
    "operation",
    "guard",
    "coordinator",
];
const USAGE: &str =
    "cargo xtask fuzz [TARGET…] [--seconds N] | --collect TARGET | --keep TARGET FILE WHY";
const CORPUS: &str = "core/tests/fuzzed/corpus";
/// What stands below this line was found by the fuzzer, and is written anew by `--collect`.
const FOUND: &str = "# Found by the fuzzer: one input for each piece of code that was reached.";
/// Longer inputs are not checked in.
const KEPT_BYTES_MAX: usize = 400;
/// More of them would only make the gate slower.
const KEPT_MAX: usize = 150;

/// The command.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let (names, seconds) = match words[..] {
        ["--keep", name, file, why] => return keep(known(name)?, Path::new(file), why),
        ["--collect", name] => return collect(known(name)?),
        [ref names @ .., "--seconds", seconds] => {
            let seconds: u32 = seconds.parse().map_err(|_| USAGE.to_owned())?;
            (names, seconds)
        }
        ref names => (names, 600),
    };
    let names = names
        .iter()
        .map(|name| known(name))
        .collect::<Result<Vec<_>, _>>()?;
    needed()?;
    let all = names.is_empty();
    for name in TARGETS
        .into_iter()
        .filter(|name| all || names.contains(name))
    {
        fuzz(name, seconds)?;
    }
    Ok(())
}

fn known(name: &str) -> Result<&'static str, String> {
    let found = TARGETS.into_iter().find(|target| *target == name);
    found.ok_or_else(|| format!("unknown target `{name}`; there are {TARGETS:?}\n{USAGE}"))
}

/// What isn't in the gate, and so isn't installed by `cargo xtask setup`.
fn needed() -> Result<(), String> {
    let probes = [
        (
            "rustc +nightly --version",
            "a nightly compiler: `rustup toolchain install nightly --profile minimal`",
        ),
        (
            "cargo fuzz --version",
            "cargo-fuzz: `cargo install cargo-fuzz --locked`",
        ),
        (
            "c++ --version",
            "a C++ compiler, called `c++`, for libFuzzer",
        ),
    ];
    let missing: Vec<&str> = probes
        .into_iter()
        .filter(|(probe, _)| !Sh::new(probe).succeeds())
        .map(|(_, what)| what)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("fuzzing lacks\n  {}", missing.join("\n  ")))
}

fn folder(kind: &str, name: &str) -> Result<PathBuf, String> {
    let folder = sh::target_dir().join("fuzz").join(kind).join(name);
    fs::create_dir_all(&folder).map_err(|e| format!("`{}`: {e}", folder.display()))?;
    Ok(folder)
}

/// The fuzzer of a target, to be given its corpus and flags. Without a sanitizer: the core forbids
/// unsafe code, so that there is nothing for one to find, and inputs are worth more.
fn fuzzer(name: &str, corpus: &Path) -> Sh {
    let builds = sh::target_dir().join("fuzz/build");
    Sh::new("cargo +nightly fuzz run --fuzz-dir core/fuzz --sanitizer none --target-dir")
        .arg(builds.display().to_string())
        .arg(name)
        .arg(corpus.display().to_string())
}

fn fuzz(name: &str, seconds: u32) -> Result<(), String> {
    let (corpus, artifacts) = (folder("corpus", name)?, folder("artifacts", name)?);
    fuzzer(name, &corpus)
        .env("RINGSHIFT_SEEDS", corpus.display().to_string())
        .args("-- -timeout=30 -max_len=4096 -print_final_stats=1")
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .run()
}

/// Writes some of the inputs that reach what the corpus under `target/` reaches into the checked-in
/// one: short ones, of every length.
fn collect(name: &str) -> Result<(), String> {
    needed()?;
    let merged = folder("merged", name)?;
    fs::remove_dir_all(&merged).map_err(|e| format!("`{}`: {e}", merged.display()))?;
    let merged = folder("merged", name)?;
    fuzzer(name, &merged)
        .arg(folder("corpus", name)?.display().to_string())
        .args("-- -merge=1 -max_len=4096")
        .run()?;
    let mut inputs = Vec::new();
    for entry in fs::read_dir(&merged).map_err(|e| e.to_string())? {
        let path = entry.map_err(|e| e.to_string())?.path();
        inputs.push(fs::read(&path).map_err(|e| e.to_string())?);
    }
    inputs.retain(|bytes| (1..=KEPT_BYTES_MAX).contains(&bytes.len()));
    inputs.sort_by_key(|bytes| (bytes.len(), bytes.clone()));
    // Of every length some.
    let step = inputs.len().div_ceil(KEPT_MAX).max(1);
    let path = checked_in(name);
    let text = fs::read_to_string(&path).unwrap_or_default();
    let by_hand = text.split(FOUND).next().unwrap_or_default();
    let mut text = format!("{by_hand}{FOUND}\n");
    for bytes in inputs.iter().step_by(step) {
        text.push_str(&line(bytes));
    }
    write(&path, &text)
}

/// Puts an input above those that the fuzzer has found, and says why it is there.
fn keep(name: &str, file: &Path, why: &str) -> Result<(), String> {
    let bytes = fs::read(file).map_err(|e| format!("`{}`: {e}", file.display()))?;
    let path = checked_in(name);
    let text = fs::read_to_string(&path).unwrap_or_default();
    let (by_hand, found) = text.split_at(text.find(FOUND).unwrap_or(text.len()));
    write(&path, &format!("{by_hand}# {why}\n{}{found}", line(&bytes)))
}

fn checked_in(name: &str) -> PathBuf {
    Path::new(CORPUS).join(name).with_extension("txt")
}

fn line(bytes: &[u8]) -> String {
    let mut line = String::with_capacity(2 * bytes.len() + 1);
    for byte in bytes {
        // Writing to a string can't fail.
        let _ = write!(line, "{byte:02x}");
    }
    line.push('\n');
    line
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("`{}`: {e}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}
