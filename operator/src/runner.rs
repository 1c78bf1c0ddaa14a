//! Drives a coordinator against real stores: carries its commands out, sleeps where it waits, and
//! tells an observer what happens.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant as Clock};

use parking_lot::RwLock;
use ringshift::migration::{Action, Answer, Command, Coordinator, Ending, Move, Point, Stage};
use ringshift::{DomainId, Instant, ShardId};

use crate::client::Stores;
use crate::store::{Chunks, Store};
use crate::topology::TopologyStore;

/// One command, carried out.
#[derive(Clone, Debug)]
pub struct Event<'e> {
    /// Where in the migration.
    pub point: Point,
    /// The wave, if it was about one.
    pub wave: Option<DomainId>,
    /// What was asked.
    pub command: &'e Command,
    /// What was answered.
    pub answer: &'e Answer,
    /// How long that took.
    pub took: Duration,
}

/// What a runner tells of its work. Every method does nothing unless it is overridden.
pub trait Observer {
    /// A command is about to be carried out. The runner does nothing before this returns.
    fn before(&mut self, _point: Point, _wave: Option<DomainId>) {}

    /// A command was carried out; `coordinator` knows its answer already.
    fn after(&mut self, _event: &Event<'_>, _coordinator: &Coordinator) {}

    /// A barrier is over: from the moment before the first close to the answer of the last
    /// install, writers of the wave had to wait.
    fn barrier(&mut self, _goal: Move, _wave: Option<DomainId>, _pause: Duration) {}

    /// Asked between commands; `Some` turns the migration round, for that reason.
    fn wants_back(&mut self, _coordinator: &Coordinator) -> Option<String> {
        None
    }

    /// Asked between commands; `Some` pauses the migration, for that reason.
    fn wants_pause(&mut self, _coordinator: &Coordinator) -> Option<String> {
        None
    }
}

/// An observer that looks away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}

/// Carries a coordinator's commands out; for one that stays, see [`agent`](crate::agent).
pub struct Runner {
    topology: Arc<dyn TopologyStore>,
    stores: Arc<RwLock<Stores>>,
    chunks: Chunks,
    origin: Clock,
}

impl Runner {
    /// A runner over these stores. A shard that isn't among them can't be reached.
    pub fn new(topology: Arc<dyn TopologyStore>, stores: Stores) -> Self {
        Self {
            topology,
            stores: Arc::new(RwLock::new(stores)),
            chunks: Chunks::default(),
            origin: Clock::now(),
        }
    }

    /// The time, as the coordinator is told it.
    pub fn now(&self) -> Instant {
        let ms = self.origin.elapsed().as_millis();
        Instant::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
    }

    /// Runs until the coordinator's work is over.
    pub fn run(&self, coordinator: &mut Coordinator, observer: &mut impl Observer) -> Ending {
        let mut closed_at: Option<Clock> = None;
        loop {
            if let Some(reason) = observer.wants_back(coordinator) {
                coordinator.roll_back(&reason);
            }
            if let Some(reason) = observer.wants_pause(coordinator) {
                coordinator.pause(&reason);
            }
            match coordinator.poll() {
                Action::Do {
                    id,
                    point,
                    wave,
                    command,
                } => {
                    observer.before(point, wave);
                    let began = Clock::now();
                    if point.stage == Stage::CloseFrom {
                        closed_at.get_or_insert(began);
                    }
                    let answer = self.carry_out(&command);
                    coordinator.handle_answer(self.now(), id, answer.clone());
                    let took = began.elapsed();
                    let event = Event {
                        point,
                        wave,
                        command: &command,
                        answer: &answer,
                        took,
                    };
                    observer.after(&event, coordinator);
                    let reopened = point.stage == Stage::InstallOther && answer == Answer::Done;
                    if reopened && let Some(closed_at) = closed_at.take() {
                        observer.barrier(point.goal, wave, closed_at.elapsed());
                    }
                }
                Action::Wait { until } => {
                    let ms = until.since(self.now()).min(20);
                    thread::sleep(Duration::from_millis(ms));
                    coordinator.handle_timeout(self.now());
                }
                Action::Over(ending) => return ending,
            }
        }
    }

    /// Carries one command out.
    pub fn carry_out(&self, command: &Command) -> Answer {
        let Some(shard) = command.shard() else {
            return self.topology.command(command);
        };
        match self.store(shard) {
            Some(store) => store.command(command, &self.chunks),
            None => Answer::Unreachable,
        }
    }

    /// Adds the store of a shard that has joined.
    pub fn add_store(&self, shard: ShardId, store: Arc<dyn Store>) {
        self.stores.write().insert(shard, store);
    }

    /// Whether it has a store for `shard`.
    pub fn reaches(&self, shard: ShardId) -> bool {
        self.stores.read().contains_key(&shard)
    }

    /// Where the record is.
    pub fn topology(&self) -> &dyn TopologyStore {
        &*self.topology
    }

    fn store(&self, shard: ShardId) -> Option<Arc<dyn Store>> {
        self.stores.read().get(&shard).cloned()
    }
}
