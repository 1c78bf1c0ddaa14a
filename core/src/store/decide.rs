//! What an admitted request does to a row: pure, and the same for every store.
//!
//! No value comes here: what is decided is whether the content that the store holds is put, and
//! under which version.

use crate::guard::GuardRow;
use crate::ids::{SLOT_BITS_STORED, Slot, Version};
use crate::recipes::Shift;
use crate::step::{Attempt, AttemptKind, Reply};
use crate::store::{Change, Content, OperationKey};

/// The row that is there, as far as a decision needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present {
    /// Its version.
    pub version: Version,
    /// The operation that made it what it is.
    pub op: OperationKey,
    /// Whether it is a tombstone.
    pub deleted: bool,
}

/// What to do, and what to reply when it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What to reply.
    pub reply: Reply,
    /// What to do to the row first.
    pub effect: Effect,
    /// Whether the row that is there goes with the reply.
    pub found: bool,
    /// The keyspace's slot bits, where this request is the first that tells: to be kept with the
    /// first row that is put.
    pub learned: Option<u8>,
}

/// What to do to the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Keep,
    /// Put the request's content, at the shard's next revision.
    Put {
        /// The version to keep with it.
        version: Version,
        /// The operation to keep with it.
        op: OperationKey,
        /// Whether it is a tombstone: then there is no value.
        deleted: bool,
    },
    /// Remove the row, if it is there, at the next revision; and raise the floor of its slot.
    Remove {
        /// To this.
        floor: Version,
    },
}

impl Decision {
    pub(super) const fn keep(reply: Reply) -> Self {
        Self {
            reply,
            effect: Effect::Keep,
            found: false,
            learned: None,
        }
    }

    const fn put(version: Version, op: OperationKey, deleted: bool) -> Self {
        Self {
            effect: Effect::Put {
                version,
                op,
                deleted,
            },
            ..Self::keep(Reply::Written { version })
        }
    }
}

/// What a caller wants, without the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    Put,
    Delete,
    PutIf(Option<Version>),
}

impl From<Change<'_>> for Intent {
    fn from(change: Change<'_>) -> Self {
        match change {
            Change::Put(_) => Self::Put,
            Change::Delete => Self::Delete,
            Change::PutIf { expected, .. } => Self::PutIf(expected),
        }
    }
}

/// A request whose content goes with its kind.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request {
    Read,
    Write(Intent, OperationKey),
    Confirm(OperationKey),
    Apply {
        version: Version,
        op: OperationKey,
        deleted: bool,
    },
}

impl Request {
    /// `None` when the content doesn't go with the kind, or the slots don't go together.
    pub(super) fn of(attempt: &Attempt, content: Content<'_>) -> Option<Self> {
        Shift::of(attempt.slot, attempt.stored_slot)?;
        match (attempt.kind, content) {
            (AttemptKind::Read, _) => Some(Self::Read),
            (AttemptKind::Write, Content::Own { change, op }) => {
                Some(Self::Write(change.into(), op))
            }
            (AttemptKind::Confirm, Content::Own { op, .. } | Content::Row { op, .. }) => {
                Some(Self::Confirm(op))
            }
            (
                AttemptKind::Apply { version, .. },
                Content::Own { op, .. } | Content::Row { op, .. },
            ) => Some(Self::Apply {
                version,
                op,
                deleted: content.value().is_none(),
            }),
            (AttemptKind::Write, Content::None | Content::Row { .. })
            | (AttemptKind::Confirm | AttemptKind::Apply { .. }, Content::None) => None,
        }
    }
}

/// The caller's own write, at its authority.
pub(super) fn write(
    guard: &GuardRow,
    present: Option<Present>,
    floor: Version,
    intent: Intent,
    op: OperationKey,
) -> Decision {
    // INVARIANT (once): a request that a transport repeats is carried out once.
    if let Some(present) = present
        && present.op == op
    {
        return Decision::keep(Reply::Written {
            version: present.version,
        });
    }
    let version = Version::next(guard.authority_epoch, present.map(|row| row.version), floor);
    match intent {
        Intent::Put => Decision::put(version, op, false),
        Intent::PutIf(expected) => {
            let live = present.filter(|row| !row.deleted).map(|row| row.version);
            if live == expected {
                Decision::put(version, op, false)
            } else {
                let found = present.map(|row| row.version);
                Decision {
                    found: present.is_some(),
                    ..Decision::keep(Reply::Conflict { found })
                }
            }
        }
        // INVARIANT (tombstones): in a wave a delete is a row, so that nothing older comes back.
        Intent::Delete if guard.in_wave => Decision::put(version, op, true),
        // INVARIANT (floor): what replaces a removed row is newer than it was.
        Intent::Delete => Decision {
            effect: Effect::Remove { floor: version },
            ..Decision::keep(Reply::Written { version })
        },
    }
}

/// A row of the authority's, at a mirror. `deleted`: it is a tombstone.
// INVARIANT (put-if-newer): strictly newer, so that repeats and late copies change nothing.
pub(super) fn apply(
    present: Option<Present>,
    version: Version,
    op: OperationKey,
    deleted: bool,
) -> Decision {
    match present {
        Some(present) if present.version >= version => Decision::keep(Reply::Superseded),
        _ => Decision::put(version, op, deleted),
    }
}

/// Whether the row's last write was `op`.
pub(super) fn confirm(present: Option<Present>, op: OperationKey) -> Decision {
    Decision::keep(match present {
        Some(present) if present.op == op => Reply::Written {
            version: present.version,
        },
        _ => Reply::Missing,
    })
}

/// A read.
pub(super) fn read(present: Option<Present>) -> Decision {
    let reply = match present {
        None => Reply::Missing,
        Some(Present {
            version,
            deleted: true,
            ..
        }) => Reply::Deleted { version },
        Some(Present { version, .. }) => Reply::Found { version },
    };
    Decision {
        found: present.is_some(),
        ..Decision::keep(reply)
    }
}

/// What one more row of a keyspace, of which `known` is known, tells about its bits.
pub(super) enum Bits {
    /// Nothing new.
    Agree,
    /// The number of bits.
    Learned(u8),
    /// It can't be of this keyspace.
    Disagree,
}

/// See [`Bits`].
pub(super) fn bits(known: Option<u8>, slot: Slot, stored_slot: u32) -> Bits {
    match (Shift::of(slot, stored_slot), known) {
        (Some(shift), Some(known)) if shift.agrees(SLOT_BITS_STORED.saturating_sub(known)) => {
            Bits::Agree
        }
        (None, _) | (Some(_), Some(_)) => Bits::Disagree,
        (Some(Shift::Exactly(shift)), None) => {
            Bits::Learned(SLOT_BITS_STORED.saturating_sub(shift))
        }
        (Some(Shift::AtLeast(_)), None) => Bits::Agree,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{DomainId, Epoch, KeyspaceId};
    use crate::phase::Role;

    const OP: OperationKey = [1; 16];

    fn guard(in_wave: bool) -> GuardRow {
        GuardRow {
            domain: DomainId(1),
            keyspace: KeyspaceId(0),
            epoch: Epoch::FIRST,
            role: Role::Authority,
            closed: false,
            drained: Epoch::ZERO,
            in_wave,
            authority_epoch: Epoch::FIRST,
        }
    }

    /// Wherever a copy of the removed row is left, what is written next must win over it.
    #[test]
    fn what_replaces_a_removed_row_is_newer_than_it_was() {
        let had = Version::new(Epoch::FIRST, 9);
        let present = Present {
            version: had,
            op: [2; 16],
            deleted: false,
        };
        let gone = write(
            &guard(false),
            Some(present),
            Version::ZERO,
            Intent::Delete,
            OP,
        );
        assert!(
            matches!(gone.effect, Effect::Remove { floor } if floor > had),
            "{gone:?}"
        );
        let Effect::Remove { floor } = gone.effect else {
            return;
        };
        let next = write(&guard(false), None, floor, Intent::Put, OP);
        assert!(
            matches!(next.effect, Effect::Put { version, .. } if version > floor),
            "{next:?}"
        );
    }

    #[test]
    fn a_delete_leaves_a_tombstone_in_a_wave_and_nothing_outside() {
        let delete =
            |in_wave| write(&guard(in_wave), None, Version::ZERO, Intent::Delete, OP).effect;
        assert!(matches!(delete(true), Effect::Put { deleted: true, .. }));
        assert!(matches!(delete(false), Effect::Remove { .. }));
    }
}
