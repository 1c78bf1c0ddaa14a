//! The moves of a migration and the points inside them, as names: for the log, for reports, and
//! for tests that stop a coordinator at each of them.

use core::fmt;

use serde::{Deserialize, Serialize};

/// One transition of a wave, or one piece of work between transitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Move {
    /// Take office: term, claims, guards, unfinished installs.
    TakeOver,
    /// Write a wish down: to go back, to pause, to go on.
    Decide,
    /// Bring new shards and new weights into the snapshot.
    Enlist,
    /// Split slots: a keyspace gets more of them.
    Grow,
    /// Stable to prepare.
    Begin,
    /// Prepare to double-write: purge, prove empty, install the mirror, then the authority.
    Mirror,
    /// Backfill and catch-up.
    Copy,
    /// Double-write to shadow-read.
    Shadow,
    /// Compare the two sides.
    Verify,
    /// Compare some keys of the two sides, while nothing else is to be done.
    Check,
    /// To read-new at this many keys of a million. A barrier.
    Ramp(u32),
    /// Double-write to reversed with the writes held all the while: copies and compares behind the
    /// closed guards. A barrier.
    Offline,
    /// Read-new back to double-write. A barrier.
    Unread,
    /// Read-new back to double-write without `to`, which is gone: its lease is waited out instead.
    StepBack,
    /// Read-new to reversed. A barrier.
    Switch,
    /// Reversed back to double-write. A barrier.
    SwitchBack,
    /// A barrier that can't go on: the next epoch, with the phase as it was. It also makes writes
    /// strict again, when `to` is back after a step back.
    Abort,
    /// Lets writes go on that a dead coordinator left paused.
    Reopen,
    /// Reversed to ended on `to`. No way back.
    Finish,
    /// Prepare, double-write or shadow-read to ended on `from`.
    Cancel,
    /// Purge the side that lost, collect the tombstones of the one that won.
    Clean,
    /// Take an ended wave out of the snapshot.
    Retire,
    /// Strike drained shards off the list.
    Delist,
    /// What comes due by time, whatever else is done: renew the lead, grant leases, look for
    /// shards that were gone.
    Tend,
    /// Shut a shard whose file is older than it was.
    Quarantine,
    /// Take it back.
    Readmit,
}

/// A step inside a move: what the next command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Raise the term in the topology store.
    Lead,
    /// Claim a shard under the term.
    Claim,
    /// Read a shard's guards.
    Guards,
    /// Write the log down.
    Log,
    /// Empty `to` before it is trusted.
    Purge,
    /// Prove it empty.
    Prove,
    /// Read a chunk of rows.
    Read,
    /// Put it on the other side.
    Apply,
    /// Publish a pause of writes, where shards don't hold them back.
    Pause,
    /// Close the domain on `from`.
    CloseFrom,
    /// Close it on `to`.
    CloseTo,
    /// Read the authority's closing revision.
    Closing,
    /// Read what is left to copy behind the closed guards.
    DrainRead,
    /// Put it on the other side.
    DrainApply,
    /// Read the mirror's revision, where copying will start from once the sides are swapped.
    Reverse,
    /// Compare-and-swap the snapshot.
    Swap,
    /// Install on the shard that must hear of it first.
    InstallFirst,
    /// Install on the other.
    InstallOther,
    /// Publish that writes go on.
    Open,
    /// Digests of `from`'s slots.
    DigestFrom,
    /// Digests of `to`'s slots.
    DigestTo,
    /// Keys of the slots that differ, on `from`.
    KeysFrom,
    /// The same on `to`.
    KeysTo,
    /// The second look at `to`.
    LookTo,
    /// The second look at `from`.
    LookFrom,
    /// Collect tombstones.
    Collect,
    /// Draw keys on one side.
    Sample,
    /// Look at them on the other.
    Compare,
    /// Wait until `to` has surely stopped to answer reads; then look whether this is still led.
    Lapse,
    /// Renew the lead in the topology store.
    Renew,
    /// Ask a leased mirror what time it is.
    Time,
    /// Grant it a lease.
    Grant,
    /// Shut a shard, or open it.
    Shut,
}

/// A point where a coordinator can be stopped: a stage of a kind of move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Point {
    /// The move; the number in [`Move::Ramp`] doesn't count.
    pub goal: Move,
    /// The stage.
    pub stage: Stage,
}

impl Move {
    /// All kinds of moves, in the order of a migration.
    pub const ALL: &'static [Self] = &[
        Self::TakeOver,
        Self::Decide,
        Self::Enlist,
        Self::Grow,
        Self::Begin,
        Self::Mirror,
        Self::Copy,
        Self::Shadow,
        Self::Verify,
        Self::Check,
        Self::Ramp(0),
        Self::Offline,
        Self::Unread,
        Self::StepBack,
        Self::Switch,
        Self::SwitchBack,
        Self::Abort,
        Self::Reopen,
        Self::Finish,
        Self::Cancel,
        Self::Clean,
        Self::Retire,
        Self::Delist,
        Self::Tend,
        Self::Quarantine,
        Self::Readmit,
    ];

    /// The name that people see.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TakeOver => "take-over",
            Self::Decide => "decide",
            Self::Enlist => "enlist",
            Self::Grow => "grow",
            Self::Begin => "begin",
            Self::Mirror => "mirror",
            Self::Copy => "copy",
            Self::Shadow => "shadow",
            Self::Verify => "verify",
            Self::Check => "check",
            Self::Ramp(_) => "ramp",
            Self::Offline => "offline",
            Self::Unread => "unread",
            Self::StepBack => "step-back",
            Self::Switch => "switch",
            Self::SwitchBack => "switch-back",
            Self::Abort => "abort",
            Self::Reopen => "reopen",
            Self::Finish => "finish",
            Self::Cancel => "cancel",
            Self::Clean => "clean",
            Self::Retire => "retire",
            Self::Delist => "delist",
            Self::Tend => "tend",
            Self::Quarantine => "quarantine",
            Self::Readmit => "readmit",
        }
    }

    /// Whether the move is a barrier: closes both guards, drains, swaps, installs.
    pub const fn is_barrier(self) -> bool {
        match self {
            Self::Ramp(_)
            | Self::Offline
            | Self::Unread
            | Self::StepBack
            | Self::Switch
            | Self::SwitchBack
            | Self::Abort => true,
            Self::TakeOver
            | Self::Decide
            | Self::Enlist
            | Self::Grow
            | Self::Begin
            | Self::Mirror
            | Self::Copy
            | Self::Shadow
            | Self::Verify
            | Self::Check
            | Self::Reopen
            | Self::Finish
            | Self::Cancel
            | Self::Clean
            | Self::Retire
            | Self::Delist
            | Self::Tend
            | Self::Quarantine
            | Self::Readmit => false,
        }
    }

    /// The stages that the move may go through, in their order.
    pub const fn stages(self) -> &'static [Stage] {
        use Stage::{
            Apply, Claim, CloseFrom, CloseTo, Closing, Collect, Compare, DigestFrom, DigestTo,
            DrainApply, DrainRead, Grant, Guards, InstallFirst, InstallOther, KeysFrom, KeysTo,
            Lapse, Lead, Log, LookFrom, LookTo, Open, Pause, Prove, Purge, Read, Renew, Reverse,
            Sample, Shut, Swap, Time,
        };
        match self {
            Self::TakeOver => &[Lead, Claim, Guards, InstallFirst],
            Self::Decide => &[Log],
            Self::Enlist => &[Log, Swap, InstallFirst],
            Self::Begin | Self::Grow => &[Swap, InstallFirst],
            Self::Mirror => &[Purge, Prove, Swap, InstallFirst, InstallOther],
            Self::Copy => &[Read, Apply, Log],
            Self::Shadow | Self::Retire => &[Swap],
            Self::Delist => &[Log, Swap],
            Self::Verify => &[DigestFrom, DigestTo, KeysFrom, KeysTo, LookTo, LookFrom],
            Self::Check => &[Sample, Compare, LookTo, LookFrom],
            Self::Ramp(_) | Self::Unread => &[
                Log,
                Pause,
                CloseFrom,
                CloseTo,
                Closing,
                DrainRead,
                DrainApply,
                Swap,
                InstallFirst,
                InstallOther,
                Open,
            ],
            Self::Offline => &[
                Log,
                Pause,
                CloseFrom,
                CloseTo,
                Closing,
                DrainRead,
                DrainApply,
                DigestFrom,
                DigestTo,
                KeysFrom,
                KeysTo,
                LookTo,
                LookFrom,
                Reverse,
                Swap,
                InstallFirst,
                InstallOther,
                Open,
            ],
            Self::Switch | Self::SwitchBack => &[
                Log,
                Pause,
                CloseFrom,
                CloseTo,
                Closing,
                DrainRead,
                DrainApply,
                Reverse,
                Swap,
                InstallFirst,
                InstallOther,
                Open,
            ],
            Self::Abort => &[
                Pause,
                CloseFrom,
                CloseTo,
                Closing,
                DrainRead,
                DrainApply,
                Swap,
                InstallFirst,
                InstallOther,
                Open,
            ],
            Self::Reopen => &[Open],
            Self::Finish | Self::Cancel => &[Swap, InstallFirst, InstallOther],
            Self::Clean => &[Purge, Collect],
            Self::StepBack => &[CloseFrom, Lapse, Swap, InstallFirst],
            Self::Tend => &[Renew, Claim, Time, Grant],
            Self::Quarantine => &[Shut],
            Self::Readmit => &[Swap, InstallFirst, InstallOther, Shut],
        }
    }
}

impl Stage {
    /// The name that people see.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Claim => "claim",
            Self::Guards => "guards",
            Self::Log => "log",
            Self::Purge => "purge",
            Self::Prove => "prove",
            Self::Read => "read",
            Self::Apply => "apply",
            Self::Pause => "pause",
            Self::CloseFrom => "close-from",
            Self::CloseTo => "close-to",
            Self::Closing => "closing",
            Self::DrainRead => "drain-read",
            Self::DrainApply => "drain-apply",
            Self::Reverse => "reverse",
            Self::Swap => "swap",
            Self::InstallFirst => "install-first",
            Self::InstallOther => "install-other",
            Self::Open => "open",
            Self::DigestFrom => "digest-from",
            Self::DigestTo => "digest-to",
            Self::KeysFrom => "keys-from",
            Self::KeysTo => "keys-to",
            Self::LookTo => "look-to",
            Self::LookFrom => "look-from",
            Self::Collect => "collect",
            Self::Sample => "sample",
            Self::Compare => "compare",
            Self::Lapse => "lapse",
            Self::Renew => "renew",
            Self::Time => "time",
            Self::Grant => "grant",
            Self::Shut => "shut",
        }
    }
}

impl Point {
    /// The point at `stage` of `goal`; the number in a ramp is dropped.
    pub const fn new(goal: Move, stage: Stage) -> Self {
        let goal = match goal {
            Move::Ramp(_) => Move::Ramp(0),
            other => other,
        };
        Self { goal, stage }
    }

    /// All points, in the order of a migration.
    pub fn all() -> impl Iterator<Item = Self> {
        Move::ALL.iter().flat_map(|&goal| {
            goal.stages()
                .iter()
                .map(move |&stage| Self::new(goal, stage))
        })
    }

    /// The point of that name: `move/stage`.
    pub fn from_name(name: &str) -> Option<Self> {
        let (goal, stage) = name.split_once('/')?;
        Self::all().find(|point| point.goal.name() == goal && point.stage.name() == stage)
    }
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ramp(ppm) => write!(f, "ramp to {}.{:02} %", ppm / 10_000, ppm / 100 % 100),
            other => f.write_str(other.name()),
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.goal.name(), self.stage.name())
    }
}
