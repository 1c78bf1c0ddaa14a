//! The binding tester: one random program of calls, run by the core and by every binding, whose
//! answers must be the same, in the same order.
//!
//! `cargo xtask tester` writes programs with the core's answers to `target/tester/programs.jsonl`:
//! a first line with the bytes that calls name by number, then a line a program. The replayers
//! `bindings-wasm/tests/tester.mjs` and `bindings-python/tests/tester.py` read that.

#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value answers null for what isn't there"
)]

mod compare;
mod machine;
mod pool;
mod program;
mod read;
mod rng;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::vectors::hex;
use pool::Pool;
use program::Program;

type Failed = String;

/// What the command line asks for.
struct Options {
    programs: u64,
    seed: u64,
    /// Commands that replay a file, and answer with the mismatches.
    against: Vec<String>,
}

/// The command: `--programs N`, `--seed N`, and for each replayer `--against "node …"`.
pub(crate) fn run(args: &[String]) -> Result<(), Failed> {
    let mut options = Options {
        programs: 10_000,
        seed: 1,
        against: Vec::new(),
    };
    let mut args = args.iter();
    while let Some(name) = args.next() {
        let value = args
            .next()
            .ok_or_else(|| format!("`{name}` needs a value"))?;
        let number = || value.parse().map_err(|_| format!("`{value}` is no number"));
        match name.as_str() {
            "--programs" => options.programs = number()?,
            "--seed" => options.seed = number()?,
            "--against" => options.against.push(value.clone()),
            other => return Err(format!("unknown option `{other}`")),
        }
    }
    let pool = Pool::new(options.seed)?;
    let folder = crate::sh::root().join("target/tester");
    fs::create_dir_all(&folder).map_err(|e| format!("`{}`: {e}", folder.display()))?;
    let path = folder.join("programs.jsonl");
    let began = std::time::Instant::now();
    let calls = write_file(
        &path,
        &pool,
        options.seed,
        (0..options.programs).map(|number| program::program(&pool, options.seed, number)),
    )?;
    println!(
        "{} programs of {calls} calls, seed {}, in {:.1} s: {}",
        options.programs,
        options.seed,
        began.elapsed().as_secs_f64(),
        path.display()
    );
    for command in &options.against {
        compare::compare(command, &path, &pool, options.seed)?;
    }
    Ok(())
}

/// Writes programs, and answers how many calls they have.
fn write_file(
    path: &PathBuf,
    pool: &Pool,
    seed: u64,
    programs: impl Iterator<Item = Result<Program, Failed>>,
) -> Result<usize, Failed> {
    let failed = |e: std::io::Error| format!("`{}` can't be written: {e}", path.display());
    let mut out = BufWriter::new(File::create(path).map_err(failed)?);
    let bytes: Vec<String> = pool.bytes.iter().map(|bytes| hex(bytes)).collect();
    writeln!(out, "{}", json!({"seed": seed.to_string(), "bytes": bytes})).map_err(failed)?;
    let mut calls = 0;
    for program in programs {
        let Program {
            number,
            calls: made,
            answers,
        } = program?;
        calls += made.len();
        let line: Value = json!({"program": number, "calls": made, "answers": answers});
        writeln!(out, "{line}").map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    Ok(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(seed: u64, number: u64) -> Result<Program, Failed> {
        program::program(&Pool::new(seed)?, seed, number)
    }

    #[test]
    fn a_number_and_a_seed_name_one_program() -> Result<(), Failed> {
        let (first, again) = (made(7, 3)?, made(7, 3)?);
        assert_eq!(
            (&first.calls, &first.answers),
            (&again.calls, &again.answers)
        );
        assert!(first.calls != made(8, 3)?.calls && first.calls != made(7, 4)?.calls);
        Ok(())
    }

    #[test]
    fn programs_are_about_everything_and_meet_refusals_too() -> Result<(), Failed> {
        let pool = Pool::new(1)?;
        let mut seen = std::collections::BTreeSet::new();
        let (mut errors, mut over) = (std::collections::BTreeSet::new(), 0);
        for number in 0..400 {
            let program = program::program(&pool, 1, number)?;
            for (call, answer) in program.calls.iter().zip(&program.answers) {
                seen.insert(call["do"].as_str().unwrap_or_default().to_owned());
                errors.extend(answer["error"].as_str().map(str::to_owned));
                over += usize::from(answer.get("over").is_some());
            }
        }
        for slug in [
            "key_type",
            "key_encoding",
            "unknown_attempt",
            "argument",
            "older_snapshot",
        ] {
            assert!(errors.contains(slug), "nothing provokes {slug}: {errors:?}");
        }
        assert!(seen.len() > 45 && over > 3, "{over} {seen:?}");
        Ok(())
    }

    #[test]
    fn a_program_that_was_cut_down_still_runs() -> Result<(), Failed> {
        let pool = Pool::new(1)?;
        for number in 0..60 {
            let mut calls = program::program(&pool, 1, number)?.calls;
            calls.remove(0);
            compare::answered(&pool, number, calls)?;
        }
        Ok(())
    }
}
