//! Taking a shard back that was shut.

use crate::migration::coordinator::Coordinator;
use crate::migration::coordinator::run::Run;
use crate::migration::log::Log;
use crate::migration::transition;
use crate::snapshot::{Draft, Snapshot, TopologyError};

impl Coordinator {
    /// The next snapshot: new epochs for everything that the shard holds, so that no version is
    /// given twice, and copying to it begins again.
    pub(super) fn readmission(
        &self,
        now: &Snapshot,
        log: &mut Log,
    ) -> Result<Draft, TopologyError> {
        let shard = self
            .tending
            .readmit
            .ok_or(TopologyError::Empty("shard to readmit"))?;
        let draft = transition::readmit(now, shard)?;
        let waves = draft.keyspaces.iter().flat_map(|k| &k.waves);
        for wave in waves.filter(|wave| wave.phase.is_carved()) {
            if wave.side(shard) == Some(wave.phase.authority().other()) {
                log.forget(wave.domain);
            }
        }
        Ok(draft)
    }

    /// The shard is open again.
    pub(super) fn readmitted(&mut self, run: &Run) {
        if let Some(shard) = self.tending.readmit.take() {
            self.tending.shut.remove(&shard);
            self.tending.readmitted = Some(shard);
        }
        self.tending.reread = true;
        // What the shard had purged, its older file may have again.
        self.cleaned = None;
        self.finished(run);
    }
}
