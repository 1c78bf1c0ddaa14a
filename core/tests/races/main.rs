//! The races that break home-made migrations, each as one schedule picked by hand: the core's own
//! operation, guard and coordinator over two shards in memory.
//!
//! Every schedule is run for each kind of member that a wave can have: whole slots; a key, a tenant
//! and a range out of their home; the same out of an override, or back from one; and a bucket of a
//! foreign placement.
//!
//! The numbers are those of the protocol's list. `tests/model` checks every interleaving of a
//! smaller world; here a schedule has a name, and a line that says which protection it holds.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected must fail"
)]
#![expect(
    clippy::duplicate_mod,
    reason = "the same schedules, with another kind of member each time"
)]

mod kind;

/// See [`kind::Kind::Slots`].
#[path = "."]
mod slots {
    pub(crate) const KIND: crate::kind::Kind = crate::kind::Kind::Slots;
    #[path = "schedules.rs"]
    mod schedules;
}
/// See [`kind::Kind::Exact`].
#[path = "."]
mod one_key {
    pub(crate) const KIND: crate::kind::Kind = crate::kind::Kind::Exact;
    #[path = "schedules.rs"]
    mod schedules;
}
/// See [`kind::Kind::Prefix`].
#[path = "."]
mod a_tenant {
    pub(crate) const KIND: crate::kind::Kind = crate::kind::Kind::Prefix;
    #[path = "schedules.rs"]
    mod schedules;
}
/// See [`kind::Kind::Range`].
#[path = "."]
mod a_range {
    pub(crate) const KIND: crate::kind::Kind = crate::kind::Kind::Range;
    #[path = "schedules.rs"]
    mod schedules;
}
/// See [`kind::Kind::Override`].
#[path = "."]
mod an_override {
    pub(crate) const KIND: crate::kind::Kind = crate::kind::Kind::Override;
    #[path = "schedules.rs"]
    mod schedules;
}
/// See [`kind::Kind::Part`].
#[path = "."]
mod a_part_of_an_override {
    pub(crate) const KIND: crate::kind::Kind = crate::kind::Kind::Part;
    #[path = "schedules.rs"]
    mod schedules;
}
/// See [`kind::Kind::Unpinned`].
#[path = "."]
mod an_override_that_goes_home {
    pub(crate) const KIND: crate::kind::Kind = crate::kind::Kind::Unpinned;
    #[path = "schedules.rs"]
    mod schedules;
}
/// See [`kind::Kind::Adopted`].
#[path = "."]
mod a_foreign_placement {
    pub(crate) const KIND: crate::kind::Kind = crate::kind::Kind::Adopted;
    #[path = "schedules.rs"]
    mod schedules;
}
