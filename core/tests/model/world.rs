//! The model's world: two shards, a topology register, clients and a coordinator, and the messages
//! between them, which may be late, repeated, reordered or lost.
//!
//! Operation, guard and coordinator are the core's own; this file only carries messages.
//!
//! An answer arrives in the same step in which its request is carried out. That loses nothing: an
//! answer that is late is a request that is late, with what follows from it; an answer that is lost
//! is one that was given up before the request arrived; and an operation that ends as early as it
//! can leaves the history the least room. It makes the check several times smaller.

mod search;

use std::hash::Hash;
use std::sync::Arc;

use ringshift::migration::{
    Action, Answer, Command, CommandId, Coordinator, Ending, Lineage, Log, Mark, Settings,
};
use ringshift::record::{Desk, Record};
use ringshift::{
    Attempt, AttemptId, AttemptKind, Instant, Operation, OperationError, Outcome, Payload, Plan,
    Policy, Router, ShardId, Snapshot, Step, Term,
};
use stateright::semantics::register::{Register, RegisterOp, RegisterRet};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester};

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
#[expect(
    clippy::large_enum_variant,
    reason = "few are on their way at once; a box would be in everybody's way"
)]
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

/// What a shard says of itself.
fn says(shard: u32) -> Mark {
    Mark {
        shard: ShardId(shard),
        incarnation: [0; 16],
        answers: 0,
        shut: false,
        lineage: Lineage::default(),
    }
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

    /// The topology register. `None`: the command is a shard's.
    fn at_register(state: &mut State, command: &Command) -> Option<Answer> {
        if command.shard().is_some() {
            return None;
        }
        let record = Record {
            term: state.term,
            snapshot: state.snapshot.clone(),
            log: state.log.clone(),
            beat: 0,
            desk: Desk {
                // Every shard says the same of itself for ever.
                marks: [1, 2].map(says).to_vec(),
                ..Desk::default()
            },
        };
        let (answer, next) = record.decide(command);
        if let Some(next) = next {
            (state.term, state.snapshot, state.log) = (next.term, next.snapshot, next.log);
        }
        Some(answer)
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
                    let shard = &mut state.shards[shard_at(command.shard().unwrap())];
                    match shard.command(&command, &mut rows, self.places) {
                        Answer::Claimed(mark) => {
                            (shard.answers, shard.lineage) = (0, Lineage::default());
                            Answer::Claimed(says(mark.shard.0))
                        }
                        answer => answer,
                    }
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

fn fingerprint(message: &Message) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    message.hash(&mut hasher);
    hasher.finish()
}
