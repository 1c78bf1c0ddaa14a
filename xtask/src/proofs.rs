//! Proofs that take too long for the gate, or a nightly compiler: Miri, and mutants.

use crate::sh::{self, Sh};

/// `cargo xtask miri`: the core's unit tests, interpreted, so that undefined behaviour anywhere
/// below them is an error. Words go to the tests, to choose some.
pub(crate) fn miri(args: &[String]) -> Result<(), String> {
    if !Sh::new("cargo +nightly miri --version").succeeds() {
        return Err(
            "Miri is missing: `rustup toolchain install nightly --component miri,rust-src`"
                .to_owned(),
        );
    }
    // Proptest looks for its files of former failures, which the interpreter must let it.
    let miri = Sh::new("cargo +nightly miri test --locked --package ringshift --lib --")
        .env("MIRIFLAGS", "-Zmiri-disable-isolation")
        .env("PROPTEST_CASES", "2");
    args.iter().fold(miri, Sh::arg).run()
}

/// `cargo xtask mutants`: changes the core in one place after the other, in a copy, and sees
/// whether a test goes red. `.cargo/mutants.toml` says where and by which tests; `--shard k/n`
/// takes a sample, `--file GLOB` some files.
pub(crate) fn mutants(args: &[String]) -> Result<(), String> {
    if !Sh::new("cargo mutants --version").succeeds() {
        return Err("cargo-mutants is missing: `cargo install cargo-mutants --locked`".to_owned());
    }
    // Round-robin, so that a shard is a sample of everything and not the neighbours in one file.
    let mutants = Sh::new("cargo mutants --package ringshift --sharding round-robin --output")
        .arg(sh::target_dir().display().to_string());
    args.iter().fold(mutants, Sh::arg).run()
}
