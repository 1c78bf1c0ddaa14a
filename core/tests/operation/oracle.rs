//! What an operation may do, said a second time and in another way: from the list of all that was
//! sent, answered and learnt, without its states.

use ringshift::{
    Attempt, AttemptId, AttemptKind, OperationError, Outcome, Payload, Plan, Policy, ReadPlace,
    Refusal, Reply, Version,
};

/// One attempt, the plan that was in force when it was sent, and its reply if it counted.
struct Entry {
    attempt: Attempt,
    plan: Plan,
    reply: Option<Reply>,
}

pub(crate) struct Oracle {
    is_write: bool,
    policy: Policy,
    /// The plan in force.
    plan: Plan,
    known: Vec<Plan>,
    log: Vec<Entry>,
    ended: Option<Outcome>,
}

impl Oracle {
    pub(crate) fn new(is_write: bool, plan: Plan, policy: Policy) -> Self {
        Self {
            is_write,
            policy,
            plan,
            known: vec![plan],
            log: Vec::new(),
            ended: None,
        }
    }

    pub(crate) fn last_sent(&self) -> Option<Attempt> {
        self.log.last().map(|entry| entry.attempt)
    }

    pub(crate) fn has_applied(&self) -> bool {
        self.log.iter().any(|entry| is_found(&entry.attempt))
    }

    pub(crate) fn snapshot(&mut self, plan: Plan) {
        self.known.push(plan);
    }

    /// The plan is one that was given, and never goes back.
    pub(crate) fn check_plan(&mut self, plan: &Plan) {
        assert!(self.known.contains(plan), "an invented plan");
        assert!(plan.snapshot >= self.plan.snapshot, "back an epoch");
        assert!(plan.snapshot > self.plan.snapshot || *plan == self.plan);
        self.plan = *plan;
    }

    pub(crate) fn reply(&mut self, id: AttemptId, reply: Reply) {
        let entry = self.log.last_mut().unwrap();
        assert_eq!(entry.attempt.id, id, "a reply to another attempt counted");
        assert!(entry.attempt.blocking && entry.reply.is_none());
        assert_eq!(self.ended, None);
        entry.reply = Some(reply);
    }

    pub(crate) fn sent(&mut self, attempt: Attempt, plan: &Plan) {
        self.check_plan(plan);
        assert_eq!(self.ended, None, "sent after the end");
        let last = self.log.last().map_or(0, |entry| entry.attempt.id.0);
        assert!(attempt.id.0 > last, "a number used again");
        assert!(
            self.log.len() < usize::from(self.policy.attempts_max) || !attempt.blocking,
            "more attempts than the cap"
        );
        assert_eq!(attempt.keyspace, plan.keyspace);
        assert_eq!(
            (attempt.slot, attempt.stored_slot),
            (plan.slot, plan.stored_slot)
        );

        let first = match plan.read {
            ReadPlace::One(shard) | ReadPlace::Fallback { first: shard, .. } => shard,
        };
        match attempt.kind {
            AttemptKind::Read => {
                assert!(!self.is_write && attempt.blocking);
                assert_eq!(attempt.fence, plan.fence);
                assert!(attempt.shard == first || self.may_look_behind(&attempt, plan));
            }
            AttemptKind::Write | AttemptKind::Confirm => {
                assert!(self.is_write && attempt.blocking);
                assert_eq!((attempt.shard, attempt.fence), (plan.authority, plan.fence));
                let unsure = self.log.iter().any(Entry::may_be_applied);
                let asks = attempt.kind == AttemptKind::Confirm;
                assert_eq!(
                    asks, unsure,
                    "a write sent twice, or asked about for nothing"
                );
                assert!(!asks || self.policy.confirm);
                assert!(self.accepted().is_none(), "it was accepted already");
            }
            AttemptKind::Apply {
                version,
                payload: Payload::Own,
            } => {
                let (accepted, given) = self.accepted().unwrap();
                assert_eq!(version, given);
                assert_eq!(Some(attempt.shard), accepted.plan.mirror);
                assert_eq!(attempt.fence, accepted.plan.fence, "stamped anew");
                assert_eq!(attempt.blocking, accepted.plan.strict);
            }
            AttemptKind::Apply {
                version,
                payload: Payload::FoundBy(id),
            } => {
                let source = self.log.last().unwrap();
                assert_eq!(
                    source.attempt.id, id,
                    "what was found must be the last thing seen"
                );
                assert_eq!(source.shows(), Some(version));
                assert_eq!(source.attempt.fence, attempt.fence, "stamped anew");
                assert_eq!(attempt.fence, plan.fence);
                assert_eq!(attempt.shard, first);
                assert_ne!(source.attempt.shard, first, "put where it was found");
                assert!(attempt.blocking);
            }
        }
        self.log.push(Entry {
            attempt,
            plan: *plan,
            reply: None,
        });
    }

    /// The first place has just said, by this plan, that it has nothing.
    fn may_look_behind(&self, attempt: &Attempt, plan: &Plan) -> bool {
        let ReadPlace::Fallback { first, second } = plan.read else {
            return false;
        };
        self.log.last().is_some_and(|before| {
            attempt.shard == second
                && before.plan == *plan
                && before.attempt.shard == first
                && before.attempt.kind == AttemptKind::Read
                && before.reply == Some(Reply::Missing)
        })
    }

    /// The attempt that the authority said yes to, and the version it gave.
    fn accepted(&self) -> Option<(&Entry, Version)> {
        self.log
            .iter()
            .find_map(|entry| match (entry.attempt.kind, entry.reply) {
                (AttemptKind::Write | AttemptKind::Confirm, Some(Reply::Written { version })) => {
                    Some((entry, version))
                }
                _ => None,
            })
    }

    pub(crate) fn ended(&mut self, outcome: Outcome) {
        if let Some(before) = self.ended {
            assert_eq!(outcome, before);
            return;
        }
        self.ended = Some(outcome);
        let unsure = self.log.iter().any(Entry::may_be_applied);
        match outcome {
            Outcome::Written { version, lagging } => {
                let (entry, given) = self.accepted().unwrap();
                assert_eq!(version, given);
                let relaxed = entry.plan.mirror.filter(|_| !entry.plan.strict);
                assert_eq!(lagging, relaxed);
                self.why_written();
            }
            Outcome::Conflict { found } => {
                let entry = self.log.iter().rfind(|e| !is_found(&e.attempt)).unwrap();
                assert_eq!(entry.reply, Some(Reply::Conflict { found }));
                let behind = matches!(entry.plan.read, ReadPlace::Fallback { .. });
                assert!(!behind || found.is_none() || self.was_put(entry));
                assert!(!unsure && self.accepted().is_none());
            }
            Outcome::Value { from, version } => {
                let entry = self.log.iter().find(|e| e.attempt.id == from).unwrap();
                assert_eq!(entry.reply, Some(Reply::Found { version }));
                assert!(entry.is_first_place() || self.was_put(entry));
            }
            Outcome::Missing => {
                assert!(!self.is_write);
                let entry = self.log.iter().rfind(|e| !is_found(&e.attempt)).unwrap();
                match entry.reply {
                    Some(Reply::Missing) => {
                        let behind = matches!(entry.plan.read, ReadPlace::Fallback { .. });
                        assert!(!behind || !entry.is_first_place());
                    }
                    Some(Reply::Deleted { .. }) => {
                        assert!(entry.is_first_place() || self.was_put(entry));
                    }
                    other => panic!("missing after {other:?}"),
                }
            }
            Outcome::Failed(OperationError::Indeterminate { version }) => {
                assert!(self.is_write);
                assert_eq!(version, self.accepted().map(|(_, version)| version));
                assert!(unsure || version.is_some(), "nothing is unknown");
            }
            Outcome::Failed(_) => {
                assert!(!unsure, "reported as failed, and may have been done");
                assert!(
                    self.accepted().is_none(),
                    "reported as failed, and was done"
                );
            }
        }
    }

    /// Why a write may be called written: the ack rule that holds. Panics if none does.
    pub(crate) fn why_written(&self) -> &'static str {
        let (accepted, version) = self.accepted().unwrap();
        let plan = &accepted.plan;
        if plan.mirror.is_none() {
            return "written, no mirror";
        }
        let mirrored = |entry: &&Entry| {
            let payload = Payload::Own;
            entry.attempt.kind == AttemptKind::Apply { version, payload }
        };
        let mut mirrored = self.log.iter().filter(mirrored).peekable();
        if !plan.strict {
            assert!(mirrored.peek().is_some(), "its mirror write was never sent");
            return "written, relaxed";
        }
        for entry in mirrored {
            match entry.reply {
                Some(Reply::Written { .. } | Reply::Superseded) => return "written, mirrored",
                Some(Reply::Refused(Refusal::StaleEpoch { drained, .. }))
                    if drained > plan.fence.epoch =>
                {
                    return "written, drained";
                }
                Some(Reply::Refused(Refusal::StaleEpoch { current, .. }))
                    if self.known.iter().any(|new| {
                        new.snapshot >= current
                            && new.mirror.is_none()
                            && new.authority == plan.authority
                    }) =>
                {
                    return "written, no mirror any more";
                }
                _ => {}
            }
        }
        panic!("written before its ack rule holds");
    }

    /// What that entry showed was put into the first place.
    fn was_put(&self, shown: &Entry) -> bool {
        let version = shown.shows().unwrap();
        let payload = Payload::FoundBy(shown.attempt.id);
        self.log.iter().any(|entry| {
            entry.attempt.kind == AttemptKind::Apply { version, payload }
                && matches!(entry.reply, Some(Reply::Written { .. } | Reply::Superseded))
        })
    }
}

impl Entry {
    /// A write that nobody has said no to.
    fn may_be_applied(&self) -> bool {
        let no = matches!(
            self.reply,
            Some(
                Reply::Refused(_)
                    | Reply::Conflict { .. }
                    | Reply::Failed(ringshift::Failure::NotSent | ringshift::Failure::Rejected)
            )
        );
        self.attempt.kind == AttemptKind::Write && !no
    }

    fn is_first_place(&self) -> bool {
        match self.plan.read {
            ReadPlace::One(shard) | ReadPlace::Fallback { first: shard, .. } => {
                self.attempt.shard == shard
            }
        }
    }

    /// The version of the row or tombstone that the reply shows.
    fn shows(&self) -> Option<Version> {
        match self.reply? {
            Reply::Found { version } | Reply::Deleted { version } => Some(version),
            Reply::Conflict { found } => found,
            Reply::Missing
            | Reply::Written { .. }
            | Reply::Superseded
            | Reply::Refused(_)
            | Reply::Failed(_) => None,
        }
    }
}

fn is_found(attempt: &Attempt) -> bool {
    matches!(
        attempt.kind,
        AttemptKind::Apply {
            payload: Payload::FoundBy(_),
            ..
        }
    )
}
