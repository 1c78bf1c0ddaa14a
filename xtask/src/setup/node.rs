//! Node and npm, and the packages of the folders that have a list of them.

use std::path::Path;

use super::{Missing, debian, stamp};
use crate::sh::Sh;

/// `engines.node` of the npm package.
const NODE_MAJOR_MIN: u32 = 20;
const HOW: &str = "https://nodejs.org, your system's package, or on Debian that of \
                   https://github.com/nodesource/distributions";
/// Folders with a `package-lock.json` that the gate needs.
const FOLDERS: &[&str] = &[
    "bindings-wasm",
    "bindings-wasm/tests/packaging",
    "examples/js/ring-lab",
];

pub(super) fn install(missing: &mut Missing) {
    if let Err(why) = program() {
        missing.push(format!(
            "Node {NODE_MAJOR_MIN} or newer, with npm: {HOW} ({why})"
        ));
        return;
    }
    for folder in FOLDERS {
        if let Err(why) = packages(folder) {
            missing.push(format!(
                "the npm packages of `{folder}`: `npm ci --prefix {folder} --ignore-scripts` \
                 ({why})"
            ));
        }
    }
}

fn program() -> Result<(), String> {
    if major() >= Some(NODE_MAJOR_MIN) && Sh::new("npm --version").succeeds() {
        return Ok(());
    }
    // Debian 12 has Node 18, unless someone added a newer one to its sources.
    if debian::candidate_major("nodejs") < Some(NODE_MAJOR_MIN) {
        return Err("no new enough one can be installed from here".to_owned());
    }
    debian::apt("nodejs").and_then(|()| {
        let there = Sh::new("npm --version").succeeds();
        if there { Ok(()) } else { debian::apt("npm") }
    })
}

/// 20 of `v20.20.2`.
fn major() -> Option<u32> {
    let version = Sh::new("node --version").output()?;
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Installs the packages that `folder/package-lock.json` lists, unless they are in. No package's
/// own installation scripts run: nothing here needs them, and some download programs.
pub(crate) fn packages(folder: &str) -> Result<(), String> {
    let lock = stamp::of(&[Path::new(folder).join("package-lock.json")])?;
    let modules = Path::new(folder).join("node_modules");
    if stamp::holds(&modules, &lock) {
        return Ok(());
    }
    Sh::new("npm ci --ignore-scripts --no-audit --no-fund --prefix")
        .arg(folder)
        .run()?;
    stamp::leave(&modules, &lock)
}
