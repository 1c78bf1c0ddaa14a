//! Which further shards stand behind a slot's own.

use alloc::vec::Vec;

use crate::ids::{ShardIndex, Slot};

/// The `n` shards of `slot`, its own first, then going clockwise over `table` the next distinct
/// ones, each in a zone not used yet while the table has such zones; the shards passed over come
/// when it has none left, again in clockwise order. (So does Cassandra's
/// `NetworkTopologyStrategy` with its racks.)
///
/// `zones` has one number per shard, by [`ShardIndex`]; an empty one says that there are no
/// zones. The answer is shorter than `n` when the table names fewer shards, and empty for a slot
/// that the table doesn't have.
///
/// ```
/// use ringshift::{ShardIndex, Slot, replicas};
/// let table = [0, 1, 2, 2].map(ShardIndex);
/// // Shards 0 and 1 stand in the same zone, so 2 is the better second.
/// assert_eq!(replicas(&table, Slot(0), 3, &[7, 7, 8]), [0, 2, 1].map(ShardIndex));
/// assert_eq!(replicas(&table, Slot(0), 3, &[]), [0, 1, 2].map(ShardIndex));
/// ```
#[must_use]
pub fn replicas(table: &[ShardIndex], slot: Slot, n: usize, zones: &[u16]) -> Vec<ShardIndex> {
    let Some((before, after)) = usize::try_from(slot.0)
        .ok()
        .and_then(|slot| table.split_at_checked(slot))
    else {
        return Vec::new();
    };
    if after.is_empty() {
        return Vec::new();
    }
    let zone_of = |shard: ShardIndex| zones.get(usize::from(shard.0)).copied().unwrap_or(0);
    // Zones whose shards have no slot are counted too. That costs a longer walk, nothing else.
    let zones_all = distinct(zones, n).max(1);

    let mut chosen: Vec<(ShardIndex, u16)> = Vec::new();
    let mut passed_over: Vec<ShardIndex> = Vec::new();
    for &shard in after.iter().chain(before) {
        if chosen.len() >= n || (chosen.len() >= zones_all && chosen.len() + passed_over.len() >= n)
        {
            break;
        }
        let zone = zone_of(shard);
        if chosen.iter().all(|&(_, used)| used != zone) {
            chosen.push((shard, zone));
        } else if passed_over.len() < n
            && !passed_over.contains(&shard)
            && chosen.iter().all(|&(other, _)| other != shard)
        {
            passed_over.push(shard);
        }
    }
    chosen
        .into_iter()
        .map(|(shard, _)| shard)
        .chain(passed_over)
        .take(n)
        .collect()
}

/// How many different zones there are, counted no further than `enough`.
fn distinct(zones: &[u16], enough: usize) -> usize {
    let mut seen = Vec::new();
    for zone in zones {
        if seen.len() >= enough {
            break;
        }
        if !seen.contains(zone) {
            seen.push(*zone);
        }
    }
    seen.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: [ShardIndex; 8] = [
        ShardIndex(0),
        ShardIndex(0),
        ShardIndex(1),
        ShardIndex(2),
        ShardIndex(3),
        ShardIndex(1),
        ShardIndex(4),
        ShardIndex(4),
    ];

    fn of(slot: u32, n: usize, zones: &[u16]) -> Vec<u16> {
        replicas(&TABLE, Slot(slot), n, zones)
            .into_iter()
            .map(|shard| shard.0)
            .collect()
    }

    #[test]
    fn without_zones_the_next_distinct_shards_follow() {
        assert_eq!(of(0, 3, &[]), [0, 1, 2]);
        assert_eq!(of(5, 9, &[]), [1, 4, 0, 2, 3]);
        assert_eq!(of(5, 1, &[]), [1]);
        assert_eq!(of(5, 0, &[]), [0; 0]);
        assert_eq!(of(8, 3, &[]), [0; 0]);
        assert_eq!(of(u32::MAX, 3, &[]), [0; 0]);
    }

    #[test]
    fn unused_zones_come_first_then_those_passed_over() {
        let zones = [1, 1, 2, 1, 3];
        assert_eq!(of(0, 3, &zones), [0, 2, 4]);
        assert_eq!(of(0, 5, &zones), [0, 2, 4, 1, 3]);
        assert_eq!(of(4, 4, &zones), [3, 4, 2, 1]);
    }

    #[test]
    fn a_zone_whose_shards_hold_nothing_is_not_waited_for() {
        let zones = [1, 1, 2, 1, 3, 9];
        assert_eq!(of(0, 4, &zones), [0, 2, 4, 1]);
    }
}
