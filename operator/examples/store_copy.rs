//! How long a coordinator's commands on many rows take on SQLite files here:
//! `cargo run --release -p ringshift-operator --example store_copy [FOLDER [ROWS]]`.
//!
//! Copies 100,000 rows of 100 bytes from one file to another in chunks of 1,000, digests both,
//! lists the keys of some slots, and purges the first; three rounds, each in new files.
#![expect(
    clippy::unwrap_used,
    reason = "a measuring tool stops at the first surprise"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use ringshift::migration::command::{Answer, ChunkId, Command};
use ringshift::store::StoredRow;
use ringshift::{
    Claim, DomainId, Epoch, Fence, GuardRow, InstallRow, KeyspaceId, Revision, Role, ShardId, Slot,
    SlotRange, Term, Version, hash,
};
use ringshift_operator::store::{Chunks, SqliteStore, Store};

const BITS: u8 = 16;
const DOMAIN: DomainId = DomainId(1);
const TERM: Term = Term(1);
const CHUNK_ROWS: u32 = 1_000;

fn fence(epoch: u32) -> Fence {
    Fence {
        domain: DOMAIN,
        epoch: Epoch::new(epoch).unwrap(),
    }
}

fn install(store: &SqliteStore, shard: ShardId, epoch: u32, role: Role) {
    let epoch = Epoch::new(epoch).unwrap();
    let row = GuardRow {
        domain: DOMAIN,
        keyspace: KeyspaceId(0),
        epoch,
        role,
        closed: false,
        drained: Epoch::ZERO,
        in_wave: true,
        authority_epoch: Epoch::FIRST,
    };
    let slots = SlotRange {
        start: 0,
        end: 1 << BITS,
    };
    let claims = vec![Claim::Bits(BITS), Claim::Slots(vec![slots])];
    let (term, rows) = (TERM, vec![InstallRow { row, claims }]);
    let install = Command::Install { shard, term, rows };
    assert_eq!(store.command(&install, &Chunks::new()), Answer::Done);
}

fn row(n: u32) -> StoredRow {
    let key = format!("user:{n:08}").into_bytes();
    let hash = hash::xxh3(&key, 0);
    let mut op = [0; 16];
    op[..4].copy_from_slice(&n.to_le_bytes());
    StoredRow {
        keyspace: KeyspaceId(0),
        slot: hash::slot_of(hash, BITS),
        stored_slot: hash::stored_slot(hash),
        key,
        version: Version::new(Epoch::FIRST, n),
        value: Some(vec![b'x'; 100]),
        op,
    }
}

fn copy(from: &SqliteStore, to: &SqliteStore, rows: u32) -> [Duration; 2] {
    let (chunks, mut after, mut times) = (Chunks::new(), Revision(0), [Duration::ZERO; 2]);
    for chunk in 0.. {
        let chunk = ChunkId(chunk);
        let changes = Command::Changes {
            shard: ShardId(1),
            fence: fence(2),
            after,
            limit: CHUNK_ROWS,
            chunk,
        };
        let apply = Command::Apply {
            shard: ShardId(2),
            term: TERM,
            fence: fence(1),
            chunk,
        };
        let began = Instant::now();
        let Answer::Changes { upto, end, .. } = from.command(&changes, &chunks) else {
            unreachable!()
        };
        times[0] += began.elapsed();
        let began = Instant::now();
        assert_eq!(to.command(&apply, &chunks), Answer::Done);
        times[1] += began.elapsed();
        after = upto;
        if end {
            break;
        }
    }
    let (shard, fence) = (ShardId(2), fence(1));
    let held = to.command(&Command::Count { shard, fence }, &chunks);
    assert_eq!(held, Answer::Rows(rows.into()));
    times
}

fn timed(store: &SqliteStore, command: &Command) -> (Answer, Duration) {
    let began = Instant::now();
    let answer = store.command(command, &Chunks::new());
    (answer, began.elapsed())
}

fn round(folder: &Path, rows: u32) {
    let open = |name| SqliteStore::open(folder.join(name)).unwrap();
    let (from, to, chunks) = (open("from.db"), open("to.db"), Chunks::new());
    install(&from, ShardId(1), 1, Role::Mirror);
    install(&to, ShardId(2), 1, Role::Mirror);
    for (chunk, first) in (0..rows).step_by(10_000).enumerate() {
        let chunk = ChunkId(u32::try_from(chunk).unwrap());
        let some = (first..rows.min(first + 10_000)).map(row).collect();
        chunks.put(chunk, DOMAIN, some);
        let (shard, fence) = (ShardId(1), fence(1));
        let apply = Command::Apply {
            shard,
            term: TERM,
            fence,
            chunk,
        };
        assert_eq!(from.command(&apply, &chunks), Answer::Done);
    }
    install(&from, ShardId(1), 2, Role::Authority);
    let [read, applied] = copy(&from, &to, rows);
    let digests = |shard, epoch| Command::Digests {
        shard: ShardId(shard),
        fence: fence(epoch),
    };
    let (theirs, digested) = timed(&from, &digests(1, 2));
    let (ours, again) = timed(&to, &digests(2, 1));
    assert!(theirs == ours && matches!(ours, Answer::Digests(_)));
    let keys = Command::Keys {
        shard: ShardId(2),
        fence: fence(1),
        keyspace: KeyspaceId(0),
        slots: (0..1 << 12).map(Slot).collect(),
    };
    let (_, listed) = timed(&to, &keys);
    install(&from, ShardId(1), 3, Role::None);
    let purge = Command::Purge {
        shard: ShardId(1),
        term: TERM,
        fence: fence(3),
        limit: rows + 1,
        release: true,
    };
    let (purged, removed) = timed(&from, &purge);
    assert_eq!(purged, Answer::Removed { rows, end: true });
    let digested = digested + again;
    println!(
        "read {read:.0?}  apply {applied:.0?}  digests {digested:.0?}  keys {listed:.0?}  \
         purge {removed:.0?}"
    );
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments
        .next()
        .map_or_else(std::env::temp_dir, Into::into)
        .join(format!("ringshift-copy-{}", std::process::id()));
    let rows = arguments
        .next()
        .map_or(100_000, |rows| rows.parse().unwrap());
    for _ in 0..3 {
        std::fs::create_dir_all(&folder).unwrap();
        round(&folder, rows);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
