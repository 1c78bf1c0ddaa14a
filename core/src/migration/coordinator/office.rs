//! Taking office: raise the term, claim every shard, read snapshot and guards, finish what was
//! begun. (The take-over of `docs/PROTOCOL.md`, T1 to T7.)

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::guard::{GuardRow, InstallRow};
use crate::ids::{DomainId, ShardId};
use crate::migration::command::{Answer, Command};
use crate::migration::coordinator::{Coordinator, CoordinatorError, Ending, Task};
use crate::migration::install::{home_installs, wave_installs};
use crate::migration::moves::{Move, Point, Stage};
use crate::snapshot::Snapshot;

/// How far taking office has come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Office {
    /// Raise the term, read the snapshot.
    Lead,
    /// Claim the shard at this place of the list.
    Claim { at: u16 },
    /// Read the guards of the shard at this place.
    Guards {
        at: u16,
        rows: BTreeMap<(ShardId, DomainId), GuardRow>,
    },
    /// Finish installs, in this order.
    Finish {
        queue: Vec<(ShardId, Vec<InstallRow>)>,
    },
}

impl Coordinator {
    pub(super) fn office_command(
        &self,
        office: &Office,
    ) -> Result<(Point, Option<DomainId>, Command), CoordinatorError> {
        let at = |stage| Point::new(Move::TakeOver, stage);
        let shard = |index: &u16| {
            let shards = self
                .snapshot
                .as_ref()
                .map(|s| s.content().shards.as_slice());
            shards
                .and_then(|shards| shards.get(usize::from(*index)))
                .map(|shard| shard.id)
                .ok_or(CoordinatorError::Senseless {
                    point: at(Stage::Claim),
                })
        };
        Ok(match office {
            Office::Lead => (at(Stage::Lead), None, Command::Lead { term: self.term }),
            Office::Claim { at: index } => (
                at(Stage::Claim),
                None,
                Command::Claim {
                    shard: shard(index)?,
                    term: self.term,
                },
            ),
            Office::Guards { at: index, .. } => (
                at(Stage::Guards),
                None,
                Command::Guards {
                    shard: shard(index)?,
                },
            ),
            Office::Finish { queue } => {
                let (shard, rows) = queue.first().cloned().ok_or(CoordinatorError::Senseless {
                    point: at(Stage::InstallFirst),
                })?;
                let install = Command::Install {
                    shard,
                    term: self.term,
                    rows,
                };
                (at(Stage::InstallFirst), None, install)
            }
        })
    }

    pub(super) fn office_answered(&mut self, office: Office, answer: Answer) {
        let shards = self
            .snapshot
            .as_ref()
            .map_or(0, |s| s.content().shards.len());
        let last = |at: u16| usize::from(at) + 1 >= shards;
        self.task = match (office, answer) {
            (Office::Lead, Answer::Loaded { snapshot, log }) => {
                self.snapshot = Some(snapshot);
                // A wish that was made here and isn't written down yet outlives a second reading.
                let (wish, reason) = (self.log.wish, core::mem::take(&mut self.log.reason));
                let agreed = self.log.finish_agreed;
                self.log = log;
                if let Some(settings) = &self.log.settings
                    && *settings != *self.settings
                {
                    self.settings = Arc::new(settings.clone());
                }
                if self.undecided {
                    (self.log.wish, self.log.reason) = (wish, reason);
                    self.log.finish_agreed |= agreed;
                }
                self.facts = super::Facts::default();
                self.closed = None;
                Task::Office(Office::Claim { at: 0 })
            }
            (Office::Claim { at }, Answer::Done) if last(at) => Task::Office(Office::Guards {
                at: 0,
                rows: BTreeMap::new(),
            }),
            (Office::Claim { at }, Answer::Done) => Task::Office(Office::Claim { at: at + 1 }),
            (Office::Guards { at, mut rows }, Answer::Guards(found)) => {
                let shard = self
                    .snapshot
                    .as_ref()
                    .and_then(|s| s.content().shards.get(usize::from(at)))
                    .map(|shard| shard.id);
                rows.extend(
                    found
                        .into_iter()
                        .filter_map(|row| Some(((shard?, row.domain), row))),
                );
                if last(at) {
                    self.take_stock(&rows)
                } else {
                    Task::Office(Office::Guards { at: at + 1, rows })
                }
            }
            (Office::Finish { mut queue }, Answer::Done) => {
                if !queue.is_empty() {
                    queue.remove(0);
                }
                if queue.is_empty() {
                    Task::Idle
                } else {
                    Task::Office(Office::Finish { queue })
                }
            }
            (office, _) => {
                let point = match office {
                    Office::Lead => Stage::Lead,
                    Office::Claim { .. } => Stage::Claim,
                    Office::Guards { .. } => Stage::Guards,
                    Office::Finish { .. } => Stage::InstallFirst,
                };
                let point = Point::new(Move::TakeOver, point);
                return self.recover(CoordinatorError::Senseless { point });
            }
        };
    }

    /// Compares snapshot and guards: what is below the snapshot's epoch is to be finished, what is
    /// closed at it is a barrier to run again.
    fn take_stock(&mut self, rows: &BTreeMap<(ShardId, DomainId), GuardRow>) -> Task {
        let Some(snapshot) = self.snapshot.clone() else {
            return Task::Office(Office::Lead);
        };
        if let Some(error) = ahead(&snapshot, rows) {
            return Task::Over(Ending::Stuck(error));
        }
        self.closed = snapshot
            .content()
            .keyspaces
            .iter()
            .flat_map(|keyspace| &keyspace.waves)
            .filter(|wave| wave.phase.is_carved())
            .find(|wave| {
                [wave.from, wave.to].into_iter().any(|shard| {
                    rows.get(&(shard, wave.domain))
                        .is_some_and(|row| row.closed && row.epoch == wave.epoch)
                })
            })
            .map(|wave| wave.domain);
        let queue = unfinished(&snapshot, rows);
        if queue.is_empty() {
            Task::Idle
        } else {
            Task::Office(Office::Finish { queue })
        }
    }
}

/// The installs that the snapshot's epochs still need: transition by transition, in the order of
/// their epochs, and within each in its own order.
fn unfinished(
    snapshot: &Snapshot,
    guards: &BTreeMap<(ShardId, DomainId), GuardRow>,
) -> Vec<(ShardId, Vec<InstallRow>)> {
    let below = |shard: ShardId, row: &GuardRow| {
        guards
            .get(&(shard, row.domain))
            .is_none_or(|guard| guard.epoch < row.epoch)
    };
    let mut transitions = Vec::new();
    for keyspace in &snapshot.content().keyspaces {
        for wave in &keyspace.waves {
            let installs = wave_installs(snapshot, keyspace, wave);
            let unfinished = installs
                .iter()
                .any(|(shard, rows)| rows.iter().any(|install| below(*shard, &install.row)));
            if unfinished {
                transitions.push((wave.epoch, installs));
            }
        }
    }
    // Homes that no wave's transition has changed: those of new shards, and of a new cluster.
    let in_transition = |shard: ShardId, row: &GuardRow| {
        transitions.iter().any(|(_, installs)| {
            installs.iter().any(|(at, rows)| {
                *at == shard && rows.iter().any(|install| install.row.domain == row.domain)
            })
        })
    };
    let mut homes = Vec::new();
    for shard in &snapshot.content().shards {
        let mut rows = home_installs(snapshot, shard.id);
        rows.retain(|install| {
            below(shard.id, &install.row) && !in_transition(shard.id, &install.row)
        });
        if let Some(epoch) = rows.iter().map(|install| install.row.epoch).min() {
            homes.push((epoch, alloc::vec![(shard.id, rows)]));
        }
    }
    transitions.extend(homes);
    transitions.sort_by_key(|(epoch, _)| *epoch);
    transitions
        .into_iter()
        .flat_map(|(_, installs)| installs)
        .collect()
}

/// A guard that is ahead of the snapshot.
fn ahead(
    snapshot: &Snapshot,
    guards: &BTreeMap<(ShardId, DomainId), GuardRow>,
) -> Option<CoordinatorError> {
    for keyspace in &snapshot.content().keyspaces {
        let waves = keyspace.waves.iter().map(|wave| (wave.domain, wave.epoch));
        let homes = keyspace.homes.iter().map(|home| (home.domain, home.epoch));
        let entries = keyspace
            .directory
            .iter()
            .map(|entry| (entry.domain, entry.epoch));
        for (domain, epoch) in waves.chain(homes).chain(entries) {
            let found = guards
                .iter()
                .find(|((_, d), row)| *d == domain && row.epoch > epoch);
            if let Some((&(shard, domain), row)) = found {
                let guard = row.epoch;
                return Some(CoordinatorError::GuardAhead {
                    shard,
                    domain,
                    guard,
                    snapshot: epoch,
                });
            }
        }
    }
    None
}
