//! What a reply, or none, does to an operation's state.

use crate::budget::{Next, Refused};
use crate::guard::Refusal;
use crate::ids::AttemptId;
use crate::op::goal::Goal;
use crate::op::{Operation, State};
use crate::policy::read::{AfterRead, after_first, after_second};
use crate::policy::retry::BackoffClass;
use crate::policy::write::{Accepted, AfterAccept, MirrorRefused, after_accept, mirror_refused};
use crate::route::ReadPlace;
use crate::step::{Failure, OperationError, Outcome, Reply};
use crate::time::Instant;

impl Operation {
    /// After a reply that says what was found or done.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        goal: Goal,
        id: AttemptId,
        reply: Reply,
    ) -> State {
        let ready = |goal| State::Ready { goal, now };
        let tries = self.budget.progress();
        match (goal, reply) {
            (Goal::Read, _) => {
                let behind = matches!(self.plan.read, ReadPlace::Fallback { .. });
                let after = after_first(reply, id, behind);
                self.after_read(now, goal, id, after, tries)
            }
            (Goal::LookBehind, _) => self.after_read(now, goal, id, after_second(reply), tries),
            (Goal::Repair { deleted: true, .. }, Reply::Written { .. } | Reply::Superseded) => {
                State::Done(Outcome::Missing)
            }
            (
                Goal::Repair {
                    found,
                    version,
                    deleted: false,
                },
                Reply::Written { .. } | Reply::Superseded,
            ) => State::Done(Outcome::Value {
                from: found,
                version,
            }),
            (Goal::Write | Goal::Confirm, Reply::Written { version }) => {
                match after_accept(&self.plan, version) {
                    AfterAccept::Done => State::Done(Outcome::Written {
                        version,
                        lagging: None,
                    }),
                    AfterAccept::DoneThenMirror(accepted) => State::Trailing { accepted },
                    AfterAccept::MirrorFirst(accepted) => ready(Goal::Mirror(accepted)),
                }
            }
            (Goal::Write, Reply::Conflict { found }) => match (self.plan.read, found) {
                // What the caller is about to see must be seen by later readers too.
                (ReadPlace::Fallback { .. }, Some(version)) => {
                    ready(Goal::Push { found: id, version })
                }
                (ReadPlace::Fallback { .. }, None) | (ReadPlace::One(_), _) => {
                    State::Done(Outcome::Conflict { found })
                }
            },
            (Goal::Confirm, Reply::Missing) => {
                State::Done(Outcome::Failed(OperationError::Indeterminate {
                    version: None,
                }))
            }
            (Goal::Mirror(accepted), Reply::Written { .. } | Reply::Superseded) => {
                let Accepted { version, .. } = accepted;
                State::Done(Outcome::Written {
                    version,
                    lagging: None,
                })
            }
            (Goal::Push { version, .. }, Reply::Written { .. } | Reply::Superseded) => {
                State::Done(Outcome::Conflict {
                    found: Some(version),
                })
            }
            // A reply that doesn't answer the question is no answer.
            (
                Goal::Repair { .. }
                | Goal::Write
                | Goal::Confirm
                | Goal::Mirror(_)
                | Goal::Push { .. },
                _,
            ) => self.senseless(now, goal, tries),
        }
    }

    /// After a reply that doesn't answer the question, the wait goes on growing.
    fn senseless(&mut self, now: Instant, goal: Goal, tries: u16) -> State {
        self.budget.no_progress(tries);
        self.failed(now, goal, Failure::MaybeApplied)
    }

    fn after_read(
        &mut self,
        now: Instant,
        goal: Goal,
        id: AttemptId,
        after: AfterRead,
        tries: u16,
    ) -> State {
        match after {
            AfterRead::Answer(outcome) => State::Done(outcome),
            AfterRead::LookBehind => State::Ready {
                goal: Goal::LookBehind,
                now,
            },
            AfterRead::Repair { version, deleted } => State::Ready {
                goal: Goal::Repair {
                    found: id,
                    version,
                    deleted,
                },
                now,
            },
            AfterRead::Senseless => self.senseless(now, goal, tries),
        }
    }

    pub(super) fn refused(&mut self, now: Instant, goal: Goal, refusal: Refusal) -> State {
        self.budget.note(refusal);
        if let Goal::Mirror(accepted) = goal {
            return match mirror_refused(&accepted, refusal) {
                MirrorRefused::Drained => {
                    let Accepted { version, .. } = accepted;
                    State::Done(Outcome::Written {
                        version,
                        lagging: None,
                    })
                }
                MirrorRefused::Refresh { newer_than } => State::Stale { goal, newer_than },
                MirrorRefused::BackOff(class) => self.pause(now, goal, class),
            };
        }
        match self.budget.refused(now, self.plan.snapshot, refusal) {
            Refused::Outdated { newer_than } => {
                let goal = goal.restart();
                State::Stale { goal, newer_than }
            }
            Refused::GoOn(next) => Self::next(goal, next),
            Refused::WrongRole { current } => {
                let (shard, _, _) = goal.request(&self.plan);
                State::Done(match goal {
                    // An earlier attempt may have done it.
                    Goal::Confirm => self.outcome_at_end(goal, false),
                    Goal::Read
                    | Goal::LookBehind
                    | Goal::Repair { .. }
                    | Goal::Write
                    | Goal::Mirror(_)
                    | Goal::Push { .. } => {
                        Outcome::Failed(OperationError::WrongRole { shard, current })
                    }
                })
            }
        }
    }

    pub(super) fn failed(&mut self, now: Instant, goal: Goal, failure: Failure) -> State {
        match (goal, failure) {
            (Goal::Write, Failure::MaybeApplied) if self.budget.confirms() => {
                self.pause(now, Goal::Confirm, BackoffClass::Unavailable)
            }
            // Never sent twice: the first one may yet arrive.
            (Goal::Write, Failure::MaybeApplied)
            | (Goal::Confirm | Goal::Mirror(_), Failure::Rejected) => {
                State::Done(self.outcome_at_end(goal, true))
            }
            (
                Goal::Read
                | Goal::LookBehind
                | Goal::Repair { .. }
                | Goal::Write
                | Goal::Push { .. },
                Failure::Rejected,
            ) => State::Done(Outcome::Failed(OperationError::Rejected)),
            (
                Goal::Read
                | Goal::LookBehind
                | Goal::Repair { .. }
                | Goal::Push { .. }
                | Goal::Confirm,
                Failure::NotSent | Failure::MaybeApplied,
            )
            | (Goal::Write, Failure::NotSent) => {
                let next = self.budget.silent(now, self.plan.snapshot);
                Self::next(goal, next)
            }
            // The stamp stays, so no newer map sends it elsewhere.
            (Goal::Mirror(_), Failure::NotSent | Failure::MaybeApplied) => {
                self.pause(now, goal, BackoffClass::Unavailable)
            }
        }
    }

    fn next(goal: Goal, next: Next) -> State {
        let goal = goal.restart();
        match next {
            Next::Refresh { newer_than } => State::Stale { goal, newer_than },
            Next::Pause { until } => State::Paused { goal, until },
        }
    }

    pub(super) fn pause(&mut self, now: Instant, goal: Goal, class: BackoffClass) -> State {
        let until = self.budget.pause(now, class);
        State::Paused { goal, until }
    }

    /// The outcome when nothing more can be tried; `in_flight` says that an attempt for `goal` has
    /// no answer yet.
    pub(super) fn outcome_at_end(&self, goal: Goal, in_flight: bool) -> Outcome {
        Outcome::Failed(match goal {
            Goal::Mirror(accepted) => OperationError::Indeterminate {
                version: Some(accepted.version),
            },
            Goal::Confirm => OperationError::Indeterminate { version: None },
            Goal::Write if in_flight => OperationError::Indeterminate { version: None },
            Goal::Read
            | Goal::LookBehind
            | Goal::Repair { .. }
            | Goal::Write
            | Goal::Push { .. } => self.budget.exceeded(),
        })
    }
}
