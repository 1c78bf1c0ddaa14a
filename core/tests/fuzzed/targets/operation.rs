//! An operation that is told anything at all, at any moment: it ends by its deadline, and says
//! *written* only of what a shard has accepted. The oracle is that of `tests/operation`.

use ringshift::Policy;

use self::case::{Case, Event, plan};
use super::input::Input;

#[path = "../../operation/case.rs"]
mod case;
#[path = "../../operation/oracle.rs"]
#[expect(dead_code, reason = "the other test asks it more")]
mod oracle;

pub(crate) fn run(bytes: &[u8]) {
    case::run(&drawn(&mut Input(bytes)));
}

fn drawn(input: &mut Input<'_>) -> Case {
    let choices = input.byte();
    let policy = Policy {
        deadline_ms: 2_000,
        attempt_ms: if choices & 1 == 0 { 0 } else { 100 },
        attempts_max: match input.byte() {
            few @ 0..6 => few.into(),
            _ => 1_000,
        },
        confirm: choices & 2 == 0,
        seed: choices.into(),
    };
    let (mut snapshot, mut epoch, mut route) = (3, 3, input.byte() % 9);
    let mut plans = vec![plan(snapshot, epoch, route)];
    for _ in 0..input.below(6) {
        let step = input.byte();
        snapshot += 1 + u32::from(step >> 7);
        if step & 0x60 != 0 {
            (epoch, route) = (snapshot, step % 9);
        }
        plans.push(plan(snapshot, epoch, route));
    }
    let mut events = Vec::new();
    while !input.is_over() && events.len() < 200 {
        events.push(match input.byte() % 8 {
            0 => Event::Poll,
            1 => Event::Noise(input.number()),
            2 => Event::Snapshot(input.number()),
            3 => Event::Time(input.number() % 400),
            4 => Event::Wake,
            _ => Event::Answer(input.number()),
        });
    }
    Case {
        plans,
        is_write: choices & 4 == 0,
        policy,
        events,
    }
}
