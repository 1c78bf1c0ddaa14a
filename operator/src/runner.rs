//! Drives a coordinator against real stores: carries its commands out, sleeps where it waits, and
//! tells an observer what happens.

mod feed;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant as Clock};

use parking_lot::RwLock;
use ringshift::migration::{
    Action, Answer, Command, Coordinator, Ending, Move, Point, Report, Stage,
};
use ringshift::{DomainId, Instant, ShardId};

use crate::client::Stores;
use crate::store::{Chunks, Store};
use crate::topology::TopologyStore;

pub(crate) use feed::Feed;
pub use feed::Witness;

/// One command, carried out.
#[derive(Clone, Debug)]
pub struct Event<'e> {
    /// Where in the migration.
    pub point: Point,
    /// The move, with the number of a ramp; `None` while the coordinator takes office.
    pub goal: Option<Move>,
    /// The wave, if it was about one.
    pub wave: Option<DomainId>,
    /// What was asked.
    pub command: &'e Command,
    /// What was answered.
    pub answer: &'e Answer,
    /// How long that took.
    pub took: Duration,
}

impl Event<'_> {
    /// Whether writes of the wave may have been held back from this command on.
    pub const fn begins_pause(&self) -> bool {
        matches!(self.point.stage, Stage::Pause | Stage::CloseFrom)
    }

    /// Whether they go on with its answer: that of the last install, or where a shard can't hold
    /// writes back, of the snapshot that says so.
    pub fn ends_pause(&self, coordinator: &Coordinator) -> bool {
        let content = coordinator.snapshot().map(|snapshot| snapshot.content());
        let waves = content.into_iter().flat_map(|content| &content.keyspaces);
        let mut waves = waves.flat_map(|keyspace| &keyspace.waves);
        match (self.point.stage, self.answer) {
            (Stage::Open, Answer::Swapped) => true,
            (Stage::InstallOther, Answer::Done) => {
                !waves.any(|wave| Some(wave.domain) == self.wave && wave.switching)
            }
            _ => false,
        }
    }
}

/// What a runner tells of its work. Every method does nothing unless it is overridden.
pub trait Observer: Witness {
    /// A command is about to be carried out. The runner does nothing before this returns.
    fn before(&mut self, _point: Point, _wave: Option<DomainId>) {}

    /// A command was carried out; `coordinator` knows its answer already.
    fn after(&mut self, _event: &Event<'_>, _coordinator: &Coordinator) {}

    /// A barrier is over: from the moment before the first close, or before writes were said to be
    /// paused, to the answer of the last
    /// install, writers of the wave had to wait.
    fn barrier(&mut self, _goal: Move, _wave: Option<DomainId>, _pause: Duration) {}

    /// The coordinator waits: for a soak, for the throttle, or because a gate holds it.
    fn waiting(&mut self, _coordinator: &Coordinator) {}

    /// A report has news: what a progress bar shows. Told by a [`Reporter`](crate::Reporter).
    fn reported(&mut self, _report: &Report, _coordinator: &Coordinator) {}

    /// The coordinator's work is over.
    fn ended(&mut self, _ending: &Ending, _coordinator: &Coordinator) {}

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

impl Witness for Unobserved {}
impl Observer for Unobserved {}

/// Carries a coordinator's commands out; for one that stays, see [`agent`](crate::agent).
///
/// It looks after the stores meanwhile, and tells the coordinator what it sees
/// ([`StoreWatch`](ringshift::migration::StoreWatch)), so that gates know of a store that is slow or silent.
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

    /// Runs until the coordinator's work is over, or a migration of one that stays has ended.
    pub fn run(&self, coordinator: &mut Coordinator, observer: &mut impl Observer) -> Ending {
        let mut closed_at: Option<Clock> = None;
        let mut feed = Feed::default();
        loop {
            feed.tell(self, coordinator, observer);
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
                    let goal = coordinator.goal();
                    observer.before(point, wave);
                    let began = Clock::now();
                    let answer = self.carry_out(&command);
                    coordinator.handle_answer(self.now(), id, answer.clone());
                    let took = began.elapsed();
                    feed.handle_command(self, &command, &answer, took);
                    let event = Event {
                        point,
                        goal,
                        wave,
                        command: &command,
                        answer: &answer,
                        took,
                    };
                    observer.after(&event, coordinator);
                    if event.begins_pause() {
                        closed_at.get_or_insert(began);
                    }
                    let reopened = event.ends_pause(coordinator);
                    if reopened && let Some(closed_at) = closed_at.take() {
                        let goal = goal.unwrap_or(point.goal);
                        observer.barrier(goal, wave, closed_at.elapsed());
                    }
                }
                Action::Wait { until } => {
                    // One that stays tells of the end when all that goes with it is written down.
                    if let Some(ending) = coordinator.take_ending() {
                        observer.ended(&ending, coordinator);
                        return ending;
                    }
                    observer.waiting(coordinator);
                    let ms = until.since(self.now()).min(20);
                    thread::sleep(Duration::from_millis(ms));
                    coordinator.handle_timeout(self.now());
                }
                Action::Over(ending) => {
                    observer.ended(&ending, coordinator);
                    return ending;
                }
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

/// Whole microseconds; what is longer than an hour is about that.
pub(crate) fn micros(took: Duration) -> u32 {
    u32::try_from(took.as_micros()).unwrap_or(u32::MAX)
}

/// Milliseconds since 1970-01-01 UTC; 0 for a clock that stands before that.
pub(crate) fn unix_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// Whether `every` has passed since the last time, which is now from here on.
pub(crate) fn is_due(last: &mut Option<Clock>, every: Duration) -> bool {
    let due = last.is_none_or(|last| last.elapsed() >= every);
    if due {
        *last = Some(Clock::now());
    }
    due
}
