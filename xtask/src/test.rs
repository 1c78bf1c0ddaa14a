//! The gate: every step in order, each command printed before it runs, a table at the end.

use std::time::Instant;

use crate::sh::Sh;
use crate::{imports, nostd, setup, vectors, walls};

/// One step of the gate.
struct Step {
    name: &'static str,
    about: &'static str,
    run: fn() -> Result<(), String>,
}

const fn step(name: &'static str, about: &'static str, run: fn() -> Result<(), String>) -> Step {
    Step { name, about, run }
}

/// In the order that finds a mistake soonest: what takes a blink first, what builds most last.
const STEPS: &[Step] = &[
    step("setup", "what the tests need is installed", setup::run),
    step("fmt", "the layout of the source", || {
        Sh::new("cargo fmt --all --check").run()
    }),
    step("sizes", "no file over 500 lines", walls::sizes),
    step(
        "lints",
        "no_std, and the lint table everywhere",
        walls::lints,
    ),
    step("imports", "the module order of core/src", imports::run),
    step("clippy", "no warning in any target", || {
        Sh::new("cargo clippy --workspace --all-targets --locked -- -D warnings").run()
    }),
    step(
        "deny",
        "licences, sources and advisories of what we build on",
        deny,
    ),
    step("tests", "unit and property tests", || {
        Sh::new("cargo test --workspace --lib --bins --tests --locked").run()
    }),
    step(
        "doctests",
        "every example of the docs and the README",
        || Sh::new("cargo test --workspace --doc --locked").run(),
    ),
    step("doc", "the docs, without a broken link", || {
        Sh::new("cargo doc --workspace --no-deps --locked")
            .env("RUSTDOCFLAGS", "-D warnings")
            .run()
    }),
    step("no-std", "core and alloc only, on bare metal", || {
        nostd::build(nostd::BARE_METAL)
    }),
    step("wasm", "core and alloc only, for browsers", || {
        nostd::build(nostd::WASM)
    }),
    step(
        "vectors",
        "the published test vectors are what the code makes",
        || vectors::run(true),
    ),
    step(
        "model",
        "the protocol, every interleaving of a small world",
        || {
            // One core a world: a search splits worse over cores than eight of them do.
            let test = "cargo test --release --locked --package ringshift --test model";
            Sh::new(test).args("-- --nocapture").run()
        },
    ),
    step("build", "the main job, optimised", || {
        Sh::new("cargo build --release --locked --example live_reshard").run()
    }),
    step(
        "kills",
        "the main job, killed at every step and resumed",
        || {
            let test = "cargo test --release --locked --package ringshift-examples --test kills";
            Sh::new(test).args("-- --nocapture --test-threads 1").run()
        },
    ),
    step("live-reshard", "the main job: a reshard under load", || {
        Sh::new("cargo run --release --locked --example live_reshard").run()
    }),
];

/// The command.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    if args.iter().any(|a| a == "--list") {
        for step in STEPS {
            println!("{:<13} {}", step.name, step.about);
        }
        return Ok(());
    }
    let chosen = choose(args)?;
    let mut done: Vec<(&str, String)> = Vec::new();
    let (mut passed, mut failure) = (0, None);
    let start = Instant::now();
    for step in chosen {
        println!("\n== {}: {}", step.name, step.about);
        let begun = Instant::now();
        let outcome = (step.run)();
        let seconds = begun.elapsed().as_secs_f64();
        let mark = if outcome.is_ok() { "" } else { "   FAILED" };
        done.push((step.name, format!("{seconds:7.1} s{mark}")));
        match outcome {
            Ok(()) => passed += 1,
            Err(message) => {
                failure = Some(format!("step `{}`: {message}", step.name));
                break;
            }
        }
    }
    println!();
    for (name, result) in &done {
        println!("{name:<13} {result}");
    }
    println!("{:<13} {:7.1} s", "all", start.elapsed().as_secs_f64());
    println!("{passed} passed, {} failed", usize::from(failure.is_some()));
    failure.map_or(Ok(()), Err)
}

/// The steps that the arguments name: all, some, or all from one on.
fn choose(args: &[String]) -> Result<Vec<&'static Step>, String> {
    let find = |name: &String| {
        let known = STEPS.iter().position(|s| s.name == name.as_str());
        known.ok_or_else(|| format!("unknown step `{name}`; `cargo xtask test --list` lists them"))
    };
    match args {
        [] => Ok(STEPS.iter().collect()),
        [from, name] if from == "--from" => Ok(STEPS.iter().skip(find(name)?).collect()),
        names => {
            let wanted = names.iter().map(find).collect::<Result<Vec<_>, _>>()?;
            Ok(STEPS
                .iter()
                .enumerate()
                .filter(|(i, _)| wanted.contains(i))
                .map(|(_, s)| s)
                .collect())
        }
    }
}

/// Licences, doubles and sources always; advisories where their database can be had.
fn deny() -> Result<(), String> {
    Sh::new("cargo deny --locked check bans licenses sources").run()?;
    if Sh::new("cargo deny fetch db").run().is_ok() {
        return Sh::new("cargo deny --locked check advisories").run();
    }
    println!("SKIPPED: advisories, since their database can't be fetched from here");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(args: &[&str]) -> Result<Vec<&'static str>, String> {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        Ok(choose(&args)?.iter().map(|s| s.name).collect())
    }

    #[test]
    fn steps_are_chosen_by_name_in_their_own_order() {
        assert_eq!(names(&["model", "fmt"]), Ok(vec!["fmt", "model"]));
        assert_eq!(
            names(&["--from", "model"]),
            Ok(vec!["model", "build", "kills", "live-reshard"])
        );
        assert_eq!(names(&[]).map(|n| n.len()), Ok(STEPS.len()));
        assert!(names(&["--from", "nothing"]).is_err_and(|e| e.contains("`nothing`")));
        assert!(names(&["--from"]).is_err());
    }
}
