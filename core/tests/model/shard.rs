//! A shard of the model: the core's own guard over a handful of rows.

use std::collections::BTreeMap;

use ringshift::migration::{Answer, Command, Lineage, Mark};
use ringshift::{
    Access, Attempt, AttemptKind, Fence, Guard, KeyspaceId, Refusal, Reply, Revision, Slot, Version,
};

/// A key of the model, as one byte.
pub(crate) type Key = u8;
/// A value; `NOTHING` is what a reader of a missing key sees, and what a delete writes.
pub(crate) type Value = u8;
/// See [`Value`].
pub(crate) const NOTHING: Value = 0;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) version: Version,
    /// `NOTHING` is a tombstone.
    pub(crate) value: Value,
    /// The operation that wrote it last.
    pub(crate) op: u8,
    pub(crate) revision: u64,
}

/// What a request carries, or a reply found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Content {
    pub(crate) value: Value,
    pub(crate) op: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Shard {
    pub(crate) guard: Guard,
    pub(crate) rows: BTreeMap<Key, Row>,
    pub(crate) revision: u64,
    /// What it says of itself at a claim; the first is raised by hand where that matters.
    pub(crate) answers: u64,
    pub(crate) lineage: Lineage,
    /// The highest version physically removed, of any slot: coarser than a store's, and as safe.
    pub(crate) floor: Version,
}

/// Where the model's keys are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    pub(crate) keyspace: KeyspaceId,
    pub(crate) slot_of: fn(Key) -> Slot,
}

impl Shard {
    pub(crate) fn attempt(
        &mut self,
        attempt: &Attempt,
        key: Key,
        content: Content,
    ) -> (Reply, Content) {
        let access = match attempt.kind {
            AttemptKind::Read | AttemptKind::Confirm => Access::Read,
            AttemptKind::Write => Access::Write,
            AttemptKind::Apply { .. } => Access::Apply,
        };
        let admitted = self.guard.admit(
            attempt.keyspace,
            attempt.slot,
            &[key],
            attempt.fence,
            access,
        );
        let guard = match admitted {
            Ok(row) => row,
            Err(refusal) => return (Reply::Refused(refusal), content),
        };
        let row = self.rows.get(&key).copied();
        let found = row.map_or(content, |row| Content {
            value: row.value,
            op: row.op,
        });
        match attempt.kind {
            AttemptKind::Read => (
                match row {
                    Some(Row {
                        version,
                        value: NOTHING,
                        ..
                    }) => Reply::Deleted { version },
                    Some(Row { version, .. }) => Reply::Found { version },
                    None => Reply::Missing,
                },
                found,
            ),
            AttemptKind::Confirm => (
                match row {
                    Some(row) if row.op == content.op => Reply::Written {
                        version: row.version,
                    },
                    _ => Reply::Missing,
                },
                found,
            ),
            AttemptKind::Write => {
                let previous = row.map(|row| row.version);
                let version = Version::next(guard.authority_epoch, previous, self.floor);
                if content.value == NOTHING && !guard.in_wave {
                    self.rows.remove(&key);
                    self.floor = self.floor.max(version);
                    self.revision += 1;
                } else {
                    self.put(key, version, content);
                }
                (Reply::Written { version }, content)
            }
            AttemptKind::Apply { version, .. } => {
                (self.put_if_newer(key, version, content), content)
            }
        }
    }

    /// What a coordinator asks; `rows` are those of an apply, or what a read of changes found.
    pub(crate) fn command(
        &mut self,
        command: &Command,
        rows: &mut Vec<(Key, Row)>,
        places: Places,
    ) -> Answer {
        match self.carry_out(command, rows, places) {
            Ok(answer) => answer,
            Err(refusal) => Answer::Refused(refusal),
        }
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one table, from a command to its answer"
    )]
    fn carry_out(
        &mut self,
        command: &Command,
        rows: &mut Vec<(Key, Row)>,
        places: Places,
    ) -> Result<Answer, Refusal> {
        Ok(match command {
            Command::Claim {
                shard,
                term,
                lineage,
            } => {
                self.guard.claim(*term)?;
                self.answers += 1;
                self.lineage = self.lineage.then(*lineage);
                Answer::Claimed(Mark {
                    shard: *shard,
                    incarnation: [0; 16],
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
                self.guard.install(*term, rows)?;
                Answer::Done
            }
            Command::Close { term, fence, .. } => {
                Answer::Closed(self.guard.close(*term, fence.domain, fence.epoch)?)
            }
            Command::Revision { fence, .. } => {
                self.guard.admit_domain(*fence, Access::Inspect)?;
                Answer::Revision(Revision(self.revision))
            }
            Command::Changes {
                fence,
                after,
                limit,
                ..
            } => {
                self.guard.admit_domain(*fence, Access::Inspect)?;
                let held = self.held(*fence, places);
                *rows = held.filter(|(_, row)| row.revision > after.0).collect();
                rows.sort_by_key(|(_, row)| row.revision);
                let end = rows.len() <= *limit as usize;
                rows.truncate(*limit as usize);
                let upto = match rows.last() {
                    Some((_, last)) if !end => last.revision,
                    _ => self.revision,
                };
                Answer::Changes {
                    rows: u32::try_from(rows.len()).unwrap_or(u32::MAX),
                    upto: Revision(upto),
                    end,
                }
            }
            Command::Apply { term, fence, .. } => {
                for (key, row) in rows.iter() {
                    let slot = (places.slot_of)(*key);
                    let access = Access::Copy(*term);
                    self.guard
                        .admit(places.keyspace, slot, &[*key], *fence, access)?;
                    let content = Content {
                        value: row.value,
                        op: row.op,
                    };
                    self.put_if_newer(*key, row.version, content);
                }
                Answer::Done
            }
            Command::Purge {
                term,
                fence,
                release,
                ..
            } => {
                self.guard.admit_domain(*fence, Access::Purge(*term))?;
                let removed: Vec<_> = self.held(*fence, places).collect();
                if *release {
                    self.guard.release(places.keyspace, fence.domain);
                }
                self.remove(&removed)
            }
            Command::Collect { term, fence, .. } => {
                self.guard.admit_domain(*fence, Access::Collect(*term))?;
                let held = self.held(*fence, places);
                let removed: Vec<_> = held.filter(|(_, row)| row.value == NOTHING).collect();
                self.remove(&removed)
            }
            Command::Count { fence, .. } => Answer::Rows(self.held(*fence, places).count() as u64),
            Command::Lead { .. }
            | Command::Renew { .. }
            | Command::Ask { .. }
            | Command::Swap { .. }
            | Command::SaveLog { .. }
            | Command::Digests { .. }
            | Command::Keys { .. }
            | Command::Sample { .. }
            | Command::Look { .. } => Answer::Unreachable,
        })
    }

    fn held(&self, fence: Fence, places: Places) -> impl Iterator<Item = (Key, Row)> {
        let held = move |key: Key| {
            let slot = (places.slot_of)(key);
            self.guard
                .holds(fence.domain, places.keyspace, slot, &[key])
        };
        self.rows
            .iter()
            .map(|(&key, &row)| (key, row))
            .filter(move |(key, _)| held(*key))
    }

    fn remove(&mut self, removed: &[(Key, Row)]) -> Answer {
        for (key, row) in removed {
            self.rows.remove(key);
            self.floor = self.floor.max(row.version);
        }
        Answer::Removed {
            rows: u32::try_from(removed.len()).unwrap_or(u32::MAX),
            end: true,
        }
    }

    fn put_if_newer(&mut self, key: Key, version: Version, content: Content) -> Reply {
        if self
            .rows
            .get(&key)
            .is_some_and(|row| row.version >= version)
        {
            return Reply::Superseded;
        }
        self.put(key, version, content);
        Reply::Written { version }
    }

    pub(crate) fn put(&mut self, key: Key, version: Version, content: Content) {
        self.revision += 1;
        let Content { value, op } = content;
        self.rows.insert(
            key,
            Row {
                version,
                value,
                op,
                revision: self.revision,
            },
        );
    }
}
