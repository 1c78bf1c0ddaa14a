//! A migration over shards in memory while messages are lost, late and repeated, coordinators die,
//! people change their minds and a client reads and writes: whatever was acknowledged is found.
//! And a coordinator whose stores answer anything at all: it stops, or asks, or waits.

mod client;
mod forged;
mod world;

use super::input::Input;

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
    for _ in 0..400 {
        if input.is_over() {
            break;
        }
        world.happens(&mut input);
    }
    world.settle();
}
