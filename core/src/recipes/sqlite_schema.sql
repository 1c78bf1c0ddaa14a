-- One shard in one SQLite file. Numbers are the core's own; a version is epoch << 32 | counter.

-- One row: what the shard as a whole has seen.
CREATE TABLE ringshift_meta (
  id          INTEGER PRIMARY KEY CHECK (id = 1),
  format      INTEGER NOT NULL,
  revision    INTEGER NOT NULL,   -- that of the last change of a row
  term        INTEGER NOT NULL,   -- the highest term seen
  synced      INTEGER NOT NULL,   -- raised by each durable answer, so that its commit writes something
  incarnation BLOB    NOT NULL,   -- drawn when the file was made
  shut        INTEGER NOT NULL CHECK (shut IN (0, 1)), -- nothing is admitted: the file came back from a copy
  follows     INTEGER NOT NULL,   -- the claim before the last, as the record knew it
  claim       INTEGER NOT NULL    -- the last claim, a number of its own: what tells an older copy
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

-- An interval of keys that is, in some slots, apart from the slots' other keys: from `start` up to,
-- but without, `past`, which is empty where none is after the last. Any two of a keyspace are apart,
-- or one encloses the other.
CREATE TABLE ringshift_scope (
  scope    INTEGER PRIMARY KEY,
  keyspace INTEGER NOT NULL,
  start    BLOB    NOT NULL,
  past     BLOB    NOT NULL,
  open     INTEGER NOT NULL CHECK (open = (past = x'')),
  parent   INTEGER             -- the innermost one around it
);
-- Of those that begin at one key, the innermost stands first.
CREATE UNIQUE INDEX ringshift_scope_start ON ringshift_scope (keyspace, start DESC, open, past);
CREATE INDEX ringshift_scope_parent ON ringshift_scope (parent);

-- The domain that holds an interval here, in runs of slots.
CREATE TABLE ringshift_hold (
  scope      INTEGER NOT NULL,
  slot_first INTEGER NOT NULL,
  slot_end   INTEGER NOT NULL CHECK (slot_end > slot_first),
  domain     INTEGER NOT NULL,
  PRIMARY KEY (scope, slot_first)
) WITHOUT ROWID;
CREATE INDEX ringshift_hold_domain ON ringshift_hold (domain, scope, slot_first);

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

-- What is written to say who holds an interval in a run of slots; a domain of NULL gives its keys
-- back to what is around it.
CREATE VIEW ringshift_claim AS
SELECT o.keyspace AS keyspace, o.start AS start, o.past AS past,
       h.slot_first AS slot_first, h.slot_end AS slot_end, h.domain AS domain
FROM ringshift_hold AS h CROSS JOIN ringshift_scope AS o ON o.scope = h.scope;

CREATE TRIGGER ringshift_claim_put INSTEAD OF INSERT ON ringshift_claim BEGIN
  INSERT INTO ringshift_scope (keyspace, start, past, open)
  SELECT NEW.keyspace, NEW.start, NEW.past, NEW.past = x''
  WHERE NEW.domain IS NOT NULL AND NEW.slot_first < NEW.slot_end AND NOT EXISTS (
    SELECT 1 FROM ringshift_scope AS o
    WHERE o.keyspace = NEW.keyspace AND o.start = NEW.start AND o.past = NEW.past);
  -- Of a run that reaches over the end, what is behind it; of one over the start, what is before.
  INSERT INTO ringshift_hold (scope, slot_first, slot_end, domain)
  SELECT h.scope, NEW.slot_end, h.slot_end, h.domain FROM ringshift_hold AS h
  WHERE h.scope = (SELECT o.scope FROM ringshift_scope AS o
                   WHERE o.keyspace = NEW.keyspace AND o.start = NEW.start AND o.past = NEW.past)
    AND h.slot_first < NEW.slot_end AND h.slot_end > NEW.slot_end
    AND NEW.slot_first < NEW.slot_end;
  UPDATE ringshift_hold SET slot_end = NEW.slot_first
  WHERE scope = (SELECT o.scope FROM ringshift_scope AS o
                 WHERE o.keyspace = NEW.keyspace AND o.start = NEW.start AND o.past = NEW.past)
    AND slot_first < NEW.slot_first AND slot_end > NEW.slot_first
    AND NEW.slot_first < NEW.slot_end;
  DELETE FROM ringshift_hold
  WHERE scope = (SELECT o.scope FROM ringshift_scope AS o
                 WHERE o.keyspace = NEW.keyspace AND o.start = NEW.start AND o.past = NEW.past)
    AND slot_first >= NEW.slot_first AND slot_first < NEW.slot_end;
  INSERT INTO ringshift_hold (scope, slot_first, slot_end, domain)
  SELECT o.scope, NEW.slot_first, NEW.slot_end, NEW.domain FROM ringshift_scope AS o
  WHERE o.keyspace = NEW.keyspace AND o.start = NEW.start AND o.past = NEW.past
    AND NEW.domain IS NOT NULL AND NEW.slot_first < NEW.slot_end;
  DELETE FROM ringshift_scope
  WHERE keyspace = NEW.keyspace AND start = NEW.start AND past = NEW.past
    AND NOT EXISTS (SELECT 1 FROM ringshift_hold AS h WHERE h.scope = ringshift_scope.scope);
END;

-- The new one's parent is found by climbing from the last one that begins before it.
CREATE TRIGGER ringshift_scope_added AFTER INSERT ON ringshift_scope BEGIN
  UPDATE ringshift_scope SET parent = (
    WITH RECURSIVE up (scope, open, past, parent, depth) AS (
      SELECT * FROM (
        SELECT o.scope, o.open, o.past, o.parent, 0 FROM ringshift_scope AS o
        WHERE o.keyspace = NEW.keyspace AND o.scope <> NEW.scope
          AND (o.start < NEW.start
               OR o.start = NEW.start AND (o.open > NEW.open
                                           OR o.open = NEW.open AND o.past > NEW.past))
        ORDER BY o.start DESC, o.open, o.past LIMIT 1)
      UNION ALL
      SELECT o.scope, o.open, o.past, o.parent, depth + 1
      FROM up CROSS JOIN ringshift_scope AS o ON o.scope = up.parent)
    SELECT up.scope FROM up
    WHERE up.open OR (NOT NEW.open AND up.past >= NEW.past) ORDER BY depth LIMIT 1)
  WHERE scope = NEW.scope;
  UPDATE ringshift_scope SET parent = NEW.scope
  WHERE parent IS (SELECT o.parent FROM ringshift_scope AS o WHERE o.scope = NEW.scope)
    AND scope <> NEW.scope AND keyspace = NEW.keyspace AND start >= NEW.start
    AND (NEW.open OR (NOT open AND past <= NEW.past));
END;

CREATE TRIGGER ringshift_scope_dropped AFTER DELETE ON ringshift_scope BEGIN
  UPDATE ringshift_scope SET parent = OLD.parent WHERE parent = OLD.scope;
END;

-- What is written to say how many bits a keyspace's slots have: those of fewer are split.
CREATE VIEW ringshift_grown AS SELECT keyspace, bits FROM ringshift_keyspace;

CREATE TRIGGER ringshift_grown_put INSTEAD OF INSERT ON ringshift_grown BEGIN
  -- Out of the way first, below zero: parts would meet slots that are still to be split.
  UPDATE ringshift_slot
  SET slot = -1 - (slot << (NEW.bits - (SELECT k.bits FROM ringshift_keyspace AS k
                                        WHERE k.keyspace = NEW.keyspace)))
  WHERE keyspace = NEW.keyspace
    AND NEW.bits > (SELECT k.bits FROM ringshift_keyspace AS k WHERE k.keyspace = NEW.keyspace);
  INSERT INTO ringshift_slot (keyspace, slot, domain, floor)
  SELECT s.keyspace, -1 - s.slot + p.n, s.domain, s.floor
  FROM (WITH RECURSIVE part (n) AS (
          SELECT 0 UNION ALL SELECT n + 1 FROM part
          WHERE n + 1 < 1 << (NEW.bits - (SELECT k.bits FROM ringshift_keyspace AS k
                                          WHERE k.keyspace = NEW.keyspace)))
        SELECT n FROM part) AS p
  CROSS JOIN ringshift_slot AS s
  WHERE s.keyspace = NEW.keyspace AND s.slot < 0;
  DELETE FROM ringshift_slot WHERE keyspace = NEW.keyspace AND slot < 0;
  UPDATE ringshift_hold
  SET slot_first = -1 - (slot_first << (NEW.bits - (SELECT k.bits FROM ringshift_keyspace AS k
                                                    WHERE k.keyspace = NEW.keyspace))),
      slot_end = slot_end << (NEW.bits - (SELECT k.bits FROM ringshift_keyspace AS k
                                          WHERE k.keyspace = NEW.keyspace))
  WHERE scope IN (SELECT o.scope FROM ringshift_scope AS o WHERE o.keyspace = NEW.keyspace)
    AND NEW.bits > (SELECT k.bits FROM ringshift_keyspace AS k WHERE k.keyspace = NEW.keyspace);
  UPDATE ringshift_hold SET slot_first = -1 - slot_first WHERE slot_first < 0;
  UPDATE ringshift_keyspace SET bits = NEW.bits WHERE keyspace = NEW.keyspace AND bits < NEW.bits;
  INSERT INTO ringshift_keyspace (keyspace, bits) SELECT NEW.keyspace, NEW.bits
  WHERE NOT EXISTS (SELECT 1 FROM ringshift_keyspace AS k WHERE k.keyspace = NEW.keyspace);
END;

-- Each row with its slot, and the domain of the innermost interval around it that has the slot.
CREATE VIEW ringshift_placed AS
SELECT r.keyspace AS keyspace, r.key AS key, r.stored_slot AS stored_slot, r.version AS version,
       r.revision AS revision, r.op AS op, r.value AS value,
       r.stored_slot >> (20 - coalesce(
         (SELECT k.bits FROM ringshift_keyspace AS k WHERE k.keyspace = r.keyspace), 4)) AS slot,
       CASE WHEN EXISTS (SELECT 1 FROM ringshift_scope) THEN
       (WITH RECURSIVE up (scope, open, past, parent, depth) AS (
          SELECT * FROM (
            SELECT o.scope, o.open, o.past, o.parent, 0 FROM ringshift_scope AS o
            WHERE o.keyspace = r.keyspace AND o.start <= r.key
            ORDER BY o.start DESC, o.open, o.past LIMIT 1)
          UNION ALL
          SELECT o.scope, o.open, o.past, o.parent, depth + 1
          FROM up CROSS JOIN ringshift_scope AS o ON o.scope = up.parent)
        SELECT h.domain FROM up CROSS JOIN ringshift_hold AS h
        WHERE h.scope = up.scope AND (up.open OR up.past > r.key)
          AND h.slot_first = (
            SELECT max(f.slot_first) FROM ringshift_hold AS f
            WHERE f.scope = up.scope AND f.slot_first <= r.stored_slot >> (20 - coalesce(
              (SELECT k.bits FROM ringshift_keyspace AS k WHERE k.keyspace = r.keyspace), 4)))
          AND h.slot_end > r.stored_slot >> (20 - coalesce(
            (SELECT k.bits FROM ringshift_keyspace AS k WHERE k.keyspace = r.keyspace), 4))
        ORDER BY depth LIMIT 1) END AS apart
FROM ringshift_row AS r;

-- The rows that a domain holds by an interval, found by their keys.
CREATE VIEW ringshift_apart AS
SELECT h.domain AS domain, r.slot AS slot, r.keyspace AS keyspace, r.key AS key,
       r.stored_slot AS stored_slot, r.version AS version, r.revision AS revision, r.op AS op,
       r.value AS value
FROM ringshift_hold AS h CROSS JOIN ringshift_scope AS o CROSS JOIN ringshift_placed AS r
WHERE o.scope = h.scope AND o.open = 0
  AND h.slot_first = (SELECT min(f.slot_first) FROM ringshift_hold AS f
                      WHERE f.domain = h.domain AND f.scope = h.scope)
  AND r.keyspace = o.keyspace AND r.key >= o.start AND r.key < o.past AND r.apart = h.domain
UNION ALL
SELECT h.domain, r.slot, r.keyspace, r.key, r.stored_slot, r.version, r.revision, r.op, r.value
FROM ringshift_hold AS h CROSS JOIN ringshift_scope AS o CROSS JOIN ringshift_placed AS r
WHERE o.scope = h.scope AND o.open = 1
  AND h.slot_first = (SELECT min(f.slot_first) FROM ringshift_hold AS f
                      WHERE f.domain = h.domain AND f.scope = h.scope)
  AND r.keyspace = o.keyspace AND r.key >= o.start AND r.apart = h.domain;

-- Each row beside the domain that holds it here: by its slot, or by an interval.
CREATE VIEW ringshift_held AS
SELECT s.domain AS domain, s.slot AS slot, s.keyspace AS keyspace, r.key AS key,
       r.stored_slot AS stored_slot, r.version AS version, r.value AS value
FROM ringshift_slot AS s
CROSS JOIN ringshift_placed AS r
WHERE r.keyspace = s.keyspace
  AND r.stored_slot >= s.slot
      << (20 - coalesce((SELECT bits FROM ringshift_keyspace AS k WHERE k.keyspace = s.keyspace), 4))
  AND r.stored_slot < (s.slot + 1)
      << (20 - coalesce((SELECT bits FROM ringshift_keyspace AS k WHERE k.keyspace = s.keyspace), 4))
  AND r.apart IS NULL
UNION ALL
SELECT a.domain, a.slot, a.keyspace, a.key, a.stored_slot, a.version, a.value
FROM ringshift_apart AS a;
