//! A small model check: the core's own operation, guard and coordinator, every interleaving.
//!
//! Two shards, two clients, a key that moves and one that stays, one coordinator that may die and
//! be replaced, messages late, repeated, reordered and lost. Checked at every state: the history
//! of each key is linearizable (stateright's tester), and at most one shard would order its writes.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected must fail"
)]

mod shard;
mod world;

use std::sync::Arc;

use ringshift::migration::{Checks, Log, PlannedWave, Settings, Throttle};
use ringshift::{Epoch, KeyspaceId, Policy, ShardId, Slot, SlotRange, Topology};
use stateright::{Checker, Model};

use shard::{NOTHING, Places};
use world::{Do, Faults, World};

/// A key in the wave's slot and one that isn't, by the topology below.
const MOVES: u8 = b'a';
const STAYS: u8 = b'b';

fn slot_of(key: u8) -> Slot {
    ringshift::hash::slot_of(ringshift::hash::xxh3(&[key], 0), 4)
}

fn world(scripts: Vec<Vec<Do>>, loaded: Vec<(u8, u8)>, faults: Faults) -> World {
    let text = r#"{"cluster":"model","keyspaces":{"k":{"bits":4}},
                   "shards":[{"id":1,"name":"x"},{"id":2,"name":"y"}]}"#;
    let initial = serde_json::from_str::<Topology>(text)
        .unwrap()
        .snapshot()
        .unwrap();
    let slot = slot_of(MOVES);
    assert_ne!(slot, slot_of(STAYS));
    let owner = initial.content().keyspaces[0].owner(slot).unwrap();
    let from = initial.shard_id(owner).unwrap();
    let to = if from == ShardId(1) {
        ShardId(2)
    } else {
        ShardId(1)
    };
    let planned = PlannedWave {
        keyspace: KeyspaceId(0),
        from,
        to,
        slots: vec![SlotRange {
            start: slot.0,
            end: slot.0 + 1,
        }],
        matches: None,
        origin: None,
        pins: false,
    };
    let mut keys: Vec<u8> = scripts
        .iter()
        .flatten()
        .map(|what| match what {
            Do::Read(key) | Do::Write(key, _) => *key,
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    World {
        initial: Arc::new(initial),
        wanted: Log {
            base: Epoch::FIRST,
            planned: vec![planned],
            ..Log::default()
        },
        settings: Arc::new(Settings {
            strict: false,
            shadow_ppm: 0,
            shadow_ms: 0,
            verify: false,
            ramps_ppm: vec![1_000_000],
            ramp_ms: 0,
            reversed_ms: 0,
            chunk_rows: 8,
            lag_rows_max: 8,
            checkpoint_chunks: 8,
            barrier_ms: 10,
            retry_ms: 0,
            throttle: Throttle::OFF,
            checks: Checks::OFF,
            ..Settings::default()
        }),
        policy: Policy {
            deadline_ms: u32::MAX,
            attempt_ms: 0,
            attempts_max: 4,
            confirm: true,
            seed: 0,
        },
        scripts,
        keys,
        places: Places {
            keyspace: KeyspaceId(0),
            slot_of,
            stored_of: |key| ringshift::hash::stored_slot(ringshift::hash::xxh3(&[key], 0)),
        },
        loaded,
        faults,
    }
}

fn check(name: &str, world: World) {
    let checker = world.checker().threads(1).spawn_dfs().join();
    println!(
        "{name}: {} states, {} distinct, depth {}",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth()
    );
    checker.assert_properties();
}

const NONE: Faults = Faults {
    crashes: 0,
    repeats: 0,
    silences: 0,
    late_commands: 0,
    rollbacks: 0,
    refreshes: 0,
};

/// Late and reordered messages only: two writers, and what the second reads afterwards.
#[test]
fn two_writers() {
    let scripts = vec![
        vec![Do::Write(MOVES, 1)],
        vec![Do::Write(MOVES, 2), Do::Read(MOVES)],
    ];
    check("two writers", world(scripts, vec![], NONE));
}

/// A delete, and two reads that may see it.
#[test]
fn a_deleter() {
    let scripts = vec![
        vec![Do::Write(MOVES, NOTHING)],
        vec![Do::Read(MOVES), Do::Read(MOVES)],
    ];
    check("deleter", world(scripts, vec![(MOVES, 9)], NONE));
}

/// A key that moves beside one that stays.
#[test]
fn a_key_that_stays() {
    let scripts = vec![
        vec![Do::Write(STAYS, 1)],
        vec![Do::Read(STAYS), Do::Write(MOVES, 2)],
    ];
    check(
        "a key that stays",
        world(scripts, vec![(STAYS, 9), (MOVES, 9)], NONE),
    );
}

/// The coordinator dies once, anywhere; its messages go on arriving.
#[test]
fn a_crash() {
    let scripts = vec![vec![Do::Write(MOVES, 1)], vec![Do::Read(MOVES)]];
    check(
        "crash",
        world(scripts, vec![(MOVES, 9)], Faults { crashes: 1, ..NONE }),
    );
}

/// Any message that may arrive twice does so once, at any distance.
#[test]
fn a_repeat() {
    let scripts = vec![vec![Do::Write(MOVES, 1)], vec![Do::Read(MOVES)]];
    check(
        "repeat",
        world(scripts, vec![(MOVES, 9)], Faults { repeats: 1, ..NONE }),
    );
}

/// An attempt's message or answer is lost once, or comes when nobody waits for it any more.
#[test]
fn a_lost_attempt() {
    let scripts = vec![vec![Do::Write(MOVES, 1)], vec![Do::Read(MOVES)]];
    let faults = Faults {
        silences: 1,
        refreshes: 1,
        ..NONE
    };
    check("lost attempt", world(scripts, vec![(MOVES, 9)], faults));
}

/// A command is lost once, past its barrier's deadline.
#[test]
fn a_lost_command() {
    let scripts = vec![vec![Do::Write(MOVES, 1)], vec![Do::Read(MOVES)]];
    check(
        "lost command",
        world(
            scripts,
            vec![(MOVES, 9)],
            Faults {
                late_commands: 1,
                ..NONE
            },
        ),
    );
}

/// The migration is taken back from anywhere, then written and read again.
#[test]
fn a_rollback() {
    let scripts = vec![
        vec![Do::Write(MOVES, 1)],
        vec![Do::Read(MOVES), Do::Read(MOVES)],
    ];
    check(
        "rollback",
        world(
            scripts,
            vec![(MOVES, 9)],
            Faults {
                rollbacks: 1,
                ..NONE
            },
        ),
    );
}
