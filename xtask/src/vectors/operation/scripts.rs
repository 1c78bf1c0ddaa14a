//! The traces' stories: what an operation is told. What it says is recorded.

use ringshift::{Failure, Phase, Policy, Refusal, Reply, ShardId, Snapshot, Term, Version};

use crate::vectors::clusters::{MOVING_KEY, PINNED_KEY, Place, demo, epoch, ramp, wave};

/// One story.
pub(super) struct Script {
    pub(super) name: &'static str,
    pub(super) snapshots: Vec<Snapshot>,
    pub(super) key: &'static [u8],
    pub(super) is_write: bool,
    pub(super) policy: Policy,
    pub(super) events: Vec<Does>,
}

/// One event.
#[derive(Clone, Copy)]
pub(super) enum Does {
    /// A reply to the last attempt that is waited for.
    Gets(Reply),
    /// A reply to an attempt that isn't.
    GetsInVain(u32, Reply),
    /// A snapshot of the list.
    Learns(usize),
    /// Time passes until it wants to be called.
    Wakes,
    /// Time passes.
    Passes(u64),
}

use Does::{Gets, GetsInVain, Learns, Passes, Wakes};

const FROM: Place = Place::Home(ShardId(1));
const TO: Place = Place::Home(ShardId(2));
const DOUBLE: Place = wave(Phase::DoubleWrite);
const REVERSED: Place = wave(Phase::Reversed);
const STRICT: Place = Place::Wave {
    phase: Phase::DoubleWrite,
    ppm: 0,
    strict: true,
};
const INSIDE: Place = ramp(1_000_000);
const OUTSIDE: Place = ramp(0);

const LOST: Does = Gets(Reply::Failed(Failure::MaybeApplied));
const NOT_SENT: Does = Gets(Reply::Failed(Failure::NotSent));
const NOTHING: Does = Gets(Reply::Missing);
const SUPERSEDED: Does = Gets(Reply::Superseded);

fn version(n: u32) -> Version {
    Version::new(epoch(5), n)
}

fn found(n: u32) -> Does {
    Gets(Reply::Found {
        version: version(n),
    })
}

fn deleted(n: u32) -> Does {
    Gets(Reply::Deleted {
        version: version(n),
    })
}

fn written(n: u32) -> Does {
    Gets(Reply::Written {
        version: version(n),
    })
}

fn conflict(n: Option<u32>) -> Does {
    let found = n.map(version);
    Gets(Reply::Conflict { found })
}

fn refused(refusal: Refusal) -> Does {
    Gets(Reply::Refused(refusal))
}

fn stale(current: u32, drained: u32) -> Does {
    let (current, drained) = (epoch(current), epoch(drained));
    refused(Refusal::StaleEpoch { current, drained })
}

fn not_ready(current: u32) -> Does {
    let current = epoch(current);
    refused(Refusal::NotReady { current })
}

/// Collects stories; snapshots are (epoch, place), the place unchanged since that epoch.
struct Book(Vec<Script>);

impl Book {
    fn tell(
        &mut self,
        name: &'static str,
        is_write: bool,
        snapshots: &[(u32, Place)],
        events: &[Does],
    ) -> Result<&mut Script, String> {
        let snapshots = snapshots.iter().map(|&(at, place)| demo(at, at, place));
        self.0.push(Script {
            name,
            snapshots: snapshots.collect::<Result<_, _>>()?,
            key: MOVING_KEY,
            is_write,
            policy: Policy {
                seed: u64::MAX - 6,
                ..Policy::default()
            },
            events: events.to_vec(),
        });
        self.0.last_mut().ok_or_else(String::new)
    }

    fn read(
        &mut self,
        name: &'static str,
        snapshots: &[(u32, Place)],
        events: &[Does],
    ) -> Result<&mut Script, String> {
        self.tell(name, false, snapshots, events)
    }

    fn write(
        &mut self,
        name: &'static str,
        snapshots: &[(u32, Place)],
        events: &[Does],
    ) -> Result<&mut Script, String> {
        self.tell(name, true, snapshots, events)
    }
}

pub(super) fn all() -> Result<Vec<Script>, String> {
    let mut book = Book(Vec::new());
    reads(&mut book)?;
    writes(&mut book)?;
    budgets(&mut book)?;
    Ok(book.0)
}

fn reads(book: &mut Book) -> Result<(), String> {
    book.read("a stable read finds a row", &[(5, FROM)], &[found(4)])?;
    book.read("a tombstone says missing", &[(5, FROM)], &[deleted(4)])?;
    book.read(
        "a pinned key is read where it is pinned",
        &[(5, INSIDE)],
        &[NOTHING],
    )?
    .key = PINNED_KEY;
    book.read("outside the ramp reads stay", &[(5, OUTSIDE)], &[found(4)])?;
    book.read(
        "inside the ramp a hit is the answer",
        &[(5, INSIDE)],
        &[found(4)],
    )?;
    book.read(
        "inside the ramp a tombstone is a hit",
        &[(5, INSIDE)],
        &[deleted(4)],
    )?;
    book.read(
        "a row found behind is repaired before the answer",
        &[(5, INSIDE)],
        &[NOTHING, found(4), written(4)],
    )?;
    book.read(
        "a tombstone found behind is repaired before the answer",
        &[(5, INSIDE)],
        &[NOTHING, deleted(4), SUPERSEDED],
    )?;
    book.read(
        "a refused repair starts the read again",
        &[(5, INSIDE), (6, DOUBLE)],
        &[NOTHING, found(4), stale(6, 6), Learns(1), found(4)],
    )?;
    book.read(
        "a lease that is over is looked up once, then waited for",
        &[(5, INSIDE), (7, TO)],
        &[
            refused(Refusal::LeaseOver { current: epoch(5) }),
            Learns(0),
            Wakes,
            refused(Refusal::LeaseOver { current: epoch(5) }),
            Wakes,
            stale(7, 7),
            Learns(1),
            found(4),
        ],
    )?;
    book.read(
        "a dead place of reads is looked up once, and left when the wave has stepped back",
        &[(5, INSIDE), (6, DOUBLE)],
        &[Wakes, Learns(1), found(4)],
    )?;
    Ok(())
}

fn writes(book: &mut Book) -> Result<(), String> {
    book.write("a stable write", &[(5, FROM)], &[written(4)])?;
    book.write(
        "a put-if that finds another version",
        &[(5, FROM)],
        &[conflict(Some(3))],
    )?;
    book.write(
        "relaxed: the mirror is not waited for",
        &[(5, DOUBLE)],
        &[written(4)],
    )?;
    book.write(
        "strict: the mirror is waited for",
        &[(5, STRICT)],
        &[written(4), written(4)],
    )?;
    book.write(
        "reversed: the other way round",
        &[(5, REVERSED)],
        &[written(4)],
    )?;
    book.write(
        "in the ramp, what a refused put-if has seen is pushed before the answer",
        &[(5, INSIDE)],
        &[conflict(Some(3)), written(3)],
    )?;
    book.write(
        "a stale write is routed again",
        &[(5, FROM), (9, REVERSED)],
        &[stale(9, 9), Learns(1), written(0)],
    )?;
    book.write(
        "a client ahead of the shard waits and keeps its map",
        &[(9, REVERSED), (8, DOUBLE)],
        &[
            not_ready(8),
            Wakes,
            not_ready(8),
            Learns(1),
            Wakes,
            not_ready(8),
            Wakes,
            written(0),
        ],
    )?;
    book.write(
        "a drain past the stamp has carried the write",
        &[(5, STRICT)],
        &[written(4), stale(6, 6)],
    )?;
    book.write(
        "no mirror any more, and the same authority",
        &[(5, STRICT), (6, FROM)],
        &[
            written(4),
            stale(6, 5),
            Learns(0),
            Wakes,
            stale(6, 5),
            Learns(1),
        ],
    )?;
    book.write(
        "a newer epoch that nothing drained",
        &[(5, STRICT), (6, STRICT)],
        &[written(4), stale(6, 5), Learns(1)],
    )?;
    book.write(
        "a mirror that never answers",
        &[(5, STRICT)],
        &[written(4), NOT_SENT, Wakes, not_ready(5), Passes(10_000)],
    )?;
    Ok(())
}

fn budgets(book: &mut Book) -> Result<(), String> {
    book.write(
        "a write without an answer is asked about: done",
        &[(5, DOUBLE)],
        &[LOST, Wakes, written(4)],
    )?;
    book.write(
        "a write without an answer is asked about: unknown",
        &[(5, DOUBLE), (9, REVERSED)],
        &[Wakes, Wakes, stale(9, 9), Learns(1), NOTHING],
    )?;
    book.write(
        "without operation ids the outcome is unknown",
        &[(5, FROM)],
        &[LOST],
    )?
    .policy
    .confirm = false;
    book.write(
        "an unknown domain: one refresh, then ever longer waits",
        &[(5, FROM)],
        &[
            refused(Refusal::NotOwner),
            Learns(0),
            Wakes,
            refused(Refusal::NotOwner),
            Wakes,
            refused(Refusal::NotOwner),
            Wakes,
            refused(Refusal::StaleTerm { seen: Term(2) }),
            Wakes,
            written(4),
        ],
    )?;
    let wrong_role = refused(Refusal::WrongRole { current: epoch(5) });
    book.write(
        "a role that a refresh doesn't mend",
        &[(5, FROM)],
        &[wrong_role, Learns(0), Wakes, wrong_role],
    )?;
    book.read(
        "the deadline, at a barrier that doesn't end",
        &[(5, FROM)],
        &[not_ready(4), Wakes, not_ready(4), Passes(5_000)],
    )?;
    book.write(
        "a store that refuses the request",
        &[(5, FROM)],
        &[Gets(Reply::Failed(Failure::Rejected))],
    )?;
    book.write(
        "the attempts are used up",
        &[(5, FROM)],
        &[not_ready(4), Wakes, not_ready(4), Wakes],
    )?
    .policy
    .attempts_max = 2;
    let late = Reply::Written {
        version: version(9),
    };
    book.write(
        "late, repeated and unknown replies change nothing",
        &[(5, STRICT), (4, FROM)],
        &[
            GetsInVain(2, late),
            written(4),
            GetsInVain(1, late),
            Learns(1),
            not_ready(5),
            GetsInVain(2, late),
            Passes(0),
            Wakes,
            GetsInVain(2, late),
            SUPERSEDED,
            GetsInVain(3, late),
            Learns(1),
            Passes(99_999),
        ],
    )?;
    Ok(())
}
