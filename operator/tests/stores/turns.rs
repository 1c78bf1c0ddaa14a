//! What a command asks a store's connections for, and what each of its transactions begins and
//! ends with: who waits for whom, and what is on disk when it is answered.

use std::cell::RefCell;

use ringshift::migration::command::{Answer, ChunkId, Command};
use ringshift::recipes::sqlite as recipe;
use ringshift::store::sql::{self, Database, EachRow, Sql, SqlFault, SqlValue, Turn};
use ringshift::store::{Chunks, StoredRow};
use ringshift::{Fence, InstallRow, Revision, Role, Version, hash};
use rusqlite::Connection;

use crate::shard::{BITS, HOME, K, SHARD, TERM, all_slots, e, op, row};
use crate::sql::Open;

/// A database that takes down its turns, and what runs in them beside the recipe's statements.
struct Recorder {
    connection: Connection,
    said: RefCell<Vec<String>>,
    chunks: Chunks,
}

struct Lent<'r> {
    connection: &'r Connection,
    said: &'r RefCell<Vec<String>>,
}

impl Database for Lent<'_> {
    type Error = rusqlite::Error;

    fn turn(&mut self, turn: Turn) -> impl Sql<Error = rusqlite::Error> {
        self.said.borrow_mut().push(format!("{turn:?}"));
        Turned(Lent { ..*self })
    }

    fn changed(&mut self, rows: u64) {
        self.said.borrow_mut().push(format!("changed {rows}"));
    }
}

struct Turned<'r>(Lent<'r>);

impl Sql for Turned<'_> {
    type Error = rusqlite::Error;

    fn run(
        &mut self,
        text: &'static str,
        parameters: &[SqlValue<'_>],
        each: &mut EachRow<'_>,
    ) -> Result<(), SqlFault<rusqlite::Error>> {
        if recipe::STATEMENTS.iter().all(|(_, ours)| *ours != text) {
            self.0.said.borrow_mut().push(text.to_owned());
        }
        Open(self.0.connection).run(text, parameters, each)
    }
}

impl Drop for Turned<'_> {
    fn drop(&mut self) {
        self.0.said.borrow_mut().push("over".to_owned());
    }
}

impl Recorder {
    fn new() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(recipe::SCHEMA).unwrap();
        let made = (recipe::FORMAT, [7_u8; 16]);
        connection.execute(recipe::META_CREATE, made).unwrap();
        Self {
            connection,
            said: RefCell::default(),
            chunks: Chunks::default(),
        }
    }

    fn says(&mut self, command: &Command, wanted: &[&str]) -> Answer {
        let mut lent = Lent {
            connection: &self.connection,
            said: &self.said,
        };
        let answer = sql::command(&mut lent, command, &mut self.chunks).unwrap();
        assert_eq!(self.said.take(), wanted, "{command:?}");
        answer
    }

    fn install(&mut self, epoch: u32, role: Role) {
        let rows = vec![InstallRow {
            row: row(HOME, epoch, role),
            claims: vec![all_slots()],
        }];
        let (shard, term) = (SHARD, TERM);
        let install = Command::Install { shard, term, rows };
        assert_eq!(self.says(&install, &DURABLE), Answer::Done);
    }
}

fn stored(n: u32) -> StoredRow {
    let key = n.to_be_bytes().to_vec();
    let hash = hash::xxh3(&key, 0);
    StoredRow {
        keyspace: K,
        slot: hash::slot_of(hash, BITS),
        stored_slot: hash::stored_slot(hash),
        key,
        version: Version::new(e(1), n),
        value: Some(vec![1]),
        op: op(n.into()),
    }
}

fn fence(epoch: u32) -> Fence {
    Fence {
        domain: HOME,
        epoch: e(epoch),
    }
}

const LOOK: [&str; 4] = ["Look", "BEGIN DEFERRED", "COMMIT", "over"];
const DURABLE: [&str; 6] = [
    "Office",
    recipe::DURABLE,
    "BEGIN IMMEDIATE",
    "COMMIT",
    recipe::RELAXED,
    "over",
];

#[test]
fn offices_are_durable_and_pass_the_clients_and_looks_wait_for_nobody() {
    let mut shard = Recorder::new();
    shard.install(1, Role::LeasedMirror);
    let (at, term) = (SHARD, TERM);
    let shut = Command::Shut {
        shard: at,
        term,
        shut: false,
    };
    shard.says(&shut, &DURABLE);
    let Answer::Time(asked) = shard.says(&Command::Time { shard: at }, &LOOK) else {
        panic!()
    };
    let lease = Command::Grant {
        shard: at,
        term,
        fence: fence(1),
        asked,
        lease_ms: 1_000,
    };
    // A lease needn't survive a power failure.
    let said = shard.says(&lease, &["Office", "BEGIN IMMEDIATE", "COMMIT", "over"]);
    assert_eq!(said, Answer::Done);
    let close = Command::Close {
        shard: at,
        term,
        fence: fence(1),
    };
    shard.says(&close, &DURABLE);
    shard.says(&Command::Guards { shard: at }, &LOOK);
    for look in [
        Command::Revision {
            shard: at,
            fence: fence(1),
        },
        Command::Count {
            shard: at,
            fence: fence(1),
        },
        Command::Digests {
            shard: at,
            fence: fence(1),
        },
        Command::Changes {
            shard: at,
            fence: fence(1),
            after: Revision(0),
            limit: 9,
            chunk: ChunkId(1),
        },
    ] {
        shard.says(&look, &LOOK);
    }
}

#[test]
fn many_rows_are_changed_in_turns_of_64_and_a_chunk_s_last_one_is_durable() {
    let mut shard = Recorder::new();
    shard.install(1, Role::Mirror);
    let (at, term, chunk) = (SHARD, TERM, ChunkId(1));
    shard
        .chunks
        .put(chunk, HOME, (0..130).map(stored).collect());
    let apply = Command::Apply {
        shard: at,
        term,
        fence: fence(1),
        chunk,
    };
    let relaxed = ["Rows", "BEGIN IMMEDIATE", "COMMIT", "over"];
    let durable = [&["Rows"][..], &DURABLE[1..]].concat();
    let wanted = [
        &relaxed[..],
        &["changed 64"],
        &relaxed,
        &["changed 64"],
        &durable,
        &["changed 2"],
    ];
    assert_eq!(shard.says(&apply, &wanted.concat()), Answer::Done);

    shard.install(2, Role::None);
    let purge = Command::Purge {
        shard: at,
        term,
        fence: fence(2),
        limit: 200,
        release: false,
    };
    let wanted = [
        &relaxed[..],
        &["changed 64"],
        &relaxed,
        &["changed 64"],
        &relaxed,
        &["changed 2"],
    ];
    let (rows, end) = (130, true);
    let said = shard.says(&purge, &wanted.concat());
    assert_eq!(said, Answer::Removed { rows, end });
}

#[test]
fn a_refused_chunk_counts_for_nothing() {
    let mut shard = Recorder::new();
    shard.install(1, Role::Authority);
    shard.chunks.put(ChunkId(1), HOME, vec![stored(1)]);
    let apply = Command::Apply {
        shard: SHARD,
        term: TERM,
        fence: fence(1),
        chunk: ChunkId(1),
    };
    let durable = [&["Rows"][..], &DURABLE[1..]].concat();
    let said = shard.says(&apply, &durable);
    assert!(matches!(said, Answer::Refused(_)), "{said:?}");
}
