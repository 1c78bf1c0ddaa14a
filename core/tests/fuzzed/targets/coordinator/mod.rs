//! A migration over shards in memory while messages are lost, late and repeated, coordinators die,
//! people change their minds and a client reads and writes: whatever was acknowledged is found.
//! And a coordinator whose stores answer anything at all: it stops, or asks, or waits.

mod client;
mod forged;
mod world;

use ringshift::migration::Ending;

use super::input::Input;

/// Each wish, cut into waves in each way, under a few settings: with nothing that befalls it.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for settings in [0, 0x16, 0x20, 0x4e, 0x80, 0xdf] {
        for wish in 0..6 {
            seeds.extend((0..3).map(|cut| vec![0, settings, wish, cut]));
        }
    }
    seeds
}

pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let kind = input.byte();
    let mut world = world::World::new(&mut input);
    if kind % 4 == 3 {
        if kind & 4 != 0 {
            world.coordinator = world.coordinator.that_stays();
        }
        return forged::run(&mut world, &mut input);
    }
    let undisturbed = input.is_over();
    for _ in 0..400 {
        if input.is_over() {
            break;
        }
        world.happens(&mut input);
    }
    let ending = world.settle();
    assert!(!undisturbed || ending == Ending::Complete, "{ending:?}");
}
