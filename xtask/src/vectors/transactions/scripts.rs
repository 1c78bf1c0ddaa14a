//! The transactions' stories: what one is told. What it says is recorded.

use ringshift::{Failure, Phase, Policy, Refusal, Reply, ShardId, Snapshot, Use, Version};

use crate::vectors::clusters::{Place, demo, epoch, ramp, wave};

/// One story.
pub(super) struct Script {
    pub(super) name: &'static str,
    pub(super) snapshots: Vec<Snapshot>,
    /// The slots that its keys are in.
    pub(super) slots: &'static [u32],
    pub(super) policy: Policy,
    /// Whether the work can be done once more.
    pub(super) again: bool,
    pub(super) events: Vec<Does>,
}

/// One event.
#[derive(Clone)]
pub(super) enum Does {
    /// The last batch is carried out: this reply for each of its parts.
    Gets(Reply),
    /// It isn't: the row of a part isn't as expected.
    Conflicts(usize, Option<Version>),
    Refused(Refusal),
    Fails(Failure),
    /// A reply to a batch that isn't waited for.
    GetsInVain(u32),
    /// What the work has done with each key.
    Commits(Vec<Use>),
    RollsBack,
    /// A snapshot of the list.
    Learns(usize),
    /// Time passes until it wants to be called.
    Wakes,
    /// Time passes.
    Passes(u64),
}

use Does::{
    Commits, Conflicts, Fails, Gets, GetsInVain, Learns, Passes, Refused, RollsBack, Wakes,
};

const FROM: Place = Place::Home(ShardId(1));
const TO: Place = Place::Home(ShardId(2));
const DOUBLE: Place = wave(Phase::DoubleWrite);
const STRICT: Place = Place::Wave {
    phase: Phase::DoubleWrite,
    ppm: 0,
    strict: true,
};
const REVERSED: Place = wave(Phase::Reversed);

/// Two keys that move, and one of the same shard that stays.
const KEYS: &[u32] = &[3, 7, 12];
const MOVING: &[u32] = &[0, 5];
const READ: Use = Use {
    read: true,
    write: false,
};
const WRITE: Use = Use {
    read: false,
    write: true,
};
const BOTH: Use = Use {
    read: true,
    write: true,
};
const NEITHER: Use = Use {
    read: false,
    write: false,
};

fn version(n: u32) -> Version {
    Version::new(epoch(5), n)
}

fn found(n: u32) -> Does {
    Gets(Reply::Found {
        version: version(n),
    })
}

fn written(n: u32) -> Does {
    Gets(Reply::Written {
        version: version(n),
    })
}

fn stale(current: u32, drained: u32) -> Does {
    Refused(Refusal::StaleEpoch {
        current: epoch(current),
        drained: epoch(drained),
    })
}

fn not_ready(current: u32) -> Does {
    Refused(Refusal::NotReady {
        current: epoch(current),
    })
}

fn story(
    name: &'static str,
    places: &[Place],
    slots: &'static [u32],
    again: bool,
    events: Vec<Does>,
) -> Result<Script, String> {
    let snapshots = (5..).zip(places).map(|(at, &place)| demo(at, at, place));
    Ok(Script {
        name,
        snapshots: snapshots.collect::<Result<_, _>>()?,
        slots,
        again,
        policy: Policy {
            seed: 11,
            ..Policy::default()
        },
        events,
    })
}

/// All of them.
#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn all() -> Result<Vec<Script>, String> {
    let lost = || Fails(Failure::MaybeApplied);
    let missing = || Gets(Reply::Missing);
    let mut scripts = vec![
        story(
            "all keys are read, and written",
            &[FROM],
            KEYS,
            false,
            vec![found(1), Commits(vec![BOTH, BOTH, BOTH]), written(2)],
        )?,
        story(
            "one is read, one written, one neither",
            &[FROM],
            KEYS,
            false,
            vec![
                missing(),
                Commits(vec![READ, WRITE, NEITHER]),
                Passes(7),
                written(3),
            ],
        )?,
        story(
            "nothing is written",
            &[FROM],
            KEYS,
            true,
            vec![found(1), Commits(vec![READ; 3])],
        )?,
        story(
            "it is taken back",
            &[FROM],
            MOVING,
            true,
            vec![found(1), RollsBack],
        )?,
        story(
            "a row has changed, and the work is done again",
            &[FROM],
            MOVING,
            true,
            vec![
                found(1),
                Commits(vec![BOTH, WRITE]),
                Conflicts(0, Some(version(2))),
                found(2),
                Commits(vec![BOTH, WRITE]),
                written(3),
            ],
        )?,
        story(
            "a row has changed, and that is the end",
            &[FROM],
            MOVING,
            false,
            vec![
                found(1),
                Commits(vec![READ, BOTH]),
                Conflicts(1, Some(version(2))),
            ],
        )?,
        story(
            "a row is gone",
            &[FROM],
            MOVING,
            false,
            vec![found(1), Commits(vec![READ, BOTH]), Conflicts(0, None)],
        )?,
        story(
            "a stale begin is begun anew",
            &[FROM, TO],
            MOVING,
            false,
            vec![
                stale(6, 5),
                Learns(1),
                found(1),
                Commits(vec![BOTH; 2]),
                written(2),
            ],
        )?,
        story(
            "a stale commit, and the work is done again",
            &[FROM, TO],
            MOVING,
            true,
            vec![
                found(1),
                Commits(vec![BOTH; 2]),
                stale(6, 5),
                Learns(1),
                found(1),
                Commits(vec![BOTH; 2]),
                written(2),
            ],
        )?,
        story(
            "a stale commit is retryable",
            &[FROM, TO],
            MOVING,
            false,
            vec![found(1), Commits(vec![BOTH; 2]), stale(6, 5), Learns(1)],
        )?,
        story(
            "the keys part: some move, one stays",
            &[FROM, TO],
            KEYS,
            true,
            vec![found(1), Commits(vec![BOTH; 3]), stale(6, 5), Learns(1)],
        )?,
        story(
            "a refresh that brings nothing newer",
            &[FROM, TO],
            MOVING,
            true,
            vec![
                stale(6, 5),
                Learns(0),
                found(1),
                Commits(vec![WRITE, READ]),
                written(1),
            ],
        )?,
        story(
            "the keys of two domains, in a wave",
            &[DOUBLE],
            KEYS,
            false,
            vec![found(1), Commits(vec![BOTH; 3]), written(2)],
        )?,
        story(
            "a wave that is strict",
            &[STRICT],
            MOVING,
            false,
            vec![found(1), Commits(vec![BOTH, WRITE]), written(2), written(2)],
        )?,
        story(
            "a strict mirror is stale",
            &[STRICT, FROM],
            MOVING,
            false,
            vec![
                found(1),
                Commits(vec![WRITE; 2]),
                written(2),
                stale(6, 5),
                Learns(1),
            ],
        )?,
        story(
            "read-new, all reads on the new shard",
            &[ramp(1_000_000)],
            MOVING,
            false,
            vec![found(1), Commits(vec![BOTH, READ]), written(2), written(2)],
        )?,
        story(
            "read-new, and nothing is written",
            &[ramp(500_000)],
            MOVING,
            false,
            vec![found(1), Commits(vec![READ; 2]), Gets(Reply::Superseded)],
        )?,
        story(
            "reversed",
            &[REVERSED],
            MOVING,
            false,
            vec![found(1), Commits(vec![BOTH; 2]), written(2)],
        )?,
        story(
            "a lost commit is asked about",
            &[FROM],
            MOVING,
            false,
            vec![found(1), Commits(vec![BOTH, READ]), lost(), written(2)],
        )?,
        story(
            "a lost commit was never there",
            &[FROM],
            MOVING,
            true,
            vec![found(1), Commits(vec![BOTH; 2]), lost(), missing()],
        )?,
        story(
            "a lost commit by the clock, and replies that come too late",
            &[FROM],
            MOVING,
            true,
            vec![
                GetsInVain(9),
                found(1),
                GetsInVain(1),
                Commits(vec![BOTH; 2]),
                Wakes,
                GetsInVain(2),
                written(2),
            ],
        )?,
        story(
            "a shard that isn't ready yet",
            &[FROM],
            MOVING,
            false,
            vec![
                not_ready(4),
                not_ready(4),
                found(1),
                Commits(vec![WRITE; 2]),
                written(2),
            ],
        )?,
        story(
            "a begin that was lost is sent again",
            &[FROM],
            MOVING,
            false,
            vec![
                Fails(Failure::NotSent),
                Learns(0),
                lost(),
                missing(),
                Commits(vec![WRITE; 2]),
                written(1),
            ],
        )?,
        story(
            "the store says no",
            &[FROM],
            MOVING,
            false,
            vec![found(1), Commits(vec![WRITE; 2]), Fails(Failure::Rejected)],
        )?,
        story(
            "the work takes too long",
            &[FROM],
            MOVING,
            true,
            vec![found(1), Passes(60_000), Commits(vec![WRITE; 2])],
        )?,
        story(
            "the shard isn't the owner",
            &[FROM],
            MOVING,
            false,
            vec![Refused(Refusal::NotOwner), Learns(0)],
        )?,
        story(
            "keys on three shards",
            &[FROM],
            &[1, 14, 2, 13, 15],
            true,
            vec![],
        )?,
        story("one key twice", &[FROM], &[4, 8, 4], true, vec![])?,
        story("no keys", &[FROM], &[], true, vec![])?,
    ];
    let mut brief = story(
        "attempts at most",
        &[FROM],
        MOVING,
        true,
        vec![lost(), Learns(0), lost(), lost()],
    )?;
    brief.policy.attempts_max = 3;
    let mut blind = story(
        "nobody asks about a lost commit",
        &[FROM],
        MOVING,
        true,
        vec![found(1), Commits(vec![WRITE; 2]), lost()],
    )?;
    blind.policy.confirm = false;
    scripts.extend([brief, blind]);
    Ok(scripts)
}
