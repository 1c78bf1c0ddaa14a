//! Reading many rows: by revision for the copier, by slot for the verifier, so that the one's
//! mistakes can't hide from the other.

use std::collections::BTreeMap;

use ringshift::advise::StoredSize;
use ringshift::migration::command::{KeyDigest, SlotDigest};
use ringshift::recipes::{SHIFT_UNKNOWN, sqlite as recipe};
use ringshift::{DomainId, GuardRow, KeyspaceId, Revision, SLOT_BITS_STORED, Slot, row_digest};
use rusqlite::{Connection, OptionalExtension};

use crate::store::StoredRow;
use crate::store::error::StoreError;
use crate::store::sqlite::rows::{self, Result};

fn bits(connection: &Connection, keyspace: KeyspaceId) -> Result<u8> {
    let known: Option<u8> = connection
        .prepare_cached(recipe::KEYSPACE)?
        .query_row([keyspace.0], |row| row.get(0))
        .optional()?;
    Ok(known.unwrap_or(SLOT_BITS_STORED - SHIFT_UNKNOWN))
}

/// Up to so many rows of an interval are found by their keys and sorted, chunk by chunk; more are
/// found in the order of revisions, in one pass over the shard.
const FEW_ROWS: i64 = 10_000;

/// Whether the domain holds rows by an interval, and few of them.
fn few_apart(connection: &Connection, guard: &GuardRow) -> Result<bool> {
    let mut statement = connection.prepare_cached(recipe::COUNT_APART)?;
    let limit = FEW_ROWS + 1;
    let rows: i64 =
        statement.query_row((guard.keyspace.0, guard.domain.0, limit), |row| row.get(0))?;
    Ok((1..=FEW_ROWS).contains(&rows))
}

pub(super) fn changes(
    connection: &Connection,
    guard: &GuardRow,
    after: Revision,
    limit: u32,
) -> Result<(Vec<StoredRow>, Revision)> {
    let bits = bits(connection, guard.keyspace)?;
    let after_number = rows::revision_number(after);
    let by_key = few_apart(connection, guard)?;
    let text = if by_key {
        recipe::CHANGES_APART
    } else {
        recipe::CHANGES
    };
    let mut statement = connection.prepare_cached(text)?;
    let (keyspace, domain) = (guard.keyspace.0, guard.domain.0);
    let mut found = if by_key {
        statement.query((keyspace, after_number, domain, limit))?
    } else {
        statement.query((keyspace, after_number, domain, limit, bits))?
    };
    let (mut all, mut last) = (Vec::new(), after);
    while let Some(row) = found.next()? {
        let stored_slot = rows::stored_slot(row, 1)?;
        all.push(StoredRow {
            keyspace: guard.keyspace,
            key: row.get(0)?,
            slot: Slot(stored_slot >> SLOT_BITS_STORED.saturating_sub(bits)),
            stored_slot,
            version: rows::version(row, 2)?,
            op: rows::operation(row, 3)?,
            value: rows::value(row, 4)?,
        });
        last = rows::revision(row, 5)?;
    }
    Ok((all, last))
}

pub(super) fn sizes(connection: &Connection) -> Result<Vec<StoredSize>> {
    let mut statement = connection.prepare_cached(recipe::SIZES)?;
    let mut found = statement.query([])?;
    let mut sizes = Vec::new();
    while let Some(row) = found.next()? {
        sizes.push(StoredSize {
            keyspace: KeyspaceId(row.get(0)?),
            stored_slot: rows::stored_slot(row, 1)?,
            rows: row.get::<_, i64>(2)?.unsigned_abs(),
            bytes: row.get::<_, i64>(3)?.unsigned_abs(),
        });
    }
    Ok(sizes)
}

pub(super) fn digests(connection: &Connection, guard: &GuardRow) -> Result<Vec<SlotDigest>> {
    let mut statement = connection.prepare_cached(recipe::DIGEST_ROWS)?;
    let mut found = statement.query((guard.keyspace.0, guard.domain.0))?;
    let mut slots: BTreeMap<Slot, SlotDigest> = BTreeMap::new();
    while let Some(row) = found.next()? {
        let slot = rows::slot(row, 0)?;
        let one = digest(row, 1)?;
        let digest = slots.entry(slot).or_insert(SlotDigest {
            slot,
            rows: 0,
            sum: 0,
        });
        digest.rows += 1;
        digest.sum = digest.sum.wrapping_add(one.digest);
    }
    Ok(slots.into_values().collect())
}

pub(super) fn keys(
    connection: &Connection,
    keyspace: KeyspaceId,
    domain: DomainId,
    slots: &[Slot],
) -> Result<Vec<KeyDigest>> {
    let mut statement = connection.prepare_cached(recipe::DIGEST_SLOT)?;
    let mut all = Vec::new();
    for slot in slots {
        let mut found = statement.query((keyspace.0, domain.0, slot.0))?;
        while let Some(row) = found.next()? {
            all.push(digest(row, 0)?);
        }
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// The digest of a row of which the key, the version and the value begin at column `at`.
fn digest(row: &rusqlite::Row<'_>, at: usize) -> Result<KeyDigest> {
    let key: Vec<u8> = row.get(at)?;
    let version = rows::version(row, at + 1)?;
    let value = row.get_ref(at + 2)?.as_bytes_or_null();
    let value = value.map_err(|_| StoreError::Damaged("value"))?;
    Ok(KeyDigest {
        digest: row_digest(&key, version, value),
        key,
        version,
    })
}
