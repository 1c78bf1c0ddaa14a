//! What comes due by time, whatever else is done: the lead is renewed, leases are granted, shards
//! that were gone are looked for, and all of them asked now and then whether they are still who
//! they were. Duties come before the migration's own commands, so that no long copy starves them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::guard::Fence;
use crate::hash::xxh3;
use crate::ids::{DomainId, ShardId};
use crate::migration::command::{Answer, Command};
use crate::migration::coordinator::office::Office;
use crate::migration::coordinator::{Coordinator, Task};
use crate::migration::moves::{Move, Point, Stage};
use crate::migration::request::{Lineage, Mark, Request, Requested, remember};
use crate::time::Instant;
use crate::wave::Wave;

/// How often all shards are asked who they are.
const CHECK_MS: u64 = 10_000;
/// How long a lead lasts where mirrors need no lease.
pub(crate) const LEAD_MS: u32 = 2_000;

/// One thing that came due, on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Duty {
    /// Renew the lead: when it was sent, and the request that was seen to by then.
    Renew(Instant, u64),
    /// Claim a shard that was gone, or simply again.
    Claim(ShardId),
    /// Ask the leased mirror of this domain what time it is.
    Time(DomainId),
    /// Grant it a lease from the time that it said.
    Grant(DomainId, u64),
}

/// Everything that goes by time, and who can't be reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tending {
    /// Whether the coordinator goes on when its work is over, until another takes its place.
    pub(super) forever: bool,
    pub(super) duty: Option<Duty>,
    /// When the lead was last renewed, counted from the sending.
    pub(super) renewed: Instant,
    next_renewal: Instant,
    /// Not before this moment: the topology store didn't answer.
    not_again: Instant,
    /// When the next grant of a domain is due.
    grants: BTreeMap<DomainId, Instant>,
    /// Every lease that anybody has granted is over at this moment, by a clock that goes like
    /// this one.
    pub(super) leases_end: Instant,
    /// No client acts at an unfenced shard by the snapshot before the one in force, from this moment
    /// on.
    pub(super) clients_end: Instant,
    /// Who hasn't answered, and since when.
    pub(super) silent: BTreeMap<ShardId, Instant>,
    /// Who hasn't for too long. It may still be commanded by a predecessor, and wasn't asked what
    /// it has; so nothing that needs it is done.
    pub(super) gone: BTreeSet<ShardId>,
    /// Who can be reached, but waits for an install that comes behind one of somebody who can't.
    pub(super) pending: BTreeSet<ShardId>,
    /// Whose file is older than it was, or another.
    pub(super) shut: BTreeSet<ShardId>,
    next_probe: Instant,
    next_check: Instant,
    /// Whose turn it is to be asked.
    check: Option<ShardId>,
    /// Somebody has said to go on before it was read whether there is anything to go on with.
    pub(super) resumes: bool,
    /// Somebody is back: everything is to be read again before the next move.
    pub(super) reread: bool,
    /// What each shard has said of itself.
    pub(super) marks: Vec<Mark>,
    /// The claim of each that the topology store knows.
    recorded: BTreeMap<ShardId, u64>,
    /// The marks that it doesn't know yet.
    pub(super) fresh: Vec<Mark>,
    /// The last request that was seen to.
    heard: u64,
    /// The last that the topology store was told of.
    told: u64,
    /// A shard that is to be taken back.
    pub(super) readmit: Option<ShardId>,
    /// One that was, and may say of itself what it likes at its next claim.
    pub(super) readmitted: Option<ShardId>,
}

impl Tending {
    pub(super) fn new() -> Self {
        Self {
            forever: false,
            duty: None,
            renewed: Instant::ZERO,
            next_renewal: Instant::ZERO,
            not_again: Instant::ZERO,
            grants: BTreeMap::new(),
            leases_end: Instant::ZERO,
            clients_end: Instant::ZERO,
            silent: BTreeMap::new(),
            gone: BTreeSet::new(),
            pending: BTreeSet::new(),
            shut: BTreeSet::new(),
            next_probe: Instant::ZERO,
            next_check: Instant::ZERO,
            check: None,
            resumes: false,
            reread: false,
            marks: Vec::new(),
            recorded: BTreeMap::new(),
            fresh: Vec::new(),
            heard: 0,
            told: 0,
            readmit: None,
            readmitted: None,
        }
    }

    /// Whether `shard` doesn't answer, or refuses everything.
    pub(super) fn is_absent(&self, shard: ShardId) -> bool {
        self.gone.contains(&shard) || self.shut.contains(&shard)
    }

    /// Whether nothing that needs `shard` may be done.
    pub(super) fn is_blocked(&self, shard: ShardId) -> bool {
        [&self.gone, &self.pending, &self.shut]
            .iter()
            .any(|set| set.contains(&shard))
    }
}

impl Coordinator {
    /// The claim of `shard` by this coordinator. Its number is another one for each coordinator, and
    /// for each claim that the record knows: a repeat is the same claim until then.
    pub(super) fn claim(&self, shard: ShardId) -> Command {
        let follows = self.tending.recorded.get(&shard).copied().unwrap_or(0);
        let mut bytes = [0; 16];
        let parts = self.nonce.to_le_bytes().into_iter();
        let parts = parts.chain(self.term.0.to_le_bytes());
        let parts = parts.chain(shard.0.to_le_bytes());
        bytes
            .iter_mut()
            .zip(parts)
            .for_each(|(to, from)| *to = from);
        // Every store has 63 bits; 0 is no claim.
        let claim = (xxh3(&bytes, follows) >> 1).max(1);
        Command::Claim {
            shard,
            term: self.term,
            lineage: Lineage { follows, claim },
        }
    }

    /// The topology store knows these marks.
    pub(super) fn recorded(&mut self, marks: &[Mark]) {
        let claims = marks.iter().map(|mark| (mark.shard, mark.lineage.claim));
        self.tending.recorded.extend(claims);
    }

    /// The duty on its way, or the next that is due.
    pub(super) fn duty_command(&mut self) -> Option<(Point, Option<DomainId>, Command)> {
        if self.tending.duty.is_none() {
            self.tending.duty = self.next_duty();
        }
        let made = self.command_for(self.tending.duty.as_ref()?);
        if made.is_none() {
            self.tending.duty = None;
        }
        made
    }

    fn command_for(&self, duty: &Duty) -> Option<(Point, Option<DomainId>, Command)> {
        let term = self.term;
        let point = |stage| Point::new(Move::Tend, stage);
        Some(match *duty {
            Duty::Renew(_, heard) => {
                let command = Command::Renew {
                    term,
                    heard,
                    marks: self.tending.fresh.clone(),
                };
                (point(Stage::Renew), None, command)
            }
            Duty::Claim(shard) => (point(Stage::Claim), None, self.claim(shard)),
            Duty::Time(domain) => {
                let (_, _, wave) = self.find_wave(domain)?;
                let command = Command::Time { shard: wave.to };
                (point(Stage::Time), Some(domain), command)
            }
            Duty::Grant(domain, asked) => {
                let (_, _, wave) = self.find_wave(domain)?;
                let command = Command::Grant {
                    shard: wave.to,
                    term,
                    fence: Fence {
                        domain,
                        epoch: wave.epoch,
                    },
                    asked,
                    lease_ms: wave.lease_ms,
                };
                (point(Stage::Grant), Some(domain), command)
            }
        })
    }

    fn next_duty(&self) -> Option<Duty> {
        // Nothing is led yet, or led anew.
        if self.snapshot.is_none() || matches!(self.task, Task::Office(Office::Lead)) {
            return None;
        }
        let (now, tending) = (self.now, &self.tending);
        let due = |at: Instant| at <= now;
        let heard = self.heard();
        let told = heard <= tending.told || !due(tending.not_again);
        if self.must_renew() && (due(tending.next_renewal) || !told) {
            return Some(Duty::Renew(now, heard));
        }
        if !self.leads() || matches!(self.task, Task::Office(_)) {
            return None;
        }
        if let Some((&domain, _)) = tending.grants.iter().find(|&(domain, &at)| {
            due(at)
                && self
                    .find_wave(*domain)
                    .is_some_and(|(_, _, w)| self.may_grant(w))
        }) {
            return Some(Duty::Time(domain));
        }
        if due(tending.next_probe)
            && let Some(&gone) = tending.gone.first()
        {
            return Some(Duty::Claim(gone));
        }
        if tending.forever && due(tending.next_check) {
            return self.checked_after(tending.check).map(Duty::Claim);
        }
        None
    }

    /// The first reachable shard after `last`.
    fn checked_after(&self, last: Option<ShardId>) -> Option<ShardId> {
        let shards = &self.snapshot.as_ref()?.content().shards;
        shards
            .iter()
            .map(|shard| shard.id)
            .filter(|id| !self.tending.gone.contains(id))
            .find(|id| last.is_none_or(|last| *id > last))
    }

    /// Whether anything goes by the lead: leases, an idle agent's place.
    fn needs_lead(&self) -> bool {
        self.tending.forever || !self.tending.grants.is_empty()
    }

    /// Who takes office tells what shards have said when all have.
    fn must_renew(&self) -> bool {
        let told = matches!(self.task, Task::Office(_)) || self.tending.fresh.is_empty();
        self.needs_lead() || !told
    }

    /// Whether this coordinator surely leads: no other may have begun to act for a lease.
    pub(super) fn leads(&self) -> bool {
        let lease = self.lead_ms();
        let asks = matches!(self.task, Task::Office(Office::Lead));
        asks || !self.needs_lead() || self.now.since(self.tending.renewed) < lease
    }

    /// How long a lead lasts: no longer than any lease that a successor will wait out.
    fn lead_ms(&self) -> u64 {
        let grants = self.tending.grants.keys();
        let waves = grants.filter_map(|domain| Some(self.find_wave(*domain)?.2.lease_ms));
        let mine = match self.settings.lease_ms {
            0 => LEAD_MS,
            ms => ms,
        };
        waves.fold(mine, u32::min).into()
    }

    /// A grant is of the present epoch and phase: none while that is about to change.
    fn may_grant(&self, wave: &Wave) -> bool {
        let changing = match &self.task {
            Task::Move(run) if run.domain == Some(wave.domain) => {
                run.goal == Move::StepBack
                    || matches!(
                        run.stage,
                        Stage::Swap | Stage::InstallFirst | Stage::InstallOther | Stage::Lapse
                    )
            }
            _ => false,
        };
        wave.is_leased() && !changing && !self.tending.is_absent(wave.to)
    }

    /// The next moment at which a duty comes due.
    pub(super) fn next_due(&self) -> Instant {
        let tending = &self.tending;
        let mut next = Instant::NEVER;
        // What isn't done yet mustn't be waited for: its moment may have passed.
        if self.snapshot.is_none() || matches!(self.task, Task::Office(Office::Lead)) {
            return next;
        }
        if self.must_renew() {
            next = next.min(tending.next_renewal);
        }
        if !self.leads() || matches!(self.task, Task::Office(_)) {
            return next;
        }
        for (domain, at) in &tending.grants {
            if self
                .find_wave(*domain)
                .is_some_and(|(_, _, w)| self.may_grant(w))
            {
                next = next.min(*at);
            }
        }
        if !tending.gone.is_empty() {
            next = next.min(tending.next_probe);
        }
        if tending.forever && self.checked_after(tending.check).is_some() {
            next = next.min(tending.next_check);
        }
        next
    }

    /// The waves whose mirror needs a lease, whenever the snapshot has changed.
    pub(super) fn list_grants(&mut self) {
        let Some(snapshot) = &self.snapshot else {
            return;
        };
        let keyspaces = &snapshot.content().keyspaces;
        let waves = keyspaces.iter().flat_map(|keyspace| &keyspace.waves);
        // At once: until then the mirror refuses reads.
        self.tending.grants = waves
            .filter(|wave| wave.is_leased())
            .map(|wave| (wave.domain, Instant::ZERO))
            .collect();
    }

    pub(super) fn duty_answered(&mut self, duty: &Duty, answer: Answer) {
        let now = self.now;
        let retry = now.after(self.settings.retry_ms.max(1));
        match (duty, answer) {
            (Duty::Renew(sent, heard), Answer::Renewed { request }) => {
                self.tending.told = *heard;
                self.tending.renewed = *sent;
                self.tending.next_renewal = sent.after((self.lead_ms() / 4).max(1));
                let told = core::mem::take(&mut self.tending.fresh);
                self.recorded(&told);
                if let Some(requested) = request {
                    self.heed(requested);
                }
            }
            (Duty::Renew(..), _) => {
                self.tending.next_renewal = retry;
                self.tending.not_again = retry;
            }
            (Duty::Claim(shard), Answer::Claimed(mark)) => {
                let back = self.tending.gone.remove(shard);
                let known = self.knows(&mark);
                // Who is back, and who isn't who it was, is looked at from the beginning.
                let shut = self.tending.shut.contains(shard);
                if back || (!known && !shut) || mark.shut != shut {
                    self.tending.reread = true;
                }
                if known {
                    self.remember(mark);
                }
                self.looked_at(*shard);
            }
            (Duty::Claim(shard), _) => {
                self.tending.next_probe = now.after((self.settings.patience_ms / 4).max(1));
                self.looked_at(*shard);
            }
            (Duty::Time(domain), Answer::Time(asked)) if self.leads() => {
                self.tending.duty = Some(Duty::Grant(*domain, asked));
            }
            (Duty::Grant(domain, _), answer) => {
                let wave = self.find_wave(*domain).map(|(_, _, wave)| wave.lease_ms);
                let lease = u64::from(wave.unwrap_or(self.settings.lease_ms));
                // Whatever the answer: it may have been carried out.
                let end = now.after(lease);
                self.tending.leases_end = self.tending.leases_end.max(end);
                let next = match answer {
                    Answer::Done => now.after((lease / 4).max(1)),
                    _ => retry,
                };
                self.tending.grants.insert(*domain, next);
            }
            (Duty::Time(domain), _) => {
                self.tending.grants.insert(*domain, retry);
            }
        }
    }

    fn looked_at(&mut self, shard: ShardId) {
        self.tending.check = Some(shard);
        if self.checked_after(Some(shard)).is_none() {
            self.tending.check = None;
            self.tending.next_check = self.now.after(CHECK_MS);
        }
    }

    /// Whether a shard that says `mark` is who it was.
    pub(super) fn knows(&self, mark: &Mark) -> bool {
        let known = self.tending.marks.iter().find(|m| m.shard == mark.shard);
        self.tending.readmitted == Some(mark.shard) || known.is_none_or(|known| known.allows(mark))
    }

    pub(super) fn remember(&mut self, mark: Mark) {
        self.tending.readmitted = self.tending.readmitted.filter(|shard| *shard != mark.shard);
        if self.tending.marks.contains(&mark) {
            return;
        }
        remember(&mut self.tending.marks, mark);
        remember(&mut self.tending.fresh, mark);
    }

    /// What shards have said is to be known to a successor, too.
    pub(super) fn tell_marks(&mut self) {
        if !self.tending.fresh.is_empty() {
            self.tending.next_renewal = self.now;
        }
    }

    /// The last request that was not only heard, but written down.
    fn heard(&self) -> u64 {
        let begins = matches!(&self.task, Task::Move(run)
            if run.goal == Move::Enlist && run.stage == Stage::Log);
        let wanted = self.wanted.is_some() || begins;
        let open = self.undecided || wanted || self.tending.readmit.is_some();
        if open {
            self.tending.heard.saturating_sub(1)
        } else {
            self.tending.heard
        }
    }

    /// Does what somebody has asked for, where it makes sense.
    fn heed(&mut self, Requested { number, request }: Requested) {
        if number <= self.tending.heard {
            return;
        }
        self.tending.heard = number;
        let idle = self.is_idle();
        match request {
            Request::Begin(log) if idle => {
                self.wanted = Some(log);
                self.wake();
            }
            Request::Pause { reason } if !idle => self.pause(&reason),
            Request::Resume if !idle => self.resume(),
            Request::RollBack { reason } if !idle => self.roll_back(&reason),
            Request::Readmit { shard } => self.readmit(shard),
            Request::AgreeToFinish if !idle => self.agree_to_finish(),
            _ => {}
        }
    }

    /// Whether no migration is under way.
    fn is_idle(&self) -> bool {
        let content = self.snapshot.as_ref().map(|snapshot| snapshot.content());
        let waves = content.is_some_and(|c| c.keyspaces.iter().any(|k| !k.waves.is_empty()));
        !waves && self.wanted.is_none() && self.log == crate::migration::log::Log::default()
    }
}
