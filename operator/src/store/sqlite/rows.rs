//! From SQLite's values to the core's, and back. A number out of its range is damage, not a panic.

use ringshift::recipes::role_of;
use ringshift::{DomainId, Epoch, GuardRow, KeyspaceId, Revision, Slot, Term, Version};
use rusqlite::Row;

use crate::store::decide::Present;
use crate::store::error::StoreError;

pub(super) type Result<T> = std::result::Result<T, StoreError>;

fn number<N: TryFrom<i64>>(row: &Row<'_>, at: usize, what: &'static str) -> Result<N> {
    let value: i64 = row.get(at)?;
    N::try_from(value).map_err(|_| StoreError::Damaged(what))
}

fn number_or_none<N: TryFrom<i64>>(
    row: &Row<'_>,
    at: usize,
    what: &'static str,
) -> Result<Option<N>> {
    let value: Option<i64> = row.get(at)?;
    value
        .map(|value| N::try_from(value).map_err(|_| StoreError::Damaged(what)))
        .transpose()
}

fn epoch(row: &Row<'_>, at: usize) -> Result<Epoch> {
    Epoch::new(number(row, at, "epoch")?).ok_or(StoreError::Damaged("epoch"))
}

pub(super) fn term(row: &Row<'_>, at: usize) -> Result<Term> {
    Ok(Term(number(row, at, "term")?))
}

pub(super) fn revision(row: &Row<'_>, at: usize) -> Result<Revision> {
    Ok(Revision(number(row, at, "revision")?))
}

pub(super) fn slot(row: &Row<'_>, at: usize) -> Result<Slot> {
    Ok(Slot(number(row, at, "slot")?))
}

pub(super) fn stored_slot(row: &Row<'_>, at: usize) -> Result<u32> {
    number(row, at, "stored slot")
}

pub(super) fn version(row: &Row<'_>, at: usize) -> Result<Version> {
    let value: i64 = row.get(at)?;
    Version::from_i64(value).ok_or(StoreError::Damaged("version"))
}

pub(super) fn operation(row: &Row<'_>, at: usize) -> Result<[u8; 16]> {
    let bytes = row.get_ref(at)?.as_blob().unwrap_or_default();
    bytes
        .try_into()
        .map_err(|_| StoreError::Damaged("operation id"))
}

/// `None` for a tombstone. A string is taken as its bytes, since other hands may have put it there.
pub(super) fn value(row: &Row<'_>, at: usize) -> Result<Option<Vec<u8>>> {
    let bytes = row.get_ref(at)?.as_bytes_or_null();
    let bytes = bytes.map_err(|_| StoreError::Damaged("value"))?;
    Ok(bytes.map(<[u8]>::to_vec))
}

fn guard_row(row: &Row<'_>, at: usize, domain: DomainId) -> Result<GuardRow> {
    Ok(GuardRow {
        domain,
        keyspace: KeyspaceId(number(row, at, "keyspace")?),
        epoch: epoch(row, at + 1)?,
        role: role_of(number(row, at + 2, "role")?).ok_or(StoreError::Damaged("role"))?,
        closed: row.get(at + 3)?,
        drained: epoch(row, at + 4)?,
        in_wave: row.get(at + 5)?,
        authority_epoch: epoch(row, at + 6)?,
    })
}

/// A row of `GUARD` or `GUARDS`.
pub(super) fn guard(row: &Row<'_>) -> Result<GuardRow> {
    guard_row(row, 1, DomainId(number(row, 0, "domain")?))
}

/// A row of `LOOK_READ` or `LOOK_WRITE`.
pub(super) struct Look {
    pub(super) term: Term,
    pub(super) revision: Revision,
    pub(super) bits: Option<u8>,
    pub(super) holder: Option<DomainId>,
    pub(super) floor: Version,
    pub(super) guard: Option<GuardRow>,
    pub(super) present: Option<Present>,
}

/// Where `LOOK_READ` has the value.
pub(super) const LOOK_VALUE: usize = 15;

pub(super) fn look(row: &Row<'_>, domain: DomainId) -> Result<Look> {
    let floor: Option<i64> = row.get(4)?;
    let floor = Version::from_i64(floor.unwrap_or(0)).ok_or(StoreError::Damaged("floor"))?;
    let guard = match row.get::<_, Option<i64>>(5)? {
        Some(_) => Some(guard_row(row, 5, domain)?),
        None => None,
    };
    let present = match row.get::<_, Option<i64>>(12)? {
        Some(_) => Some(Present {
            version: version(row, 12)?,
            op: operation(row, 13)?,
            deleted: row.get(14)?,
        }),
        None => None,
    };
    Ok(Look {
        term: term(row, 0)?,
        revision: revision(row, 1)?,
        bits: number_or_none(row, 2, "bits")?,
        holder: number_or_none(row, 3, "domain")?.map(DomainId),
        floor,
        guard,
        present,
    })
}

/// A revision as SQLite has it.
pub(super) fn revision_number(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}
