//! Shards that don't answer: what goes on without them, and what waits.
//!
//! A shard that is gone was perhaps never claimed, so an older coordinator may still command it.
//! That does no harm where nothing is built on what it has: the older one can't change the
//! snapshot, so all it can do there is finish installs of transitions that were won, close at an
//! epoch that is in force, and copy or purge at one; each of them the guard would admit from
//! anybody in office. What is built on it waits until it is claimed and has shown its guards. A
//! lease that the older one grants it is waited out.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::guard::InstallRow;
use crate::ids::{DomainId, ShardId};
use crate::migration::coordinator::office::Office;
use crate::migration::coordinator::run::Run;
use crate::migration::coordinator::{Coordinator, Facts, Task};
use crate::migration::moves::{Move, Stage};
use crate::phase::{Role, Side};
use crate::time::Instant;
use crate::wave::Wave;

impl Coordinator {
    /// `shard` has answered, or not. Whether it is gone only now.
    pub(super) fn heard_from(&mut self, shard: Option<ShardId>, answered: bool) -> Option<ShardId> {
        let shard = shard?;
        if answered {
            self.tending.silent.remove(&shard);
            return None;
        }
        let since = *self.tending.silent.entry(shard).or_insert(self.now);
        let gone = self.now.since(since) > self.settings.patience_ms;
        (gone && self.tending.gone.insert(shard)).then_some(shard)
    }

    /// What becomes of the work at hand when `shard` is gone.
    pub(super) fn go_on_without(&mut self, shard: ShardId) {
        let task = core::mem::replace(&mut self.task, Task::Idle);
        self.task = match task {
            // Its guards are looked at when it is back.
            Task::Office(Office::Lead) => Task::Office(Office::Lead),
            Task::Office(_) => self.claim_after(None),
            Task::Move(run) => return self.leave(*run, shard),
            other => other,
        };
    }

    fn leave(&mut self, mut run: Run, shard: ShardId) {
        if matches!(run.stage, Stage::InstallFirst | Stage::InstallOther) {
            return self.owe(run);
        }
        let waits_for_it = match self.context(run.domain) {
            Some(context) => context.wave.from == shard || context.wave.to == shard,
            None => true,
        };
        let before_swap = !matches!(
            run.stage,
            Stage::Pause | Stage::Swap | Stage::Open | Stage::Lapse
        );
        if !waits_for_it || !before_swap {
            self.task = Task::Move(Box::new(run));
            return;
        }
        self.facts = Facts::default();
        if !run.goal.is_barrier() {
            return;
        }
        let way_out = self.find_wave_of(&run).and_then(|wave| self.way_out(wave));
        // Without one its guards stay closed; whoever takes stock when the shard is back finds them.
        if let Some((goal, stage)) = way_out {
            run.goal = goal;
            self.enter(run, stage);
        }
    }

    fn find_wave_of(&self, run: &Run) -> Option<&Wave> {
        Some(self.find_wave(run.domain?)?.2)
    }

    /// How a wave whose guards are closed, or whose leased mirror is gone, goes on without the
    /// shard that is gone. `None`: it waits.
    pub(super) fn way_out(&self, wave: &Wave) -> Option<(Move, Stage)> {
        let authority = wave.phase.authority();
        if self.tending.is_blocked(wave.shard(authority)) {
            return None;
        }
        match wave.role(authority.other()) {
            Role::LeasedMirror => Some((Move::StepBack, Stage::CloseFrom)),
            // Nobody reads there: nothing needs to be drained.
            Role::Mirror => Some((Move::Abort, Stage::Swap)),
            Role::None | Role::Authority | Role::ReadableMirror => None,
        }
    }

    /// A wave whose leased mirror is gone.
    pub(super) fn abandoned(&self) -> Option<DomainId> {
        let content = self.snapshot.as_ref()?.content();
        let mut waves = content.keyspaces.iter().flat_map(|k| &k.waves);
        let waits = |wave: &&Wave| {
            let tending = &self.tending;
            wave.is_leased()
                && tending.is_absent(wave.shard(Side::To))
                && !tending.is_blocked(wave.shard(Side::From))
        };
        waves.find(waits).map(|wave| wave.domain)
    }

    /// Whether a move of `wave` may be begun.
    pub(super) fn may_move(&self, wave: &Wave) -> bool {
        !self.tending.is_blocked(wave.from) && !self.tending.is_blocked(wave.to)
    }

    /// An install that nobody answers.
    pub(super) fn owe(&mut self, mut run: Run) {
        let gone = |shard: &ShardId| self.tending.gone.contains(shard);
        if run.installs.iter().all(|(shard, _)| gone(shard)) {
            if run.goal == Move::Readmit {
                run.installs.clear();
                return self.enter(run, Stage::Shut);
            }
            // What comes last may come late: until then no move needs that shard.
            return self.finished(&run);
        }
        if self.outlived(&run) {
            // It answered reads at the epoch before, under a lease, and never any at this one.
            let first = run.installs.remove(0);
            run.installs.push(first);
            run.until = self.after_leases(self.settings.lease_ms.into());
            run.stage = Stage::Lapse;
            self.task = Task::Move(Box::new(run));
            return;
        }
        let waiting = run.installs.iter().map(|(shard, _)| *shard);
        self.tending.pending.extend(waiting);
        self.facts = Facts::default();
        self.task = Task::Idle;
    }

    /// Whether the shard that is to install first was a leased mirror before this move, so that
    /// time may stand for its answer.
    fn outlived(&self, run: &Run) -> bool {
        let first = run.installs.first().map(|(shard, _)| *shard);
        let mirror = self.find_wave_of(run).map(|wave| wave.to);
        let left = matches!(run.goal, Move::Ramp(_) | Move::Unread | Move::Abort);
        left && run.leased && first.is_some() && first == mirror
    }

    /// How long a lease of the wave at work lasts.
    pub(super) fn lease_of(&self, run: &Run) -> u64 {
        self.find_wave_of(run)
            .map_or(0, |wave| u64::from(wave.lease_ms))
    }

    /// The run that has waited for leases for long enough.
    pub(super) fn over_lapse(&self) -> Option<Run> {
        match &self.task {
            Task::Move(run) if run.stage == Stage::Lapse && run.until <= self.now => {
                Some(Run::clone(run))
            }
            _ => None,
        }
    }

    /// Nobody answers reads under an old lease any more.
    pub(super) fn lapsed(&mut self, run: Run) {
        let stage = if run.installs.is_empty() {
            Stage::Swap
        } else {
            Stage::InstallFirst
        };
        self.enter(run, stage);
    }

    /// When every lease is surely over: those granted so far, and one granted now.
    pub(super) fn after_leases(&self, lease_ms: u64) -> Instant {
        let now = self.now.after(lease_ms);
        now.max(self.tending.leases_end)
            .after(self.settings.margin_ms)
    }

    /// Of the installs of one transition those that can be made now: up to the first whose shard
    /// is gone. Who waits behind it is noted.
    pub(super) fn within_reach(
        &mut self,
        installs: Vec<(ShardId, Vec<InstallRow>)>,
    ) -> Vec<(ShardId, Vec<InstallRow>)> {
        let mut out = Vec::new();
        let mut behind = false;
        for (shard, rows) in installs {
            behind |= self.tending.gone.contains(&shard);
            if !behind {
                out.push((shard, rows));
            } else if !self.tending.gone.contains(&shard) {
                self.tending.pending.insert(shard);
            }
        }
        out
    }
}
