//! What a transaction owes to mirrors: its own writes, and in read-new the rows that it has shown.

use alloc::vec::Vec;

use crate::guard::Fence;
use crate::guard::Refusal;
use crate::ids::{AttemptId, ShardId, Version};
use crate::pin::Pinned;
use crate::policy::write::{Accepted, MirrorRefused, after_refresh, mirror_refused};
use crate::route::{Plan, ReadPlace};
use crate::step::{Attempt, AttemptKind, OperationError, Payload, Reply};
use crate::time::Instant;
use crate::transaction::{
    Batch, Expected, Goal, Part, State, Transaction, TransactionError, TransactionOutcome,
};

/// Rows of one domain that its mirror is to get.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Leg {
    mirror: ShardId,
    authority: ShardId,
    /// Under which the versions were given or found. A leg is never stamped with another.
    fence: Fence,
    strict: bool,
    /// Place of the key, version, and whether the content is the transaction's own.
    rows: Vec<(usize, Version, bool)>,
}

impl Leg {
    pub(super) fn batch(&self, id: AttemptId, pinned: &Pinned, seen_by: AttemptId) -> Batch {
        let parts = self.rows.iter().filter_map(|&(key, version, own)| {
            let plan = pinned.plans.get(key)?;
            let payload = if own {
                Payload::Own
            } else {
                Payload::FoundBy(seen_by)
            };
            let attempt = Attempt {
                id,
                shard: self.mirror,
                keyspace: plan.keyspace,
                slot: plan.slot,
                stored_slot: plan.stored_slot,
                fence: self.fence,
                kind: AttemptKind::Apply { version, payload },
                blocking: self.strict,
                unfenced: None,
            };
            Some(Part {
                key,
                attempt,
                expected: Expected::Any,
            })
        });
        Batch {
            id,
            shard: self.mirror,
            parts: parts.collect(),
            blocking: self.strict,
        }
    }

    /// In the words of a single write's rules.
    fn accepted(&self) -> Accepted {
        Accepted {
            version: self.rows.first().map_or(Version::ZERO, |row| row.1),
            authority: self.authority,
            mirror: self.mirror,
            fence: self.fence,
        }
    }
}

impl Transaction {
    /// The rows that the caller has looked at, where plain reads may look elsewhere: a later read
    /// must not see less.
    pub(super) fn add_reads(&mut self) {
        for key in 0..self.pinned.plans.len() {
            let used = self.uses.get(key).copied().unwrap_or_default();
            let Some(plan) = self.pinned.plans.get(key).copied() else {
                continue;
            };
            let (Some(Reply::Found { version } | Reply::Deleted { version }), true) =
                (self.seen.get(key), used.read && !used.write)
            else {
                continue;
            };
            if matches!(plan.read, ReadPlace::Fallback { .. }) {
                self.add(key, &plan, *version, false);
            }
        }
    }

    /// A row that is committed.
    pub(super) fn add_write(&mut self, key: usize, version: Version) {
        if let Some(plan) = self.pinned.plans.get(key).copied() {
            self.add(key, &plan, version, true);
        }
    }

    fn add(&mut self, key: usize, plan: &Plan, version: Version, own: bool) {
        let Some(mirror) = plan.mirror else {
            return;
        };
        let row = (key, version, own);
        let known = self.legs.iter_mut().find(|leg| leg.fence == plan.fence);
        if let Some(leg) = known {
            leg.rows.push(row);
            return;
        }
        let leg = Leg {
            mirror,
            authority: plan.authority,
            fence: plan.fence,
            strict: plan.strict,
            rows: [row].into(),
        };
        // Those that are waited for go first.
        let at = self
            .legs
            .partition_point(|known| known.strict || !leg.strict);
        self.legs.insert(at, leg);
    }

    /// Goes on with the next leg, or is done.
    pub(super) fn next_leg(&mut self, now: Instant) -> State {
        match self.legs.first() {
            Some(leg) if leg.strict => State::Ready {
                goal: Goal::Leg,
                now,
            },
            Some(_) => State::Trailing,
            None => State::Done(self.done()),
        }
    }

    /// The first leg is on its mirror, or needn't be.
    pub(super) fn leg_done(&mut self, now: Instant) -> State {
        if !self.legs.is_empty() {
            self.legs.remove(0);
        }
        self.next_leg(now)
    }

    pub(super) fn leg_refused(&mut self, now: Instant, refusal: Refusal) -> State {
        let Some(accepted) = self.legs.first().map(Leg::accepted) else {
            return State::Done(self.done());
        };
        match mirror_refused(&accepted, refusal) {
            // The drain has carried what the authority had, what was read there too.
            MirrorRefused::Drained => self.leg_done(now),
            MirrorRefused::Refresh { newer_than } => State::Stale {
                goal: Goal::Leg,
                newer_than,
            },
            MirrorRefused::BackOff(class) => self.pause(now, Goal::Leg, class),
        }
    }

    /// Whether a mirror that refused is a mirror no more.
    pub(super) fn leg_refreshed(&mut self, now: Instant, pinned: &Pinned) -> State {
        let Some(leg) = self.legs.first() else {
            return State::Done(self.done());
        };
        let plans = leg.rows.iter().map(|&(key, _, _)| pinned.plans.get(key));
        let accepted = leg.accepted();
        let needless =
            |plan: Option<&Plan>| plan.is_some_and(|plan| after_refresh(&accepted, plan));
        if plans.into_iter().all(needless) {
            return self.leg_done(now);
        }
        self.leg_lost(now)
    }

    /// Nobody can say that the mirror has what it must.
    pub(super) fn leg_lost(&mut self, now: Instant) -> State {
        if !self.writes() {
            // It must not be shown; nothing was changed.
            return self.rerouted(now, self.budget.last());
        }
        let error = OperationError::Indeterminate { version: None };
        State::Done(TransactionOutcome::Failed(TransactionError::Operation(
            error,
        )))
    }
}
