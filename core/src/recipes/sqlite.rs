//! The tables and statements of a shard in a SQLite file (3.35 or later).
//!
//! Parameters are numbered in the order that each statement's text here says; columns come in the
//! order of its `SELECT`. Which statements run together in one transaction, and which the core's
//! functions stand between, is in `docs/STORAGE.md`.

/// The format that [`SCHEMA`] makes and this version reads: `ringshift_meta.format`.
pub const FORMAT: i64 = 1;

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:expr;)*) => {
        $($(#[$doc])* pub const $name: &str = $text;)*

        /// Every statement with its name, for bindings and for a test that prepares each.
        pub const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $name),)*];
    };
}

/// Tables, indexes and the view `ringshift_held`: several statements, to be run as a script.
pub const SCHEMA: &str = include_str!("sqlite_schema.sql");

/// What each connection is set to, before its first transaction.
///
/// The writer runs with `NORMAL`: a commit survives the process, and a power failure may take the
/// last ones. What must be on disk when it is answered is committed under [`DURABLE`].
pub const SETTINGS: &str = "\
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA temp_store = MEMORY;
PRAGMA wal_autocheckpoint = 0;";

/// Before a transaction whose commit must be on disk when it is answered; after it, [`RELAXED`].
/// The commit's one fsync covers everything committed before.
pub const DURABLE: &str = "PRAGMA synchronous = FULL";

/// See [`DURABLE`].
pub const RELAXED: &str = "PRAGMA synchronous = NORMAL";

statements! {
    /// Puts the one row of `ringshift_meta`: format, incarnation.
    META_CREATE = "INSERT INTO ringshift_meta VALUES (1, ?1, 0, 0, 0, ?2, 0)";

    /// Format, revision, term, incarnation, durable answers so far, whether the shard is shut.
    META = "\
SELECT format, revision, term, incarnation, synced, shut FROM ringshift_meta WHERE id = 1";

    /// Shuts the shard or opens it. 1 or 0.
    SHUT_SET = "UPDATE ringshift_meta SET shut = ?1 WHERE id = 1";

    /// The clock that leases are counted by: milliseconds since 1970, as this machine has them.
    CLOCK = "SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)";

    /// The lease of a domain. Domain. From, until.
    LEASE = "SELECT lease_from, lease_until FROM ringshift_guard WHERE domain = ?1";

    /// Puts it. Domain, from, until.
    LEASE_PUT = "UPDATE ringshift_guard SET lease_from = ?2, lease_until = ?3 WHERE domain = ?1";

    /// Everything that decides about a read, and what it answers; one statement, so one read
    /// transaction. Domain of the fence, keyspace, slot, key.
    ///
    /// Term; revision; bits; holder; floor; the guard row of the fence's domain as it is in force at
    /// this moment, see [`in_force`](crate::in_force) (keyspace, epoch, role, closed, drained, in-wave, authority epoch); the row (version, operation, whether it
    /// is a tombstone, value).
    LOOK_READ = "\
SELECT m.term, m.revision, k.bits, coalesce(p.domain, s.domain), s.floor,
       g.keyspace, CASE m.shut WHEN 0 THEN g.epoch ELSE 0 END,
       CASE WHEN g.role = 4
              AND CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) >= g.lease_from
              AND CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) < g.lease_until
            THEN 3 ELSE g.role END, g.closed, g.drained, g.in_wave, g.authority_epoch,
       r.version, r.op, r.value IS NULL, r.value
FROM ringshift_meta AS m
LEFT JOIN ringshift_guard AS g ON g.domain = ?1
LEFT JOIN ringshift_keyspace AS k ON k.keyspace = ?2
LEFT JOIN ringshift_slot AS s ON s.keyspace = ?2 AND s.slot = ?3
LEFT JOIN ringshift_pin AS p ON p.keyspace = ?2 AND p.key = ?4
LEFT JOIN ringshift_row AS r ON r.keyspace = ?2 AND r.key = ?4
WHERE m.id = 1";

    /// The same for a write, without the value: run it inside the write's transaction.
    LOOK_WRITE = "\
SELECT m.term, m.revision, k.bits, coalesce(p.domain, s.domain), s.floor,
       g.keyspace, CASE m.shut WHEN 0 THEN g.epoch ELSE 0 END,
       CASE WHEN g.role = 4
              AND CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) >= g.lease_from
              AND CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) < g.lease_until
            THEN 3 ELSE g.role END, g.closed, g.drained, g.in_wave, g.authority_epoch,
       r.version, r.op, r.value IS NULL
FROM ringshift_meta AS m
LEFT JOIN ringshift_guard AS g ON g.domain = ?1
LEFT JOIN ringshift_keyspace AS k ON k.keyspace = ?2
LEFT JOIN ringshift_slot AS s ON s.keyspace = ?2 AND s.slot = ?3
LEFT JOIN ringshift_pin AS p ON p.keyspace = ?2 AND p.key = ?4
LEFT JOIN ringshift_row AS r ON r.keyspace = ?2 AND r.key = ?4
WHERE m.id = 1";

    /// The value that a refused put-if found. Keyspace, key.
    VALUE = "SELECT value FROM ringshift_row WHERE keyspace = ?1 AND key = ?2";

    /// A row that isn't there yet. Keyspace, key, stored slot, version, revision, operation, value.
    ROW_INSERT = "\
INSERT INTO ringshift_row (keyspace, key, stored_slot, version, revision, op, value)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

    /// A row that is there. Keyspace, key, version, revision, operation, value.
    ROW_UPDATE = "\
UPDATE ringshift_row SET version = ?3, revision = ?4, op = ?5, value = ?6
WHERE keyspace = ?1 AND key = ?2";

    /// Removes a row; [`FLOOR_RAISE`] goes with it. Keyspace, key.
    ROW_DELETE = "DELETE FROM ringshift_row WHERE keyspace = ?1 AND key = ?2";

    /// Remembers the highest version removed from a slot. Keyspace, slot, version.
    FLOOR_RAISE = "\
INSERT INTO ringshift_slot (keyspace, slot, domain, floor) VALUES (?1, ?2, NULL, ?3)
ON CONFLICT (keyspace, slot) DO UPDATE SET floor = max(floor, excluded.floor)";

    /// Sets the revision that changes of this transaction have used up.
    REVISION_SET = "UPDATE ringshift_meta SET revision = ?1 WHERE id = 1";

    /// Remembers a keyspace's bits, from the first row that tells. Keyspace, bits.
    KEYSPACE_PUT = "INSERT INTO ringshift_keyspace (keyspace, bits) VALUES (?1, ?2) \
ON CONFLICT (keyspace) DO NOTHING";

    /// A keyspace's bits.
    KEYSPACE = "SELECT bits FROM ringshift_keyspace WHERE keyspace = ?1";

    /// Remembers a term. In every transaction that is to be durable, for its side effect: without
    /// a change there is nothing to sync.
    TERM_SET = "UPDATE ringshift_meta SET term = ?1, synced = synced + 1 WHERE id = 1";

    /// All guard rows, by domain.
    GUARDS = "\
SELECT domain, keyspace, epoch, role, closed, drained, in_wave, authority_epoch
FROM ringshift_guard ORDER BY domain";

    /// One guard row. Domain.
    GUARD = "\
SELECT domain, keyspace, epoch, role, closed, drained, in_wave, authority_epoch
FROM ringshift_guard WHERE domain = ?1";

    /// Puts a guard row that takes effect, or is closed: its columns, in their order. Another epoch
    /// ends the lease.
    GUARD_PUT = "\
INSERT INTO ringshift_guard
  (domain, keyspace, epoch, role, closed, drained, in_wave, authority_epoch)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (domain) DO UPDATE SET
  keyspace = excluded.keyspace, epoch = excluded.epoch, role = excluded.role,
  closed = excluded.closed, drained = excluded.drained, in_wave = excluded.in_wave,
  authority_epoch = excluded.authority_epoch,
  lease_until = CASE WHEN excluded.epoch > epoch THEN 0 ELSE lease_until END";

    /// Gives the slots from the first up to, but without, the end to a domain, whoever held them.
    /// Keyspace, first, end, domain.
    CLAIM_SLOTS = "\
WITH RECURSIVE run (slot) AS (
  SELECT ?2 WHERE ?2 < ?3
  UNION ALL
  SELECT slot + 1 FROM run WHERE slot + 1 < ?3
)
INSERT INTO ringshift_slot (keyspace, slot, domain, floor) SELECT ?1, slot, ?4, 0 FROM run WHERE 1
ON CONFLICT (keyspace, slot) DO UPDATE SET domain = excluded.domain";

    /// Takes a key out of its slot. Keyspace, key, domain.
    CLAIM_KEY = "\
INSERT INTO ringshift_pin (keyspace, key, domain) VALUES (?1, ?2, ?3)
ON CONFLICT (keyspace, key) DO UPDATE SET domain = excluded.domain";

    /// Puts a key back into its slot. Keyspace, key.
    RELEASE_KEY = "DELETE FROM ringshift_pin WHERE keyspace = ?1 AND key = ?2";

    /// The newest state of the rows that a domain holds here and that were changed after a
    /// revision. Keyspace, revision, domain, rows at most, bits.
    ///
    /// Key, stored slot, version, operation, value, revision.
    CHANGES = "\
SELECT r.key, r.stored_slot, r.version, r.op, r.value, r.revision
FROM ringshift_row AS r INDEXED BY ringshift_row_revision
WHERE r.keyspace = ?1 AND r.revision > ?2
  AND CASE
    WHEN (SELECT s.domain FROM ringshift_slot AS s
          WHERE s.keyspace = ?1 AND s.slot = r.stored_slot >> (20 - ?5)) = ?3
    THEN NOT EXISTS (SELECT 1 FROM ringshift_pin AS p
                     WHERE p.keyspace = ?1 AND p.key = r.key AND p.domain <> ?3)
    ELSE EXISTS (SELECT 1 FROM ringshift_pin AS q WHERE q.keyspace = ?1 AND q.domain = ?3)
     AND EXISTS (SELECT 1 FROM ringshift_pin AS p
                 WHERE p.keyspace = ?1 AND p.key = r.key AND p.domain = ?3)
    END
ORDER BY r.revision LIMIT ?4";

    /// Rows to purge. Keyspace, domain, rows at most. Key, slot, version.
    PURGE_FIND = "\
SELECT key, slot, version FROM ringshift_held WHERE keyspace = ?1 AND domain = ?2 LIMIT ?3";

    /// Tombstones to collect. Keyspace, domain, rows at most. Key, slot, version.
    COLLECT_FIND = "\
SELECT key, slot, version FROM ringshift_held
WHERE keyspace = ?1 AND domain = ?2 AND value IS NULL LIMIT ?3";

    /// How many rows a domain holds here. Keyspace, domain.
    COUNT = "SELECT count(*) FROM ringshift_held WHERE keyspace = ?1 AND domain = ?2";

    /// All rows that a domain holds here, found by walking slots. Keyspace, domain.
    /// Slot, key, version, value.
    DIGEST_ROWS = "\
SELECT slot, key, version, value FROM ringshift_held WHERE keyspace = ?1 AND domain = ?2";

    /// The same in one slot. Keyspace, domain, slot. Key, version, value.
    DIGEST_SLOT = "\
SELECT key, version, value FROM ringshift_held WHERE keyspace = ?1 AND domain = ?2 AND slot = ?3";
}
