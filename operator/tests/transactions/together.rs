//! All of it, or nothing.

use ringshift::{ErrorCode, PinError, Router, ShardId, TransactionError};
use ringshift_operator::client::{ClientKeyspace, Ended, TransactFailure};
use ringshift_operator::store::Change;
use ringshift_operator::topology::TopologyStore;

use crate::bank::{Bank, Outcome, TOTAL, Tally};
use crate::cluster::Cluster;

const A: &[u8] = b"{user:42}/profile";
const B: &[u8] = b"{user:42}/cart";

fn value(ended: Ended) -> Option<Vec<u8>> {
    ended.found.and_then(|found| found.value)
}

fn on_every_store(test: impl Fn(&Cluster)) {
    test(&Cluster::memory());
    let folder = tempfile::tempdir().unwrap();
    test(&Cluster::sqlite(folder.path()));
}

#[test]
fn several_keys_are_changed_together() {
    on_every_store(|cluster| {
        let client = cluster.client();
        let k = client.keyspace("k").unwrap();
        let done: Outcome<()> = k.transaction(&[A, B], |tx| {
            assert_eq!(tx.get(A)?, None);
            tx.put(A, "a1")?;
            assert_eq!(tx.get(A)?, Some(&b"a1"[..]), "its own change is seen");
            tx.put(B, "b1")
        });
        let done = done.unwrap();
        assert!(done.versions.iter().all(Option::is_some));
        assert_eq!((done.runs, done.lagging), (1, false));
        assert_eq!(value(k.get(A).unwrap()), Some(b"a1".into()));
        let read: Outcome<_> = k.transaction(&[A, B], |tx| {
            let version = tx.version(A)?;
            tx.delete(B)?;
            Ok((version, tx.get(B)?.is_none()))
        });
        let read = read.unwrap();
        assert_eq!(read.value, (done.versions[0], true));
        assert_eq!(value(k.get(B).unwrap()), None);
    });
}

#[test]
fn work_that_says_no_changes_nothing() {
    on_every_store(|cluster| {
        let client = cluster.client();
        let k = client.keyspace("k").unwrap();
        let refused: Outcome<()> = k.transaction(&[A, B], |tx| {
            tx.put(A, "a1")?;
            tx.put(b"another", "x")
        });
        assert_eq!(refused, Err(TransactFailure::Work(PinError::NotNamed)));
        assert_eq!(value(k.get(A).unwrap()), None);
    });
}

#[test]
fn keys_of_several_shards_are_refused_with_the_list() {
    on_every_store(|cluster| {
        let client = cluster.client();
        let k = client.keyspace("k").unwrap();
        let router = Router::new(cluster.topology.load().unwrap().snapshot);
        let keyspace = router.keyspace("k").unwrap();
        let names: Vec<String> = (0..6).map(|n| format!("key{n}")).collect();
        let keys: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
        let failed: Outcome<()> = k.transaction(&keys, |_| panic!("work on two shards"));
        let Err(TransactFailure::Failed(TransactionError::Pin(error))) = failed else {
            panic!("not refused");
        };
        assert_eq!(error.code(), ErrorCode::CrossShard);
        let PinError::CrossShard { shards } = error else {
            panic!("without a list");
        };
        assert_eq!(shards.len(), 2);
        for (place, key) in keys.iter().enumerate() {
            let index = keyspace.route(key).unwrap().shard;
            let shard = router.snapshot().shard_id(index).unwrap();
            let listed = shards.iter().find(|(_, places)| places.contains(&place));
            assert_eq!(listed.map(|(shard, _)| *shard), Some(shard));
        }
        assert!(
            shards
                .iter()
                .all(|(shard, _)| [1, 2].map(ShardId).contains(shard))
        );
    });
}

/// What was looked at and has changed since: the commit is refused, and the work is done again.
#[test]
fn a_change_in_between_is_seen_by_the_next_run() {
    fn put(k: &ClientKeyspace<'_>, value: &[u8]) {
        k.write(A, Change::Put(value)).unwrap();
    }
    on_every_store(|cluster| {
        let client = cluster.client();
        let k = client.keyspace("k").unwrap();
        put(&k, b"1");
        let mut seen = Vec::new();
        let done: Outcome<()> = k.transaction(&[A, B], |tx| {
            let value = tx.get(A)?.unwrap().to_vec();
            if seen.is_empty() {
                put(&k, b"2");
            }
            seen.push(value.clone());
            tx.put(B, value)
        });
        assert_eq!(done.unwrap().runs, 2);
        assert_eq!(seen, [b"1", b"2"]);
        assert_eq!(value(k.get(B).unwrap()), Some(b"2".into()));
        // What it hasn't looked at doesn't matter.
        let done: Outcome<()> = k.transaction(&[A, B], |tx| {
            put(&k, b"3");
            tx.put(B, "b")
        });
        assert_eq!(done.unwrap().runs, 1);
    });
}

/// Many clients, one bank: what would be lost if a commit didn't check what it has read.
#[test]
fn transfers_at_the_same_time_lose_no_money() {
    on_every_store(|cluster| {
        let bank = Bank::new(1);
        bank.open(&cluster.client().keyspace("k").unwrap());
        let tallies = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4_u64)
                .map(|worker| {
                    let (bank, client) = (&bank, cluster.client());
                    scope.spawn(move || {
                        let k = client.keyspace("k").unwrap();
                        let mut tally = Tally::default();
                        for n in 0..50 {
                            tally.add(&bank.transfer(&k, worker * 1_000 + n * 13));
                            assert_eq!(bank.audit(&k).unwrap().value.0, TOTAL);
                        }
                        tally
                    })
                })
                .collect();
            let tallies = workers.into_iter().map(|worker| worker.join().unwrap());
            tallies.collect::<Vec<_>>()
        });
        let done = tallies.iter().map(|tally| tally.done).sum::<u64>();
        assert_eq!(tallies.iter().map(|tally| tally.unknown).sum::<u64>(), 0);
        let client = cluster.client();
        let audit = bank.audit(&client.keyspace("k").unwrap()).unwrap();
        assert_eq!(audit.value, (TOTAL, done));
        assert!(done > 100, "{tallies:?}");
    });
}
