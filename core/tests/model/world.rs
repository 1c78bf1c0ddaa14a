//! The model's world: shards, a topology store, clients and coordinators, and the messages between
//! them, which may be late, repeated, reordered or lost.
//!
//! Operation, guard, look, record and coordinator are the core's own; this only carries messages.
//!
//! An answer arrives in the same step in which its request is carried out. That loses nothing: an
//! answer that is late is a request that is late, with what follows from it; an answer that is lost
//! is one that was given up before the request arrived; and an operation that ends as early as it
//! can leaves the history the least room. It makes the check several times smaller.

mod arrive;
mod clients;
mod judge;
mod leaders;
mod others;
mod search;

use std::collections::BTreeMap;
use std::sync::Arc;

use ringshift::migration::{Command, CommandId, Coordinator, Ending, Log, Mark, Settings};
use ringshift::{
    Attempt, AttemptId, Instant, Operation, Phase, Policy, ShardId, Snapshot, Term, Version,
};
use stateright::semantics::LinearizabilityTester;
use stateright::semantics::register::Register;

use crate::kept::Kept;
use crate::shard::{Content, Key, Places, Row, Shard, Value};

pub(crate) use judge::Wrong;

pub(crate) type History = LinearizabilityTester<u8, Register<Value>>;

/// A tick of the clock, in milliseconds, where time is part of the world.
pub(crate) const TICK: u64 = 1_000;

/// What a client does, one operation after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Do {
    Read(Key),
    /// Writes `NOTHING` to delete.
    Write(Key, Value),
}

impl Do {
    pub(crate) fn key(self) -> Key {
        match self {
            Self::Read(key) | Self::Write(key, _) => key,
        }
    }
}

/// Where the search begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// Before the migration.
    Before,
    /// When the first wave is there: its installs are still to come.
    At(Phase),
    /// There, and it is taken back at once.
    Back(Phase),
    /// There, and nothing is on its way: the migration is paused, and its coordinator gone.
    Paused(Phase),
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
    pub(crate) starts: Vec<Start>,
    /// Whether clients start with the map in force; else with the first.
    pub(crate) informed: bool,
    /// Whether time is part of it: only then clients have leases.
    pub(crate) timed: bool,
    /// Whether shards tell one file from another; else all say the same of themselves for ever.
    pub(crate) marks: bool,
    /// The key that another writer of the topology pins where it is.
    pub(crate) pinned: Key,
    /// How often each fault may happen.
    pub(crate) faults: Faults,
}

/// What may happen that nobody wished for, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Faults {
    /// The coordinator dies and another takes over.
    pub(crate) crashes: u8,
    /// Another takes over, and the coordinator before it goes on.
    pub(crate) rivals: u8,
    /// The same, with the same term.
    pub(crate) twins: u8,
    /// A message that may be repeated arrives twice.
    pub(crate) repeats: u8,
    /// A client gives an attempt up; its message stays on its way.
    pub(crate) silences: u8,
    /// A client dies in the middle of an operation, and comes back.
    pub(crate) deaths: u8,
    /// The coordinator gives a command up, past its barrier's deadline; the message stays.
    pub(crate) late_commands: u8,
    /// Somebody wants the migration taken back.
    pub(crate) rollbacks: u8,
    /// A client gets a newer snapshot without having been told to.
    pub(crate) refreshes: u8,
    /// Another writer changes the topology.
    pub(crate) edits: u8,
    /// A shard's file is put back to a copy of it, and the coordinator dies.
    pub(crate) restores: u8,
    /// Time passes while the coordinator is at work.
    pub(crate) ticks: u8,
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
        /// No shard carries it out after this moment, where time is part of the world.
        until: Instant,
    },
    Command {
        /// Which coordinator hears the answer.
        by: u8,
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
    /// When it last asked for the map, where it needs leases.
    renewed: Option<Instant>,
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
    /// When it looks at the clock again, where there is one.
    until: Instant,
}

/// What an operation waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Waits {
    Attempt(AttemptId),
    Refresh,
    Time,
}

/// What the topology store holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    term: Term,
    leader: u64,
    pub(crate) snapshot: Arc<Snapshot>,
    log: Log,
    marks: Vec<Mark>,
}

/// A coordinator that is alive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Leader {
    /// No other has it, also of the same term.
    name: u8,
    coordinator: Coordinator,
    /// The rows it holds between reading and applying them.
    chunk: Vec<(Key, Row)>,
    /// Nothing is asked before this moment.
    waits: Option<Instant>,
    ending: Option<Ending>,
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct State {
    pub(crate) now: Instant,
    pub(crate) store: Kept<Store>,
    pub(crate) shards: Vec<Kept<Shard>>,
    pub(crate) clients: Vec<Kept<Client>>,
    /// All who are alive; the newest last.
    pub(crate) leaders: Vec<Kept<Leader>>,
    /// The highest term that was given to one, and how many there were.
    office: (Term, u8),
    /// A bag.
    pub(crate) network: Vec<Kept<Message>>,
    pub(crate) histories: Vec<Kept<History>>,
    pub(crate) faults: Faults,
    pub(crate) ghost: Ghost,
}

/// What nobody in the world knows: for the properties.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub(crate) struct Ghost {
    /// What has gone wrong for good.
    pub(crate) wrong: Option<Wrong>,
    /// A copy of a shard's file, and its place.
    copy: Option<(usize, Kept<Shard>)>,
    /// A shard that runs on such a copy, and isn't reached by clients until it is shut.
    restored: Option<usize>,
    /// What was lost with the newer file is nobody's fault.
    lost: bool,
    /// Somebody has readmitted it.
    readmitted: bool,
    /// The operation that each version was given to, where a file may be put back.
    given: BTreeMap<(Key, Version), u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Act {
    Deliver(usize),
    Repeat(usize),
    Start(u8),
    /// Start with the newest snapshot.
    StartFresh(u8),
    Timer(u8),
    Refreshed(u8),
    /// A tick passes in which only the coordinator waits, or nobody.
    Tick,
    /// A tick passes while the coordinator is at work.
    LateTick,
    Silence(u8),
    Die(u8),
    Crash,
    Rival,
    Twin,
    LateCommand,
    RollBack,
    Edit,
    Copy(usize),
    Restore,
    Readmit,
}

fn shard_at(shard: ShardId) -> usize {
    shard.0 as usize - 1
}
