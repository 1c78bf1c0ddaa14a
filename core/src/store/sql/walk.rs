//! Reading many rows: by revision for the copier, by slot for the verifier, so that the one's
//! mistakes can't hide from the other.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::digest::row_digest;
use crate::guard::GuardRow;
use crate::ids::{DomainId, KeyspaceId, Revision, SLOT_BITS_STORED, Slot};
use crate::migration::command::{Answer, KeyDigest, SlotDigest};
use crate::recipes::{SHIFT_UNKNOWN, sqlite as recipe};
use crate::store::StoredRow;
use crate::store::look::Damaged;
use crate::store::sql::{
    Fallible, Sql, SqlValue, blob, int, number, operation_of, query, revision_number, value,
    version,
};

/// A keyspace's slot bits; the least there are until a row has told. (Then there is no row either.)
fn bits<S: Sql>(sql: &mut S, keyspace: KeyspaceId) -> Fallible<u8, S> {
    let rows = query(sql, recipe::KEYSPACE, &[int(keyspace.0)])?;
    let known = rows
        .first()
        .map(|row| number(row, 0, "the number of slot bits"));
    Ok(known
        .transpose()?
        .unwrap_or(SLOT_BITS_STORED - SHIFT_UNKNOWN))
}

/// The newest state of rows that the domain holds and that were changed after a revision; and the
/// revision of the last of them.
pub(super) fn changes<S: Sql>(
    sql: &mut S,
    guard: &GuardRow,
    after: Revision,
    limit: u32,
) -> Fallible<(Vec<StoredRow>, Revision), S> {
    let bits = bits(sql, guard.keyspace)?;
    let parameters = [
        int(guard.keyspace.0),
        revision_number(after),
        int(guard.domain.0),
        int(limit),
        int(bits),
    ];
    let (mut all, mut last) = (Vec::new(), after);
    for row in &query(sql, recipe::CHANGES, &parameters)? {
        let stored_slot: u32 = number(row, 1, "a stored slot")?;
        all.push(StoredRow {
            keyspace: guard.keyspace,
            key: blob(row, 0, "a key")?,
            slot: Slot(stored_slot >> SLOT_BITS_STORED.saturating_sub(bits)),
            stored_slot,
            version: version(row, 2)?,
            op: operation_of(row, 3)?,
            value: value(row, 4, "a value")?,
        });
        last = Revision(number(row, 5, "a revision")?);
    }
    Ok((all, last))
}

/// How many rows the domain holds.
pub(super) fn count<S: Sql>(sql: &mut S, guard: &GuardRow) -> Fallible<Answer, S> {
    let rows = query(
        sql,
        recipe::COUNT,
        &[int(guard.keyspace.0), int(guard.domain.0)],
    )?;
    let row = rows.first().ok_or(Damaged("a count"))?;
    Ok(Answer::Rows(number(row, 0, "a count")?))
}

/// The digest of each slot in which the domain has rows, by slot.
pub(super) fn digests<S: Sql>(sql: &mut S, guard: &GuardRow) -> Fallible<Answer, S> {
    let parameters = [int(guard.keyspace.0), int(guard.domain.0)];
    let mut slots: BTreeMap<Slot, SlotDigest> = BTreeMap::new();
    for row in &query(sql, recipe::DIGEST_ROWS, &parameters)? {
        let slot = Slot(number(row, 0, "a slot")?);
        let one = digest(row, 1)?;
        let digest = slots.entry(slot).or_insert(SlotDigest {
            slot,
            rows: 0,
            sum: 0,
        });
        digest.rows += 1;
        digest.sum = digest.sum.wrapping_add(one.digest);
    }
    Ok(Answer::Digests(slots.into_values().collect()))
}

/// Key, version and digest of each row that the domain holds in some slots, by key.
pub(super) fn keys<S: Sql>(
    sql: &mut S,
    keyspace: KeyspaceId,
    domain: DomainId,
    slots: &[Slot],
) -> Fallible<Vec<KeyDigest>, S> {
    let mut all = Vec::new();
    for slot in slots {
        let parameters = [int(keyspace.0), int(domain.0), int(slot.0)];
        for row in &query(sql, recipe::DIGEST_SLOT, &parameters)? {
            all.push(digest(row, 0)?);
        }
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

fn digest(row: &[SqlValue], at: usize) -> Result<KeyDigest, Damaged> {
    let key = blob(row, at, "a key")?;
    let version = version(row, at + 1)?;
    let value = value(row, at + 2, "a value")?;
    Ok(KeyDigest {
        digest: row_digest(&key, version, value.as_deref()),
        key,
        version,
    })
}
