//! Writers and readers of all keys, which know what was acknowledged to them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant as Clock};

use ringshift::Outcome;
use ringshift_operator::client::Client;

use crate::cluster::{KEYS, key, try_write};

/// What one key's only writer has sent and was told, in rising values.
#[derive(Clone, Copy, Default)]
pub(crate) struct Told {
    pub(crate) n: u32,
    sent: u32,
    acknowledged: u32,
}

impl Told {
    /// A value that was read must be the last that was acknowledged, or one sent after it.
    pub(crate) fn check(&self, client: &Client) -> bool {
        let Self { n, sent, .. } = self;
        let ended = client.keyspace("k").unwrap().get(&key(*n)).unwrap();
        match ended.outcome {
            Outcome::Value { .. } => {
                let value = ended.found.unwrap().value.unwrap();
                let value: u32 = String::from_utf8(value).unwrap().parse().unwrap();
                let may = self.acknowledged..=*sent;
                assert!(may.contains(&value), "key {n}: {value} isn't in {may:?}");
                true
            }
            Outcome::Missing => {
                assert_eq!(self.acknowledged, 0, "key {n} is lost");
                true
            }
            _ => false,
        }
    }
}

/// What the test tells the load, and hears of it.
#[derive(Default)]
pub(crate) struct Signals {
    pub(crate) killed: AtomicBool,
    pub(crate) stop: AtomicBool,
    /// When each key was first written and read again after the kill.
    resumed: Mutex<BTreeMap<u32, Clock>>,
}

impl Signals {
    /// When the last key was back; `None` before all are.
    pub(crate) fn all_resumed(&self) -> Option<Clock> {
        let resumed = self.resumed.lock().unwrap();
        (resumed.len() == KEYS as usize).then(|| *resumed.values().max().unwrap())
    }
}

/// Writes and reads these keys until it is told to stop. A key that fails is tried again at once,
/// so one that is stuck is seen to be back as soon as it is.
pub(crate) fn load(client: &Client, keys: Vec<u32>, signals: &Signals) -> Vec<Told> {
    let told = keys.into_iter().map(|n| Told {
        n,
        ..Told::default()
    });
    let mut told: Vec<Told> = told.collect();
    while !signals.stop.load(Ordering::SeqCst) {
        for key in &mut told {
            let mut through = false;
            while !through && !signals.stop.load(Ordering::SeqCst) {
                let after = signals.killed.load(Ordering::SeqCst);
                key.sent += 1;
                let written = try_write(client, key.n, key.sent);
                if written {
                    key.acknowledged = key.sent;
                }
                through = key.check(client) && written;
                if through && after {
                    let mut resumed = signals.resumed.lock().unwrap();
                    resumed.entry(key.n).or_insert_with(Clock::now);
                }
            }
        }
        thread::sleep(Duration::from_millis(5));
    }
    told
}
