//! A client's keyspace: where keys are read and written.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Instant as Clock;

use parking_lot::Mutex;
use ringshift::driver::{Environment, drive};
use ringshift::{
    Attempt, AttemptKind, Epoch, Instant, KeyError, KeyspaceId, Operation, Outcome, Plan, Policy,
    Reply, Router, Shadow,
};

use crate::client::{Client, Ended, sleep_until};
use crate::runner::micros;
use crate::store::{Change, Content, Found};

/// A client's keyspace.
#[derive(Clone, Copy)]
pub struct ClientKeyspace<'c> {
    pub(super) client: &'c Client,
    pub(super) id: KeyspaceId,
}

impl<'c> ClientKeyspace<'c> {
    pub(super) const fn new(client: &'c Client, id: KeyspaceId) -> Self {
        Self { client, id }
    }

    /// Reads a key.
    ///
    /// # Errors
    /// [`KeyError`]; everything else is an outcome.
    pub fn get(&self, key: &[u8]) -> Result<Ended, KeyError> {
        self.run(key, None, |_| {})
    }

    /// Puts, deletes, or puts if the version is as expected.
    ///
    /// # Errors
    /// [`KeyError`]; everything else is an outcome.
    pub fn write(&self, key: &[u8], change: Change<'_>) -> Result<Ended, KeyError> {
        self.run(key, Some(change), |_| {})
    }

    /// Reads (`change` is `None`) or writes, and calls `answered` as soon as the outcome stands:
    /// in relaxed mode a mirror write that nobody waits for is sent after that, before this
    /// returns.
    ///
    /// # Errors
    /// [`KeyError`]; everything else is an outcome.
    pub fn run(
        &self,
        key: &[u8],
        change: Option<Change<'_>>,
        answered: impl FnOnce(&Ended),
    ) -> Result<Ended, KeyError> {
        let client = self.client;
        let began = Clock::now();
        let (number, op) = client.next_operation();
        let plan = self.plan(&client.router(), key)?;
        let policy = Policy {
            seed: client.name ^ number,
            ..client.policy
        };
        let world = World {
            keyspace: self,
            key,
            content: change.map(|change| Content::Own { change, op }),
            fallback: plan,
            trailing: Mutex::new(Vec::new()),
        };
        let mut operation = match change {
            None => Operation::read(plan, policy, client.now()),
            Some(_) => Operation::write(plan, policy, client.now()),
        };
        let ended = block_on(drive(&mut operation, &world));
        let failed = matches!(ended.outcome, Outcome::Failed(_));
        let took = micros(began.elapsed());
        let mut pulse = client.pulse.lock();
        pulse.handle_operation(client.now(), took, failed);
        drop(pulse);
        let needed = 1 + u32::from(plan.strict && change.is_some());
        let extra = ended.attempts.saturating_sub(needed);
        client.retries.fetch_add(extra.into(), Ordering::Relaxed);
        answered(&ended);
        if change.is_none()
            && let Some(shadow) = Shadow::of(operation.plan(), &policy, client.now())
        {
            client.shadows.remember(self.id, key, shadow);
        }
        for attempt in world.trailing.into_inner() {
            // Nobody waits for it; catch-up carries what it can't.
            let content = change.map_or(Content::None, |change| Content::Own { change, op });
            client.send(&attempt, key, content);
        }
        Ok(ended)
    }

    pub(super) fn plan(&self, router: &Router, key: &[u8]) -> Result<Plan, KeyError> {
        match router.keyspace_at(self.id) {
            Some(keyspace) => keyspace.plan(key).map(|plan| self.client.lease(plan)),
            // Keyspaces are never taken away; the number came from a router of this cluster.
            None => Err(KeyError::Malformed { at: 0 }),
        }
    }
}

/// One operation's world: its key, its own write, and the client's stores.
pub(super) struct World<'w> {
    pub(super) keyspace: &'w ClientKeyspace<'w>,
    pub(super) key: &'w [u8],
    pub(super) content: Option<Content<'w>>,
    pub(super) fallback: Plan,
    pub(super) trailing: Mutex<Vec<Attempt>>,
}

impl Environment for World<'_> {
    type Found = Found;

    fn now(&self) -> Instant {
        self.keyspace.client.now()
    }

    async fn send(&self, attempt: Attempt, found: Option<&Found>) -> (Reply, Option<Found>) {
        let content = match (attempt.kind, found) {
            (AttemptKind::Read, _) => Content::None,
            (_, Some(found)) => Content::Row {
                value: found.value.as_deref(),
                op: found.op,
            },
            (_, None) => self.content.unwrap_or(Content::None),
        };
        self.keyspace.client.send(&attempt, self.key, content)
    }

    fn trail(&self, attempt: Attempt) {
        self.trailing.lock().push(attempt);
    }

    async fn refresh(&self, newer_than: Epoch) -> Plan {
        self.keyspace.client.refresh(newer_than);
        self.newest()
    }

    fn newest(&self) -> Plan {
        let router = self.keyspace.client.router();
        self.keyspace
            .plan(&router, self.key)
            .unwrap_or(self.fallback)
    }

    async fn sleep(&self, until: Instant) {
        sleep_until(self.keyspace.client, until);
    }
}

/// Runs a future whose every wait blocks the thread: it is ready at the first poll.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
        thread::yield_now();
    }
}
