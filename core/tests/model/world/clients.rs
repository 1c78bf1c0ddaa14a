//! Clients: what they begin, what they wait for, and their death.

use std::sync::Arc;

use ringshift::{
    AttemptId, AttemptKind, Failure, Instant, Operation, OperationError, Outcome, Payload, Plan,
    RefreshGate, Reply, Router, Snapshot, Step,
};
use stateright::semantics::ConsistencyTester;
use stateright::semantics::register::{RegisterOp, RegisterRet};

use super::{Client, Do, Message, Running, State, Waits, World, Wrong};
use crate::kept::Kept;
use crate::shard::{Content, Key, NOTHING};

impl World {
    /// The plan for `key` of a client that asked for `map` at `renewed`.
    pub(super) fn plan(map: &Arc<Snapshot>, renewed: Option<Instant>, key: Key) -> Plan {
        let router = Router::new(map.clone());
        let id = map.content().keyspaces[0].id;
        let plan = router.keyspace_at(id).unwrap().plan(&[key]).unwrap();
        let Some(sent) = renewed else {
            return plan;
        };
        // The gate of its process, with nothing in it but the answer to the last refresh.
        let mut gate = RefreshGate::new(map.epoch(), 1, 0);
        gate.renewed(sent, sent, map.epoch());
        gate.lease(plan)
    }

    pub(super) fn history(&self, key: Key) -> usize {
        self.keys.iter().position(|&k| k == key).unwrap()
    }

    /// The client has the map in force, as of now.
    pub(super) fn inform(&self, state: &mut State, client: u8) {
        let (map, now) = (state.store.snapshot.clone(), state.now);
        state.clients[usize::from(client)].change(|c| {
            c.map = map;
            c.renewed = self.timed.then_some(now);
        });
    }

    pub(super) fn start(&self, state: &mut State, client: u8) {
        let (now, at) = (state.now, usize::from(client));
        let (key, op, invoked) = state.clients[at].change(|c| {
            let what = self.scripts[at][usize::from(c.next)];
            let op = (client << 4) | c.next;
            c.next += 1;
            let plan = Self::plan(&c.map, c.renewed, what.key());
            let (operation, invoked) = match what {
                Do::Read(_) => (Operation::read(plan, self.policy, now), RegisterOp::Read),
                Do::Write(_, value) => (
                    Operation::write(plan, self.policy, now),
                    RegisterOp::Write(value),
                ),
            };
            c.running = Some(Running {
                what,
                op,
                operation,
                found: Vec::new(),
                waits_for: Waits::Time,
                until: Instant::ZERO,
            });
            (what.key(), op, invoked)
        });
        let history = &mut state.histories[self.history(key)];
        history.change(|history| {
            history.on_invoke(op, invoked).unwrap();
        });
        self.drive(state, client);
    }

    /// Polls a client's operation until it waits or is done.
    pub(super) fn drive(&self, state: &mut State, client: u8) {
        let mut sent = Vec::new();
        let (now, ends) = (
            state.now,
            state.clients[usize::from(client)].change(|c| self.polled(c, &mut sent)),
        );
        for (op, key, attempt, content) in sent {
            let until = match attempt.unfenced {
                // No store carries it out later.
                Some(_) => now.after(u64::from(super::super::setup::LEASE.attempt_ms)),
                None => Instant::NEVER,
            };
            state.network.push(Kept::new(Message::Attempt {
                client,
                op,
                attempt,
                key,
                content,
                until,
            }));
        }
        if let Some((op, key, Some(ret))) = ends {
            let history = &mut state.histories[self.history(key)];
            let fits = history.change(|history| {
                history.on_return(op, ret).unwrap();
                history.is_consistent()
            });
            // What returns is all that can make a history wrong, and nothing mends it again.
            if !fits && !state.ghost.lost {
                state.ghost.wrong = Some(Wrong::History);
            }
        }
    }

    /// What it sends, and how it ends: its operation, the key, and what it returns, if that is
    /// known.
    fn polled(
        &self,
        c: &mut Client,
        sent: &mut Vec<(u8, Key, ringshift::Attempt, Content)>,
    ) -> Option<(u8, Key, Option<RegisterRet<u8>>)> {
        let running = c.running.as_mut()?;
        let (key, op) = (running.what.key(), running.op);
        loop {
            match running.operation.poll() {
                Step::Send(attempt) => {
                    let content = match attempt.kind {
                        AttemptKind::Apply {
                            payload: Payload::FoundBy(id),
                            ..
                        } => running.found(id),
                        _ => running.own(),
                    };
                    if attempt.blocking {
                        running.waits_for = Waits::Attempt(attempt.id);
                    }
                    sent.push((op, key, attempt, content));
                }
                Step::Refresh { .. } => running.waits_for = Waits::Refresh,
                Step::Wait { until } => {
                    if self.timed {
                        running.until = until;
                    }
                    return None;
                }
                Step::Done(outcome) => {
                    let ret = match outcome {
                        Outcome::Value { from, .. } => {
                            Some(RegisterRet::ReadOk(running.found(from).value))
                        }
                        Outcome::Missing => Some(RegisterRet::ReadOk(NOTHING)),
                        Outcome::Written { .. } => Some(RegisterRet::WriteOk),
                        // Unknown, or known not to have happened: the history keeps it open.
                        Outcome::Failed(
                            OperationError::Indeterminate { .. } | OperationError::Deadline { .. },
                        ) => None,
                        other => panic!("no way to end: {other:?}"),
                    };
                    c.running = None;
                    return Some((op, key, ret));
                }
            }
        }
    }

    /// The operation's own timer, or one of the model's where there is no time.
    pub(super) fn timer(&self, state: &mut State, client: u8) -> Option<()> {
        let now = state.now;
        state.clients[usize::from(client)].change(|c| {
            let running = c.running.as_mut()?;
            let Step::Wait { until } = running.operation.poll() else {
                return None;
            };
            let at = if self.timed { now } else { until };
            running.operation.handle_timeout(at);
            running.waits_for = Waits::Time;
            Some(())
        })?;
        self.drive(state, client);
        Some(())
    }

    pub(super) fn refreshed(&self, state: &mut State, client: u8) -> Option<()> {
        self.inform(state, client);
        let now = state.now;
        state.clients[usize::from(client)].change(|c| {
            let plan = Self::plan(&c.map, c.renewed, c.running.as_ref()?.what.key());
            let running = c.running.as_mut()?;
            running.waits_for = Waits::Time;
            running.operation.handle_snapshot(now, plan);
            Some(())
        })?;
        self.drive(state, client);
        Some(())
    }

    /// A client gives its attempt up.
    pub(super) fn silence(&self, state: &mut State, client: u8) -> Option<()> {
        if self.timed {
            return self.timer(state, client);
        }
        let now = state.now;
        state.clients[usize::from(client)].change(|c| {
            let running = c.running.as_mut()?;
            let Waits::Attempt(id) = running.waits_for else {
                return None;
            };
            running.waits_for = Waits::Time;
            let failed = Reply::Failed(Failure::MaybeApplied);
            running.operation.handle_reply(now, id, failed).ok()
        })?;
        self.drive(state, client);
        Some(())
    }

    /// A client dies; its messages stay on their way. It comes back with the map in force, and goes
    /// on with what comes next.
    pub(super) fn die(&self, state: &mut State, client: u8) {
        state.clients[usize::from(client)].change(|c| c.running = None);
        self.inform(state, client);
    }
}

impl Client {
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_none()
    }

    pub(super) fn at(&self) -> usize {
        usize::from(self.next)
    }
}

impl Running {
    fn own(&self) -> Content {
        let value = match self.what {
            Do::Write(_, value) => value,
            Do::Read(_) => NOTHING,
        };
        Content { value, op: self.op }
    }

    fn found(&self, id: AttemptId) -> Content {
        let mut found = self.found.iter();
        found.find(|(found, _)| *found == id).unwrap().1
    }

    pub(super) fn is_waiting_for(&self, id: AttemptId) -> bool {
        self.waits_for == Waits::Attempt(id)
    }
}
