//! Just-in-time linearization (Lowe 2017) over the jobs of one key.
//!
//! Walks the jobs' windows in time order and keeps every configuration the register may be in. A
//! configuration changes only when a job is due that it has not done yet: then, and only then, the
//! other jobs that are ready are tried before it. If none is left, there is no order.
//!
//! What keeps the set small, and why nothing is missed:
//! - Points leave nothing that anybody needs. Where the register is free (holds a value that
//!   nobody will see again) or is written anyway, all points that are ready happen unseen on the
//!   way. So one time per configuration says which are done. The same holds for reads of nothing
//!   while nothing is there.
//! - Deletes that are ready differ only in when they are due: to take the one due first is never
//!   worse. The same for puts that need nothing to be there.
//! - Of two configurations that differ only in that one has done more unseen, or used fewer
//!   deletes of unknown outcome, the other is dropped.

use std::collections::HashSet;

use super::Violation;
use super::blocks::{Job, Kind, Plan, Start};
use crate::history::Op;

/// More deletes and puts of one key at once than this can't be told apart in `Configuration::done`.
const PENDING_MAX: usize = 128;
/// Beyond this the answer is "undecided"; real histories stay under a hundred.
const CONFIGURATIONS_MAX: usize = 20_000;
/// Stands for the job that no list has: what the register held at first.
const FIRST: usize = usize::MAX;

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
enum Register {
    Absent,
    /// Holds a value that nobody will see any more.
    Free,
    /// Holds a value that somebody will still see. All configurations are so at the same time.
    Held,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
struct Configuration {
    register: Register,
    /// A bit for each pending delete or put-if-absent that is done.
    done: u128,
    /// How many deletes of unknown outcome took effect.
    maybes: u32,
    /// Points that were ready by then are done; reads of nothing that began by then are done.
    points_ns: Option<u64>,
    absent_ns: Option<u64>,
}

/// A delete or a put that needs nothing to be there, from ready to due.
#[derive(Clone, Copy)]
struct Pending {
    job: usize,
    bit: u128,
    due_ns: u64,
    from_absent: bool,
}

#[derive(Default)]
struct Search {
    configurations: Vec<Configuration>,
    pending: Vec<Pending>,
    bits: u128,
    maybes: u32,
    /// When the open points and the open reads of nothing became ready, in order.
    points: Vec<u64>,
    absents: Vec<u64>,
}

/// What a job that is due asks of a configuration.
#[derive(Clone, Copy)]
enum Goal {
    Point { ready_ns: u64 },
    Absent { ready_ns: u64 },
    Done { bit: u128 },
    Hold { from_absent: bool },
}

/// Looks for an order of the jobs.
pub(super) fn search(ops: &[Op], plan: &Plan) -> Result<(), Violation> {
    let mut events: Vec<(u64, bool, usize)> = Vec::with_capacity(plan.jobs.len() * 2 + 1);
    for (at, job) in plan.jobs.iter().enumerate() {
        events.push((job.ready_ns, false, at));
        if job.kind != Kind::MaybeDelete {
            events.push((job.due_ns, true, at));
        }
    }
    let register = match plan.start {
        Start::Absent => Register::Absent,
        Start::Holding { until_ns: 0 } => Register::Free,
        Start::Holding { until_ns } => {
            events.push((until_ns, false, FIRST));
            Register::Held
        }
    };
    // What becomes ready at a time comes before what is due then: touching intervals overlap.
    events.sort_unstable();

    let mut search = Search::default();
    search.configurations.push(Configuration {
        register,
        done: 0,
        maybes: 0,
        points_ns: None,
        absent_ns: None,
    });
    for (now, is_due, at) in events {
        let Some(job) = plan.jobs.get(at) else {
            search.release();
            continue;
        };
        let decided = if is_due {
            search.due(now, at, job)
        } else {
            search.ready(at, job)
        };
        let alive = decided && search.configurations.len() <= CONFIGURATIONS_MAX;
        if alive && !search.configurations.is_empty() {
            continue;
        }
        if let Some(&op) = ops.get(job.op) {
            return Err(if alive {
                Violation::NoOrder { op }
            } else {
                Violation::Undecided { op }
            });
        }
    }
    Ok(())
}

impl Search {
    /// False if there are too many pending to go on.
    fn ready(&mut self, at: usize, job: &Job) -> bool {
        match job.kind {
            Kind::MaybeDelete => self.maybes += 1,
            Kind::ReadAbsent => self.absents.push(job.ready_ns),
            Kind::Point { from_absent: false } => self.points.push(job.ready_ns),
            Kind::Hold { .. } => self.release(),
            Kind::Delete | Kind::Point { from_absent: true } => {
                if self.pending.len() >= PENDING_MAX {
                    return false;
                }
                let bit = 1_u128 << self.bits.trailing_ones();
                self.bits |= bit;
                let due_ns = job.due_ns;
                let place = self.pending.partition_point(|other| other.due_ns <= due_ns);
                self.pending.insert(
                    place,
                    Pending {
                        job: at,
                        bit,
                        due_ns,
                        from_absent: job.kind != Kind::Delete,
                    },
                );
            }
        }
        true
    }

    fn release(&mut self) {
        for configuration in &mut self.configurations {
            configuration.register = Register::Free;
        }
    }

    /// Keeps what has done the job or can still do it. False if there is no telling.
    fn due(&mut self, now: u64, at: usize, job: &Job) -> bool {
        let ready_ns = job.ready_ns;
        match job.kind {
            Kind::MaybeDelete => {}
            Kind::ReadAbsent => {
                self.reach(now, Goal::Absent { ready_ns });
                forget(&mut self.absents, ready_ns);
            }
            Kind::Point { from_absent: false } => {
                self.reach(now, Goal::Point { ready_ns });
                forget(&mut self.points, ready_ns);
            }
            Kind::Delete | Kind::Point { from_absent: true } => {
                let Some(place) = self.pending.iter().position(|one| one.job == at) else {
                    return false;
                };
                let bit = self.pending.get(place).map_or(0, |one| one.bit);
                self.reach(now, Goal::Done { bit });
                self.pending.remove(place);
                self.bits &= !bit;
                for configuration in &mut self.configurations {
                    configuration.done &= !bit;
                }
            }
            Kind::Hold { from_absent } => self.reach(now, Goal::Hold { from_absent }),
        }
        self.prune();
        true
    }

    fn reach(&mut self, now: u64, goal: Goal) {
        if self.configurations.iter().all(|one| one.meets(goal)) {
            return;
        }
        let mut reached = Vec::new();
        let mut open = std::mem::take(&mut self.configurations);
        let mut seen: HashSet<Configuration> = open.iter().copied().collect();
        while let Some(one) = open.pop() {
            if let Goal::Hold { from_absent } = goal {
                reached.extend(one.hold(now, from_absent));
            } else if one.meets(goal) {
                reached.push(one);
                continue;
            }
            if seen.len() > CONFIGURATIONS_MAX {
                // `search` sees that there are too many.
                reached.append(&mut open);
                reached.extend(seen.iter().copied());
                break;
            }
            self.moves(one, now, |next| {
                if seen.insert(next) {
                    open.push(next);
                }
            });
        }
        self.configurations = reached;
    }

    /// Everything that may happen next at this moment.
    fn moves(&self, from: Configuration, now: u64, mut next: impl FnMut(Configuration)) {
        if from.register == Register::Held {
            return;
        }
        let is_absent = from.register == Register::Absent;
        let points_open = is_absent && from.points_ns < self.points.last().copied();
        let absent = Configuration {
            register: Register::Absent,
            points_ns: Some(now),
            absent_ns: Some(now),
            ..from
        };
        let free = Configuration {
            register: Register::Free,
            ..absent
        };
        let first = |from_absent| {
            self.pending
                .iter()
                .find(|one| one.from_absent == from_absent && from.done & one.bit == 0)
        };
        if let Some(delete) = first(false) {
            next(Configuration {
                done: from.done | delete.bit,
                ..absent
            });
        }
        if from.maybes < self.maybes && (!is_absent || points_open) {
            next(Configuration {
                maybes: from.maybes + 1,
                ..absent
            });
        }
        if let Some(put) = first(true)
            && is_absent
        {
            next(Configuration {
                done: from.done | put.bit,
                ..free
            });
        }
        if points_open {
            next(free);
        }
    }

    /// Drops what another configuration makes superfluous.
    fn prune(&mut self) {
        if self.configurations.len() < 2 {
            return;
        }
        let mut all = std::mem::take(&mut self.configurations);
        for one in &mut all {
            // Only what is still open can make a difference.
            one.points_ns = match one.register {
                Register::Free => self.points.last().copied(),
                Register::Absent | Register::Held => newest(&self.points, one.points_ns),
            };
            one.absent_ns = match one.register {
                Register::Absent => self.absents.last().copied(),
                Register::Free | Register::Held => newest(&self.absents, one.absent_ns),
            };
        }
        all.sort_unstable();
        all.dedup();
        for group in all.chunk_by(|a, b| (a.register, a.done) == (b.register, b.done)) {
            // In a group the fewest unknown deletes come first, so only earlier ones can win.
            let kept = self.configurations.len();
            for one in group {
                let better = |other: &Configuration| {
                    other.points_ns >= one.points_ns && other.absent_ns >= one.absent_ns
                };
                let rivals = self.configurations.get(kept..).unwrap_or_default();
                let beaten_by_later = group
                    .iter()
                    .any(|other| other != one && other.maybes == one.maybes && better(other));
                if !beaten_by_later && !rivals.iter().any(better) {
                    self.configurations.push(*one);
                }
            }
        }
    }
}

impl Configuration {
    fn meets(&self, goal: Goal) -> bool {
        match goal {
            Goal::Point { ready_ns } => {
                self.register == Register::Free || self.points_ns >= Some(ready_ns)
            }
            Goal::Absent { ready_ns } => {
                self.register == Register::Absent || self.absent_ns >= Some(ready_ns)
            }
            Goal::Done { bit } => self.done & bit != 0,
            Goal::Hold { .. } => false,
        }
    }

    /// The same after a hold began, if it can begin from here.
    fn hold(&self, now: u64, from_absent: bool) -> Option<Self> {
        let was_absent = self.register == Register::Absent;
        if self.register == Register::Held || (from_absent && !was_absent) {
            return None;
        }
        Some(Self {
            register: Register::Held,
            points_ns: if from_absent {
                self.points_ns
            } else {
                Some(now)
            },
            absent_ns: if was_absent {
                Some(now)
            } else {
                self.absent_ns
            },
            ..*self
        })
    }
}

/// The newest of the open ones that is not after the time.
fn newest(open: &[u64], until: Option<u64>) -> Option<u64> {
    let place = open.partition_point(|ready_ns| Some(*ready_ns) <= until);
    place
        .checked_sub(1)
        .and_then(|last| open.get(last))
        .copied()
}

fn forget(open: &mut Vec<u64>, ready_ns: u64) {
    if let Ok(place) = open.binary_search(&ready_ns) {
        open.remove(place);
    }
}
