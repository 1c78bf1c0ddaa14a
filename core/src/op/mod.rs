//! One read or write of one key, from its first attempt to its outcome, as a machine.
//!
//! It obeys [`policy`](crate::policy) and owns no rule of its own; it keeps no payload and no copy
//! of the key.

mod goal;
mod react;

use crate::budget::Budget;
use crate::ids::{AttemptId, Epoch};
use crate::policy::Policy;
use crate::policy::lease::{MirrorMoved, holds, mirror_moved};
use crate::policy::retry::BackoffClass;
use crate::policy::write::{Accepted, after_refresh};
use crate::route::{Leased, Plan};
use crate::step::{Attempt, Failure, OperationError, Outcome, Reply, Step, UnknownAttempt};
use crate::time::Instant;
use goal::Goal;

/// A read or a write of one key.
///
/// - Output: [`poll`](Self::poll), until it says [`Step::Wait`] or [`Step::Done`].
/// - Inputs: `handle_reply`, `handle_snapshot`, `handle_timeout`; after each, poll again. Early,
///   late and repeated calls do nothing.
/// - Getters: `plan`.
///
/// ```
/// # use ringshift::*;
/// # let text = r#"{"cluster":"demo","keyspaces":{"orders":{}},"shards":[{"id":1,"name":"a"}]}"#;
/// # let topology: Topology = serde_json::from_str(text)?;
/// let router = Router::new(topology.snapshot()?.into());
/// let plan = router.keyspace("orders")?.plan(b"user:42")?;
/// let now = Instant::ZERO;
///
/// let mut read = Operation::read(plan, Policy::default(), now);
/// let Step::Send(attempt) = read.poll() else { unreachable!() };
/// assert_eq!(attempt.shard, ShardId(1));
/// // … the driver asks the shard, which has nothing …
/// read.handle_reply(now, attempt.id, Reply::Missing)?;
/// assert_eq!(read.poll(), Step::Done(Outcome::Missing));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
// INVARIANT (never back): the plan is only ever replaced by one of a newer snapshot.
// INVARIANT (one stamp): an apply carries the fence under which its version was given or found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    budget: Budget,
    plan: Plan,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    /// An attempt is to be sent, decided at that moment.
    Ready { goal: Goal, now: Instant },
    /// It was; its reply is waited for.
    Sent {
        goal: Goal,
        id: AttemptId,
        until: Instant,
    },
    /// Waiting before the next try.
    Paused { goal: Goal, until: Instant },
    /// A refresh is to be asked for.
    Stale { goal: Goal, newer_than: Epoch },
    /// It was.
    Refreshing { goal: Goal, newer_than: Epoch },
    /// The answer stands; a mirror write that nobody waits for is still to be sent.
    Trailing { accepted: Accepted },
    /// Over.
    Done(Outcome),
}

impl Operation {
    /// A read of the key that `plan` is for.
    pub fn read(plan: Plan, policy: Policy, now: Instant) -> Self {
        Self::new(Goal::Read, plan, policy, now)
    }

    /// A write of it: put, delete or put-if; which, only the driver knows.
    pub fn write(plan: Plan, policy: Policy, now: Instant) -> Self {
        Self::new(Goal::Write, plan, policy, now)
    }

    fn new(goal: Goal, plan: Plan, policy: Policy, now: Instant) -> Self {
        Self {
            budget: Budget::new(policy, now),
            plan,
            state: State::Ready { goal, now },
        }
    }

    /// What routes the operation at present.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What to do next.
    #[must_use]
    pub fn poll(&mut self) -> Step {
        match self.state {
            State::Ready { goal, .. } if self.budget.is_spent() => {
                self.state = State::Done(self.outcome_at_end(goal, false));
                self.poll()
            }
            State::Ready { goal, now } if self.is_held(goal, now) => {
                let newer_than = self.plan.snapshot;
                self.state = State::Stale { goal, newer_than };
                self.poll()
            }
            State::Ready { goal, now } => {
                let attempt = self.attempt(goal, true);
                let mut until = self.budget.attempt_until(now);
                if let Some(leased) = self.plan.leased {
                    until = until.min(now.after(leased.attempt_ms.into()));
                }
                self.state = State::Sent {
                    goal,
                    id: attempt.id,
                    until,
                };
                Step::Send(attempt)
            }
            State::Trailing { accepted } => {
                let attempt = self.attempt(Goal::Mirror(accepted), false);
                let Accepted {
                    version, mirror, ..
                } = accepted;
                self.state = State::Done(Outcome::Written {
                    version,
                    lagging: Some(mirror),
                });
                Step::Send(attempt)
            }
            State::Stale { goal, newer_than } => {
                self.state = State::Refreshing { goal, newer_than };
                Step::Refresh { newer_than }
            }
            State::Sent { until, .. } | State::Paused { until, .. } => Step::Wait {
                until: until.min(self.budget.deadline()),
            },
            State::Refreshing { .. } => Step::Wait {
                until: self.budget.deadline(),
            },
            State::Done(outcome) => Step::Done(outcome),
        }
    }

    /// What a shard answered to attempt `id`.
    ///
    /// # Errors
    /// [`UnknownAttempt`] for an attempt that isn't waited for: late or repeated. Nothing changes.
    pub fn handle_reply(
        &mut self,
        now: Instant,
        id: AttemptId,
        reply: Reply,
    ) -> Result<(), UnknownAttempt> {
        let State::Sent {
            goal,
            id: waited_for,
            ..
        } = self.state
        else {
            return Err(UnknownAttempt(id));
        };
        if id != waited_for {
            return Err(UnknownAttempt(id));
        }
        self.state = match reply {
            Reply::Refused(refusal) => self.refused(now, goal, refusal),
            Reply::Failed(failure) => self.failed(now, goal, failure),
            Reply::Found { .. }
            | Reply::Deleted { .. }
            | Reply::Missing
            | Reply::Written { .. }
            | Reply::Superseded
            | Reply::Conflict { .. } => self.answered(now, goal, id, reply),
        };
        Ok(())
    }

    /// The key's plan by a snapshot that was refreshed, or simply is at hand; also the one in
    /// force, when a refresh brought nothing newer. An older one, and one of another key, changes
    /// nothing.
    pub fn handle_snapshot(&mut self, now: Instant, plan: Plan) {
        let same_key =
            plan.keyspace == self.plan.keyspace && plan.stored_slot == self.plan.stored_slot;
        if !same_key || plan.snapshot < self.plan.snapshot {
            return;
        }
        let (goal, newer_than, asked) = match self.state {
            State::Refreshing { goal, newer_than } => (goal, Some(newer_than), true),
            State::Stale { goal, newer_than } => (goal, Some(newer_than), false),
            State::Paused { goal, .. } => (goal, None, false),
            State::Ready { .. } | State::Sent { .. } | State::Trailing { .. } | State::Done(_) => {
                return;
            }
        };
        let held = self.is_held(goal, now);
        let moved = if let (Goal::Mirror(accepted), Some(_)) = (goal, self.plan.leased) {
            let version = accepted.version;
            match mirror_moved(&accepted, &plan) {
                MirrorMoved::No => self.adopt(plan),
                MirrorMoved::Done => {
                    self.state = State::Done(Outcome::Written {
                        version,
                        lagging: None,
                    });
                    return;
                }
                MirrorMoved::Unknown => {
                    self.state = State::Done(self.outcome_at_end(goal, false));
                    return;
                }
            }
        } else if let Goal::Mirror(accepted) = goal {
            // It keeps its stamp: the new plan only says whether it is still needed.
            if newer_than.is_some_and(|epoch| plan.snapshot > epoch) {
                let version = accepted.version;
                self.state = State::Done(if after_refresh(&accepted, &plan) {
                    Outcome::Written {
                        version,
                        lagging: None,
                    }
                } else {
                    let version = Some(version);
                    Outcome::Failed(OperationError::Indeterminate { version })
                });
                return;
            }
            false
        } else {
            self.adopt(plan)
        };
        let goal = goal.restart();
        if moved || (held && !self.is_held(goal, now)) {
            // What says something new of this key is tried at once.
            self.budget.progress();
            self.state = State::Ready { goal, now };
        } else if asked {
            self.state = self.pause(now, goal, BackoffClass::Refresh);
        }
    }

    /// Whether an attempt for `goal` must not begin: a newer map, or a newer lease, is needed first.
    fn is_held(&self, goal: Goal, now: Instant) -> bool {
        let writes = matches!(goal, Goal::Write);
        self.plan
            .leased
            .is_some_and(|leased| !holds(&leased, writes, now))
    }

    /// Takes a newer plan; whether it sends the key's operations elsewhere, or under another stamp.
    /// Of the same snapshot's it takes the longer lease.
    fn adopt(&mut self, plan: Plan) -> bool {
        if plan.snapshot <= self.plan.snapshot {
            if let (Some(mine), Some(said)) = (&mut self.plan.leased, plan.leased) {
                mine.until = mine.until.max(said.until);
            }
            return false;
        }
        let moved = plan.fence != self.plan.fence;
        self.plan = plan;
        moved
    }

    /// Time has passed. Call it at the moment that [`Step::Wait`] named; at other moments it does
    /// nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.budget.is_over(now) {
            self.state = match self.state {
                State::Ready { goal, .. }
                | State::Paused { goal, .. }
                | State::Stale { goal, .. }
                | State::Refreshing { goal, .. } => State::Done(self.outcome_at_end(goal, false)),
                State::Sent { goal, .. } => State::Done(self.outcome_at_end(goal, true)),
                over @ (State::Trailing { .. } | State::Done(_)) => over,
            };
            return;
        }
        match self.state {
            State::Paused { goal, until } if now >= until => {
                self.state = State::Ready { goal, now };
            }
            State::Sent { goal, until, .. } if now >= until => {
                self.state = self.failed(now, goal, Failure::MaybeApplied);
            }
            State::Ready { .. }
            | State::Sent { .. }
            | State::Paused { .. }
            | State::Stale { .. }
            | State::Refreshing { .. }
            | State::Trailing { .. }
            | State::Done(_) => {}
        }
    }

    fn attempt(&mut self, goal: Goal, blocking: bool) -> Attempt {
        let (shard, fence, kind) = goal.request(&self.plan);
        Attempt {
            id: self.budget.name(),
            shard,
            keyspace: self.plan.keyspace,
            slot: self.plan.slot,
            stored_slot: self.plan.stored_slot,
            fence,
            kind,
            blocking,
            unfenced: self.plan.leased.as_ref().map(Leased::unfenced),
        }
    }
}

#[cfg(test)]
mod tests;
