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
use crate::store::sql::row::{int, key, number, operation_of, revision_number, value, version};
use crate::store::sql::transaction::first;
use crate::store::sql::{Fallible, Lent, SqlFault, SqlValue};

/// Up to so many rows of an interval are found by their keys and sorted, chunk by chunk; more are
/// found in the order of revisions, in one pass over the shard.
const FEW_ROWS: u32 = 10_000;

/// A keyspace's slot bits; the least there are until a row has told. (Then there is no row either.)
fn bits<E>(sql: &mut Lent<'_, E>, keyspace: KeyspaceId) -> Fallible<u8, E> {
    let known = first(sql, recipe::KEYSPACE, &[int(keyspace.0)], |row| {
        number(row, 0, "the number of slot bits")
    })?;
    Ok(known.unwrap_or(SLOT_BITS_STORED - SHIFT_UNKNOWN))
}

/// Whether the domain holds rows by an interval, and few of them.
fn few_apart<E>(sql: &mut Lent<'_, E>, guard: &GuardRow) -> Fallible<bool, E> {
    let counted = [
        int(guard.keyspace.0),
        int(guard.domain.0),
        int(FEW_ROWS + 1),
    ];
    let rows: u32 = count_by(sql, recipe::COUNT_APART, &counted)?;
    Ok((1..=FEW_ROWS).contains(&rows))
}

/// The newest state of rows that the domain holds and that were changed after a revision; and the
/// revision of the last of them.
pub(super) fn changes<E>(
    sql: &mut Lent<'_, E>,
    guard: &GuardRow,
    after: Revision,
    limit: u32,
) -> Fallible<(Vec<StoredRow>, Revision), E> {
    let bits = bits(sql, guard.keyspace)?;
    let parameters = [
        int(guard.keyspace.0),
        revision_number(after),
        int(guard.domain.0),
        int(limit),
        int(bits),
    ];
    let (text, parameters) = if few_apart(sql, guard)? {
        let [apart @ .., _] = &parameters;
        (recipe::CHANGES_APART, apart as &[_])
    } else {
        (recipe::CHANGES, &parameters as &[_])
    };
    let (mut all, mut last) = (Vec::new(), after);
    sql.run(text, parameters, &mut |row| {
        let stored_slot: u32 = number(row, 1, "a stored slot")?;
        all.push(StoredRow {
            keyspace: guard.keyspace,
            key: key(row, 0)?.to_vec(),
            slot: Slot(stored_slot >> SLOT_BITS_STORED.saturating_sub(bits)),
            stored_slot,
            version: version(row, 2)?,
            op: operation_of(row, 3)?,
            value: value(row, 4)?.map(<[u8]>::to_vec),
        });
        last = Revision(number(row, 5, "a revision")?);
        Ok(())
    })?;
    Ok((all, last))
}

/// How many rows the domain holds.
pub(super) fn count<E>(sql: &mut Lent<'_, E>, guard: &GuardRow) -> Fallible<Answer, E> {
    let parameters = [int(guard.keyspace.0), int(guard.domain.0)];
    count_by(sql, recipe::COUNT, &parameters).map(Answer::Rows)
}

fn count_by<E, N: TryFrom<i64>>(
    sql: &mut Lent<'_, E>,
    text: &'static str,
    parameters: &[SqlValue<'_>],
) -> Fallible<N, E> {
    let rows = first(sql, text, parameters, |row| number(row, 0, "a count"))?;
    rows.ok_or(SqlFault::Damaged(Damaged("a count")))
}

/// The digest of each slot in which the domain has rows, by slot.
pub(super) fn digests<E>(sql: &mut Lent<'_, E>, guard: &GuardRow) -> Fallible<Answer, E> {
    let parameters = [int(guard.keyspace.0), int(guard.domain.0)];
    let mut slots: BTreeMap<Slot, SlotDigest> = BTreeMap::new();
    sql.run(recipe::DIGEST_ROWS, &parameters, &mut |row| {
        let slot = Slot(number(row, 0, "a slot")?);
        let one = row_digest(key(row, 1)?, version(row, 2)?, value(row, 3)?);
        let digest = slots.entry(slot).or_insert(SlotDigest {
            slot,
            rows: 0,
            sum: 0,
        });
        digest.rows += 1;
        digest.sum = digest.sum.wrapping_add(one);
        Ok(())
    })?;
    Ok(Answer::Digests(slots.into_values().collect()))
}

/// Key, version and digest of each row that the domain holds in some slots, by key.
pub(super) fn keys<E>(
    sql: &mut Lent<'_, E>,
    keyspace: KeyspaceId,
    domain: DomainId,
    slots: &[Slot],
) -> Fallible<Vec<KeyDigest>, E> {
    let mut all = Vec::new();
    for slot in slots {
        let parameters = [int(keyspace.0), int(domain.0), int(slot.0)];
        sql.run(recipe::DIGEST_SLOT, &parameters, &mut |row| {
            let (key, version) = (key(row, 0)?, version(row, 1)?);
            all.push(KeyDigest {
                digest: row_digest(key, version, value(row, 2)?),
                key: key.to_vec(),
                version,
            });
            Ok(())
        })?;
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}
