//! Taking office: raise the term, claim every shard, read snapshot and guards, finish what was
//! begun. (The take-over of `docs/PROTOCOL.md`, T1 to T7.)

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::guard::{GuardRow, InstallRow};
use crate::ids::{DomainId, ShardId};
use crate::migration::command::{Answer, Command};
use crate::migration::coordinator::{Coordinator, CoordinatorError, Task};
use crate::migration::install::{home_installs, wave_installs};
use crate::migration::moves::{Move, Point, Stage};
use crate::migration::request::{Mark, remember};
use crate::migration::settings::Settings;
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
    /// Shut the shard at this place, which isn't who it was.
    Shut { at: u16 },
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
            Office::Lead => {
                let (term, nonce) = (self.term, self.nonce);
                (at(Stage::Lead), None, Command::Lead { term, nonce })
            }
            Office::Shut { at: index } => {
                let command = Command::Shut {
                    shard: shard(index)?,
                    term: self.term,
                    shut: true,
                };
                (Point::new(Move::Quarantine, Stage::Shut), None, command)
            }
            Office::Claim { at: index } => (at(Stage::Claim), None, self.claim(shard(index)?)),
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
        self.task = match (office, answer) {
            (
                Office::Lead,
                Answer::Loaded {
                    snapshot,
                    log,
                    marks,
                },
            ) => {
                self.inherit(&snapshot, marks);
                self.await_clients(&snapshot);
                self.snapshot = Some(snapshot);
                // What was said here and isn't written down yet outlives a second reading.
                let said = core::mem::replace(&mut self.log, log);
                if let Some(settings) = &self.log.settings
                    && **settings != *self.settings
                {
                    self.settings = Arc::new(Settings::clone(settings));
                }
                self.busy |= self.log != crate::migration::log::Log::default();
                if self.wished {
                    (self.log.wish, self.log.reason) = (said.wish, said.reason);
                    self.log.back = said.back.or(self.log.back.take());
                }
                self.log.finish_agreed |= self.undecided && said.finish_agreed;
                if core::mem::take(&mut self.tending.resumes) {
                    self.resume();
                }
                self.facts = super::Facts::default();
                self.closed.clear();
                self.claim_after(None)
            }
            (Office::Claim { at }, Answer::Claimed(mark)) => {
                if self.knows(&mark) {
                    if mark.shut {
                        self.tending.shut.insert(mark.shard);
                    } else {
                        self.tending.shut.remove(&mark.shard);
                        self.remember(mark);
                    }
                    self.claim_after(Some(at))
                } else {
                    Task::Office(Office::Shut { at })
                }
            }
            // A store that says nothing of itself is taken at its word.
            (Office::Claim { at }, Answer::Done) => self.claim_after(Some(at)),
            (Office::Shut { at }, Answer::Done) => {
                if let Some(shard) = self.shard_at(at) {
                    self.tending.shut.insert(shard);
                }
                self.claim_after(Some(at))
            }
            (Office::Guards { at, mut rows }, Answer::Guards(found)) => {
                let shard = self.shard_at(at);
                rows.extend(
                    found
                        .into_iter()
                        .filter_map(|row| Some(((shard?, row.domain), row))),
                );
                match self.reachable_after(Some(at)) {
                    None => self.take_stock(&rows),
                    Some(at) => Task::Office(Office::Guards { at, rows }),
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
                    Office::Shut { .. } => Stage::Shut,
                    Office::Finish { .. } => Stage::InstallFirst,
                };
                let point = Point::new(Move::TakeOver, point);
                return self.recover(CoordinatorError::Senseless { point });
            }
        };
    }

    /// What a coordinator must know that takes this snapshot over.
    fn inherit(&mut self, snapshot: &Snapshot, marks: Vec<Mark>) {
        let waves = snapshot.content().keyspaces.iter().flat_map(|k| &k.waves);
        let lease = waves.map(|wave| wave.lease_ms).max().unwrap_or(0);
        self.recorded(&marks);
        let tending = &mut self.tending;
        if self.snapshot.is_none() {
            // The one before may have led for a lease yet, and granted one at its end.
            let end = self.now.after(2 * u64::from(lease));
            tending.leases_end = tending.leases_end.max(end);
        }
        // What this one has read itself and not yet written down is newer.
        tending.marks = marks;
        for mark in tending.fresh.clone() {
            remember(&mut tending.marks, mark);
        }
        tending.renewed = self.sent.max(tending.renewed);
        tending.reread = false;
        tending.pending.clear();
    }

    fn shard_at(&self, at: u16) -> Option<ShardId> {
        let shards = &self.snapshot.as_ref()?.content().shards;
        shards.get(usize::from(at)).map(|shard| shard.id)
    }

    /// The place of the next shard that isn't gone.
    fn reachable_after(&self, last: Option<u16>) -> Option<u16> {
        let first = last.map_or(0, |last| last.saturating_add(1));
        let mut places = (first..).map_while(|at| Some((at, self.shard_at(at)?)));
        places
            .find(|(_, shard)| !self.tending.gone.contains(shard))
            .map(|(at, _)| at)
    }

    /// Claims the next shard; after the last, the guards are read.
    pub(super) fn claim_after(&mut self, last: Option<u16>) -> Task {
        if let Some(at) = self.reachable_after(last) {
            return Task::Office(Office::Claim { at });
        }
        let rows = BTreeMap::new();
        match self.reachable_after(None) {
            Some(at) => Task::Office(Office::Guards { at, rows }),
            // Nobody answers: what is closed is found when somebody does.
            None => Task::Idle,
        }
    }

    /// Compares snapshot and guards: what is below the snapshot's epoch is to be finished, what is
    /// closed at it is a barrier to run again.
    fn take_stock(&mut self, rows: &BTreeMap<(ShardId, DomainId), GuardRow>) -> Task {
        let Some(snapshot) = self.snapshot.clone() else {
            return Task::Office(Office::Lead);
        };
        if let Some(error) = ahead(&snapshot, rows) {
            // A successor may have gone on between the reading of the snapshot and that of the
            // guards: who asks again is told that it leads no more.
            self.recover(error);
            return core::mem::replace(&mut self.task, Task::Idle);
        }
        self.closed = snapshot
            .content()
            .keyspaces
            .iter()
            .flat_map(|keyspace| &keyspace.waves)
            .filter(|wave| wave.phase.is_carved())
            .filter(|wave| {
                [wave.from, wave.to].into_iter().any(|shard| {
                    rows.get(&(shard, wave.domain))
                        .is_some_and(|row| row.closed && row.epoch == wave.epoch)
                })
            })
            .map(|wave| wave.domain)
            .collect();
        let mut queue = Vec::new();
        for installs in unfinished(&snapshot, rows) {
            queue.extend(self.within_reach(installs));
        }
        self.list_grants();
        self.tell_marks();
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
) -> Vec<Vec<(ShardId, Vec<InstallRow>)>> {
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
        .map(|(_, installs)| installs)
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
