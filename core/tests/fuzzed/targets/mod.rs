//! What a fuzzer feeds: one function for each part of the core that takes something from outside.
//!
//! A target takes any bytes, and panics when a promise is broken. `core/fuzz` runs them under
//! libFuzzer, and the test beside this folder runs them on stable Rust over the corpus.

mod coordinator;
mod delta;
mod directory;
mod guard;
mod input;
mod operation;
mod routed;
mod snapshot;
mod topology;
mod vectors;

/// A target: its name, what feeds it, and what it does with any bytes.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// The inputs that the published test vectors make for it.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    pub(crate) run: fn(&[u8]),
}

/// All of them.
pub(crate) const TARGETS: [Target; 7] = [
    Target {
        name: "snapshot",
        seeds: vectors::snapshots,
        run: snapshot::run,
    },
    Target {
        name: "delta",
        seeds: delta::seeds,
        run: delta::run,
    },
    Target {
        name: "topology",
        seeds: topology::seeds,
        run: topology::run,
    },
    Target {
        name: "directory",
        seeds: Vec::new,
        run: directory::run,
    },
    Target {
        name: "operation",
        seeds: Vec::new,
        run: operation::run,
    },
    Target {
        name: "guard",
        seeds: Vec::new,
        run: guard::run,
    },
    Target {
        name: "coordinator",
        seeds: coordinator::seeds,
        run: coordinator::run,
    },
];
