//! What to do about a fact: pure functions, facts in, closed decisions out.
//!
//! [`Operation`](crate::Operation) obeys them and owns no rule of its own.

pub(crate) mod lease;
pub(crate) mod read;
mod refresh;
pub(crate) mod retry;
pub(crate) mod write;

pub use refresh::{RefreshGate, RefreshStep};
pub use retry::{BackoffClass, backoff_ms};

/// How long and how often an operation tries.
///
/// ```
/// let policy = ringshift::Policy { deadline_ms: 500, ..ringshift::Policy::default() };
/// assert!(policy.confirm);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// The budget of the whole operation, waiting at barriers included.
    pub deadline_ms: u32,
    /// After how long without an answer one attempt counts as lost; 0: never.
    pub attempt_ms: u32,
    /// Attempts at most: a cap on the hops of an operation that keeps being sent on.
    pub attempts_max: u16,
    /// Whether to ask the authority, after a write without an answer, if it was the last to change
    /// the row. Only for stores that keep the operation's id with the row.
    pub confirm: bool,
    /// Spreads the waits of operations that were refused together. Any number will do; another
    /// one for each operation.
    pub seed: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            // Long enough for a barrier that has to be aborted, short enough for a web request.
            deadline_ms: 5_000,
            attempt_ms: 1_000,
            // About three barriers in a row at the curve of `BackoffClass::NotReady`.
            attempts_max: 1_000,
            confirm: true,
            seed: 0,
        }
    }
}
