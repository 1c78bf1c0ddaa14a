//! The clients of a run, and their threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ringshift::{Policy, Snapshot};
use ringshift_operator::client::Client;
use ringshift_operator::topology::TopologyStore;

use crate::cluster::{Cluster, Failed};
use crate::history::{KeyId, Recorders};
use crate::workload::{Done, Shared, Stage, Worker};

/// The clients: most share one map, one learns of changes only by being refused, one learns of
/// them before the shards do.
pub(crate) struct Crew {
    shared: Client,
    stale: Client,
    ahead: Client,
    threads: u16,
    seed: u64,
}

impl Crew {
    pub(crate) fn new(cluster: &Cluster, map: &Arc<Snapshot>, threads: u16, seed: u64) -> Self {
        let client = || {
            let topology: Arc<dyn TopologyStore> = cluster.topology.clone();
            // Never the name of a killed run's client: a store that sees an operation's id again
            // takes it for a repeat, and changes nothing.
            let name = fastrand::u64(..);
            let stores = cluster.stores.clone();
            Client::new(map.clone(), stores, topology, Policy::default(), name)
        };
        Self {
            shared: client(),
            stale: client(),
            ahead: client(),
            threads,
            seed,
        }
    }

    /// The client of a thread: of eight threads, one is stale and one ahead.
    pub(crate) fn client(&self, thread: u16) -> &Client {
        match thread % 8 {
            6 => &self.stale,
            7 => &self.ahead,
            _ => &self.shared,
        }
    }

    fn all(&self) -> [&Client; 3] {
        [&self.shared, &self.stale, &self.ahead]
    }

    pub(crate) fn sum(&self, figure: impl Fn(&Client) -> u64) -> u64 {
        self.all().into_iter().map(figure).sum()
    }

    /// Runs `work` while all clients read and write.
    pub(crate) fn with_traffic<T>(
        &self,
        shared: &Shared,
        recorders: &Recorders,
        work: impl FnOnce() -> Result<T, Failed>,
    ) -> Result<(T, Vec<Done>), Failed> {
        let watching = AtomicBool::new(true);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads)
                .map(|thread| {
                    let recorder = recorders.client();
                    let seed = self
                        .seed
                        .wrapping_mul(0x9e37_79b9)
                        .wrapping_add(thread.into());
                    scope.spawn(move || -> Result<Done, Failed> {
                        let client = self.client(thread);
                        let mut worker = Worker::new(shared, client, recorder, seed)?;
                        worker.run()?;
                        Ok(worker.finish()?)
                    })
                })
                .collect();
            scope.spawn(|| watch_topology(self, &watching));
            scope.spawn(|| {
                while watching.load(Ordering::Relaxed) {
                    let compared = self.all().into_iter().filter(|client| client.compare_one());
                    if compared.count() == 0 {
                        thread::sleep(Duration::from_millis(2));
                    }
                }
            });
            let worked = work();
            shared.stage.set(Stage::OVER);
            watching.store(false, Ordering::Relaxed);
            let mut done = Vec::new();
            for thread in threads {
                done.push(thread.join().map_err(|_| "a client panicked")??);
            }
            Ok((worked?, done))
        })
    }

    /// Puts the first value of every key there, through the clients, as everything later.
    pub(crate) fn load(
        &self,
        shared: &Shared,
        recorders: &Recorders,
        count: u32,
    ) -> Result<Vec<Done>, Failed> {
        let threads = u32::from(self.threads);
        thread::scope(|scope| {
            let loaders: Vec<_> = (0..threads)
                .map(|thread| {
                    let recorder = recorders.client();
                    scope.spawn(move || -> Result<Done, Failed> {
                        let mut worker = Worker::new(shared, self.client(0), recorder, 0)?;
                        let keys = (0..count).filter(|key: &KeyId| key % threads == thread);
                        worker.load(keys)?;
                        Ok(worker.finish()?)
                    })
                })
                .collect();
            let mut done = Vec::new();
            for loader in loaders {
                done.push(loader.join().map_err(|_| "a loader panicked")??);
            }
            Ok(done)
        })
    }
}

/// Tells the client that is to be ahead of every change at once, and the shared one now and then.
fn watch_topology(crew: &Crew, watching: &AtomicBool) {
    let mut tick = 0_u32;
    while watching.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(1));
        tick += 1;
        if tick.is_multiple_of(50) {
            look_for_news(&crew.shared);
        }
        look_for_news(&crew.ahead);
    }
}

fn look_for_news(client: &Client) {
    let epoch = client.router().snapshot().epoch();
    if let Ok(Some(snapshot)) = client.topology().fetch(epoch) {
        // One that is refused leaves the one in force, which is all there is to do here.
        let _newer = client.install(snapshot);
    }
}
