//! What a move publishes: the next snapshot, the log that goes with it, and what is installed then.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::guard::InstallRow;
use crate::ids::{DomainId, KeyspaceId, Revision, ShardId};
use crate::migration::coordinator::Coordinator;
use crate::migration::coordinator::run::Run;
use crate::migration::install::{home_installs, wave_installs};
use crate::migration::log::Log;
use crate::migration::moves::{Move, Stage};
use crate::migration::transition;
use crate::snapshot::{Draft, Snapshot, TopologyError};

impl Coordinator {
    /// The next snapshot, and the log that goes with it.
    pub(super) fn make_next(&self, run: &mut Run) -> Result<(), TopologyError> {
        let Some(now) = self.snapshot.as_ref() else {
            return Err(TopologyError::Empty("snapshot"));
        };
        let mut log = self.log.clone();
        let draft = self.next_draft(now, run, &mut log)?;
        run.next = Some((Arc::new(Snapshot::build(draft)?), log));
        Ok(())
    }

    fn next_draft(&self, now: &Snapshot, run: &Run, log: &mut Log) -> Result<Draft, TopologyError> {
        if matches!(run.stage, Stage::Pause | Stage::Open) {
            return self.switching_draft(now, run, log);
        }
        match run.goal {
            Move::Enlist => {
                let shards = log
                    .enlist
                    .take()
                    .unwrap_or_else(|| now.content().shards.clone());
                return transition::enlist(now, &shards);
            }
            Move::Delist => {
                let shards = self.shards_at_end(now);
                *log = Log::default();
                return transition::enlist(now, &shards);
            }
            Move::Grow => {
                let wished = core::mem::take(&mut log.grow);
                return transition::grow(now, &wished);
            }
            Move::Begin => {
                if log.planned.is_empty() {
                    return Err(TopologyError::Empty("planned wave"));
                }
                let at = self.next_planned().unwrap_or(0);
                let planned = log.planned.remove(at);
                return transition::begin(
                    now,
                    &planned,
                    self.settings.strict,
                    self.settings.lease_ms,
                );
            }
            Move::Readmit => return self.readmission(now, log),
            _ => {}
        }
        let (keyspace, domain) = self.place_of(run)?;
        let draft =
            transition::advance(now, keyspace, domain, run.goal, &self.settings, run.drained)?;
        match run.goal {
            Move::Switch | Move::SwitchBack | Move::Offline => {
                log.set_cursor(domain, draft.epoch, run.reverse);
            }
            Move::Mirror => log.set_cursor(domain, draft.epoch, Revision(0)),
            Move::Retire => log.forget(domain),
            Move::Finish => {
                // With more waves to come, each has a rollback window of its own.
                log.finishing = !self.settings.finish_each || log.planned.is_empty();
                log.kept = true;
            }
            _ => {}
        }
        if run.goal.is_barrier() {
            log.intent = None;
        }
        Ok(draft)
    }

    pub(super) fn place_of(&self, run: &Run) -> Result<(KeyspaceId, DomainId), TopologyError> {
        let context = self
            .context(run.domain)
            .ok_or(TopologyError::Empty("wave"))?;
        Ok((context.keyspace, context.wave.domain))
    }
}

/// What the move that led to `snapshot` must install.
pub(super) fn installs_after(snapshot: &Snapshot, run: &Run) -> Vec<(ShardId, Vec<InstallRow>)> {
    match run.goal {
        Move::Enlist | Move::Grow => {
            let fresh = |row: &InstallRow| row.row.epoch == snapshot.epoch();
            snapshot
                .content()
                .shards
                .iter()
                .map(|shard| {
                    let rows = home_installs(snapshot, shard.id);
                    (shard.id, rows.into_iter().filter(fresh).collect::<Vec<_>>())
                })
                .filter(|(_, rows)| !rows.is_empty())
                .collect()
        }
        Move::Shadow | Move::Retire | Move::Delist => Vec::new(),
        _ => {
            let wave = snapshot.content().keyspaces.iter().find_map(|keyspace| {
                // A wave that has just begun is the newest.
                let wave = match run.domain {
                    Some(domain) => keyspace.wave(domain)?,
                    None => keyspace
                        .waves
                        .iter()
                        .find(|w| w.epoch == snapshot.epoch())?,
                };
                Some((keyspace, wave))
            });
            wave.map(|(keyspace, wave)| wave_installs(snapshot, keyspace, wave))
                .unwrap_or_default()
        }
    }
}
