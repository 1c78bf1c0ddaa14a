//! What a client holds: its operations, its refreshes, its map.

use crate::broken::{Variant, edit};

pub(super) const VARIANTS: &[Variant] = &[
    Variant {
        races: &[3],
        name: "a-tombstone-is-a-hit",
        edits: &[edit(
            "policy/read.rs",
            "        Reply::Deleted { .. } => AfterRead::Answer(Outcome::Missing),",
            r"        Reply::Deleted { .. } if behind && BROKEN => AfterRead::LookBehind,
        Reply::Deleted { .. } => AfterRead::Answer(Outcome::Missing),",
        )],
        missed_by: &[("races", "race_3_")],
    },
    Variant {
        races: &[3],
        name: "a-tombstone-is-repaired",
        edits: &[edit(
            "policy/read.rs",
            "        Reply::Deleted { version } => AfterRead::Repair {",
            r"        Reply::Deleted { .. } if BROKEN => AfterRead::Answer(Outcome::Missing),
        Reply::Deleted { version } => AfterRead::Repair {",
        )],
        missed_by: &[("races", "race_3_")],
    },
    Variant {
        races: &[4],
        name: "read-repair",
        edits: &[edit(
            "op/react.rs",
            "            AfterRead::Repair { version, deleted } => State::Ready {",
            r"            AfterRead::Repair {
                version,
                deleted: false,
            } if BROKEN => State::Done(Outcome::Value { from: id, version }),
            AfterRead::Repair { version, deleted } => State::Ready {",
        )],
        missed_by: &[("races", "race_4_"), ("model", "gate::read_repair")],
    },
    Variant {
        races: &[4],
        name: "a-repair-keeps-its-stamp",
        edits: &[
            edit(
                "op/react.rs",
                "let goal = goal.restart();\n                State::Stale",
                "let goal = if BROKEN && matches!(goal, Goal::Repair { .. }) {\n    goal\n} else {\n    goal.restart()\n};\n                State::Stale",
            ),
            edit(
                "op/react.rs",
                "let goal = goal.restart();\n        match next {",
                "let goal = if BROKEN && matches!(goal, Goal::Repair { .. }) {\n    goal\n} else {\n    goal.restart()\n};\n        match next {",
            ),
            edit(
                "op/mod.rs",
                "let goal = goal.restart();",
                "let goal = if BROKEN && matches!(goal, Goal::Repair { .. }) {\n    goal\n} else {\n    goal.restart()\n};",
            ),
        ],
        missed_by: &[("races", "race_4_")],
    },
    Variant {
        races: &[4],
        name: "a-refused-put-if-shows-what-others-see",
        edits: &[edit(
            "op/react.rs",
            "                (ReadPlace::Fallback { .. }, Some(version)) => {",
            r"                (ReadPlace::Fallback { .. }, Some(_)) if BROKEN => {
                    State::Done(Outcome::Conflict { found })
                }
                (ReadPlace::Fallback { .. }, Some(version)) => {",
        )],
        missed_by: &[("lib", "op::")],
    },
    Variant {
        races: &[7],
        name: "strict-acknowledgements",
        edits: &[edit(
            "policy/write.rs",
            "    if plan.strict {",
            "    if plan.strict && !BROKEN {",
        )],
        missed_by: &[("races", "race_7_")],
    },
    Variant {
        races: &[7],
        name: "a-mirror-write-keeps-its-stamp",
        edits: &[edit(
            "op/mod.rs",
            "            if newer_than.is_some_and(|epoch| plan.snapshot > epoch) {",
            r"            if newer_than.is_some_and(|epoch| plan.snapshot > epoch) && BROKEN {
                let fence = plan.fence;
                let goal = Goal::Mirror(Accepted { fence, ..accepted });
                self.state = State::Ready { goal, now };
                return;
            }
            if newer_than.is_some_and(|epoch| plan.snapshot > epoch) {",
        )],
        missed_by: &[("lib", "op::")],
    },
    Variant {
        races: &[13],
        name: "a-write-is-never-sent-twice",
        edits: &[edit(
            "op/react.rs",
            "            (Goal::Write, Failure::MaybeApplied) if self.budget.confirms() => {",
            r"            (Goal::Write, Failure::MaybeApplied) if BROKEN => {
                self.pause(now, Goal::Write, BackoffClass::Unavailable)
            }
            (Goal::Write, Failure::MaybeApplied) if self.budget.confirms() => {",
        )],
        missed_by: &[("lib", "race_13_")],
    },
    Variant {
        races: &[25],
        name: "rule-a-is-above-not-at",
        edits: &[edit(
            "policy/write.rs",
            "if drained > accepted.fence.epoch",
            "if drained > accepted.fence.epoch || (BROKEN && drained == accepted.fence.epoch)",
        )],
        missed_by: &[("races", "race_25_")],
    },
    Variant {
        races: &[25],
        name: "a-stale-mirror-is-not-done",
        edits: &[edit(
            "policy/write.rs",
            "if drained > accepted.fence.epoch",
            "if BROKEN || drained > accepted.fence.epoch",
        )],
        missed_by: &[("races", "race_25_")],
    },
    Variant {
        races: &[25],
        name: "rule-c-asks-who-orders",
        edits: &[edit(
            "policy/write.rs",
            "    plan.mirror.is_none() && plan.authority == accepted.authority",
            "    BROKEN || (plan.mirror.is_none() && plan.authority == accepted.authority)",
        )],
        missed_by: &[("races", "race_25_")],
    },
    Variant {
        races: &[11],
        name: "one-refresh-a-process",
        edits: &[edit(
            "policy/refresh.rs",
            "        if self.in_flight {",
            "        if self.in_flight && !BROKEN {",
        )],
        missed_by: &[("lib", "race_11_")],
    },
    Variant {
        races: &[11],
        name: "who-finds-nothing-new-waits",
        edits: &[edit(
            "policy/refresh.rs",
            "        if now < self.not_before {",
            "        if now < self.not_before && !BROKEN {",
        )],
        missed_by: &[("lib", "race_11_")],
    },
    Variant {
        races: &[17],
        name: "an-operation-never-goes-back",
        edits: &[
            edit(
                "op/mod.rs",
                "|| plan.snapshot < self.plan.snapshot {",
                "|| (plan.snapshot < self.plan.snapshot && !BROKEN) {",
            ),
            edit(
                "op/mod.rs",
                "        if plan.snapshot <= self.plan.snapshot {",
                "        if plan.snapshot <= self.plan.snapshot && !BROKEN {",
            ),
        ],
        missed_by: &[("races", "race_17_")],
    },
    Variant {
        races: &[16],
        name: "a-router-never-goes-back",
        edits: &[edit(
            "snapshot/mod.rs",
            "        if theirs < ours {",
            "        if theirs < ours && !BROKEN {",
        )],
        missed_by: &[("snapshot", "race_16_")],
    },
    Variant {
        races: &[16],
        name: "what-is-older-is-no-successor",
        edits: &[edit(
            "snapshot/mod.rs",
            "        Ok(theirs > ours)",
            "        Ok(theirs > ours || BROKEN)",
        )],
        missed_by: &[("snapshot", "race_")],
    },
    Variant {
        races: &[19],
        name: "a-cluster-s-name",
        edits: &[edit(
            "snapshot/mod.rs",
            "        if self.content.cluster != newer.content.cluster {",
            "        if self.content.cluster != newer.content.cluster && !BROKEN {",
        )],
        missed_by: &[("snapshot", "race_19_")],
    },
    Variant {
        races: &[19],
        name: "a-fork-is-seen",
        edits: &[edit(
            "snapshot/mod.rs",
            "        if theirs == ours && self.digest != newer.digest {",
            "        if theirs == ours && self.digest != newer.digest && !BROKEN {",
        )],
        missed_by: &[("snapshot", "race_19_")],
    },
    Variant {
        races: &[19],
        name: "the-digest",
        edits: &[edit(
            "snapshot/codec.rs",
            "    if sha256(body_bytes) != digest {",
            "    if sha256(body_bytes) != digest && !BROKEN {",
        )],
        missed_by: &[("snapshot", "")],
    },
    Variant {
        races: &[19],
        name: "the-length",
        edits: &[edit(
            "snapshot/codec.rs",
            "    if expected != bytes.len() as u64 {",
            "    if expected != bytes.len() as u64 && !BROKEN {",
        )],
        missed_by: &[("snapshot", "")],
    },
    Variant {
        races: &[18],
        name: "a-shadow-read-looks-twice",
        edits: &[edit(
            "shadow.rs",
            "Some(kind) if unchanged =>",
            "Some(kind) if unchanged || BROKEN =>",
        )],
        missed_by: &[("lib", "race_18_")],
    },
    Variant {
        races: &[17],
        name: "an-attempt-begins-within-its-lease",
        edits: &[edit(
            "policy/lease.rs",
            "    now < leased.until &&",
            "    (BROKEN || now < leased.until) &&",
        )],
        missed_by: &[("races", "race_17_"), ("model", "gate::no_fence_on_from")],
    },
    Variant {
        races: &[6],
        name: "paused-writes-wait",
        edits: &[edit(
            "policy/lease.rs",
            "!(writes && leased.switching)",
            "!(writes && leased.switching && !BROKEN)",
        )],
        missed_by: &[("races", "race_6_"), ("model", "gate::no_fence_on_from")],
    },
    Variant {
        races: &[5],
        name: "a-lease-counts-from-the-sending",
        edits: &[edit(
            "policy/refresh.rs",
            "known.1.max(sent)",
            "known.1.max(if BROKEN { now } else { sent })",
        )],
        missed_by: &[("races", "race_5_")],
    },
    Variant {
        races: &[16],
        name: "an-older-map-has-no-newer-one-s-lease",
        edits: &[edit(
            "policy/refresh.rs",
            "&& plan.snapshot >= epoch",
            "&& (BROKEN || plan.snapshot >= epoch)",
        )],
        missed_by: &[("races", "race_16_")],
    },
    Variant {
        races: &[5],
        name: "who-froze-sends-nothing",
        edits: &[edit(
            "step.rs",
            "|unfenced| unfenced.until <= now",
            "|unfenced| unfenced.until <= now && !BROKEN",
        )],
        missed_by: &[("races", "race_5_")],
    },
];
