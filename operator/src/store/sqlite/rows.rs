//! From SQLite's values to the core's, and back. A number out of its range is damage, not a panic.

use ringshift::store::{self, Look};
use ringshift::{DomainId, Revision};
use rusqlite::Row;
use rusqlite::types::ValueRef;

use crate::store::error::StoreError;

pub(super) type Result<T> = std::result::Result<T, StoreError>;

fn number<N: TryFrom<i64>>(row: &Row<'_>, at: usize, what: &'static str) -> Result<N> {
    let value: i64 = row.get(at)?;
    N::try_from(value).map_err(|_| StoreError::Damaged(what))
}

pub(super) fn stored_slot(row: &Row<'_>, at: usize) -> Result<u32> {
    number(row, at, "stored slot")
}

/// `None` for a tombstone. A string is taken as its bytes, since other hands may have put it there.
pub(super) fn value(row: &Row<'_>, at: usize) -> Result<Option<Vec<u8>>> {
    let bytes = row.get_ref(at)?.as_bytes_or_null();
    let bytes = bytes.map_err(|_| StoreError::Damaged("value"))?;
    Ok(bytes.map(<[u8]>::to_vec))
}

/// A row of `LOOK_READ` or `LOOK_WRITE`.
pub(super) fn look(row: &Row<'_>, domain: DomainId) -> Result<Look> {
    let op = match row.get_ref(store::LOOK_OP)? {
        ValueRef::Blob(bytes) => Some(bytes),
        _ => None,
    };
    Ok(Look::of_columns(domain, |at| integer(row, at), op)?)
}

/// What isn't a number is as good as missing: where one is needed, the core says so.
fn integer(row: &Row<'_>, at: usize) -> Option<i64> {
    match row.get_ref(at) {
        Ok(ValueRef::Integer(number)) => Some(number),
        _ => None,
    }
}

/// A revision as SQLite has it.
pub(super) fn revision_number(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}
