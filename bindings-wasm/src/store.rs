//! What a store decides, a shard in memory, and the statements of the recipe.

use ringshift::migration::home_installs;
use ringshift::recipes::sqlite;
use ringshift::store::{Look, columns_of_guard};
use ringshift::{DomainId, ShardId, Term};
use wasm_bindgen::prelude::*;

use crate::convert::{attempt_of, content_of, decision_out, plain, response_out};
use crate::error::Answer;
use crate::snapshot::Snapshot;

/// Decides about an attempt, from the columns that its look brought: `nulls` has a bit for each
/// that is null.
#[wasm_bindgen]
pub fn decide(
    id: u32,
    shard: u32,
    keyspace: u16,
    slot: u32,
    stored_slot: u32,
    domain: u32,
    epoch: u32,
    kind: u8,
    version: Option<i64>,
    found_by: Option<u32>,
    blocking: bool,
    content: u8,
    op: &[u8],
    expected: Option<i64>,
    columns: &[i64],
    nulls: u32,
    present: Option<Vec<u8>>,
) -> Answer {
    let attempt = attempt_of(
        (id, shard, keyspace, slot, stored_slot),
        (domain, epoch),
        (kind, version, found_by, blocking),
    )?;
    let number = |at: usize| columns.get(at).copied().filter(|_| nulls & (1 << at) == 0);
    let look = Look::of_columns(DomainId(domain), number, present.as_deref())?;
    let decision = look.decide(&attempt, content_of(content, op, expected, &[])?);
    Ok(decision_out(&decision, look.revision.0))
}

/// A shard in memory.
#[wasm_bindgen]
#[derive(Default)]
pub struct MemoryShard(pub(crate) ringshift::store::MemoryShard);

#[wasm_bindgen]
impl MemoryShard {
    /// An empty one, that no coordinator has been at.
    #[wasm_bindgen(constructor)]
    pub fn new() -> MemoryShard {
        Self::default()
    }

    /// What time it is, in milliseconds. Leases end by it.
    #[wasm_bindgen(js_name = handleTime)]
    pub fn handle_time(&mut self, now: f64) {
        self.0.handle_time(millis(now));
    }

    /// Installs the homes that a snapshot gives to the shard.
    pub fn home(&mut self, snapshot: &Snapshot, shard: u32, term: u32) -> Answer<()> {
        let rows = home_installs(&snapshot.0, ShardId(shard));
        Ok(self.0.install(Term(term), &rows)?)
    }

    /// Carries out one request of an operation.
    pub fn attempt(
        &mut self,
        id: u32,
        shard: u32,
        keyspace: u16,
        slot: u32,
        stored_slot: u32,
        domain: u32,
        epoch: u32,
        kind: u8,
        version: Option<i64>,
        found_by: Option<u32>,
        blocking: bool,
        content: u8,
        op: &[u8],
        expected: Option<i64>,
        value: &[u8],
        key: &[u8],
    ) -> Answer {
        let attempt = attempt_of(
            (id, shard, keyspace, slot, stored_slot),
            (domain, epoch),
            (kind, version, found_by, blocking),
        )?;
        let content = content_of(content, op, expected, value)?;
        Ok(response_out(self.0.attempt(&attempt, key, content)))
    }

    /// How many rows there are, tombstones too.
    pub fn rows(&self) -> usize {
        self.0.rows()
    }
}

/// The homes that a snapshot gives to a shard: each guard row as the recipe's `GUARD_PUT` takes it,
/// with what it claims.
#[wasm_bindgen]
pub fn homes(snapshot: &Snapshot, shard: u32) -> Answer {
    let rows = home_installs(&snapshot.0, ShardId(shard));
    let rows = rows.iter();
    plain(
        &rows
            .map(|home| (columns_of_guard(&home.row), &home.claims))
            .collect::<Vec<_>>(),
    )
}

/// The texts of the SQLite recipe: statements by name, and what a file is set up with.
#[wasm_bindgen]
pub fn recipe() -> Answer {
    plain(&(
        sqlite::STATEMENTS
            .iter()
            .copied()
            .collect::<std::collections::BTreeMap<_, _>>(),
        sqlite::SCHEMA,
        sqlite::SETTINGS,
        sqlite::DURABLE,
        sqlite::RELAXED,
        sqlite::FORMAT,
    ))
}

fn millis(ms: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates: what isn't a time is 0"
    )]
    let ms = ms as u64;
    ms
}
