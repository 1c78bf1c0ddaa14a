//! What a cluster's loads and sizes say, and what to do about it.
//!
//! - [`Meter`] counts what a router or a client sees, sampled: by slot, by shard, hot keys, how many
//!   keys there are. It costs a decrement for most operations.
//! - [`Loads`] are such counts and the stores' sizes as data, added up over processes.
//! - [`advise`] holds them against [`Triggers`] and answers [`Advice`]: what is wrong, what to do,
//!   and the wish whose plan does it.
//!
//! Everything is a pure function of what is handed in: the same loads give the same advice.

mod judge;
mod loads;
mod meter;
mod moves;
mod sizes;
mod sketch;
mod triggers;
mod wish;

pub use judge::advise;
pub use loads::{HotKey, KeyspaceLoad, Loads, RangeLoad, ShardLoad, SlotLoad};
pub use meter::Meter;
pub use sizes::{StoredSize, store_sizes};
pub use sketch::{Counted, Distinct, TopKeys};
pub use triggers::{Action, Advice, Trigger, Triggers, Urgency};
pub use wish::{
    AddShard, GrowSlots, IsolateKey, IsolatePrefix, KeyText, MoveSlots, SplitRange, Wish,
};
