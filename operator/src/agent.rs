//! Drives an agent against real stores: stands by, takes the lead when nobody has it, and runs
//! whatever migration the record's log, or a request, wishes.
//!
//! Others talk to the agent in office through the topology store:
//! [`TopologyStore::request`](crate::topology::TopologyStore::request) with a
//! [`Request`](ringshift::migration::Request) from any process; the leader picks it up within a
//! quarter of its lease. Progress is in the record: [`TopologyStore::load`]'s snapshot and log.
//!
//! [`TopologyStore::load`]: crate::topology::TopologyStore::load

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant as Clock};

use ringshift::ShardId;
use ringshift::migration::{
    Action, Agent, AgentAction, Answer, Command, Coordinator, Ending, Point,
};

use crate::runner::{Event, Feed, Runner, Witness};
use crate::store::Store;

/// What an agent tells of its work, and asks. Every method but `open` does nothing unless it is
/// overridden. Of health and of the time it is asked while it leads.
pub trait Post: Witness {
    /// The store of a shard that has joined since the runner was made; `None` while it can't be
    /// opened: it is asked again then.
    fn open(&mut self, shard: &ringshift::Shard) -> Option<Arc<dyn Store>>;

    /// A command is about to be carried out. Nothing happens before this returns.
    fn before(&mut self, _point: Point, _coordinator: &Coordinator) {}

    /// A command was carried out; `coordinator` knows its answer already.
    fn after(&mut self, _point: Point, _command: &Command, _answer: &Answer, _: &Coordinator) {}

    /// The same as `after`, which was told just before, with all that is known of the command.
    fn told(&mut self, _event: &Event<'_>, _coordinator: &Coordinator) {}

    /// The agent leads, or no longer does.
    fn leads(&mut self, _leads: bool) {}

    /// A migration that it led is over, or it lost the lead.
    fn ended(&mut self, _ending: &Ending) {}
}

/// How long a wait lasts at most before `stop` is looked at.
const NAP_MS: u64 = 20;

/// Runs `agent` until `stop` is set, or, if `once`, until its first ending other than having lost
/// the lead, which is answered.
pub fn run(
    runner: &Runner,
    agent: &mut Agent,
    post: &mut impl Post,
    stop: &AtomicBool,
    once: bool,
) -> Option<Ending> {
    let mut led = false;
    let mut feed = Feed::default();
    while !stop.load(Ordering::Relaxed) {
        if led != agent.leads() {
            led = !led;
            post.leads(led);
        }
        if let Some(coordinator) = agent.coordinator_mut() {
            feed.tell(runner, coordinator, post);
        } else {
            // The next one that it leads by has seen no clock yet, and no store.
            feed = Feed::default();
        }
        match agent.poll() {
            AgentAction::Look => {
                let found = runner.topology().standing().ok();
                agent.handle_standing(runner.now(), found);
            }
            AgentAction::Act(Action::Do {
                id,
                point,
                wave,
                command,
            }) => {
                let goal = agent.coordinator().and_then(Coordinator::goal);
                if let Some(coordinator) = agent.coordinator() {
                    join(runner, coordinator, command.shard(), post);
                    post.before(point, coordinator);
                }
                let began = Clock::now();
                let answer = runner.carry_out(&command);
                let took = began.elapsed();
                feed.handle_command(runner, &command, &answer, took);
                agent.handle_answer(runner.now(), id, answer.clone());
                if let Some(coordinator) = agent.coordinator() {
                    post.after(point, &command, &answer, coordinator);
                    let event = Event {
                        point,
                        goal,
                        wave,
                        command: &command,
                        answer: &answer,
                        took,
                    };
                    post.told(&event, coordinator);
                }
            }
            AgentAction::Act(Action::Wait { until }) => {
                let ms = until.since(runner.now()).min(NAP_MS);
                thread::sleep(Duration::from_millis(ms));
                agent.handle_timeout(runner.now());
            }
            AgentAction::Act(Action::Over(ending)) => {
                post.ended(&ending);
                if once && !matches!(ending, Ending::SteppedDown { .. }) {
                    return Some(ending);
                }
            }
        }
    }
    None
}

/// Opens the store of a shard that the runner doesn't know yet.
fn join(runner: &Runner, coordinator: &Coordinator, shard: Option<ShardId>, post: &mut impl Post) {
    let Some(id) = shard.filter(|&id| !runner.reaches(id)) else {
        return;
    };
    let listed = coordinator
        .snapshot()
        .map(|s| s.content().shards.as_slice());
    let listed = listed.unwrap_or_default().iter();
    let joining = coordinator.log().enlist.as_deref().unwrap_or_default();
    let shard = listed.chain(joining).find(|shard| shard.id == id);
    if let Some(store) = shard.and_then(|shard| post.open(shard)) {
        runner.add_store(id, store);
    }
}

/// A number that tells this agent from every other, drawn at random.
///
/// # Errors
/// What the system says when it has no randomness.
pub fn draw_nonce() -> std::io::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(std::io::Error::from)?;
    Ok(u64::from_le_bytes(bytes).max(1))
}

/// Waits, for at most `patience`, until the request of that number was heard.
///
/// Answers whether it was.
///
/// # Errors
/// As [`TopologyStore::load`](crate::topology::TopologyStore::load).
pub fn wait_heard(
    topology: &dyn crate::topology::TopologyStore,
    number: u64,
    patience: Duration,
) -> Result<bool, crate::topology::TopologyError> {
    let until = Clock::now() + patience;
    loop {
        let waiting = topology.load()?.desk.request;
        if waiting.is_none_or(|waiting| waiting.number > number) {
            return Ok(true);
        }
        if Clock::now() >= until {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(NAP_MS));
    }
}
