//! Installs what the tests need: the ordinary way first, then Debian's packages, and where
//! neither goes, the words to say what is missing. Quick when everything is there.

use std::path::Path;

use crate::nostd;
use crate::sh::Sh;

/// Debian's second toolchain: the compiler, its sources, and a linker for wasm.
const DEBIAN_PACKAGES: &str = "rustc-web cargo-web rust-web-src lld-19";

/// The command. Fails when something that the gate requires is still missing at its end.
pub(crate) fn run() -> Result<(), String> {
    let mut missing = Vec::new();
    component("clippy", "cargo clippy --version", &mut missing);
    component("rustfmt", "cargo fmt --version", &mut missing);
    targets(&mut missing);
    c_compiler(&mut missing);
    cargo_deny(&mut missing);
    if missing.is_empty() {
        println!("everything that the tests need is here");
        return Ok(());
    }
    Err(format!("still missing:\n  - {}", missing.join("\n  - ")))
}

fn component(name: &str, probe: &str, missing: &mut Vec<String>) {
    if Sh::new(probe).succeeds() {
        return;
    }
    if Sh::new("rustup component add").arg(name).run().is_err() {
        missing.push(format!(
            "{name}: `rustup component add {name}`, or your system's package"
        ));
    }
}

/// The bare-metal and the wasm target, by rustup or by Debian.
fn targets(missing: &mut Vec<String>) {
    for target in nostd::TARGETS {
        if nostd::toolchain(target).is_some() {
            continue;
        }
        let added = Sh::new("rustup target add").arg(target).run();
        let Err(why) = added else { continue };
        println!("{why}; trying Debian's packages");
        if let Err(why) = debian_toolchain() {
            missing.push(format!(
                "target {target}: `rustup target add {target}`, or on Debian, as root, `apt-get \
                 install {DEBIAN_PACKAGES}` ({why})"
            ));
        }
    }
}

/// Debian's second toolchain, which goes to /usr/bin, beside rustup's.
fn debian_toolchain() -> Result<(), String> {
    if nostd::debian_is_ready() {
        return Ok(());
    }
    if !Path::new("/etc/debian_version").exists() {
        return Err("this is not Debian".to_owned());
    }
    apt(DEBIAN_PACKAGES)?;
    if nostd::debian_is_ready() {
        return Ok(());
    }
    Err("the packages are in, but their Rust is too old for this workspace".to_owned())
}

fn apt(packages: &str) -> Result<(), String> {
    if Sh::new("id -u").output().as_deref() != Some("0") {
        return Err(format!(
            "apt-get needs root: `sudo apt-get install {packages}`"
        ));
    }
    // An index that can't be refreshed may still be good enough.
    if let Err(why) = Sh::new("apt-get update -q").run() {
        println!("{why}; going on with the index as it is");
    }
    Sh::new("apt-get install -y -q --no-install-recommends")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(packages)
        .run()
}

/// For SQLite, which is built from its C source.
fn c_compiler(missing: &mut Vec<String>) {
    if Sh::new("cc --version").succeeds() {
        return;
    }
    let debian = Path::new("/etc/debian_version").exists();
    if !debian || apt("gcc libc6-dev").is_err() {
        missing
            .push("a C compiler, called `cc`: gcc or clang, by your system's package".to_owned());
    }
}

/// The judge of dependencies. Built without optimization: its release profile does fat
/// link-time optimization, which takes many minutes, for a program that runs for a second.
fn cargo_deny(missing: &mut Vec<String>) {
    if Sh::new("cargo deny --version").succeeds() {
        return;
    }
    if let Err(why) = Sh::new("cargo install cargo-deny --locked --debug").run() {
        missing.push(format!(
            "cargo-deny: `cargo install cargo-deny --locked` ({why})"
        ));
    }
}
