//! Cargo for WebAssembly, whoever builds it: rustup's toolchain, or Debian's where rustup has none.

use std::env;
use std::fs;
use std::path::Path;

use crate::nostd::{self, Toolchain};
use crate::setup::browser;
use crate::sh::{self, Sh};

/// Where the tests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Node,
    Page,
    Worker,
}

/// The variables under which a plain `cargo … --target wasm32-unknown-unknown` works here. None of
/// them are needed with rustup's. Debian's compiler builds the standard library as it goes, which
/// a stable one does when it is told to by `RUSTC_BOOTSTRAP`; no line of ours needs it.
pub(crate) fn variables() -> Result<Vec<(String, String)>, String> {
    match nostd::toolchain(nostd::WASM) {
        Some(Toolchain::Usual) => Ok(Vec::new()),
        Some(Toolchain::Debian) => {
            let pairs = [
                ("PATH", debian_first()?),
                ("CARGO", nostd::DEBIAN_CARGO.to_owned()),
                ("RUSTC", nostd::DEBIAN_RUSTC.to_owned()),
                ("RUSTC_BOOTSTRAP", "1".to_owned()),
                ("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort".to_owned()),
                (
                    "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER",
                    "wasm-ld-19".to_owned(),
                ),
                (
                    "CARGO_TARGET_DIR",
                    sh::second_target_dir().display().to_string(),
                ),
            ];
            Ok(pairs.map(|(name, value)| (name.to_owned(), value)).into())
        }
        None => Err(format!(
            "nothing here builds for `{}`; run `cargo xtask setup`",
            nostd::WASM
        )),
    }
}

/// A PATH on which Debian's Rust comes before any other, and nothing else changes places.
fn debian_first() -> Result<String, String> {
    let folder = sh::second_target_dir().join("debian-rust");
    let failed = |e| format!("`{}` can't be made: {e}", folder.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    for (name, program) in [
        ("cargo", nostd::DEBIAN_CARGO),
        ("rustc", nostd::DEBIAN_RUSTC),
    ] {
        let link = folder.join(name);
        if fs::read_link(&link).is_ok_and(|to| to == Path::new(program)) {
            continue;
        }
        link_to(program, &link).map_err(failed)?;
    }
    let usual = env::var("PATH").unwrap_or_default();
    Ok(format!("{}:{usual}", folder.display()))
}

#[cfg(unix)]
fn link_to(program: &str, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(program, link)
}

#[cfg(not(unix))]
fn link_to(_: &str, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// Runs the glue's own tests in one of the places. The same program runs in all of them: the
/// place is told by variables.
pub(crate) fn tests(place: Place) -> Result<(), String> {
    test(place, "--test border")?;
    // The client's module has an allocator of its own.
    match place {
        Place::Node => test(place, "--test heap --no-default-features --features client"),
        Place::Page | Place::Worker => Ok(()),
    }
}

fn test(place: Place, which: &str) -> Result<(), String> {
    let test = format!(
        "cargo test --package ringshift-wasm {which} --locked --target {}",
        nostd::WASM
    );
    let sh = Sh::new(&test).envs(variables()?).env(
        "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER",
        "wasm-bindgen-test-runner",
    );
    let variable = match place {
        Place::Node => return sh.env("WASM_BINDGEN_USE_NODE_EXPERIMENTAL", "1").run(),
        Place::Page => "WASM_BINDGEN_USE_BROWSER",
        Place::Worker => "WASM_BINDGEN_USE_DEDICATED_WORKER",
    };
    let driver = browser::driver().ok_or("there is no chromedriver; run `cargo xtask setup`")?;
    let capabilities = browser::capabilities()?;
    sh.env(variable, "1")
        .env("CHROMEDRIVER", driver.display().to_string())
        .env(
            "WASM_BINDGEN_TEST_WEBDRIVER_JSON",
            capabilities.display().to_string(),
        )
        .run()
}
