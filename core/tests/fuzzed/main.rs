//! The fuzzers' targets on stable Rust: every input of the checked-in corpus, what the published
//! vectors make, and some thousands that are drawn from those. `cargo xtask fuzz` goes on from
//! there, under libFuzzer.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should say where"
)]

mod corpus;
mod targets;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use targets::{TARGETS, Target};

fn target(name: &str) -> Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    *found.unwrap()
}

/// An input of the corpus, changed in a few places; or any bytes.
fn inputs(known: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..6_u8);
    let changes = prop::collection::vec(change, 0..8);
    let bent = (prop::sample::select(known), changes).prop_map(|(mut bytes, changes)| {
        for (at, byte, kind) in changes {
            let at = at.index(bytes.len() + 1);
            match (kind, bytes.get_mut(at)) {
                (0..=2, Some(place)) => *place = byte,
                (3, Some(_)) => drop(bytes.remove(at)),
                (4, _) => bytes.truncate(at),
                _ => bytes.insert(at, byte),
            }
        }
        bytes
    });
    prop_oneof![3 => bent, 1 => prop::collection::vec(any::<u8>(), 0..300)]
}

fn check(name: &str, cases: u32) {
    let target = target(name);
    let known = corpus::of(
        &target,
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzzed/corpus"),
    );
    for bytes in &known {
        (target.run)(bytes);
    }
    let config = Config {
        cases,
        ..Config::default()
    };
    let run = |bytes: Vec<u8>| {
        (target.run)(&bytes);
        Ok(())
    };
    let mut runner = TestRunner::new(config);
    runner.run(&inputs(known), run).unwrap();
}

#[test]
fn snapshots() {
    check("snapshot", 4_000);
}

#[test]
fn deltas() {
    check("delta", 4_000);
}

#[test]
fn topologies() {
    check("topology", 4_000);
}

#[test]
fn directories() {
    check("directory", 4_000);
}

#[test]
fn operations() {
    check("operation", 4_000);
}

#[test]
fn guards() {
    check("guard", 4_000);
}

#[test]
fn coordinators() {
    check("coordinator", 1_000);
}
