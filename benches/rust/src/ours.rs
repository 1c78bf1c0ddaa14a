//! The core's lookups, and what no lookup by hash can beat.

use std::hint::black_box;
use std::sync::Arc;

use ringshift::{Keyspace, Phase, Router, ShardIndex};
use twox_hash::XxHash3_64;

use crate::lookup::Lookup;
use crate::workload::{Cluster, Failure, KEYSPACE, with_overrides, with_waves};

/// The hash alone.
pub(crate) const FLOOR: &str = "floor";
/// The hash, and one load from a table of 65,536 numbers of two bytes.
pub(crate) const LIMIT: &str = "limit";
/// Overrides of the candidate that has some.
pub(crate) const OVERRIDES: u32 = 10_000;
/// Keys of one call of `route_many`.
pub(crate) const BATCH: usize = 1_000;

/// Routers of one cluster in the states that are measured.
pub(crate) struct Routers {
    stable: Router,
    overrides: Router,
    moving: Router,
}

impl Routers {
    /// Of so many shards.
    pub(crate) fn of(shards: u32) -> Result<Self, Failure> {
        let snapshot = Cluster::of(shards, 16).snapshot()?;
        Ok(Self {
            overrides: Router::new(Arc::new(with_overrides(&snapshot, OVERRIDES)?)),
            moving: Router::new(Arc::new(with_waves(&snapshot, Phase::DoubleWrite)?)),
            stable: Router::new(Arc::new(snapshot)),
        })
    }

    /// The floor, the limit, and ours.
    pub(crate) fn lookups<'a, 'k: 'a>(&'a self) -> Result<Vec<Lookup<'a, 'k>>, Failure> {
        let stable = self.stable.keyspace(KEYSPACE)?;
        let overrides = self.overrides.keyspace(KEYSPACE)?;
        let moving = self.moving.keyspace(KEYSPACE)?;
        Ok(vec![
            Lookup::of(FLOOR, XxHash3_64::oneshot),
            limit(&stable)?,
            Lookup::of("route", move |key| shard(&stable, key)),
            Lookup::of("route-overrides", move |key| shard(&overrides, key)),
            Lookup::of("route-wave", move |key| shard(&moving, key)),
            Lookup::batches("route_many", move |keys| many(&stable, keys)),
            Lookup::of("plan", move |key| planned(&stable, key)),
            Lookup::of("plan-wave", move |key| planned(&moving, key)),
        ])
    }
}

/// Where `key` is, as a number.
#[inline]
pub(crate) fn shard(keyspace: &Keyspace<'_>, key: &[u8]) -> u64 {
    keyspace
        .route(key)
        .map_or(u64::MAX, |route| route.shard.0.into())
}

#[inline]
fn planned(keyspace: &Keyspace<'_>, key: &[u8]) -> u64 {
    keyspace
        .plan(key)
        .map_or(u64::MAX, |plan| u64::from(black_box(plan).authority.0))
}

/// `route_many` of all keys, [`BATCH`] at a time.
pub(crate) fn many(keyspace: &Keyspace<'_>, keys: &[&[u8]]) -> u64 {
    let mut out = [ShardIndex(0); BATCH];
    let mut sum = 0;
    for keys in keys.chunks(BATCH) {
        let routed = keyspace.route_many(keys.iter().copied(), &mut out);
        let routed = routed.unwrap_or_default();
        sum += out.iter().take(routed).map(|s| u64::from(s.0)).sum::<u64>();
    }
    sum
}

fn limit<'a, 'k: 'a>(keyspace: &Keyspace<'_>) -> Result<Lookup<'a, 'k>, Failure> {
    let owners = keyspace.owners();
    let owners: Box<[u16]> = owners.iter().map(|owner| owner.0).collect();
    let table: Box<[u16; 1 << 16]> = owners
        .try_into()
        .map_err(|_| "the limit is of 65,536 slots")?;
    Ok(Lookup::of(LIMIT, move |key| {
        let slot = usize::try_from(XxHash3_64::oneshot(key) >> 48).unwrap_or(0);
        table.get(slot).copied().unwrap_or(0).into()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookup::Mode;
    use crate::workload::Keys;

    #[test]
    fn all_of_ours_send_keys_to_the_same_shards_as_the_limit() -> Result<(), Failure> {
        let routers = Routers::of(8)?;
        let keys = Keys::users(2_500);
        let keys = keys.in_order();
        let lookups = routers.lookups()?;
        let sum = |name: &str| {
            let found = lookups.iter().find(|lookup| lookup.name == name);
            found.map(|lookup| lookup.pass(Mode::Stream, &keys))
        };
        let limit = sum(LIMIT);
        assert!(limit.is_some_and(|sum| sum > 0));
        for name in ["route", "route-overrides", "route-wave", "route_many"] {
            assert_eq!(sum(name), limit, "{name}");
        }
        // Plans name shards, which count from 1.
        assert_eq!(sum("plan"), limit.map(|sum| sum + 2_500));
        Ok(())
    }
}
