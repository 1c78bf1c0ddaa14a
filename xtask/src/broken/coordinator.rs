//! What a coordinator holds: barriers, orders, take-overs, leases that it grants.

use crate::broken::{Variant, edit};

pub(super) const VARIANTS: &[Variant] = &[
    Variant {
        races: &[5],
        name: "a-carve-raises-the-home-s-epoch",
        edits: &[edit(
            "migration/transition.rs",
            r"            // The members leave home: nobody may go on writing them by the home's old epoch.
            bump_owner(content, old, from, epoch);",
            r"            // The members leave home: nobody may go on writing them by the home's old epoch.
            if !BROKEN {
                bump_owner(content, old, from, epoch);
            }",
        )],
        missed_by: &[("races", "race_5_")],
    },
    Variant {
        races: &[8],
        name: "a-successor-finishes-installs",
        edits: &[edit(
            "migration/coordinator/office.rs",
            "        for installs in unfinished(&snapshot, rows) {",
            "        for installs in unfinished(&snapshot, rows).into_iter().filter(|_| !BROKEN) {",
        )],
        missed_by: &[("races", "race_8_"), ("model", "gate::claimed_again")],
    },
    Variant {
        races: &[8],
        name: "a-successor-sees-closed-guards",
        edits: &[edit(
            "migration/coordinator/office.rs",
            ".is_some_and(|row| row.closed && row.epoch == wave.epoch)",
            ".is_some_and(|row| row.closed && row.epoch == wave.epoch && !BROKEN)",
        )],
        missed_by: &[("races", "race_8_")],
    },
    Variant {
        races: &[8],
        name: "each-install-is-waited-for",
        edits: &[edit(
            "migration/coordinator/advance.rs",
            "match (run.installs.is_empty(), run.goal) {",
            "match (run.installs.is_empty() || BROKEN, run.goal) {",
        )],
        missed_by: &[("races", "race_")],
    },
    Variant {
        races: &[9],
        name: "only-the-leader-swaps",
        edits: &[edit(
            "record/decide.rs",
            "                if *term != self.term =>",
            "                if *term != self.term && !BROKEN =>",
        )],
        missed_by: &[("races", "race_9_"), ("model", "gate::two_coordinators")],
    },
    Variant {
        races: &[9],
        name: "a-swap-is-of-one-epoch",
        edits: &[edit(
            "record/decide.rs",
            "if *expected != self.snapshot.epoch() || !forward {",
            "if (*expected != self.snapshot.epoch() || !forward) && !BROKEN {",
        )],
        missed_by: &[("races", "race_28_"), ("model", "gate::an_edit")],
    },
    Variant {
        races: &[9],
        name: "one-term-has-one-leader",
        edits: &[edit(
            "record/decide.rs",
            "        if term < self.term || theirs {",
            "        if term < self.term || (theirs && !BROKEN) {",
        )],
        missed_by: &[("lib", "race_9_")],
    },
    Variant {
        races: &[12],
        name: "prepare-purges",
        edits: &[edit(
            "migration/coordinator/advance.rs",
            r"        run.stage = stage;
        self.turn_to_abort",
            r"        run.stage = if BROKEN && run.goal == Move::Mirror && stage == Stage::Purge {
            Stage::Swap
        } else {
            stage
        };
        self.turn_to_abort",
        )],
        missed_by: &[("races", "race_12_")],
    },
    Variant {
        races: &[12],
        name: "prepare-proves-that-nothing-is-left",
        edits: &[edit(
            "migration/coordinator/advance.rs",
            "            (Stage::Prove, Answer::Rows(_)) => Stage::Purge,",
            r"            (Stage::Prove, Answer::Rows(_)) if BROKEN => Stage::Swap,
            (Stage::Prove, Answer::Rows(_)) => Stage::Purge,",
        )],
        missed_by: &[("races", "race_12_")],
    },
    Variant {
        races: &[26],
        name: "the-cursor-moves-on-acknowledgement",
        edits: &[edit(
            "migration/coordinator/advance.rs",
            "                run.chunk = (upto, rows, end);",
            r"                run.chunk = (upto, rows, end);
                if BROKEN
                    && let Some(domain) = run.domain
                    && let Some(since) = self.context(run.domain).map(|c| c.wave.authority_epoch)
                {
                    run.cursor = upto;
                    self.log.set_cursor(domain, since, upto);
                }",
        )],
        missed_by: &[("races", "race_26_")],
    },
    Variant {
        races: &[7],
        name: "a-barrier-drains",
        edits: &[edit(
            "migration/coordinator/advance.rs",
            "                if run.cursor < revision {",
            "                if run.cursor < revision && !BROKEN {",
        )],
        missed_by: &[
            ("races", "race_"),
            ("model", "gate::a_client_dies"),
            ("model", "gate::two_waves"),
        ],
    },
    Variant {
        races: &[],
        name: "a-barrier-closes-both-sides",
        edits: &[edit(
            "migration/coordinator/advance.rs",
            "                } else if run.stage == Stage::CloseFrom {",
            "                } else if run.stage == Stage::CloseFrom && !BROKEN {",
        )],
        missed_by: &[("races", "race_")],
    },
    Variant {
        races: &[25],
        name: "an-abort-without-a-drain-says-so",
        edits: &[edit(
            "migration/transition.rs",
            "            if drained {",
            "            if drained || BROKEN {",
        )],
        missed_by: &[("races", "both_shards_are_closed_and_drained")],
    },
    Variant {
        races: &[21],
        name: "a-step-back-has-drained-nothing",
        edits: &[edit(
            "migration/transition.rs",
            "            // Nothing was drained: whoever wrote under the old epoch doesn't know its fate.",
            r"            if BROKEN {
                wave.drained = epoch;
            }",
        )],
        missed_by: &[("races", "race_21_a_dead_to_steps_back")],
    },
    Variant {
        races: &[28],
        name: "an-install-has-its-own-rows-only",
        edits: &[edit(
            "migration/install.rs",
            "    let mut rows = Vec::new();\n    // Whom the members have left for the wave, or joined after it.",
            "    let mut rows = if BROKEN {\n        home_installs(snapshot, shard)\n    } else {\n        Vec::new()\n    };\n    // Whom the members have left for the wave, or joined after it.",
        )],
        missed_by: &[("races", "race_28_")],
    },
    Variant {
        races: &[18],
        name: "a-second-look-comes-after-catch-up",
        edits: &[edit(
            "migration/coordinator/advance.rs",
            r"                    self.facts.verifier = Some(verifier);
                    self.facts.caught_up = false;",
            r"                    self.facts.verifier = Some(verifier);
                    self.facts.caught_up = BROKEN;",
        )],
        missed_by: &[("gates", "race_18_")],
    },
    Variant {
        races: &[18],
        name: "a-mismatch-stood-still",
        edits: &[edit(
            "migration/verify.rs",
            ".filter(|(key, first)| now.get(key.as_slice()).copied() == first.as_ref())",
            ".filter(|(key, first)| BROKEN || now.get(key.as_slice()).copied() == first.as_ref())",
        )],
        missed_by: &[("lib", "race_18_")],
    },
    Variant {
        races: &[20],
        name: "marks-are-compared",
        edits: &[edit(
            "migration/coordinator/tend.rs",
            "        self.tending.readmitted == Some(mark.shard) || known",
            "        BROKEN || self.tending.readmitted == Some(mark.shard) || known",
        )],
        missed_by: &[
            ("races", "race_20_"),
            ("model", "gate::a_restored_shard_alone"),
        ],
    },
    Variant {
        races: &[29],
        name: "no-grant-while-the-phase-changes",
        edits: &[edit(
            "migration/coordinator/tend.rs",
            "        wave.is_leased() && !changing &&",
            "        wave.is_leased() && (!changing || BROKEN) &&",
        )],
        missed_by: &[("races", "race_29_")],
    },
    Variant {
        races: &[29],
        name: "only-who-leads-grants",
        edits: &[edit(
            "migration/coordinator/tend.rs",
            "        asks || !self.needs_lead() ||",
            "        BROKEN || asks || !self.needs_lead() ||",
        )],
        missed_by: &[("races", "race_29_")],
    },
    Variant {
        races: &[29],
        name: "leases-are-waited-out",
        edits: &[edit(
            "migration/coordinator/absent.rs",
            "        let now = self.now.after(lease_ms);",
            r"        if BROKEN {
            return self.now;
        }
        let now = self.now.after(lease_ms);",
        )],
        missed_by: &[("races", "race_29_")],
    },
    Variant {
        races: &[21],
        name: "a-successor-waits-for-its-predecessor-s-leases",
        edits: &[edit(
            "migration/coordinator/office.rs",
            "let end = self.now.after(2 * u64::from(lease));",
            "let end = self.now.after(2 * u64::from(if BROKEN { 0 } else { lease }));",
        )],
        missed_by: &[("races", "race_21_")],
    },
    Variant {
        races: &[],
        name: "order-of-the-carve",
        edits: &[edit(
            "migration/transition.rs",
            r"            wave.first = Side::To;
            // The members leave home",
            r"            wave.first = if BROKEN { Side::From } else { Side::To };
            // The members leave home",
        )],
        missed_by: &[("races", "the_place_of_reads_installs_first")],
    },
    Variant {
        races: &[],
        name: "order-of-the-ramp",
        edits: &[edit(
            "migration/transition.rs",
            "            wave.ramp_ppm = ppm;",
            r"            wave.first = if BROKEN {
                wave.first.other()
            } else {
                wave.first
            };
            wave.ramp_ppm = ppm;",
        )],
        missed_by: &[("races", "the_place_of_reads_installs_first")],
    },
    Variant {
        races: &[],
        name: "order-of-the-way-back-from-read-new",
        edits: &[edit(
            "migration/transition.rs",
            r"        (Move::Unread, Phase::ReadNew) => {
            wave.phase = Phase::DoubleWrite;
            wave.ramp_ppm = 0;
            wave.first = Side::To;",
            r"        (Move::Unread, Phase::ReadNew) => {
            wave.phase = Phase::DoubleWrite;
            wave.ramp_ppm = 0;
            wave.first = if BROKEN { Side::From } else { Side::To };",
        )],
        missed_by: &[
            ("races", "a_delete_on_its_way"),
            ("model", "gate::back_from_each_phase"),
        ],
    },
    Variant {
        races: &[],
        name: "order-of-the-switch",
        edits: &[edit(
            "migration/transition.rs",
            r"            wave.phase = Phase::Reversed;
            wave.ramp_ppm = 0;
            wave.first = Side::To;",
            r"            wave.phase = Phase::Reversed;
            wave.ramp_ppm = 0;
            wave.first = if BROKEN { Side::From } else { Side::To };",
        )],
        missed_by: &[("races", "the_place_of_reads_installs_first")],
    },
    Variant {
        races: &[],
        name: "order-of-the-switch-back",
        edits: &[edit(
            "migration/transition.rs",
            r"        (Move::SwitchBack, Phase::Reversed) => {
            wave.phase = Phase::DoubleWrite;
            wave.first = Side::To;",
            r"        (Move::SwitchBack, Phase::Reversed) => {
            wave.phase = Phase::DoubleWrite;
            wave.first = if BROKEN { Side::From } else { Side::To };",
        )],
        missed_by: &[("races", "a_delete_on_its_way")],
    },
    Variant {
        races: &[],
        name: "order-of-the-offline-switch",
        edits: &[edit(
            "migration/transition.rs",
            r"            // `from` served the reads until now.
            wave.first = Side::From;",
            r"            // `from` served the reads until now.
            wave.first = if BROKEN { Side::To } else { Side::From };",
        )],
        missed_by: &[("races", "a_delete_on_its_way")],
    },
    Variant {
        races: &[],
        name: "order-of-the-end",
        edits: &[edit(
            "migration/transition.rs",
            r"            wave.phase = Phase::Ended(Side::To);
            wave.first = Side::To;",
            r"            wave.phase = Phase::Ended(Side::To);
            wave.first = if BROKEN { Side::From } else { Side::To };",
        )],
        missed_by: &[("races", "the_place_of_reads_installs_first")],
    },
    Variant {
        races: &[],
        name: "order-of-a-cancel",
        edits: &[edit(
            "migration/transition.rs",
            r"            wave.shadow_ppm = 0;
            wave.first = Side::From;",
            r"            wave.shadow_ppm = 0;
            wave.first = if BROKEN { Side::To } else { Side::From };",
        )],
        missed_by: &[("races", "the_place_of_reads_installs_first")],
    },
    Variant {
        races: &[5],
        name: "clients-at-unfenced-shards-are-waited-for",
        edits: &[edit(
            "migration/coordinator/clients.rs",
            "let end = self.now.after(wait);",
            "let end = self.now.after(if BROKEN { 0 } else { wait });",
        )],
        missed_by: &[("races", "race_5_"), ("model", "gate::no_fence_on_from")],
    },
    Variant {
        races: &[6],
        name: "a-pause-goes-round-a-change-of-the-reads",
        edits: &[edit(
            "migration/coordinator/clients.rs",
            "if run.stage == Stage::CloseFrom && needed {",
            "if run.stage == Stage::CloseFrom && needed && !BROKEN {",
        )],
        missed_by: &[
            ("races", "race_5_by_every"),
            ("model", "gate::no_fence_on_from"),
        ],
    },
    Variant {
        races: &[20],
        name: "claims-form-a-chain",
        edits: &[edit(
            "migration/request.rs",
            "        let linked = ",
            "        let linked = BROKEN || ",
        )],
        missed_by: &[
            ("races", "race_20_"),
            ("model", "gate::a_restored_shard_alone"),
        ],
    },
    Variant {
        races: &[],
        name: "a-wish-beside-another-is-written-too",
        edits: &[edit(
            "migration/coordinator/advance.rs",
            "is_some_and(|log| self.log.says(&log))",
            "is_some_and(|log| self.log.says(&log) || BROKEN)",
        )],
        missed_by: &[("unattended", "a_wish_beside")],
    },
    Variant {
        races: &[],
        name: "clients-can-follow-an-edit",
        edits: &[edit(
            "record/decide.rs",
            "if let Err(error) = self.snapshot.check_edit(snapshot) {",
            r"if let Err(error) = self.snapshot.check_edit(snapshot)
                    && !BROKEN
                {",
        )],
        missed_by: &[("lib", "a_swap_that_clients")],
    },
];
