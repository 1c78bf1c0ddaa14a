//! Benchmarks: of the core, and of the packages as they are published: built, installed, measured.

use crate::package;
use crate::python;
use crate::setup::{self, node};
use crate::sh::Sh;

const USAGE: &str = "usage: cargo xtask bench [--language rust|js|python] --json FILE, \
    or cargo xtask bench --instructions [--write]";

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Wish<'a> {
    /// A run in that language, with its figures in a file.
    Run { language: &'a str, file: &'a str },
    /// Counts of instructions, compared with what is written down, or written down.
    Instructions { write: bool },
}

/// The command.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    match wish(args).ok_or(USAGE)? {
        Wish::Run { language, file } => match language {
            "rust" => in_rust()
                .arg("--json")
                .arg(file)
                .args("--page benches/README.md --chart benches/route.svg")
                .run(),
            "js" => js(file),
            "python" => in_python(file),
            other => Err(format!("`{other}` has no benchmarks; {USAGE}")),
        },
        Wish::Instructions { write } => {
            let count = in_rust().args("--instructions benches/rust/instructions.json");
            if write { count.arg("--write") } else { count }.run()
        }
    }
}

/// The bench of the core, which is no member of the workspace: it builds what others have made.
fn in_rust() -> Sh {
    Sh::new("cargo run --release --locked --manifest-path benches/rust/Cargo.toml --")
}

fn js(file: &str) -> Result<(), String> {
    package::npm()?;
    node::packages("benches/js")?;
    // Beside what the list names, and not on it: its digest changes with every build.
    Sh::new("npm install --no-save --no-audit --no-fund --prefer-offline --prefix benches/js")
        // With a dot before it, since npm takes `dist/…` for somebody's repository.
        .arg(format!("./{}", package::tarball()?.display()))
        .run()?;
    Sh::new("node benches/js/main.mjs --json").arg(file).run()
}

fn in_python(file: &str) -> Result<(), String> {
    package::wheel()?;
    let environment = setup::python::folder();
    setup::python::requirements(&environment, "benches/python/requirements.txt")?;
    python::install(&environment)?;
    Sh::program(&setup::python::python_of(&environment))
        .args("benches/python/main.py --json")
        .arg(file)
        .run()
}

/// What the arguments say, the language and the file in either order.
fn wish(args: &[String]) -> Option<Wish<'_>> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match *words {
        ["--language", language, "--json", file] | ["--json", file, "--language", language] => {
            Some(Wish::Run { language, file })
        }
        ["--json", file] => Some(Wish::Run {
            language: "rust",
            file,
        }),
        ["--instructions"] => Some(Wish::Instructions { write: false }),
        ["--instructions", "--write"] => Some(Wish::Instructions { write: true }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_in_either_order_and_rust_is_meant_without_a_language() {
        let given = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let run = |language| {
            let file = "out.json";
            Some(Wish::Run { language, file })
        };
        assert_eq!(wish(&given("--language js --json out.json")), run("js"));
        assert_eq!(wish(&given("--json out.json --language js")), run("js"));
        assert_eq!(wish(&given("--json out.json")), run("rust"));
        assert_eq!(wish(&given("--language js")), None);
        let count = |write| Some(Wish::Instructions { write });
        assert_eq!(wish(&given("--instructions")), count(false));
        assert_eq!(wish(&given("--instructions --write")), count(true));
    }
}
