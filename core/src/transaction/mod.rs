//! A transaction over several keys of one shard, from its first request to its outcome, as a
//! machine.
//!
//! It reads all its keys in one step, lets the caller work on what was read, and commits in one
//! step that checks every fence again, and that nothing which the caller has looked at has changed.
//! Between the two it holds nothing at the shard. Like [`Operation`](crate::Operation) it obeys
//! [`policy`](crate::policy).

mod legs;
mod react;
mod step;

use alloc::vec;
use alloc::vec::Vec;

use crate::budget::Budget;
use crate::ids::{AttemptId, Epoch, Version};
use crate::pin::{PinError, Pinned};
use crate::policy::Policy;
use crate::policy::retry::BackoffClass;
use crate::step::{Attempt, AttemptKind, Failure, OperationError, Reply, UnknownAttempt};
use crate::time::Instant;
use legs::Leg;

pub use step::*;

/// A transaction over the keys of a [`Pinned`].
///
/// - Output: [`poll`](Self::poll), until it says work, wait or done.
/// - Inputs: `commit`, `roll_back`; `handle_reply`, `handle_snapshot`, `handle_timeout`; after each,
///   poll again. Early, late and repeated calls do nothing.
/// - Getters: `pinned`.
///
/// ```
/// # use ringshift::*;
/// # let text = r#"{"cluster":"demo","keyspaces":{"k":{}},"shards":[{"id":1,"name":"a"}]}"#;
/// # let topology: Topology = serde_json::from_str(text)?;
/// let router = Router::new(topology.snapshot()?.into());
/// let pinned = router.keyspace("k")?.transaction(&[b"alice", b"bobby"])?;
/// let now = Instant::ZERO;
/// let mut transfer = Transaction::new(pinned, Policy::default(), false, now);
///
/// // Both rows are read in one step.
/// let TransactionStep::Send(begin) = transfer.poll() else { unreachable!() };
/// let version = Version::new(Epoch::FIRST, 0);
/// let rows = vec![Reply::Found { version }, Reply::Found { version }];
/// transfer.handle_reply(now, begin.id, BatchReply::Done(rows))?;
/// let TransactionStep::Work { .. } = transfer.poll() else { unreachable!() };
///
/// // Both are written in one step, if they are still as they were read.
/// let both = Use { read: true, write: true };
/// transfer.commit(now, vec![both; 2]);
/// let TransactionStep::Send(commit) = transfer.poll() else { unreachable!() };
/// assert!(commit.parts.iter().all(|part| part.expected == Expected::Row(Some(version))));
/// let version = Version::new(Epoch::FIRST, 1);
/// let written = vec![Reply::Written { version }; 2];
/// transfer.handle_reply(now, commit.id, BatchReply::Done(written))?;
/// let versions = vec![Some(version); 2];
/// let done = TransactionOutcome::Done { versions, lagging: false };
/// assert_eq!(transfer.poll(), TransactionStep::Done(done));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
// INVARIANT (one fence): what is committed was read and is written under the same fences.
// INVARIANT (one stamp): an apply carries the fence under which its version was given or found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Transaction {
    budget: Budget,
    pinned: Pinned,
    /// Whether the caller's work may be asked for again.
    again: bool,
    state: State,
    /// The last conflict, where work is asked for again.
    conflict: Option<(usize, Option<Version>)>,
    /// What was read, by which batch.
    seen: Vec<Reply>,
    seen_by: AttemptId,
    uses: Vec<Use>,
    /// What the commit gave.
    versions: Vec<Option<Version>>,
    /// What is still to be put on mirrors.
    legs: Vec<Leg>,
    lagging: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Goal {
    /// Read all keys.
    Begin,
    /// Check what was read, and write.
    Commit,
    /// Ask whether the writes were carried out.
    Confirm,
    /// Put what is committed, or was read, on a mirror: the first of `legs`.
    Leg,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    /// A batch is to be sent, decided at that moment.
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
    /// The caller's turn.
    Working,
    /// The answer stands; mirrors that nobody waits for are still to be told.
    Trailing,
    /// Over.
    Done(TransactionOutcome),
}

impl Transaction {
    /// A transaction over the keys that were pinned.
    ///
    /// `again`: whether the caller's work can be done once more, from new reads, when the keys were
    /// rerouted or a row has changed before the commit; else that ends the transaction, with
    /// nothing changed. The policy's budget is for all of it, the caller's work included.
    pub fn new(pinned: Pinned, policy: Policy, again: bool, now: Instant) -> Self {
        Self {
            budget: Budget::new(policy, now),
            again,
            state: State::Ready {
                goal: Goal::Begin,
                now,
            },
            conflict: None,
            seen: Vec::new(),
            seen_by: AttemptId(0),
            uses: Vec::new(),
            versions: vec![None; pinned.plans.len()],
            legs: Vec::new(),
            lagging: false,
            pinned,
        }
    }

    /// What routes the keys at present.
    pub fn pinned(&self) -> &Pinned {
        &self.pinned
    }

    /// What to do next.
    #[must_use]
    pub fn poll(&mut self) -> TransactionStep {
        match self.state {
            State::Ready { goal, .. } if self.budget.is_spent() => {
                self.state = self.at_end(goal, false);
                self.poll()
            }
            State::Ready { goal, now } => {
                let batch = self.batch(goal);
                let until = self.budget.attempt_until(now);
                let id = batch.id;
                self.state = State::Sent { goal, id, until };
                TransactionStep::Send(batch)
            }
            State::Trailing if self.legs.is_empty() => {
                self.state = State::Done(self.done());
                self.poll()
            }
            State::Trailing => {
                let batch = Batch {
                    blocking: false,
                    ..self.batch(Goal::Leg)
                };
                self.legs.remove(0);
                self.lagging = true;
                TransactionStep::Send(batch)
            }
            State::Stale { goal, newer_than } => {
                self.state = State::Refreshing { goal, newer_than };
                TransactionStep::Refresh { newer_than }
            }
            State::Working => TransactionStep::Work {
                found_by: self.seen_by,
            },
            State::Sent { until, .. } | State::Paused { until, .. } => TransactionStep::Wait {
                until: until.min(self.budget.deadline()),
            },
            State::Refreshing { .. } => TransactionStep::Wait {
                until: self.budget.deadline(),
            },
            State::Done(ref outcome) => TransactionStep::Done(outcome.clone()),
        }
    }

    /// The caller's work is done: what it did with each key, in the order of the keys.
    pub fn commit(&mut self, now: Instant, mut uses: Vec<Use>) {
        if self.state != State::Working {
            return;
        }
        if self.budget.is_over(now) {
            self.state = self.at_end(Goal::Begin, false);
            return;
        }
        uses.resize(self.pinned.plans.len(), Use::default());
        self.uses = uses;
        self.state = if self.writes() {
            State::Ready {
                goal: Goal::Commit,
                now,
            }
        } else {
            // Read in one step, as the authority: it was true at that moment, by then.
            self.add_reads();
            self.next_leg(now)
        };
    }

    /// The caller wants nothing to be changed.
    pub fn roll_back(&mut self) {
        if self.state == State::Working {
            self.state = State::Done(TransactionOutcome::RolledBack);
        }
    }

    /// What a shard answered to batch `id`.
    ///
    /// # Errors
    /// [`UnknownAttempt`] for a batch that isn't waited for: late or repeated. Nothing changes.
    pub fn handle_reply(
        &mut self,
        now: Instant,
        id: AttemptId,
        reply: BatchReply,
    ) -> Result<(), UnknownAttempt> {
        match self.state {
            State::Sent {
                goal,
                id: waited_for,
                ..
            } if waited_for == id => {
                self.state = match reply {
                    BatchReply::Done(replies) => self.answered(now, goal, id, replies),
                    BatchReply::Conflict { part, found } => self.conflicts(now, goal, part, found),
                    BatchReply::Refused(refusal) => self.refused(now, goal, refusal),
                    BatchReply::Failed(failure) => self.failed(now, goal, failure),
                };
                Ok(())
            }
            _ => Err(UnknownAttempt(id)),
        }
    }

    /// The same keys pinned by a snapshot that was refreshed, or simply is at hand; also the one in
    /// force, when a refresh brought nothing newer. An older one changes nothing.
    pub fn handle_snapshot(&mut self, now: Instant, pinned: Result<Pinned, PinError>) {
        let (goal, newer_than, asked) = match self.state {
            State::Refreshing { goal, newer_than } => (goal, Some(newer_than), true),
            State::Stale { goal, newer_than } => (goal, Some(newer_than), false),
            State::Paused { goal, .. } => (goal, None, false),
            _ => return,
        };
        let pinned = match pinned {
            Ok(pinned) if !self.same_keys(&pinned) || pinned.snapshot < self.pinned.snapshot => {
                return;
            }
            Ok(pinned) => pinned,
            // What has been sent keeps to where it was sent, until that is refused.
            Err(_) if newer_than.is_none() && matches!(goal, Goal::Confirm | Goal::Leg) => return,
            Err(error) => {
                self.state = self.unpinned(now, goal, error);
                return;
            }
        };
        if goal == Goal::Leg {
            // It keeps its stamp: the new map only says whether it is still needed.
            if newer_than.is_some_and(|epoch| pinned.snapshot > epoch) {
                self.state = self.leg_refreshed(now, &pinned);
            } else if asked {
                self.state = self.pause(now, goal, BackoffClass::Refresh);
            }
            return;
        }
        let moved = self.adopt(pinned);
        self.state = match goal {
            // What it was given was read under other fences.
            Goal::Commit if moved => self.rerouted(now, None),
            Goal::Begin | Goal::Confirm if moved => {
                self.budget.progress();
                State::Ready { goal, now }
            }
            _ if asked => self.pause(now, goal, BackoffClass::Refresh),
            _ => return,
        };
    }

    /// Takes a newer pin; whether it routes any of the keys otherwise.
    fn adopt(&mut self, pinned: Pinned) -> bool {
        if pinned.snapshot <= self.pinned.snapshot {
            return false;
        }
        let fences = |pinned: &Pinned| pinned.plans.iter().map(|plan| plan.fence).collect();
        let (old, new): (Vec<_>, Vec<_>) = (fences(&self.pinned), fences(&pinned));
        self.pinned = pinned;
        old != new
    }

    fn same_keys(&self, pinned: &Pinned) -> bool {
        let same = |(a, b): (&crate::route::Plan, &crate::route::Plan)| {
            a.keyspace == b.keyspace && a.stored_slot == b.stored_slot
        };
        pinned.plans.len() == self.pinned.plans.len()
            && pinned.plans.iter().zip(&self.pinned.plans).all(same)
    }

    /// Time has passed. Call it at the moment that [`TransactionStep::Wait`] named; at other
    /// moments it does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.budget.is_over(now) {
            self.state = match self.state {
                State::Ready { goal, .. }
                | State::Paused { goal, .. }
                | State::Stale { goal, .. }
                | State::Refreshing { goal, .. } => self.at_end(goal, false),
                State::Sent { goal, .. } => self.at_end(goal, true),
                State::Working => self.at_end(Goal::Begin, false),
                State::Trailing | State::Done(_) => return,
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
            _ => {}
        }
    }

    fn writes(&self) -> bool {
        self.uses.iter().any(|used| used.write)
    }

    fn batch(&mut self, goal: Goal) -> Batch {
        let id = self.budget.name();
        if let (Goal::Leg, Some(leg)) = (goal, self.legs.first()) {
            return leg.batch(id, &self.pinned, self.seen_by);
        }
        let parts = (0..).zip(&self.pinned.plans).filter_map(|(key, plan)| {
            let used = self.uses.get(key).copied().unwrap_or_default();
            let (kind, expected) = match goal {
                Goal::Begin => (AttemptKind::Read, Expected::Any),
                Goal::Commit if used.write => (AttemptKind::Write, self.expected(key, used)),
                Goal::Commit if used.read => (AttemptKind::Read, self.expected(key, used)),
                Goal::Confirm if used.write => (AttemptKind::Confirm, Expected::Any),
                Goal::Commit | Goal::Confirm | Goal::Leg => return None,
            };
            let attempt = Attempt {
                id,
                shard: self.pinned.shard,
                keyspace: plan.keyspace,
                slot: plan.slot,
                stored_slot: plan.stored_slot,
                fence: plan.fence,
                kind,
                blocking: true,
                unfenced: None,
            };
            Some(Part {
                key,
                attempt,
                expected,
            })
        });
        Batch {
            id,
            shard: self.pinned.shard,
            parts: parts.collect(),
            blocking: true,
        }
    }

    /// What a key must be like at the commit, for what the caller did with it.
    fn expected(&self, key: usize, used: Use) -> Expected {
        match self.seen.get(key) {
            _ if !used.read => Expected::Any,
            Some(Reply::Found { version }) => Expected::Row(Some(*version)),
            _ => Expected::Row(None),
        }
    }

    fn done(&self) -> TransactionOutcome {
        TransactionOutcome::Done {
            versions: self.versions.clone(),
            lagging: self.lagging,
        }
    }

    /// The end when nothing more can be tried; `in_flight` says that a batch for `goal` has no
    /// answer yet.
    fn at_end(&self, goal: Goal, in_flight: bool) -> State {
        let unknown = match goal {
            Goal::Begin => false,
            Goal::Commit => in_flight,
            Goal::Confirm => true,
            // What was only read may be read again; what is committed isn't on its mirror.
            Goal::Leg => self.writes(),
        };
        let error = if unknown {
            TransactionError::Operation(OperationError::Indeterminate { version: None })
        } else if let Some((key, found)) = self.conflict {
            TransactionError::Conflict { key, found }
        } else {
            TransactionError::Operation(self.budget.exceeded())
        };
        State::Done(TransactionOutcome::Failed(error))
    }
}

#[cfg(test)]
mod tests;
