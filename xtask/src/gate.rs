//! The gate's steps.

use crate::sh::Sh;
use crate::wasm::{self, Place};
use crate::{
    broken, imports, js, languages, model, nostd, package, python, readme, setup, sim, vectors,
    walls,
};

/// One step of the gate.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) turn: Turn,
    pub(crate) run: fn() -> Result<(), String>,
}

/// What a step may run beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing: the rest needs it, or it finds a mistake within a minute.
    First,
    /// The packages' steps.
    Core,
    /// The core's steps.
    Packages,
    /// Nothing: it drives a cluster as hard as the machine can.
    Last,
}

const fn step(
    turn: Turn,
    name: &'static str,
    about: &'static str,
    run: fn() -> Result<(), String>,
) -> Step {
    Step {
        name,
        about,
        turn,
        run,
    }
}

/// In the order that finds a mistake soonest: what takes a blink first, what builds most later.
///
/// Cargo chooses the features of what we build on by the packages that a command names. So each
/// command here names the whole workspace: else the core would be built anew for most of them.
pub(crate) const STEPS: &[Step] = &[
    step(
        Turn::First,
        "setup",
        "what the tests need is installed",
        setup::run,
    ),
    step(Turn::First, "fmt", "the layout of the source", || {
        Sh::new("cargo fmt --all --check").run()
    }),
    step(Turn::First, "sizes", "no file over 500 lines", walls::sizes),
    step(
        Turn::First,
        "lints",
        "no_std, and the lint table everywhere",
        walls::lints,
    ),
    step(
        Turn::First,
        "imports",
        "the module order of core/src",
        imports::run,
    ),
    step(Turn::Core, "clippy", "no warning in any target", || {
        Sh::new("cargo clippy --workspace --all-targets --locked -- -D warnings").run()
    }),
    step(
        Turn::Core,
        "deny",
        "licences, sources and advisories of what we build on",
        deny,
    ),
    step(Turn::Core, "tests", "unit and property tests", || {
        // Not `--lib`, which builds tests for libraries that have none, too.
        Sh::new("cargo test --workspace --tests --locked").run()
    }),
    step(
        Turn::Core,
        "doctests",
        "every example of the docs and the README",
        || Sh::new("cargo test --workspace --doc --locked").run(),
    ),
    step(Turn::Core, "doc", "the docs, without a broken link", || {
        Sh::new("cargo doc --workspace --no-deps --locked")
            .env("RUSTDOCFLAGS", "-D warnings")
            .run()
    }),
    step(
        Turn::Core,
        "no-std",
        "core and alloc only, on bare metal",
        || nostd::build(nostd::BARE_METAL),
    ),
    step(
        Turn::Core,
        "wasm",
        "core and alloc only, for browsers",
        || nostd::build(nostd::WASM),
    ),
    step(
        Turn::Core,
        "vectors",
        "the published test vectors are what the code makes",
        || vectors::run(true),
    ),
    step(
        Turn::Core,
        "model",
        "the protocol, every interleaving of a small world",
        model::gate,
    ),
    step(
        Turn::Core,
        "simulation",
        "whole worlds by chance, with every fault there is",
        sim::step,
    ),
    step(
        Turn::Core,
        "break",
        "each protection taken out, and something red for it",
        || broken::run(&["all".to_owned()]),
    ),
    step(
        Turn::Packages,
        "package",
        "the npm tarball and the wheel, within their sizes",
        || package::run(&[]),
    ),
    step(Turn::Packages, "build", "the main job, optimised", || {
        let made = "--bin ringshift --example live_reshard --example store_peer";
        Sh::new("cargo build --release --locked").args(made).run()
    }),
    step(
        Turn::Packages,
        "js",
        "the npm package's tests, against what was packed",
        js::tests,
    ),
    step(
        Turn::Packages,
        "js-types",
        "its declarations and its manifest",
        js::types,
    ),
    step(
        Turn::Packages,
        "wheel",
        "the wheel's tests, where nothing else is installed",
        python::wheel,
    ),
    step(
        Turn::Packages,
        "py-types",
        "its declarations and its style",
        python::types,
    ),
    step(
        Turn::Packages,
        "tester",
        "random programs, answered alike in Rust, JavaScript and Python",
        languages::tester,
    ),
    step(
        Turn::Packages,
        "readme",
        "the READMEs' JavaScript and Python, as they stand there",
        readme::run,
    ),
    step(
        Turn::Packages,
        "wasm-node",
        "the glue's own tests, in Node",
        || wasm::tests(Place::Node),
    ),
    step(
        Turn::Packages,
        "wasm-page",
        "the glue's own tests, in a page",
        || wasm::tests(Place::Page),
    ),
    step(
        Turn::Packages,
        "wasm-worker",
        "the glue's own tests, in a worker",
        || wasm::tests(Place::Worker),
    ),
    step(
        Turn::Packages,
        "npm-packaging",
        "the tarball in every runtime, bundler and browser",
        js::packaging,
    ),
    step(
        Turn::Packages,
        "page",
        "the example's page, in a browser",
        js::page,
    ),
    step(
        Turn::Last,
        "kills",
        "the main job, killed at every step and resumed",
        || {
            let test = "cargo test --release --locked --workspace --test kills";
            Sh::new(test).args("-- --nocapture --test-threads 1").run()
        },
    ),
    step(
        Turn::Last,
        "live-reshard",
        "the main job: a reshard under load",
        || Sh::new("cargo run --release --locked --example live_reshard").run(),
    ),
    step(
        Turn::Last,
        "strategies",
        "every strategy and wish, with a coordinator that falls and a migration turned back",
        || {
            let run = "cargo run --release --locked --example live_reshard --";
            Sh::new(run).args("--all --brisk --records 400").run()
        },
    ),
    step(
        Turn::Last,
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
