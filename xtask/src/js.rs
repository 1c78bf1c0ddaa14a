//! The gate's steps in JavaScript. They look at the packed tarball, never at the tree it is made
//! from.

use crate::setup::browser;
use crate::sh::{self, Sh};

/// The packed tarball in everything that it is made for.
pub(crate) fn packaging() -> Result<(), String> {
    let chrome = browser::chrome().ok_or("there is no Chromium here; run `cargo xtask setup`")?;
    Sh::new("node bindings-wasm/tests/packaging/run.mjs")
        .env("CHROME", chrome.display().to_string())
        .run()
}

/// The package's own tests.
pub(crate) fn tests() -> Result<(), String> {
    let sqlite = sh::root().join("bindings-wasm/node_modules/better-sqlite3");
    Sh::new("npm test --prefix bindings-wasm")
        .env("RINGSHIFT_BETTER_SQLITE3", sqlite.display().to_string())
        .run()
}

/// Its declarations, and what its manifest says of them.
pub(crate) fn types() -> Result<(), String> {
    Sh::new("npm run check --prefix bindings-wasm").run()
}
