//! The classic ring of virtual nodes, sampled at the start of every slot.
//!
//! Consistent hashing (Karger and others, 1997) with many points a shard (Dynamo, 2007). A slot
//! belongs to whom the ring names at the slot's first token, so adding one of N + 1 equal shards
//! moves about 1/(N + 1) of the slots, all of them to it, and removing one moves only its own.
//! A lookup is then one table load, however large the ring.

mod error;

use alloc::{vec, vec::Vec};

use crate::hash::xxh3;
use crate::ids::{SHARDS_MAX, SLOT_BITS_MAX, SLOT_BITS_MIN, ShardId, ShardIndex};
use crate::weight::Weight;

pub use error::PlacementError;

/// How many points a shard of weight 1.0 has unless said otherwise.
pub const VNODES_DEFAULT: u32 = 160;
/// The most points of one ring, all shards together: 2^26.
pub const RING_POINTS_MAX: u64 = 1 << 26;
/// With fewer slots a shard than this, a ring that isn't balanced afterwards is so uneven that a
/// tool should say so.
pub const RING_SLOTS_PER_SHARD_WARN: usize = 64;

/// Bits of a shard's rank by id: the highest of them, all ones, is left for no shard at all.
const RANK_BITS: u32 = 16;
/// How many points are gathered before they are sorted into the table: 1 MiB of them.
const CHUNK_POINTS: usize = 1 << 16;
/// Up to here the table stays in a usual second-level cache.
const CACHED_BITS_MAX: u8 = 16;

/// A shard as the ring sees it. One that drains is given [`Weight::ZERO`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingShard<'a> {
    /// What is hashed: it never changes, and no two shards share it.
    pub name: &'a str,
    /// Decides between two points at the same place: the lower one wins.
    pub id: ShardId,
    /// What the table holds, below [`SHARDS_MAX`].
    pub index: ShardIndex,
    /// How many points it gets, as a multiple of the ring's number of vnodes.
    pub weight: Weight,
}

/// How many points a shard of `weight` has: in proportion to the weight, half up, but at least
/// one unless the weight is 0.
///
/// ```
/// use ringshift::{Weight, ring_points};
/// assert_eq!(ring_points(Weight::ONE, 160), 160);
/// assert_eq!(ring_points(Weight::from_thousandths(1)?, 160), 1);
/// assert_eq!(ring_points(Weight::ZERO, 160), 0);
/// # Ok::<(), ringshift::WeightError>(())
/// ```
#[must_use]
pub const fn ring_points(weight: Weight, vnodes: u32) -> u64 {
    let points = (weight.thousandths() as u64 * vnodes as u64 + 500) / 1000;
    if points == 0 && !weight.is_zero() {
        1
    } else {
        points
    }
}

/// The owner of each of the `2^bits` slots: the shard of the first point at or after the slot's
/// first token, going round.
///
/// Point i of a shard is `xxh3(name ++ 0x00 ++ i as little-endian u32, seed)`. The order of
/// `shards` doesn't matter. A shard may end without a slot when slots are few; whoever uses the
/// table as it is asks [`all_placed`](crate::all_placed), whoever balances it needn't.
///
/// Errors, all of them `topology`: [`PlacementError::Bits`] outside 4 to 20;
/// [`PlacementError::NoWeight`] when no shard has a point; [`PlacementError::TooManyShards`];
/// [`PlacementError::TooManyPoints`] above [`RING_POINTS_MAX`]; [`PlacementError::Duplicate`] for
/// a name, id or index given twice.
///
/// ```
/// use ringshift::{RingShard, ShardId, ShardIndex, Weight, ring_table};
/// let shard = |name, n| RingShard {
///     name,
///     id: ShardId(n),
///     index: ShardIndex(n as u16),
///     weight: Weight::ONE,
/// };
/// let table = ring_table(&[shard("a", 0), shard("b", 1)], 160, 0, 16)?;
/// assert_eq!(table.len(), 65_536);
/// assert!(ring_table(&[shard("a", 0), shard("a", 1)], 160, 0, 16).is_err());
/// # Ok::<(), ringshift::PlacementError>(())
/// ```
pub fn ring_table(
    shards: &[RingShard<'_>],
    vnodes: u32,
    seed: u64,
    bits: u8,
) -> Result<Vec<ShardIndex>, PlacementError> {
    if !(SLOT_BITS_MIN..=SLOT_BITS_MAX).contains(&bits) {
        return Err(PlacementError::Bits { bits });
    }
    let shards = by_id(shards, vnodes)?;

    let mut least = vec![u128::MAX; 1 << bits];
    let mut chunk = Vec::new();
    let mut bytes = Vec::new();
    for (rank, shard) in shards.iter().enumerate() {
        bytes.clear();
        bytes.extend_from_slice(shard.name.as_bytes());
        bytes.push(0);
        let length = bytes.len();
        // Below RING_POINTS_MAX, so the count fits.
        for i in 0..u32::try_from(ring_points(shard.weight, vnodes)).unwrap_or(u32::MAX) {
            bytes.truncate(length);
            bytes.extend_from_slice(&i.to_le_bytes());
            chunk.push((u128::from(xxh3(&bytes, seed)) << RANK_BITS) | rank as u128);
            if chunk.len() == CHUNK_POINTS {
                offer(&mut chunk, &mut least, bits);
            }
        }
    }
    offer(&mut chunk, &mut least, bits);

    // A stretch without a point takes the next one's owner; after the last comes the first.
    let rank_mask = (1 << RANK_BITS) - 1;
    let owner = |least: u128| {
        let rank = usize::try_from(least & rank_mask).ok()?;
        shards.get(rank).map(|shard| shard.index)
    };
    let mut next = least
        .iter()
        .find_map(|&least| owner(least))
        .unwrap_or_default();
    let mut table = vec![next; 1 << bits];
    for (place, &least) in table.iter_mut().zip(&least).rev() {
        next = owner(least).unwrap_or(next);
        *place = next;
    }
    Ok(table)
}

/// Leaves in `least` the least point of each slot's stretch, and empties `chunk`.
///
/// Only the first point of a stretch can be the first one at or after some slot's start, so the
/// ring as a whole is never sorted. A point and its shard's rank by id are one number, so that
/// the lower id wins between equal points.
fn offer(chunk: &mut Vec<u128>, least: &mut [u128], bits: u8) {
    if bits > CACHED_BITS_MAX {
        // Random access to a table this large costs more than sorting the points first.
        chunk.sort_unstable();
    }
    for point in chunk.drain(..) {
        let stretch = usize::try_from(point >> (64 + RANK_BITS - u32::from(bits)));
        if let Some(least) = stretch.ok().and_then(|stretch| least.get_mut(stretch)) {
            *least = point.min(*least);
        }
    }
}

/// The shards sorted by id, once every rule about them has been checked.
fn by_id<'s, 'n>(
    shards: &'s [RingShard<'n>],
    vnodes: u32,
) -> Result<Vec<&'s RingShard<'n>>, PlacementError> {
    if shards.len() > SHARDS_MAX {
        return Err(PlacementError::TooManyShards {
            shards: shards.len(),
        });
    }
    let points: u64 = shards
        .iter()
        .map(|shard| ring_points(shard.weight, vnodes))
        .sum();
    if points == 0 {
        return Err(PlacementError::NoWeight);
    }
    if points > RING_POINTS_MAX {
        return Err(PlacementError::TooManyPoints { points });
    }
    let mut sorted: Vec<&RingShard<'_>> = shards.iter().collect();
    sorted.sort_unstable_by_key(|shard| shard.index);
    let mut twice = equal_neighbour(&sorted, |a, b| {
        a.index == b.index || usize::from(b.index.0) >= SHARDS_MAX
    });
    sorted.sort_unstable_by_key(|shard| shard.name);
    twice = twice.or_else(|| equal_neighbour(&sorted, |a, b| a.name == b.name));
    sorted.sort_unstable_by_key(|shard| shard.id);
    twice = twice.or_else(|| equal_neighbour(&sorted, |a, b| a.id == b.id));
    twice.map_or(Ok(sorted), |shard| Err(PlacementError::Duplicate { shard }))
}

/// The later one of two neighbours that are `same`.
fn equal_neighbour(
    sorted: &[&RingShard<'_>],
    same: impl Fn(&RingShard<'_>, &RingShard<'_>) -> bool,
) -> Option<ShardId> {
    sorted
        .iter()
        .zip(sorted.iter().skip(1))
        .find(|(a, b)| same(a, b))
        .map(|(_, b)| b.id)
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails should say where"
)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    fn shard(name: &str, n: u16) -> RingShard<'_> {
        RingShard {
            name,
            id: ShardId(n.into()),
            index: ShardIndex(n),
            weight: Weight::ONE,
        }
    }

    /// The definition, word for word: all points sorted, a search for each slot.
    fn by_definition(shards: &[RingShard<'_>], seed: u64, bits: u8) -> Vec<ShardIndex> {
        let mut points = Vec::new();
        for shard in shards {
            for i in 0..ring_points(shard.weight, 7) {
                let bytes = [
                    shard.name.as_bytes(),
                    &[0],
                    &u32::try_from(i).unwrap().to_le_bytes(),
                ];
                points.push((xxh3(&bytes.concat(), seed), shard.id, shard.index));
            }
        }
        points.sort_unstable();
        (0..1_u64 << bits)
            .map(|slot| {
                let at = points.partition_point(|&(point, ..)| point < slot << (64 - bits));
                points[at % points.len()].2
            })
            .collect()
    }

    #[test]
    fn the_fast_way_gives_what_the_definition_says() {
        let mut shards = [shard("a", 3), shard("b", 1), shard("", 2), shard("d\0e", 0)];
        shards[1].weight = Weight::from_thousandths(2500).unwrap();
        shards[2].weight = Weight::from_thousandths(1).unwrap();
        for seed in [0, 1, u64::MAX] {
            for bits in [4, 5, 10] {
                let table = ring_table(&shards, 7, seed, bits).unwrap();
                assert_eq!(table, by_definition(&shards, seed, bits));
            }
        }
    }

    #[test]
    fn a_draining_shard_has_no_point_and_the_last_one_has_all() {
        let mut shards = [shard("a", 0), shard("b", 1)];
        shards[0].weight = Weight::ZERO;
        assert_eq!(ring_table(&shards, 160, 0, 4).unwrap(), [ShardIndex(1); 16]);
        // Without vnodes a shard still has one point.
        assert_eq!(ring_table(&shards, 0, 0, 4).unwrap(), [ShardIndex(1); 16]);
    }

    #[test]
    fn what_breaks_a_rule_is_refused() {
        let topology = |shards: &[RingShard<'_>], vnodes, bits| {
            let error = ring_table(shards, vnodes, 0, bits).unwrap_err();
            assert_eq!(error.code(), ErrorCode::Topology);
            error
        };
        let (a, b) = (shard("a", 0), shard("b", 1));
        assert_eq!(topology(&[a], 1, 3), PlacementError::Bits { bits: 3 });
        assert_eq!(topology(&[a], 1, 21), PlacementError::Bits { bits: 21 });
        assert_eq!(topology(&[], 1, 4), PlacementError::NoWeight);
        let drained = RingShard {
            weight: Weight::ZERO,
            ..a
        };
        assert_eq!(topology(&[drained], 1, 4), PlacementError::NoWeight);
        let heavy = RingShard {
            weight: Weight::MAX,
            ..a
        };
        assert_eq!(
            topology(&[heavy], 160, 4),
            PlacementError::TooManyPoints {
                points: 160_000_000
            }
        );
        let twice = PlacementError::Duplicate { shard: ShardId(1) };
        assert_eq!(topology(&[a, RingShard { name: "a", ..b }], 1, 4), twice);
        assert_eq!(
            topology(
                &[
                    a,
                    RingShard {
                        index: a.index,
                        ..b
                    }
                ],
                1,
                4
            ),
            twice
        );
        assert_eq!(
            topology(
                &[
                    a,
                    RingShard {
                        index: ShardIndex(u16::MAX),
                        ..b
                    }
                ],
                1,
                4
            ),
            twice
        );
        let twice = PlacementError::Duplicate { shard: ShardId(0) };
        assert_eq!(topology(&[a, RingShard { id: a.id, ..b }], 1, 4), twice);
        let crowd = vec![a; SHARDS_MAX + 1];
        let error = PlacementError::TooManyShards {
            shards: SHARDS_MAX + 1,
        };
        assert_eq!(topology(&crowd, 1, 4), error);
    }
}
