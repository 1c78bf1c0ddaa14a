//! Several requests of a transaction, in one step.

use ringshift::store::{BatchPart, decide_batch};
use ringshift::{Batch, BatchReply, Failure};
use rusqlite::Connection;

use crate::store::error::StoreError;
use crate::store::sqlite::attempt::{Place, carry_out, look, set_revision, value};
use crate::store::sqlite::transaction::{self, Fault};
use crate::store::{BatchResponse, Content, Found};

/// Carries a batch out over one unchanging state of the file, or in one transaction that no other
/// writer comes between. Answers how many rows were changed, too.
pub(super) fn batch(
    connection: &Connection,
    batch: &Batch,
    requests: &[(&[u8], Content<'_>)],
) -> Result<(BatchResponse, u64), Fault> {
    if requests.len() != batch.parts.len() {
        return Ok((BatchReply::Failed(Failure::Rejected).into(), 0));
    }
    let work = |connection: &Connection| carry(connection, batch, requests);
    if batch.changes() {
        transaction::write(connection, work)
    } else {
        transaction::read(connection, work)
    }
}

fn carry(
    connection: &Connection,
    batch: &Batch,
    requests: &[(&[u8], Content<'_>)],
) -> Result<(BatchResponse, u64), StoreError> {
    let mut parts = Vec::with_capacity(requests.len());
    for (part, &(key, content)) in batch.parts.iter().zip(requests) {
        let look = look(connection, &Place::of(&part.attempt, key))?;
        parts.push(BatchPart {
            part,
            look,
            content,
        });
    }
    let decisions = match decide_batch(&parts) {
        Ok(decisions) => decisions,
        Err(reply) => return Ok((reply.into(), 0)),
    };
    let before = parts.first().map(|part| part.look.revision);
    let before = before.unwrap_or_default();
    let mut revision = before;
    let mut found = Vec::with_capacity(parts.len());
    for (
        (
            BatchPart {
                part,
                look,
                content,
            },
            decision,
        ),
        (key, _),
    ) in parts.iter().zip(&decisions).zip(requests)
    {
        let place = Place::of(&part.attempt, key);
        found.push(match look.present {
            Some(present) if decision.found => Some(Found {
                value: value(connection, &place)?,
                op: present.op,
            }),
            _ => None,
        });
        let value = content.value();
        revision = carry_out(connection, &place, look, revision, decision, value)?;
    }
    if revision != before {
        set_revision(connection, revision)?;
    }
    let rows = revision.0.saturating_sub(before.0);
    Ok((BatchResponse::done(&decisions, found), rows))
}
