//! The gate's steps.

use crate::sh::Sh;
use crate::wasm::{self, Place};
use crate::{imports, js, languages, nostd, package, python, readme, setup, sim, vectors, walls};

/// One step of the gate.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn() -> Result<(), String>,
}

const fn step(name: &'static str, about: &'static str, run: fn() -> Result<(), String>) -> Step {
    Step { name, about, run }
}

/// In the order that finds a mistake soonest: what takes a blink first, what builds most last.
pub(crate) const STEPS: &[Step] = &[
    step("setup", "what the tests need is installed", setup::run),
    step("fmt", "the layout of the source", || {
        Sh::new("cargo fmt --all --check").run()
    }),
    step("sizes", "no file over 500 lines", walls::sizes),
    step(
        "lints",
        "no_std, and the lint table everywhere",
        walls::lints,
    ),
    step("imports", "the module order of core/src", imports::run),
    step("clippy", "no warning in any target", || {
        Sh::new("cargo clippy --workspace --all-targets --locked -- -D warnings").run()
    }),
    step(
        "deny",
        "licences, sources and advisories of what we build on",
        deny,
    ),
    step("tests", "unit and property tests", || {
        Sh::new("cargo test --workspace --lib --bins --tests --locked").run()
    }),
    step(
        "doctests",
        "every example of the docs and the README",
        || Sh::new("cargo test --workspace --doc --locked").run(),
    ),
    step("doc", "the docs, without a broken link", || {
        Sh::new("cargo doc --workspace --no-deps --locked")
            .env("RUSTDOCFLAGS", "-D warnings")
            .run()
    }),
    step("no-std", "core and alloc only, on bare metal", || {
        nostd::build(nostd::BARE_METAL)
    }),
    step("wasm", "core and alloc only, for browsers", || {
        nostd::build(nostd::WASM)
    }),
    step(
        "vectors",
        "the published test vectors are what the code makes",
        || vectors::run(true),
    ),
    step(
        "package",
        "the npm tarball and the wheel, within their sizes",
        || package::run(&[]),
    ),
    step("wasm-node", "the glue's own tests, in Node", || {
        wasm::tests(Place::Node)
    }),
    step(
        "js",
        "the npm package's tests, against what was packed",
        js::tests,
    ),
    step("js-types", "its declarations and its manifest", js::types),
    step(
        "wheel",
        "the wheel's tests, where nothing else is installed",
        python::wheel,
    ),
    step("py-types", "its declarations and its style", python::types),
    step(
        "tester",
        "random programs, answered alike in Rust, JavaScript and Python",
        languages::tester,
    ),
    step(
        "readme",
        "the READMEs' JavaScript and Python, as they stand there",
        readme::run,
    ),
    step("wasm-page", "the glue's own tests, in a page", || {
        wasm::tests(Place::Page)
    }),
    step("wasm-worker", "the glue's own tests, in a worker", || {
        wasm::tests(Place::Worker)
    }),
    step(
        "npm-packaging",
        "the tarball in every runtime, bundler and browser",
        js::packaging,
    ),
    step("page", "the example's page, in a browser", js::page),
    step(
        "model",
        "the protocol, every interleaving of a small world",
        || {
            // One core a world: a search splits worse over cores than eight of them do.
            let test = "cargo test --release --locked --package ringshift --test model";
            Sh::new(test).args("-- --nocapture").run()
        },
    ),
    step(
        "simulation",
        "whole worlds by chance, with every fault there is",
        sim::step,
    ),
    step("build", "the main job, optimised", || {
        Sh::new("cargo build --release --locked --example live_reshard").run()
    }),
    step(
        "kills",
        "the main job, killed at every step and resumed",
        || {
            let test = "cargo test --release --locked --package ringshift-examples --test kills";
            Sh::new(test).args("-- --nocapture --test-threads 1").run()
        },
    ),
    step("live-reshard", "the main job: a reshard under load", || {
        Sh::new("cargo run --release --locked --example live_reshard").run()
    }),
    step(
        "strategies",
        "every strategy and wish, with a coordinator that falls and a migration turned back",
        || {
            let run = "cargo run --release --locked --example live_reshard --";
            Sh::new(run).args("--all --brisk --records 400").run()
        },
    ),
    step(
        "three-languages",
        "the same under Rust, JavaScript and Python at once",
        languages::three,
    ),
];

/// Licences, doubles and sources always; advisories where their database can be had.
fn deny() -> Result<(), String> {
    Sh::new("cargo deny --locked check bans licenses sources").run()?;
    if Sh::new("cargo deny fetch db").run().is_ok() {
        return Sh::new("cargo deny --locked check advisories").run();
    }
    println!("SKIPPED: advisories, since their database can't be fetched from here");
    Ok(())
}
