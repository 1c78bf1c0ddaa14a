//! Who is waited for, and until when.

use crate::guard::Refusal;
use crate::ids::ShardId;
use crate::migration::command::Answer;
use crate::migration::coordinator::tend::Duty;
use crate::migration::coordinator::{Coordinator, Ending, Task};
use crate::migration::moves::Stage;
use crate::time::Instant;

impl Coordinator {
    pub(super) fn after_duty(&mut self, duty: &Duty, answer: Answer) {
        if let Answer::TermLost { current: term }
        | Answer::Refused(Refusal::StaleTerm { seen: term }) = answer
        {
            self.task = Task::Over(Ending::SteppedDown { term });
            return;
        }
        let shard = match duty {
            Duty::Renew(..) => None,
            Duty::Claim(shard) => Some(*shard),
            Duty::Time(domain) | Duty::Grant(domain, _) => {
                self.find_wave(*domain).map(|(_, _, wave)| wave.to)
            }
        };
        let gone = self.heard_from(shard, answer != Answer::Unreachable);
        self.duty_answered(duty, answer);
        if let Some(gone) = gone {
            self.go_on_without(gone);
        }
        if self.tending.reread || gone.is_some() {
            self.wake();
        }
    }

    /// The shard that the command at hand goes to.
    pub(super) fn asks(&self) -> Option<ShardId> {
        let made = match &self.task {
            Task::Office(office) => self.office_command(office),
            Task::Move(run) => self.run_command(run),
            Task::Idle | Task::Soak { .. } | Task::Rest | Task::Over(_) => return None,
        };
        made.ok().and_then(|(_, _, command)| command.shard())
    }

    /// Until when nothing is asked, whatever comes due apart.
    pub(super) fn held_back(&self) -> Option<Instant> {
        let later = |until: Instant| (until > self.now).then_some(until);
        if !self.leads() {
            // Another may be in office by now: only renewing tells.
            return Some(Instant::NEVER);
        }
        match &self.task {
            Task::Rest => Some(Instant::NEVER),
            Task::Soak { until } => Some(*until),
            Task::Idle => None,
            Task::Move(run) if run.stage == Stage::Lapse => later(run.until),
            Task::Move(run) => {
                let until = self.not_before.max(self.until_clients(run));
                later(until).or_else(|| self.paced(run))
            }
            Task::Office(_) => later(self.not_before),
            Task::Over(_) => None,
        }
    }
}
