//! Carrying a patch out. Of what a patch claims nothing is believed: each number is held against
//! what is there before anything is made of it.

use alloc::vec;
use alloc::vec::Vec;

use crate::ids::{SLOT_BITS_MAX, ShardIndex};
use crate::snapshot::delta::wire::Reader;
use crate::snapshot::delta::{DeltaError, rest_of};
use crate::snapshot::{Draft, KeyspaceDraft, Run, content};

/// What `patch` makes of `old`, not validated yet.
pub(super) fn patched(old: &Draft, patch: &[u8]) -> Result<Draft, DeltaError> {
    let mut reader = Reader(patch);
    let length = reader.len()?;
    let rest = edited(&rest_of(old), reader.take(length)?)?;
    let mut draft = content::decode(&rest).ok_or(DeltaError::Malformed)?;
    // Sorted, so no table is carried twice, and no keyspace is moved in twice.
    if !draft.keyspaces.is_sorted_by(|a, b| a.id < b.id) {
        return Err(DeltaError::Malformed);
    }
    carry(old, &mut draft);
    let mut keyspaces = draft.keyspaces.iter_mut();
    while !reader.0.is_empty() {
        let keyspace = keyspaces.nth(reader.len()?);
        moved(keyspace.ok_or(DeltaError::Malformed)?, &mut reader)?;
    }
    Ok(draft)
}

/// Copies come in the order of `old` and none comes twice, so there is never more than both.
fn edited(mut old: &[u8], edits: &[u8]) -> Result<Vec<u8>, DeltaError> {
    let mut made = Vec::with_capacity(old.len() + edits.len());
    let mut edits = Reader(edits);
    while !edits.0.is_empty() {
        let (copied, dropped) = (edits.len()?, edits.len()?);
        let (copied, rest) = old.split_at_checked(copied).ok_or(DeltaError::Malformed)?;
        made.extend_from_slice(copied);
        old = rest.get(dropped..).ok_or(DeltaError::Malformed)?;
        let put = edits.len()?;
        made.extend_from_slice(edits.take(put)?);
    }
    made.extend_from_slice(old);
    Ok(made)
}

/// Gives each keyspace the table that it had: by the shards' numbers, since their places may be
/// others now. Where it has more bits now, each slot's owner has all that the slot was cut into.
/// What can't be carried so is the first shard's.
pub(super) fn carry(old: &Draft, new: &mut Draft) {
    let places: Vec<ShardIndex> = old
        .shards
        .iter()
        .map(|shard| new.index_of(shard.id).unwrap_or_default())
        .collect();
    for keyspace in &mut new.keyspaces {
        let before = old.keyspace(keyspace.id);
        let finer = before.and_then(|before| keyspace.bits.checked_sub(before.bits));
        let known = keyspace.bits <= SLOT_BITS_MAX;
        keyspace.assignment = match (before, finer) {
            (Some(before), Some(finer)) if known => carried(before, finer, &places),
            _ if known => vec![Run {
                len: keyspace.slot_count(),
                shard: ShardIndex(0),
            }],
            _ => Vec::new(),
        };
    }
}

fn carried(before: &KeyspaceDraft, finer: u8, places: &[ShardIndex]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::with_capacity(before.assignment.len());
    for run in &before.assignment {
        let shard = places.get(usize::from(run.shard.0)).copied();
        let shard = shard.unwrap_or_default();
        let len = run.len << finer;
        match runs.last_mut() {
            Some(last) if last.shard == shard => last.len += len,
            _ => runs.push(Run { len, shard }),
        }
    }
    runs
}

/// Carries out the moves of one keyspace.
fn moved(keyspace: &mut KeyspaceDraft, reader: &mut Reader<'_>) -> Result<(), DeltaError> {
    let mut table = keyspace.table();
    // No slot moves twice.
    let mut left = table.len();
    for _ in 0..reader.number()? {
        let owner = u16::try_from(reader.number()?).map_err(|_| DeltaError::Malformed)?;
        let mut fill = |start: usize, end: usize| {
            let slots = table.get_mut(start..end).ok_or(DeltaError::Malformed)?;
            left = left.checked_sub(slots.len()).ok_or(DeltaError::Malformed)?;
            slots.fill(ShardIndex(owner));
            Ok(())
        };
        let wave = reader.len()?;
        if let Some(wave) = wave.checked_sub(1) {
            let wave = keyspace.waves.get(wave).ok_or(DeltaError::Malformed)?;
            for run in &wave.slots {
                fill(run.start as usize, run.end as usize)?;
            }
            continue;
        }
        let mut end = 0_usize;
        for _ in 0..reader.number()? {
            let start = end.saturating_add(reader.len()?);
            end = start.saturating_add(reader.len()?);
            fill(start, end)?;
        }
    }
    keyspace.set_table(&table);
    Ok(())
}
