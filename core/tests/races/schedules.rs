//! All schedules, for the kind of member that the module around says.

mod barriers;
mod client;
mod coordinators;
mod edits;
mod fences;
mod narrow;
mod reads;
#[path = "../model/shard.rs"]
mod shard;
mod waves;
mod world;
mod writes;
