//! Transactions through a whole migration: from double-write to its end, and back.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ringshift::migration::{Coordinator, Ending, Settings};
use ringshift::{Phase, ShardId};
use ringshift_operator::runner::{Event, Observer, Witness};
use ringshift_operator::topology::TopologyStore;

use crate::bank::{Bank, TOTAL, Tally};
use crate::cluster::Cluster;

const BANKS: usize = 16;

/// How long a step of a barrier lasts at least: transactions are to meet it.
const BARRIER: Duration = Duration::from_millis(20);

/// Holds the migration in each phase until transactions have been committed in it. A barrier is only
/// slowed down: behind closed guards a client waits out its deadline, and with it the test.
struct Slow<'s> {
    commits: &'s AtomicUsize,
    back: bool,
    phases: Vec<Phase>,
}

impl Witness for Slow<'_> {}

impl Observer for Slow<'_> {
    fn after(&mut self, event: &Event<'_>, coordinator: &Coordinator) {
        let wave = event.wave.and_then(|domain| {
            let snapshot = coordinator.snapshot()?;
            let mut keyspaces = snapshot.content().keyspaces.iter();
            Some(keyspaces.find_map(|keyspace| keyspace.wave(domain))?.phase)
        });
        if let Some(phase) = wave
            && self.phases.last() != Some(&phase)
        {
            if coordinator.goal().is_some() {
                std::thread::sleep(BARRIER);
                return;
            }
            self.phases.push(phase);
            let target = self.commits.load(Ordering::Relaxed) + 15;
            while self.commits.load(Ordering::Relaxed) < target {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn wants_back(&mut self, _: &Coordinator) -> Option<String> {
        let reversed = self.phases.contains(&Phase::Reversed);
        (self.back && reversed).then(|| "the test says so".to_owned())
    }
}

fn settings(strict: bool) -> Settings {
    Settings {
        strict,
        shadow_ppm: 500_000,
        shadow_ms: 5,
        verify: true,
        ramps_ppm: vec![300_000, 1_000_000],
        ramp_ms: 5,
        reversed_ms: 20,
        chunk_rows: 16,
        lag_rows_max: 16,
        checkpoint_chunks: 4,
        barrier_ms: 2_000,
        retry_ms: 1,
        ..Settings::default()
    }
}

fn through(cluster: &Cluster, strict: bool, back: bool) {
    let banks: Vec<Bank> = (0..BANKS).map(Bank::new).collect();
    let opener = cluster.client();
    for bank in &banks {
        bank.open(&opener.keyspace("k").unwrap());
    }
    let (stop, commits) = (AtomicBool::new(false), AtomicUsize::new(0));
    let work = |worker: usize| {
        let client = cluster.client();
        let k = client.keyspace("k").unwrap();
        let mut tallies = vec![Tally::default(); BANKS];
        for n in 0_u64.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let at = usize::try_from(n * 5 + worker as u64).unwrap() % BANKS;
            let done = banks[at].transfer(&k, n * 31 + worker as u64);
            if done.is_ok() {
                commits.fetch_add(1, Ordering::Relaxed);
            }
            tallies[at].add(&done);
            // At every moment of the migration, all the money is there.
            if let Ok(audit) = banks[(at + 1) % BANKS].audit(&k) {
                assert_eq!(audit.value.0, TOTAL);
            }
        }
        tallies
    };
    let (ending, phases, tallies) = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..3)
            .map(|worker| scope.spawn(move || work(worker)))
            .collect();
        let mut slow = Slow {
            commits: &commits,
            back,
            phases: Vec::new(),
        };
        let ending = cluster.grow(settings(strict), &mut slow);
        stop.store(true, Ordering::Relaxed);
        let tallies = workers.into_iter().map(|worker| worker.join().unwrap());
        (ending, slow.phases, tallies.collect::<Vec<_>>())
    });
    for phase in [
        Phase::DoubleWrite,
        Phase::ShadowRead,
        Phase::ReadNew,
        Phase::Reversed,
    ] {
        assert!(phases.contains(&phase), "{phases:?}");
    }
    match &ending {
        Ending::Complete => assert!(!back),
        Ending::RolledBack { .. } => assert!(back),
        other => panic!("{other:?}"),
    }
    let client = cluster.client();
    let k = client.keyspace("k").unwrap();
    let mut moved = 0;
    for (at, bank) in banks.iter().enumerate() {
        let (sum, count) = bank.audit(&k).unwrap().value;
        assert_eq!(sum, TOTAL);
        // Plain reads see the same.
        let keys = bank.keys();
        let plain = keys[..crate::bank::ACCOUNTS].iter().map(|key| {
            let found = k.get(key).unwrap().found.and_then(|found| found.value);
            found.map_or(0, |value| u64::from_le_bytes(value.try_into().unwrap()))
        });
        assert_eq!(plain.sum::<u64>(), TOTAL);
        // Each transaction that says it is committed is, once; no other one is, but for those that
        // say that they don't know.
        let all = tallies.iter().map(|of_worker| of_worker[at]);
        let (done, unknown) = all.fold((0, 0), |(done, unknown), tally| {
            (done + tally.done, unknown + tally.unknown)
        });
        assert!(
            (done..=done + unknown).contains(&count),
            "{done} {unknown} {count}"
        );
        let keyspace = cluster.topology.load().unwrap().snapshot;
        let router = ringshift::Router::new(keyspace);
        let pinned = router
            .keyspace("k")
            .unwrap()
            .transaction(&bank.keys())
            .unwrap();
        moved += usize::from(pinned.shard == ShardId(3));
    }
    assert_eq!(moved > 0, !back, "{moved} banks have moved");
}

#[test]
fn money_is_kept_through_a_migration_on_sqlite() {
    for strict in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        through(&Cluster::sqlite(folder.path()), strict, false);
    }
}

#[test]
fn money_is_kept_through_a_migration_that_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    through(&Cluster::sqlite(folder.path()), false, true);
}

#[test]
fn money_is_kept_through_a_migration_in_memory() {
    through(&Cluster::memory(), false, false);
    through(&Cluster::memory(), true, true);
}
