//! The Rust side: components, targets, a C compiler, and the tools that are built from source.

use super::{Missing, debian};
use crate::nostd;
use crate::sh::{self, Sh};

/// Debian's second toolchain: the compiler, its sources, and a linker for wasm.
const DEBIAN_PACKAGES: &str = "rustc-web cargo-web rust-web-src lld-19";

pub(super) fn install(missing: &mut Missing) {
    component("clippy", "cargo clippy --version", missing);
    component("rustfmt", "cargo fmt --version", missing);
    targets(missing);
    c_compiler(missing);
    cargo_deny(missing);
    wasm_bindgen(missing);
}

fn component(name: &str, probe: &str, missing: &mut Missing) {
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
fn targets(missing: &mut Missing) {
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
    debian::apt(DEBIAN_PACKAGES)?;
    if nostd::debian_is_ready() {
        return Ok(());
    }
    Err("the packages are in, but their Rust is too old for this workspace".to_owned())
}

/// For SQLite, which is built from its C source.
fn c_compiler(missing: &mut Missing) {
    if !Sh::new("cc --version").succeeds() && debian::apt("gcc libc6-dev").is_err() {
        missing
            .push("a C compiler, called `cc`: gcc or clang, by your system's package".to_owned());
    }
}

/// The judge of dependencies. Built without optimization: its release profile does fat
/// link-time optimization, which takes many minutes, for a program that runs for a second.
fn cargo_deny(missing: &mut Missing) {
    if Sh::new("cargo deny --version").succeeds() {
        return;
    }
    if let Err(why) = Sh::new("cargo install cargo-deny --locked --debug").run() {
        missing.push(format!(
            "cargo-deny: `cargo install cargo-deny --locked` ({why})"
        ));
    }
}

/// Makes the JavaScript side of the wasm, and runs tests in it. It reads what the library of the
/// same name wrote, in a format that only the very same version knows. Not `--locked`: the list
/// that it was published with has a version that was withdrawn since.
fn wasm_bindgen(missing: &mut Missing) {
    let Some(wanted) = sh::read(std::path::Path::new("Cargo.toml"))
        .ok()
        .and_then(|manifest| exact_version(&manifest, "wasm-bindgen"))
    else {
        missing.push("wasm-bindgen: `Cargo.toml` doesn't pin its version by `=`".to_owned());
        return;
    };
    let here = |tool: &str| {
        let said = Sh::new(tool).arg("--version").output();
        said.is_some_and(|text| text.split_whitespace().nth(1) == Some(&wanted))
    };
    if here("wasm-bindgen") && here("wasm-bindgen-test-runner") {
        return;
    }
    let install = format!("cargo install wasm-bindgen-cli --version {wanted} --debug");
    if let Err(why) = Sh::new(&install).run() {
        missing.push(format!("wasm-bindgen {wanted}: `{install}` ({why})"));
    } else if !here("wasm-bindgen") {
        missing.push(format!(
            "wasm-bindgen {wanted} is installed, but another one, or none, is on PATH: put \
             `~/.cargo/bin` first"
        ));
    }
}

/// 0.2.130 of the line `wasm-bindgen = "=0.2.130"`.
fn exact_version(manifest: &str, name: &str) -> Option<String> {
    let lines = manifest.lines().filter_map(|line| line.split_once('='));
    let (_, value) = lines.into_iter().find(|(key, _)| key.trim() == name)?;
    let version = value.trim().strip_prefix("\"=")?.strip_suffix('"')?;
    Some(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_exact_version_is_read() {
        let manifest = "a-wasm-bindgen = \"1\"\nwasm-bindgen = \"=0.2.130\"\nserde = \"1\"\n";
        assert_eq!(
            exact_version(manifest, "wasm-bindgen").as_deref(),
            Some("0.2.130")
        );
        assert_eq!(exact_version(manifest, "serde"), None);
        assert_eq!(exact_version(manifest, "other"), None);
    }
}
