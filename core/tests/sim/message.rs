//! What goes between nodes, and what happens at a moment.

use std::sync::Arc;

use ringshift::migration::{Answer, Command, Standing};
use ringshift::store::{Response, StoredRow};
use ringshift::{Attempt, AttemptId, Epoch, Instant, Router, ShardId};

use crate::client::Carries;
use crate::leader::Read;
use crate::network::Node;

/// On its way from one node to another.
#[derive(Clone)]
pub(crate) enum Message {
    Attempt {
        client: usize,
        life: u32,
        worker: usize,
        call: usize,
        attempt: Attempt,
        key: usize,
        carries: Carries,
        sent: u64,
    },
    Reply {
        life: u32,
        worker: usize,
        call: usize,
        id: AttemptId,
        response: Response,
    },
    Fetch {
        client: usize,
        life: u32,
        number: u64,
        have: Epoch,
        sent: Instant,
    },
    Fetched {
        life: u32,
        number: u64,
        router: Arc<Router>,
        sent: Instant,
        /// Whether that was looked up, or kept somewhere.
        current: bool,
    },
    /// `None`: an agent's look.
    Command {
        at: usize,
        life: u32,
        number: u64,
        command: Option<Box<Command>>,
        rows: Option<Arc<[StoredRow]>>,
    },
    Answer {
        life: u32,
        number: u64,
        standing: Option<Standing>,
        read: Option<Read>,
        answer: Box<Answer>,
    },
}

/// What happens at a moment.
pub(crate) enum Event {
    Arrive(Node, Box<Message>),
    /// A slow disk has come to it.
    CarryOut(ShardId, u32, Box<Message>),
    /// An attempt leaves its process.
    Leave(usize, u32, Box<Message>),
    Wake {
        client: usize,
        life: u32,
    },
    Begin {
        client: usize,
        life: u32,
        worker: usize,
    },
    Unfetched {
        client: usize,
        life: u32,
        number: u64,
    },
    Tick {
        at: usize,
        life: u32,
        tick: u64,
    },
    Silence {
        at: usize,
        life: u32,
        number: u64,
    },
    /// Somebody who wishes for something looks in.
    Operator,
    /// A fault of this kind is due.
    Fault(usize),
    Restart(Node),
    /// Faults stop.
    Calm,
}
