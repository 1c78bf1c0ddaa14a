//! A client for threads: routes, and reads and writes through an application's stores, while data
//! move under it.
//!
//! Each call blocks. Any number of threads may share one client; they share one map of the cluster
//! and one refresh of it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant as Clock};

use parking_lot::{Condvar, Mutex, RwLock};
use ringshift::driver::{Driven, Environment, drive};
use ringshift::{
    Attempt, AttemptKind, Epoch, Failure, Instant, KeyError, KeyspaceId, Operation, Plan, Policy,
    RefreshGate, RefreshStep, Reply, Router, ShardId, Snapshot, UnknownKeyspace,
};

use crate::store::{Change, Content, Found, OperationKey, Store};
use crate::topology::TopologyStore;

/// The stores of a cluster's shards, by number.
pub type Stores = BTreeMap<ShardId, Arc<dyn Store>>;

/// What a process shares among its threads.
pub struct Client {
    router: RwLock<Arc<Router>>,
    stores: RwLock<Arc<Stores>>,
    topology: Arc<dyn TopologyStore>,
    gate: Mutex<RefreshGate>,
    refreshed: Condvar,
    origin: Clock,
    policy: Policy,
    operations: AtomicU64,
    /// Tells this client's operations from every other's.
    name: u64,
    retries: AtomicU64,
}

/// How a call ended.
pub type Ended = Driven<Found>;

/// A client's keyspace.
#[derive(Clone, Copy)]
pub struct ClientKeyspace<'c> {
    client: &'c Client,
    id: KeyspaceId,
}

/// Two refreshes that found nothing new are about this far apart.
const REFRESH_GAP_MS: u32 = 5;
/// How long a thread waits for another's refresh.
const REFRESH_PATIENCE: Duration = Duration::from_millis(100);

impl Client {
    /// A client that routes by `snapshot` until it learns of a newer one.
    ///
    /// `name` must be another one for each client of the cluster: draw it at random.
    pub fn new(
        snapshot: Arc<Snapshot>,
        stores: Stores,
        topology: Arc<dyn TopologyStore>,
        policy: Policy,
        name: u64,
    ) -> Self {
        let gate = RefreshGate::new(snapshot.epoch(), REFRESH_GAP_MS, name);
        Self {
            router: RwLock::new(Arc::new(Router::new(snapshot))),
            stores: RwLock::new(Arc::new(stores)),
            topology,
            gate: Mutex::new(gate),
            refreshed: Condvar::new(),
            origin: Clock::now(),
            policy,
            operations: AtomicU64::new(0),
            name,
            retries: AtomicU64::new(0),
        }
    }

    /// The keyspace of that name.
    ///
    /// # Errors
    /// [`UnknownKeyspace`].
    pub fn keyspace(&self, name: &str) -> Result<ClientKeyspace<'_>, UnknownKeyspace> {
        let id = self.router().keyspace(name)?.id();
        Ok(ClientKeyspace { client: self, id })
    }

    /// The map at hand.
    pub fn router(&self) -> Arc<Router> {
        self.router.read().clone()
    }

    /// Puts a newer snapshot in force; an older or foreign one changes nothing.
    pub fn install(&self, snapshot: Arc<Snapshot>) -> bool {
        let epoch = snapshot.epoch();
        // Compiled outside the lock: readers go on meanwhile.
        if !self
            .router()
            .snapshot()
            .check_successor(&snapshot)
            .unwrap_or(false)
        {
            return false;
        }
        let compiled = Arc::new(Router::new(snapshot));
        let mut router = self.router.write();
        let newer = router
            .snapshot()
            .check_successor(compiled.snapshot())
            .unwrap_or(false);
        if newer {
            *router = compiled;
        }
        drop(router);
        self.gate.lock().fetched(self.now(), epoch);
        newer
    }

    /// Adds the store of a shard that has joined.
    pub fn add_store(&self, shard: ShardId, store: Arc<dyn Store>) {
        let mut stores = self.stores.write();
        let mut next = Stores::clone(&stores);
        next.insert(shard, store);
        *stores = Arc::new(next);
    }

    /// Where snapshots come from.
    pub fn topology(&self) -> &dyn TopologyStore {
        &*self.topology
    }

    /// Refreshes begun so far.
    pub fn refreshes(&self) -> u64 {
        self.gate.lock().begun()
    }

    /// Attempts beyond what the operations would have needed at peace.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    fn now(&self) -> Instant {
        let ms = self.origin.elapsed().as_millis();
        Instant::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
    }

    fn next_operation(&self) -> (u64, OperationKey) {
        let number = self.operations.fetch_add(1, Ordering::Relaxed);
        let mut key = [0; 16];
        let halves = self
            .name
            .to_le_bytes()
            .into_iter()
            .chain(number.to_le_bytes());
        key.iter_mut().zip(halves).for_each(|(to, from)| *to = from);
        (number, key)
    }

    /// One refresh for all threads that want one. Returns when there is news, or nothing to wait
    /// for: whoever asked looks at the map at hand again.
    fn refresh(&self, newer_than: Epoch) {
        let mut gate = self.gate.lock();
        match gate.want(self.now(), newer_than) {
            RefreshStep::InHand => {}
            RefreshStep::Join => {
                self.refreshed.wait_for(&mut gate, REFRESH_PATIENCE);
            }
            RefreshStep::Wait { until } => {
                drop(gate);
                sleep_until(self, until);
            }
            RefreshStep::Fetch => {
                drop(gate);
                let have = self.router().snapshot().epoch();
                match self.topology.fetch(have) {
                    Ok(Some(snapshot)) => {
                        self.install(snapshot);
                    }
                    Ok(None) => self.gate.lock().fetched(self.now(), have),
                    Err(_) => self.gate.lock().failed(self.now()),
                }
                self.refreshed.notify_all();
            }
        }
    }
}

impl ClientKeyspace<'_> {
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
        let needed = 1 + u32::from(plan.strict && change.is_some());
        let extra = ended.attempts.saturating_sub(needed);
        client.retries.fetch_add(extra.into(), Ordering::Relaxed);
        answered(&ended);
        for attempt in world.trailing.into_inner() {
            // Nobody waits for it; catch-up carries what it can't.
            let content = change.map_or(Content::None, |change| Content::Own { change, op });
            client.send(&attempt, key, content);
        }
        Ok(ended)
    }

    fn plan(&self, router: &Router, key: &[u8]) -> Result<Plan, KeyError> {
        match router.keyspace_at(self.id) {
            Some(keyspace) => keyspace.plan(key),
            // Keyspaces are never taken away; the number came from a router of this cluster.
            None => Err(KeyError::Malformed { at: 0 }),
        }
    }
}

impl Client {
    fn send(&self, attempt: &Attempt, key: &[u8], content: Content<'_>) -> (Reply, Option<Found>) {
        let store = self.stores.read().get(&attempt.shard).cloned();
        match store {
            Some(store) => {
                let response = store.attempt(attempt, key, content);
                (response.reply, response.found)
            }
            None => (Reply::Failed(Failure::NotSent), None),
        }
    }
}

/// One operation's world: its key, its own write, and the client's stores.
struct World<'w> {
    keyspace: &'w ClientKeyspace<'w>,
    key: &'w [u8],
    content: Option<Content<'w>>,
    fallback: Plan,
    trailing: Mutex<Vec<Attempt>>,
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

fn sleep_until(client: &Client, until: Instant) {
    let ms = until.since(client.now());
    thread::sleep(Duration::from_millis(ms));
}

/// Runs a future whose every wait blocks the thread: it is ready at the first poll.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
        thread::yield_now();
    }
}
