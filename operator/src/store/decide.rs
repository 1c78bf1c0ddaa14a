//! What an admitted request does to a row: pure, and the same for every store.

use ringshift::recipes::Shift;
use ringshift::{Attempt, AttemptKind, GuardRow, Reply, Slot, Version};

use crate::store::{Change, Content, OperationKey};

/// The row that is there, as far as a decision needs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Present {
    pub(super) version: Version,
    pub(super) op: OperationKey,
    pub(super) deleted: bool,
}

/// What to do, and what to reply when it is done.
#[derive(Debug)]
pub(super) struct Decision<'a> {
    pub(super) reply: Reply,
    pub(super) effect: Effect<'a>,
}

/// What to do to the row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Effect<'a> {
    /// Nothing.
    Keep,
    /// Make it so, at the next revision; without a value it is a tombstone.
    Put {
        version: Version,
        op: OperationKey,
        value: Option<&'a [u8]>,
    },
    /// Remove it, if it is there, and raise the floor of its slot to this.
    Remove { floor: Version },
}

impl<'a> Decision<'a> {
    fn keep(reply: Reply) -> Self {
        Self {
            reply,
            effect: Effect::Keep,
        }
    }

    fn put(version: Version, op: OperationKey, value: Option<&'a [u8]>) -> Self {
        Self {
            reply: Reply::Written { version },
            effect: Effect::Put { version, op, value },
        }
    }
}

/// A request whose content goes with its kind.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request<'a> {
    Read,
    Write(Change<'a>, OperationKey),
    Confirm(OperationKey),
    Apply(Version, OperationKey, Option<&'a [u8]>),
}

impl<'a> Request<'a> {
    /// `None` when the content doesn't go with the kind, or the slots don't go together.
    pub(super) fn of(attempt: &Attempt, content: Content<'a>) -> Option<Self> {
        Shift::of(attempt.slot, attempt.stored_slot)?;
        match (attempt.kind, content) {
            (AttemptKind::Read, _) => Some(Self::Read),
            (AttemptKind::Write, Content::Own { change, op }) => Some(Self::Write(change, op)),
            (AttemptKind::Confirm, Content::Own { op, .. } | Content::Row { op, .. }) => {
                Some(Self::Confirm(op))
            }
            (AttemptKind::Apply { version, .. }, Content::Own { change, op }) => {
                let value = match change {
                    Change::Put(value) | Change::PutIf { value, .. } => Some(value),
                    Change::Delete => None,
                };
                Some(Self::Apply(version, op, value))
            }
            (AttemptKind::Apply { version, .. }, Content::Row { value, op }) => {
                Some(Self::Apply(version, op, value))
            }
            (AttemptKind::Write, Content::None | Content::Row { .. })
            | (AttemptKind::Confirm | AttemptKind::Apply { .. }, Content::None) => None,
        }
    }
}

/// The caller's own write, at its authority.
pub(super) fn write<'a>(
    guard: &GuardRow,
    present: Option<Present>,
    floor: Version,
    change: Change<'a>,
    op: OperationKey,
) -> Decision<'a> {
    // INVARIANT (once): a request that a transport repeats is carried out once.
    if let Some(present) = present
        && present.op == op
    {
        return Decision::keep(Reply::Written {
            version: present.version,
        });
    }
    let version = Version::next(guard.authority_epoch, present.map(|row| row.version), floor);
    match change {
        Change::Put(value) => Decision::put(version, op, Some(value)),
        Change::PutIf { expected, value } => {
            let live = present.filter(|row| !row.deleted).map(|row| row.version);
            if live == expected {
                Decision::put(version, op, Some(value))
            } else {
                Decision::keep(Reply::Conflict {
                    found: present.map(|row| row.version),
                })
            }
        }
        // INVARIANT (tombstones): in a wave a delete is a row, so that nothing older comes back.
        Change::Delete if guard.in_wave => Decision::put(version, op, None),
        // INVARIANT (floor): what replaces a removed row is newer than it was.
        Change::Delete => Decision {
            reply: Reply::Written { version },
            effect: Effect::Remove { floor: version },
        },
    }
}

/// A row of the authority's, at a mirror.
// INVARIANT (put-if-newer): strictly newer, so that repeats and late copies change nothing.
pub(super) fn apply(
    present: Option<Present>,
    version: Version,
    op: OperationKey,
    value: Option<&[u8]>,
) -> Decision<'_> {
    match present {
        Some(present) if present.version >= version => Decision::keep(Reply::Superseded),
        _ => Decision::put(version, op, value),
    }
}

/// Whether the row's last write was `op`.
pub(super) fn confirm(present: Option<Present>, op: OperationKey) -> Decision<'static> {
    Decision::keep(match present {
        Some(present) if present.op == op => Reply::Written {
            version: present.version,
        },
        _ => Reply::Missing,
    })
}

/// The reply of a read.
pub(super) fn read(present: Option<Present>) -> Reply {
    match present {
        None => Reply::Missing,
        Some(Present {
            version,
            deleted: true,
            ..
        }) => Reply::Deleted { version },
        Some(Present { version, .. }) => Reply::Found { version },
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
    let stored = ringshift::SLOT_BITS_STORED;
    match (Shift::of(slot, stored_slot), known) {
        (Some(shift), Some(known)) if shift.agrees(stored.saturating_sub(known)) => Bits::Agree,
        (None, _) | (Some(_), Some(_)) => Bits::Disagree,
        (Some(Shift::Exactly(shift)), None) => Bits::Learned(stored.saturating_sub(shift)),
        (Some(Shift::AtLeast(_)), None) => Bits::Agree,
    }
}
