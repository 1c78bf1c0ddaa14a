//! Comparing a sampled read on both sides of a wave, after its caller has been answered.
//!
//! A mismatch counts only when it lasts: the two sides are read again after a while, the mirror
//! first, and the authority's row must not have changed since the first look. A row that is only
//! late, or is being written, is no mismatch.

use crate::digest::{MismatchKind, compare};
use crate::ids::{AttemptId, ShardId, Version};
use crate::policy::Policy;
use crate::policy::retry::random;
use crate::route::{Leased, Plan};
use crate::step::{Attempt, AttemptKind, Reply};
use crate::time::Instant;

/// How long after the first look the second one comes, in milliseconds; and up to twice that.
const LOOK_AGAIN_MS: u64 = 200;
/// Looks at a row that changes between looks, before giving up on it.
const LOOKS_MAX: u8 = 4;

/// A comparison of one key, as a machine.
///
/// - Output: [`poll`](Self::poll).
/// - Inputs: `handle_reply`, `handle_timeout`; early, late and repeated calls do nothing.
///
/// ```
/// # use ringshift::*;
/// # let text = r#"{"cluster":"demo","keyspaces":{"k":{}},"shards":[{"id":1,"name":"a"}]}"#;
/// # let topology: Topology = serde_json::from_str(text)?;
/// # let router = Router::new(topology.snapshot()?.into());
/// // A stable key has nothing to be compared with.
/// let plan = router.keyspace("k")?.plan(b"user:42")?;
/// assert_eq!(Shadow::of(&plan, &Policy::default(), Instant::ZERO), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shadow {
    plan: Plan,
    mirror: ShardId,
    seed: u64,
    state: State,
    sent: u16,
    looks: u8,
    /// What the authority had at the last look.
    before: Option<Row>,
    deadline: Instant,
}

/// A row as it is compared: its version and its [digest](crate::row_digest).
type Row = (Version, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    Ready(Look),
    Sent(Look, AttemptId),
    Paused(Instant),
    Done(Compared),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Look {
    /// The first look at the authority.
    Authority,
    /// The first look at the mirror.
    Mirror,
    /// A later look at the mirror.
    MirrorAgain,
    /// A later look at the authority, after the mirror's.
    AuthorityAgain { mirror: Option<Row> },
}

/// What a comparison wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShadowStep {
    /// Send this read.
    Send(Attempt),
    /// Wait for the reply, or until this moment and then `handle_timeout`.
    Wait {
        /// When.
        until: Instant,
    },
    /// Over. Repeats.
    Done(Compared),
}

/// How a comparison ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compared {
    /// The two sides are the same.
    Same,
    /// They differ, and did at the second look.
    Mismatch(MismatchKind),
    /// Not to be said: the row kept changing, the wave moved on, or a shard didn't answer.
    Unsure,
}

impl Shadow {
    /// The comparison that a read by `plan` asks for: `None` for a key that isn't sampled.
    pub fn of(plan: &Plan, policy: &Policy, now: Instant) -> Option<Self> {
        Some(Self {
            plan: *plan,
            mirror: plan.shadow?,
            seed: policy.seed,
            state: State::Ready(Look::Authority),
            sent: 0,
            looks: 1,
            before: None,
            deadline: now.after(policy.deadline_ms.into()),
        })
    }

    /// What to do next.
    #[must_use]
    pub fn poll(&mut self) -> ShadowStep {
        match self.state {
            State::Ready(look) => {
                self.sent = self.sent.saturating_add(1);
                let id = AttemptId(self.sent.into());
                self.state = State::Sent(look, id);
                let shard = match look {
                    Look::Authority | Look::AuthorityAgain { .. } => self.plan.authority,
                    Look::Mirror | Look::MirrorAgain => self.mirror,
                };
                ShadowStep::Send(Attempt {
                    id,
                    shard,
                    keyspace: self.plan.keyspace,
                    slot: self.plan.slot,
                    stored_slot: self.plan.stored_slot,
                    fence: self.plan.fence,
                    kind: AttemptKind::Read,
                    blocking: true,
                    unfenced: self.plan.leased.as_ref().map(Leased::unfenced),
                })
            }
            State::Sent(..) => ShadowStep::Wait {
                until: self.deadline,
            },
            State::Paused(until) => ShadowStep::Wait {
                until: until.min(self.deadline),
            },
            State::Done(compared) => ShadowStep::Done(compared),
        }
    }

    /// What a shard answered; `digest` is the [`row_digest`](crate::row_digest) of the row or
    /// tombstone that it found.
    pub fn handle_reply(&mut self, now: Instant, id: AttemptId, reply: Reply, digest: Option<u64>) {
        let State::Sent(look, waited_for) = self.state else {
            return;
        };
        if id != waited_for {
            return;
        }
        let row = match (reply, digest) {
            (Reply::Found { version } | Reply::Deleted { version }, Some(digest)) => {
                Some((version, digest))
            }
            (Reply::Missing, _) => None,
            // A refusal, a failure, or a reply that isn't one to a read.
            _ => {
                self.state = State::Done(Compared::Unsure);
                return;
            }
        };
        self.state = match look {
            Look::Authority => {
                self.before = row;
                State::Ready(Look::Mirror)
            }
            Look::Mirror if compare(self.before, row).is_none() => State::Done(Compared::Same),
            Look::Mirror => self.pause(now),
            Look::MirrorAgain => State::Ready(Look::AuthorityAgain { mirror: row }),
            Look::AuthorityAgain { mirror } => {
                let unchanged = row == self.before;
                self.before = row;
                match compare(row, mirror) {
                    None => State::Done(Compared::Same),
                    Some(kind) if unchanged => State::Done(Compared::Mismatch(kind)),
                    Some(_) if self.looks < LOOKS_MAX => self.pause(now),
                    Some(_) => State::Done(Compared::Unsure),
                }
            }
        };
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.state {
            State::Done(_) => {}
            _ if now >= self.deadline => self.state = State::Done(Compared::Unsure),
            State::Paused(until) if now >= until => {
                self.looks += 1;
                self.state = State::Ready(Look::MirrorAgain);
            }
            State::Ready(_) | State::Sent(..) | State::Paused(_) => {}
        }
    }

    fn pause(&self, now: Instant) -> State {
        let jitter = random(self.seed, self.sent.into()) % LOOK_AGAIN_MS;
        State::Paused(now.after(LOOK_AGAIN_MS + jitter))
    }
}

#[cfg(test)]
mod tests;
