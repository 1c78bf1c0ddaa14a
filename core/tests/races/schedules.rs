//! All schedules, for the kind of member that the module around says.

mod barriers;
mod client;
mod coordinators;
mod edits;
mod fences;
mod leases;
mod narrow;
mod reads;
mod restored;
#[path = "../model/shard.rs"]
mod shard;
mod transactions;
mod unfenced;
mod waves;
mod world;
mod writes;
