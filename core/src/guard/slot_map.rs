//! A shard's own map: which domain holds which slot here, and which keys are out of their slot.

use alloc::vec::Vec;

use crate::ids::{DomainId, KeyspaceId, Slot, SlotRange};

/// Slots to domains, in runs, and single keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotMap {
    /// Sorted by keyspace and start, disjoint, neighbours of one domain joined.
    runs: Vec<(KeyspaceId, SlotRange, DomainId)>,
    /// Sorted.
    keys: Vec<(KeyspaceId, Vec<u8>, DomainId)>,
}

impl SlotMap {
    /// The domain that holds `key`, which falls into `slot`.
    pub fn holder(&self, keyspace: KeyspaceId, slot: Slot, key: &[u8]) -> Option<DomainId> {
        let pinned = self
            .keys
            .binary_search_by(|(k, bytes, _)| (*k, bytes.as_slice()).cmp(&(keyspace, key)));
        if let Some((_, _, domain)) = pinned.ok().and_then(|i| self.keys.get(i)) {
            return Some(*domain);
        }
        self.slot_holder(keyspace, slot)
    }

    /// The domain that holds `slot`.
    pub fn slot_holder(&self, keyspace: KeyspaceId, slot: Slot) -> Option<DomainId> {
        let after = self
            .runs
            .partition_point(|(k, run, _)| (*k, run.start) <= (keyspace, slot.0));
        let (k, run, domain) = self.runs.get(after.checked_sub(1)?)?;
        (*k == keyspace && run.contains(slot)).then_some(*domain)
    }

    /// The slots that `domain` holds.
    pub fn slots_of(&self, domain: DomainId) -> impl Iterator<Item = SlotRange> {
        self.runs
            .iter()
            .filter(move |(_, _, d)| *d == domain)
            .map(|(_, run, _)| *run)
    }

    /// Gives the slots of `range` to `domain`, whoever held them.
    pub fn claim(&mut self, keyspace: KeyspaceId, range: SlotRange, domain: DomainId) {
        if range.is_empty() {
            return;
        }
        let mut next = Vec::with_capacity(self.runs.len() + 2);
        for &(k, run, d) in &self.runs {
            if k != keyspace || run.end <= range.start || range.end <= run.start {
                next.push((k, run, d));
                continue;
            }
            if run.start < range.start {
                next.push((
                    k,
                    SlotRange {
                        start: run.start,
                        end: range.start,
                    },
                    d,
                ));
            }
            if range.end < run.end {
                next.push((
                    k,
                    SlotRange {
                        start: range.end,
                        end: run.end,
                    },
                    d,
                ));
            }
        }
        next.push((keyspace, range, domain));
        next.sort_unstable();
        next.dedup_by(|later, earlier| {
            let joins =
                earlier.0 == later.0 && earlier.2 == later.2 && earlier.1.end == later.1.start;
            if joins {
                earlier.1.end = later.1.end;
            }
            joins
        });
        self.runs = next;
    }

    /// Gives `key` to `domain`, out of its slot; `None` puts it back into its slot.
    pub fn claim_key(&mut self, keyspace: KeyspaceId, key: &[u8], domain: Option<DomainId>) {
        self.keys
            .retain(|(k, bytes, _)| *k != keyspace || bytes != key);
        if let Some(domain) = domain {
            self.keys.push((keyspace, key.to_vec(), domain));
            self.keys.sort_unstable();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const K: KeyspaceId = KeyspaceId(0);

    fn range(start: u32, end: u32) -> SlotRange {
        SlotRange { start, end }
    }

    #[test]
    fn the_last_claim_wins_and_runs_stay_few() {
        let mut map = SlotMap::default();
        map.claim(K, range(0, 16), DomainId(1));
        map.claim(K, range(4, 6), DomainId(2));
        assert_eq!(map.slot_holder(K, Slot(3)), Some(DomainId(1)));
        assert_eq!(map.slot_holder(K, Slot(4)), Some(DomainId(2)));
        assert_eq!(map.slot_holder(K, Slot(6)), Some(DomainId(1)));
        assert_eq!(map.slot_holder(K, Slot(16)), None);
        assert_eq!(map.slot_holder(KeyspaceId(1), Slot(4)), None);
        map.claim(K, range(4, 6), DomainId(1));
        assert_eq!(map.runs.len(), 1);
    }

    #[test]
    fn a_key_may_be_out_of_its_slot() {
        let mut map = SlotMap::default();
        map.claim(K, range(0, 16), DomainId(1));
        map.claim_key(K, b"hot", Some(DomainId(7)));
        assert_eq!(map.holder(K, Slot(3), b"hot"), Some(DomainId(7)));
        assert_eq!(map.holder(K, Slot(3), b"cold"), Some(DomainId(1)));
        map.claim_key(K, b"hot", None);
        assert_eq!(map.holder(K, Slot(3), b"hot"), Some(DomainId(1)));
    }
}
