//! Between moves: which one is next.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::ids::DomainId;
use crate::migration::checklist::ChecklistRule;
use crate::migration::coordinator::advance::is_over;
use crate::migration::coordinator::run::Run;
use crate::migration::coordinator::{Coordinator, CoordinatorError, Ending, Task};
use crate::migration::log::{Log, Wish};
use crate::migration::moves::{Move, Stage};
use crate::migration::plan::check_log;
use crate::migration::settings::Settings;
use crate::phase::{Phase, Side};
use crate::snapshot::{Shard, Snapshot};
use crate::time::Instant;
use crate::wave::Wave;

/// What comes next.
pub(super) enum Next {
    Run(Move, Option<DomainId>),
    /// For so long since the phase began.
    Soak(u64),
    Until(Instant),
    /// Whatever is left needs a shard that is gone.
    Blocked,
    Over(Ending),
    /// Something was decided: choose anew.
    Again,
}

impl Coordinator {
    /// Leaves [`Task::Idle`] for the next move, a soak, or the end.
    pub(super) fn choose(&mut self) {
        let Some(snapshot) = self.snapshot.clone() else {
            self.task = Task::Office(super::Office::Lead);
            return;
        };
        if self.tending.reread {
            self.task = Task::Office(super::Office::Lead);
            return;
        }
        if let Some(domain) = self.closed.pop() {
            return self.run_again(domain);
        }
        if self.go_on_switching() {
            return;
        }
        if let Some(domain) = self.abandoned() {
            return self.start(Move::StepBack, Stage::CloseFrom, Some(domain));
        }
        let shut = &self.tending.shut;
        self.tending.readmit = self.tending.readmit.filter(|shard| shut.contains(shard));
        if self.tending.readmit.is_some() {
            return self.start(Move::Readmit, Stage::Swap, None);
        }
        if let Some(wanted) = self.wanted.take()
            && self.log == Log::default()
            && waves(&snapshot).next().is_none()
        {
            if let Err(error) = Self::check_wanted(&snapshot, &wanted) {
                return self.refuse(error);
            }
            // Every successor goes by what this one begins with.
            if let Some(settings) = &wanted.settings {
                self.settings = Arc::new(Settings::clone(settings));
            }
            let open = wanted.checklist.open(&self.settings);
            if self.settings.checklist == ChecklistRule::Strict && !open.is_empty() {
                return self.refuse(CoordinatorError::Unconfirmed { items: open });
            }
            self.log = wanted;
            self.log.settings = Some(Box::new(Settings::clone(&self.settings)));
            self.busy = true;
            let before = Some(snapshot.content().shards.clone());
            self.log.before = self.log.before.take().or(before);
            return self.start(Move::Enlist, Stage::Log, None);
        }
        if self.undecided {
            return self.start(Move::Decide, Stage::Log, None);
        }
        let next = match self.log.wish {
            Wish::Forward => {
                let next = self.next_forward(&snapshot);
                self.watched(&snapshot, next)
            }
            Wish::Back => self.next_back(&snapshot),
            Wish::Pause => self.next_paused(&snapshot),
        };
        match next {
            Next::Over(ending) => self.over(ending),
            Next::Blocked => {
                let shut = self.tending.shut.first().copied();
                if let Some(shard) = shut.filter(|_| self.tending.gone.is_empty()) {
                    return self.over(Ending::Stuck(CoordinatorError::Restored { shard }));
                }
                let until = self.now.after(self.settings.patience_ms.max(1));
                self.task = Task::Soak { until };
            }
            Next::Soak(ms) => {
                self.facts.since.get_or_insert(self.now);
                let until = self.soak_until(&snapshot, ms);
                self.task = Task::Soak { until };
            }
            Next::Until(until) => self.task = Task::Soak { until },
            Next::Again => {}
            Next::Run(goal, domain) => {
                let stage = match goal {
                    Move::Delist if self.shards_at_end(&snapshot) == snapshot.content().shards => {
                        Stage::Log
                    }
                    Move::Verify if self.facts.verifier.is_some() => Stage::LookTo,
                    Move::Check => self.check_stage(&snapshot),
                    Move::Enlist | Move::Grow | Move::Delist => Stage::Swap,
                    // A pause comes first where it is needed.
                    Move::Abort => Stage::CloseFrom,
                    _ => goal.stages().first().copied().unwrap_or(Stage::Swap),
                };
                self.start(goal, stage, domain);
            }
        }
    }

    fn check_wanted(snapshot: &Snapshot, wanted: &Log) -> Result<(), CoordinatorError> {
        let other = wanted.digest.is_some_and(|plan| plan != snapshot.digest());
        if wanted.base != snapshot.epoch() || other {
            return Err(CoordinatorError::OutdatedPlan {
                plan: wanted.base,
                snapshot: snapshot.epoch(),
            });
        }
        check_log(snapshot, wanted).map_err(|error| CoordinatorError::BadPlan {
            message: error.to_string(),
        })
    }

    pub(super) fn start(&mut self, goal: Move, stage: Stage, domain: Option<DomainId>) {
        // What it waits for clients before its first step doesn't count against a barrier.
        let began = self.now.max(self.tending.clients_end);
        let mut run = Run::new(goal, stage, domain, began);
        if let (Some(domain), Some(context)) = (domain, self.context(domain)) {
            run.leased = context.wave.is_leased();
            let since = context.wave.authority_epoch;
            run.cursor = self.log.cursor(domain, since);
        }
        self.enter(run, stage);
    }

    /// A wave whose guards are closed at the snapshot's own epoch: its barrier again, from its
    /// first step, toward the logged intent where that still fits; else as an abort.
    pub(super) fn run_again(&mut self, domain: DomainId) {
        let Some((_, _, wave)) = self.find_wave(domain) else {
            return;
        };
        if !self.may_move(wave) {
            if let Some((goal, stage)) = self.way_out(wave) {
                self.start(goal, stage, Some(domain));
            }
            return;
        }
        let intent = self
            .log
            .intent
            .filter(|intent| intent.domain == domain)
            .map(|i| i.goal);
        let forward = |goal: Move| matches!(goal, Move::Ramp(_) | Move::Offline | Move::Switch);
        let goal = intent.filter(|&goal| {
            self.find_wave(domain)
                .is_some_and(|(_, _, wave)| Self::barrier_fits(wave, goal))
                && (self.log.wish == Wish::Forward || !forward(goal))
        });
        self.start(goal.unwrap_or(Move::Abort), Stage::CloseFrom, Some(domain));
    }

    fn next_forward(&self, snapshot: &Snapshot) -> Next {
        if self.log.enlist.is_some() {
            return Next::Run(Move::Enlist, None);
        }
        if !self.log.grow.is_empty() {
            return Next::Run(Move::Grow, None);
        }
        let mut free = self.free(snapshot);
        if let Some(over) = free.clone().find(|wave| is_over(wave.phase)) {
            return self.clean_up(over);
        }
        if let Some(wave) = free.clone().find(|wave| wave.phase != Phase::Reversed) {
            return self.next_of(wave);
        }
        let first = waves(snapshot).next();
        let may_begin = first.is_none() || !self.settings.finish_each;
        if may_begin && self.next_planned().is_some() {
            return Next::Run(Move::Begin, None);
        }
        let unfinished = |wave: &Wave| wave.phase != Phase::Reversed;
        let stuck = may_begin && !self.log.planned.is_empty();
        if stuck || waves(snapshot).any(unfinished) {
            return Next::Blocked;
        }
        let Some(first) = free.next() else {
            return match first {
                Some(_) => Next::Blocked,
                None => self.end(snapshot),
            };
        };
        match self.soaking(self.settings.reversed_ms) {
            Some(soak) if !self.log.finishing => soak,
            Some(_) | None => Next::Run(Move::Finish, Some(first.domain)),
        }
    }

    fn next_of(&self, wave: &Wave) -> Next {
        let domain = Some(wave.domain);
        let settings = &self.settings;
        match wave.phase {
            Phase::Prepare => Next::Run(Move::Mirror, domain),
            Phase::DoubleWrite if settings.offline => Next::Run(Move::Offline, domain),
            Phase::DoubleWrite | Phase::ShadowRead | Phase::ReadNew => {
                let soak_ms = match wave.phase {
                    Phase::ShadowRead => settings.shadow_ms,
                    Phase::ReadNew => settings.ramp_ms,
                    _ => 0,
                };
                // Soak first, then catch up: a barrier wants a short way to the end.
                if let Some(soak) = self.soaking(soak_ms) {
                    return soak;
                }
                if !self.facts.caught_up {
                    return Next::Run(Move::Copy, domain);
                }
                if settings.strict && !wave.strict {
                    // It has stepped back without `to`, which is there again.
                    return Next::Run(Move::Abort, domain);
                }
                if wave.phase == Phase::DoubleWrite && settings.shadow_ppm > 0 {
                    return Next::Run(Move::Shadow, domain);
                }
                let compares = settings.verify && wave.phase != Phase::ReadNew;
                if compares && !self.facts.verified {
                    return Next::Run(Move::Verify, domain);
                }
                match settings.ramp_after(wave.ramp_ppm) {
                    Some(ppm) => Next::Run(Move::Ramp(ppm), domain),
                    None => Next::Run(Move::Switch, domain),
                }
            }
            Phase::Reversed => Next::Soak(settings.reversed_ms),
            Phase::Ended(Side::From | Side::To) => self.clean_up(wave),
        }
    }

    fn next_back(&self, snapshot: &Snapshot) -> Next {
        if let Some(over) = self.free(snapshot).find(|wave| is_over(wave.phase)) {
            return self.clean_up(over);
        }
        // The last one first, as a stack is taken down.
        let Some(wave) = self.free(snapshot).last() else {
            return match waves(snapshot).next() {
                Some(_) => Next::Blocked,
                None => self.end(snapshot),
            };
        };
        let domain = Some(wave.domain);
        match wave.phase {
            Phase::Prepare | Phase::DoubleWrite | Phase::ShadowRead => {
                Next::Run(Move::Cancel, domain)
            }
            Phase::ReadNew | Phase::Reversed if !self.facts.caught_up => {
                Next::Run(Move::Copy, domain)
            }
            Phase::ReadNew => Next::Run(Move::Unread, domain),
            Phase::Reversed => Next::Run(Move::SwitchBack, domain),
            Phase::Ended(_) => self.clean_up(wave),
        }
    }

    /// A paused migration stays where it is. Reads of a leased mirror need somebody who renews its
    /// lease, so a coordinator that doesn't stay takes them back to `from` first.
    fn next_paused(&self, snapshot: &Snapshot) -> Next {
        let leased = |wave: &&Wave| wave.is_leased() && self.may_move(wave);
        let kept = self.tending.forever;
        let wave = waves(snapshot).find(leased).filter(|_| !kept);
        match wave {
            Some(wave) if !self.facts.caught_up => Next::Run(Move::Copy, Some(wave.domain)),
            Some(wave) => Next::Run(Move::Unread, Some(wave.domain)),
            None => Next::Over(Ending::Paused {
                reason: self.log.reason.clone(),
            }),
        }
    }

    /// What was wanted can't be begun. Who stays says so and goes on: it has been seen to, and must
    /// not be found on the desk again by every successor.
    fn refuse(&mut self, error: CoordinatorError) {
        self.busy = true;
        self.over(Ending::Stuck(error));
    }

    /// The work is over; who stays rests.
    pub(super) fn over(&mut self, ending: Ending) {
        if !self.tending.forever {
            self.task = Task::Over(ending);
            return;
        }
        self.task = Task::Rest;
        if core::mem::take(&mut self.busy) {
            self.ended = Some(ending);
        }
    }

    /// The waves that need nobody who is gone.
    fn free<'s>(
        &self,
        snapshot: &'s Snapshot,
    ) -> impl DoubleEndedIterator<Item = &'s Wave> + Clone {
        waves(snapshot).filter(|wave| self.may_move(wave))
    }

    /// The place of the first planned wave that needs nobody who is gone.
    pub(super) fn next_planned(&self) -> Option<usize> {
        let blocked = |shard| self.tending.is_blocked(shard);
        let planned = &self.log.planned;
        planned
            .iter()
            .position(|wave| !blocked(wave.from) && !blocked(wave.to))
    }

    fn clean_up(&self, wave: &Wave) -> Next {
        let domain = Some(wave.domain);
        if self.cleaned == domain {
            Next::Run(Move::Retire, domain)
        } else {
            Next::Run(Move::Clean, domain)
        }
    }

    fn end(&self, snapshot: &Snapshot) -> Next {
        let settled = self.shards_at_end(snapshot) == snapshot.content().shards;
        // Whatever is left in the log, a wish that came when nothing was under way too, would keep the
        // next migration from its beginning.
        if self.log != Log::default() || !settled {
            return Next::Run(Move::Delist, None);
        }
        Next::Over(self.ending())
    }

    pub(super) fn ending(&self) -> Ending {
        match self.log.wish {
            Wish::Forward | Wish::Pause => Ending::Complete,
            Wish::Back => Ending::RolledBack {
                reason: self.log.reason.clone(),
            },
        }
    }

    /// The shards that stay on the list when all waves are over.
    pub(super) fn shards_at_end(&self, snapshot: &Snapshot) -> Vec<Shard> {
        match (self.log.wish, &self.log.before) {
            (Wish::Back, Some(before)) if !self.log.kept => before.clone(),
            (Wish::Back, _) => snapshot.content().shards.clone(),
            (Wish::Forward | Wish::Pause, _) => {
                let stays = |shard: &&Shard| !self.log.delist.contains(&shard.id);
                snapshot
                    .content()
                    .shards
                    .iter()
                    .filter(stays)
                    .cloned()
                    .collect()
            }
        }
    }

    fn soaking(&self, ms: u64) -> Option<Next> {
        let since = self.facts.since.unwrap_or(self.now);
        (self.now.since(since) < ms).then_some(Next::Soak(ms))
    }
}

/// All waves, by keyspace and age.
pub(super) fn waves(snapshot: &Snapshot) -> impl DoubleEndedIterator<Item = &Wave> + Clone {
    snapshot
        .content()
        .keyspaces
        .iter()
        .flat_map(|keyspace| &keyspace.waves)
}
