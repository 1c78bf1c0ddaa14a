//! How fast the SQLite store is here: `cargo run --release -p ringshift-operator --example store_load`.
//!
//! Prints operations a second for one and four threads, on one file and on four, then how long a
//! coordinator's barrier steps take while four clients write in a loop.
#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a measuring tool stops at the first surprise"
)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ringshift::migration::command::{Answer, ChunkId, Command};
use ringshift::{
    Attempt, AttemptId, AttemptKind, Claim, DomainId, Epoch, Fence, GuardRow, InstallRow,
    KeyspaceId, Reply, Revision, Role, ShardId, SlotRange, Term, hash,
};
use ringshift_operator::store::{Change, Chunks, Content, SqliteStore, Store};

const BITS: u8 = 16;
const DOMAIN: DomainId = DomainId(1);
const SHARD: ShardId = ShardId(1);
const KEYS: u64 = 20_000;
const ROUND: Duration = Duration::from_secs(2);

fn fence(epoch: u32) -> Fence {
    Fence {
        domain: DOMAIN,
        epoch: Epoch::new(epoch).unwrap(),
    }
}

fn install(store: &SqliteStore, epoch: u32, role: Role, claims: Vec<Claim>) -> Answer {
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
    let rows = vec![InstallRow { row, claims }];
    let (shard, term) = (SHARD, Term(1));
    store.command(&Command::Install { shard, term, rows }, &Chunks::new())
}

fn attempt(key: &[u8], kind: AttemptKind, epoch: u32) -> Attempt {
    let hash = hash::xxh3(key, 0);
    Attempt {
        id: AttemptId(0),
        shard: SHARD,
        keyspace: KeyspaceId(0),
        slot: hash::slot_of(hash, BITS),
        stored_slot: hash::stored_slot(hash),
        fence: fence(epoch),
        kind,
        blocking: true,
        unfenced: None,
    }
}

fn next(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *state >> 20
}

fn put(store: &SqliteStore, random: &mut u64, epoch: u32, value: &[u8]) -> Reply {
    let key = format!("user:{:08}", next(random) % KEYS);
    let mut op = [0; 16];
    op[..8].copy_from_slice(&next(random).to_le_bytes());
    op[8..].copy_from_slice(&next(random).to_le_bytes());
    let change = Change::Put(value);
    let attempt = attempt(key.as_bytes(), AttemptKind::Write, epoch);
    store
        .attempt(&attempt, key.as_bytes(), Content::Own { change, op })
        .reply
}

fn get(store: &SqliteStore, random: &mut u64, epoch: u32) {
    let key = format!("user:{:08}", next(random) % KEYS);
    let attempt = attempt(key.as_bytes(), AttemptKind::Read, epoch);
    store.attempt(&attempt, key.as_bytes(), Content::None);
}

fn quantile(sorted: &[Duration], part: f64) -> Duration {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    let at = ((sorted.len() - 1) as f64 * part) as usize;
    sorted[at]
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let (p50, p99) = (quantile(&times, 0.5), quantile(&times, 0.99));
    format!(
        "p50 {p50:9.1?}  p99 {p99:9.1?}  max {:9.1?}",
        quantile(&times, 1.0)
    )
}

fn load(stores: &[SqliteStore], threads: usize, reads_percent: u64, value: &[u8]) -> String {
    let stop = AtomicBool::new(false);
    let done = AtomicU64::new(0);
    let times = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|n| {
                let (stop, done) = (&stop, &done);
                scope.spawn(move || {
                    let mut random = n as u64 + 1;
                    let mut times = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let which = usize::try_from(next(&mut random)).unwrap() % stores.len();
                        let began = Instant::now();
                        if next(&mut random) % 100 < reads_percent {
                            get(&stores[which], &mut random, 1);
                        } else {
                            put(&stores[which], &mut random, 1, value);
                        }
                        times.push(began.elapsed());
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    times
                })
            })
            .collect();
        thread::sleep(ROUND);
        stop.store(true, Ordering::Relaxed);
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect::<Vec<_>>()
    });
    let rate = done.into_inner() as f64 / ROUND.as_secs_f64();
    format!("{rate:9.0} /s  {}", spread(times))
}

fn barriers(store: &SqliteStore, writers: usize, value: &[u8]) {
    let (stop, epoch) = (AtomicBool::new(false), AtomicU64::new(1));
    let chunks = Chunks::new();
    let mut times: [Vec<Duration>; 4] = Default::default();
    let gaps = thread::scope(|scope| {
        let workers: Vec<_> = (0..writers)
            .map(|n| {
                let (stop, epoch) = (&stop, &epoch);
                scope.spawn(move || {
                    let (mut random, mut gaps, mut last) =
                        (n as u64 + 99, Vec::new(), Instant::now());
                    while !stop.load(Ordering::Relaxed) {
                        let at = u32::try_from(epoch.load(Ordering::Relaxed)).unwrap();
                        if matches!(put(store, &mut random, at, value), Reply::Written { .. }) {
                            gaps.push(last.elapsed());
                            last = Instant::now();
                        } else {
                            thread::sleep(Duration::from_micros(200));
                        }
                    }
                    gaps
                })
            })
            .collect();
        for at in 1..=200_u32 {
            thread::sleep(Duration::from_millis(5));
            let (shard, term, fence) = (SHARD, Term(1), fence(at));
            let began = Instant::now();
            store.command(&Command::Close { shard, term, fence }, &chunks);
            times[0].push(began.elapsed());
            let read = Instant::now();
            let after = match store.command(&Command::Revision { shard, fence }, &chunks) {
                Answer::Revision(Revision(at)) => Revision(at.saturating_sub(50)),
                other => unreachable!("{other:?}"),
            };
            let (limit, chunk) = (200, ChunkId(at));
            store.command(
                &Command::Changes {
                    shard,
                    fence,
                    after,
                    limit,
                    chunk,
                },
                &chunks,
            );
            times[1].push(read.elapsed());
            let install_began = Instant::now();
            install(store, at + 1, Role::Authority, Vec::new());
            times[2].push(install_began.elapsed());
            epoch.store(u64::from(at) + 1, Ordering::Relaxed);
            times[3].push(began.elapsed());
        }
        stop.store(true, Ordering::Relaxed);
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect::<Vec<_>>()
    });
    let names = ["close", "read the tail", "install", "all three"];
    for (name, times) in names.into_iter().zip(times) {
        println!("  {name:14} {}", spread(times));
    }
    println!("  {:14} {}", "a client's gap", spread(gaps));
}

fn main() {
    let folder = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, Into::into);
    let folder = folder.join(format!("ringshift-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let all = Claim::Slots(vec![SlotRange {
        start: 0,
        end: 1 << BITS,
    }]);
    let open = |name: String| {
        let store = SqliteStore::open(folder.join(name)).unwrap();
        let began = Instant::now();
        install(&store, 1, Role::Authority, vec![all.clone()]);
        println!("install with 65,536 slots: {:.1?}", began.elapsed());
        store
    };
    let stores: Vec<_> = (0..4).map(|n| open(format!("{n}.db"))).collect();
    for bytes in [100, 1_000] {
        let value = vec![b'x'; bytes];
        println!("values of {bytes} bytes");
        for (files, set) in [("one file", &stores[..1]), ("four files", &stores[..])] {
            for threads in [1, 4] {
                for (what, reads) in [("put", 0), ("mixed", 50), ("get", 100)] {
                    let result = load(set, threads, reads, &value);
                    println!("  {files:10} {threads} threads  {what:5} {result}");
                }
            }
        }
    }
    for writers in [4, 64] {
        println!("a barrier's steps under {writers} closed-loop writers, one file");
        // A fresh epoch each round: begin where the last one ended.
        let store = open(format!("barrier-{writers}.db"));
        barriers(&store, writers, &[b'x'; 100]);
    }
    drop(stores);
    std::fs::remove_dir_all(&folder).unwrap();
}
