//! What an answer means for the move on its way.

use alloc::boxed::Box;
use alloc::format;

use crate::migration::command::Answer;
use crate::migration::coordinator::next::installs_after;
use crate::migration::coordinator::run::Run;
use crate::migration::coordinator::{Coordinator, CoordinatorError, Ending, Task};
use crate::migration::install::readmit_installs;
use crate::migration::log::{Log, Wish};
use crate::migration::moves::{Move, Stage};
use crate::phase::{Phase, Role};

impl Coordinator {
    pub(super) fn run_answered(&mut self, mut run: Run, answer: Answer) {
        if run.goal == Move::Check {
            return self.checked(run, answer);
        }
        self.spend(&run, &answer);
        let next = match (run.stage, answer) {
            (Stage::Log, Answer::Logged) => return self.logged(run),
            (Stage::Pause | Stage::Swap | Stage::Open, Answer::Swapped) => {
                return self.swapped(run);
            }
            (Stage::Pause | Stage::Swap | Stage::Open, Answer::Unsafe(error)) => {
                let error = Self::topology_error(run.goal, &error.into());
                self.task = Task::Over(Ending::Stuck(error));
                return;
            }
            (Stage::Pause | Stage::Swap | Stage::Open, Answer::EpochLost { .. }) => {
                return self.recover(CoordinatorError::Senseless { point: run.point() });
            }
            (Stage::InstallFirst | Stage::InstallOther, Answer::Done) => {
                run.installs.remove(0);
                match (run.installs.is_empty(), run.goal) {
                    (true, Move::Readmit) => Stage::Shut,
                    (true, _) => return self.installed(run),
                    (false, _) => Stage::InstallOther,
                }
            }
            (Stage::Purge, Answer::Removed { end: false, .. }) => Stage::Purge,
            (Stage::Purge, Answer::Removed { end: true, .. }) if run.goal == Move::Clean => {
                Stage::Collect
            }
            (Stage::Purge, Answer::Removed { end: true, .. }) => Stage::Prove,
            (Stage::Prove, Answer::Rows(0)) => Stage::Swap,
            (Stage::Prove, Answer::Rows(_)) => Stage::Purge,
            (Stage::Collect, Answer::Removed { end: false, .. }) => Stage::Collect,
            (Stage::Collect, Answer::Removed { end: true, .. }) => return self.finished(&run),
            (Stage::Read | Stage::DrainRead, Answer::Changes { rows, upto, end }) => {
                run.chunk = (upto, rows, end);
                match (rows, run.stage) {
                    (0, _) => return self.copied(run),
                    (_, Stage::Read) => Stage::Apply,
                    (_, _) => Stage::DrainApply,
                }
            }
            (Stage::Apply | Stage::DrainApply, Answer::Done) => {
                run.chunks += 1;
                return self.copied(run);
            }
            (Stage::CloseFrom | Stage::CloseTo, Answer::Closed(Some(row)))
                if row.closed && Some(row.epoch) == self.epoch_of(run.domain) =>
            {
                if run.goal == Move::StepBack {
                    run.until = self.after_leases(self.lease_of(&run));
                    Stage::Lapse
                } else if run.stage == Stage::CloseFrom {
                    Stage::CloseTo
                } else {
                    Stage::Closing
                }
            }
            (Stage::Closing, Answer::Revision(revision)) => {
                run.target = revision;
                if run.cursor < revision {
                    Stage::DrainRead
                } else {
                    self.after_drain(&mut run)
                }
            }
            (Stage::Shut, Answer::Done) => return self.readmitted(&run),
            (Stage::Reverse, Answer::Revision(revision)) => {
                run.reverse = revision;
                Stage::Swap
            }
            (
                Stage::DigestFrom
                | Stage::DigestTo
                | Stage::KeysFrom
                | Stage::KeysTo
                | Stage::LookTo
                | Stage::LookFrom,
                answer @ (Answer::Digests(_) | Answer::Keys(_)),
            ) => return self.compared(run, answer),
            _ => return self.recover(CoordinatorError::Senseless { point: run.point() }),
        };
        self.enter(run, next);
    }

    /// Goes on with `stage`. A barrier that took too long turns into its abort on the way.
    pub(super) fn enter(&mut self, mut run: Run, stage: Stage) {
        run.stage = stage;
        self.turn_to_abort(&mut run);
        self.pause_first(&mut run);
        if run.stage == Stage::Log {
            run.saves = Some(self.log_to_save(&run));
        }
        if run.stage == Stage::Read && self.tending.reread {
            // Who is back waits for its installs; the cursor is kept.
            self.task = Task::Idle;
            return;
        }
        if matches!(run.stage, Stage::InstallFirst | Stage::InstallOther)
            && run
                .installs
                .first()
                .is_some_and(|(shard, _)| self.tending.gone.contains(shard))
        {
            return self.owe(run);
        }
        if matches!(run.stage, Stage::Pause | Stage::Swap | Stage::Open)
            && let Err(error) = self.make_next(&mut run)
        {
            self.task = Task::Over(Ending::Stuck(Self::topology_error(run.goal, &error)));
            return;
        }
        self.task = Task::Move(Box::new(run));
    }

    /// Whoever was asked didn't answer.
    pub(super) fn after_silence(&mut self, mut run: Run) -> Run {
        self.turn_to_abort(&mut run);
        if run.stage == Stage::Swap && run.next.is_none() && self.make_next(&mut run).is_err() {
            // Tried again at the next answer; the guards stay closed and nothing is lost.
            run.stage = Stage::CloseFrom;
        }
        run
    }

    /// A barrier past its deadline goes on to the next epoch with the phase as it was.
    ///
    /// The drain may be left out only where no mirror answers reads; `drained` then stays.
    fn turn_to_abort(&mut self, run: &mut Run) {
        let limit_ms = match run.goal {
            Move::Offline => self.settings.offline_ms,
            _ => self.settings.barrier_ms,
        };
        let offline = run.goal == Move::Offline;
        // Hours, perhaps: whoever wants back or a pause needn't wait for its end.
        let unwanted = offline && self.log.wish != Wish::Forward;
        let late = unwanted || self.now.since(run.began) > limit_ms;
        let before_swap = matches!(
            run.stage,
            Stage::CloseFrom
                | Stage::CloseTo
                | Stage::Closing
                | Stage::DrainRead
                | Stage::DrainApply
                | Stage::DigestFrom
                | Stage::DigestTo
                | Stage::KeysFrom
                | Stage::KeysTo
                | Stage::LookTo
                | Stage::LookFrom
                | Stage::Reverse
        );
        if !late || !before_swap || !run.goal.is_barrier() {
            return;
        }
        if matches!(run.goal, Move::Abort | Move::StepBack) {
            return;
        }
        run.goal = Move::Abort;
        self.facts.verifier = None;
        if offline && !unwanted {
            let reason = format!("writes were held for {limit_ms} ms, the longest that is allowed");
            self.go_back_for(run.domain, reason);
        }
        if run.stage == Stage::Reverse {
            run.stage = Stage::Swap;
            return;
        }
        let readable = self.context(run.domain).is_some_and(|context| {
            let mirror = context.wave.phase.authority().other();
            context.wave.phase.role(mirror) == Role::ReadableMirror
        });
        if !readable {
            run.stage = Stage::Swap;
        }
    }

    fn logged(&mut self, mut run: Run) {
        let written = run.saves.take();
        match run.goal {
            Move::Copy => self.enter(run, Stage::Read),
            Move::Enlist if self.log.enlist.is_none() => self.finished(&run),
            // The plan is kept; when it may begin is asked next.
            Move::Enlist => self.task = Task::Idle,
            Move::Decide => {
                // What was said while this was on its way isn't written down.
                if written.is_some_and(|log| self.log.says(&log)) {
                    (self.undecided, self.wished) = (false, false);
                }
                self.task = Task::Idle;
            }
            Move::Delist => self.finished(&run),
            Move::Offline if run.chunks > 0 => self.enter(run, Stage::DrainRead),
            _ => self.enter(run, Stage::CloseFrom),
        }
    }

    /// A chunk is on the mirror, row by row acknowledged; only now does the cursor move.
    fn copied(&mut self, mut run: Run) {
        let (upto, rows, end) = run.chunk;
        run.cursor = run.cursor.max(upto);
        if let Some(domain) = run.domain
            && let Some(context) = self.context(run.domain)
        {
            let since = context.wave.authority_epoch;
            self.log.set_cursor(domain, since, run.cursor);
        }
        let checkpoint =
            run.chunks > 0 && run.chunks.is_multiple_of(self.settings.checkpoint_chunks);
        if run.goal.is_barrier() {
            let stage = if run.cursor < run.target && run.goal == Move::Offline && checkpoint {
                run.chunks += 1;
                Stage::Log
            } else if run.cursor < run.target {
                Stage::DrainRead
            } else {
                self.after_drain(&mut run)
            };
            self.enter(run, stage);
        } else if end && rows <= self.settings.lag_rows_max {
            let checked = run
                .domain
                .is_some_and(|d| self.watch.checker.handle_caught_up(d));
            // A check may be about another wave than the one at work.
            self.facts.caught_up |= !checked;
            self.finished(&run);
        } else if checkpoint {
            // Counted once, even if the next chunk turns out empty.
            run.chunks += 1;
            self.enter(run, Stage::Log);
        } else if self.interrupts_copying() {
            self.task = Task::Idle;
        } else {
            self.enter(run, Stage::Read);
        }
    }

    fn after_drain(&self, run: &mut Run) -> Stage {
        run.drained = true;
        match run.goal {
            Move::Offline if self.settings.verify => Stage::DigestFrom,
            Move::Switch | Move::SwitchBack | Move::Offline => Stage::Reverse,
            _ => Stage::Swap,
        }
    }

    fn compared(&mut self, mut run: Run, answer: Answer) {
        let mut verifier = self.facts.verifier.take().unwrap_or_default();
        let next = match (run.stage, answer) {
            (Stage::DigestFrom, Answer::Digests(digests)) => {
                verifier.authority_digests(digests);
                Some(Stage::DigestTo)
            }
            (Stage::DigestTo, Answer::Digests(digests)) => {
                verifier.mirror_digests(&digests);
                (!verifier.slots().is_empty()).then_some(Stage::KeysFrom)
            }
            (Stage::KeysFrom, Answer::Keys(keys)) => {
                verifier.authority_keys(keys);
                Some(Stage::KeysTo)
            }
            (Stage::KeysTo, Answer::Keys(keys)) => {
                verifier.mirror_keys(&keys);
                if verifier.is_suspicious() && run.goal == Move::Offline {
                    // Nobody writes: there is nothing to catch up with.
                    self.facts.verifier = Some(verifier);
                    return self.enter(run, Stage::LookTo);
                }
                if verifier.is_suspicious() {
                    // Copying must catch up before the second look.
                    self.facts.verifier = Some(verifier);
                    self.facts.caught_up = false;
                    self.task = Task::Idle;
                    return;
                }
                None
            }
            (Stage::LookTo, Answer::Keys(keys)) => {
                verifier.second_mirror(keys);
                Some(Stage::LookFrom)
            }
            (Stage::LookFrom, Answer::Keys(keys)) => {
                let found = verifier.second_authority(&keys);
                if let (Some(first), Some(domain)) = (found.first(), run.domain) {
                    let key = alloc::string::String::from_utf8_lossy(&first.key).into_owned();
                    let reason = format!(
                        "verification of wave {domain} found {} mismatches, the first at key `{key}` ({:?})",
                        found.len(),
                        first.kind
                    );
                    self.mismatches.extend(found);
                    self.go_back_for(run.domain, reason);
                    if run.goal == Move::Offline {
                        run.goal = Move::Abort;
                        return self.enter(run, Stage::Swap);
                    }
                    self.task = Task::Idle;
                    return;
                }
                None
            }
            _ => return self.recover(CoordinatorError::Senseless { point: run.point() }),
        };
        if let Some(stage) = next {
            self.facts.verifier = Some(verifier);
            self.enter(run, stage);
        } else if run.goal == Move::Offline {
            self.enter(run, Stage::Reverse);
        } else {
            self.facts.verified = true;
            self.finished(&run);
        }
    }

    fn swapped(&mut self, mut run: Run) {
        let Some((snapshot, log)) = run.next.take() else {
            return self.recover(CoordinatorError::Senseless { point: run.point() });
        };
        let said = core::mem::replace(&mut self.log, log);
        // A wish that was made meanwhile outlives the swap.
        (self.log.wish, self.log.reason, self.log.back) = (said.wish, said.reason, said.back);
        self.log.finish_agreed |= said.finish_agreed;
        self.await_clients(&snapshot);
        if run.stage == Stage::Pause {
            self.snapshot = Some(snapshot);
            // The barrier's own time begins when nobody writes any more.
            run.began = self.tending.clients_end;
            return self.enter(run, Stage::CloseFrom);
        }
        if run.stage == Stage::Open {
            self.snapshot = Some(snapshot);
            return self.finished(&run);
        }
        run.installs = match (run.goal, self.tending.readmit) {
            (Move::Readmit, Some(shard)) => readmit_installs(&snapshot, shard),
            _ => installs_after(&snapshot, &run),
        };
        self.snapshot = Some(snapshot);
        self.list_grants();
        if run.installs.is_empty() {
            self.installed(run);
        } else {
            self.enter(run, Stage::InstallFirst);
        }
    }

    pub(super) fn finished(&mut self, run: &Run) {
        self.recoveries = 0;
        self.task = Task::Idle;
        match run.goal {
            Move::Copy | Move::Check => {}
            Move::Verify => {
                // It took a while; a barrier wants a short way to the end.
                self.facts.verifier = None;
                self.facts.caught_up = false;
            }
            Move::Clean => {
                if let Some(domain) = run.domain {
                    self.cleaned = Some(domain);
                }
            }
            Move::Delist => {
                let ending = self.ending();
                self.log = Log::default();
                // A wish that came meanwhile has nothing left to decide, and must leave the desk.
                (self.undecided, self.wished) = (false, false);
                self.over(ending);
            }
            goal => self.begin_phase(goal),
        }
    }
}

/// Whether a phase still belongs to a wave that clients, or a rollback, need.
pub(super) const fn is_over(phase: Phase) -> bool {
    matches!(phase, Phase::Ended(_))
}
