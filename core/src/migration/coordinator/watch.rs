//! What a coordinator is told of the world beside answers, and what it has decided by that: health,
//! the clock on the wall, the pace of copying, the checker, what holds it back.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use crate::ids::DomainId;
use crate::migration::calendar::WallClock;
use crate::migration::checker::{CheckFigures, Checker};
use crate::migration::command::Answer;
use crate::migration::coordinator::run::Run;
use crate::migration::coordinator::{Coordinator, Ending, Task};
use crate::migration::gates::{Health, OwnFacts, Verdict};
use crate::migration::log::Wish;
use crate::migration::moves::{Move, Stage};
use crate::migration::throttle::Pace;
use crate::time::Instant;

/// How many decisions are remembered.
const DECISIONS_MAX: usize = 256;

/// Something that a coordinator has decided by its gates, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Decision {
    /// Counts from 1, so that a reader knows what it has seen.
    pub number: u64,
    /// When.
    pub at: Instant,
    /// What.
    pub what: Decided,
    /// The wave, if it is about one.
    pub wave: Option<DomainId>,
    /// Why, in words.
    pub why: String,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decided {
    /// The next move has to wait.
    Held,
    /// It has to wait no longer.
    Passed,
    /// The wave takes one step back.
    SteppedBack,
    /// The migration goes back to where it began.
    RolledBack,
    /// The migration pauses.
    Paused,
}

/// What holds the next move back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Held {
    /// The move; `None` while a soak lasts.
    pub goal: Option<Move>,
    /// The wave.
    pub wave: Option<DomainId>,
    /// Since when.
    pub since: Instant,
    /// The gates that don't let it pass.
    pub verdicts: Vec<Verdict>,
}

/// The part of a coordinator that looks around.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Watch {
    pub(super) health: Option<(Instant, Health)>,
    /// What whoever carries the commands out has seen of the stores.
    pub(super) seen: Option<(Instant, Health)>,
    pub(super) clock: Option<WallClock>,
    pub(super) pace: Pace,
    pub(super) checker: Checker,
    pub(super) held: Option<Held>,
    /// A step back that was decided and isn't done yet.
    pub(super) retreat: Option<(DomainId, Move)>,
    /// The wave that has stepped back, and how often.
    pub(super) retreats: Option<(DomainId, u32)>,
    pub(super) own: OwnFacts,
    pub(super) decisions: VecDeque<Decision>,
    decided: u64,
}

impl Coordinator {
    /// How the application and its stores are. The throttle follows at once, gates when they are
    /// asked next.
    pub fn handle_health(&mut self, now: Instant, health: Health) {
        self.now = self.now.max(now);
        self.watch.health = Some((self.now, health));
        self.follow();
    }

    /// What whoever carries the commands out sees of the stores: of a
    /// [`StoreWatch`](crate::migration::StoreWatch), say. It counts where
    /// [`handle_health`](Self::handle_health) says nothing, and a store that is sick by either is.
    pub fn handle_seen(&mut self, now: Instant, seen: Health) {
        self.now = self.now.max(now);
        self.watch.seen = Some((self.now, seen));
        self.follow();
    }

    /// The throttle goes by the health of now, and what waits is looked at again.
    fn follow(&mut self) {
        let settings = &self.settings;
        if let Some(health) = self.health()
            && let (Some(p99), Some(limit)) = (health.p99_us, settings.gates.p99_limit(&health))
        {
            let baseline = health.baseline_p99_us.map(u64::from);
            let pace = &mut self.watch.pace;
            pace.handle_p99(self.now, &settings.throttle, p99.into(), limit, baseline);
        }
        self.wake();
    }

    /// Whether the stores are to be looked after.
    pub(in crate::migration) fn watches_stores(&self) -> bool {
        self.settings.gates.watch_stores
    }

    /// How its work ended; `None` while it lasts.
    pub fn ended(&self) -> Option<&Ending> {
        match &self.task {
            Task::Over(ending) => Some(ending),
            Task::Office(_) | Task::Idle | Task::Move(_) | Task::Soak { .. } | Task::Rest => None,
        }
    }

    /// What the clock on the wall shows: milliseconds since 1970-01-01 UTC, and how many minutes
    /// local time is ahead of UTC. Without it, a calendar that names hours or days is closed.
    pub fn handle_wall_clock(&mut self, now: Instant, unix_ms: i64, utc_offset_min: i16) {
        self.now = self.now.max(now);
        let was_open = self.is_open();
        self.watch.clock = Some(WallClock {
            at: self.now,
            unix_ms,
            utc_offset_min,
        });
        if self.is_open() != was_open {
            self.wake();
        }
    }

    /// Agrees to the point of no return, where the settings ask for that. It is written down.
    pub fn agree_to_finish(&mut self) {
        if !self.log.finish_agreed {
            self.log.finish_agreed = true;
            self.undecided = true;
            self.wake();
        }
    }

    /// What the gates have made the coordinator decide, the oldest first; the last 256 of them.
    pub fn decisions(&self) -> impl ExactSizeIterator<Item = &Decision> {
        self.watch.decisions.iter()
    }

    /// What the checker has done.
    pub fn checks(&self) -> CheckFigures {
        self.watch.checker.figures()
    }

    /// The move that is being carried out, with the number of a ramp.
    pub fn goal(&self) -> Option<Move> {
        match &self.task {
            Task::Move(run) => Some(run.goal),
            Task::Office(_) | Task::Idle | Task::Soak { .. } | Task::Rest | Task::Over(_) => None,
        }
    }

    pub(super) fn decide(&mut self, what: Decided, wave: Option<DomainId>, why: String) {
        self.watch.decided += 1;
        let number = self.watch.decided;
        let at = self.now;
        if self.watch.decisions.len() >= DECISIONS_MAX {
            self.watch.decisions.pop_front();
        }
        self.watch.decisions.push_back(Decision {
            number,
            at,
            what,
            wave,
            why,
        });
    }

    /// The newest health that isn't too old: what was handed in, with what was seen.
    pub(super) fn health(&self) -> Option<Health> {
        let fresh = |known: &Option<(Instant, Health)>| {
            let (at, health) = known.as_ref()?;
            let old = self.now.since(*at) > self.settings.gates.health_ms_max;
            (!old).then(|| health.clone())
        };
        match (fresh(&self.watch.health), fresh(&self.watch.seen)) {
            (Some(given), Some(seen)) => Some(given.with(&seen)),
            (given, seen) => given.or(seen),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        let clock = self.watch.clock.as_ref();
        self.settings.calendar.is_open(clock, self.now)
    }

    /// Rows a second now; `None` for no limit.
    pub(super) fn rate(&self) -> Option<u32> {
        let clock = self.watch.clock.as_ref();
        let cap = self.settings.calendar.rows_per_s_max(clock, self.now);
        self.watch.pace.rate(&self.settings.throttle, cap)
    }

    /// Until when the run's next command has to wait for the throttle. A drain never does: writers
    /// wait for it.
    pub(super) fn paced(&self, run: &Run) -> Option<Instant> {
        let bulk = matches!(run.stage, Stage::Read | Stage::Purge | Stage::Collect);
        let ready = self.watch.pace.ready_at();
        (bulk && !run.goal.is_barrier() && ready > self.now).then_some(ready)
    }

    /// Whether copying waits for the throttle: no command of it is out.
    pub(super) fn waits_to_copy(&self) -> bool {
        match &self.task {
            Task::Move(run) => run.goal == Move::Copy && self.paced(run).is_some(),
            Task::Office(_) | Task::Idle | Task::Soak { .. } | Task::Rest | Task::Over(_) => false,
        }
    }

    /// Counts the rows that an answer has moved or removed.
    pub(super) fn spend(&mut self, run: &Run, answer: &Answer) {
        let rows = match (run.stage, answer) {
            (Stage::Apply, Answer::Done) => run.chunk.1,
            (Stage::Purge | Stage::Collect, Answer::Removed { rows, .. }) => *rows,
            _ => return,
        };
        let (now, rate) = (self.now, self.rate());
        self.watch.pace.spend(now, rate, rows);
    }

    /// Whether copying stops between two chunks: somebody has made a wish, or the hours are over.
    /// A wish is older than its move, and hours of copying mustn't keep it waiting.
    pub(super) fn interrupts_copying(&self) -> bool {
        self.undecided || (self.log.wish == Wish::Forward && !self.is_open())
    }
}
