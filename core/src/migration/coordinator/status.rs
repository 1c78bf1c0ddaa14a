//! Where a migration stands, as data for whoever looks on.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use crate::ids::{DomainId, Epoch, KeyspaceId, ShardId, Term};
use crate::migration::checker::CheckFigures;
use crate::migration::checklist::Item;
use crate::migration::coordinator::choose::waves;
use crate::migration::coordinator::watch::Held;
use crate::migration::coordinator::{Coordinator, Ending, Task};
use crate::migration::gates::Verdict;
use crate::migration::log::Wish;
use crate::migration::moves::{Move, Point};
use crate::phase::Phase;
use crate::time::Instant;

/// Where a migration stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The coordinator's term.
    pub term: Term,
    /// The snapshot in force, as far as it knows.
    pub epoch: Option<Epoch>,
    /// Which way the migration goes.
    pub wish: Wish,
    /// Why it goes back or is paused, or why a wave has stepped back last.
    pub reason: String,
    /// What the coordinator does now.
    pub doing: Doing,
    /// The waves in the snapshot, by keyspace and age.
    pub waves: Vec<WaveStatus>,
    /// How many waves haven't begun.
    pub planned: u32,
    /// What holds the next move back, if something does.
    pub held: Option<Held>,
    /// Each gate's verdict about the wave at work, as things are now; empty without one.
    pub gates: Vec<Verdict>,
    /// Rows a second that may be copied now; `None` for no limit.
    pub rows_per_s: Option<u32>,
    /// Whether the hour is one of those allowed.
    pub open: bool,
    /// Milliseconds until it is, where that can be told.
    pub opens_in_ms: Option<u64>,
    /// What the checker has done.
    pub checks: CheckFigures,
    /// Mismatches that were confirmed, by verification and by checks.
    pub mismatches: u32,
    /// The items of the risk checklist that are open.
    pub open_items: Vec<Item>,
}

/// What a coordinator does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doing {
    /// It takes office.
    TakesOffice,
    /// It decides what comes next.
    Decides,
    /// It carries a move out.
    Moves {
        /// Where it stands.
        point: Point,
        /// The move, with the number of a ramp.
        goal: Move,
        /// The wave, if it is about one.
        wave: Option<DomainId>,
    },
    /// It waits, for a soak or because it is held.
    Waits {
        /// Until it looks again.
        until: Instant,
    },
    /// It has nothing to do but to renew its lead, and what is requested.
    Rests,
    /// Its work is over.
    Over(Ending),
}

/// Where a wave stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WaveStatus {
    /// Its keyspace.
    pub keyspace: KeyspaceId,
    /// Its domain.
    pub domain: DomainId,
    /// The shard that the keys leave.
    pub from: ShardId,
    /// The shard that they go to.
    pub to: ShardId,
    /// Its phase.
    pub phase: Phase,
    /// Whether writes are paused, since reads are about to move and a shard can't hold them back.
    pub switching: bool,
    /// How many keys of a million are read from `to`.
    pub ramp_ppm: u32,
    /// How many slots it has.
    pub slots: u32,
}

impl Coordinator {
    /// Where the migration stands.
    pub fn status(&self) -> Status {
        let content = self.snapshot.as_ref().map(|snapshot| snapshot.content());
        let keyspaces = content.map_or(&[][..], |content| content.keyspaces.as_slice());
        let of_wave = |keyspace: KeyspaceId, wave: &crate::wave::Wave| WaveStatus {
            keyspace,
            domain: wave.domain,
            from: wave.from,
            to: wave.to,
            phase: wave.phase,
            switching: wave.switching,
            ramp_ppm: wave.ramp_ppm,
            slots: wave.slot_count(),
        };
        let at_work = self.snapshot.as_ref().and_then(|snapshot| {
            let mut all = waves(snapshot);
            let first = all.next()?;
            let busy = |wave: &&crate::wave::Wave| wave.phase != Phase::Reversed;
            Some(
                core::iter::once(first)
                    .chain(all)
                    .find(busy)
                    .unwrap_or(first),
            )
        });
        let clock = self.watch.clock.as_ref();
        Status {
            term: self.term,
            epoch: self.snapshot.as_ref().map(|snapshot| snapshot.epoch()),
            wish: self.log.wish,
            reason: self.log.reason.clone(),
            doing: match &self.task {
                Task::Office(_) => Doing::TakesOffice,
                Task::Idle => Doing::Decides,
                Task::Move(run) => Doing::Moves {
                    point: run.point(),
                    goal: run.goal,
                    wave: run.domain,
                },
                Task::Soak { until } => Doing::Waits { until: *until },
                Task::Rest => Doing::Rests,
                Task::Over(ending) => Doing::Over(ending.clone()),
            },
            waves: keyspaces
                .iter()
                .flat_map(|keyspace| keyspace.waves.iter().map(|w| of_wave(keyspace.id, w)))
                .collect(),
            planned: count(self.log.planned.len()),
            held: self.watch.held.clone(),
            gates: at_work.map_or_else(Vec::new, |wave| self.verdicts(wave)),
            rows_per_s: self.rate(),
            open: self.is_open(),
            opens_in_ms: self.settings.calendar.opens_in_ms(clock, self.now),
            checks: self.watch.checker.figures(),
            mismatches: count(self.mismatches.len()),
            open_items: self.log.checklist.open(&self.settings),
        }
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
