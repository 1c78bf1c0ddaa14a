//! What a store decides about several requests that are one step: all of it, or nothing.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::guard::Access;
use crate::step::{Attempt, AttemptKind, Failure, Reply};
use crate::store::decide::{Decision, Request};
use crate::store::look::Look;
use crate::store::{Content, Found};
use crate::transaction::{BatchReply, Expected, Part};

/// One part of a batch, with what the store has looked up for it.
#[derive(Clone, Copy, Debug)]
pub struct BatchPart<'a> {
    /// The part.
    pub part: &'a Part,
    /// What there is, as the state of the shard that all parts are looked up in gave it.
    pub look: Look,
    /// What goes with the part.
    pub content: Content<'a>,
}

/// What a store answers to a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchResponse {
    /// The reply, for the transaction.
    pub reply: BatchReply,
    /// What was found for each part, for the driver; empty unless the batch was carried out.
    pub found: Vec<Option<Found>>,
}

impl BatchResponse {
    /// After those decisions were carried out.
    pub fn done(decisions: &[Decision], found: Vec<Option<Found>>) -> Self {
        let replies = decisions.iter().map(|decision| decision.reply).collect();
        let reply = BatchReply::Done(replies);
        Self { reply, found }
    }
}

impl From<BatchReply> for BatchResponse {
    fn from(reply: BatchReply) -> Self {
        let found = Vec::new();
        Self { reply, found }
    }
}

/// What to do about a batch: a decision for each part, all of which are to be carried out in one
/// transaction with the looks; or what to reply, with nothing changed.
///
/// Of the decisions that put or remove something, each takes a revision of its own.
///
/// # Errors
/// The reply to a batch that isn't carried out.
// INVARIANT (one step): the fences of all parts are checked against the state that the parts change.
pub fn decide_batch(parts: &[BatchPart<'_>]) -> Result<Vec<Decision>, BatchReply> {
    // INVARIANT (once): a batch leaves its name on each row that it puts, in one step. Where one of
    // them has it, all of it was carried out.
    let repeated = parts
        .iter()
        .any(|part| match (part.request(), part.look.present) {
            (Some(Request::Write(_, op)), Some(present)) => present.op == op,
            _ => false,
        });
    let mut decisions = Vec::with_capacity(parts.len());
    for (place, part) in parts.iter().enumerate() {
        let decision = part.decide(repeated);
        match decision.reply {
            Reply::Refused(refusal) => return Err(BatchReply::Refused(refusal)),
            Reply::Failed(failure) => return Err(BatchReply::Failed(failure)),
            Reply::Conflict { found } => {
                return Err(BatchReply::Conflict { part: place, found });
            }
            _ => decisions.push(decision),
        }
    }
    Ok(decisions)
}

impl BatchPart<'_> {
    fn request(&self) -> Option<Request> {
        Request::of(&self.part.attempt, self.content)
    }

    fn decide(&self, repeated: bool) -> Decision {
        let Self { part, look, .. } = self;
        let attempt: &Attempt = &part.attempt;
        let Some(request) = self.request() else {
            return Decision::keep(Reply::Failed(Failure::Rejected));
        };
        let access = match attempt.kind {
            // A closed authority may have a successor already, whose writes it hasn't heard of.
            AttemptKind::Read | AttemptKind::Write => Access::Write,
            AttemptKind::Confirm => Access::Read,
            AttemptKind::Apply { .. } => Access::Apply,
        };
        let decision = look.decide_by(attempt, request, access);
        if matches!(decision.reply, Reply::Refused(_) | Reply::Failed(_)) {
            return decision;
        }
        if repeated {
            return match (request, look.present) {
                (Request::Write(_, op), Some(present)) if present.op == op => decision,
                // Another write has followed it.
                (Request::Write(..), _) => Decision::keep(Reply::Superseded),
                _ => decision,
            };
        }
        let live = look.present.filter(|row| !row.deleted);
        match part.expected {
            Expected::Row(version) if live.map(|row| row.version) != version => {
                let found = look.present.map(|row| row.version);
                Decision::keep(Reply::Conflict { found })
            }
            Expected::Any | Expected::Row(_) => decision,
        }
    }
}
