//! Benchmarks of the packages as they are published: built, installed, then measured.

use crate::package;
use crate::python;
use crate::setup::{self, node};
use crate::sh::Sh;

const USAGE: &str = "usage: cargo xtask bench --language js|python --json FILE";

/// The command.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let (language, file) = options(args).ok_or(USAGE)?;
    match language {
        "js" => js(file),
        "python" => in_python(file),
        other => Err(format!("`{other}` has no benchmarks; {USAGE}")),
    }
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

/// The language and the file, in either order.
fn options(args: &[String]) -> Option<(&str, &str)> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match *words {
        ["--language", language, "--json", file] | ["--json", file, "--language", language] => {
            Some((language, file))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_in_either_order() {
        let given = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let wanted = Some(("js", "out.json"));
        assert_eq!(options(&given("--language js --json out.json")), wanted);
        assert_eq!(options(&given("--json out.json --language js")), wanted);
        assert_eq!(options(&given("--language js")), None);
    }
}
