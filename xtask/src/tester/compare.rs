//! Lets a replayer run the programs, and makes the smallest one that still differs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::machine::Machine;
use super::pool::Pool;
use super::program::Program;
use super::{Failed, write_file};

/// Mismatches that are shown; the replayer's last lines say how many there are.
const SHOWN_MAX: usize = 3;

/// Runs `command` on the file at `path`; a program that differs is cut down and printed.
pub(super) fn compare(command: &str, path: &Path, pool: &Pool, seed: u64) -> Result<(), Failed> {
    println!("$ {command} {}", path.display());
    let output = replay(command, path)?;
    if output.status.success() {
        print!("{}", String::from_utf8_lossy(&output.stdout));
        return Ok(());
    }
    let Some(first) = differing(&output).into_iter().next() else {
        let text = String::from_utf8_lossy(&output.stdout);
        return Err(format!("`{command}` ended with {}\n{text}", output.status));
    };
    show(&output);
    let program = super::program::program(pool, seed, first)?;
    let small = shrink(command, pool, seed, program.calls)?;
    let small_path = path.with_file_name("smallest.jsonl");
    write_file(
        &small_path,
        pool,
        seed,
        std::iter::once(answered(pool, 0, small.clone())),
    )?;
    println!(
        "the smallest program that differs, {}:",
        small_path.display()
    );
    for call in &small {
        println!("  {call}");
    }
    show(&replay(command, &small_path)?);
    Err(format!(
        "`{command}` answers otherwise than the core, first in program {first} of seed {seed}"
    ))
}

/// The first mismatches, and what the replayer says of all.
fn show(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    let (found, rest): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with('{'));
    for line in found.iter().take(SHOWN_MAX).chain(&rest) {
        println!("{line}");
    }
}

fn replay(command: &str, path: &Path) -> Result<Output, Failed> {
    let mut words = command.split_whitespace();
    Command::new(words.next().unwrap_or_default())
        .args(words)
        .arg(path)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("`{command}` can't be started: {e}"))
}

/// The numbers of the programs that a replayer named.
fn differing(output: &Output) -> Vec<u64> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok()?["program"].as_u64())
        .collect()
}

/// The calls again, with the core's answers.
pub(super) fn answered(pool: &Pool, number: u64, calls: Vec<Value>) -> Result<Program, Failed> {
    let mut machine = Machine::new(&pool.bytes);
    let answers = calls.iter().map(|call| machine.call(call));
    let answers = answers.collect::<Result<_, _>>()?;
    Ok(Program {
        number,
        calls,
        answers,
    })
}

/// Leaves calls out while the rest still differs: halves first, then ever smaller stretches.
fn shrink(
    command: &str,
    pool: &Pool,
    seed: u64,
    mut calls: Vec<Value>,
) -> Result<Vec<Value>, Failed> {
    let path: PathBuf = crate::sh::root().join("target/tester/shrinking.jsonl");
    let mut stretch = calls.len().div_ceil(2);
    while stretch > 0 {
        let candidates: Vec<Vec<Value>> = (0..calls.len())
            .step_by(stretch)
            .map(|at| {
                let without = |place: &usize| *place < at || *place >= at + stretch;
                let kept = calls.iter().enumerate().filter(|(place, _)| without(place));
                kept.map(|(_, call)| call.clone()).collect()
            })
            .collect();
        let programs = (0_u64..)
            .zip(&candidates)
            .map(|(number, calls)| answered(pool, number, calls.clone()));
        write_file(&path, pool, seed, programs)?;
        let still = differing(&replay(command, &path)?).into_iter().next();
        let smaller = still.and_then(|number| candidates.get(usize::try_from(number).ok()?));
        match smaller {
            Some(smaller) => calls.clone_from(smaller),
            None if stretch == 1 => break,
            None => stretch = stretch.div_ceil(2),
        }
    }
    Ok(calls)
}
