//! Clients at shards that check no fence: how long each change of the map is waited for, and the
//! pause of writes around a change of the reads.
//!
//! There the guard rows are only the coordinator's own books. What a guard would refuse, time must
//! rule out: a client acts for a lease, and its last attempt for as long as an attempt may take.

use crate::ids::DomainId;
use crate::migration::coordinator::Coordinator;
use crate::migration::coordinator::choose::waves;
use crate::migration::coordinator::run::Run;
use crate::migration::log::Log;
use crate::migration::moves::{Move, Stage};
use crate::migration::transition;
use crate::snapshot::{Draft, Snapshot, TopologyError};
use crate::time::Instant;

impl Coordinator {
    /// `next` is in force from now on, or was put there by somebody else: until when clients may
    /// act by the snapshot before it.
    // INVARIANT (one map behind): whatever relies on a snapshot waits until nobody acts by the one
    // before. A successor, who doesn't know when that was swapped, waits it all again.
    pub(super) fn await_clients(&mut self, next: &Snapshot) {
        let before = self.snapshot.as_ref();
        let before = before.map_or(0, |snapshot| snapshot.content().client_wait_ms());
        let wait = before.max(next.content().client_wait_ms());
        let end = self.now.after(wait);
        self.tending.clients_end = self.tending.clients_end.max(end);
    }

    /// Until when the command of `run` is held back for the clients' sake. An install is not: it
    /// is for the shards that do check, whose clients wait for it; nor is what only writes a wish or
    /// an intent down.
    pub(super) fn until_clients(&self, run: &Run) -> Instant {
        match run.stage {
            Stage::Log | Stage::InstallFirst | Stage::InstallOther | Stage::Shut => Instant::ZERO,
            _ => self.tending.clients_end,
        }
    }

    /// A barrier begins with a pause that is published, where shards don't hold writes back.
    pub(super) fn pause_first(&self, run: &mut Run) {
        let Some(snapshot) = self.snapshot.as_ref() else {
            return;
        };
        let wave = run.domain.and_then(|domain| self.find_wave(domain));
        let needed = wave
            .is_some_and(|(_, _, wave)| snapshot.content().is_unfenced(wave) && !wave.switching);
        if run.stage == Stage::CloseFrom && needed {
            run.stage = Stage::Pause;
        }
    }

    /// The snapshot that begins or ends a pause. The intent goes with the first, so that a successor
    /// needn't pause twice.
    pub(super) fn switching_draft(
        &self,
        now: &Snapshot,
        run: &Run,
        log: &mut Log,
    ) -> Result<Draft, TopologyError> {
        let (keyspace, domain) = self.place_of(run)?;
        let pauses = run.stage == Stage::Pause;
        if pauses {
            log.intent = self.intent_of(run);
        }
        transition::switching(now, keyspace, domain, pauses)
    }

    /// Every install of the move has been answered.
    pub(super) fn installed(&mut self, run: Run) {
        let wave = run.domain.and_then(|domain| self.find_wave(domain));
        if wave.is_some_and(|(_, _, wave)| wave.switching) {
            self.enter(run, Stage::Open);
        } else {
            self.finished(&run);
        }
    }

    /// Goes on with a pause that nobody is at work on: with its barrier, where the log has one, or
    /// by letting the writes go on. Whether there was one.
    pub(super) fn go_on_switching(&mut self) -> bool {
        let Some(snapshot) = self.snapshot.clone() else {
            return false;
        };
        let Some(wave) = waves(&snapshot).find(|wave| wave.switching) else {
            return false;
        };
        let domain: DomainId = wave.domain;
        let intended = self
            .log
            .intent
            .is_some_and(|intent| intent.domain == domain);
        if intended && self.may_move(wave) {
            self.run_again(domain);
        } else {
            self.start(Move::Reopen, Stage::Open, Some(domain));
        }
        true
    }
}
