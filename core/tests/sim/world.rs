//! A whole world on virtual time: nodes, messages between them, and what happens next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use ringshift::migration::Log;
use ringshift::record::Record;
use ringshift::{Router, ShardId};

use crate::checks::Authorities;
use crate::client::Client;
use crate::counts::Counts;
use crate::dice::{Clock, Dice};
use crate::draw::Draw;
use crate::history::Call;
use crate::leader::{Leader, Mind};
use crate::message::{Event, Message};
use crate::network::{Care, Network, Node};
use crate::shard::Shard;
use crate::story::{About, Story};

struct Queued {
    when: u64,
    /// Moments are whole milliseconds: chance decides what of one comes first.
    draw: u64,
    event: Event,
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        (self.when, self.draw) == (other.when, other.draw)
    }
}
impl Eq for Queued {}
impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.when, self.draw).cmp(&(other.when, other.draw))
    }
}

/// What went wrong.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) key: Option<usize>,
    pub(crate) what: String,
}

pub(crate) struct World {
    pub(crate) draw: Draw,
    pub(crate) dice: Dice,
    pub(crate) now: u64,
    queue: BinaryHeap<Reverse<Queued>>,
    /// The place of the next thing in the order of all that happens.
    pub(crate) order: u64,
    pub(crate) network: Network,
    pub(crate) record: Record,
    /// Every map that was in force, the last one in force now.
    pub(crate) maps: Vec<Arc<Router>>,
    pub(crate) shards: BTreeMap<ShardId, Shard>,
    pub(crate) clients: Vec<Client>,
    pub(crate) leaders: Vec<Leader>,
    pub(crate) calls: Vec<Call>,
    /// Calls that each key may still have.
    pub(crate) left: Vec<usize>,
    pub(crate) authorities: Authorities,
    pub(crate) counts: Counts,
    pub(crate) story: Story,
    pub(crate) calm: bool,
    /// The shard whose backup was put back, and the place of that in the order of all that happens.
    pub(crate) restored: Option<(ShardId, u64)>,
    /// The record knows of a claim that the backup has never heard of: the shard is to be shut.
    pub(crate) must_be_shut: Option<ShardId>,
    pub(crate) next_shard: u64,
    /// Whether the final reads were asked for.
    pub(crate) finals: bool,
    pub(crate) failure: Option<Failure>,
}

/// A world that goes on for longer is one in which somebody runs in circles.
const EVENTS_MAX: u64 = 600_000;
/// How long after the faults everything has come to its end.
const SETTLED_MS: u64 = 180_000;

impl World {
    pub(crate) fn new(seed: u64, told: bool) -> Self {
        let mut dice = Dice::new(seed);
        let draw = Draw::new(&mut dice);
        let router = draw.topology(&mut dice);
        let record = Record::first(Arc::clone(router.snapshot()));
        let mut world = Self {
            network: Network::draw(&mut dice),
            now: 0,
            queue: BinaryHeap::new(),
            order: 0,
            record,
            maps: vec![Arc::clone(&router)],
            shards: BTreeMap::new(),
            clients: Vec::new(),
            leaders: Vec::new(),
            calls: Vec::new(),
            left: vec![crate::history::CALLS_A_KEY; draw.keys.len()],
            authorities: Authorities::new(draw.keys.len()),
            counts: Counts::default(),
            story: Story::new(told),
            calm: false,
            restored: None,
            must_be_shut: None,
            next_shard: draw.shards + 1,
            finals: false,
            failure: None,
            dice,
            draw,
        };
        world.authorities.learn(&world.draw.keys, &router);
        for id in 1..=world.draw.shards {
            world.open_shard(ShardId(u32::try_from(id).unwrap()));
        }
        for _ in 0..world.draw.clients {
            let clock = Clock::new(&mut world.dice, world.draw.off_ppm);
            let (workers, policy) = (world.draw.workers, world.draw.policy(&mut world.dice));
            let workers = usize::try_from(workers).unwrap();
            let client = Client::new(clock, Arc::clone(&router), workers, policy);
            world.clients.push(client);
        }
        for at in 0..2 {
            let clock = Clock::new(&mut world.dice, world.draw.off_ppm);
            world
                .leaders
                .push(Leader::new(clock, Mind::Coordinator(None)));
            if world.draw.agents {
                world.stand_by(at);
            }
        }
        world.begin();
        world
    }

    fn begin(&mut self) {
        if self.draw.unfenced.is_some() {
            self.counts.add("worlds with client leases");
        }
        if self.draw.lease_ms > 0 {
            self.counts.add("worlds with mirror leases");
        }
        let (workers, clients) = (self.draw.workers, self.clients.len());
        for client in 0..clients {
            for worker in 0..usize::try_from(workers).unwrap() {
                self.rest(client, worker);
            }
        }
        for kind in 0..self.draw.faults.len() {
            self.next_fault(kind);
        }
        self.at(1, Event::Operator);
        self.at(self.draw.storm_ms, Event::Calm);
        let keys = Vec::new();
        let told = format!(
            "{} keys, {:?} {:?}",
            self.draw.keys.len(),
            Draw {
                keys,
                ..self.draw.clone()
            },
            self.network
        );
        self.tell(About::All, || told);
    }

    /// Runs to its end: nothing is wrong, or what is.
    pub(crate) fn run(&mut self) -> Result<(), Failure> {
        let mut events = 0;
        while self.failure.is_none() {
            let Some(Reverse(next)) = self.queue.pop() else {
                break;
            };
            events += 1;
            self.now = self.now.max(next.when);
            if events > EVENTS_MAX {
                self.fail(None, format!("{EVENTS_MAX} events, and no end"));
            } else if self.now > self.draw.storm_ms + SETTLED_MS {
                self.unsettled();
            }
            self.story.mark(self.now);
            self.happens(next.event);
            if self.calm && self.is_settled() {
                break;
            }
        }
        self.counts.add_many("events", events);
        match self.failure.clone() {
            Some(failure) => Err(failure),
            None => self.judge(),
        }
    }

    pub(crate) fn at(&mut self, when: u64, event: Event) {
        let draw = self.dice.draw();
        self.queue.push(Reverse(Queued { when, draw, event }));
    }

    /// Another number that nobody had.
    pub(crate) fn number(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    pub(crate) fn fail(&mut self, key: Option<usize>, what: String) {
        self.failure.get_or_insert(Failure { key, what });
    }

    pub(crate) fn tell(&mut self, about: About, line: impl FnOnce() -> String) {
        self.story.tell(self.now, about, line);
    }

    /// A chance of a thousand while faults happen, and none after.
    pub(crate) fn storm(&self, of_a_thousand: u64) -> u64 {
        if self.calm { 0 } else { of_a_thousand }
    }

    pub(crate) fn post(&mut self, from: Node, to: Node, care: Care, message: &Message) {
        let carried = self
            .network
            .carry(&mut self.dice, self.now, (from, to), care);
        match carried.at {
            [None, None] => self.counts.add("messages lost"),
            [Some(_), Some(_)] => {
                self.counts.add("messages repeated");
                if let Message::Command { .. } = message {
                    self.counts.add("commands repeated");
                }
            }
            _ if carried.late => self.counts.add("messages late"),
            _ => {}
        }
        for when in carried.at.into_iter().flatten() {
            self.at(when, Event::Arrive(to, Box::new(message.clone())));
        }
    }

    /// Until when the node that it is for does nothing.
    fn frozen(&self, event: &Event) -> u64 {
        match *event {
            Event::Arrive(Node::Client(client), _)
            | Event::Leave(client, ..)
            | Event::Wake { client, .. }
            | Event::Begin { client, .. }
            | Event::Unfetched { client, .. } => self.clients[client].frozen,
            Event::Arrive(Node::Leader(at), _)
            | Event::Tick { at, .. }
            | Event::Silence { at, .. } => self.leaders[at].frozen,
            _ => 0,
        }
    }

    fn happens(&mut self, event: Event) {
        let thaw = self.frozen(&event);
        if thaw > self.now {
            return self.at(thaw, event);
        }
        match event {
            Event::Arrive(to, message) => self.arrive(to, *message),
            Event::CarryOut(shard, life, message) => self.carry_out(shard, life, *message),
            Event::Leave(client, life, message) if self.lives(client, life) => {
                self.leave(client, *message);
            }
            Event::Wake { client, life } if self.lives(client, life) => self.work(client),
            Event::Begin {
                client,
                life,
                worker,
            } if self.lives(client, life) => self.next_call(client, worker),
            Event::Unfetched {
                client,
                life,
                number,
            } if self.lives(client, life) => self.fetched(client, number, None),
            Event::Tick { at, life, tick } if self.leads(at, life) => self.ticked(at, tick),
            Event::Silence { at, life, number } if self.leads(at, life) => {
                self.silence(at, number);
            }
            Event::Operator => self.operator(),
            Event::Fault(kind) => self.fault(kind),
            Event::Restart(node) => self.restart(node),
            Event::Calm => self.calm_down(),
            _ => {}
        }
    }

    fn lives(&self, client: usize, life: u32) -> bool {
        self.clients[client].up && self.clients[client].life == life
    }

    fn leads(&self, at: usize, life: u32) -> bool {
        self.leaders[at].up && self.leaders[at].life == life
    }

    fn arrive(&mut self, to: Node, message: Message) {
        match (to, message) {
            (Node::Shard(shard), message) => self.at_shard(shard, message),
            (Node::Topology, message) => self.at_topology(message),
            (
                Node::Client(client),
                Message::Reply {
                    life,
                    worker,
                    call,
                    id,
                    response,
                },
            ) if self.lives(client, life) => self.replied((client, worker, call), id, response),
            (
                Node::Client(client),
                Message::Fetched {
                    life,
                    number,
                    router,
                    sent,
                    current,
                },
            ) if self.lives(client, life) => {
                self.fetched(client, number, Some((router, sent, current)));
            }
            (
                Node::Leader(at),
                Message::Answer {
                    life,
                    number,
                    standing,
                    read,
                    answer,
                },
            ) if self.leads(at, life) => self.answered(at, number, standing, read, *answer),
            _ => {}
        }
    }

    /// Whether everything has come to its end, the final reads too.
    fn is_settled(&self) -> bool {
        let idle =
            |client: &Client| client.todo.is_empty() && client.workers.iter().all(Option::is_none);
        self.is_quiet() && self.final_reads_are_asked() && self.clients.iter().all(idle)
    }

    /// Whether no migration is under way, and no shard is shut, or is to be.
    pub(crate) fn is_quiet(&self) -> bool {
        let keyspaces = &self.record.snapshot.content().keyspaces;
        let listed = |shard| self.record.snapshot.shard(shard).is_some();
        self.record.log == Log::default()
            && (!self.calm || !self.must_be_shut.is_some_and(listed))
            && keyspaces.iter().all(|keyspace| keyspace.waves.is_empty())
            && self
                .shards
                .values()
                .all(|shard| !shard.store.guard().is_shut())
    }
}
