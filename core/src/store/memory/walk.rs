//! A coordinator's commands, in memory.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::digest::row_digest;
use crate::guard::{Access, Fence, GuardRow, Refusal};
use crate::ids::{DomainId, KeyspaceId, Revision, Slot, Term, Version};
use crate::migration::command::{Answer, Command, KeyDigest, SlotDigest, sample};
use crate::migration::request::Mark;
use crate::store::StoredRow;
use crate::store::memory::{Chunks, Disagrees, MemoryShard, Row, RowKey};

impl MemoryShard {
    /// Carries out a coordinator's command. [`Answer::Unreachable`] for one that isn't a shard's,
    /// and for a chunk that isn't held or can't be of this shard's keyspace.
    ///
    /// Rows that `Changes` reads are left in `chunks`, where `Apply` finds them.
    pub fn command(&mut self, command: &Command, chunks: &mut Chunks) -> Answer {
        self.carry_out(command, chunks)
            .unwrap_or_else(Answer::Refused)
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one table, from a command to its answer"
    )]
    fn carry_out(&mut self, command: &Command, chunks: &mut Chunks) -> Result<Answer, Refusal> {
        Ok(match command {
            Command::Claim {
                shard,
                term,
                lineage,
            } => {
                self.guard.claim(*term)?;
                self.lineage = self.lineage.then(*lineage);
                self.answers += 1;
                Answer::Claimed(Mark {
                    shard: *shard,
                    incarnation: self.incarnation,
                    answers: self.answers,
                    shut: self.guard.is_shut(),
                    lineage: self.lineage,
                })
            }
            Command::Time { .. } => Answer::Time(self.guard.now()),
            Command::Grant {
                term,
                fence,
                asked,
                lease_ms,
                ..
            } => {
                self.guard.grant(*term, *fence, *asked, *lease_ms)?;
                Answer::Done
            }
            Command::Shut { term, shut, .. } => {
                self.guard.shut(*term, *shut)?;
                Answer::Done
            }
            Command::Guards { .. } => Answer::Guards(self.guard.rows().copied().collect()),
            Command::Install { term, rows, .. } => {
                self.install(*term, rows)?;
                Answer::Done
            }
            Command::Close { term, fence, .. } => {
                Answer::Closed(self.guard.close(*term, fence.domain, fence.epoch)?)
            }
            Command::Revision { fence, .. } => {
                self.guard.admit_domain(*fence, Access::Inspect)?;
                Answer::Revision(self.revision)
            }
            Command::Changes {
                fence,
                after,
                limit,
                chunk,
                ..
            } => {
                let guard = self.guard.admit_domain(*fence, Access::Inspect)?;
                let limit = usize::try_from((*limit).max(1)).unwrap_or(usize::MAX);
                let (rows, last) = self.changes(&guard, *after, limit);
                let end = rows.len() < limit;
                let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
                chunks.put(*chunk, fence.domain, rows);
                Answer::Changes {
                    rows: count,
                    upto: if end { self.revision } else { last },
                    end,
                }
            }
            Command::Purge {
                term,
                fence,
                limit,
                release,
                ..
            } => self.purge(*fence, *term, *limit, *release)?,
            Command::Collect {
                term, fence, limit, ..
            } => self.removal(*fence, Access::Collect(*term), *limit, true)?,
            Command::Count { fence, .. } => {
                let keyspace = self.guard.row(fence.domain).map(|row| row.keyspace);
                let held = keyspace.map_or(0, |keyspace| self.held(keyspace, fence.domain).count());
                Answer::Rows(held as u64)
            }
            Command::Digests { fence, .. } => {
                let guard = self.guard.admit_domain(*fence, Access::Inspect)?;
                let mut slots: BTreeMap<Slot, SlotDigest> = BTreeMap::new();
                for ((_, key), row) in self.held(guard.keyspace, fence.domain) {
                    let digest = slots.entry(row.slot).or_insert(SlotDigest {
                        slot: row.slot,
                        rows: 0,
                        sum: 0,
                    });
                    digest.rows += 1;
                    let one = row_digest(key, row.version, row.value.as_deref());
                    digest.sum = digest.sum.wrapping_add(one);
                }
                Answer::Digests(slots.into_values().collect())
            }
            Command::Keys {
                fence,
                keyspace,
                slots,
                ..
            } => Answer::Keys(self.keys(*fence, *keyspace, slots)?),
            Command::Sample {
                fence,
                keyspace,
                slots,
                seed,
                limit,
                ..
            } => Answer::Keys(sample(self.keys(*fence, *keyspace, slots)?, *seed, *limit)),
            Command::Look {
                fence,
                keyspace,
                slots,
                keys,
                ..
            } => {
                let mut found = self.keys(*fence, *keyspace, slots)?;
                found.retain(|digest| keys.contains(&digest.key));
                Answer::Keys(found)
            }
            Command::Apply {
                term, fence, chunk, ..
            } => match chunks.get(*chunk) {
                Some(rows) => match self.apply(*term, *fence, &rows)? {
                    Ok(()) => Answer::Done,
                    Err(Disagrees) => Answer::Unreachable,
                },
                None => Answer::Unreachable,
            },
            Command::Lead { .. }
            | Command::Renew { .. }
            | Command::Ask { .. }
            | Command::Swap { .. }
            | Command::SaveLog { .. } => Answer::Unreachable,
        })
    }

    fn keys(
        &self,
        fence: Fence,
        keyspace: KeyspaceId,
        slots: &[Slot],
    ) -> Result<Vec<KeyDigest>, Refusal> {
        self.guard.admit_domain(fence, Access::Inspect)?;
        let keys = self
            .held(keyspace, fence.domain)
            .filter(|(_, row)| slots.contains(&row.slot))
            .map(|((_, key), row)| KeyDigest {
                key: key.to_vec(),
                version: row.version,
                digest: row_digest(key, row.version, row.value.as_deref()),
            })
            .collect();
        Ok(keys)
    }

    /// The rows that `domain` holds here, by key.
    fn held(
        &self,
        keyspace: KeyspaceId,
        domain: DomainId,
    ) -> impl Iterator<Item = (&RowKey, &Row)> {
        self.rows.iter().filter(move |((of, key), row)| {
            *of == keyspace && self.guard.holds(domain, keyspace, row.slot, key)
        })
    }

    fn changes(
        &self,
        guard: &GuardRow,
        after: Revision,
        limit: usize,
    ) -> (Vec<StoredRow>, Revision) {
        let mut last = after;
        let next = Revision(after.0.saturating_add(1));
        let rows = self
            .changed
            .range(next..)
            .filter_map(|(_, key)| Some((key, self.rows.get(key)?)))
            .filter(|((keyspace, key), row)| {
                *keyspace == guard.keyspace
                    && self.guard.holds(guard.domain, *keyspace, row.slot, key)
            })
            .take(limit)
            .map(|((keyspace, key), row)| {
                last = row.revision;
                StoredRow {
                    keyspace: *keyspace,
                    key: key.to_vec(),
                    slot: row.slot,
                    stored_slot: row.stored_slot,
                    version: row.version,
                    value: row.value.clone(),
                    op: row.op,
                }
            })
            .collect();
        (rows, last)
    }

    fn purge(
        &mut self,
        fence: Fence,
        term: Term,
        limit: u32,
        release: bool,
    ) -> Result<Answer, Refusal> {
        let answer = self.removal(fence, Access::Purge(term), limit, false)?;
        if let (true, Answer::Removed { end: true, .. }) = (release, &answer)
            && let Some(row) = self.guard.row(fence.domain)
        {
            self.guard.release(row.keyspace, fence.domain);
        }
        Ok(answer)
    }

    fn removal(
        &mut self,
        fence: Fence,
        access: Access,
        limit: u32,
        tombstones: bool,
    ) -> Result<Answer, Refusal> {
        let guard = self.guard.admit_domain(fence, access)?;
        let limit = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
        let found: Vec<(RowKey, Slot, Version)> = self
            .held(guard.keyspace, guard.domain)
            .filter(|(_, row)| !tombstones || row.value.is_none())
            .take(limit)
            .map(|(key, row)| (key.clone(), row.slot, row.version))
            .collect();
        let end = found.len() < limit;
        let rows = u32::try_from(found.len()).unwrap_or(u32::MAX);
        for (key, slot, version) in found {
            self.remove(&key);
            self.raise_floor(guard.keyspace, slot, version);
        }
        Ok(Answer::Removed { rows, end })
    }

    /// Puts each of `rows` that is newer, as a coordinator's copy: all of them or, refused or
    /// contradicted, none.
    ///
    /// # Errors
    /// The guard's [`Refusal`]; inside, [`Disagrees`].
    pub fn apply(
        &mut self,
        term: Term,
        fence: Fence,
        rows: &[StoredRow],
    ) -> Result<Result<(), Disagrees>, Refusal> {
        let access = Access::Copy(term);
        self.guard.admit_domain(fence, access)?;
        for row in rows {
            self.guard
                .admit(row.keyspace, row.slot, &row.key, fence, access)?;
            if self.copy_of(fence, row).is_none() {
                return Ok(Err(Disagrees));
            }
        }
        for row in rows {
            if let Some(decision) = self.copy_of(fence, row) {
                let place = (row.keyspace, row.slot, row.stored_slot);
                self.put(place, &row.key, &decision, row.value.as_deref());
            }
        }
        Ok(Ok(()))
    }

    fn copy_of(&self, fence: Fence, row: &StoredRow) -> Option<crate::store::Decision> {
        let look = self.look(fence.domain, row.keyspace, row.slot, &row.key);
        let deleted = row.value.is_none();
        look.decide_copy(row.slot, row.stored_slot, row.version, row.op, deleted)
    }
}
