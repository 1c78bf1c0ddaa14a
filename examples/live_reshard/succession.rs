//! Coordinators, one after the other: the one in office dies or freezes at a step, the next takes
//! over, and one that thaws finds itself out of office.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use ringshift::DomainId;
use ringshift::migration::{Coordinator, Ending, Log, Move, Point, Settings};
use ringshift_operator::runner::{Event, Observer, Runner};
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
    thread::scope(|scope| {
        // Whatever happens here: nobody stays frozen, or the scope would never end.
        let _thaw = Thaw(&ice);
        let mut frozen = None;
        let mut takeovers = 0;
        let led = loop {
            let term = cluster.topology.draw_term()?;
            let (tell, hear) = channel();
            let leads = scope.spawn({
                let ice = &ice;
                move || {
                    let runner = Runner::new(cluster.topology.clone(), cluster.stores.clone());
                    let mut coordinator =
                        Coordinator::new(term, settings.clone(), log.cloned(), runner.now());
                    let mut leader = Leader {
                        watch,
                        ice,
                        tell,
                        is_out: false,
                    };
                    let ending = runner.run(&mut coordinator, &mut leader);
                    // Nobody hears it of one that was frozen.
                    let _unheard = leader.tell.send(News::Over);
                    (ending, coordinator.mismatches().len())
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
    tell: Sender<News>,
    /// It was frozen: what it still does is none of the migration's.
    is_out: bool,
}

impl Observer for Leader<'_> {
    fn before(&mut self, point: Point, _wave: Option<DomainId>) {
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
