//! The workspace chores: `cargo xtask help` lists them.
//!
//! Plain Rust over the standard library, so that it builds in a second or two. Each command
//! prints what it runs, and a line that it prints can be pasted into a shell.

mod bench;
mod broken;
mod fuzz;
mod gate;
mod imports;
mod js;
mod languages;
mod lexer;
mod model;
mod nostd;
mod package;
mod proofs;
mod python;
mod readme;
mod setup;
mod sh;
mod sim;
mod test;
mod tester;
mod vectors;
mod walls;
mod wasm;

use std::process::ExitCode;

/// A command of this program. It fails with a message for people.
struct Command {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Result<(), String>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "setup",
        about: "install what the tests need",
        run: |_| setup::run(),
    },
    Command {
        name: "test",
        about: "the whole gate; --list, STEP…, --from STEP",
        run: test::run,
    },
    Command {
        name: "package",
        about: "the npm tarball and the wheel, in dist/; npm, wheel",
        run: package::run,
    },
    Command {
        name: "bench",
        about: "measure; [--language rust|js|python] --json FILE; --instructions [--write]",
        run: bench::run,
    },
    Command {
        name: "break",
        about: "take a protection out, and see it missed; all, --list, RACE, NAME",
        run: broken::run,
    },
    Command {
        name: "model",
        about: "search worlds of the model check; all, --list, NAME",
        run: model::run,
    },
    Command {
        name: "sim",
        about: "whole worlds by chance; --worlds N, --from SEED, or one with its story: --seed SEED",
        run: sim::run,
    },
    Command {
        name: "fuzz",
        about: "feed the core's inputs to libFuzzer; TARGET… --seconds N, --collect, --keep",
        run: fuzz::run,
    },
    Command {
        name: "miri",
        about: "the core's unit tests, interpreted; words choose some",
        run: proofs::miri,
    },
    Command {
        name: "mutants",
        about: "change the core, and see it missed; --shard K/N, --file GLOB",
        run: proofs::mutants,
    },
    Command {
        name: "imports",
        about: "the module order of core/src",
        run: |_| imports::run(),
    },
    Command {
        name: "no-std",
        about: "build the core with core and alloc only",
        run: nostd::run,
    },
    Command {
        name: "vectors",
        about: "write the test vectors; --check compares them",
        run: |args| vectors::run(args.iter().any(|arg| arg == "--check")),
    },
    Command {
        name: "tester",
        about: "random programs and the core's answers; --programs N, --seed N, --against COMMAND",
        run: tester::run,
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (name, rest) = match args.split_first() {
        Some((name, rest)) => (name.as_str(), rest),
        None => ("help", &[] as &[String]),
    };
    if let Err(e) = std::env::set_current_dir(sh::root()) {
        eprintln!("error: the workspace's folder can't be entered: {e}");
        return ExitCode::FAILURE;
    }
    if matches!(name, "help" | "--help" | "-h") {
        for command in COMMANDS {
            println!("cargo xtask {:<8} {}", command.name, command.about);
        }
        return ExitCode::SUCCESS;
    }
    let Some(command) = COMMANDS.iter().find(|c| c.name == name) else {
        eprintln!("error: unknown command `{name}`; `cargo xtask help` lists them");
        return ExitCode::FAILURE;
    };
    match (command.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
