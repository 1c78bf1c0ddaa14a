//! Bytes that say they are a delta: what they make is the whole snapshot that they were made for,
//! or nothing.

use std::sync::OnceLock;

use ringshift::record::advance;
use ringshift::{Delta, Snapshot};

use super::input::Input;
use super::routed;
use super::snapshot::framed;
use super::vectors::{cases, hex};

/// From, to, and the bytes between: those of the published vectors.
struct Step {
    base: Snapshot,
    newer: Snapshot,
    delta: Vec<u8>,
}

fn steps() -> &'static [Step] {
    static STEPS: OnceLock<Vec<Step>> = OnceLock::new();
    STEPS.get_or_init(|| {
        let steps = cases(include_str!("../../vectors/deltas.json"), "deltas");
        let steps = steps.iter().map(|case| Step {
            base: Snapshot::decode(&hex(&case["base"])).unwrap(),
            newer: Snapshot::decode(&hex(&case["result"])).unwrap(),
            delta: hex(&case["delta"]),
        });
        steps.collect()
    })
}

/// Each delta as it is; each patch alone; and each snapshot that one leads to.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (at, step) in (0..).zip(steps()) {
        let newer = step.newer.encode();
        let patch = &step.delta[front(step)..];
        let content = &newer[10..newer.len() - 32];
        for (kind, rest) in [(0, &step.delta[..]), (1, patch), (2, content)] {
            seeds.push([&[kind, at], rest].concat());
        }
    }
    for case in cases(include_str!("../../vectors/deltas.json"), "refused") {
        let base = Snapshot::decode(&hex(&case["base"])).unwrap();
        if let Some((at, _)) = (0..).zip(steps()).find(|(_, step)| step.base == base) {
            seeds.push([&[0, at], &hex(&case["delta"])[..]].concat());
        }
    }
    seeds
}

/// Where a delta's patch begins.
fn front(step: &Step) -> usize {
    let number = |number: u32| match number {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => 5,
    };
    let (base, newer) = (step.base.epoch().get(), step.newer.epoch().get());
    4 + 2 + 4 + 8 + 32 + number(base) + number(newer - base)
}

pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let kind = input.below(3);
    let step = &steps()[input.below(steps().len())];
    match kind {
        0 => applied(step, input.0),
        1 => applied(step, &[&step.delta[..front(step)], input.0].concat()),
        _ => made(&step.base, input.0),
    }
}

fn applied(step: &Step, bytes: &[u8]) {
    let base = &step.base;
    let before = base.encode();
    let delta = Delta::decode(bytes);
    if let Ok(delta) = &delta {
        assert_eq!(delta.encode(), bytes, "two forms of one delta");
    }
    let made = delta
        .ok()
        .and_then(|delta| base.apply(&delta).ok().map(|made| (delta, made)));
    assert_eq!(base.encode(), before, "the base was changed");
    let Some((delta, made)) = made else {
        if bytes.starts_with(b"RSHD") {
            assert!(advance(base, bytes).is_err());
        }
        return;
    };
    assert_eq!(
        (made.digest(), made.epoch()),
        (delta.digest(), delta.epoch())
    );
    assert_eq!(*advance(base, bytes).unwrap(), made);
    let whole = made.encode();
    assert_eq!(Snapshot::decode(&whole).unwrap().encode(), whole);
    if delta.digest() == step.newer.digest() {
        assert_eq!(
            whole,
            step.newer.encode(),
            "another snapshot than the full one"
        );
    }
}

/// A delta from `base` to whatever snapshot this content is.
fn made(base: &Snapshot, content: &[u8]) {
    let Ok(newer) = Snapshot::decode(&framed(content)) else {
        return;
    };
    let Ok(delta) = base.delta(&newer) else {
        return;
    };
    let bytes = delta.encode();
    let read = Delta::decode(&bytes).unwrap();
    assert_eq!(read, delta);
    let made = base.apply(&read).unwrap();
    assert_eq!(made.encode(), newer.encode(), "the delta leads elsewhere");
    routed::check(&made);
}
