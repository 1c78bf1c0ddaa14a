//! One request of an operation.

use ringshift::recipes::sqlite as recipe;
use ringshift::{Access, Attempt, Failure, Fence, KeyspaceId, Reply, Revision, Slot, admit};
use rusqlite::{Connection, OptionalExtension};

use crate::store::decide::{self, Bits, Decision, Effect, Request};
use crate::store::error::StoreError;
use crate::store::sqlite::rows::{self, Look};
use crate::store::sqlite::transaction::{self, Durability, Fault};
use crate::store::{Found, Response};

/// Which row, and under which fence.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) fence: Fence,
    pub(super) keyspace: KeyspaceId,
    pub(super) slot: Slot,
    pub(super) stored_slot: u32,
    pub(super) key: &'a [u8],
}

impl<'a> Place<'a> {
    fn of(attempt: &Attempt, key: &'a [u8]) -> Self {
        Self {
            fence: attempt.fence,
            keyspace: attempt.keyspace,
            slot: attempt.slot,
            stored_slot: attempt.stored_slot,
            key,
        }
    }
}

/// A response, and how many rows were changed for it.
type Outcome = Result<(Response, u64), Fault>;

/// Checks, in the transaction that has looked, that the request may go on.
fn check(look: &Look, place: &Place<'_>, access: Access) -> Result<(), Reply> {
    admit(
        look.guard.as_ref(),
        look.holder,
        look.term,
        place.fence,
        access,
    )
    .map_err(Reply::Refused)?;
    match decide::bits(look.bits, place.slot, place.stored_slot) {
        Bits::Agree | Bits::Learned(_) => Ok(()),
        Bits::Disagree => Err(Reply::Failed(Failure::Rejected)),
    }
}

/// A read or a confirm: one statement, so one unchanging state of the file.
pub(super) fn read(
    connection: &Connection,
    attempt: &Attempt,
    key: &[u8],
    request: Request<'_>,
) -> Outcome {
    let place = Place::of(attempt, key);
    let text = match request {
        Request::Read => recipe::LOOK_READ,
        Request::Confirm(_) | Request::Write(..) | Request::Apply(..) => recipe::LOOK_WRITE,
    };
    let mut statement = connection.prepare_cached(text)?;
    let mut found = statement.query(look_parameters(&place))?;
    let row = found.next()?.ok_or(StoreError::Damaged("meta row"))?;
    let look = rows::look(row, place.fence.domain)?;
    if let Err(reply) = check(&look, &place, Access::Read) {
        return Ok((reply.into(), 0));
    }
    let response = match (request, look.present) {
        (Request::Confirm(op), present) => decide::confirm(present, op).reply.into(),
        (_, None) => Reply::Missing.into(),
        (_, Some(present)) => Response {
            reply: decide::read(Some(present)),
            found: Some(Found {
                value: rows::value(row, rows::LOOK_VALUE)?,
                op: present.op,
            }),
        },
    };
    Ok((response, 0))
}

/// A write or an apply.
pub(super) fn write(
    connection: &Connection,
    attempt: &Attempt,
    key: &[u8],
    request: Request<'_>,
) -> Outcome {
    let place = Place::of(attempt, key);
    transaction::write(connection, Durability::Relaxed, |connection| {
        let look = look(connection, &place)?;
        let access = match request {
            Request::Write(..) => Access::Write,
            Request::Apply(..) => Access::Apply,
            Request::Read | Request::Confirm(_) => Access::Read,
        };
        if let Err(reply) = check(&look, &place, access) {
            return Ok((reply.into(), 0));
        }
        let decision = match (request, &look.guard) {
            (Request::Write(change, op), Some(guard)) => {
                decide::write(guard, look.present, look.floor, change, op)
            }
            (Request::Apply(version, op, value), _) => {
                decide::apply(look.present, version, op, value)
            }
            // A guard that isn't there has admitted nothing, and reads don't come here.
            (Request::Write(..) | Request::Read | Request::Confirm(_), _) => {
                return Err(StoreError::Misdirected("not a write".to_owned()));
            }
        };
        let found = match (decision.reply, look.present) {
            (Reply::Conflict { .. }, Some(present)) => Some(Found {
                value: value(connection, &place)?,
                op: present.op,
            }),
            _ => None,
        };
        let revision = carry_out(connection, &place, &look, look.revision, &decision)?;
        if revision != look.revision {
            set_revision(connection, revision)?;
        }
        let rows = u64::from(decision.effect != Effect::Keep);
        let response = Response {
            reply: decision.reply,
            found,
        };
        Ok((response, rows))
    })
}

fn look_parameters<'a>(place: &'a Place<'_>) -> (u32, u16, u32, &'a [u8]) {
    (
        place.fence.domain.0,
        place.keyspace.0,
        place.slot.0,
        place.key,
    )
}

pub(super) fn look(connection: &Connection, place: &Place<'_>) -> Result<Look, StoreError> {
    let mut statement = connection.prepare_cached(recipe::LOOK_WRITE)?;
    let mut found = statement.query(look_parameters(place))?;
    let row = found.next()?.ok_or(StoreError::Damaged("meta row"))?;
    rows::look(row, place.fence.domain)
}

fn value(connection: &Connection, place: &Place<'_>) -> Result<Option<Vec<u8>>, StoreError> {
    let mut statement = connection.prepare_cached(recipe::VALUE)?;
    let found = statement
        .query_row((place.keyspace.0, place.key), |row| Ok(rows::value(row, 0)))
        .optional()?;
    found.unwrap_or(Ok(None))
}

/// Carries a decision out, and answers the revision that the shard is at after it; the caller
/// stores that, once a transaction.
pub(super) fn carry_out(
    connection: &Connection,
    place: &Place<'_>,
    look: &Look,
    revision: Revision,
    decision: &Decision<'_>,
) -> Result<Revision, StoreError> {
    let next = Revision(revision.0.saturating_add(1));
    match decision.effect {
        Effect::Keep => Ok(revision),
        Effect::Put { version, op, value } => {
            let (version, at) = (version.to_i64(), rows::revision_number(next));
            let (keyspace, key) = (place.keyspace.0, place.key);
            if look.present.is_some() {
                connection
                    .prepare_cached(recipe::ROW_UPDATE)?
                    .execute((keyspace, key, version, at, op, value))?;
            } else {
                if let Bits::Learned(bits) = decide::bits(look.bits, place.slot, place.stored_slot)
                {
                    connection
                        .prepare_cached(recipe::KEYSPACE_PUT)?
                        .execute((keyspace, bits))?;
                }
                connection.prepare_cached(recipe::ROW_INSERT)?.execute((
                    keyspace,
                    key,
                    place.stored_slot,
                    version,
                    at,
                    op,
                    value,
                ))?;
            }
            Ok(next)
        }
        Effect::Remove { floor } => {
            raise_floor(connection, place.keyspace, place.slot, floor.to_i64())?;
            if look.present.is_none() {
                return Ok(revision);
            }
            connection
                .prepare_cached(recipe::ROW_DELETE)?
                .execute((place.keyspace.0, place.key))?;
            Ok(next)
        }
    }
}

pub(super) fn raise_floor(
    connection: &Connection,
    keyspace: KeyspaceId,
    slot: Slot,
    version: i64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(recipe::FLOOR_RAISE)?
        .execute((keyspace.0, slot.0, version))?;
    Ok(())
}

pub(super) fn set_revision(connection: &Connection, revision: Revision) -> Result<(), StoreError> {
    connection
        .prepare_cached(recipe::REVISION_SET)?
        .execute([rows::revision_number(revision)])?;
    Ok(())
}
