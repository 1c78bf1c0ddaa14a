//! A way through a world, in words.

use std::fmt::Write;

use stateright::Path;

use crate::world::{Act, Message, State};

/// Each step of it on a line.
pub(crate) fn story(path: Path<State, Act>) -> String {
    let mut text = String::new();
    for (at, (state, act)) in path.into_vec().into_iter().enumerate() {
        let Some(act) = act else {
            let _ = writeln!(text, "{at}: the end: {:?}\n{state:#?}", state.ghost);
            break;
        };
        let _ = match act {
            Act::Deliver(i) | Act::Repeat(i) => {
                writeln!(text, "{at}: {act:?} {}", told(&state.network[i]))
            }
            _ => writeln!(text, "{at}: {act:?}"),
        };
    }
    text
}

fn told(message: &Message) -> String {
    let long = match message {
        Message::Attempt {
            client,
            op,
            attempt,
            content,
            ..
        } => format!(
            "client {client} op {op:#x} to {}: {:?} under {:?}, {content:?}",
            attempt.shard, attempt.kind, attempt.fence
        ),
        Message::Command { by, command, .. } => match command {
            ringshift::migration::Command::Swap { snapshot, term, .. } => format!(
                "coordinator {by}: swap of term {term:?} to {:?}, waves {:?}",
                snapshot.epoch(),
                snapshot.content().keyspaces[0].waves
            ),
            command => format!("coordinator {by}: {command:?}"),
        },
    };
    long.chars().take(600).collect()
}
