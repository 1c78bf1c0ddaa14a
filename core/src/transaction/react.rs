//! What a reply, or none, does to a transaction's state.

use alloc::vec;
use alloc::vec::Vec;

use crate::budget::{Next, Refused};
use crate::guard::Refusal;
use crate::ids::{AttemptId, Version};
use crate::pin::PinError;
use crate::policy::retry::BackoffClass;
use crate::step::{Failure, OperationError, Reply};
use crate::time::Instant;
use crate::transaction::{Goal, State, Transaction, TransactionError, TransactionOutcome};

fn over(error: TransactionError) -> State {
    State::Done(TransactionOutcome::Failed(error))
}

fn indeterminate() -> State {
    let error = OperationError::Indeterminate { version: None };
    over(TransactionError::Operation(error))
}

impl Transaction {
    pub(super) fn answered(
        &mut self,
        now: Instant,
        goal: Goal,
        id: AttemptId,
        replies: Vec<Reply>,
    ) -> State {
        let wanted = match goal {
            Goal::Begin => self.pinned.plans.len(),
            Goal::Commit => self
                .uses
                .iter()
                .filter(|used| used.read || used.write)
                .count(),
            Goal::Confirm => self.uses.iter().filter(|used| used.write).count(),
            Goal::Leg => replies.len(),
        };
        let fits = |reply: &Reply| {
            let read = matches!(
                reply,
                Reply::Found { .. } | Reply::Deleted { .. } | Reply::Missing
            );
            let written = matches!(reply, Reply::Written { .. } | Reply::Superseded);
            match goal {
                Goal::Begin => read,
                Goal::Commit => read || written,
                Goal::Confirm => written || *reply == Reply::Missing,
                Goal::Leg => written,
            }
        };
        if replies.len() != wanted || !replies.iter().all(fits) {
            // What doesn't answer the question is no answer.
            return self.failed(now, goal, Failure::MaybeApplied);
        }
        match goal {
            Goal::Begin => {
                self.budget.progress();
                (self.seen, self.seen_by) = (replies, id);
                State::Working
            }
            Goal::Commit => self.committed(now, &replies, false),
            Goal::Confirm => self.committed(now, &replies, true),
            Goal::Leg => {
                self.budget.progress();
                self.leg_done(now)
            }
        }
    }

    /// The commit was carried out, or it was asked for: `replies` are those of the keys that it
    /// touches, or of those that it writes.
    fn committed(&mut self, now: Instant, replies: &[Reply], asked: bool) -> State {
        let written = |reply: &Reply| matches!(reply, Reply::Written { .. });
        if !replies.iter().any(written) {
            // Overwritten, all of it, or removed, or yet to arrive.
            return indeterminate();
        }
        self.budget.progress();
        let touched = self.uses.iter().enumerate();
        let touched: Vec<usize> = touched
            .filter(|(_, used)| used.write || (used.read && !asked))
            .map(|(key, _)| key)
            .collect();
        let mut unsure = false;
        for (&key, reply) in touched.iter().zip(replies) {
            let writes = self.uses.get(key).is_some_and(|used| used.write);
            let plan = self.pinned.plans.get(key);
            match reply {
                _ if !writes => {}
                Reply::Written { version } => {
                    if let Some(place) = self.versions.get_mut(key) {
                        *place = Some(*version);
                    }
                    self.add_write(key, *version);
                }
                // Another write has followed; whether its mirror has that one, nobody says here.
                _ => unsure |= plan.is_some_and(|plan| plan.mirror.is_some() && plan.strict),
            }
        }
        if unsure {
            return indeterminate();
        }
        self.add_reads();
        self.next_leg(now)
    }

    pub(super) fn conflicts(
        &mut self,
        now: Instant,
        goal: Goal,
        part: usize,
        found: Option<Version>,
    ) -> State {
        let touched = self.uses.iter().enumerate();
        let key = touched
            .filter(|(_, used)| used.read || used.write)
            .map(|(key, _)| key)
            .nth(part);
        let (Goal::Commit, Some(key)) = (goal, key) else {
            return self.failed(now, goal, Failure::MaybeApplied);
        };
        if !self.again {
            return over(TransactionError::Conflict { key, found });
        }
        self.conflict = Some((key, found));
        self.start_over();
        self.pause(now, Goal::Begin, BackoffClass::NotReady)
    }

    pub(super) fn refused(&mut self, now: Instant, goal: Goal, refusal: Refusal) -> State {
        self.budget.note(refusal);
        if goal == Goal::Leg {
            return self.leg_refused(now, refusal);
        }
        let refused = self.budget.refused(now, self.pinned.snapshot, refusal);
        match (goal, refused) {
            // Nothing can be committed under this epoch.
            (Goal::Commit, Refused::Outdated { newer_than }) => {
                if !self.again {
                    let last = Some(refusal);
                    return over(TransactionError::Retryable { last });
                }
                self.start_over();
                State::Stale {
                    goal: Goal::Begin,
                    newer_than,
                }
            }
            (_, Refused::Outdated { newer_than }) => State::Stale { goal, newer_than },
            (_, Refused::GoOn(next)) => Self::next(goal, next),
            (Goal::Confirm, Refused::WrongRole { .. }) => indeterminate(),
            (_, Refused::WrongRole { current }) => {
                let shard = self.pinned.shard;
                let error = OperationError::WrongRole { shard, current };
                over(TransactionError::Operation(error))
            }
        }
    }

    pub(super) fn failed(&mut self, now: Instant, goal: Goal, failure: Failure) -> State {
        match (goal, failure) {
            (Goal::Commit, Failure::MaybeApplied) if self.budget.confirms() => {
                self.pause(now, Goal::Confirm, BackoffClass::Unavailable)
            }
            // Never sent twice: the first one may yet arrive.
            (Goal::Commit, Failure::MaybeApplied) | (Goal::Confirm, Failure::Rejected) => {
                indeterminate()
            }
            (Goal::Leg, Failure::Rejected) => self.at_end(Goal::Leg, true),
            (Goal::Begin | Goal::Commit, Failure::Rejected) => {
                over(TransactionError::Operation(OperationError::Rejected))
            }
            (Goal::Begin | Goal::Confirm, Failure::NotSent | Failure::MaybeApplied)
            | (Goal::Commit, Failure::NotSent) => {
                let next = self.budget.silent(now, self.pinned.snapshot);
                Self::next(goal, next)
            }
            // The stamp stays, so no newer map sends it elsewhere.
            (Goal::Leg, Failure::NotSent | Failure::MaybeApplied) => {
                self.pause(now, goal, BackoffClass::Unavailable)
            }
        }
    }

    fn next(goal: Goal, next: Next) -> State {
        match next {
            Next::Refresh { newer_than } => State::Stale { goal, newer_than },
            Next::Pause { until } => State::Paused { goal, until },
        }
    }

    pub(super) fn pause(&mut self, now: Instant, goal: Goal, class: BackoffClass) -> State {
        let until = self.budget.pause(now, class);
        State::Paused { goal, until }
    }

    /// The keys go elsewhere, and nothing was changed: what was read must be read again.
    pub(super) fn rerouted(&mut self, now: Instant, last: Option<Refusal>) -> State {
        if !self.again {
            return over(TransactionError::Retryable { last });
        }
        self.start_over();
        State::Ready {
            goal: Goal::Begin,
            now,
        }
    }

    /// By the newer map the keys can't be in one transaction.
    pub(super) fn unpinned(&mut self, now: Instant, goal: Goal, error: PinError) -> State {
        match goal {
            Goal::Begin | Goal::Commit => over(error.into()),
            // What was sent may be committed, wherever its keys are now.
            Goal::Confirm => indeterminate(),
            Goal::Leg => self.leg_lost(now),
        }
    }

    fn start_over(&mut self) {
        self.seen.clear();
        self.uses.clear();
        self.legs.clear();
        self.versions = vec![None; self.pinned.plans.len()];
    }
}
