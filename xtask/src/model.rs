//! `cargo xtask model`: the worlds of the model check, one by one or all of them.
//!
//! The gate searches those that take seconds. The others take minutes each, and are left out there.

use crate::sh::Sh;

/// The test program, optimised.
const TEST: &str = "cargo test --release --locked --workspace --test model";

/// The command: `all`, `--list`, or a world's name.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    match args {
        [word] if word == "--list" => {
            for world in worlds()? {
                let (set, name) = world.split_once("::").unwrap_or(("", &world));
                println!("{set:<6} {name}");
            }
            Ok(())
        }
        // One core a world: a search splits worse over cores than several of them do.
        [word] if word == "all" => Sh::new(TEST)
            .args("-- --nocapture --include-ignored --test-threads 2")
            .run(),
        [name] => {
            let worlds = worlds()?;
            let world = named(&worlds, name)
                .ok_or_else(|| format!("no world `{name}`; `cargo xtask model --list` has them"))?;
            Sh::new(TEST)
                .args("-- --nocapture --include-ignored --exact")
                .arg(world)
                .run()
        }
        _ => Err("cargo xtask model all | --list | NAME".to_owned()),
    }
}

/// The gate's worlds.
pub(crate) fn gate() -> Result<(), String> {
    Sh::new(TEST).args("-- --nocapture").run()
}

/// All worlds, as the test program names them.
fn worlds() -> Result<Vec<String>, String> {
    let said = Sh::new(TEST).args("-- --list --format terse").output();
    let said = said.ok_or_else(|| format!("the worlds can't be listed: `{TEST}` says why"))?;
    Ok(listed(&said))
}

fn listed(said: &str) -> Vec<String> {
    let worlds = said.lines().filter_map(|line| line.strip_suffix(": test"));
    worlds.map(str::to_owned).collect()
}

fn named<'w>(worlds: &'w [String], name: &str) -> Option<&'w str> {
    let is_it = |world: &&String| {
        world.split_once("::").is_some_and(|(_, last)| last == name) || world.as_str() == name
    };
    worlds.iter().find(is_it).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_is_found_by_its_name() {
        let worlds =
            listed("gate::two_waves: test\nlarge::no_fence: test\n\n2 tests, 0 benchmarks\n");
        assert_eq!(worlds, ["gate::two_waves", "large::no_fence"]);
        assert_eq!(named(&worlds, "no_fence"), Some("large::no_fence"));
        assert_eq!(named(&worlds, "gate::two_waves"), Some("gate::two_waves"));
        assert_eq!(named(&worlds, "fence"), None);
    }
}
