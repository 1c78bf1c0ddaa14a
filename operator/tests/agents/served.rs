//! The server of a shard is killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant as Clock};

use ringshift::migration::{Agent, Ending};
use ringshift::{Phase, Shard, ShardId};
use ringshift_operator::agent::{self, Post};
use ringshift_operator::client::Stores;
use ringshift_operator::runner::{Runner, Witness};
use ringshift_operator::store::Store;
use ringshift_operator::topology::TopologyStore;

use crate::cluster::{Cluster, KEYS, LEASE_MS, settings};
use crate::load::{Signals, load};
use crate::remote::{Remote, Server};

const WRITERS: u32 = 4;

struct Quiet;

impl Witness for Quiet {}

impl Post for Quiet {
    fn open(&mut self, _shard: &Shard) -> Option<Arc<dyn Store>> {
        None
    }
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Clock::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "never {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// kill -9 of the process that serves `to`, while it answers reads under a lease: reads and writes
/// resume within lease + 2 s with nobody's help. It is started again, and the migration ends as it
/// was meant to. Nothing that was acknowledged on the way is lost.
#[test]
fn a_killed_to_is_stepped_back_from_and_the_migration_ends_when_it_is_back() {
    let cluster = Cluster::new();
    let file = cluster.path("c.db");
    let remote = Remote::default();
    let server = Server::start(&file, &remote);
    let stores = || {
        let mut stores: Stores = cluster.stores_of(&[(1, "a.db"), (2, "b.db")]);
        stores.insert(ShardId(3), Arc::new(remote.clone()));
        stores
    };
    let runner = Runner::new(cluster.topology.clone(), stores());
    let (never, signals) = (AtomicBool::new(false), Signals::default());
    cluster.topology.request(cluster.wish()).unwrap();
    let in_phase = |wanted: Phase| {
        let record = cluster.topology.load().unwrap();
        let keyspaces = record.snapshot.content().keyspaces.iter();
        let mut waves = keyspaces.flat_map(|keyspace| &keyspace.waves);
        waves.any(|wave| wave.phase == wanted && (wanted != Phase::ReadNew || wave.is_leased()))
    };
    let told = thread::scope(|scope| {
        let led = scope.spawn(|| {
            let settings = Arc::new(settings(3_000));
            let mut agent = Agent::new(agent::draw_nonce().unwrap(), settings, runner.now());
            agent::run(&runner, &mut agent, &mut Quiet, &never, true)
        });
        let writers: Vec<_> = (0..WRITERS)
            .map(|first| {
                let client = cluster.client(stores());
                let keys = (first..KEYS).step_by(WRITERS as usize).collect();
                let signals = &signals;
                scope.spawn(move || load(&client, keys, signals))
            })
            .collect();
        wait_until("in read-new", || in_phase(Phase::ReadNew));
        let before = remote.reads();
        wait_until("read under a lease", || remote.reads() > before + 50);
        server.kill();
        let killed = Clock::now();
        signals.killed.store(true, Ordering::SeqCst);
        assert!(in_phase(Phase::ReadNew), "killed too late");
        wait_until("resumed", || signals.all_resumed().is_some());
        let took = signals.all_resumed().unwrap() - killed;
        println!(
            "kill -9 of `to` in read-new: all keys were written and read again after {took:?}"
        );
        let limit = Duration::from_millis(u64::from(LEASE_MS) + 2_000);
        assert!(took < limit, "{took:?}");
        assert!(in_phase(Phase::DoubleWrite), "it was stepped back from");
        let server = Server::start(&file, &remote);
        let ending = led.join().unwrap();
        signals.stop.store(true, Ordering::SeqCst);
        let told: Vec<_> = writers.into_iter().map(|w| w.join().unwrap()).collect();
        assert_eq!(ending, Some(Ending::Complete));
        drop(server);
        told.concat()
    });
    // By its file, and by a client that knows only the end.
    let client = cluster.client(cluster.stores());
    assert_eq!(told.len(), KEYS as usize);
    for key in told {
        assert!(key.check(&client), "key {}", key.n);
    }
    let record = cluster.topology.load().unwrap();
    assert_eq!(record.snapshot.content().shards.len(), 3);
}
