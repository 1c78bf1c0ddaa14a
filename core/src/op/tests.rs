//! Every path of an operation, as traces: what it is told, and exactly what it asks for.

mod budget;
mod reads;
mod writes;

use super::*;
use crate::guard::{Fence, Refusal};
use crate::ids::{DomainId, KeyspaceId, ShardId, Slot, Version};
use crate::route::ReadPlace;
use crate::step::{AttemptKind, Failure, Payload};

const FROM: ShardId = ShardId(1);
const TO: ShardId = ShardId(2);

fn e(n: u32) -> Epoch {
    Epoch::new(n).unwrap_or(Epoch::MAX)
}

fn v(n: u32) -> Version {
    Version::new(e(1), n)
}

fn written(n: u32) -> Reply {
    Reply::Written { version: v(n) }
}

fn found(n: u32) -> Reply {
    Reply::Found { version: v(n) }
}

fn deleted(n: u32) -> Reply {
    Reply::Deleted { version: v(n) }
}

fn conflict(n: u32) -> Reply {
    let found = Some(v(n));
    Reply::Conflict { found }
}

fn stale(current: u32, drained: u32) -> Reply {
    let (current, drained) = (e(current), e(drained));
    Reply::Refused(Refusal::StaleEpoch { current, drained })
}

fn not_ready(current: u32) -> Reply {
    let current = e(current);
    Reply::Refused(Refusal::NotReady { current })
}

fn own(n: u32) -> AttemptKind {
    AttemptKind::Apply {
        version: v(n),
        payload: Payload::Own,
    }
}

fn found_by(attempt: u32, n: u32) -> AttemptKind {
    AttemptKind::Apply {
        version: v(n),
        payload: Payload::FoundBy(AttemptId(attempt)),
    }
}

fn done(n: u32, lagging: Option<ShardId>) -> Outcome {
    let version = v(n);
    Outcome::Written { version, lagging }
}

fn value(attempt: u32, n: u32) -> Outcome {
    Outcome::Value {
        from: AttemptId(attempt),
        version: v(n),
    }
}

const fn indeterminate(version: Option<Version>) -> Outcome {
    Outcome::Failed(OperationError::Indeterminate { version })
}

/// The key, stable on `shard`, at this epoch.
fn stable(epoch: u32, shard: ShardId) -> Plan {
    Plan {
        snapshot: e(epoch),
        keyspace: KeyspaceId(0),
        slot: Slot(9),
        stored_slot: 0x9abcd,
        fence: Fence {
            domain: DomainId(3),
            epoch: e(epoch),
        },
        authority: shard,
        mirror: None,
        read: ReadPlace::One(shard),
        strict: false,
        shadow: None,
        leased: None,
    }
}

fn double_write(epoch: u32, strict: bool) -> Plan {
    Plan {
        mirror: Some(TO),
        strict,
        ..stable(epoch, FROM)
    }
}

/// Read-new; the key is inside the ramp.
fn ramp(epoch: u32) -> Plan {
    Plan {
        read: ReadPlace::Fallback {
            first: TO,
            second: FROM,
        },
        ..double_write(epoch, true)
    }
}

fn reversed(epoch: u32) -> Plan {
    Plan {
        mirror: Some(FROM),
        ..stable(epoch, TO)
    }
}

fn policy() -> Policy {
    Policy {
        seed: 7,
        ..Policy::default()
    }
}

/// An operation and its driver, which checks every step.
#[derive(Clone)]
struct Trace {
    op: Operation,
    now: Instant,
    sent: u32,
}

impl Trace {
    fn new(op: fn(Plan, Policy, Instant) -> Operation, plan: Plan, policy: Policy) -> Self {
        let now = Instant::from_millis(10_000);
        let op = op(plan, policy, now);
        Self { op, now, sent: 0 }
    }

    fn read(plan: Plan) -> Self {
        Self::new(Operation::read, plan, policy())
    }

    fn write(plan: Plan) -> Self {
        Self::new(Operation::write, plan, policy())
    }

    /// Sends exactly this.
    #[track_caller]
    fn sends(mut self, shard: ShardId, epoch: u32, kind: AttemptKind) -> Self {
        self.next_is(shard, epoch, kind, true);
        assert!(matches!(self.op.poll(), Step::Wait { .. }));
        self
    }

    /// Sends exactly this, and doesn't wait for it.
    #[track_caller]
    fn trails(mut self, shard: ShardId, epoch: u32, kind: AttemptKind) -> Self {
        self.next_is(shard, epoch, kind, false);
        self
    }

    #[track_caller]
    fn next_is(&mut self, shard: ShardId, epoch: u32, kind: AttemptKind, blocking: bool) {
        self.sent += 1;
        let plan = stable(epoch, shard);
        let attempt = Attempt {
            id: AttemptId(self.sent),
            shard,
            keyspace: plan.keyspace,
            slot: plan.slot,
            stored_slot: plan.stored_slot,
            fence: plan.fence,
            kind,
            blocking,
            unfenced: None,
        };
        assert_eq!(self.op.poll(), Step::Send(attempt));
    }

    /// Is told the reply to its last attempt, and then once more.
    #[track_caller]
    fn gets(mut self, reply: Reply) -> Self {
        let id = AttemptId(self.sent);
        assert_eq!(self.op.handle_reply(self.now, id, reply), Ok(()));
        let after = self.op.clone();
        let again = self.op.handle_reply(self.now, id, reply);
        assert_eq!(again, Err(UnknownAttempt(id)));
        assert_eq!(self.op, after, "a repeated reply changed something");
        self
    }

    /// Waits, not woken a moment too early, until it wants to be called.
    #[track_caller]
    fn waits(mut self) -> Self {
        let before = self.op.poll();
        let Step::Wait { until } = before else {
            unreachable!("{before:?} is not a wait");
        };
        assert!(until > self.now);
        self.op
            .handle_timeout(Instant::from_millis(until.as_millis() - 1));
        assert_eq!(self.op.poll(), before, "woken too early");
        self.op.handle_timeout(until);
        self.now = until;
        self
    }

    /// As `waits`, and not for longer than this.
    #[track_caller]
    fn waits_at_most(self, ms: u64) -> Self {
        let before = self.now;
        let after = self.waits();
        assert!(after.now.since(before) <= ms, "{}", after.now);
        after
    }

    /// Asks for a snapshot past this epoch, once.
    #[track_caller]
    fn refreshes(mut self, newer_than: u32) -> Self {
        let newer_than = e(newer_than);
        assert_eq!(self.op.poll(), Step::Refresh { newer_than });
        assert!(matches!(self.op.poll(), Step::Wait { .. }));
        self
    }

    fn learns(mut self, plan: Plan) -> Self {
        self.op.handle_snapshot(self.now, plan);
        self
    }

    /// Nothing but the deadline comes.
    fn runs_out(mut self) -> Self {
        self.now = Instant::from_millis(15_000);
        self.op.handle_timeout(self.now);
        self
    }

    /// Is over, and nothing that comes later changes that.
    #[track_caller]
    fn ends(mut self, outcome: Outcome) {
        assert_eq!(self.op.poll(), Step::Done(outcome));
        let over = self.op.clone();
        for id in 0..=self.sent + 1 {
            let late = self.op.handle_reply(self.now, AttemptId(id), written(99));
            assert_eq!(late, Err(UnknownAttempt(AttemptId(id))));
        }
        self.op.handle_snapshot(self.now, stable(99, TO));
        self.op.handle_timeout(Instant::NEVER);
        assert_eq!(self.op, over);
        assert_eq!(self.op.poll(), Step::Done(outcome));
    }
}
