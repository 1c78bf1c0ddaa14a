//! What an operation and a transaction have left: of time, of attempts, of refreshes.
//!
//! It obeys [`policy`](crate::policy): what to do about a refusal, or about silence, is decided
//! there; here is counted what the decision depends on.

use crate::guard::Refusal;
use crate::ids::{AttemptId, Epoch};
use crate::policy::Policy;
use crate::policy::retry::{
    BackoffClass, Decision, Retry, backoff_ms, on_refusal, on_silence, random,
};
use crate::step::OperationError;
use crate::time::Instant;

/// How it goes on after an attempt that brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Get a snapshot past this epoch first.
    Refresh { newer_than: Epoch },
    /// Wait until then.
    Pause { until: Instant },
}

/// A refusal, judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The shard's epoch is past the map's: what was sent can never be carried out under it.
    Outdated { newer_than: Epoch },
    /// It may help to go on.
    GoOn(Next),
    /// A fork or a bug.
    WrongRole { current: Epoch },
}

/// What is left to try.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    policy: Policy,
    deadline: Instant,
    /// Attempts sent; also the last one's number.
    // INVARIANT (one name): no two attempts share an id. A cap of 2^16 - 1 and one trailing mirror
    // write fit 32 bits.
    sent: u32,
    /// Waits in a row.
    waits: u16,
    /// The one refresh for refusals that name no newer epoch is used up.
    refreshed: bool,
    /// The last refusal, for the message.
    last: Option<Refusal>,
}

impl Budget {
    pub(crate) fn new(policy: Policy, now: Instant) -> Self {
        Self {
            policy,
            deadline: now.after(policy.deadline_ms.into()),
            sent: 0,
            waits: 0,
            refreshed: false,
            last: None,
        }
    }

    /// Whether no more attempts may be sent.
    pub(crate) fn is_spent(&self) -> bool {
        self.sent >= self.policy.attempts_max.into()
    }

    /// Whether there is no more time.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        now >= self.deadline
    }

    /// When there is no more time.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether to ask what became of a write without an answer.
    pub(crate) fn confirms(&self) -> bool {
        self.policy.confirm
    }

    /// Names one more attempt.
    pub(crate) fn name(&mut self) -> AttemptId {
        self.sent = self.sent.saturating_add(1);
        AttemptId(self.sent)
    }

    /// Until when an attempt that is sent now may have an answer.
    pub(crate) fn attempt_until(&self, now: Instant) -> Instant {
        match self.policy.attempt_ms {
            0 => Instant::NEVER,
            ms => now.after(ms.into()),
        }
    }

    /// The last refusal.
    pub(crate) fn last(&self) -> Option<Refusal> {
        self.last
    }

    /// What the caller is told when nothing was changed, and nothing more can be tried.
    pub(crate) fn exceeded(&self) -> OperationError {
        OperationError::Deadline { last: self.last }
    }

    /// Something came of it: the next wait is a first one. Answers how many waits there were.
    pub(crate) fn progress(&mut self) -> u16 {
        core::mem::take(&mut self.waits)
    }

    /// Nothing came of it after all: the waits go on growing.
    pub(crate) fn no_progress(&mut self, waits: u16) {
        self.waits = waits;
    }

    /// When to go on after one more wait.
    pub(crate) fn pause(&mut self, now: Instant, class: BackoffClass) -> Instant {
        let wait = backoff_ms(class, self.waits, random(self.policy.seed, self.sent));
        self.waits = self.waits.saturating_add(1);
        now.after(wait)
    }

    /// Remembers a refusal.
    pub(crate) fn note(&mut self, refusal: Refusal) {
        self.last = Some(refusal);
    }

    /// Judges a refusal of what the snapshot of epoch `map` has routed.
    pub(crate) fn refused(&mut self, now: Instant, map: Epoch, refusal: Refusal) -> Refused {
        match on_refusal(refusal, map, self.refreshed) {
            Decision::Retry(Retry::Refresh {
                newer_than,
                conditional: false,
            }) => Refused::Outdated { newer_than },
            Decision::Retry(retry) => Refused::GoOn(self.retry(now, retry)),
            Decision::WrongRole { current } => Refused::WrongRole { current },
        }
    }

    /// What to do when no answer came to what the snapshot of epoch `map` has routed.
    pub(crate) fn silent(&mut self, now: Instant, map: Epoch) -> Next {
        let retry = on_silence(map, self.refreshed);
        self.retry(now, retry)
    }

    fn retry(&mut self, now: Instant, retry: Retry) -> Next {
        match retry {
            Retry::Refresh {
                newer_than,
                conditional,
            } => {
                self.refreshed |= conditional;
                Next::Refresh { newer_than }
            }
            Retry::BackOff(class) => Next::Pause {
                until: self.pause(now, class),
            },
        }
    }
}
