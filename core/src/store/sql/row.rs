//! From a row's columns to the core's types, and back. A number out of its range is damage.

use crate::guard::GuardRow;
use crate::ids::{Revision, Version};
use crate::store::OperationKey;
use crate::store::look::{Damaged, guard_of_columns, operation};
use crate::store::sql::SqlValue;

pub(super) fn int(number: impl Into<i64>) -> SqlValue<'static> {
    SqlValue::Integer(number.into())
}

/// No store counts its changes beyond an i64.
pub(super) fn revision_number(revision: Revision) -> SqlValue<'static> {
    SqlValue::Integer(i64::try_from(revision.0).unwrap_or(i64::MAX))
}

/// `NULL` for a tombstone.
pub(super) fn value_or_null(value: Option<&[u8]>) -> SqlValue<'_> {
    value.map_or(SqlValue::Null, SqlValue::Blob)
}

pub(super) fn integer(row: &[SqlValue<'_>], at: usize) -> Option<i64> {
    match row.get(at) {
        Some(SqlValue::Integer(number)) => Some(*number),
        Some(SqlValue::Null | SqlValue::Blob(_) | SqlValue::Text(_)) | None => None,
    }
}

pub(super) fn number<N: TryFrom<i64>>(
    row: &[SqlValue<'_>],
    at: usize,
    what: &'static str,
) -> Result<N, Damaged> {
    let number = integer(row, at).ok_or(Damaged(what))?;
    N::try_from(number).map_err(|_| Damaged(what))
}

pub(super) fn version(row: &[SqlValue<'_>], at: usize) -> Result<Version, Damaged> {
    let number = number(row, at, "a version")?;
    Version::from_i64(number).ok_or(Damaged("a version"))
}

pub(super) fn key<'v>(row: &[SqlValue<'v>], at: usize) -> Result<&'v [u8], Damaged> {
    blob(row, at).ok_or(Damaged("a key"))
}

/// `None` for a tombstone.
pub(super) fn value<'v>(row: &[SqlValue<'v>], at: usize) -> Result<Option<&'v [u8]>, Damaged> {
    match row.get(at) {
        Some(SqlValue::Blob(bytes) | SqlValue::Text(bytes)) => Ok(Some(bytes)),
        Some(SqlValue::Null) => Ok(None),
        Some(SqlValue::Integer(_)) | None => Err(Damaged("a value")),
    }
}

pub(super) fn blob<'v>(row: &[SqlValue<'v>], at: usize) -> Option<&'v [u8]> {
    match row.get(at) {
        Some(SqlValue::Blob(bytes)) => Some(bytes),
        Some(SqlValue::Null | SqlValue::Integer(_) | SqlValue::Text(_)) | None => None,
    }
}

pub(super) fn operation_of(row: &[SqlValue<'_>], at: usize) -> Result<OperationKey, Damaged> {
    operation(blob(row, at))
}

/// A row of `GUARD` or `GUARDS`.
pub(super) fn guard(row: &[SqlValue<'_>]) -> Result<GuardRow, Damaged> {
    guard_of_columns(|at| integer(row, at))
}
