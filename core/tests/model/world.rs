//! The model's world: two shards, a topology register, clients and a coordinator, and the messages
//! between them, which may be late, repeated, reordered or lost.
//!
//! Operation, guard and coordinator are the core's own; this file only carries messages.
//!
//! An answer arrives in the same step in which its request is carried out. That loses nothing: an
//! answer that is late is a request that is late, with what follows from it; an answer that is lost
//! is one that was given up before the request arrived; and an operation that ends as early as it
//! can leaves the history the least room. It makes the check several times smaller.

use std::hash::Hash;
use std::sync::Arc;

use ringshift::migration::{
    Action, Answer, Command, CommandId, Coordinator, Ending, Log, Settings,
};
use ringshift::{
    Attempt, AttemptId, AttemptKind, Failure, Instant, Operation, OperationError, Outcome, Payload,
    Plan, Policy, Reply, Router, ShardId, Snapshot, Step, Term,
};
use stateright::semantics::register::{Register, RegisterOp, RegisterRet};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester};
use stateright::{Model, Property};

use crate::shard::{Content, Key, NOTHING, Places, Row, Shard, Value};

pub(crate) type History = LinearizabilityTester<u8, Register<Value>>;

/// What a client does, one operation after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Do {
    Read(Key),
    /// Writes `NOTHING` to delete.
    Write(Key, Value),
}

/// One configuration of the model.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) initial: Arc<Snapshot>,
    pub(crate) wanted: Log,
    pub(crate) settings: Arc<Settings>,
    pub(crate) policy: Policy,
    pub(crate) scripts: Vec<Vec<Do>>,
    pub(crate) keys: Vec<Key>,
    pub(crate) places: Places,
    /// Key and value that are there before.
    pub(crate) loaded: Vec<(Key, Value)>,
    /// How often each fault may happen.
    pub(crate) faults: Faults,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Faults {
    /// The coordinator dies and another takes over.
    pub(crate) crashes: u8,
    /// A message that may be repeated arrives twice.
    pub(crate) repeats: u8,
    /// A client gives an attempt up; its message stays on its way.
    pub(crate) silences: u8,
    /// The coordinator gives a command up, past its barrier's deadline; the message stays.
    pub(crate) late_commands: u8,
    /// Somebody wants the migration taken back.
    pub(crate) rollbacks: u8,
    /// A client gets a newer snapshot without having been told to.
    pub(crate) refreshes: u8,
}

/// A request on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Message {
    Attempt {
        client: u8,
        op: u8,
        attempt: Attempt,
        key: Key,
        content: Content,
    },
    Command {
        term: Term,
        id: CommandId,
        command: Command,
        rows: Vec<(Key, Row)>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    /// The next entry of its script.
    next: u8,
    map: Arc<Snapshot>,
    running: Option<Running>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Running {
    what: Do,
    op: u8,
    operation: Operation,
    /// What replies have brought, by attempt.
    found: Vec<(AttemptId, Content)>,
    waits_for: Waits,
}

/// What an operation waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Waits {
    Attempt(AttemptId),
    Refresh,
    Time,
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct State {
    term: Term,
    snapshot: Arc<Snapshot>,
    log: Log,
    pub(crate) shards: Vec<Shard>,
    clients: Vec<Client>,
    coordinator: Coordinator,
    /// Its term, and the rows it holds between reading and applying them.
    office: Term,
    chunk: Vec<(Key, Row)>,
    network: Vec<Message>,
    pub(crate) histories: Vec<History>,
    faults: Faults,
    pub(crate) ending: Option<Ending>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Act {
    Deliver(usize),
    Repeat(usize),
    Start(u8),
    /// Start with the newest snapshot.
    StartFresh(u8),
    Timer(u8),
    Refreshed(u8),
    Silence(u8),
    Crash,
    LateCommand,
    RollBack,
}

impl World {
    fn plan(map: &Arc<Snapshot>, key: Key) -> Plan {
        let router = Router::new(map.clone());
        let id = map.content().keyspaces[0].id;
        router.keyspace_at(id).unwrap().plan(&[key]).unwrap()
    }

    fn history(&self, key: Key) -> usize {
        self.keys.iter().position(|&k| k == key).unwrap()
    }

    fn start(&self, state: &mut State, client: u8) {
        let c = &mut state.clients[usize::from(client)];
        let what = self.scripts[usize::from(client)][usize::from(c.next)];
        let op = (client << 4) | c.next;
        c.next += 1;
        let (key, operation) = match what {
            Do::Read(key) => (
                key,
                Operation::read(Self::plan(&c.map, key), self.policy, Instant::ZERO),
            ),
            Do::Write(key, _) => (
                key,
                Operation::write(Self::plan(&c.map, key), self.policy, Instant::ZERO),
            ),
        };
        c.running = Some(Running {
            what,
            op,
            operation,
            found: Vec::new(),
            waits_for: Waits::Time,
        });
        let invoked = match what {
            Do::Read(_) => RegisterOp::Read,
            Do::Write(_, value) => RegisterOp::Write(value),
        };
        state.histories[self.history(key)]
            .on_invoke(op, invoked)
            .unwrap();
        self.drive(state, client);
    }

    /// Polls a client's operation until it waits or is done.
    fn drive(&self, state: &mut State, client: u8) {
        let c = &mut state.clients[usize::from(client)];
        let Some(running) = c.running.as_mut() else {
            return;
        };
        let key = key_of(running.what);
        loop {
            match running.operation.poll() {
                Step::Send(attempt) => {
                    let own = Content {
                        value: if let Do::Write(_, value) = running.what {
                            value
                        } else {
                            NOTHING
                        },
                        op: running.op,
                    };
                    let content = match attempt.kind {
                        AttemptKind::Apply {
                            payload: Payload::FoundBy(id),
                            ..
                        } => {
                            running
                                .found
                                .iter()
                                .find(|(found, _)| *found == id)
                                .unwrap()
                                .1
                        }
                        _ => own,
                    };
                    if attempt.blocking {
                        running.waits_for = Waits::Attempt(attempt.id);
                    }
                    let op = running.op;
                    state.network.push(Message::Attempt {
                        client,
                        op,
                        attempt,
                        key,
                        content,
                    });
                }
                Step::Refresh { .. } => running.waits_for = Waits::Refresh,
                Step::Wait { .. } => return,
                Step::Done(outcome) => {
                    let value = |id| {
                        running
                            .found
                            .iter()
                            .find(|(found, _)| *found == id)
                            .unwrap()
                            .1
                            .value
                    };
                    let ret = match outcome {
                        Outcome::Value { from, .. } => Some(RegisterRet::ReadOk(value(from))),
                        Outcome::Missing => Some(RegisterRet::ReadOk(NOTHING)),
                        Outcome::Written { .. } => Some(RegisterRet::WriteOk),
                        // Unknown, or known not to have happened: the history keeps it open.
                        Outcome::Failed(
                            OperationError::Indeterminate { .. } | OperationError::Deadline { .. },
                        ) => None,
                        other => panic!("no way to end: {other:?}"),
                    };
                    let op = running.op;
                    c.running = None;
                    if let Some(ret) = ret {
                        state.histories[self.history(key)]
                            .on_return(op, ret)
                            .unwrap();
                    }
                    return;
                }
            }
        }
    }

    /// Polls the coordinator, and puts what it asks on its way.
    fn direct(state: &mut State) {
        match state.coordinator.poll() {
            Action::Do { id, command, .. } => {
                let rows = match command {
                    Command::Apply { .. } => state.chunk.clone(),
                    _ => Vec::new(),
                };
                let term = state.office;
                state.network.push(Message::Command {
                    term,
                    id,
                    command,
                    rows,
                });
            }
            Action::Wait { until } => {
                state.coordinator.handle_timeout(until);
                Self::direct(state);
            }
            Action::Over(ending) => state.ending = Some(ending),
        }
    }

    /// The topology register.
    fn at_register(state: &mut State, command: &Command) -> Option<Answer> {
        let lost = |state: &State| Answer::TermLost {
            current: state.term,
        };
        Some(match command {
            Command::Lead { term } if *term < state.term => lost(state),
            Command::Lead { term } => {
                state.term = *term;
                Answer::Loaded {
                    snapshot: state.snapshot.clone(),
                    log: state.log.clone(),
                }
            }
            Command::Swap { term, .. } | Command::SaveLog { term, .. } if *term != state.term => {
                lost(state)
            }
            Command::Swap { snapshot, .. } if *snapshot == state.snapshot => Answer::Swapped,
            Command::Swap { expected, .. } if *expected != state.snapshot.epoch() => {
                Answer::EpochLost {
                    current: state.snapshot.epoch(),
                }
            }
            Command::Swap { snapshot, log, .. } => {
                (state.snapshot, state.log) = (snapshot.clone(), log.clone());
                Answer::Swapped
            }
            Command::SaveLog { log, .. } => {
                state.log = log.clone();
                Answer::Logged
            }
            _ => return None,
        })
    }

    fn deliver(&self, state: &mut State, message: Message) {
        match message {
            Message::Attempt {
                client,
                op,
                attempt,
                key,
                content,
            } => {
                let shard = &mut state.shards[shard_at(attempt.shard)];
                let (reply, found) = shard.attempt(&attempt, key, content);
                let running = state.clients[usize::from(client)].running.as_mut();
                let Some(running) = running.filter(|running| running.op == op) else {
                    return;
                };
                if running
                    .operation
                    .handle_reply(Instant::ZERO, attempt.id, reply)
                    .is_ok()
                {
                    running.waits_for = Waits::Time;
                    running.found.push((attempt.id, found));
                    self.drive(state, client);
                }
            }
            Message::Command {
                term,
                id,
                command,
                mut rows,
            } => {
                let answer = Self::at_register(state, &command).unwrap_or_else(|| {
                    let shard = shard_at(command.shard().unwrap());
                    state.shards[shard].command(&command, &mut rows, self.places)
                });
                if term == state.office && state.ending.is_none() {
                    let before = state.coordinator.clone();
                    if matches!(answer, Answer::Changes { .. }) {
                        state.chunk = rows;
                    }
                    state.coordinator.handle_answer(Instant::ZERO, id, answer);
                    if state.coordinator != before {
                        Self::direct(state);
                    }
                }
            }
        }
    }
}

fn key_of(what: Do) -> Key {
    match what {
        Do::Read(key) | Do::Write(key, _) => key,
    }
}

fn shard_at(shard: ShardId) -> usize {
    shard.0 as usize - 1
}

/// Whether a message may arrive twice. A client's write may not: its transport promises that.
fn repeatable(message: &Message) -> bool {
    match message {
        Message::Attempt { attempt, .. } => !matches!(attempt.kind, AttemptKind::Write),
        Message::Command { .. } => true,
    }
}

impl Model for World {
    type State = State;
    type Action = Act;

    fn init_states(&self) -> Vec<State> {
        let mut shards = vec![Shard::default(); 2];
        for (at, shard) in shards.iter_mut().enumerate() {
            let id = ShardId(u32::try_from(at).unwrap() + 1);
            let rows = ringshift::migration::home_installs(&self.initial, id);
            shard.guard.install(Term(1), &rows).unwrap();
        }
        let mut histories = Vec::new();
        for key in &self.keys {
            let loaded = self.loaded.iter().find(|(k, _)| k == key);
            histories.push(History::new(Register(
                loaded.map_or(NOTHING, |(_, value)| *value),
            )));
        }
        for &(key, value) in &self.loaded {
            let plan = Self::plan(&self.initial, key);
            let mut operation = Operation::write(plan, self.policy, Instant::ZERO);
            let Step::Send(attempt) = operation.poll() else {
                panic!("nothing sent")
            };
            let content = Content { value, op: u8::MAX };
            let (reply, _) = shards[shard_at(attempt.shard)].attempt(&attempt, key, content);
            assert!(matches!(reply, Reply::Written { .. }), "{reply:?}");
        }
        let client = Client {
            next: 0,
            map: self.initial.clone(),
            running: None,
        };
        let office = Term(2);
        let wanted = Some(self.wanted.clone());
        let mut state = State {
            term: Term(1),
            snapshot: self.initial.clone(),
            log: Log::default(),
            shards,
            clients: vec![client; self.scripts.len()],
            coordinator: Coordinator::new(office, self.settings.clone(), wanted, Instant::ZERO),
            office,
            chunk: Vec::new(),
            network: Vec::new(),
            histories,
            faults: self.faults,
            ending: None,
        };
        Self::direct(&mut state);
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Act>) {
        actions.extend((0..state.network.len()).map(Act::Deliver));
        if state.faults.repeats > 0 {
            let repeats = (0..state.network.len()).filter(|&i| repeatable(&state.network[i]));
            actions.extend(repeats.map(Act::Repeat));
        }
        for (client, c) in (0..).zip(&state.clients) {
            match &c.running {
                None if usize::from(c.next) < self.scripts[usize::from(client)].len() => {
                    actions.push(Act::Start(client));
                    if state.faults.refreshes > 0 && c.map != state.snapshot {
                        actions.push(Act::StartFresh(client));
                    }
                }
                None => {}
                Some(running) => match running.waits_for {
                    Waits::Time => actions.push(Act::Timer(client)),
                    Waits::Refresh => actions.push(Act::Refreshed(client)),
                    Waits::Attempt(_) if state.faults.silences > 0 => {
                        actions.push(Act::Silence(client));
                    }
                    Waits::Attempt(_) => {}
                },
            }
        }
        if state.ending.is_none() {
            if state.faults.crashes > 0 {
                actions.push(Act::Crash);
            }
            if state.faults.late_commands > 0 {
                actions.push(Act::LateCommand);
            }
            if state.faults.rollbacks > 0 {
                actions.push(Act::RollBack);
            }
        }
    }

    fn next_state(&self, last: &State, action: Act) -> Option<State> {
        let mut state = last.clone();
        match action {
            Act::Deliver(at) => {
                let message = state.network.remove(at);
                self.deliver(&mut state, message);
            }
            Act::Repeat(at) => {
                state.faults.repeats -= 1;
                let message = state.network[at].clone();
                self.deliver(&mut state, message);
            }
            Act::Start(client) => self.start(&mut state, client),
            Act::StartFresh(client) => {
                state.faults.refreshes -= 1;
                state.clients[usize::from(client)].map = state.snapshot.clone();
                self.start(&mut state, client);
            }
            Act::Timer(client) => {
                let running = state.clients[usize::from(client)].running.as_mut()?;
                let Step::Wait { until } = running.operation.poll() else {
                    return None;
                };
                running.operation.handle_timeout(until);
                self.drive(&mut state, client);
            }
            Act::Refreshed(client) => {
                let c = &mut state.clients[usize::from(client)];
                let running = c.running.as_mut()?;
                c.map = state.snapshot.clone();
                let plan = Self::plan(&c.map, key_of(running.what));
                running.waits_for = Waits::Time;
                running.operation.handle_snapshot(Instant::ZERO, plan);
                self.drive(&mut state, client);
            }
            Act::Silence(client) => {
                state.faults.silences -= 1;
                let running = state.clients[usize::from(client)].running.as_mut()?;
                let Waits::Attempt(id) = running.waits_for else {
                    return None;
                };
                running.waits_for = Waits::Time;
                let failed = Reply::Failed(Failure::MaybeApplied);
                running
                    .operation
                    .handle_reply(Instant::ZERO, id, failed)
                    .ok()?;
                self.drive(&mut state, client);
            }
            Act::Crash => {
                state.faults.crashes -= 1;
                state.office = Term(state.office.0 + 1);
                let (office, settings) = (state.office, self.settings.clone());
                // A successor is told of no wish: the log has the migration, or none began.
                state.coordinator = Coordinator::new(office, settings, None, Instant::ZERO);
                state.chunk.clear();
                Self::direct(&mut state);
            }
            Act::LateCommand => {
                state.faults.late_commands -= 1;
                let Action::Do { id, .. } = state.coordinator.poll() else {
                    return None;
                };
                let late = Instant::from_millis(self.settings.barrier_ms + 1);
                state
                    .coordinator
                    .handle_answer(late, id, Answer::Unreachable);
                Self::direct(&mut state);
            }
            Act::RollBack => {
                state.faults.rollbacks -= 1;
                state.coordinator.roll_back("");
            }
        }
        // A read that nobody waits for any more changes nothing when it arrives.
        let clients = &state.clients;
        state.network.retain(|message| match message {
            Message::Attempt {
                client,
                op,
                attempt,
                ..
            } => {
                let read = matches!(attempt.kind, AttemptKind::Read | AttemptKind::Confirm);
                let running = clients[usize::from(*client)].running.as_ref();
                !read
                    || running
                        .is_some_and(|r| r.op == *op && r.waits_for == Waits::Attempt(attempt.id))
            }
            Message::Command { .. } => true,
        });
        // The network is a bag: two states that differ in the order of arrival are the same.
        state.network.sort_by_cached_key(fingerprint);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("linearizable", |_, state: &State| {
                state.histories.iter().all(ConsistencyTester::is_consistent)
            }),
            Property::always("one authority", |world: &World, state: &State| {
                world
                    .keys
                    .iter()
                    .all(|&key| open_authorities(world, state, key) <= 1)
            }),
            Property::always("not stuck", |_, state: &State| {
                !matches!(state.ending, Some(Ending::Stuck(_)))
            }),
            Property::sometimes("complete", |world: &World, state: &State| {
                state.ending == Some(Ending::Complete)
                    && (0..).zip(&state.clients).all(|(at, c): (usize, _)| {
                        c.running.is_none() && usize::from(c.next) == world.scripts[at].len()
                    })
            }),
        ]
    }
}

/// Shards that would order a write of `key` by some fence.
fn open_authorities(world: &World, state: &State, key: Key) -> usize {
    let orders = |shard: &&Shard| {
        let (keyspace, slot) = (world.places.keyspace, (world.places.slot_of)(key));
        shard.guard.rows().any(|row| {
            let fence = ringshift::Fence {
                domain: row.domain,
                epoch: row.epoch,
            };
            let access = ringshift::Access::Write;
            shard
                .guard
                .admit(keyspace, slot, &[key], fence, access)
                .is_ok()
        })
    };
    state.shards.iter().filter(orders).count()
}

fn fingerprint(message: &Message) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    message.hash(&mut hasher);
    hasher.finish()
}
