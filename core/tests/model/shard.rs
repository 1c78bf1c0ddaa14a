//! A shard of the model: the core's own guard, and its decisions, over a handful of rows.

use std::collections::BTreeMap;

use ringshift::migration::{Answer, Command, Lineage, Mark};
use ringshift::store::{Change, Content as Given, Decision, Effect, Look, Present};
use ringshift::{
    Access, Attempt, AttemptKind, DomainId, Fence, Guard, KeyspaceId, Refusal, Reply, Revision,
    Slot, Version,
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

impl Content {
    /// As a client's request of that kind hands it to a store.
    pub(crate) fn given(self, kind: AttemptKind) -> Given<'static> {
        let op = [self.op; 16];
        let change = if self.value == NOTHING {
            Change::Delete
        } else {
            Change::Put(&[])
        };
        match kind {
            AttemptKind::Read => Given::None,
            AttemptKind::Write | AttemptKind::Confirm | AttemptKind::Apply { .. } => {
                Given::Own { change, op }
            }
        }
    }
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
    /// Whether it takes a client's word instead of checking its fence.
    pub(crate) unfenced: bool,
}

/// Where the model's keys are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    pub(crate) keyspace: KeyspaceId,
    pub(crate) slot_of: fn(Key) -> Slot,
    /// The bits of its hash that a store keeps.
    pub(crate) stored_of: fn(Key) -> u32,
}

impl Shard {
    pub(crate) fn attempt(
        &mut self,
        attempt: &Attempt,
        key: Key,
        content: Content,
    ) -> (Reply, Content) {
        let look = self.look(attempt.fence.domain, attempt.keyspace, attempt.slot, key);
        let given = content.given(attempt.kind);
        let decision = if self.unfenced {
            look.decide_unfenced(attempt, given)
        } else {
            look.decide(attempt, given)
        };
        let found = self.rows.get(&key).filter(|_| decision.found);
        let found = found.map_or(content, |row| Content {
            value: row.value,
            op: row.op,
        });
        self.carry(key, &decision, content);
        (decision.reply, found)
    }

    /// What a store looks up before it decides.
    pub(crate) fn look(
        &self,
        domain: DomainId,
        keyspace: KeyspaceId,
        slot: Slot,
        key: Key,
    ) -> Look {
        Look {
            term: self.guard.term(),
            revision: Revision(self.revision),
            bits: None,
            holder: self.guard.map().holder(keyspace, slot, &[key]),
            floor: self.floor,
            guard: self.guard.in_force(domain),
            present: self.rows.get(&key).map(|row| Present {
                version: row.version,
                op: [row.op; 16],
                deleted: row.value == NOTHING,
            }),
        }
    }

    /// Carries out what was decided.
    pub(crate) fn carry(&mut self, key: Key, decision: &Decision, content: Content) {
        match decision.effect {
            Effect::Keep => {}
            Effect::Put { version, .. } => self.put(key, version, content),
            Effect::Remove { floor } => {
                if self.rows.remove(&key).is_some() {
                    self.revision += 1;
                }
                self.floor = self.floor.max(floor);
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
                    let look = self.look(fence.domain, places.keyspace, slot, *key);
                    let deleted = row.value == NOTHING;
                    let stored = (places.stored_of)(*key);
                    let op = [row.op; 16];
                    let decision = look.decide_copy(slot, stored, row.version, op, deleted);
                    let content = Content {
                        value: row.value,
                        op: row.op,
                    };
                    self.carry(*key, &decision.unwrap(), content);
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
