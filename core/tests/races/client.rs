//! Clients: one operation each, driven by hand.

use std::sync::Arc;

use ringshift::{
    Attempt, AttemptId, AttemptKind, Failure, Instant, Operation, OperationError, Outcome, Payload,
    Plan, Policy, RefreshGate, Refusal, Reply, Router, ShardId, Snapshot, Step,
};

use super::shard::{Content, Key, NOTHING, Value};
use super::world::World;

/// One read or write of one key.
#[derive(Clone)]
pub(crate) struct Client {
    key: Key,
    /// What a write writes; `NOTHING` deletes.
    own: Content,
    operation: Operation,
    found: Vec<(AttemptId, Content)>,
}

/// An attempt on its way.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) attempt: Attempt,
    key: Key,
    content: Content,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Saw(Value),
    Written { lagging: Option<ShardId> },
    Failed(OperationError),
}

pub(crate) const DONE: End = End::Written { lagging: None };

const POLICY: Policy = Policy {
    deadline_ms: u32::MAX,
    attempt_ms: 0,
    attempts_max: 8,
    confirm: true,
    seed: 0,
};

impl World {
    /// A read, routed by `map`.
    pub(crate) fn read_by(&mut self, map: &Arc<Snapshot>, key: Key) -> Client {
        let operation = Operation::read(plan(map, key), POLICY, Instant::ZERO);
        self.client(key, NOTHING, operation)
    }

    /// A write, routed by `map`.
    pub(crate) fn write_by(&mut self, map: &Arc<Snapshot>, key: Key, value: Value) -> Client {
        let operation = Operation::write(plan(map, key), POLICY, Instant::ZERO);
        self.client(key, value, operation)
    }

    /// A write at `now`, by `map` and with the lease that `gate` knows of.
    pub(crate) fn write_under(
        &mut self,
        gate: &RefreshGate,
        map: &Arc<Snapshot>,
        now: Instant,
        value: Value,
    ) -> Client {
        let key = super::world::MOVES;
        let router = Router::new(map.clone());
        let plan = router.keyspace("k").unwrap().plan(&[key]).unwrap();
        let operation = Operation::write(gate.lease(plan), POLICY, now);
        self.client(key, value, operation)
    }

    /// A read, routed by the snapshot in force.
    pub(crate) fn read(&mut self, key: Key) -> Client {
        self.read_by(&self.snapshot.clone(), key)
    }

    /// A write, routed by the snapshot in force.
    pub(crate) fn write(&mut self, key: Key, value: Value) -> Client {
        self.write_by(&self.snapshot.clone(), key, value)
    }

    fn client(&mut self, key: Key, value: Value, operation: Operation) -> Client {
        // A long story has more operations than names; only the last ones must be told apart.
        self.op = self.op.checked_add(1).unwrap_or(1);
        let own = Content { value, op: self.op };
        Client {
            key,
            own,
            operation,
            found: Vec::new(),
        }
    }

    /// Writes, and expects to be told that it is done.
    #[track_caller]
    pub(crate) fn put(&mut self, key: Key, value: Value) {
        let mut client = self.write(key, value);
        let end = self.finish(&mut client);
        assert!(matches!(end, End::Written { .. }), "{end:?}");
    }

    /// Reads, and expects an answer.
    #[track_caller]
    pub(crate) fn get(&mut self, key: Key) -> Value {
        let mut client = self.read(key);
        match self.finish(&mut client) {
            End::Saw(value) => value,
            other => panic!("no answer: {other:?}"),
        }
    }

    /// The letter arrives; nobody hears the answer.
    pub(crate) fn deliver_letter(&mut self, letter: &Letter) -> Reply {
        self.carry_letter(letter).0
    }

    fn carry_letter(&mut self, letter: &Letter) -> (Reply, Content) {
        let shard = self.shards.get_mut(&letter.attempt.shard).unwrap();
        shard.attempt(&letter.attempt, letter.key, letter.content)
    }

    /// A letter that the client waits for arrives, and the client hears the answer.
    pub(crate) fn post(&mut self, client: &mut Client, letter: &Letter) -> Reply {
        if self.cut_off == Some(letter.attempt.shard) {
            let lost = Reply::Failed(Failure::MaybeApplied);
            client.hear(letter, lost);
            return lost;
        }
        let (reply, content) = self.carry_letter(letter);
        client.found.push((letter.attempt.id, content));
        client.hear(letter, reply);
        reply
    }

    /// The client's next letter, there and back.
    #[track_caller]
    pub(crate) fn advance(&mut self, client: &mut Client) -> Reply {
        let letter = client.letter();
        self.post(client, &letter)
    }

    /// Drives a client to its end, with whatever snapshot is in force.
    pub(crate) fn finish(&mut self, client: &mut Client) -> End {
        for _ in 0..100 {
            match client.operation.poll() {
                Step::Send(attempt) => {
                    let letter = client.letter_of(attempt);
                    if attempt.blocking {
                        self.post(client, &letter);
                    } else if !self.lossy {
                        self.deliver_letter(&letter);
                    }
                }
                Step::Refresh { .. } => client.refresh(&self.snapshot),
                Step::Wait { until } => client.operation.handle_timeout(until),
                Step::Done(outcome) => return client.end(outcome),
            }
        }
        panic!("a client without an end");
    }
}

impl Client {
    /// What it sends next. Waits and refreshes are for [`World::finish`].
    #[track_caller]
    pub(crate) fn letter(&mut self) -> Letter {
        match self.operation.poll() {
            Step::Send(attempt) => self.letter_of(attempt),
            other => panic!("nothing to send: {other:?}"),
        }
    }

    /// The same, if it has anything to send.
    pub(crate) fn sends(&mut self) -> Option<Letter> {
        match self.operation.poll() {
            Step::Send(attempt) => Some(self.letter_of(attempt)),
            _ => None,
        }
    }

    /// What it wants next, whatever it is.
    pub(crate) fn step(&mut self) -> Step {
        self.operation.poll()
    }

    /// It is `now`.
    pub(crate) fn pass(&mut self, now: Instant) {
        self.operation.handle_timeout(now);
    }

    /// It ends here, with nothing more to send.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> End {
        match self.operation.poll() {
            Step::Done(outcome) => self.end(outcome),
            other => panic!("not at its end: {other:?}"),
        }
    }

    pub(crate) fn plan(&self) -> &Plan {
        self.operation.plan()
    }

    pub(crate) fn hear(&mut self, letter: &Letter, reply: Reply) {
        let heard = self
            .operation
            .handle_reply(Instant::ZERO, letter.attempt.id, reply);
        assert_eq!(heard, Ok(()));
    }

    pub(crate) fn refresh(&mut self, map: &Arc<Snapshot>) {
        let plan = plan(map, self.key);
        self.operation.handle_snapshot(Instant::ZERO, plan);
    }

    pub(crate) fn letter_of(&self, attempt: Attempt) -> Letter {
        let content = match attempt.kind {
            AttemptKind::Apply {
                payload: Payload::FoundBy(id),
                ..
            } => self.content_of(id),
            _ => self.own,
        };
        Letter {
            attempt,
            key: self.key,
            content,
        }
    }

    fn content_of(&self, id: AttemptId) -> Content {
        let found = self.found.iter().find(|(found, _)| *found == id);
        found.unwrap().1
    }

    pub(crate) fn end(&self, outcome: Outcome) -> End {
        match outcome {
            Outcome::Value { from, .. } => End::Saw(self.content_of(from).value),
            Outcome::Missing => End::Saw(NOTHING),
            Outcome::Written { lagging, .. } => End::Written { lagging },
            Outcome::Conflict { .. } => panic!("nobody puts if"),
            Outcome::Failed(error) => End::Failed(error),
        }
    }
}

pub(crate) fn plan(map: &Arc<Snapshot>, key: Key) -> Plan {
    let router = Router::new(map.clone());
    let id = map.content().keyspaces[0].id;
    let mut plan = router.keyspace_at(id).unwrap().plan(&[key]).unwrap();
    if let Some(leased) = &mut plan.leased {
        // The schedules say when a client acts; where it may not, they don't let it.
        leased.until = Instant::NEVER;
    }
    plan
}

#[track_caller]
pub(crate) fn refused(reply: Reply) -> Refusal {
    match reply {
        Reply::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}
