//! Running the copy's tests, whole and with each protection taken out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::broken::copy::SWITCH;
use crate::broken::{Variant, races};

/// A broken protocol may wait for ever. That is no answer: a slow machine looks the same.
const PATIENCE: Duration = Duration::from_secs(60);

/// Each suite's program.
type Suites = BTreeMap<&'static str, PathBuf>;

/// How a run of tests ended.
enum Ended {
    Green { tests: usize },
    Red { first: String },
    Hung,
}

/// Sees that every test of `missed_by` is green as things are, and red without the protection.
pub(super) fn missed(place: &Path, wanted: &[&'static Variant]) -> Result<(), String> {
    let suites = build(place, wanted)?;
    let mut whole: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut unmissed = Vec::new();
    for variant in wanted {
        for &(suite, filter) in variant.missed_by {
            let program = suites.get(suite).ok_or("a suite has no program")?;
            if whole.insert((suite, filter)) {
                match tests(place, program, filter, "")? {
                    Ended::Green { tests } if tests > 0 => {}
                    Ended::Green { .. } => {
                        return Err(format!("`{suite}` has no test `{filter}`"));
                    }
                    Ended::Red { first } => {
                        return Err(format!("`{first}` is red with nothing taken out"));
                    }
                    Ended::Hung => return Err(format!("`{suite}` `{filter}` doesn't end")),
                }
            }
            let says = match tests(place, program, filter, variant.name)? {
                Ended::Green { tests } => {
                    unmissed.push(format!("{}: `{suite}` `{filter}`", variant.name));
                    format!("NOT MISSED by {tests} tests of `{suite}` `{filter}`")
                }
                Ended::Red { first } => format!("missed by {first}"),
                Ended::Hung => {
                    unmissed.push(format!("{}: `{suite}` `{filter}`", variant.name));
                    format!("NO ANSWER: `{suite}` `{filter}` doesn't end")
                }
            };
            println!("{:<12} {:<44} {says}", races(variant), variant.name);
        }
    }
    if unmissed.is_empty() {
        println!("{} protections, each is missed", wanted.len());
        return Ok(());
    }
    Err(format!(
        "taken out, and nothing went red:\n{}",
        unmissed.join("\n")
    ))
}

/// The programs of all suites, by the suites' names, so that a run builds nothing.
fn build(place: &Path, wanted: &[&'static Variant]) -> Result<Suites, String> {
    let mut names: Vec<&'static str> = wanted
        .iter()
        .flat_map(|variant| variant.missed_by.iter().map(|(suite, _)| *suite))
        .collect();
    names.sort_unstable();
    names.dedup();
    let mut cargo = Command::new("cargo");
    cargo
        .args(["test", "--offline", "--no-run", "--package", "ringshift"])
        .current_dir(place)
        // Its own: cargo takes two crates of one name, at one place in their workspaces, for one.
        .env("CARGO_TARGET_DIR", place.join("target"));
    for name in &names {
        match *name {
            "lib" => cargo.arg("--lib"),
            name => cargo.args(["--test", name]),
        };
    }
    println!("$ cargo test --no-run, in {}", place.display());
    let out = cargo.output().map_err(|e| format!("cargo: {e}"))?;
    let text = String::from_utf8_lossy(&out.stderr);
    if !out.status.success() {
        return Err(format!("the copy doesn't build:\n{text}"));
    }
    let found = names.into_iter().map(|name| {
        let path = program(&text, name).ok_or_else(|| format!("cargo built no `{name}`"))?;
        Ok((name, place.join(path)))
    });
    found.collect()
}

/// Where cargo says that it put the program of `suite`.
fn program(said: &str, suite: &str) -> Option<PathBuf> {
    let source = match suite {
        "lib" => "unittests src/lib.rs".to_owned(),
        name => format!("tests/{name}"),
    };
    let line = said.lines().find(|line| {
        let rest = line.trim_start().strip_prefix("Executable ");
        rest.and_then(|rest| rest.strip_prefix(source.as_str()))
            .is_some_and(|rest| rest.starts_with(['/', '.', ' ']))
    })?;
    let path = line.rsplit_once('(')?.1.strip_suffix(')')?;
    Some(PathBuf::from(path))
}

fn tests(place: &Path, program: &Path, filter: &str, broken: &str) -> Result<Ended, String> {
    let log = place.join("log");
    let file = File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
    let mut child = Command::new(program)
        .args(["--quiet", filter])
        .current_dir(place.join("core"))
        .env(SWITCH, broken)
        .stdout(Stdio::from(file))
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("{}: {e}", program.display()))?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
            break status;
        }
        if begun.elapsed() > PATIENCE {
            child.kill().map_err(|e| e.to_string())?;
            child.wait().map_err(|e| e.to_string())?;
            return Ok(Ended::Hung);
        }
        thread::sleep(Duration::from_millis(5));
    };
    let text = fs::read_to_string(&log).map_err(|e| format!("{}: {e}", log.display()))?;
    if status.success() {
        let tests = passed(&text);
        return Ok(Ended::Green { tests });
    }
    // Who is killed for taking all memory, or overflows the stack, lists nothing.
    let first = first_failed(&text).unwrap_or_else(|| format!("`{filter}`, with {status}"));
    Ok(Ended::Red { first })
}

/// How many tests a green run says it passed.
fn passed(text: &str) -> usize {
    let line = text
        .lines()
        .find(|line| line.starts_with("test result: ok."));
    let number = line.and_then(|line| line.split_whitespace().nth(3));
    number.and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// The first of the failures that a red run lists.
fn first_failed(text: &str) -> Option<String> {
    let (_, list) = text.rsplit_once("\nfailures:\n")?;
    let first = list.lines().find(|line| !line.trim().is_empty())?;
    Some(first.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_s_program_is_found() {
        let said = "  Executable unittests src/lib.rs (t/ringshift-1)\n  \
                    Executable tests/races/main.rs (t/races-2)\n  \
                    Executable tests/snapshot.rs (t/snapshot-3)\n";
        assert_eq!(program(said, "lib"), Some("t/ringshift-1".into()));
        assert_eq!(program(said, "races"), Some("t/races-2".into()));
        assert_eq!(program(said, "snapshot"), Some("t/snapshot-3".into()));
        assert_eq!(program(said, "race"), None);
    }

    #[test]
    fn a_run_s_end_is_read() {
        let green = "\nrunning 3 tests\n...\ntest result: ok. 3 passed; 0 failed; 0 ignored\n";
        assert_eq!(passed(green), 3);
        assert_eq!(passed("error: no such test"), 0);
        let red =
            "failures:\n\n---- a stdout ----\nboo\n\n\nfailures:\n    a::b\n    c\n\ntest result";
        assert_eq!(first_failed(red).as_deref(), Some("a::b"));
        assert_eq!(first_failed(green), None);
    }
}
