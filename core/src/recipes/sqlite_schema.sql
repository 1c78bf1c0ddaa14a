-- One shard in one SQLite file. Numbers are the core's own; a version is epoch << 32 | counter.

-- One row: what the shard as a whole has seen.
CREATE TABLE ringshift_meta (
  id          INTEGER PRIMARY KEY CHECK (id = 1),
  format      INTEGER NOT NULL,
  revision    INTEGER NOT NULL,   -- that of the last change of a row
  term        INTEGER NOT NULL,   -- the highest term seen
  synced      INTEGER NOT NULL,   -- raised by each durable answer, so that its commit writes something
  incarnation BLOB    NOT NULL,   -- drawn when the file was made
  shut        INTEGER NOT NULL CHECK (shut IN (0, 1)) -- nothing is admitted: the file came back from a copy
);

-- What the shard knows of each domain. Never deleted.
CREATE TABLE ringshift_guard (
  domain          INTEGER PRIMARY KEY,
  keyspace        INTEGER NOT NULL,
  epoch           INTEGER NOT NULL,
  role            INTEGER NOT NULL CHECK (role BETWEEN 0 AND 4),
  closed          INTEGER NOT NULL CHECK (closed IN (0, 1)),
  drained         INTEGER NOT NULL,
  in_wave         INTEGER NOT NULL CHECK (in_wave IN (0, 1)),
  authority_epoch INTEGER NOT NULL,
  -- When a leased mirror (role 4) answers reads, in milliseconds since 1970 by this machine's clock.
  lease_from      INTEGER NOT NULL DEFAULT 0,
  lease_until     INTEGER NOT NULL DEFAULT 0
);

-- How many bits a keyspace's slots have, once a row has told.
CREATE TABLE ringshift_keyspace (
  keyspace INTEGER PRIMARY KEY,
  bits     INTEGER NOT NULL CHECK (bits BETWEEN 4 AND 20)
);

-- The domain that holds a slot here, if one does, and the highest version that a physical delete
-- has removed from it.
CREATE TABLE ringshift_slot (
  keyspace INTEGER NOT NULL,
  slot     INTEGER NOT NULL,
  domain   INTEGER,
  floor    INTEGER NOT NULL,
  PRIMARY KEY (keyspace, slot)
) WITHOUT ROWID;

-- The domain that holds a key out of its slot.
CREATE TABLE ringshift_pin (
  keyspace INTEGER NOT NULL,
  key      BLOB    NOT NULL,
  domain   INTEGER NOT NULL,
  PRIMARY KEY (keyspace, key)
) WITHOUT ROWID;
CREATE INDEX ringshift_pin_domain ON ringshift_pin (keyspace, domain);

-- The rows, tombstones among them.
CREATE TABLE ringshift_row (
  keyspace    INTEGER NOT NULL,
  key         BLOB    NOT NULL,
  stored_slot INTEGER NOT NULL,   -- the top 20 bits of the key's hash
  version     INTEGER NOT NULL,
  revision    INTEGER NOT NULL,   -- that of its last change
  op          BLOB    NOT NULL,   -- the id of the operation that made it what it is
  value       BLOB,               -- NULL: a tombstone
  PRIMARY KEY (keyspace, key)
);
CREATE INDEX ringshift_row_revision ON ringshift_row (keyspace, revision, stored_slot);
CREATE INDEX ringshift_row_slot ON ringshift_row (keyspace, stored_slot);
CREATE INDEX ringshift_row_tombstone ON ringshift_row (keyspace, stored_slot) WHERE value IS NULL;

-- Each row beside the domain that holds it here: by its slot, unless it is pinned.
CREATE VIEW ringshift_held AS
SELECT s.domain AS domain, s.slot AS slot, s.keyspace AS keyspace, r.key AS key,
       r.stored_slot AS stored_slot, r.version AS version, r.value AS value
FROM ringshift_slot AS s
CROSS JOIN ringshift_row AS r
WHERE r.keyspace = s.keyspace
  AND r.stored_slot >= s.slot
      << (20 - coalesce((SELECT bits FROM ringshift_keyspace AS k WHERE k.keyspace = s.keyspace), 4))
  AND r.stored_slot < (s.slot + 1)
      << (20 - coalesce((SELECT bits FROM ringshift_keyspace AS k WHERE k.keyspace = s.keyspace), 4))
  AND NOT EXISTS (SELECT 1 FROM ringshift_pin AS p WHERE p.keyspace = r.keyspace AND p.key = r.key)
UNION ALL
SELECT p.domain, r.stored_slot
         >> (20 - coalesce((SELECT bits FROM ringshift_keyspace AS k WHERE k.keyspace = p.keyspace), 4)),
       p.keyspace, r.key, r.stored_slot, r.version, r.value
FROM ringshift_pin AS p
CROSS JOIN ringshift_row AS r
WHERE r.keyspace = p.keyspace AND r.key = p.key;
