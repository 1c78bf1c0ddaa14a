//! What a shard holds: its guard, its rows, its leases.

use crate::broken::{Variant, edit};

pub(super) const VARIANTS: &[Variant] = &[
    Variant {
        races: &[1, 2],
        name: "put-if-newer",
        edits: &[edit(
            "store/decide.rs",
            "Some(present) if present.version >= version =>",
            "Some(present) if present.version >= version && !BROKEN =>",
        )],
        missed_by: &[("races", "race_1_"), ("races", "race_2_")],
    },
    Variant {
        races: &[13],
        name: "a-repeated-write-is-known-by-its-name",
        edits: &[edit(
            "store/decide.rs",
            r"    if let Some(present) = present
        && present.op == op
    {",
            r"    if let Some(present) = present
        && present.op == op
        && !BROKEN
    {",
        )],
        missed_by: &[("races", "race_13_")],
    },
    Variant {
        races: &[3],
        name: "a-delete-in-a-wave-leaves-a-tombstone",
        edits: &[edit(
            "store/decide.rs",
            "Intent::Delete if guard.in_wave =>",
            "Intent::Delete if guard.in_wave && !BROKEN =>",
        )],
        missed_by: &[("races", "race_3_")],
    },
    Variant {
        races: &[],
        name: "a-removed-row-raises-the-floor",
        edits: &[edit(
            "store/decide.rs",
            "present.map(|row| row.version), floor);",
            "present.map(|row| row.version), if BROKEN { Version::ZERO } else { floor });",
        )],
        missed_by: &[("lib", "store::decide"), ("sim", "a_few_worlds")],
    },
    Variant {
        races: &[5],
        name: "an-older-epoch-is-refused",
        edits: &[edit(
            "guard/mod.rs",
            "    if fence.epoch < current {",
            "    if fence.epoch < current && !BROKEN {",
        )],
        missed_by: &[("races", "race_5_")],
    },
    Variant {
        races: &[15],
        name: "copies-carry-their-epoch",
        edits: &[edit(
            "guard/mod.rs",
            "    if fence.epoch < current",
            "    if fence.epoch < current && !(BROKEN && matches!(access, Access::Copy(_)))",
        )],
        missed_by: &[("races", "race_15_")],
    },
    Variant {
        races: &[],
        name: "nothing-is-routed-at-epoch-0",
        edits: &[edit(
            "guard/mod.rs",
            "    if current == Epoch::ZERO {",
            "    if current == Epoch::ZERO && !BROKEN {",
        )],
        missed_by: &[("lib", "a_shut_shard_refuses_epoch_0_too")],
    },
    Variant {
        races: &[6],
        name: "a-client-ahead-waits",
        edits: &[edit(
            "guard/mod.rs",
            "    if fence.epoch > current {",
            "    if fence.epoch > current && !BROKEN {",
        )],
        missed_by: &[("races", "race_6_")],
    },
    Variant {
        races: &[27],
        name: "the-shard-s-own-map-decides",
        edits: &[edit(
            "guard/mod.rs",
            "    if holder != Some(fence.domain) {",
            "    if holder != Some(fence.domain) && !BROKEN {",
        )],
        missed_by: &[("races", "race_27_")],
    },
    Variant {
        races: &[7],
        name: "a-closed-domain-takes-no-writes",
        edits: &[edit(
            "guard/mod.rs",
            "Access::Write => (row.role == Role::Authority, row.closed)",
            "Access::Write => (row.role == Role::Authority, row.closed && !BROKEN)",
        )],
        missed_by: &[("races", "race_"), ("sim", "a_few_worlds")],
    },
    Variant {
        races: &[],
        name: "a-closed-domain-takes-no-applies",
        edits: &[edit(
            "guard/mod.rs",
            "Access::Apply => (row.role.is_mirror(), row.closed)",
            "Access::Apply => (row.role.is_mirror(), row.closed && !BROKEN)",
        )],
        missed_by: &[("lib", "guard")],
    },
    Variant {
        races: &[23],
        name: "a-purge-needs-a-domain-without-a-role",
        edits: &[edit(
            "guard/mod.rs",
            "Access::Purge(_) => (row.role == Role::None, false)",
            "Access::Purge(_) => (row.role == Role::None || BROKEN, false)",
        )],
        missed_by: &[("races", "race_23_")],
    },
    Variant {
        races: &[3],
        name: "tombstones-of-a-wave-stay",
        edits: &[edit(
            "guard/mod.rs",
            "Access::Collect(_) => (row.role == Role::Authority && !row.in_wave, false)",
            "Access::Collect(_) => (row.role == Role::Authority && (BROKEN || !row.in_wave), false)",
        )],
        missed_by: &[("lib", "guard")],
    },
    Variant {
        races: &[9],
        name: "terms",
        edits: &[edit(
            "guard/mod.rs",
            "    if term < seen {",
            "    if term < seen && !BROKEN {",
        )],
        missed_by: &[("races", "race_9_")],
    },
    Variant {
        races: &[22],
        name: "guards-rise",
        edits: &[edit(
            "guard/mod.rs",
            "new.epoch > current.epoch)",
            "new.epoch > current.epoch || (BROKEN && new.epoch == current.epoch))",
        )],
        missed_by: &[("races", "race_22_")],
    },
    Variant {
        races: &[22],
        name: "a-close-is-of-one-epoch",
        edits: &[edit(
            "guard/mod.rs",
            "    (current.epoch == epoch).then",
            "    (current.epoch == epoch || BROKEN).then",
        )],
        missed_by: &[("lib", "guard")],
    },
    Variant {
        races: &[29],
        name: "a-mirror-reads-only-under-a-lease",
        edits: &[edit(
            "guard/mod.rs",
            "Access::Read if row.role == Role::LeasedMirror =>",
            "Access::Read if row.role == Role::LeasedMirror && !BROKEN =>",
        )],
        missed_by: &[("races", "race_29_")],
    },
    Variant {
        races: &[29],
        name: "a-grant-is-of-one-epoch",
        edits: &[edit(
            "guard/lease.rs",
            "    if fence.epoch < current {",
            "    if fence.epoch < current && !BROKEN {",
        )],
        missed_by: &[("races", "race_29_")],
    },
    Variant {
        races: &[29],
        name: "another-epoch-ends-the-lease",
        edits: &[edit(
            "guard/shard.rs",
            "            self.leases.remove(&row.domain);",
            r"            if !BROKEN {
                self.leases.remove(&row.domain);
            }",
        )],
        missed_by: &[("lib", "guard::")],
    },
    Variant {
        races: &[20],
        name: "a-shut-shard-refuses-everybody",
        edits: &[edit(
            "guard/shard.rs",
            "Some(in_force(*row, leased, self.shut))",
            "Some(in_force(*row, leased, self.shut && !BROKEN))",
        )],
        missed_by: &[("races", "race_20_")],
    },
    Variant {
        races: &[10],
        name: "a-transaction-reads-where-it-could-write",
        edits: &[edit(
            "store/batch.rs",
            "AttemptKind::Read | AttemptKind::Write => Access::Write,",
            r"AttemptKind::Read if BROKEN => Access::Read,
            AttemptKind::Read | AttemptKind::Write => Access::Write,",
        )],
        missed_by: &[("races", "race_10_")],
    },
    Variant {
        races: &[10],
        name: "a-commit-compares-what-was-read",
        edits: &[edit(
            "store/batch.rs",
            "Expected::Row(version) if live.map(|row| row.version) != version =>",
            "Expected::Row(version) if live.map(|row| row.version) != version && !BROKEN =>",
        )],
        missed_by: &[("races", "race_10_")],
    },
    Variant {
        races: &[10],
        name: "one-fence-refuses-the-whole-batch",
        edits: &[edit(
            "store/batch.rs",
            "Reply::Refused(refusal) => return Err(BatchReply::Refused(refusal)),",
            r"Reply::Refused(_) if BROKEN => decisions.push(decision),
            Reply::Refused(refusal) => return Err(BatchReply::Refused(refusal)),",
        )],
        missed_by: &[("races", "race_10_")],
    },
];
