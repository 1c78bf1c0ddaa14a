//! Running worlds: many at once, or one that is looked at.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::counts::Counts;
use crate::world::{Failure, World};

/// A run of at least so many worlds meets everything that is expected.
const ENOUGH: u64 = 500;

/// What came of a world, and what happened in it.
fn world(seed: u64) -> (Result<(), Failure>, Counts) {
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(seed, false);
        let judged = world.run();
        (judged, world.counts)
    }));
    ran.unwrap_or_else(|_| {
        let what = "it panicked, as is said above".to_owned();
        (Err(Failure { key: None, what }), Counts::default())
    })
}

/// A number that stands for everything that happened.
pub(crate) fn digest(seed: u64) -> u64 {
    let mut world = World::new(seed, false);
    let _judged = world.run();
    world.story.digest()
}

/// One world, with its story.
pub(crate) fn one(seed: u64) {
    let mut world = World::new(seed, true);
    let ran = catch_unwind(AssertUnwindSafe(|| world.run()));
    let judged = ran.unwrap_or_else(|_| {
        let what = "it panicked, as is said above".to_owned();
        Err(Failure { key: None, what })
    });
    let key = judged.as_ref().err().and_then(|failure| failure.key);
    println!("{}", world.story.read(key));
    println!("{}", world.counts);
    if let Err(failure) = judged {
        let key = failure
            .key
            .map(|key| world.draw.keys[key].escape_ascii().to_string());
        panic!("seed {seed}, key {key:?}: {}", failure.what);
    }
}

/// After so many failures the rest would say nothing new.
const FAILURES_MAX: usize = 12;

/// `many` worlds from the seed `from` on, over all cores.
pub(crate) fn worlds(from: u64, many: u64) {
    let next = AtomicU64::new(from);
    let total = Mutex::new((Counts::default(), BTreeMap::new()));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let mut mine = Counts::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed - from >= many || total.lock().unwrap().1.len() >= FAILURES_MAX {
                        break;
                    }
                    let (judged, counts) = world(seed);
                    mine.add("worlds");
                    mine.merge(&counts);
                    if let Err(failure) = judged {
                        total.lock().unwrap().1.insert(seed, failure);
                    }
                }
                total.lock().unwrap().0.merge(&mine);
            });
        }
    });
    let (counts, failures) = total.into_inner().unwrap();
    println!(
        "{} worlds from seed {from} on:\n{counts}",
        counts.get("worlds")
    );
    for (seed, failure) in &failures {
        println!("seed {seed} fails: {}", failure.what);
        println!("  replay it: cargo xtask sim --seed {seed}");
    }
    if let Some((seed, _)) = failures.first_key_value() {
        return one(*seed);
    }
    let missing = counts.missing();
    assert!(
        many < ENOUGH || missing.is_empty(),
        "never happened: {missing:?}"
    );
}
