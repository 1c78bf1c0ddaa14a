//! What clients do: calls, attempts, refreshes.

use std::sync::Arc;

use ringshift::driver::Driven;
use ringshift::store::{Found, Response};
use ringshift::{
    Attempt, AttemptId, AttemptKind, Failure, Instant, OperationError, Outcome, Reply, Router,
};

use crate::client::{Carries, K, Out, value_of};
use crate::draw::CLIENT_LEASE;
use crate::history::{Ask, Call, End, Told};
use crate::message::{Event, Message};
use crate::network::{Care, Node};
use crate::story::About;
use crate::world::World;

/// How long a client waits for an answer of the topology.
const FETCH_MS: u64 = 150;

impl World {
    /// A worker's next call comes after a while: mostly at once, now and then much later.
    pub(crate) fn rest(&mut self, client: usize, worker: usize) {
        let calls = (self.left.len() * crate::history::CALLS_A_KEY) as u64;
        let workers = self.draw.clients * self.draw.workers;
        let usual = (self.draw.storm_ms * workers / calls.max(1)).max(1);
        let rest = if self.dice.chance(600) {
            self.dice.below(8)
        } else {
            self.dice.below(2 * usual)
        };
        let life = self.clients[client].life;
        self.at(
            self.now + rest,
            Event::Begin {
                client,
                life,
                worker,
            },
        );
    }

    pub(crate) fn next_call(&mut self, client: usize, worker: usize) {
        if self.clients[client].workers[worker].is_some() {
            return;
        }
        let (key, ask) = if let Some(key) = self.clients[client].todo.pop() {
            (key, Ask::Get)
        } else {
            let Some(key) = self.next_key() else {
                if self.left.iter().any(|left| *left > 0) && !self.finals {
                    self.rest(client, worker);
                }
                return;
            };
            self.left[key] -= 1;
            (key, self.next_ask(key))
        };
        let call = self.calls.len();
        let began = self.number();
        self.calls.push(Call {
            key,
            ask,
            began,
            end: End::Running,
            fence: None,
        });
        self.counts.add("calls");
        self.tell(About::Key(key), || {
            format!("call {call}: client {client} asks {ask:?}")
        });
        let bytes = Arc::clone(&self.draw.keys[key]);
        self.clients[client].tick(self.now);
        self.clients[client].begin(worker, call, bytes, ask);
        self.work(client);
    }

    /// A key that may still be called; rather one that moves, or the last one again.
    fn next_key(&mut self) -> Option<usize> {
        let free = |key: &usize| self.left[*key] > 0;
        let free: Vec<usize> = (0..self.left.len()).filter(free).collect();
        if free.is_empty() {
            return None;
        }
        if let Some(last) = self.calls.last()
            && self.left[last.key] > 0
            && self.dice.chance(400)
        {
            return Some(last.key);
        }
        let router = Arc::clone(&self.maps[self.maps.len() - 1]);
        let keyspace = router.keyspace_at(K).unwrap();
        let moves = |key: &usize| {
            let plan = keyspace.plan(&self.draw.keys[*key]).unwrap();
            let mut waves = keyspace.waves().iter();
            waves.any(|wave| wave.domain == plan.fence.domain)
        };
        let moving: Vec<usize> = free.iter().copied().filter(moves).collect();
        if !moving.is_empty() && self.dice.chance(800) {
            return Some(self.dice.pick(&moving));
        }
        // While nothing moves, most calls are kept for later: a key has few.
        if moving.is_empty() && self.dice.chance(700) {
            return None;
        }
        Some(self.dice.pick(&free))
    }

    fn next_ask(&mut self, key: usize) -> Ask {
        let value = u32::try_from(self.calls.len()).unwrap();
        match self.dice.below(100) {
            0..45 => Ask::Get,
            45..75 => Ask::Put(value),
            75..88 => Ask::Delete,
            _ => {
                let told = |call: &Call| match call.end {
                    End::Told(Told::Found(version, _) | Told::Written(version), _) => Some(version),
                    _ => None,
                };
                let of_key = self.calls.iter().filter(|call| call.key == key);
                let last = of_key.rev().find_map(told);
                let expected = last.filter(|_| self.dice.chance(800));
                Ask::PutIf(expected, value)
            }
        }
    }

    /// Polls a client's workers until they wait, and sees to what they want.
    pub(crate) fn work(&mut self, client: usize) {
        self.clients[client].tick(self.now);
        loop {
            let over = self.clients[client].poll();
            let out = std::mem::take(&mut self.clients[client].shared.borrow_mut().out);
            if over.is_empty() && out.is_empty() {
                return;
            }
            for (worker, call, driven) in over {
                self.ended(call, &driven);
                self.rest(client, worker);
            }
            for out in out {
                self.wants(client, out);
            }
        }
    }

    fn wants(&mut self, client: usize, out: Out) {
        let life = self.clients[client].life;
        match out {
            Out::Wake { until } => {
                let when = self.clients[client].clock.when(until.as_millis());
                self.at(when.max(self.now), Event::Wake { client, life });
            }
            Out::Fetch { have, sent } => {
                self.counts.add("fetches");
                let number = self.number();
                self.clients[client].fetches = Some(number);
                let message = Message::Fetch {
                    client,
                    life,
                    number,
                    have,
                    sent,
                };
                let care = Care::default();
                self.post(Node::Client(client), Node::Topology, care, &message);
                let late = Event::Unfetched {
                    client,
                    life,
                    number,
                };
                self.at(self.now + FETCH_MS, late);
            }
            Out::Send {
                worker,
                attempt,
                carries,
            } => {
                let call = self.clients[client].workers[worker]
                    .as_ref()
                    .map(|(call, _)| *call);
                // A mirror write that nobody waits for may leave when its call is over.
                let call = call.or(self.clients[client].last[worker]);
                let Some(call) = call else { return };
                self.clients[client].last[worker] = Some(call);
                let key = self.calls[call].key;
                self.goes_forward(call, &attempt);
                let message = Message::Attempt {
                    client,
                    life,
                    worker,
                    call,
                    attempt,
                    key,
                    carries,
                    sent: self.now,
                };
                let freezes = attempt.unfenced.is_some() && self.dice.chance(self.storm(50));
                if freezes {
                    let when = self.now + self.dice.between(1, 600);
                    self.at(when, Event::Leave(client, life, Box::new(message)));
                } else {
                    self.leave(client, message);
                }
            }
        }
    }

    /// No operation is ever stamped with an older epoch than before.
    fn goes_forward(&mut self, call: usize, attempt: &Attempt) {
        if let AttemptKind::Apply { .. } | AttemptKind::Confirm = attempt.kind {
            return;
        }
        let before = self.calls[call].fence.replace(attempt.fence);
        if let Some(before) = before
            && before.domain == attempt.fence.domain
            && before.epoch > attempt.fence.epoch
        {
            let key = self.calls[call].key;
            self.fail(
                Some(key),
                format!("call {call} went back to an older epoch"),
            );
        }
    }

    /// An attempt leaves its process, unless that froze for too long.
    pub(crate) fn leave(&mut self, client: usize, mut message: Message) {
        let Message::Attempt {
            worker,
            call,
            attempt,
            sent,
            key,
            ..
        } = &mut message
        else {
            return;
        };
        *sent = self.now;
        let (worker, call, attempt, key) = (*worker, *call, *attempt, *key);
        self.clients[client].tick(self.now);
        let local = self.clients[client].shared.borrow().now;
        if attempt.is_over(local) {
            self.counts.add("attempts that froze");
            let reply = Reply::Failed(Failure::NotSent);
            return self.replied((client, worker, call), attempt.id, reply.into());
        }
        self.counts.add("attempts");
        self.tell(About::Key(key), || {
            let Attempt {
                shard, fence, kind, ..
            } = attempt;
            format!("client {client} sends {kind:?} to shard {shard}, {fence:?}")
        });
        let care = Care {
            once: attempt.kind == AttemptKind::Write,
            within_ms: attempt.unfenced.map(|_| u64::from(CLIENT_LEASE[1])),
        };
        self.post(
            Node::Client(client),
            Node::Shard(attempt.shard),
            care,
            &message,
        );
    }

    pub(crate) fn replied(
        &mut self,
        (client, worker, call): (usize, usize, usize),
        id: AttemptId,
        response: Response,
    ) {
        // Names of attempts are an operation's own.
        let slot = self.clients[client].workers[worker].as_ref();
        if slot.is_none_or(|(current, _)| *current != call) {
            return;
        }
        self.clients[client].shared.borrow_mut().replies[worker] = Some((id, response));
        self.work(client);
    }

    /// A fetch is over; `None`: it was never answered.
    pub(crate) fn fetched(
        &mut self,
        client: usize,
        number: u64,
        brought: Option<(Arc<Router>, Instant, bool)>,
    ) {
        if self.clients[client].fetches != Some(number) {
            return;
        }
        self.clients[client].fetches = None;
        self.clients[client].tick(self.now);
        let mut shared = self.clients[client].shared.borrow_mut();
        let now = shared.now;
        if let Some((router, sent, current)) = brought {
            let before = shared.router.snapshot().epoch();
            let said = router.snapshot().epoch();
            if shared.router.snapshot().check_successor(router.snapshot()) == Ok(true) {
                shared.router = router;
            }
            let have = shared.router.snapshot().epoch();
            if current {
                shared.gate.renewed(now, sent, said);
            } else {
                shared.gate.fetched(now, have);
            }
            if have < before {
                drop(shared);
                return self.fail(None, format!("client {client} went back to map {have}"));
            }
        } else {
            shared.gate.failed(now);
        }
        shared.fetched += 1;
        drop(shared);
        self.work(client);
    }

    fn ended(&mut self, call: usize, driven: &Driven<Found>) {
        let when = self.number();
        let told = match driven.outcome {
            Outcome::Value { version, .. } => {
                let value = driven
                    .found
                    .as_ref()
                    .and_then(|found| found.value.as_deref());
                Ok(Told::Found(version, value_of(value.unwrap())))
            }
            Outcome::Missing => Ok(Told::Missing),
            Outcome::Written { version, .. } => Ok(Told::Written(version)),
            Outcome::Conflict { found } => Ok(Told::Conflict(found)),
            Outcome::Failed(error) => Err(error),
        };
        let Call { key, ask, .. } = self.calls[call];
        let end = match told {
            Ok(told) => End::Told(told, when),
            Err(OperationError::Indeterminate { .. }) => {
                self.counts.add("failed: indeterminate");
                End::Unknown
            }
            Err(OperationError::Deadline { .. }) => {
                self.counts.add("failed: deadline");
                End::Nothing
            }
            Err(error) => {
                self.counts.add("failed: otherwise");
                if self.restored.is_none() {
                    self.fail(Some(key), format!("call {call} failed: {error}"));
                }
                End::Nothing
            }
        };
        if ask == Ask::Get && end == End::Unknown {
            self.fail(
                Some(key),
                format!("read {call} doesn't know whether it happened"),
            );
        }
        self.calls[call].end = end;
        self.story.mark((call, when));
        self.tell(About::Key(key), || format!("call {call} ends: {end:?}"));
    }

    /// The process dies: nobody knows what became of its writes.
    pub(crate) fn abandon(&mut self, client: usize) {
        let workers = self.clients[client].workers.iter_mut();
        let calls: Vec<usize> = workers.filter_map(|slot| Some(slot.take()?.0)).collect();
        for call in calls {
            self.calls[call].end = End::Unknown;
            let key = self.calls[call].key;
            self.tell(About::Key(key), || {
                format!("call {call} dies with its client")
            });
        }
    }

    /// Whether these bytes came with the attempt: a client's own write.
    pub(crate) fn is_own_write(attempt: &Attempt, carries: &Carries) -> bool {
        matches!(
            (attempt.kind, carries),
            (AttemptKind::Write, Carries::Own(..))
        )
    }
}
