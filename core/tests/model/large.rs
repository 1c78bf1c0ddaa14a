//! The worlds that take minutes: by `cargo xtask model NAME`.

use ringshift::Phase;

use crate::check;
use crate::setup::{MOVES, PHASES, STAYS, THERE, world};
use crate::shard::NOTHING;
use crate::world::{Do, Faults, Start};

const W: &[Do] = &[Do::Write(MOVES, 1)];
const R: &[Do] = &[Do::Read(MOVES)];

/// A delete, and two reads that may see it.
#[test]
#[ignore = "minutes; cargo xtask model a_deleter"]
fn a_deleter() {
    let scripts: &[&[Do]] = &[
        &[Do::Write(MOVES, NOTHING)],
        &[Do::Read(MOVES), Do::Read(MOVES)],
    ];
    check("deleter", world(scripts).loaded(&[(MOVES, 9)]));
}

/// A key that moves beside one that stays.
#[test]
#[ignore = "minutes; cargo xtask model a_key_that_stays"]
fn a_key_that_stays() {
    let scripts: &[&[Do]] = &[
        &[Do::Write(STAYS, 1)],
        &[Do::Read(STAYS), Do::Write(MOVES, 2)],
    ];
    check(
        "a key that stays",
        world(scripts).loaded(&[(STAYS, 9), (MOVES, 9)]),
    );
}

fn one_of_each(name: &str, faults: Faults) {
    check(name, world(&[W, R]).loaded(&[(MOVES, 9)]).with(faults));
}

/// The coordinator dies once, anywhere; its messages go on arriving.
#[test]
#[ignore = "minutes; cargo xtask model a_crash"]
fn a_crash() {
    let faults = Faults {
        crashes: 1,
        ..Faults::default()
    };
    one_of_each("crash", faults);
}

/// Any message that may arrive twice does so once, at any distance.
#[test]
#[ignore = "minutes; cargo xtask model a_repeat"]
fn a_repeat() {
    let faults = Faults {
        repeats: 1,
        ..Faults::default()
    };
    one_of_each("repeat", faults);
}

/// An attempt's message or answer is lost once, or comes when nobody waits for it any more.
#[test]
#[ignore = "minutes; cargo xtask model a_lost_attempt"]
fn a_lost_attempt() {
    let faults = Faults {
        silences: 1,
        refreshes: 1,
        ..Faults::default()
    };
    one_of_each("lost attempt", faults);
}

/// A command is lost once, past its barrier's deadline.
#[test]
#[ignore = "minutes; cargo xtask model a_lost_command"]
fn a_lost_command() {
    let faults = Faults {
        late_commands: 1,
        ..Faults::default()
    };
    one_of_each("lost command", faults);
}

/// The migration is taken back from anywhere, then written and read again.
#[test]
#[ignore = "minutes; cargo xtask model a_rollback"]
fn a_rollback() {
    let scripts: &[&[Do]] = &[W, &[Do::Read(MOVES), Do::Read(MOVES)]];
    let faults = Faults {
        rollbacks: 1,
        ..Faults::default()
    };
    check(
        "rollback",
        world(scripts).loaded(&[(MOVES, 9)]).with(faults),
    );
}

/// A coordinator that goes on beside its successor, and a reader that may see either's work.
#[test]
#[ignore = "minutes; cargo xtask model two_coordinators_and_a_reader"]
fn two_coordinators_and_a_reader() {
    let faults = Faults {
        rivals: 1,
        ..Faults::default()
    };
    one_of_each("two coordinators and a reader", faults);
}

/// The same where both were given one term.
#[test]
#[ignore = "minutes; cargo xtask model twins_and_a_reader"]
fn twins_and_a_reader() {
    let faults = Faults {
        twins: 1,
        ..Faults::default()
    };
    one_of_each("twins and a reader", faults);
}

/// A successor, and a successor of that one, and all three go on.
#[test]
#[ignore = "minutes; cargo xtask model three_coordinators"]
fn three_coordinators() {
    let faults = Faults {
        rivals: 2,
        ..Faults::default()
    };
    check("three coordinators", world(&[W]).with(faults));
}

/// Two coordinators, of whom the newest is told to go back.
#[test]
#[ignore = "minutes; cargo xtask model two_coordinators_and_a_rollback"]
fn two_coordinators_and_a_rollback() {
    let faults = Faults {
        rivals: 1,
        rollbacks: 1,
        ..Faults::default()
    };
    check("two coordinators and a rollback", world(&[W]).with(faults));
}

/// A writer and a reader, each with a lease, where neither shard checks a fence.
#[test]
#[ignore = "minutes; cargo xtask model no_fence"]
fn no_fence() {
    let world = world(&[W, R]).unfenced(&[1, 2]);
    check("no fence", world.loaded(&[(MOVES, 9)]));
}

/// A writer where one shard of the two does, and time may pass in the middle of a barrier.
#[test]
#[ignore = "minutes; cargo xtask model one_fence"]
fn one_fence() {
    let faults = Faults {
        ticks: 1,
        ..Faults::default()
    };
    check("one fence", world(&[W]).unfenced(&[2]).with(faults));
}

/// A successor doesn't know when the last map was swapped in. Its predecessor may go on.
#[test]
#[ignore = "minutes; cargo xtask model no_fence_and_two_coordinators"]
fn no_fence_and_two_coordinators() {
    let faults = Faults {
        rivals: 1,
        ..Faults::default()
    };
    let world = world(&[W]).unfenced(&[1, 2]).with(faults);
    check("no fence and two coordinators", world);
}

/// A migration that is turned round, where no shard checks a fence.
#[test]
#[ignore = "minutes; cargo xtask model no_fence_and_a_rollback"]
fn no_fence_and_a_rollback() {
    let faults = Faults {
        rollbacks: 1,
        ..Faults::default()
    };
    let world = world(&[W]).unfenced(&[1, 2]).with(faults);
    check("no fence and a rollback", world);
}

/// A shard is put back, and the coordinator that finds out dies as well.
#[test]
#[ignore = "minutes; cargo xtask model a_restored_shard_and_a_crash"]
fn a_restored_shard_and_a_crash() {
    let faults = Faults {
        restores: 1,
        crashes: 1,
        ..Faults::default()
    };
    let world = world(&[]).marked().with(faults);
    check("restored shard and a crash", world);
}

/// Two waves of three shards, and a client for each of the keys that move.
#[test]
#[ignore = "minutes; cargo xtask model two_waves_of_three_shards"]
fn two_waves_of_three_shards() {
    let scripts: &[&[Do]] = &[W, &[Do::Write(THERE, 2), Do::Read(MOVES)]];
    let world = world(scripts).two_waves(3).loaded(&[(THERE, 9)]);
    check("two waves of three shards", world);
}

/// Two waves, and the coordinator dies.
#[test]
#[ignore = "minutes; cargo xtask model two_waves_and_a_crash"]
fn two_waves_and_a_crash() {
    let scripts: &[&[Do]] = &[&[Do::Write(MOVES, 1), Do::Read(THERE)]];
    let faults = Faults {
        crashes: 1,
        ..Faults::default()
    };
    let world = world(scripts).two_waves(2).loaded(&[(THERE, 9)]);
    check("two waves and a crash", world.with(faults));
}

/// An edit beside a wave whose coordinator dies: the successor finds its install undone.
#[test]
#[ignore = "minutes; cargo xtask model an_edit_and_a_crash"]
fn an_edit_and_a_crash() {
    let scripts: &[&[Do]] = &[&[Do::Write(STAYS, 1), Do::Read(STAYS)]];
    let faults = Faults {
        edits: 1,
        crashes: 1,
        ..Faults::default()
    };
    check("edit and a crash", world(scripts).with(faults));
}

/// An edit of the shard that the key goes to, with a writer of either key.
#[test]
#[ignore = "minutes; cargo xtask model an_edit_of_the_other_shard"]
fn an_edit_of_the_other_shard() {
    let scripts: &[&[Do]] = &[W, &[Do::Write(THERE, 2), Do::Read(THERE)]];
    let faults = Faults {
        edits: 1,
        ..Faults::default()
    };
    let mut world = world(scripts).with(faults);
    world.pinned = THERE;
    check("edit of the other shard", world);
}

/// Three clients from read-new on: a row that `to` hasn't yet, two who look for it, and one answer
/// that is lost.
#[test]
#[ignore = "minutes; cargo xtask model three_clients_from_read_new"]
fn three_clients_from_read_new() {
    let faults = Faults {
        silences: 1,
        ..Faults::default()
    };
    let world = world(&[W, R, R])
        .informed()
        .from(&[Start::At(Phase::ReadNew)]);
    check("three clients from read-new", world.with(faults));
}

/// Three clients where reads have moved for good, each with two operations.
#[test]
#[ignore = "minutes; cargo xtask model read_repair_of_three"]
fn read_repair_of_three() {
    let scripts: &[&[Do]] = &[
        &[Do::Write(MOVES, 1), Do::Write(MOVES, NOTHING)],
        &[Do::Read(MOVES), Do::Read(MOVES)],
        R,
    ];
    let faults = Faults {
        silences: 2,
        repeats: 1,
        ..Faults::default()
    };
    let world = world(scripts)
        .informed()
        .from(&[Start::Paused(Phase::ReadNew)]);
    check("read repair of three", world.with(faults));
}

/// Taken back from each phase, with a coordinator that dies on the way.
#[test]
#[ignore = "minutes; cargo xtask model back_and_a_crash"]
fn back_and_a_crash() {
    let faults = Faults {
        crashes: 1,
        ..Faults::default()
    };
    let world = world(&[W, R]).set(|settings| settings.shadow_ppm = 1_000_000);
    let world = world.from(&PHASES.map(Start::Back)).loaded(&[(MOVES, 9)]);
    check("back and a crash", world.with(faults));
}

/// A client dies in the middle of a write while another reads.
#[test]
#[ignore = "minutes; cargo xtask model a_client_dies_beside_a_reader"]
fn a_client_dies_beside_a_reader() {
    let faults = Faults {
        deaths: 1,
        ..Faults::default()
    };
    one_of_each("client dies beside a reader", faults);
}
