//! A client for threads: routes, and reads and writes through an application's stores, while data
//! move under it.
//!
//! Each call blocks. Any number of threads may share one client; they share one map of the cluster
//! and one refresh of it.

mod keyspace;
mod shadows;
mod transaction;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant as Clock};

use parking_lot::{Condvar, Mutex, RwLock};
use ringshift::driver::Driven;
use ringshift::migration::{Health, Pulse, PulseOptions};
use ringshift::{
    Attempt, AttemptKind, Epoch, Failure, Instant, Plan, Policy, RefreshGate, RefreshStep, Reply,
    Router, ShardId, Snapshot, SnapshotError, UnknownKeyspace,
};

use crate::runner::micros;
use crate::store::{Content, Found, OperationKey, Store};
use crate::topology::TopologySource;

pub use keyspace::ClientKeyspace;
pub use shadows::ShadowFigures;
use shadows::Shadows;
pub use transaction::{Committed, TransactFailure, Tx};

/// The stores of a cluster's shards, by number.
pub type Stores = BTreeMap<ShardId, Arc<dyn Store>>;

/// What a process shares among its threads.
pub struct Client {
    router: RwLock<Arc<Router>>,
    stores: RwLock<Arc<Stores>>,
    topology: Arc<dyn TopologySource>,
    gate: Mutex<RefreshGate>,
    refreshed: Condvar,
    origin: Clock,
    policy: Policy,
    operations: AtomicU64,
    /// Tells this client's operations from every other's.
    name: u64,
    retries: AtomicU64,
    shadows: Shadows,
    pulse: Mutex<Pulse>,
}

/// How a call ended.
pub type Ended = Driven<Found>;

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
        topology: Arc<dyn TopologySource>,
        policy: Policy,
        name: u64,
    ) -> Self {
        let gate = RefreshGate::new(snapshot.epoch(), REFRESH_GAP_MS, name);
        let mut pulse = Pulse::new(PulseOptions::default());
        pulse.handle_snapshot(Instant::ZERO, &snapshot);
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
            shadows: Shadows::default(),
            pulse: Mutex::new(pulse),
        }
    }

    /// The keyspace of that name.
    ///
    /// # Errors
    /// [`UnknownKeyspace`].
    pub fn keyspace(&self, name: &str) -> Result<ClientKeyspace<'_>, UnknownKeyspace> {
        let id = self.router().keyspace(name)?.id();
        Ok(ClientKeyspace::new(self, id))
    }

    /// The map at hand.
    pub fn router(&self) -> Arc<Router> {
        self.router.read().clone()
    }

    /// Puts a newer snapshot in force. Answers whether it was newer.
    ///
    /// # Errors
    /// A snapshot that is older, of another cluster, or of the same epoch with other content: the
    /// one in force stays.
    pub fn install(&self, snapshot: Arc<Snapshot>) -> Result<bool, SnapshotError> {
        if !self.router().snapshot().check_successor(&snapshot)? {
            return Ok(false);
        }
        // Compiled outside the lock: readers go on meanwhile.
        let compiled = Arc::new(Router::new(snapshot));
        let mut router = self.router.write();
        // Another thread may have put a newer one there meanwhile: then that one stays.
        if router.snapshot().check_successor(compiled.snapshot()) != Ok(true) {
            return Ok(false);
        }
        let snapshot = Arc::clone(compiled.snapshot());
        *router = compiled;
        drop(router);
        self.pulse.lock().handle_snapshot(self.now(), &snapshot);
        self.gate.lock().fetched(self.now(), snapshot.epoch());
        Ok(true)
    }

    /// Adds the store of a shard that has joined.
    pub fn add_store(&self, shard: ShardId, store: Arc<dyn Store>) {
        let mut stores = self.stores.write();
        let mut next = Stores::clone(&stores);
        next.insert(shard, store);
        *stores = Arc::new(next);
    }

    /// Where snapshots come from.
    pub fn topology(&self) -> &dyn TopologySource {
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

    /// The plan with the end of its lease, where it needs one.
    fn lease(&self, plan: Plan) -> Plan {
        if plan.leased.is_none() {
            return plan;
        }
        self.gate.lock().lease(plan)
    }

    /// How its operations went over the last half minute, and the stores that they asked. The
    /// baseline is what was before the first wave that it has heard of. Hand it to the coordinator
    /// by [`Witness::health`](crate::runner::Witness::health).
    pub fn health(&self) -> Health {
        let shadows = self.shadow_figures();
        let mut pulse = self.pulse.lock();
        pulse.handle_timeout(self.now());
        Health {
            shadow_compared: Some(shadows.same + shadows.mismatches),
            shadow_mismatches: Some(shadows.mismatches),
            ..pulse.health()
        }
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
                let sent = self.now();
                // What was in force when the source was asked, where it was.
                let mut in_force = have;
                let installed = match self.topology.fetch(have) {
                    Ok(Some(snapshot)) => {
                        in_force = snapshot.epoch();
                        self.install(snapshot).ok()
                    }
                    Ok(None) => Some(false),
                    Err(_) => None,
                };
                // Whatever came of it, the gate must hear that the fetch is over; of news it has
                // heard by `install`, and would take a second word for a fetch that found nothing.
                let have = self.router().snapshot().epoch();
                let mut gate = self.gate.lock();
                match installed {
                    Some(_) if self.topology.is_current() => {
                        gate.renewed(self.now(), sent, in_force);
                    }
                    Some(true) => {}
                    Some(false) => gate.fetched(self.now(), have),
                    None => gate.failed(self.now()),
                }
                drop(gate);
                self.refreshed.notify_all();
            }
        }
    }

    fn send(&self, attempt: &Attempt, key: &[u8], content: Content<'_>) -> (Reply, Option<Found>) {
        let store = self.stores.read().get(&attempt.shard).cloned();
        let began = Clock::now();
        let (reply, found) = match store {
            // Whoever froze between the decision and here doesn't send any more.
            Some(_) if attempt.is_over(self.now()) => (Reply::Failed(Failure::NotSent), None),
            Some(store) => {
                let response = store.attempt(attempt, key, content);
                (response.reply, response.found)
            }
            None => (Reply::Failed(Failure::NotSent), None),
        };
        let (now, took) = (self.now(), micros(began.elapsed()));
        let failed = matches!(reply, Reply::Failed(failure) if is_silent(failure));
        let mut pulse = self.pulse.lock();
        pulse.handle_request(now, attempt.shard, took, failed);
        // A refused one is sent again; what it comes to then is what counts.
        let refused = matches!(reply, Reply::Refused(_));
        if matches!(attempt.kind, AttemptKind::Apply { .. }) && !refused {
            pulse.handle_mirror(now, failed);
        }
        (reply, found)
    }
}

/// Whether the store didn't answer: one that rejects a request has.
const fn is_silent(failure: Failure) -> bool {
    match failure {
        Failure::NotSent | Failure::MaybeApplied => true,
        Failure::Rejected => false,
    }
}

fn sleep_until(client: &Client, until: Instant) {
    let ms = until.since(client.now());
    thread::sleep(Duration::from_millis(ms));
}
