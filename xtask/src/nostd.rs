//! Builds of the core where there is no standard library: the proof of `#![no_std]`.
//!
//! A host build proves nothing, since there a dependency may pull `std` in unseen. A bare-metal
//! target has none to pull in.

use crate::sh::{self, Sh};

/// A microcontroller without an operating system: `core` and `alloc` are all there is.
pub(crate) const BARE_METAL: &str = "thumbv7em-none-eabi";
/// The browser's.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";
/// Both.
pub(crate) const TARGETS: [&str; 2] = [BARE_METAL, WASM];

/// Debian's second toolchain, which can build the standard library from Debian's sources.
pub(crate) const DEBIAN_CARGO: &str = "/usr/bin/cargo";
pub(crate) const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_SOURCES: &str = "/usr/lib/rustlib/src/rust/library/Cargo.toml";
/// `package.rust-version` of the workspace: the oldest minor version that builds it.
const RUST_MINOR_MIN: u32 = 89;

/// Who can build for a target on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The default one has the target's library, ready-made.
    Usual,
    /// Debian's, which builds the library first.
    Debian,
}

/// Who can build for `target` here, if anyone.
pub(crate) fn toolchain(target: &str) -> Option<Toolchain> {
    let libdir = Sh::new("rustc --print target-libdir --target")
        .arg(target)
        .output();
    if libdir.is_some_and(|dir| std::path::Path::new(&dir).is_dir()) {
        return Some(Toolchain::Usual);
    }
    debian_is_ready().then_some(Toolchain::Debian)
}

/// Debian's toolchain is here with its sources, and new enough.
pub(crate) fn debian_is_ready() -> bool {
    let sources = std::path::Path::new(DEBIAN_SOURCES).exists();
    let version = Sh::new(DEBIAN_RUSTC).arg("--version").output();
    sources
        && Sh::new(DEBIAN_CARGO).arg("--version").succeeds()
        && version
            .as_deref()
            .and_then(minor_of)
            .is_some_and(|minor| minor >= RUST_MINOR_MIN)
}

/// 96 of `rustc 1.96.0 (…)`.
fn minor_of(version: &str) -> Option<u32> {
    version
        .split_whitespace()
        .nth(1)?
        .split('.')
        .nth(1)?
        .parse()
        .ok()
}

/// Builds the core's library for `target`.
pub(crate) fn build(target: &str) -> Result<(), String> {
    let what = format!("build --package ringshift --lib --locked --target {target}");
    match toolchain(target) {
        Some(Toolchain::Usual) => Sh::new(&format!("cargo {what}")).run(),
        Some(Toolchain::Debian) => {
            // RUSTC_BOOTSTRAP lets a stable compiler take -Z: it is what builds `core` and
            // `alloc`, and no line of ours needs it.
            Sh::new(&format!("{DEBIAN_CARGO} {what} -Z build-std=core,alloc"))
                .env("RUSTC_BOOTSTRAP", "1")
                .env("RUSTC", DEBIAN_RUSTC)
                .env(
                    "CARGO_TARGET_DIR",
                    sh::second_target_dir().display().to_string(),
                )
                .run()
        }
        None => Err(format!(
            "nothing here builds for `{target}`; run `cargo xtask setup`"
        )),
    }
}

/// The command: the given targets, or all of them.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    if args.is_empty() {
        return TARGETS.iter().try_for_each(|target| build(target));
    }
    args.iter().try_for_each(|target| build(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minor_version_is_read() {
        assert_eq!(
            minor_of("rustc 1.96.0 (ac68faa20 2026-05-25) (built from source)"),
            Some(96)
        );
        assert_eq!(minor_of("rustc"), None);
    }
}
