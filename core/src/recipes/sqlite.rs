//! The tables and statements of a shard in a SQLite file (3.35 or later).
//!
//! Parameters are numbered in the order that each statement's text here says; columns come in the
//! order of its `SELECT`. Which statements run together in one transaction, and which the core's
//! functions stand between, is in `docs/STORAGE.md`.

/// The format that [`SCHEMA`] makes and this version reads: `ringshift_meta.format`.
pub const FORMAT: i64 = 1;

/// The domain of the innermost interval around a key that has the key's slot; NULL for none. Where
/// a shard has no intervals, that is asked once a statement.
macro_rules! apart {
    ($keyspace:literal, $slot:literal, $key:literal) => {
        concat!(
            "\
CASE WHEN EXISTS (SELECT 1 FROM ringshift_scope) THEN (WITH RECURSIVE up (scope, open, past, parent, depth) AS (
   SELECT * FROM (
     SELECT o.scope, o.open, o.past, o.parent, 0 FROM ringshift_scope AS o
     WHERE o.keyspace = ",
            $keyspace,
            " AND o.start <= ",
            $key,
            "
     ORDER BY o.start DESC, o.open, o.past LIMIT 1)
   UNION ALL
   SELECT o.scope, o.open, o.past, o.parent, depth + 1
   FROM up CROSS JOIN ringshift_scope AS o ON o.scope = up.parent)
 SELECT h.domain FROM up CROSS JOIN ringshift_hold AS h
 WHERE h.scope = up.scope AND (up.open OR up.past > ",
            $key,
            ")
   AND h.slot_first = (SELECT max(f.slot_first) FROM ringshift_hold AS f
                       WHERE f.scope = up.scope AND f.slot_first <= ",
            $slot,
            ")
   AND h.slot_end > ",
            $slot,
            "
 ORDER BY depth LIMIT 1) END"
        )
    };
}

/// The machine's clock, in milliseconds since 1970.
macro_rules! clock {
    () => {
        "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
    };
}

/// What decides about a request, and `$more` of the row.
#[rustfmt::skip]
macro_rules! look {
    ($more:literal) => {
        concat!("\
SELECT m.term, m.revision, k.bits, coalesce(", apart!("?2", "?3", "?4"), ", s.domain), s.floor,
       g.keyspace, CASE m.shut WHEN 0 THEN g.epoch ELSE 0 END,
       CASE WHEN g.role = 4
              AND ", clock!(), " >= g.lease_from
              AND ", clock!(), " < g.lease_until
            THEN 3 ELSE g.role END, g.closed, g.drained, g.in_wave, g.authority_epoch,
       r.version, r.op, r.value IS NULL", $more, "
FROM ringshift_meta AS m
LEFT JOIN ringshift_guard AS g ON g.domain = ?1
LEFT JOIN ringshift_keyspace AS k ON k.keyspace = ?2
LEFT JOIN ringshift_slot AS s ON s.keyspace = ?2 AND s.slot = ?3
LEFT JOIN ringshift_row AS r ON r.keyspace = ?2 AND r.key = ?4
WHERE m.id = 1")
    };
}

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
    META_CREATE = "INSERT INTO ringshift_meta VALUES (1, ?1, 0, 0, 0, ?2, 0, 0, 0)";

    /// Format, revision, term, incarnation, durable answers so far, whether the shard is shut, the
    /// claim before the last, the last claim.
    META = "\
SELECT format, revision, term, incarnation, synced, shut, follows, claim FROM ringshift_meta WHERE id = 1";

    /// Keeps the last claim. The claim before it, the claim.
    LINEAGE_SET = "UPDATE ringshift_meta SET follows = ?1, claim = ?2 WHERE id = 1";

    /// Shuts the shard or opens it. 1 or 0.
    SHUT_SET = "UPDATE ringshift_meta SET shut = ?1 WHERE id = 1";

    /// The clock that leases are counted by: milliseconds since 1970, as this machine has them.
    CLOCK = concat!("SELECT ", clock!());

    /// The lease of a domain. Domain. From, until.
    LEASE = "SELECT lease_from, lease_until FROM ringshift_guard WHERE domain = ?1";

    /// Puts it. Domain, from, until.
    LEASE_PUT = "UPDATE ringshift_guard SET lease_from = ?2, lease_until = ?3 WHERE domain = ?1";

    /// Everything that decides about a read, and what it answers; one statement, so one read
    /// transaction. Domain of the fence, keyspace, slot, key.
    ///
    /// Term; revision; bits; holder; floor; the guard row of the fence's domain as it is in force at
    /// this moment, see [`in_force`](crate::in_force) (keyspace, epoch, role, closed, drained,
    /// in-wave, authority epoch); the row (version, operation, whether it is a tombstone, value).
    LOOK_READ = look!(", r.value");

    /// The same for a write, without the value: run it inside the write's transaction.
    LOOK_WRITE = look!("");

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

    /// Gives an interval's keys, in the slots from the first up to, but without, the end, to a
    /// domain, whoever held that interval there; a domain of NULL gives them back to what is
    /// around it. Keyspace, start, past (empty: none is after the last), first, end, domain. Bytes
    /// of length 0 may come as NULL: some drivers can't tell them apart.
    CLAIM_SCOPE = "\
INSERT INTO ringshift_claim (keyspace, start, past, slot_first, slot_end, domain)
VALUES (?1, coalesce(?2, x''), coalesce(?3, x''), ?4, ?5, ?6)";

    /// Says how many bits a keyspace's slots have. Where they had fewer, each is split: its parts
    /// are held as it was, and keep its floor. Keyspace, bits.
    CLAIM_BITS = "INSERT INTO ringshift_grown (keyspace, bits) VALUES (?1, ?2)";

    /// Gives every interval that a domain holds back to what is around it. Domain.
    RELEASE_SCOPES = "\
INSERT INTO ringshift_claim (keyspace, start, past, slot_first, slot_end, domain)
SELECT o.keyspace, o.start, o.past, h.slot_first, h.slot_end, NULL
FROM ringshift_hold AS h CROSS JOIN ringshift_scope AS o
WHERE h.domain = ?1 AND o.scope = h.scope";

    /// Gives all intervals back to their slots, whoever holds them. Keyspace.
    CLEAR_SCOPES = "\
INSERT INTO ringshift_claim (keyspace, start, past, slot_first, slot_end, domain)
SELECT o.keyspace, o.start, o.past, h.slot_first, h.slot_end, NULL
FROM ringshift_scope AS o CROSS JOIN ringshift_hold AS h
WHERE o.keyspace = ?1 AND h.scope = o.scope";

    /// The newest state of the rows that a domain holds here and that were changed after a
    /// revision. Keyspace, revision, domain, rows at most, bits.
    ///
    /// Key, stored slot, version, operation, value, revision.
    CHANGES = concat!("\
SELECT r.key, r.stored_slot, r.version, r.op, r.value, r.revision
FROM ringshift_row AS r INDEXED BY ringshift_row_revision
WHERE r.keyspace = ?1 AND r.revision > ?2
  AND CASE
    WHEN (SELECT s.domain FROM ringshift_slot AS s
          WHERE s.keyspace = ?1 AND s.slot = r.stored_slot >> (20 - ?5)) = ?3
    THEN coalesce(", apart!("?1", "r.stored_slot >> (20 - ?5)", "r.key"), ", ?3) = ?3
    ELSE EXISTS (SELECT 1 FROM ringshift_hold AS q WHERE q.domain = ?3)
     AND (", apart!("?1", "r.stored_slot >> (20 - ?5)", "r.key"), ") = ?3
    END
ORDER BY r.revision LIMIT ?4");

    /// The same for a domain that holds few rows by an interval, found by their keys: where a
    /// shard has many rows, a tenant's backfill needn't read them all. The same parameters but
    /// the bits, and the same columns.
    CHANGES_APART = "\
SELECT key, stored_slot, version, op, value, revision FROM ringshift_apart
WHERE keyspace = ?1 AND domain = ?3 AND +revision > ?2 ORDER BY revision LIMIT ?4";

    /// How many rows a domain holds by an interval, counted up to a limit. Keyspace, domain, limit.
    COUNT_APART = "\
SELECT count(*) FROM (SELECT 1 FROM ringshift_apart WHERE keyspace = ?1 AND domain = ?2 LIMIT ?3)";

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

    /// How much there is of each stored slot, whoever holds it. Nothing.
    /// Keyspace, stored slot, rows, bytes of keys and values.
    SIZES = "\
SELECT keyspace, stored_slot, count(*), sum(length(key) + coalesce(length(value), 0))
FROM ringshift_row GROUP BY keyspace, stored_slot";

    /// The same as [`DIGEST_ROWS`] in one slot, found by the slot. Keyspace, domain, slot. Key,
    /// version, value.
    DIGEST_SLOT = "\
SELECT r.key, r.version, r.value FROM ringshift_placed AS r
WHERE r.keyspace = ?1
  AND r.stored_slot >= ?3
      << (20 - coalesce((SELECT bits FROM ringshift_keyspace AS k WHERE k.keyspace = ?1), 4))
  AND r.stored_slot < (?3 + 1)
      << (20 - coalesce((SELECT bits FROM ringshift_keyspace AS k WHERE k.keyspace = ?1), 4))
  AND coalesce(r.apart, (SELECT s.domain FROM ringshift_slot AS s
                         WHERE s.keyspace = ?1 AND s.slot = ?3)) = ?2";
}
