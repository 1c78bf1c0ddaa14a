//! One request of an operation.

use ringshift::recipes::sqlite as recipe;
use ringshift::store::{Decision, Effect, LOOK_VALUE, Look};
use ringshift::{Attempt, AttemptKind, Fence, KeyspaceId, Revision, Slot};
use rusqlite::{Connection, OptionalExtension};

use crate::store::error::StoreError;
use crate::store::sqlite::rows;
use crate::store::sqlite::transaction::{self, Fault};
use crate::store::{Content, Found, Response};

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
    pub(super) fn of(attempt: &Attempt, key: &'a [u8]) -> Self {
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

/// A read or a confirm: one statement, so one unchanging state of the file.
pub(super) fn read(
    connection: &Connection,
    attempt: &Attempt,
    key: &[u8],
    content: Content<'_>,
    unfenced: bool,
) -> Outcome {
    let place = Place::of(attempt, key);
    let text = match attempt.kind {
        AttemptKind::Read => recipe::LOOK_READ,
        AttemptKind::Confirm | AttemptKind::Write | AttemptKind::Apply { .. } => recipe::LOOK_WRITE,
    };
    let mut statement = connection.prepare_cached(text)?;
    let mut found = statement.query(look_parameters(&place))?;
    let row = found.next()?.ok_or(StoreError::Damaged("meta row"))?;
    let look = rows::look(row, place.fence.domain)?;
    let decision = decide(&look, attempt, content, unfenced);
    let found = match look.present {
        Some(present) if decision.found => Some(Found {
            value: rows::value(row, LOOK_VALUE)?,
            op: present.op,
        }),
        _ => None,
    };
    let reply = decision.reply;
    Ok((Response { reply, found }, 0))
}

/// A write or an apply.
pub(super) fn write(
    connection: &Connection,
    attempt: &Attempt,
    key: &[u8],
    content: Content<'_>,
    unfenced: bool,
) -> Outcome {
    let place = Place::of(attempt, key);
    transaction::write(connection, |connection| {
        let look = look(connection, &place)?;
        let decision = decide(&look, attempt, content, unfenced);
        let found = match look.present {
            Some(present) if decision.found => Some(Found {
                value: value(connection, &place)?,
                op: present.op,
            }),
            _ => None,
        };
        let before = look.revision;
        let revision = carry_out(
            connection,
            &place,
            &look,
            before,
            &decision,
            content.value(),
        )?;
        if revision != before {
            set_revision(connection, revision)?;
        }
        let rows = u64::from(decision.effect != Effect::Keep);
        let reply = decision.reply;
        Ok((Response { reply, found }, rows))
    })
}

fn decide(look: &Look, attempt: &Attempt, content: Content<'_>, unfenced: bool) -> Decision {
    if unfenced {
        look.decide_unfenced(attempt, content)
    } else {
        look.decide(attempt, content)
    }
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

pub(super) fn value(
    connection: &Connection,
    place: &Place<'_>,
) -> Result<Option<Vec<u8>>, StoreError> {
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
    decision: &Decision,
    value: Option<&[u8]>,
) -> Result<Revision, StoreError> {
    let next = Revision(revision.0.saturating_add(1));
    match decision.effect {
        Effect::Keep => Ok(revision),
        Effect::Put { version, op, .. } => {
            let (version, at) = (version.to_i64(), rows::revision_number(next));
            let (keyspace, key) = (place.keyspace.0, place.key);
            if look.present.is_some() {
                connection
                    .prepare_cached(recipe::ROW_UPDATE)?
                    .execute((keyspace, key, version, at, op, value))?;
            } else {
                if let Some(bits) = decision.learned {
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

fn raise_floor(
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
