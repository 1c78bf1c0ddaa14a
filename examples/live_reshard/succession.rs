//! Coordinators, one after the other: the one in office dies or freezes at a step, an agent that
//! nobody tells of that takes over, and one that thaws finds itself out of office.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use ringshift::migration::{
    Agent, Answer, Command, Coordinator, Ending, Log, Move, Point, Request, Settings,
};
use ringshift::{DomainId, Shard, Term};
use ringshift_operator::agent::{self, Post, draw_nonce};
use ringshift_operator::runner::{Event, Observer, Runner, Witness};
use ringshift_operator::store::Store;
use ringshift_operator::topology::TopologyStore;

use crate::cluster::{Cluster, Failed};
use crate::disturb::How;
use crate::watch::Watch;

/// How the last coordinator ended, and what it knows.
pub(crate) struct Led {
    pub(crate) ending: Ending,
    pub(crate) mismatches: usize,
    pub(crate) takeovers: u64,
}

/// What a coordinator's thread says before it can be joined. One that dies says nothing.
enum News {
    Frozen,
    Over,
}

/// What a thread that dies on purpose unwinds with.
struct Dead;

/// Runs coordinators until one comes to the migration's end.
pub(crate) fn lead(
    cluster: &Cluster,
    settings: &Arc<Settings>,
    log: Option<&Log>,
    watch: &Mutex<Watch>,
) -> Result<Led, Failed> {
    let ice = Ice::default();
    let nonce = draw_nonce()?;
    thread::scope(|scope| {
        // Whatever happens here: nobody stays frozen, or the scope would never end.
        let _thaw = Thaw(&ice);
        let mut frozen = None;
        let mut takeovers = 0;
        let term = cluster.topology.draw_term()?;
        let led = loop {
            let (tell, hear) = channel();
            let first = takeovers == 0;
            let leads = scope.spawn({
                let ice = &ice;
                move || {
                    let runner = Runner::new(cluster.topology.clone(), cluster.stores.clone());
                    let mut leader = Leader {
                        watch,
                        ice,
                        topology: &*cluster.topology,
                        tell,
                        is_out: false,
                        asked: false,
                    };
                    let ended = if first {
                        coordinate(term, &runner, settings, log, &mut leader)
                    } else {
                        stand_by(nonce, &runner, settings, &mut leader)
                    };
                    // Nobody hears it of one that was frozen.
                    let _unheard = leader.tell.send(News::Over);
                    ended
                }
            });
            match hear.recv() {
                Ok(News::Frozen) => frozen = Some(leads),
                Ok(News::Over) | Err(_) => match leads.join() {
                    Ok((ending, mismatches)) => {
                        break Led {
                            ending,
                            mismatches,
                            takeovers,
                        };
                    }
                    Err(cause) if cause.is::<Dead>() => {}
                    Err(cause) => resume_unwind(cause),
                },
            }
            if takeovers == 0
                && let Some(log) = log
            {
                // The first one may have fallen before it had written its plan down. Ignored
                // otherwise.
                cluster.topology.request(Request::Begin(log.clone()))?;
            }
            takeovers += 1;
        };
        ice.thaw();
        if let Some(frozen) = frozen {
            match frozen.join() {
                Ok((Ending::SteppedDown { .. }, _)) => {}
                Ok((ending, _)) => {
                    return Err(format!("a coordinator out of office ended as {ending:?}").into());
                }
                Err(cause) => resume_unwind(cause),
            }
        }
        Ok(led)
    })
}

type Ended = (Ending, usize);

/// The first one is sent by hand, with its plan.
fn coordinate(
    term: Term,
    runner: &Runner,
    settings: &Arc<Settings>,
    log: Option<&Log>,
    leader: &mut Leader<'_>,
) -> Ended {
    let mut coordinator = Coordinator::new(term, settings.clone(), log.cloned(), runner.now());
    let ending = runner.run(&mut coordinator, leader);
    (ending, coordinator.mismatches().len())
}

/// Whoever comes after it is an agent: it looks whether anybody leads, and does when a lease went
/// by without a sign of life.
fn stand_by(
    nonce: u64,
    runner: &Runner,
    settings: &Arc<Settings>,
    leader: &mut Leader<'_>,
) -> Ended {
    let settings = Settings {
        lease_ms: LEASE_MS,
        ..Settings::clone(settings)
    };
    let mut agent = Agent::new(nonce, Arc::new(settings), runner.now());
    let stop = AtomicBool::new(false);
    let ending = agent::run(runner, &mut agent, leader, &stop, true);
    let found = agent.coordinator().map_or(0, |one| one.mismatches().len());
    let never = Ending::Paused {
        reason: "stopped".to_owned(),
    };
    (ending.unwrap_or(never), found)
}

/// Short, so that a run is; an agent's own is two seconds.
const LEASE_MS: u32 = 100;

/// What keeps a coordinator frozen, until its successor has come far enough.
#[derive(Default)]
struct Ice {
    /// Commands of successors until it thaws; `None`: nobody is frozen.
    left: Mutex<Option<u32>>,
    thawed: Condvar,
}

impl Ice {
    fn freeze(&self, commands: u32, tell: &Sender<News>) {
        let mut left = self.left.lock();
        *left = Some(commands);
        let _heard = tell.send(News::Frozen);
        self.thawed.wait_while(&mut left, |left| left.is_some());
    }

    fn melt(&self) {
        let mut left = self.left.lock();
        *left = left.and_then(|left| left.checked_sub(1));
        if left.is_none() {
            self.thawed.notify_all();
        }
    }

    fn thaw(&self) {
        *self.left.lock() = None;
        self.thawed.notify_all();
    }
}

struct Thaw<'i>(&'i Ice);

impl Drop for Thaw<'_> {
    fn drop(&mut self) {
        self.0.thaw();
    }
}

/// Watches for one coordinator; all of them share the figures.
struct Leader<'w> {
    watch: &'w Mutex<Watch>,
    ice: &'w Ice,
    topology: &'w dyn TopologyStore,
    tell: Sender<News>,
    /// It has asked for the way back.
    asked: bool,
    /// It was frozen: what it still does is none of the migration's.
    is_out: bool,
}

impl Leader<'_> {
    fn comes_to(&mut self, point: Point) {
        if self.is_out {
            return;
        }
        let fate = self.watch.lock().before(point);
        match fate {
            None => {}
            Some(How::Dies) => resume_unwind(Box::new(Dead)),
            Some(How::Freezes { commands }) => {
                self.is_out = true;
                self.ice.freeze(commands, &self.tell);
            }
        }
    }
}

impl Witness for Leader<'_> {}

impl Post for Leader<'_> {
    fn open(&mut self, _shard: &Shard) -> Option<Arc<dyn Store>> {
        // All shards are open, those that join too.
        None
    }

    fn before(&mut self, point: Point, _coordinator: &Coordinator) {
        self.comes_to(point);
    }

    fn after(
        &mut self,
        point: Point,
        command: &Command,
        answer: &Answer,
        coordinator: &Coordinator,
    ) {
        let event = Event {
            point,
            goal: coordinator.goal(),
            wave: command.domain(),
            command,
            answer,
            took: Duration::ZERO,
        };
        Observer::after(self, &event, coordinator);
        if self.asked {
            return;
        }
        if let Some(reason) = Observer::wants_back(self, coordinator) {
            // Refused while another request waits: asked again at the next step then.
            let asked = self.topology.request(Request::RollBack { reason });
            self.asked = asked.is_ok();
        }
    }
}

impl Observer for Leader<'_> {
    fn before(&mut self, point: Point, _wave: Option<DomainId>) {
        self.comes_to(point);
    }

    fn after(&mut self, event: &Event<'_>, coordinator: &Coordinator) {
        if !self.is_out {
            self.watch.lock().after(event, coordinator);
            self.ice.melt();
        }
    }

    fn barrier(&mut self, _goal: Move, _wave: Option<DomainId>, pause: Duration) {
        if !self.is_out {
            self.watch.lock().barrier(pause);
        }
    }

    fn wants_back(&mut self, coordinator: &Coordinator) -> Option<String> {
        if self.is_out {
            return None;
        }
        self.watch.lock().wants_back(coordinator)
    }
}
