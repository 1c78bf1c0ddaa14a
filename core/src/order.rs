//! Sorting where speed is no matter and size is: what a client links goes with every page.
//!
//! The standard sorts are some kilobytes for each type that is sorted; this one is once there, for
//! all of them. Placement, which sorts by the million, takes the standard ones.

use alloc::vec::Vec;
use core::cmp::Ordering;

/// The places of `count` things in their order, which `compare` says of two places. Equal ones
/// come in any order. Heapsort: never slower than n log n, whatever comes.
pub(crate) fn order(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut heap: Vec<usize> = (0..count).collect();
    for root in (0..count / 2).rev() {
        sift(&mut heap, root, compare);
    }
    for end in (1..count).rev() {
        heap.swap(0, end);
        sift(heap.get_mut(..end).unwrap_or_default(), 0, compare);
    }
    heap
}

/// Sorts `all` by what `compare` says; equal ones stay in their order.
pub(crate) fn sort<T>(all: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let mut from = order(all.len(), &|a, b| match (all.get(a), all.get(b)) {
        (Some(one), Some(other)) => compare(one, other).then(a.cmp(&b)),
        _ => Ordering::Equal,
    });
    settle(&mut from, &mut |a, b| all.swap(a, b));
}

/// Brings to each place what `from` says, by swaps along each ring of places.
fn settle(from: &mut [usize], swap: &mut dyn FnMut(usize, usize)) {
    for start in 0..from.len() {
        let mut at = start;
        // What is where it belongs says so from then on.
        while let Some(next) = from.get_mut(at).map(|next| core::mem::replace(next, at)) {
            if next == start || next == at {
                break;
            }
            swap(at, next);
            at = next;
        }
    }
}

/// Lets what is at `root` sink until nothing below it is larger.
fn sift(heap: &mut [usize], mut root: usize, compare: &dyn Fn(usize, usize) -> Ordering) {
    let larger = |heap: &[usize], a: usize, b: usize| match (heap.get(a), heap.get(b)) {
        (Some(&a), Some(&b)) => compare(a, b) == Ordering::Greater,
        _ => false,
    };
    loop {
        let mut child = 2 * root + 1;
        if child >= heap.len() {
            return;
        }
        if larger(heap, child + 1, child) {
            child += 1;
        }
        if !larger(heap, child, root) {
            return;
        }
        heap.swap(root, child);
        root = child;
    }
}

/// The place of one that has an equal, if any has.
pub(crate) fn twice(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Option<usize> {
    let sorted = order(count, compare);
    let mut pairs = sorted.iter().zip(sorted.iter().skip(1));
    pairs
        .find(|&(&a, &b)| compare(a, b) == Ordering::Equal)
        .map(|(&a, _)| a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_comes_is_sorted() {
        for count in 0..200_u64 {
            for seed in 0..5 {
                let of = |at: usize| crate::hash::xxh3(&at.to_le_bytes(), seed) % (count / 2 + 1);
                let count = usize::try_from(count).unwrap_or(0);
                let sorted = order(count, &|a, b| of(a).cmp(&of(b)));
                assert!(sorted.is_sorted_by_key(|&at| of(at)));
                let mut places = sorted;
                places.sort_unstable();
                assert!(places.into_iter().eq(0..count));
                let mut pairs: Vec<(u64, usize)> = (0..count).map(|at| (of(at), at)).collect();
                sort(&mut pairs, |a, b| a.0.cmp(&b.0));
                assert!(pairs.is_sorted(), "equal ones stay in their order");
            }
        }
    }

    #[test]
    fn two_that_are_equal_are_found() {
        let found = |of: &[u8]| twice(of.len(), &|a, b| of.get(a).cmp(&of.get(b)));
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[3, 1, 2]), None);
        assert!(found(&[3, 1, 2, 3]).is_some_and(|at| at % 3 == 0));
    }
}
