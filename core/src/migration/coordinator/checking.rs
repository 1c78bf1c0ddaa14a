//! The checker's rounds, as moves between moves.

use alloc::format;
use alloc::string::String;

use crate::migration::checker::CheckStep;
use crate::migration::command::{Answer, Command};
use crate::migration::coordinator::choose::{Next, waves};
use crate::migration::coordinator::run::Run;
use crate::migration::coordinator::{Coordinator, CoordinatorError, Task};
use crate::migration::moves::{Move, Stage};
use crate::phase::Phase;
use crate::snapshot::Snapshot;
use crate::wave::Wave;

impl Coordinator {
    /// The waves whose two sides should be equal but for what is under way.
    pub(super) fn checked_waves<'s>(
        &self,
        snapshot: &'s Snapshot,
    ) -> impl Iterator<Item = &'s Wave> + use<'s> {
        let caught_up = self.facts.caught_up;
        waves(snapshot).filter(move |wave| match wave.phase {
            Phase::ShadowRead | Phase::ReadNew | Phase::Reversed => true,
            // Before backfill is through, most keys are missing.
            Phase::DoubleWrite => caught_up,
            Phase::Prepare | Phase::Ended(_) => false,
        })
    }

    /// The next move of a check: of the one on its way, or of one that is due.
    pub(super) fn due_check(&mut self, snapshot: &Snapshot) -> Option<Next> {
        if self.settings.checks.keys_per_minute == 0 {
            return None;
        }
        let waves: alloc::vec::Vec<&Wave> = self.checked_waves(snapshot).collect();
        let step = self.watch.checker.next(&waves).or_else(|| {
            let (now, salt) = (self.now, u64::from(self.term.0));
            let checks = &self.settings.checks;
            self.watch.checker.begin(now, checks, salt, &waves);
            self.watch.checker.next(&waves)
        });
        step.map(|(domain, step)| match step {
            CheckStep::CatchUp => Next::Run(Move::Copy, Some(domain)),
            _ => Next::Run(Move::Check, Some(domain)),
        })
    }

    /// The stage that a check begins or goes on with.
    pub(super) fn check_stage(&mut self, snapshot: &Snapshot) -> Stage {
        let waves: alloc::vec::Vec<&Wave> = self.checked_waves(snapshot).collect();
        let step = self.watch.checker.next(&waves);
        step.map_or(Stage::Sample, |(_, step)| stage_of(step))
    }

    /// Whether a run is nothing but a check, or the copying that one waits for.
    pub(super) fn is_check(&self, run: &Run) -> bool {
        let copies = run.goal == Move::Copy
            && (run.domain).is_some_and(|domain| self.watch.checker.waits_for(domain));
        run.goal == Move::Check || copies
    }

    pub(super) fn check_command(&self, run: &Run) -> Option<Command> {
        let context = self.context(run.domain)?;
        let (checks, checker) = (&self.settings.checks, &self.watch.checker);
        checker.command(checks, context.keyspace, context.authority, context.mirror)
    }

    pub(super) fn checked(&mut self, mut run: Run, answer: Answer) {
        let Answer::Keys(keys) = answer else {
            return self.recover(CoordinatorError::Senseless { point: run.point() });
        };
        let (next, found) = self.watch.checker.handle_keys(&self.settings.checks, keys);
        self.recoveries = 0;
        let (domain, phase) = (run.domain, self.phase_of(&run));
        self.task = match next {
            Some(step) if step != CheckStep::CatchUp => {
                run.stage = stage_of(step);
                Task::Move(alloc::boxed::Box::new(run))
            }
            _ => Task::Idle,
        };
        if let Some(first) = found.first() {
            let key = String::from_utf8_lossy(&first.key).into_owned();
            let why = format!(
                "a check of wave {} found {} mismatches, the first at key `{key}` ({:?})",
                domain.map_or(0, |domain| domain.0),
                found.len(),
                first.kind
            );
            self.watch.own.mismatches += found.len() as u64;
            self.mismatches.extend(found);
            if phase == Some(Phase::Reversed) {
                // Going back would make the side that differs the authority.
                self.pause_for(domain, why);
            } else {
                self.go_back_for(domain, why);
            }
        }
    }

    fn phase_of(&self, run: &Run) -> Option<Phase> {
        self.context(run.domain).map(|context| context.wave.phase)
    }
}

const fn stage_of(step: CheckStep) -> Stage {
    match step {
        CheckStep::Sample | CheckStep::CatchUp => Stage::Sample,
        CheckStep::Compare => Stage::Compare,
        CheckStep::LookMirror => Stage::LookTo,
        CheckStep::LookAuthority => Stage::LookFrom,
    }
}
