//! A whole shard's fencing state in memory.

use alloc::collections::BTreeMap;

use crate::guard::slot_map::SlotMap;
use crate::guard::{Access, Claim, Fence, GuardRow, InstallRow, Lease, Refusal};
use crate::guard::{admit, check_term, close, grant, in_force, takes_effect};
use crate::ids::{DomainId, Epoch, KeyspaceId, Slot, SlotRange, Term};
use crate::scope::Scope;

/// The guard rows, the map of slots and the highest term of one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guard {
    term: Term,
    rows: BTreeMap<DomainId, GuardRow>,
    map: SlotMap,
    /// Of the rows at their present epochs.
    leases: BTreeMap<DomainId, Lease>,
    shut: bool,
    /// The shard's clock, as far as it was told.
    now: u64,
}

impl Guard {
    /// Decides whether an operation on `key` is let through; see [`admit`].
    ///
    /// # Errors
    /// The [`Refusal`].
    pub fn admit(
        &self,
        keyspace: KeyspaceId,
        slot: Slot,
        key: &[u8],
        fence: Fence,
        access: Access,
    ) -> Result<GuardRow, Refusal> {
        let holder = self.map.holder(keyspace, slot, key);
        let row = self.in_force(fence.domain);
        admit(row.as_ref(), holder, self.term, fence, access).copied()
    }

    /// Decides whether a coordinator may work on the rows of a whole domain: read its changes or
    /// digests, purge, collect. It must then touch only what the domain [holds](Self::holds) here.
    ///
    /// # Errors
    /// The [`Refusal`].
    pub fn admit_domain(&self, fence: Fence, access: Access) -> Result<GuardRow, Refusal> {
        let row = self.in_force(fence.domain);
        let holder = Some(fence.domain);
        admit(row.as_ref(), holder, self.term, fence, access).copied()
    }

    /// The row of `domain` as it counts at this moment; see [`in_force`].
    pub fn in_force(&self, domain: DomainId) -> Option<GuardRow> {
        let row = self.rows.get(&domain)?;
        let leased = self.leases.get(&domain).is_some_and(|l| l.covers(self.now));
        Some(in_force(*row, leased, self.shut))
    }

    /// What time it is, in milliseconds by a clock that this shard keeps to. Leases end by it; a
    /// shard that is never told has no lease.
    pub fn handle_time(&mut self, now: u64) {
        self.now = now;
    }

    /// What time it is, as far as the shard was told.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Grants the mirror of the fence's domain a lease from `asked` on; see [`grant`].
    ///
    /// # Errors
    /// The [`Refusal`].
    pub fn grant(
        &mut self,
        term: Term,
        fence: Fence,
        asked: u64,
        lease_ms: u32,
    ) -> Result<(), Refusal> {
        let row = self.rows.get(&fence.domain);
        let held = self.leases.get(&fence.domain).copied().unwrap_or_default();
        let terms = (self.term, term);
        let lease = grant(row, held, terms, fence, (asked, lease_ms), self.now)?;
        self.term = term;
        self.leases.insert(fence.domain, lease);
        Ok(())
    }

    /// Shuts the shard, or opens it: shut, it refuses every operation and all copying, whatever
    /// its rows say.
    ///
    /// # Errors
    /// [`Refusal::StaleTerm`].
    pub fn shut(&mut self, term: Term, shut: bool) -> Result<(), Refusal> {
        self.claim(term)?;
        self.shut = shut;
        Ok(())
    }

    /// Whether it is shut.
    pub fn is_shut(&self) -> bool {
        self.shut
    }

    /// Whether `domain` holds `key` here.
    pub fn holds(&self, domain: DomainId, keyspace: KeyspaceId, slot: Slot, key: &[u8]) -> bool {
        self.map.holder(keyspace, slot, key) == Some(domain)
    }

    /// Remembers `term`, and refuses a lower one than any seen.
    ///
    /// # Errors
    /// [`Refusal::StaleTerm`].
    pub fn claim(&mut self, term: Term) -> Result<(), Refusal> {
        check_term(self.term, term)?;
        self.term = term;
        Ok(())
    }

    /// Installs rows in one step; each is judged on its own, and one at or below its guard is
    /// skipped.
    ///
    /// # Errors
    /// [`Refusal::StaleTerm`].
    pub fn install(&mut self, term: Term, rows: &[InstallRow]) -> Result<(), Refusal> {
        self.claim(term)?;
        for InstallRow { row, claims } in rows {
            if !takes_effect(self.rows.get(&row.domain), row) {
                continue;
            }
            self.rows.insert(row.domain, *row);
            self.leases.remove(&row.domain);
            for claim in claims {
                match claim {
                    Claim::Slots(ranges) => {
                        for &range in ranges {
                            self.map.claim(row.keyspace, range, row.domain);
                        }
                    }
                    Claim::Scope(scope, ranges) => {
                        self.claim_scope(row.keyspace, scope, ranges, Some(row.domain));
                    }
                    Claim::Release(scope, ranges) => {
                        self.claim_scope(row.keyspace, scope, ranges, None);
                    }
                    Claim::Clear => self.map.clear_scopes(row.keyspace),
                    Claim::Bits(bits) => self.map.grow(row.keyspace, *bits),
                }
            }
        }
        Ok(())
    }

    fn claim_scope(
        &mut self,
        keyspace: KeyspaceId,
        scope: &Scope,
        ranges: &[SlotRange],
        domain: Option<DomainId>,
    ) {
        for &range in ranges {
            self.map.claim_scope(keyspace, scope, range, domain);
        }
    }

    /// Remembers the slot bits of `keyspace`, from the first row that tells.
    pub(crate) fn learn_bits(&mut self, keyspace: KeyspaceId, bits: u8) {
        self.map.learn_bits(keyspace, bits);
    }

    /// Gives every interval that `domain` holds here back to what is around it. For the loser of
    /// a wave whose rows are purged, in one step with the last of them.
    pub fn release(&mut self, keyspace: KeyspaceId, domain: DomainId) {
        self.map.release_scopes(keyspace, domain);
    }

    /// Closes `domain` at exactly `epoch`. Answers the row as it is afterwards, if there is one.
    ///
    /// # Errors
    /// [`Refusal::StaleTerm`].
    pub fn close(
        &mut self,
        term: Term,
        domain: DomainId,
        epoch: Epoch,
    ) -> Result<Option<GuardRow>, Refusal> {
        self.claim(term)?;
        let Some(row) = self.rows.get_mut(&domain) else {
            return Ok(None);
        };
        if let Some(closed) = close(row, epoch) {
            *row = closed;
        }
        Ok(Some(*row))
    }

    /// All rows, by domain.
    pub fn rows(&self) -> impl Iterator<Item = &GuardRow> {
        self.rows.values()
    }

    /// The row of `domain`.
    pub fn row(&self, domain: DomainId) -> Option<&GuardRow> {
        self.rows.get(&domain)
    }

    /// The highest term seen.
    pub fn term(&self) -> Term {
        self.term
    }

    /// The shard's own map of slots.
    pub fn map(&self) -> &SlotMap {
        &self.map
    }
}
