//! From a table and new weights to the exactly balanced table that moves the least.
//!
//! A ring alone leaves its fullest shard about a fifth above the mean; here each shard ends with
//! its exact share, rounded down or up.

use alloc::{vec, vec::Vec};

use crate::ids::{SHARDS_MAX, SLOT_BITS_MAX, SLOT_BITS_MIN, ShardIndex};
use crate::ring::{PlacementError, RingShard, ring_table};
use crate::weight::Weight;

/// 1 as a fraction of 32 bits.
const ONE: u64 = 1 << 32;
/// The golden ratio's fraction in that unit: its multiples fall evenly, however many there are
/// (Weyl).
const GOLDEN: u64 = 0x9e37_79b9;

/// The balanced table that can be reached from `present` by moving the fewest slots.
///
/// `weights` is indexed by [`ShardIndex`]. A shard of weight 0, and one in `present` that
/// `weights` doesn't reach, loses all its slots. Of S slots, a shard with the part m/M of all
/// weight ends with `floor` or `ceil` of S * m/M.
///
/// Who gets the `ceil`: shards whose `floor` is 0, as none of positive weight may be left empty;
/// then those that hold more than their `floor` now; within each kind the lower index. What
/// moves: a donor gives its lowest slots. Who gets what: slot k of the n that donor d gives stands
/// at (k + frac(d * golden ratio))/n of a line, equal places by slot number, donors counted from 0
/// by index; the line is cut into blocks for the receivers in the order of their indexes. So each
/// receiver gets its slots from all donors, in proportion to what they give.
///
/// Errors: [`PlacementError::TableLength`] unless `present` has 2^4 to 2^20 slots, a power of
/// two; [`PlacementError::TooManyShards`]; [`PlacementError::NoWeight`] when nobody may have
/// slots; [`PlacementError::NoSlots`] when a shard of positive weight would be left without one.
///
/// ```
/// use ringshift::{ShardIndex, Weight, balanced, moved};
/// // All on one shard; a second one joins, of the same weight.
/// let before = vec![ShardIndex(0); 16];
/// let after = balanced(&before, &[Weight::ONE, Weight::ONE])?;
/// assert_eq!(moved(&before, &after), 8);
/// // Seventeen shards can't share sixteen slots.
/// assert!(balanced(&before, &[Weight::ONE; 17]).is_err());
/// # Ok::<(), ringshift::PlacementError>(())
/// ```
pub fn balanced(
    present: &[ShardIndex],
    weights: &[Weight],
) -> Result<Vec<ShardIndex>, PlacementError> {
    check_table(present)?;
    let have = counts(present, weights.len());
    let mut target = targets(&have, weights, present.len())?;
    target.resize(have.len(), 0);

    let mut table = present.to_vec();
    let mut line = leaving(present, &have, &target).into_iter();
    for (index, (&have, &target)) in (0..=u16::MAX).zip(have.iter().zip(&target)) {
        for slot in line.by_ref().take(target.saturating_sub(have) as usize) {
            if let Some(owner) = table.get_mut(slot) {
                *owner = ShardIndex(index);
            }
        }
    }
    Ok(table)
}

/// The balanced table of shards that start from nothing: their ring's table, balanced.
///
/// Errors: those of [`ring_table`] and of [`balanced`].
///
/// ```
/// use ringshift::{RingShard, ShardId, ShardIndex, Weight, balanced_new};
/// let shard = |name, n| RingShard {
///     name,
///     id: ShardId(n),
///     index: ShardIndex(n as u16),
///     weight: Weight::ONE,
/// };
/// let table = balanced_new(&[shard("a", 0), shard("b", 1), shard("c", 2)], 160, 0, 16)?;
/// let of_a = table.iter().filter(|owner| owner.0 == 0).count();
/// assert!(of_a == 65_536 / 3 || of_a == 65_536 / 3 + 1);
/// # Ok::<(), ringshift::PlacementError>(())
/// ```
pub fn balanced_new(
    shards: &[RingShard<'_>],
    vnodes: u32,
    seed: u64,
    bits: u8,
) -> Result<Vec<ShardIndex>, PlacementError> {
    let ring = ring_table(shards, vnodes, seed, bits)?;
    let length = shards
        .iter()
        .map(|shard| usize::from(shard.index.0) + 1)
        .max()
        .unwrap_or(0);
    let mut weights = vec![Weight::ZERO; length];
    for shard in shards {
        if let Some(weight) = weights.get_mut(usize::from(shard.index.0)) {
            *weight = shard.weight;
        }
    }
    balanced(&ring, &weights)
}

/// Whether every shard of positive weight has a slot, which is asked of every placement: a ring
/// that isn't balanced may break it when slots are few.
///
/// Errors: [`PlacementError::NoSlots`] with the first shard that has none.
pub fn all_placed(table: &[ShardIndex], weights: &[Weight]) -> Result<(), PlacementError> {
    let have = counts(table, weights.len());
    match (0..=u16::MAX)
        .zip(weights.iter().zip(&have))
        .find(|(_, (w, n))| !w.is_zero() && **n == 0)
    {
        Some((index, _)) => Err(PlacementError::NoSlots {
            shard: ShardIndex(index),
        }),
        None => Ok(()),
    }
}

/// How many slots have another owner in `b` than in `a`. Slots that only one of them has count
/// as moved.
#[must_use]
pub fn moved(a: &[ShardIndex], b: &[ShardIndex]) -> usize {
    a.iter().zip(b).filter(|(a, b)| a != b).count() + a.len().abs_diff(b.len())
}

/// The share of keys that `hash % n` would move when n changes, as (numerator, denominator) in
/// lowest terms: what a migration is compared with. `None` when either number is 0.
///
/// Of the least common multiple of the two, a hash stays exactly when it leaves the same
/// remainder below the smaller number, once for each such remainder.
///
/// ```
/// use ringshift::modulo_moved_share;
/// assert_eq!(modulo_moved_share(10, 11), Some((10, 11)));
/// assert_eq!(modulo_moved_share(4, 8), Some((1, 2)));
/// assert_eq!(modulo_moved_share(7, 0), None);
/// ```
#[must_use]
pub const fn modulo_moved_share(n_before: u32, n_after: u32) -> Option<(u64, u64)> {
    if n_before == 0 || n_after == 0 {
        return None;
    }
    let (before, after) = (n_before as u64, n_after as u64);
    let all = before / gcd(before, after) * after;
    let moving = all - if before < after { before } else { after };
    let divisor = gcd(moving, all);
    Some((moving / divisor, all / divisor))
}

const fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn check_table(table: &[ShardIndex]) -> Result<(), PlacementError> {
    let slots = table.len();
    if slots.is_power_of_two() && (1 << SLOT_BITS_MIN..=1 << SLOT_BITS_MAX).contains(&slots) {
        Ok(())
    } else {
        Err(PlacementError::TableLength { slots })
    }
}

/// How many slots each shard has; at least `shards` entries, more when the table names more.
fn counts(table: &[ShardIndex], shards: usize) -> Vec<u32> {
    let named = table
        .iter()
        .map(|owner| usize::from(owner.0) + 1)
        .max()
        .unwrap_or(0);
    let mut counts = vec![0; named.max(shards)];
    for owner in table {
        if let Some(count) = counts.get_mut(usize::from(owner.0)) {
            *count += 1;
        }
    }
    counts
}

/// How many slots each shard is to have.
///
/// Why this moves the least: a plan moves the sum over all shards of what each has above its
/// target. How many shards get their `ceil` is settled by the sum, so only who gets it is free.
/// A shard that has more than its `floor` moves one slot less when it gets it; for any other
/// shard it changes nothing. So each `ceil` that is given to one of the former saves one slot,
/// none saves more, and giving them to as many of the former as there are is the best there is.
/// The shards that would be empty come before: each of them has its `ceil` in every plan that is
/// allowed at all.
fn targets(have: &[u32], weights: &[Weight], slots: usize) -> Result<Vec<u32>, PlacementError> {
    if weights.len() > SHARDS_MAX {
        return Err(PlacementError::TooManyShards {
            shards: weights.len(),
        });
    }
    // Below 2^16 * 2^30, and times 2^20 slots below 2^50 for one shard: a u64 holds both.
    let total: u64 = weights
        .iter()
        .map(|weight| u64::from(weight.thousandths()))
        .sum();
    if total == 0 {
        return Err(PlacementError::NoWeight);
    }
    let mut target = Vec::with_capacity(weights.len());
    let (mut empty, mut above, mut other) = (Vec::new(), Vec::new(), Vec::new());
    let mut left = slots;
    for (index, (weight, &have)) in weights.iter().zip(have).enumerate() {
        let share = u64::from(weight.thousandths()) * slots as u64;
        let floor = u32::try_from(share / total).unwrap_or(u32::MAX);
        left = left.saturating_sub(floor as usize);
        target.push(floor);
        if !share.is_multiple_of(total) {
            let kind = match floor {
                0 => &mut empty,
                floor if have > floor => &mut above,
                _ => &mut other,
            };
            kind.push(index);
        }
    }
    if let Some(&index) = empty.get(left) {
        return Err(PlacementError::NoSlots {
            shard: ShardIndex(u16::try_from(index).unwrap_or(u16::MAX)),
        });
    }
    for index in empty.into_iter().chain(above).chain(other).take(left) {
        if let Some(target) = target.get_mut(index) {
            *target += 1;
        }
    }
    Ok(target)
}

/// The slots that leave their shards, in the order in which they are dealt out.
fn leaving(present: &[ShardIndex], have: &[u32], target: &[u32]) -> Vec<usize> {
    struct Donor {
        gives: u64,
        given: u64,
        phase: u64,
    }
    let mut rank = 0_u64;
    let mut donors: Vec<Donor> = Vec::with_capacity(have.len());
    for (have, target) in have.iter().zip(target) {
        let gives = u64::from(have.saturating_sub(*target));
        // Without a phase of their own, donors of one slot each would all stand in one place,
        // and one receiver would take them all.
        donors.push(Donor {
            gives,
            given: 0,
            phase: rank.wrapping_mul(GOLDEN) & (ONE - 1),
        });
        rank += u64::from(gives > 0);
    }
    let mut line = Vec::new();
    for (slot, owner) in present.iter().enumerate() {
        if let Some(donor) = donors.get_mut(usize::from(owner.0))
            && donor.given < donor.gives
        {
            // The place in units of 2^-32, above the slot's 20 bits: one number to sort by.
            let place = (donor.given * ONE + donor.phase) / donor.gives;
            line.push((place << SLOT_BITS_MAX) | slot as u64);
            donor.given += 1;
        }
    }
    line.sort_unstable();
    let slot_mask = (1 << SLOT_BITS_MAX) - 1;
    line.into_iter()
        .map(|entry| usize::try_from(entry & slot_mask).unwrap_or(usize::MAX))
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails should say where")]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    fn weights(of: &[u32]) -> Vec<Weight> {
        of.iter()
            .map(|&w| Weight::from_thousandths(w).unwrap())
            .collect()
    }

    fn table(of: &[u16]) -> Vec<ShardIndex> {
        of.iter().copied().map(ShardIndex).collect()
    }

    #[test]
    fn a_balanced_table_stays_as_it_is() {
        let before = table(&[2, 0, 1, 1, 0, 2, 2, 2, 0, 1, 1, 0, 2, 0, 1, 2]);
        assert_eq!(balanced(&before, &weights(&[7, 7, 7])).unwrap(), before);
    }

    #[test]
    fn the_lowest_slots_go_and_blocks_are_dealt_out() {
        let before = table(&[0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
        let after = balanced(&before, &weights(&[1, 1, 1, 1])).unwrap();
        assert_eq!(
            after,
            table(&[2, 2, 3, 3, 0, 0, 0, 0, 2, 2, 3, 3, 1, 1, 1, 1])
        );
    }

    #[test]
    fn who_leaves_gives_everything_also_when_the_weights_do_not_reach_it() {
        let before = table(&[9, 9, 9, 9, 1, 1, 1, 1, 0, 0, 0, 0, 9, 9, 9, 9]);
        let after = balanced(&before, &weights(&[1, 0])).unwrap();
        assert_eq!(after, table(&[0; 16]));
    }

    #[test]
    fn a_share_below_one_slot_gets_one_if_there_is_one() {
        let before = table(&[0; 16]);
        let after = balanced(&before, &weights(&[100_000, 1])).unwrap();
        assert_eq!(moved(&before, &after), 1);
        let error = balanced(&before, &weights(&[16_000, 1, 1])).unwrap_err();
        assert_eq!(
            error,
            PlacementError::NoSlots {
                shard: ShardIndex(2)
            }
        );
        assert_eq!(error.code(), ErrorCode::NoSlots);
    }

    #[test]
    fn what_can_not_be_balanced_is_refused() {
        let error =
            |present: &[ShardIndex], of: &[u32]| balanced(present, &weights(of)).unwrap_err();
        assert_eq!(error(&table(&[0; 16]), &[]), PlacementError::NoWeight);
        assert_eq!(error(&table(&[0; 16]), &[0, 0]), PlacementError::NoWeight);
        assert_eq!(
            error(&table(&[0; 8]), &[1]),
            PlacementError::TableLength { slots: 8 }
        );
        assert_eq!(
            error(&table(&[0; 17]), &[1]),
            PlacementError::TableLength { slots: 17 }
        );
        assert_eq!(error(&[], &[1]), PlacementError::TableLength { slots: 0 });
        let shards = SHARDS_MAX + 1;
        assert_eq!(
            error(&table(&[0; 16]), &vec![1; shards]),
            PlacementError::TooManyShards { shards }
        );
    }

    #[test]
    #[cfg_attr(miri, ignore = "a million steps, and none that the others don't take")]
    fn the_largest_numbers_fit() {
        let before = vec![ShardIndex(0); 1 << 20];
        let after = balanced(&before, &vec![Weight::MAX; SHARDS_MAX]).unwrap();
        let have = counts(&after, 0);
        assert_eq!(have.len(), SHARDS_MAX);
        assert!(have.iter().all(|n| (16..=17).contains(n)));
        assert!(all_placed(&after, &vec![Weight::ONE; SHARDS_MAX]).is_ok());
    }

    #[test]
    fn an_empty_shard_is_named() {
        let error = all_placed(&table(&[0, 0, 3]), &weights(&[1, 0, 1, 1])).unwrap_err();
        assert_eq!(
            error,
            PlacementError::NoSlots {
                shard: ShardIndex(2)
            }
        );
    }

    #[test]
    fn modulo_figures_match_a_count() {
        for (a, b) in [(1, 1), (1, 9), (10, 11), (6, 4), (12, 12), (5, 15)] {
            let (part, whole) = modulo_moved_share(a, b).unwrap();
            let (a, b) = (u64::from(a), u64::from(b));
            let moving = (0..a * b).filter(|h| h % a != h % b).count() as u64;
            assert_eq!(moving * whole, part * a * b);
        }
    }

    #[test]
    fn slots_of_different_tables_count_as_moved() {
        assert_eq!(moved(&table(&[0, 1]), &table(&[0, 2, 2])), 2);
    }
}
