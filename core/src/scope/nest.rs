//! A map from (interval of keys, slots) to something: of the intervals around a key, the
//! innermost that has the key's slot answers.

use alloc::vec::Vec;

use crate::ids::{Slot, SlotRange};
use crate::scope::Scope;

/// Slots to values, in runs: sorted, disjoint, neighbours of one value joined.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Runs<T>(Vec<(SlotRange, T)>);

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Copy + Eq> Runs<T> {
    /// What `slot` has.
    #[inline]
    pub(crate) fn get(&self, slot: Slot) -> Option<T> {
        let after = self.0.partition_point(|(run, _)| run.start <= slot.0);
        let (run, value) = self.0.get(after.checked_sub(1)?)?;
        run.contains(slot).then_some(*value)
    }

    /// Gives the slots of `range` that value, whatever they had; `None` takes it from them.
    pub(crate) fn set(&mut self, range: SlotRange, value: Option<T>) {
        if range.is_empty() {
            return;
        }
        let mut next: Vec<(SlotRange, T)> = Vec::with_capacity(self.0.len() + 2);
        let mut push = |start: u32, end: u32, value: T| {
            if start >= end {
                return;
            }
            match next.last_mut() {
                Some((last, same)) if *same == value && last.end == start => last.end = end,
                _ => next.push((SlotRange { start, end }, value)),
            }
        };
        let mut wanted = value;
        for &(run, old) in &self.0 {
            push(run.start, run.end.min(range.start), old);
            // The new run stands before the first that doesn't begin before it ends.
            if run.end > range.start
                && let Some(value) = wanted.take()
            {
                push(range.start, range.end, value);
            }
            push(run.start.max(range.end), run.end, old);
        }
        if let Some(value) = wanted {
            push(range.start, range.end, value);
        }
        self.0 = next;
    }

    /// Splits each slot into `2^more`.
    pub(crate) fn split(&mut self, more: u8) {
        for (run, _) in &mut self.0 {
            run.start <<= more;
            run.end <<= more;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SlotRange, T)> {
        self.0.iter().copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes from every slot the values that aren't kept.
    pub(crate) fn retain(&mut self, keep: impl Fn(T) -> bool) {
        self.0.retain(|&(_, value)| keep(value));
    }
}

/// The map. Any two of its intervals are apart, or one encloses the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Nest<T>(Vec<Node<T>>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Node<T> {
    scope: Scope,
    /// The place of the innermost interval around this one.
    parent: Option<u32>,
    runs: Runs<T>,
}

impl<T> Default for Nest<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Copy + Eq> Nest<T> {
    /// The map of many claims; where two are for one slot of one interval, the later one holds.
    pub(crate) fn of(mut claims: Vec<(Scope, &[SlotRange], T)>) -> Self {
        claims.sort_by(|a, b| a.0.cmp(&b.0));
        let mut nodes: Vec<Node<T>> = Vec::new();
        for (scope, ranges, value) in claims {
            if nodes.last().is_none_or(|last| last.scope != scope) {
                nodes.push(Node {
                    scope,
                    parent: None,
                    runs: Runs::default(),
                });
            }
            if let Some(node) = nodes.last_mut() {
                for &range in ranges {
                    node.runs.set(range, Some(value));
                }
            }
        }
        let mut nest = Self(nodes);
        nest.link();
        nest
    }

    /// What the innermost interval around `key` that has `slot` says.
    #[inline]
    pub(crate) fn get(&self, slot: Slot, key: &[u8]) -> Option<T> {
        let before = self
            .0
            .partition_point(|node| node.scope.start.as_slice() <= key);
        // Every interval around the key is around the last one that begins before it, or is it.
        let mut node = self.0.get(before.checked_sub(1)?);
        while let Some(Node {
            scope,
            parent,
            runs,
        }) = node
        {
            if scope.ends_after(key)
                && let Some(value) = runs.get(slot)
            {
                return Some(value);
            }
            node = parent.and_then(|at| self.0.get(usize::try_from(at).ok()?));
        }
        None
    }

    /// The intervals that enclose `inner`, from the innermost out.
    pub(crate) fn around<'n>(
        &'n self,
        inner: &'n Scope,
    ) -> impl Iterator<Item = (&'n Scope, &'n Runs<T>)> {
        let before = self.0.partition_point(|node| node.scope <= *inner);
        let mut node = before.checked_sub(1).and_then(|at| self.0.get(at));
        core::iter::from_fn(move || {
            let this = node?;
            node = this
                .parent
                .and_then(|at| self.0.get(usize::try_from(at).ok()?));
            Some(this)
        })
        .filter(|node| node.scope.encloses(inner))
        .map(|node| (&node.scope, &node.runs))
    }

    /// Gives the slots of `range`, in `scope`, that value, whatever they had there; `None` leaves
    /// them to the intervals around it.
    pub(crate) fn set(&mut self, scope: &Scope, range: SlotRange, value: Option<T>) {
        match self.0.binary_search_by(|node| node.scope.cmp(scope)) {
            Ok(at) => {
                let Some(node) = self.0.get_mut(at) else {
                    return;
                };
                node.runs.set(range, value);
                if !node.runs.is_empty() {
                    return;
                }
                self.0.remove(at);
            }
            Err(at) => {
                let mut runs = Runs::default();
                runs.set(range, value);
                if runs.is_empty() {
                    return;
                }
                let node = Node {
                    scope: scope.clone(),
                    parent: None,
                    runs,
                };
                self.0.insert(at, node);
            }
        }
        self.link();
    }

    /// Splits each slot into `2^more`.
    pub(crate) fn split(&mut self, more: u8) {
        self.0.iter_mut().for_each(|node| node.runs.split(more));
    }

    /// Takes from every slot of every interval the values that aren't kept.
    pub(crate) fn retain(&mut self, keep: impl Fn(T) -> bool) {
        let before = self.0.len();
        for node in &mut self.0 {
            node.runs.retain(&keep);
        }
        self.0.retain(|node| !node.runs.is_empty());
        if self.0.len() != before {
            self.link();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Finds each interval's parent: the last one before it that hasn't ended.
    fn link(&mut self) {
        let mut open: Vec<usize> = Vec::new();
        for at in 0..self.0.len() {
            let Some(start) = self.0.get(at).map(|node| node.scope.start.clone()) else {
                return;
            };
            while let Some(outer) = open.last().and_then(|&outer| self.0.get(outer)) {
                if outer.scope.ends_after(&start) {
                    break;
                }
                open.pop();
            }
            if let Some(node) = self.0.get_mut(at) {
                node.parent = open.last().and_then(|&outer| u32::try_from(outer).ok());
            }
            open.push(at);
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::indexing_slicing,
    reason = "a test that fails should say where"
)]
mod tests {
    use super::*;
    use crate::scope::Match;
    use alloc::vec;
    use proptest::prelude::*;

    const SLOTS: u32 = 8;

    /// All intervals of one laminar family over keys of two letters, and over one of three.
    fn scopes() -> Vec<Scope> {
        let mut all = vec![Scope::default()];
        for a in b"ab" {
            all.push(Match::Prefix(vec![*a]).scope());
            all.push(Match::Exact(vec![*a]).scope());
            for b in b"ab" {
                all.push(Match::Prefix(vec![*a, *b]).scope());
                all.push(Match::Exact(vec![*a, *b]).scope());
            }
        }
        let (start, end) = (b"ab".to_vec(), Vec::new());
        all.push(
            Match::Range {
                start: b"b".to_vec(),
                end,
            }
            .scope(),
        );
        all.push(
            Match::Range {
                start,
                end: b"b".to_vec(),
            }
            .scope(),
        );
        all
    }

    fn keys() -> Vec<Vec<u8>> {
        let mut all = vec![vec![]];
        for a in b"abc" {
            all.push(vec![*a]);
            for b in b"abc" {
                all.push(vec![*a, *b]);
                all.push(vec![*a, *b, 0]);
            }
        }
        all
    }

    proptest! {
        #[test]
        fn the_innermost_interval_that_has_the_slot_answers(
            changes in prop::collection::vec(
                (0..scopes().len(), 0..SLOTS, 0..=SLOTS, prop::option::of(0..4_u8)), 1..30),
            without in 0..4_u8,
        ) {
            let scopes = scopes();
            let mut nest = Nest::default();
            // One value for each interval and slot, and the least that is around wins.
            let mut naive = vec![[None; SLOTS as usize]; scopes.len()];
            for (at, start, end, value) in changes {
                nest.set(&scopes[at], SlotRange { start, end }, value);
                for slot in start..end {
                    naive[at][slot as usize] = value;
                }
                // Equal intervals are one.
                for other in 0..scopes.len() {
                    if scopes[other] == scopes[at] {
                        naive[other] = naive[at];
                    }
                }
            }
            let check = |nest: &Nest<u8>, keep: &dyn Fn(u8) -> bool| {
                for key in keys() {
                    for slot in 0..SLOTS {
                        let around = scopes.iter().zip(&naive).filter_map(|(scope, values)| {
                            let value = values[slot as usize].filter(|value| keep(*value))?;
                            scope.contains(&key).then_some((scope, value))
                        });
                        let wanted = around.max_by(|a, b| a.0.cmp(b.0)).map(|(_, value)| value);
                        assert_eq!(nest.get(Slot(slot), &key), wanted);
                    }
                }
            };
            check(&nest, &|_| true);
            nest.retain(|value| value != without);
            check(&nest, &|value| value != without);
        }
    }

    #[test]
    fn what_is_around_an_interval_comes_from_the_inside_out() {
        let all = scopes();
        let whole = [SlotRange {
            start: 0,
            end: SLOTS,
        }];
        let nest = Nest::of(
            all.iter()
                .map(|scope| (scope.clone(), &whole[..], ()))
                .collect(),
        );
        for inner in &all {
            let found: Vec<&Scope> = nest.around(inner).map(|(scope, _)| scope).collect();
            let mut wanted: Vec<&Scope> =
                all.iter().filter(|outer| outer.encloses(inner)).collect();
            wanted.sort_by(|a, b| b.cmp(a));
            wanted.dedup();
            assert_eq!(found, wanted);
        }
    }

    #[test]
    fn runs_stay_few() {
        let mut runs = Runs::default();
        runs.set(SlotRange { start: 0, end: 16 }, Some(1));
        runs.set(SlotRange { start: 4, end: 6 }, Some(2));
        assert_eq!(runs.iter().count(), 3);
        runs.set(SlotRange { start: 4, end: 6 }, Some(1));
        assert_eq!(
            runs.iter().collect::<Vec<_>>(),
            [(SlotRange { start: 0, end: 16 }, 1)]
        );
        runs.set(SlotRange { start: 3, end: 20 }, None);
        assert_eq!(
            runs.iter().collect::<Vec<_>>(),
            [(SlotRange { start: 0, end: 3 }, 1)]
        );
    }
}
