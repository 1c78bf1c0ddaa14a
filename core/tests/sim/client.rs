//! A client process: the core's own driver over its own operations, on a map and a gate that its
//! workers share. What it wants of the world it leaves in `out`.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ringshift::driver::{Driven, Environment, drive};
use ringshift::store::{Change, Content, Found, OperationKey, Response};
use ringshift::{
    Attempt, AttemptId, AttemptKind, Epoch, Instant, KeyspaceId, Operation, Plan, Policy,
    RefreshGate, RefreshStep, Reply, Router,
};

use crate::dice::Clock;
use crate::history::Ask;

pub(crate) const K: KeyspaceId = KeyspaceId(0);

/// What goes with an attempt, on its way.
#[derive(Clone, Debug)]
pub(crate) enum Carries {
    Nothing,
    Own(Ask, OperationKey),
    Row(Found),
}

/// The bytes of a value.
fn bytes(ask: Ask) -> [u8; 4] {
    match ask {
        Ask::Put(value) | Ask::PutIf(_, value) => value.to_le_bytes(),
        Ask::Get | Ask::Delete => [0; 4],
    }
}

/// The value that bytes are.
pub(crate) fn value_of(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().unwrap())
}

impl Carries {
    /// As a store takes it.
    pub(crate) fn with<T>(&self, then: impl FnOnce(Content<'_>) -> T) -> T {
        match self {
            Self::Nothing => then(Content::None),
            Self::Row(found) => then(Content::Row {
                value: found.value.as_deref(),
                op: found.op,
            }),
            Self::Own(ask, op) => {
                let value = &bytes(*ask);
                let change = match *ask {
                    Ask::PutIf(expected, _) => Change::PutIf { expected, value },
                    Ask::Put(_) => Change::Put(value),
                    Ask::Delete | Ask::Get => Change::Delete,
                };
                then(Content::Own { change, op: *op })
            }
        }
    }
}

/// What a client wants of the world.
pub(crate) enum Out {
    Send {
        worker: usize,
        attempt: Attempt,
        carries: Carries,
    },
    Fetch {
        have: Epoch,
        sent: Instant,
    },
    Wake {
        until: Instant,
    },
}

/// What the workers of a process share.
pub(crate) struct Shared {
    pub(crate) now: Instant,
    pub(crate) router: Arc<Router>,
    pub(crate) gate: RefreshGate,
    pub(crate) out: Vec<Out>,
    /// The reply that each worker's attempt got.
    pub(crate) replies: Vec<Option<(AttemptId, Response)>>,
    /// Fetches that are over, in whatever way.
    pub(crate) fetched: u64,
}

/// What a worker does: it drives one operation to its end.
pub(crate) type Work = Pin<Box<dyn Future<Output = Driven<Found>>>>;

/// One process.
pub(crate) struct Client {
    pub(crate) up: bool,
    /// Which of its lives it is in; what was meant for another never arrives.
    pub(crate) life: u32,
    /// It does nothing before this moment.
    pub(crate) frozen: u64,
    pub(crate) clock: Clock,
    pub(crate) shared: Rc<RefCell<Shared>>,
    /// What each worker is at, and the call's number in the history.
    pub(crate) workers: Vec<Option<(usize, Work)>>,
    pub(crate) policy: Policy,
    /// Keys that it is told to read when all is over.
    pub(crate) todo: Vec<usize>,
    /// The number of the fetch that it waits for.
    pub(crate) fetches: Option<u64>,
    /// Each worker's last call.
    pub(crate) last: Vec<Option<usize>>,
}

impl Client {
    pub(crate) fn new(clock: Clock, router: Arc<Router>, workers: usize, policy: Policy) -> Self {
        let shared = Shared {
            now: Instant::ZERO,
            gate: RefreshGate::new(router.snapshot().epoch(), 5, policy.seed),
            router,
            out: Vec::new(),
            replies: vec![None; workers],
            fetched: 0,
        };
        Self {
            up: true,
            life: 0,
            frozen: 0,
            clock,
            shared: Rc::new(RefCell::new(shared)),
            workers: (0..workers).map(|_| None).collect(),
            policy,
            todo: Vec::new(),
            fetches: None,
            last: vec![None; workers],
        }
    }

    /// Dies, and begins anew with a map from wherever.
    pub(crate) fn begin_anew(&mut self, router: Arc<Router>) {
        let anew = Self::new(self.clock, router, self.workers.len(), self.policy);
        let (life, todo) = (self.life, std::mem::take(&mut self.todo));
        *self = Self { life, todo, ..anew };
    }

    pub(crate) fn tick(&self, now: u64) {
        self.shared.borrow_mut().now = Instant::from_millis(self.clock.says(now));
    }

    /// Puts a worker to work.
    pub(crate) fn begin(&mut self, worker: usize, call: usize, key: Arc<[u8]>, ask: Ask) {
        let mut op = [0; 16];
        op[..8].copy_from_slice(&(call as u64 + 1).to_le_bytes());
        let seed = self.policy.seed ^ call as u64;
        let policy = Policy {
            seed,
            ..self.policy
        };
        let world = World {
            shared: Rc::clone(&self.shared),
            worker,
            key,
            own: Carries::Own(ask, op),
        };
        let work = async move {
            let (plan, now) = (world.newest(), world.now());
            let mut operation = match ask {
                Ask::Get => Operation::read(plan, policy, now),
                Ask::Put(_) | Ask::Delete | Ask::PutIf(..) => Operation::write(plan, policy, now),
            };
            drive(&mut operation, &world).await
        };
        self.shared.borrow_mut().replies[worker] = None;
        self.workers[worker] = Some((call, Box::pin(work)));
    }

    /// What has come to an end.
    pub(crate) fn poll(&mut self) -> Vec<(usize, usize, Driven<Found>)> {
        let mut context = Context::from_waker(Waker::noop());
        let mut over = Vec::new();
        for (worker, slot) in self.workers.iter_mut().enumerate() {
            if let Some((call, work)) = slot
                && let Poll::Ready(driven) = work.as_mut().poll(&mut context)
            {
                over.push((worker, *call, driven));
                *slot = None;
            }
        }
        over
    }
}

/// One operation's world.
struct World {
    shared: Rc<RefCell<Shared>>,
    worker: usize,
    key: Arc<[u8]>,
    own: Carries,
}

impl World {
    fn post(&self, attempt: Attempt, found: Option<&Found>) {
        let carries = match (attempt.kind, found) {
            (AttemptKind::Read, _) => Carries::Nothing,
            (_, Some(found)) => Carries::Row(found.clone()),
            (_, None) => self.own.clone(),
        };
        let worker = self.worker;
        self.shared.borrow_mut().out.push(Out::Send {
            worker,
            attempt,
            carries,
        });
    }

    /// Waits until another fetch is over, or until `limit`.
    async fn next_fetch(&self, limit: Instant) {
        let before = self.shared.borrow().fetched;
        let mut asked = false;
        poll_fn(|_| {
            let mut shared = self.shared.borrow_mut();
            if shared.fetched != before || shared.now >= limit {
                return Poll::Ready(());
            }
            if !asked && limit < Instant::NEVER {
                asked = true;
                shared.out.push(Out::Wake { until: limit });
            }
            Poll::Pending
        })
        .await;
    }
}

impl Environment for World {
    type Found = Found;

    fn now(&self) -> Instant {
        self.shared.borrow().now
    }

    async fn send(&self, attempt: Attempt, found: Option<&Found>) -> (Reply, Option<Found>) {
        self.post(attempt, found);
        poll_fn(|_| {
            let slot = &mut self.shared.borrow_mut().replies[self.worker];
            match slot.take() {
                Some((id, response)) if id == attempt.id => {
                    Poll::Ready((response.reply, response.found))
                }
                _ => Poll::Pending,
            }
        })
        .await
    }

    fn trail(&self, attempt: Attempt) {
        self.post(attempt, None);
    }

    async fn refresh(&self, newer_than: Epoch) -> Plan {
        let now = self.now();
        let step = self.shared.borrow_mut().gate.want(now, newer_than);
        match step {
            RefreshStep::InHand => {}
            RefreshStep::Join => self.next_fetch(now.after(100)).await,
            RefreshStep::Wait { until } => self.sleep(until).await,
            RefreshStep::Fetch => {
                let have = self.shared.borrow().router.snapshot().epoch();
                self.shared
                    .borrow_mut()
                    .out
                    .push(Out::Fetch { have, sent: now });
                self.next_fetch(Instant::NEVER).await;
            }
        }
        self.newest()
    }

    fn newest(&self) -> Plan {
        let shared = self.shared.borrow();
        let plan = shared
            .router
            .keyspace_at(K)
            .unwrap()
            .plan(&self.key)
            .unwrap();
        shared.gate.lease(plan)
    }

    async fn sleep(&self, until: Instant) {
        let mut asked = false;
        poll_fn(|_| {
            let mut shared = self.shared.borrow_mut();
            if shared.now >= until {
                return Poll::Ready(());
            }
            if !asked {
                asked = true;
                shared.out.push(Out::Wake { until });
            }
            Poll::Pending
        })
        .await;
    }
}
