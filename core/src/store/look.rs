//! What a store looks up before it decides, and the decision.

use core::fmt;

use crate::error::ErrorCode;
use crate::guard::{Access, GuardRow, admit};
use crate::ids::{DomainId, Epoch, KeyspaceId, Revision, Term, Version};
use crate::phase::Role;
use crate::recipes::{role_number, role_of};
use crate::step::{Attempt, Failure, Reply};
use crate::store::decide::{self, Bits, Decision, Present, Request};
use crate::store::{Content, OperationKey};

/// Everything about a shard that decides about one request on one key, as one unchanging state of
/// the shard gave it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The highest term that the shard has seen.
    pub term: Term,
    /// The revision of its last change.
    pub revision: Revision,
    /// The slot bits of the keyspace, if any row has told yet.
    pub bits: Option<u8>,
    /// The domain that holds the key here.
    pub holder: Option<DomainId>,
    /// The highest version that was removed from the key's slot.
    pub floor: Version,
    /// The guard row of the fence's domain, as it is [in force](crate::in_force).
    pub guard: Option<GuardRow>,
    /// The row.
    pub present: Option<Present>,
}

/// A number in a store's own tables is out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged(
    /// Which.
    pub &'static str,
);

impl Damaged {
    /// The stable slug.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::StoreDamaged
    }
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.0;
        write!(
            f,
            "the shard's own tables are damaged: {what} is out of its range; restore the shard \
             from a copy"
        )
    }
}

impl core::error::Error for Damaged {}

/// Where `LOOK_READ` and `LOOK_WRITE` have the operation's id.
pub const LOOK_OP: usize = 13;
/// Where `LOOK_READ` has the value.
pub const LOOK_VALUE: usize = 15;
/// How many columns `LOOK_WRITE` has.
pub const LOOK_COLUMNS: usize = 15;

impl Look {
    /// What a row of [`LOOK_READ`](crate::recipes::sqlite::LOOK_READ) or of `LOOK_WRITE` says:
    /// `number` answers the column of that place (never [`LOOK_OP`]), `op` is the one at
    /// [`LOOK_OP`], and `domain` the fence's.
    ///
    /// # Errors
    /// [`Damaged`].
    pub fn of_columns(
        domain: DomainId,
        number: impl Fn(usize) -> Option<i64>,
        op: Option<&[u8]>,
    ) -> Result<Self, Damaged> {
        let columns = Columns(number);
        let guard = match columns.option::<u16>(5, "keyspace")? {
            Some(keyspace) => Some(columns.guard(5, domain, KeyspaceId(keyspace))?),
            None => None,
        };
        let present = match (columns.0)(12) {
            Some(version) => Some(Present {
                version: Version::from_i64(version).ok_or(Damaged("a version"))?,
                op: operation(op)?,
                deleted: columns.flag(14, "a tombstone's mark")?,
            }),
            None => None,
        };
        Ok(Self {
            term: Term(columns.number(0, "the term")?),
            revision: Revision(columns.number(1, "the revision")?),
            bits: columns.option(2, "the number of slot bits")?,
            holder: columns.option(3, "a domain")?.map(DomainId),
            floor: Version::from_i64((columns.0)(4).unwrap_or(0)).ok_or(Damaged("a floor"))?,
            guard,
            present,
        })
    }

    /// What to do about an attempt with that content. A refusal, and a request that doesn't go
    /// with its content or with the keyspace, change nothing.
    ///
    /// Carry the effect out and answer the reply, in one transaction with the look.
    pub fn decide(&self, attempt: &Attempt, content: Content<'_>) -> Decision {
        let rejected = Decision::keep(Reply::Failed(Failure::Rejected));
        let Some(request) = Request::of(attempt, content) else {
            return rejected;
        };
        let access = match request {
            Request::Read | Request::Confirm(_) => Access::Read,
            Request::Write(..) => Access::Write,
            Request::Apply { .. } => Access::Apply,
        };
        self.decide_by(attempt, request, access)
    }

    /// What a shard does that checks no fence: what the attempt says of itself stands in for the
    /// guard row. An attempt that doesn't say is [`Failure::Rejected`]: its client takes this shard
    /// for another kind.
    pub fn decide_unfenced(&self, attempt: &Attempt, content: Content<'_>) -> Decision {
        let (Some(request), Some(said)) = (Request::of(attempt, content), attempt.unfenced) else {
            return Decision::keep(Reply::Failed(Failure::Rejected));
        };
        let guard = GuardRow {
            domain: attempt.fence.domain,
            keyspace: attempt.keyspace,
            epoch: attempt.fence.epoch,
            role: Role::Authority,
            closed: false,
            drained: Epoch::ZERO,
            in_wave: said.in_wave,
            authority_epoch: said.authority_epoch,
        };
        self.admitted(&guard, attempt, request)
    }

    /// The same for a request that the guard is to judge by that access.
    pub(super) fn decide_by(
        &self,
        attempt: &Attempt,
        request: Request,
        access: Access,
    ) -> Decision {
        match admit(
            self.guard.as_ref(),
            self.holder,
            self.term,
            attempt.fence,
            access,
        ) {
            Ok(guard) => self.admitted(guard, attempt, request),
            Err(refusal) => Decision::keep(Reply::Refused(refusal)),
        }
    }

    fn admitted(&self, guard: &GuardRow, attempt: &Attempt, request: Request) -> Decision {
        let learned = match decide::bits(self.bits, attempt.slot, attempt.stored_slot) {
            Bits::Agree => None,
            Bits::Learned(bits) => Some(bits),
            Bits::Disagree => return Decision::keep(Reply::Failed(Failure::Rejected)),
        };
        let decision = match request {
            Request::Read => decide::read(self.present),
            Request::Confirm(op) => decide::confirm(self.present, op),
            Request::Write(intent, op) => {
                decide::write(guard, self.present, self.floor, intent, op)
            }
            Request::Apply {
                version,
                op,
                deleted,
            } => decide::apply(self.present, version, op, deleted),
        };
        Decision {
            learned,
            ..decision
        }
    }

    /// What to do about a row that a coordinator copies, once its access was admitted. `None`
    /// when the row can't be of this keyspace.
    pub fn decide_copy(
        &self,
        slot: crate::ids::Slot,
        stored_slot: u32,
        version: Version,
        op: OperationKey,
        deleted: bool,
    ) -> Option<Decision> {
        let learned = match decide::bits(self.bits, slot, stored_slot) {
            Bits::Agree => None,
            Bits::Learned(bits) => Some(bits),
            Bits::Disagree => return None,
        };
        Some(Decision {
            learned,
            ..decide::apply(self.present, version, op, deleted)
        })
    }
}

/// An operation's id as a store kept it.
///
/// # Errors
/// [`Damaged`] for anything but 16 bytes.
pub fn operation(bytes: Option<&[u8]>) -> Result<OperationKey, Damaged> {
    let bytes = bytes.unwrap_or_default();
    bytes.try_into().map_err(|_| Damaged("an operation's id"))
}

struct Columns<F>(F);

impl<F: Fn(usize) -> Option<i64>> Columns<F> {
    fn option<N: TryFrom<i64>>(&self, at: usize, what: &'static str) -> Result<Option<N>, Damaged> {
        (self.0)(at)
            .map(|number| N::try_from(number).map_err(|_| Damaged(what)))
            .transpose()
    }

    fn number<N: TryFrom<i64>>(&self, at: usize, what: &'static str) -> Result<N, Damaged> {
        self.option(at, what)?.ok_or(Damaged(what))
    }

    fn epoch(&self, at: usize) -> Result<Epoch, Damaged> {
        Epoch::new(self.number(at, "an epoch")?).ok_or(Damaged("an epoch"))
    }

    fn flag(&self, at: usize, what: &'static str) -> Result<bool, Damaged> {
        Ok(self.number::<u8>(at, what)? != 0)
    }

    /// The guard row whose keyspace is at `at`.
    fn guard(
        &self,
        at: usize,
        domain: DomainId,
        keyspace: KeyspaceId,
    ) -> Result<GuardRow, Damaged> {
        Ok(GuardRow {
            domain,
            keyspace,
            epoch: self.epoch(at + 1)?,
            role: role_of(self.number(at + 2, "a role")?).ok_or(Damaged("a role"))?,
            closed: self.flag(at + 3, "a barrier's mark")?,
            drained: self.epoch(at + 4)?,
            in_wave: self.flag(at + 5, "a wave's mark")?,
            authority_epoch: self.epoch(at + 6)?,
        })
    }
}

/// A guard row as [`GUARD`](crate::recipes::sqlite::GUARD) and `GUARDS` have it.
///
/// # Errors
/// [`Damaged`].
pub fn guard_of_columns(number: impl Fn(usize) -> Option<i64>) -> Result<GuardRow, Damaged> {
    let columns = Columns(number);
    let domain = DomainId(columns.number(0, "a domain")?);
    let keyspace = KeyspaceId(columns.number(1, "a keyspace")?);
    columns.guard(1, domain, keyspace)
}

/// A guard row as [`GUARD_PUT`](crate::recipes::sqlite::GUARD_PUT) takes it, in the order of its
/// columns; the inverse of [`guard_of_columns`].
///
/// ```
/// use ringshift::store::{columns_of_guard, guard_of_columns};
/// use ringshift::{DomainId, Epoch, GuardRow, KeyspaceId, Role};
///
/// let row = GuardRow {
///     domain: DomainId(7),
///     keyspace: KeyspaceId(1),
///     epoch: Epoch::FIRST,
///     role: Role::ReadableMirror,
///     closed: true,
///     drained: Epoch::ZERO,
///     in_wave: false,
///     authority_epoch: Epoch::MAX,
/// };
/// let columns = columns_of_guard(&row);
/// assert_eq!(columns, [7, 1, 1, 3, 1, 0, 0, (1 << 31) - 1]);
/// assert_eq!(guard_of_columns(|at| columns.get(at).copied()), Ok(row));
/// assert!(guard_of_columns(|at| columns.get(at).map(|_| 9)).is_err(), "there is no role 9");
/// ```
pub fn columns_of_guard(row: &GuardRow) -> [i64; 8] {
    [
        row.domain.0.into(),
        row.keyspace.0.into(),
        row.epoch.get().into(),
        role_number(row.role).into(),
        row.closed.into(),
        row.drained.get().into(),
        row.in_wave.into(),
        row.authority_epoch.get().into(),
    ]
}
