//! The worlds that every run of the gate searches: about a minute, all together.

use ringshift::Phase;

use crate::check;
use crate::setup::{MOVES, PHASES, STAYS, THERE, world};
use crate::shard::NOTHING;
use crate::world::{Do, Faults, Start};

const NONE: Faults = Faults {
    crashes: 0,
    rivals: 0,
    twins: 0,
    repeats: 0,
    silences: 0,
    deaths: 0,
    late_commands: 0,
    rollbacks: 0,
    refreshes: 0,
    edits: 0,
    restores: 0,
    ticks: 0,
};

/// A writer, and a reader beside it.
const W: &[Do] = &[Do::Write(MOVES, 1)];
const R: &[Do] = &[Do::Read(MOVES)];

/// Late and reordered messages only: two writers, and what the second reads afterwards.
#[test]
fn two_writers() {
    let scripts: &[&[Do]] = &[W, &[Do::Write(MOVES, 2), Do::Read(MOVES)]];
    check("two writers", world(scripts));
}

/// Two coordinators: the one before goes on beside its successor for as long as it is let.
#[test]
fn two_coordinators() {
    let faults = Faults { rivals: 1, ..NONE };
    check("two coordinators", world(&[W]).with(faults));
}

/// The same, of one term: the record's nonce tells who leads.
#[test]
fn two_coordinators_of_one_term() {
    let faults = Faults { twins: 1, ..NONE };
    check("two coordinators of one term", world(&[W]).with(faults));
}

/// No fence on the shard that the key leaves: time rules out what a guard would refuse.
#[test]
fn no_fence_on_from() {
    check("no fence on from", world(&[W]).unfenced(&[1]));
}

/// Nor on the one that it goes to.
#[test]
fn no_fence_on_to() {
    check("no fence on to", world(&[W]).unfenced(&[2]));
}

/// A shard's file is put back to any copy of it that a claim tells from it; it is shut, and works
/// again when somebody says so.
#[test]
fn a_restored_shard() {
    let faults = Faults {
        restores: 1,
        ..NONE
    };
    check("restored shard", world(&[W]).marked().with(faults));
}

/// The same while nobody looks on.
#[test]
fn a_restored_shard_alone() {
    let faults = Faults {
        restores: 1,
        ..NONE
    };
    check("restored shard alone", world(&[]).marked().with(faults));
}

/// Who is claimed again and again, and keeps its file, is never shut.
#[test]
fn claimed_again() {
    let faults = Faults { crashes: 2, ..NONE };
    check("claimed again", world(&[]).marked().with(faults));
}

/// Two waves, each out of the other's home.
#[test]
fn two_waves() {
    let scripts: &[&[Do]] = &[&[Do::Write(MOVES, 1), Do::Read(THERE)]];
    check(
        "two waves",
        world(scripts).two_waves(2).loaded(&[(THERE, 9)]),
    );
}

/// Another writer pins a key beside the wave, at any moment.
#[test]
fn an_edit() {
    let scripts: &[&[Do]] = &[&[Do::Write(STAYS, 1), Do::Read(STAYS)]];
    let faults = Faults { edits: 1, ..NONE };
    check("edit", world(scripts).with(faults));
}

/// Three clients where reads have moved, and a row that comes and changes while it is looked for;
/// one of them goes unheard. Whoever saw the second value behind a miss has put it in front of others.
#[test]
fn read_repair() {
    let faults = Faults {
        silences: 1,
        ..NONE
    };
    let writes: &[Do] = &[Do::Write(MOVES, 1), Do::Write(MOVES, 2)];
    let world = world(&[writes, R, R]).informed();
    let world = world.from(&[Start::Paused(Phase::ReadNew)]);
    check("read repair", world.with(faults));
}

/// The same with a row that comes and goes.
#[test]
fn repair_of_a_delete() {
    let writes: &[Do] = &[Do::Write(MOVES, 1), Do::Write(MOVES, NOTHING)];
    let world = world(&[writes, R, R]).informed();
    let world = world.from(&[Start::Paused(Phase::ReadNew)]);
    check("repair of a delete", world);
}

/// Taken back when it has just come to each of its phases.
#[test]
fn back_from_each_phase() {
    let starts = PHASES.map(Start::Back);
    let world = world(&[W, R]).set(|settings| settings.shadow_ppm = 1_000_000);
    let world = world.from(&starts).informed();
    check("back from each phase", world.loaded(&[(MOVES, 9)]));
}

/// A client dies in the middle of its write, and comes back.
#[test]
fn a_client_dies() {
    let faults = Faults { deaths: 1, ..NONE };
    let scripts: &[&[Do]] = &[&[Do::Write(MOVES, 1), Do::Read(MOVES)]];
    check("client dies", world(scripts).with(faults));
}
