//! Whether the next move may begin: hours, gates, consent; and what follows when a gate goes on
//! failing. Only the way forward is held. The way back is the safe one, and is always open.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::ids::DomainId;
use crate::migration::coordinator::choose::{Next, waves};
use crate::migration::coordinator::watch::{Decided, Held};
use crate::migration::coordinator::{Coordinator, Facts};
use crate::migration::gates::{AfterPatience, Consent, Gate, GateState, Verdict};
use crate::migration::moves::Move;
use crate::phase::Phase;
use crate::snapshot::Snapshot;
use crate::time::Instant;
use crate::wave::Wave;

impl Coordinator {
    /// What comes next on the way forward, once everything has been asked.
    pub(super) fn watched(&mut self, snapshot: &Snapshot, next: Next) -> Next {
        if let Some(step) = self.retreat(snapshot) {
            return step;
        }
        let (goal, domain) = match &next {
            Next::Run(goal, domain) => (Some(*goal), *domain),
            Next::Soak(_) => (None, None),
            Next::Until(_) | Next::Blocked | Next::Over(_) | Next::Again => return next,
        };
        let wave = at_work(snapshot, domain);
        let domain = wave.map(|wave| wave.domain);
        if let Some(check) = self.due_check(snapshot) {
            return check;
        }
        if goal.is_some() && !self.is_open() {
            return self.hold(goal, domain, alloc::vec![closed(Gate::Hours)]);
        }
        let advances = match goal {
            Some(Move::Shadow | Move::Ramp(_) | Move::Offline | Move::Switch) => true,
            Some(Move::Finish) => !self.log.finishing,
            Some(_) => false,
            None => true,
        };
        let Some(wave) = wave.filter(|_| advances) else {
            return next;
        };
        let verdicts = self.verdicts(wave);
        let gates = &self.settings.gates;
        let failed: Vec<Verdict> = verdicts.into_iter().filter(|v| gates.holds(v)).collect();
        if failed.is_empty() {
            let asked = goal == Some(Move::Finish) && gates.finish == Consent::Asked;
            if asked && !self.log.finish_agreed {
                return self.hold(goal, domain, alloc::vec![closed(Gate::Consent)]);
            }
            self.pass();
            return next;
        }
        let phase = (wave.domain, wave.phase, wave.ramp_ppm);
        let held = self.hold(goal, domain, failed);
        let since = self.watch.held.as_ref().map_or(self.now, |held| held.since);
        let patience_ms = self.settings.gates.patience_ms;
        if self.now.since(since) >= patience_ms {
            return self.lose_patience(phase, held);
        }
        let end = since.after(patience_ms);
        match (held, next) {
            (Next::Until(until), Next::Soak(ms)) => {
                let soak = self.facts.since.unwrap_or(self.now).after(ms);
                // A soak that is over leads to a move, and that is held in its turn.
                Next::Until(until.min(end).min(soak))
            }
            (Next::Until(until), _) => Next::Until(until.min(end)),
            (other, _) => other,
        }
    }

    /// The verdict of each gate about `wave`, as things are.
    pub(super) fn verdicts(&self, wave: &Wave) -> Vec<Verdict> {
        let own = self.watch.own;
        let shards = [wave.from, wave.to];
        self.settings
            .gates
            .judge(self.health().as_ref(), own, &shards)
    }

    /// Waits, and remembers since when and for what. Hours and consent don't try the patience.
    fn hold(&mut self, goal: Option<Move>, wave: Option<DomainId>, verdicts: Vec<Verdict>) -> Next {
        let gates = |verdicts: &[Verdict]| verdicts.iter().map(|v| v.gate).collect::<Vec<_>>();
        let before = self.watch.held.take();
        let patient = |verdicts: &[Verdict]| {
            let waits = |v: &Verdict| matches!(v.gate, Gate::Hours | Gate::Consent);
            verdicts.iter().all(waits)
        };
        let since = match &before {
            // The soak's end doesn't make a failing gate younger.
            Some(held) if held.wave == wave && patient(&held.verdicts) == patient(&verdicts) => {
                held.since
            }
            _ => self.now,
        };
        let news = before
            .as_ref()
            .is_none_or(|held| gates(&held.verdicts) != gates(&verdicts) || held.wave != wave);
        if news {
            let what = goal.map_or("the soak".to_string(), |goal| goal.to_string());
            self.decide(Decided::Held, wave, format!("{what}: {}", words(&verdicts)));
        }
        self.watch.held = Some(Held {
            goal,
            wave,
            since,
            verdicts,
        });
        // INVARIANT (soaks are counted from their phase): a held soak began when it began.
        self.facts.since.get_or_insert(self.now);
        Next::Until(self.now.after(self.settings.gates.recheck_ms.max(1)))
    }

    fn pass(&mut self) {
        if let Some(held) = self.watch.held.take() {
            let ms = self.now.since(held.since);
            let what = held.goal.map_or("the soak".to_string(), |g| g.to_string());
            let why = format!("{what}: {} has passed after {ms} ms", names(&held.verdicts));
            self.decide(Decided::Passed, held.wave, why);
        }
    }

    fn lose_patience(&mut self, phase: (DomainId, Phase, u32), held: Next) -> Next {
        let Some(found) = self.watch.held.clone() else {
            return held;
        };
        let (domain, phase, ramp_ppm) = phase;
        let ms = self.now.since(found.since);
        let why = format!(
            "wave {domain} in {phase}: the gates have failed for {ms} ms; {}",
            words(&found.verdicts)
        );
        match self.settings.gates.after_patience {
            AfterPatience::Wait => return held,
            AfterPatience::Pause => self.pause_for(Some(domain), why),
            AfterPatience::StepBack => {
                let differs = found.verdicts.iter().any(|v| v.gate == Gate::Mismatches);
                let often = self.retreats_of(domain) >= self.settings.gates.steps_back_max;
                match phase {
                    // Going back would make the side that differs the authority.
                    Phase::Reversed if differs => self.pause_for(Some(domain), why),
                    Phase::ReadNew if !often => {
                        let smaller = self.settings.ramp_before(ramp_ppm);
                        let goal = smaller.map_or(Move::Unread, Move::Ramp);
                        let why = format!("{why}; {goal}");
                        self.log.reason.clone_from(&why);
                        self.watch.retreat = Some((domain, goal));
                        self.watch.retreats = Some((domain, self.retreats_of(domain) + 1));
                        self.watch.held = None;
                        self.decide(Decided::SteppedBack, Some(domain), why);
                    }
                    _ => self.go_back_for(Some(domain), why),
                }
            }
        }
        Next::Again
    }

    fn retreats_of(&self, domain: DomainId) -> u32 {
        match self.watch.retreats {
            Some((of, times)) if of == domain => times,
            _ => 0,
        }
    }

    /// Turns the migration round by the coordinator's own decision.
    pub(super) fn go_back_for(&mut self, wave: Option<DomainId>, why: String) {
        self.roll_back(&why);
        self.decide(Decided::RolledBack, wave, why);
    }

    /// Pauses it by the coordinator's own decision.
    pub(super) fn pause_for(&mut self, wave: Option<DomainId>, why: String) {
        self.pause(&why);
        self.decide(Decided::Paused, wave, why);
    }

    /// The next move of a step back that was decided: catch-up, then the barrier.
    fn retreat(&mut self, snapshot: &Snapshot) -> Option<Next> {
        let (domain, goal) = self.watch.retreat?;
        let stands = waves(snapshot).any(|wave| {
            wave.domain == domain && wave.phase == Phase::ReadNew && Self::barrier_fits(wave, goal)
        });
        if !stands {
            self.watch.retreat = None;
            return None;
        }
        let goal = if self.facts.caught_up {
            goal
        } else {
            Move::Copy
        };
        Some(Next::Run(goal, Some(domain)))
    }

    /// A new phase: what was found in the old one doesn't count against it.
    pub(super) fn begin_phase(&mut self, goal: Move) {
        self.facts = Facts {
            since: Some(self.now),
            ..Facts::default()
        };
        self.watch.held = None;
        if self
            .watch
            .retreat
            .is_some_and(|(_, decided)| decided == goal)
        {
            self.watch.retreat = None;
        }
        let seen = self.health().and_then(|health| health.shadow_mismatches);
        self.watch.own.shadow_base = seen.unwrap_or(self.watch.own.shadow_base);
    }

    /// When a soak has to look up: at its end, or for the next check.
    pub(super) fn soak_until(&self, snapshot: &Snapshot, ms: u64) -> Instant {
        let end = self.facts.since.unwrap_or(self.now).after(ms);
        match self.watch.checker.due(&self.settings.checks) {
            Some(due) if self.checked_waves(snapshot).next().is_some() => end.min(due),
            _ => end,
        }
    }
}

/// The wave that a move is about, or the one that is soaking: the first that isn't reversed yet,
/// else the first.
fn at_work(snapshot: &Snapshot, domain: Option<DomainId>) -> Option<&Wave> {
    match domain {
        Some(domain) => waves(snapshot).find(|wave| wave.domain == domain),
        None => waves(snapshot)
            .find(|wave| wave.phase != Phase::Reversed)
            .or_else(|| waves(snapshot).next()),
    }
}

const fn closed(gate: Gate) -> Verdict {
    Verdict {
        gate,
        state: GateState::Fails,
        found: None,
        limit: None,
    }
}

fn words(verdicts: &[Verdict]) -> String {
    let all: Vec<String> = verdicts.iter().map(ToString::to_string).collect();
    all.join("; ")
}

fn names(verdicts: &[Verdict]) -> String {
    let all: Vec<String> = verdicts.iter().map(|v| v.gate.to_string()).collect();
    all.join(", ")
}
