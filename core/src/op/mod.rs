//! One read or write of one key, from its first attempt to its outcome, as a machine.
//!
//! It obeys [`policy`](crate::policy) and owns no rule of its own; it keeps no payload and no copy
//! of the key.

mod goal;

use crate::guard::Refusal;
use crate::ids::{AttemptId, Epoch};
use crate::policy::Policy;
use crate::policy::read::{AfterRead, after_first, after_second};
use crate::policy::retry::{BackoffClass, Decision, backoff_ms, on_refusal, random};
use crate::policy::write::{
    Accepted, AfterAccept, MirrorRefused, after_accept, after_refresh, mirror_refused,
};
use crate::route::{Plan, ReadPlace};
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
    policy: Policy,
    plan: Plan,
    state: State,
    deadline: Instant,
    /// Attempts sent.
    sent: u16,
    /// Waits in a row.
    tries: u16,
    /// The one refresh for refusals that name no newer epoch is used up.
    refreshed: bool,
    /// The last refusal, for the message.
    last: Option<Refusal>,
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
            policy,
            plan,
            state: State::Ready { goal, now },
            deadline: now.after(policy.deadline_ms.into()),
            sent: 0,
            tries: 0,
            refreshed: false,
            last: None,
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
            State::Ready { goal, .. } if self.sent >= self.policy.attempts_max => {
                self.state = State::Done(self.outcome_at_end(goal, false));
                self.poll()
            }
            State::Ready { goal, now } => {
                let attempt = self.attempt(goal, true);
                let until = match self.policy.attempt_ms {
                    0 => Instant::NEVER,
                    ms => now.after(ms.into()),
                };
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
                until: until.min(self.deadline),
            },
            State::Refreshing { .. } => Step::Wait {
                until: self.deadline,
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
    /// force, when a refresh brought nothing newer.
    pub fn handle_snapshot(&mut self, now: Instant, plan: Plan) {
        if plan.snapshot < self.plan.snapshot || plan.keyspace != self.plan.keyspace {
            return;
        }
        match self.state {
            State::Refreshing {
                goal: goal @ Goal::Mirror(accepted),
                newer_than,
            }
            | State::Stale {
                goal: goal @ Goal::Mirror(accepted),
                newer_than,
            } => {
                if plan.snapshot <= newer_than {
                    self.state = self.pause(now, goal, BackoffClass::Refresh);
                    return;
                }
                let Accepted { version, .. } = accepted;
                self.state = State::Done(if after_refresh(&accepted, &plan) {
                    Outcome::Written {
                        version,
                        lagging: None,
                    }
                } else {
                    let version = Some(version);
                    Outcome::Failed(OperationError::Indeterminate { version })
                });
            }
            State::Refreshing { goal, .. } | State::Stale { goal, .. } => {
                let moved = plan.fence != self.plan.fence;
                self.plan = plan;
                let goal = goal.restart();
                self.state = if moved {
                    self.tries = 0;
                    State::Ready { goal, now }
                } else {
                    self.pause(now, goal, BackoffClass::Refresh)
                };
            }
            // A newer map in hand: no need to wait, if it says anything new of this key.
            State::Paused { goal, .. } if !matches!(goal, Goal::Mirror(_)) => {
                let moved = plan.fence != self.plan.fence;
                self.plan = plan;
                if moved {
                    self.tries = 0;
                    self.state = State::Ready {
                        goal: goal.restart(),
                        now,
                    };
                }
            }
            State::Ready { .. }
            | State::Sent { .. }
            | State::Paused { .. }
            | State::Trailing { .. }
            | State::Done(_) => {}
        }
    }

    /// Time has passed. Call it at the moment that [`Step::Wait`] named; at other moments it does
    /// nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now >= self.deadline {
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
        self.sent = self.sent.saturating_add(1);
        let (shard, fence, kind) = goal.request(&self.plan);
        Attempt {
            id: AttemptId(self.sent.into()),
            shard,
            keyspace: self.plan.keyspace,
            slot: self.plan.slot,
            stored_slot: self.plan.stored_slot,
            fence,
            kind,
            blocking,
        }
    }

    /// After a reply that says what was found or done.
    fn answered(&mut self, now: Instant, goal: Goal, id: AttemptId, reply: Reply) -> State {
        self.tries = 0;
        let ready = |goal| State::Ready { goal, now };
        match (goal, reply) {
            (Goal::Read, _) => {
                let behind = matches!(self.plan.read, ReadPlace::Fallback { .. });
                self.after_read(now, goal, id, after_first(reply, id, behind))
            }
            (Goal::LookBehind, _) => self.after_read(now, goal, id, after_second(reply)),
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
            ) => self.failed(now, goal, Failure::MaybeApplied),
        }
    }

    fn after_read(&mut self, now: Instant, goal: Goal, id: AttemptId, after: AfterRead) -> State {
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
            AfterRead::Senseless => self.failed(now, goal, Failure::MaybeApplied),
        }
    }

    fn refused(&mut self, now: Instant, goal: Goal, refusal: Refusal) -> State {
        self.last = Some(refusal);
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
        let goal = goal.restart();
        match on_refusal(refusal, self.plan.snapshot, self.refreshed) {
            Decision::Refresh {
                newer_than,
                conditional,
            } => {
                self.refreshed |= conditional;
                State::Stale { goal, newer_than }
            }
            Decision::BackOff(class) => self.pause(now, goal, class),
            Decision::WrongRole { current } => {
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

    fn failed(&mut self, now: Instant, goal: Goal, failure: Failure) -> State {
        match (goal, failure) {
            (Goal::Write, Failure::MaybeApplied) if self.policy.confirm => {
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
                Goal::Read | Goal::LookBehind | Goal::Repair { .. } | Goal::Push { .. },
                Failure::NotSent | Failure::MaybeApplied,
            )
            | (Goal::Write, Failure::NotSent) => {
                self.pause(now, goal.restart(), BackoffClass::Unavailable)
            }
            (Goal::Confirm | Goal::Mirror(_), Failure::NotSent | Failure::MaybeApplied) => {
                self.pause(now, goal, BackoffClass::Unavailable)
            }
        }
    }

    fn pause(&mut self, now: Instant, goal: Goal, class: BackoffClass) -> State {
        let wait = backoff_ms(class, self.tries, random(self.policy.seed, self.sent));
        self.tries = self.tries.saturating_add(1);
        State::Paused {
            goal,
            until: now.after(wait),
        }
    }

    /// The outcome when nothing more can be tried; `in_flight` says that an attempt for `goal` has
    /// no answer yet.
    fn outcome_at_end(&self, goal: Goal, in_flight: bool) -> Outcome {
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
            | Goal::Push { .. } => OperationError::Deadline { last: self.last },
        })
    }
}

#[cfg(test)]
mod tests;
