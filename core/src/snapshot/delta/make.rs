//! Finding a patch: what has changed between two snapshots.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::ids::{ShardIndex, Slot};
use crate::snapshot::delta::apply::carry;
use crate::snapshot::delta::diff::kept;
use crate::snapshot::delta::rest_of;
use crate::snapshot::delta::wire::{put, put_len};
use crate::snapshot::{Draft, KeyspaceDraft};
use crate::wave::slot_runs;

/// What [`patched`](super::apply::patched) turns `old` into `new` by.
pub(super) fn patch(old: &Draft, new: &Draft) -> Vec<u8> {
    let edits = edits(&rest_of(old), &rest_of(new));
    let mut patch = Vec::with_capacity(edits.len() + 8);
    put_len(&mut patch, edits.len());
    patch.extend_from_slice(&edits);
    let mut carried = new.clone();
    carry(old, &mut carried);
    let mut skipped = 0;
    for (before, after) in carried.keyspaces.iter().zip(&new.keyspaces) {
        if before.assignment == after.assignment {
            skipped += 1;
        } else {
            put(&mut patch, skipped);
            moves(before, after, &mut patch);
            skipped = 0;
        }
    }
    patch
}

/// Each edit: bytes to copy, bytes to drop, bytes to put, and these. What is left is copied.
fn edits(old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut edits = Vec::new();
    let (mut old_at, mut new_at, mut copied) = (0, 0, 0);
    let mut edit = |copied: usize, dropped: usize, put: &[u8]| {
        put_len(&mut edits, copied);
        put_len(&mut edits, dropped);
        put_len(&mut edits, put.len());
        edits.extend_from_slice(put);
    };
    for part in kept(old, new) {
        if (part.old, part.new) != (old_at, new_at) {
            edit(
                copied,
                part.old - old_at,
                new.get(new_at..part.new).unwrap_or_default(),
            );
            copied = 0;
        }
        copied += part.len;
        (old_at, new_at) = (part.old + part.len, part.new + part.len);
    }
    if (old_at, new_at) != (old.len(), new.len()) {
        edit(
            copied,
            old.len() - old_at,
            new.get(new_at..).unwrap_or_default(),
        );
    }
    edits
}

/// The slots that have another owner, by their new one. Where they are exactly those of a wave,
/// the wave's place says so.
fn moves(before: &KeyspaceDraft, after: &KeyspaceDraft, patch: &mut Vec<u8>) {
    let mut by_owner: BTreeMap<ShardIndex, Vec<Slot>> = BTreeMap::new();
    let tables = before.table().into_iter().zip(after.table());
    for (slot, (was, is)) in (0_u32..).zip(tables) {
        if was != is {
            by_owner.entry(is).or_default().push(Slot(slot));
        }
    }
    put_len(patch, by_owner.len());
    for (owner, slots) in by_owner {
        put(patch, owner.0.into());
        let runs = slot_runs(slots);
        if let Some(wave) = after.waves.iter().position(|wave| wave.slots == runs) {
            put_len(patch, wave + 1);
            continue;
        }
        put(patch, 0);
        put_len(patch, runs.len());
        let mut end = 0;
        for run in runs {
            put(patch, run.start - end);
            put(patch, run.len());
            end = run.end;
        }
    }
}
