//! Leases: how long a mirror may answer the application's reads without asking again.
//!
//! A lease is counted from the shard's own reading of its own clock: the shard says what time it is
//! ([`Command::Ask`](crate::migration::Command::Ask)), the coordinator sends that number back with
//! the lease. So a grant that was long on its way is worth less, not more, and a second copy of it
//! is worth nothing.

use serde::{Deserialize, Serialize};

use crate::guard::{Fence, GuardRow, Refusal, check_term};
use crate::ids::{Epoch, Term};
use crate::phase::Role;

/// When a leased mirror answers reads: milliseconds of the shard's own clock.
///
/// A moment before `from` isn't covered either: it says that the clock was set back.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Lease {
    /// From this moment: when the shard asked.
    pub from: u64,
    /// Up to, but without, this one.
    pub until: u64,
}

impl Lease {
    /// Whether reads are answered at `now`.
    pub const fn covers(self, now: u64) -> bool {
        self.from <= now && now < self.until
    }
}

/// The lease of a mirror after a coordinator of `term` has granted it `lease_ms` from `asked` on.
///
/// `row` is the guard row of the fence's domain, `held` the lease that it has, `seen` the highest
/// term seen. Check and change must be one atomic step.
///
/// # Errors
/// The [`Refusal`]: a lower term, another epoch, another role than [`Role::LeasedMirror`]; and
/// [`Refusal::LeaseOver`] for an `asked` that hasn't come yet.
pub fn grant(
    row: Option<&GuardRow>,
    held: Lease,
    (seen, term): (Term, Term),
    fence: Fence,
    (asked, lease_ms): (u64, u32),
    now: u64,
) -> Result<Lease, Refusal> {
    check_term(seen, term)?;
    let row = row.ok_or(Refusal::NotOwner)?;
    let current = row.epoch;
    if fence.epoch < current {
        let drained = row.drained;
        return Err(Refusal::StaleEpoch { current, drained });
    }
    if fence.epoch > current {
        return Err(Refusal::NotReady { current });
    }
    if row.role != Role::LeasedMirror {
        return Err(Refusal::WrongRole { current });
    }
    if asked > now {
        return Err(Refusal::LeaseOver { current });
    }
    let until = asked.saturating_add(lease_ms.into());
    Ok(if held.covers(now) && held.until >= until {
        held
    } else {
        Lease { from: asked, until }
    })
}

/// The row as it counts at this moment: a leased mirror with a lease is a readable one; and all
/// rows of a shard that is `shut` are behind every client, which are told to wait.
#[must_use]
pub const fn in_force(row: GuardRow, leased: bool, shut: bool) -> GuardRow {
    let role = match row.role {
        Role::LeasedMirror if leased => Role::ReadableMirror,
        other => other,
    };
    let epoch = if shut { Epoch::ZERO } else { row.epoch };
    GuardRow { epoch, role, ..row }
}
