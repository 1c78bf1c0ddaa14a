//! Shards that check no fence: whoever may still act by an older map does, at the last moment.
//!
//! Races 1 to 8, 12, 15 and 23 to 28 as a guard-less shard has them are in the stories of
//! [`maps`]; the others have a schedule each, here or in the room that their race has at shards with a
//! fence.

mod leases;
mod maps;
mod once;
mod pauses;
mod story;

use super::world::{FROM, LEASE, MOVES, TO, World, settings};

/// A world in which no shard checks a fence, and a wave that is to begin.
fn begun() -> World {
    let mut w = World::with_unfenced(settings(), &[FROM, TO]);
    w.put(MOVES, 1);
    w.begin();
    w
}

fn lease_ms() -> u64 {
    LEASE.lease_ms.into()
}
