//! What a client counts of its own operations on one keyspace.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::advise::loads::{HotKey, KeyspaceLoad, SlotLoad};
use crate::advise::sketch::{Distinct, TopKeys};
use crate::hash::xxh3;
use crate::ids::{SLOT_BITS_MAX, ShardId, Slot};
use crate::key::KeyError;
use crate::router::Keyspace;
use crate::time::Instant;

/// Keys that are kept as hot.
const HOT_KEYS: usize = 64;
/// Hashes that are kept to count keys by.
const HASHES: usize = 1_024;

/// Counts the operations on one keyspace, one in `rate` of them on average, and forgets half of
/// what it has counted every half-life.
///
/// - Getter: [`loads`](Self::loads).
/// - Input: [`record`](Self::record), [`record_key`](Self::record_key),
///   [`record_spread`](Self::record_spread).
///
/// ```
/// use ringshift::advise::Meter;
/// use ringshift::{Instant, Router, Topology};
/// # let text = r#"{"cluster":"demo","keyspaces":{"orders":{"bits":4}},"shards":[{"id":1,"name":"a"}]}"#;
/// # let router = Router::new(serde_json::from_str::<Topology>(text)?.snapshot()?.into());
/// let orders = router.keyspace("orders")?;
/// let mut meter = Meter::new("orders", 4, 1, 60_000, 7);
/// for n in 0..10 {
///     let key = if n < 8 { "celebrity" } else { "nobody" };
///     meter.record_key(Instant::from_millis(n), &orders, key.as_bytes())?;
/// }
/// let loads = meter.loads();
/// assert_eq!((loads.ops, loads.distinct), (10, 2));
/// assert_eq!((loads.hot[0].key.as_slice(), loads.hot[0].ops), (&b"celebrity"[..], 8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meter {
    keyspace: String,
    slots: Vec<u32>,
    shards: BTreeMap<ShardId, u64>,
    top: TopKeys,
    distinct: Distinct,
    spread: u64,
    rate: u32,
    /// Operations until the next one that is counted.
    left: u32,
    drawn: u64,
    seed: u64,
    half_life_ms: u64,
    halved: Instant,
}

impl Meter {
    /// A meter of the keyspace of that name, of `2^bits` slots.
    ///
    /// `rate` is how many operations one that is counted stands for (at least 1), `half_life_ms` the
    /// time after which counts are halved (0: never), and `seed` what draws the sample: random, so
    /// that two clients don't count in step.
    #[must_use]
    pub fn new(keyspace: &str, bits: u8, rate: u32, half_life_ms: u64, seed: u64) -> Self {
        let mut meter = Self {
            keyspace: keyspace.into(),
            slots: vec![0; 1 << bits.min(SLOT_BITS_MAX)],
            shards: BTreeMap::new(),
            top: TopKeys::new(HOT_KEYS),
            distinct: Distinct::new(HASHES, seed),
            spread: 0,
            rate: rate.clamp(1, 1 << 30),
            left: 0,
            drawn: 0,
            seed,
            half_life_ms,
            halved: Instant::ZERO,
        };
        meter.left = meter.draw();
        meter
    }

    /// An operation on a key whose routing part is `part`, in `slot`, on `shard`.
    #[inline]
    pub fn record(&mut self, now: Instant, shard: ShardId, slot: Slot, part: &[u8]) {
        if self.left > 1 {
            self.left -= 1;
            return;
        }
        self.left = self.draw();
        self.count(now, shard, slot, part);
    }

    /// An operation on `key`, wherever the router has it. What isn't counted costs a decrement: the
    /// key is only looked at when its turn has come.
    ///
    /// # Errors
    /// [`KeyError`], for a key that can't be routed and whose turn has come.
    #[inline]
    pub fn record_key(
        &mut self,
        now: Instant,
        keyspace: &Keyspace<'_>,
        key: &[u8],
    ) -> Result<(), KeyError> {
        if self.left > 1 {
            self.left -= 1;
            return Ok(());
        }
        let plan = keyspace.plan(key)?;
        self.record(now, plan.authority, plan.slot, keyspace.routing_part(key)?);
        Ok(())
    }

    /// An operation that had to ask more than one shard. Count its keys by
    /// [`record`](Self::record), too.
    pub fn record_spread(&mut self) {
        self.spread = self.spread.saturating_add(1);
    }

    /// What was counted.
    pub fn loads(&self) -> KeyspaceLoad {
        let slots = (0..).map(Slot).zip(&self.slots);
        let shards: Vec<(ShardId, u64)> = self.shards.iter().map(|(&s, &ops)| (s, ops)).collect();
        KeyspaceLoad {
            keyspace: self.keyspace.clone(),
            ops: shards.iter().map(|&(_, ops)| ops).sum(),
            spread_ops: self.spread,
            distinct: self.distinct.estimate(),
            shards,
            slots: slots
                .filter(|&(_, &ops)| ops > 0)
                .map(|(slot, &ops)| SlotLoad {
                    slot,
                    ops: ops.into(),
                    ..SlotLoad::default()
                })
                .collect(),
            hot: self
                .top
                .top()
                .into_iter()
                .map(|counted| HotKey {
                    key: counted.key,
                    ops: counted.count,
                    error: counted.error,
                })
                .collect(),
            ranges: Vec::new(),
        }
    }

    #[cold]
    fn count(&mut self, now: Instant, shard: ShardId, slot: Slot, part: &[u8]) {
        self.forget(now);
        let times = u64::from(self.rate);
        if let Some(ops) = self.slots.get_mut(slot.0 as usize) {
            *ops = ops.saturating_add(self.rate);
        }
        let ops = self.shards.entry(shard).or_default();
        *ops = ops.saturating_add(times);
        self.top.add(part, times);
        self.distinct.add(part);
    }

    /// Halves everything once for each half-life that has passed.
    fn forget(&mut self, now: Instant) {
        if self.half_life_ms == 0 {
            return;
        }
        let lives = now.since(self.halved) / self.half_life_ms;
        if lives == 0 {
            return;
        }
        self.halved = self.halved.after(lives * self.half_life_ms);
        // After 64 of them nothing is left of any count.
        for _ in 0..lives.min(64) {
            self.slots.iter_mut().for_each(|ops| *ops /= 2);
            self.shards.values_mut().for_each(|ops| *ops /= 2);
            self.top.halve();
            self.spread /= 2;
        }
        self.shards.retain(|_, ops| *ops > 0);
    }

    /// How many operations until the next one counts: 1 to `2 * rate - 1`, `rate` on average, so
    /// that no pattern of the application's keeps step with the sample.
    fn draw(&mut self) -> u32 {
        self.drawn += 1;
        let random = xxh3(&self.drawn.to_le_bytes(), self.seed);
        let span = u64::from(self.rate) * 2 - 1;
        u32::try_from(random % span + 1).unwrap_or(1)
    }
}
