//! What a file holds, whoever should hold it: for those who look for rows that have gone astray.

use ringshift::KeyspaceId;
use ringshift::advise::StoredSize;
use ringshift::recipes::sqlite as recipe;
use rusqlite::Connection;

use crate::store::error::StoreError;
use crate::store::sqlite::SqliteStore;
use crate::store::sqlite::rows::{self, Result};

/// Not one of the recipe: it asks no guard, since a row astray has none.
const KEYS: &str = "SELECT keyspace, key FROM ringshift_row WHERE (keyspace, key) > (?1, ?2) \
                    ORDER BY keyspace, key LIMIT ?3";
const FIRST_KEYS: &str = "SELECT keyspace, key FROM ringshift_row ORDER BY keyspace, key LIMIT ?1";

impl SqliteStore {
    /// Up to `limit` keys behind `after`, in their order, with their keyspaces; those of tombstones
    /// too. No guard is asked.
    ///
    /// # Errors
    /// [`StoreError::Busy`], [`StoreError::Database`] or [`StoreError::Damaged`].
    pub fn held(
        &self,
        after: Option<&(KeyspaceId, Vec<u8>)>,
        limit: u32,
    ) -> Result<Vec<(KeyspaceId, Vec<u8>)>> {
        let control = self.control.lock();
        let mut statement =
            control.prepare_cached(if after.is_some() { KEYS } else { FIRST_KEYS })?;
        let mut found = match after {
            Some((keyspace, key)) => statement.query((keyspace.0, key, limit))?,
            None => statement.query([limit])?,
        };
        let mut held = Vec::new();
        while let Some(row) = found.next()? {
            let keyspace = row.get::<_, i64>(0)?.try_into();
            let keyspace = keyspace.map_err(|_| StoreError::Damaged("keyspace"))?;
            // A string is taken as its bytes, since other hands may have put it there.
            let key = row.get_ref(1)?.as_bytes();
            let key = key.map_err(|_| StoreError::Damaged("key"))?.to_vec();
            held.push((KeyspaceId(keyspace), key));
        }
        Ok(held)
    }
}

/// How much there is of each stored slot.
pub(super) fn sizes(connection: &Connection) -> Result<Vec<StoredSize>> {
    let mut statement = connection.prepare_cached(recipe::SIZES)?;
    let mut found = statement.query([])?;
    let mut sizes = Vec::new();
    while let Some(row) = found.next()? {
        sizes.push(StoredSize {
            keyspace: KeyspaceId(row.get(0)?),
            stored_slot: rows::stored_slot(row, 1)?,
            rows: row.get::<_, i64>(2)?.unsigned_abs(),
            bytes: row.get::<_, i64>(3)?.unsigned_abs(),
        });
    }
    Ok(sizes)
}
