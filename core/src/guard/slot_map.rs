//! A shard's own map: which domain holds which keys here.

use alloc::collections::BTreeMap;

use crate::ids::{DomainId, KeyspaceId, Slot, SlotRange};
use crate::scope::{Nest, Runs, Scope};

/// Slots to domains, and in front of them the intervals of keys that are somebody else's in some
/// of their slots. The innermost interval around a key that has its slot decides, else the slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotMap {
    keyspaces: BTreeMap<KeyspaceId, Held>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Held {
    /// How many bits the slots have, once somebody has told.
    bits: Option<u8>,
    slots: Runs<DomainId>,
    scopes: Nest<DomainId>,
}

impl SlotMap {
    /// The domain that holds `key`, which falls into `slot`.
    pub fn holder(&self, keyspace: KeyspaceId, slot: Slot, key: &[u8]) -> Option<DomainId> {
        let held = self.keyspaces.get(&keyspace)?;
        let inner = held.scopes.get(slot, key);
        inner.or_else(|| held.slots.get(slot))
    }

    /// The domain that holds the keys of `slot` that no interval has.
    pub fn slot_holder(&self, keyspace: KeyspaceId, slot: Slot) -> Option<DomainId> {
        self.keyspaces.get(&keyspace)?.slots.get(slot)
    }

    /// How many bits the keyspace's slots have, once an install or a row has told.
    pub fn bits(&self, keyspace: KeyspaceId) -> Option<u8> {
        self.keyspaces.get(&keyspace)?.bits
    }

    /// The same of every keyspace.
    pub fn all_bits(&self) -> impl Iterator<Item = (KeyspaceId, u8)> {
        let told = |(keyspace, held): (&KeyspaceId, &Held)| Some((*keyspace, held.bits?));
        self.keyspaces.iter().filter_map(told)
    }

    /// Remembers how many bits the slots have, unless that is known.
    pub(crate) fn learn_bits(&mut self, keyspace: KeyspaceId, bits: u8) {
        let held = self.keyspaces.entry(keyspace).or_default();
        held.bits.get_or_insert(bits);
    }

    /// Splits the slots until they have `bits` bits: each part is held as the whole was.
    pub fn grow(&mut self, keyspace: KeyspaceId, bits: u8) {
        let held = self.keyspaces.entry(keyspace).or_default();
        let more = held.bits.map_or(0, |has| bits.saturating_sub(has));
        held.bits = held.bits.max(Some(bits));
        if more > 0 {
            held.slots.split(more);
            held.scopes.split(more);
        }
    }

    /// Gives the slots of `range` to `domain`, whoever held them.
    pub fn claim(&mut self, keyspace: KeyspaceId, range: SlotRange, domain: DomainId) {
        let held = self.keyspaces.entry(keyspace).or_default();
        held.slots.set(range, Some(domain));
    }

    /// Gives the keys of `scope` in those slots to `domain`, whoever held that interval there;
    /// `None` gives them back to what is around it.
    pub fn claim_scope(
        &mut self,
        keyspace: KeyspaceId,
        scope: &Scope,
        range: SlotRange,
        domain: Option<DomainId>,
    ) {
        let held = self.keyspaces.entry(keyspace).or_default();
        held.scopes.set(scope, range, domain);
    }

    /// Gives all intervals back to their slots.
    pub(crate) fn clear_scopes(&mut self, keyspace: KeyspaceId) {
        if let Some(held) = self.keyspaces.get_mut(&keyspace) {
            held.scopes = Nest::default();
        }
    }

    /// Takes every interval from `domain`; its slots stay.
    pub fn release_scopes(&mut self, keyspace: KeyspaceId, domain: DomainId) {
        if let Some(held) = self.keyspaces.get_mut(&keyspace)
            && !held.scopes.is_empty()
        {
            held.scopes.retain(|holder| holder != domain);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::Match;

    const K: KeyspaceId = KeyspaceId(0);

    fn range(start: u32, end: u32) -> SlotRange {
        SlotRange { start, end }
    }

    #[test]
    fn the_last_claim_of_a_slot_wins() {
        let mut map = SlotMap::default();
        map.claim(K, range(0, 16), DomainId(1));
        map.claim(K, range(4, 6), DomainId(2));
        assert_eq!(map.slot_holder(K, Slot(3)), Some(DomainId(1)));
        assert_eq!(map.slot_holder(K, Slot(4)), Some(DomainId(2)));
        assert_eq!(map.slot_holder(K, Slot(6)), Some(DomainId(1)));
        assert_eq!(map.slot_holder(K, Slot(16)), None);
        assert_eq!(map.slot_holder(KeyspaceId(1), Slot(4)), None);
    }

    #[test]
    fn keys_may_be_out_of_their_slot() {
        let mut map = SlotMap::default();
        map.claim(K, range(0, 16), DomainId(1));
        let hot = Match::Exact(b"hot".to_vec()).scope();
        let tenant = Match::Prefix(b"ho".to_vec()).scope();
        map.claim_scope(K, &hot, range(3, 4), Some(DomainId(7)));
        map.claim_scope(K, &tenant, range(0, 8), Some(DomainId(8)));
        assert_eq!(map.holder(K, Slot(3), b"hot"), Some(DomainId(7)));
        assert_eq!(map.holder(K, Slot(3), b"how"), Some(DomainId(8)));
        assert_eq!(map.holder(K, Slot(8), b"how"), Some(DomainId(1)));
        assert_eq!(map.holder(K, Slot(3), b"cold"), Some(DomainId(1)));
        assert_eq!(map.holder(KeyspaceId(1), Slot(3), b"hot"), None);
        map.claim_scope(K, &hot, range(3, 4), None);
        assert_eq!(map.holder(K, Slot(3), b"hot"), Some(DomainId(8)));
        map.release_scopes(K, DomainId(8));
        assert_eq!(map.holder(K, Slot(3), b"hot"), Some(DomainId(1)));
    }
}
