//! What a store is asked, and what it decides and answers.

use ringshift::store::{Change, Content, Decision, Effect, Response};
use ringshift::{
    Attempt, AttemptId, AttemptKind, DomainId, Fence, KeyspaceId, Payload, ShardId, Slot,
};
use wasm_bindgen::prelude::*;

use crate::convert::{epoch_of, reply_out, version_of};
use crate::error::{Answer, Fault};

#[wasm_bindgen(module = "/js/shapes.js")]
extern "C" {
    fn decided(
        reply: JsValue,
        effect: u8,
        version: Option<i64>,
        deleted: bool,
        found: bool,
        learned: Option<u8>,
        revision: u64,
    ) -> JsValue;
    fn response(reply: JsValue, value: Option<Vec<u8>>, op: Option<Vec<u8>>) -> JsValue;
}

pub(crate) fn attempt_of(
    (id, shard, keyspace, slot, stored_slot): (u32, u32, u16, u32, u32),
    (domain, epoch): (u32, u32),
    (kind, version, found_by, blocking): (u8, Option<i64>, Option<u32>, bool),
) -> Answer<Attempt> {
    let payload = found_by.map_or(Payload::Own, |id| Payload::FoundBy(AttemptId(id)));
    Ok(Attempt {
        id: AttemptId(id),
        shard: ShardId(shard),
        keyspace: KeyspaceId(keyspace),
        slot: Slot(slot),
        stored_slot,
        fence: Fence {
            domain: DomainId(domain),
            epoch: epoch_of(epoch)?,
        },
        kind: match (kind, version) {
            (0, _) => AttemptKind::Read,
            (1, _) => AttemptKind::Write,
            (2, _) => AttemptKind::Confirm,
            (_, Some(version)) => AttemptKind::Apply {
                version: version_of(version)?,
                payload,
            },
            (_, None) => return Err(Fault::argument("an attempt to apply has a version")),
        },
        blocking,
        unfenced: None,
    })
}

/// What goes with an attempt: 0 nothing, 1 put, 2 delete, 3 put-if, 4 a row, 5 a tombstone.
pub(crate) fn content_of<'a>(
    code: u8,
    op: &[u8],
    expected: Option<i64>,
    value: &'a [u8],
) -> Answer<Content<'a>> {
    let named = || {
        op.try_into()
            .map_err(|_| Fault::argument("`op` has 16 bytes"))
    };
    let change = match code {
        0 => return Ok(Content::None),
        1 => Change::Put(value),
        2 => Change::Delete,
        3 => Change::PutIf {
            expected: expected.map(version_of).transpose()?,
            value,
        },
        _ => {
            return Ok(Content::Row {
                value: (code == 4).then_some(value),
                op: named()?,
            });
        }
    };
    Ok(Content::Own {
        change,
        op: named()?,
    })
}

pub(crate) fn decision_out(decision: &Decision, revision: u64) -> JsValue {
    let (effect, version, deleted) = match decision.effect {
        Effect::Keep => (0, None, false),
        Effect::Put {
            version, deleted, ..
        } => (1, Some(version.to_i64()), deleted),
        Effect::Remove { floor } => (2, Some(floor.to_i64()), false),
    };
    let reply = reply_out(decision.reply);
    decided(
        reply,
        effect,
        version,
        deleted,
        decision.found,
        decision.learned,
        revision,
    )
}

pub(crate) fn response_out(answer: Response) -> JsValue {
    let (value, op) = answer
        .found
        .map(|found| (found.value, found.op.to_vec()))
        .unzip();
    response(reply_out(answer.reply), value.flatten(), op)
}
