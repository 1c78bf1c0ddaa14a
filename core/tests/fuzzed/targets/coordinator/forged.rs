//! Stores that answer anything.

use std::sync::Arc;

use ringshift::migration::command::{KeyDigest, SlotDigest};
use ringshift::migration::{Action, Answer, Log, Mark};
use ringshift::{
    DomainId, Epoch, GuardRow, Refusal, Revision, Role, Slot, Snapshot, Term, Version,
};

use super::super::input::Input;
use super::world::World;

pub(crate) fn run(world: &mut World, input: &mut Input<'_>) {
    for _ in 0..300 {
        if input.is_over() {
            break;
        }
        let choice = input.byte();
        match world.coordinator.poll() {
            Action::Do { id, command, .. } => {
                let again = world.coordinator.poll();
                assert!(
                    matches!(again, Action::Do { id: same, command: ref also, .. }
                        if same == id && *also == command),
                    "asked again, it asks for something else"
                );
                let honest = world.carry(&command);
                let answer = if choice.is_multiple_of(4) {
                    answer(world, honest, input)
                } else {
                    honest
                };
                world.now = world.now.after(1);
                world
                    .coordinator
                    .handle_answer(world.now, id, answer.clone());
                // A second copy changes nothing.
                let before = world.coordinator.clone();
                world.coordinator.handle_answer(world.now, id, answer);
                assert!(world.coordinator.poll() == before.clone().poll());
            }
            Action::Wait { until } if until <= world.now => {
                // Its moment has come while a duty was seen to. Once told, it goes on.
                world.coordinator.handle_timeout(world.now);
                let next = world.coordinator.poll();
                assert!(
                    !matches!(next, Action::Wait { until } if until <= world.now),
                    "it waits for what has passed, and would spin: {next:?} at {:?}",
                    world.now
                );
            }
            Action::Wait { .. } => {
                world.now = world.now.after(1 + u64::from(choice));
                world.coordinator.handle_timeout(world.now);
            }
            Action::Over(_) => world.take_over(),
        }
    }
}

fn epoch(input: &mut Input<'_>) -> Epoch {
    Epoch::new(input.number()).unwrap_or(Epoch::MAX)
}

/// Another answer than the honest one; sometimes a bent copy of it.
fn answer(world: &World, honest: Answer, input: &mut Input<'_>) -> Answer {
    let current = epoch(input);
    match input.below(20) {
        0 => Answer::Done,
        1 => Answer::Loaded {
            snapshot: bent(&world.record.snapshot, input),
            log: Log::default(),
            marks: Vec::new(),
        },
        2 => Answer::Renewed { request: None },
        3 => Answer::Swapped,
        4 => Answer::EpochLost { current },
        5 => Answer::TermLost {
            current: Term(input.number()),
        },
        6 => Answer::Logged,
        7 => Answer::Time(input.number().into()),
        8 => Answer::Guards(rows(honest, input)),
        9 => Answer::Closed(rows(honest, input).pop()),
        10 => Answer::Revision(Revision(input.number().into())),
        11 => Answer::Changes {
            rows: input.number(),
            upto: Revision(input.number().into()),
            end: input.coin(),
        },
        12 => Answer::Removed {
            rows: input.number(),
            end: input.coin(),
        },
        13 => Answer::Rows(input.number().into()),
        14 => Answer::Digests(vec![SlotDigest {
            slot: Slot(input.number()),
            rows: input.number().into(),
            sum: input.number().into(),
        }]),
        15 => Answer::Keys(vec![KeyDigest {
            key: input.key(),
            version: Version::new(current, input.number()),
            digest: input.number().into(),
        }]),
        16 => Answer::Refused(match input.below(6) {
            0 => Refusal::StaleEpoch {
                current,
                drained: epoch(input),
            },
            1 => Refusal::NotReady { current },
            2 => Refusal::NotOwner,
            3 => Refusal::WrongRole { current },
            4 => Refusal::LeaseOver { current },
            _ => Refusal::StaleTerm {
                seen: Term(input.number()),
            },
        }),
        17 => match honest {
            Answer::Claimed(mark) => Answer::Claimed(Mark {
                answers: input.number().into(),
                ..mark
            }),
            other => other,
        },
        _ => Answer::Unreachable,
    }
}

/// The snapshot in force, or one that never was.
fn bent(snapshot: &Arc<Snapshot>, input: &mut Input<'_>) -> Arc<Snapshot> {
    let mut draft = snapshot.content().clone();
    draft.epoch = Epoch::new(draft.epoch.get() + input.number() % 3).unwrap_or(Epoch::MAX);
    if input.coin() {
        draft.keyspaces.iter_mut().for_each(|k| k.waves.clear());
    }
    if input.coin() {
        draft.keyspaces.clear();
    }
    Snapshot::build(draft).map_or_else(|_| Arc::clone(snapshot), Arc::new)
}

fn rows(honest: Answer, input: &mut Input<'_>) -> Vec<GuardRow> {
    let mut rows = match honest {
        Answer::Guards(rows) => rows,
        Answer::Closed(row) => row.into_iter().collect(),
        _ => Vec::new(),
    };
    for row in &mut rows {
        let choice = input.byte();
        if choice & 1 == 1 {
            row.epoch = epoch(input);
        }
        row.closed ^= choice & 2 != 0;
        if choice & 4 != 0 {
            row.role = Role::None;
        }
        if choice & 8 != 0 {
            row.domain = DomainId(input.number());
        }
    }
    rows
}
