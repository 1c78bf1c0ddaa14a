//! A transaction's batch at a shard. It and its replies cross as numbers, a fixed count for each
//! part; `js/requests.ts` puts them together.

use ringshift::store::{BatchPart, BatchResponse, Content, Look, decide_batch};
use ringshift::{Batch, BatchReply, DomainId, Expected, Part, Reply};
use wasm_bindgen::prelude::*;

use crate::convert::{
    ANY, NONE, PART, attempt_of, content_of, decision_out, keys, reply_out, response_out,
    version_of,
};
use crate::error::{Answer, Fault};
use crate::store::MemoryShard;

fn part_of(numbers: &[i64; PART]) -> Answer<Part> {
    let bad = |_| Fault::argument("a part of a batch has a number out of its range");
    let &[
        id,
        shard,
        keyspace,
        slot,
        stored,
        domain,
        epoch,
        kind,
        version,
        by,
        key,
        expected,
    ] = numbers;
    let u32 = |number: i64| u32::try_from(number).map_err(bad);
    let attempt = attempt_of(
        (
            u32(id)?,
            u32(shard)?,
            u16::try_from(keyspace).map_err(bad)?,
            u32(slot)?,
            u32(stored)?,
        ),
        (u32(domain)?, u32(epoch)?),
        (
            u8::try_from(kind).map_err(bad)?,
            (version != NONE).then_some(version),
            (by != NONE).then(|| u32(by)).transpose()?,
            true,
        ),
    )?;
    Ok(Part {
        key: usize::try_from(key).map_err(bad)?,
        attempt,
        expected: match expected {
            ANY => Expected::Any,
            NONE => Expected::Row(None),
            version => Expected::Row(Some(version_of(version)?)),
        },
    })
}

fn batch_of(numbers: &[i64]) -> Answer<Batch> {
    let (parts, rest) = numbers.as_chunks::<PART>();
    let parts = parts.iter().map(part_of).collect::<Answer<Vec<_>>>()?;
    match parts.first().map(|part| part.attempt) {
        Some(attempt) if rest.is_empty() => Ok(Batch {
            id: attempt.id,
            shard: attempt.shard,
            parts,
            blocking: true,
        }),
        _ => Err(Fault::argument("a batch has at least one part")),
    }
}

/// A batch that isn't carried out: the part, and one reply.
fn not_done(reply: BatchReply) -> Vec<JsValue> {
    let (part, reply) = match reply {
        BatchReply::Done(_) => return Vec::new(),
        BatchReply::Conflict { part, found } => (part, Reply::Conflict { found }),
        BatchReply::Refused(refusal) => (0, Reply::Refused(refusal)),
        BatchReply::Failed(failure) => (0, Reply::Failed(failure)),
    };
    let part = u32::try_from(part).unwrap_or(u32::MAX);
    vec![JsValue::from(part), reply_out(reply)]
}

fn op(ops: &[u8], at: usize) -> &[u8] {
    ops.get(at * 16..at * 16 + 16).unwrap_or_default()
}

fn contents<'a>(codes: &[u8], ops: &[u8], values: &[&'a [u8]]) -> Answer<Vec<Content<'a>>> {
    let contents = codes.iter().zip(values).enumerate();
    contents
        .map(|(at, (&code, value))| content_of(code, op(ops, at), None, value))
        .collect()
}

/// Decides about a batch, from the columns that its looks brought: a decision for each part, or
/// the place of the part and one reply.
#[wasm_bindgen(js_name = decideBatch)]
pub fn decide_all(
    batch: &[i64],
    codes: &[u8],
    ops: &[u8],
    columns: &[i64],
    nulls: &[u32],
    present: &[u8],
) -> Answer<Vec<JsValue>> {
    const COLUMNS: usize = ringshift::store::LOOK_COLUMNS;
    let batch = batch_of(batch)?;
    let empty: &[u8] = &[];
    let contents = contents(codes, ops, &vec![empty; codes.len()])?;
    let (columns, _) = columns.as_chunks::<COLUMNS>();
    let mut parts = Vec::with_capacity(contents.len());
    let all = batch.parts.iter().zip(contents).zip(columns).zip(nulls);
    for (at, (((part, content), columns), nulls)) in all.enumerate() {
        let number = |at: usize| columns.get(at).copied().filter(|_| nulls & (1 << at) == 0);
        let DomainId(domain) = part.attempt.fence.domain;
        let look = Look::of_columns(DomainId(domain), number, Some(op(present, at)))?;
        parts.push(BatchPart {
            part,
            look,
            content,
        });
    }
    Ok(match decide_batch(&parts) {
        Ok(decisions) => {
            let decided = decisions.iter().zip(&parts);
            let decided = decided.map(|(said, part)| decision_out(said, part.look.revision.0));
            decided.collect()
        }
        Err(reply) => not_done(reply),
    })
}

#[wasm_bindgen]
impl MemoryShard {
    /// Carries out a batch: a response for each part, or the place of the part and one reply.
    pub fn batch(
        &mut self,
        batch: &[i64],
        codes: &[u8],
        ops: &[u8],
        bytes: &[u8],
        ends: &[u32],
        values: &[u8],
        value_ends: &[u32],
    ) -> Answer<Vec<JsValue>> {
        let batch = batch_of(batch)?;
        let contents = contents(codes, ops, &keys(values, value_ends))?;
        let requests: Vec<_> = keys(bytes, ends).into_iter().zip(contents).collect();
        let BatchResponse { reply, found } = self.0.batch(&batch, &requests);
        let BatchReply::Done(replies) = reply else {
            return Ok(not_done(reply));
        };
        let responses = replies.into_iter().zip(found);
        let responses = responses
            .map(|(reply, found)| response_out(ringshift::store::Response { reply, found }));
        Ok(responses.collect())
    }
}
