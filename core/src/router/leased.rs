//! What stands in for the fence, of keys at shards that check none.

use crate::guard::Fence;
use crate::ids::{Epoch, ShardId, Slot};
use crate::phase::Phase;
use crate::route::Leased;
use crate::router::Keyspace;
use crate::snapshot::ClientLease;
use crate::time::Instant;
use crate::wave::Wave;

impl Keyspace<'_> {
    /// At `shard`, where keys of `slot` are at home. Before they are carved out, a delete leaves a
    /// tombstone already: clients that don't know of the wave yet, and clients that mirror already,
    /// may act side by side.
    pub(super) fn leased_at_home(
        &self,
        shard: ShardId,
        slot: Slot,
        fence: Fence,
    ) -> Option<Leased> {
        let lease = self.snapshot.content().lease_at(shard)?;
        let in_wave =
            self.content.waves.iter().any(|wave| {
                wave.phase == Phase::Prepare && wave.from == shard && wave.contains(slot)
            });
        Some(leased(lease, fence.epoch, in_wave))
    }

    /// In a carved wave, where one of its shards is such a one.
    pub(super) fn leased_in(&self, wave: &Wave) -> Option<Leased> {
        let content = self.snapshot.content();
        let lease = content.lease_at(wave.from).or(content.lease_at(wave.to))?;
        Some(Leased {
            switching: wave.switching,
            drained: wave.drained,
            ..leased(lease, wave.authority_epoch, true)
        })
    }
}

/// A lease that is over, until somebody says when it began.
const fn leased(lease: &ClientLease, authority_epoch: Epoch, in_wave: bool) -> Leased {
    Leased {
        until: Instant::ZERO,
        lease_ms: lease.lease_ms,
        attempt_ms: lease.attempt_ms,
        switching: false,
        drained: Epoch::ZERO,
        authority_epoch,
        in_wave,
    }
}
