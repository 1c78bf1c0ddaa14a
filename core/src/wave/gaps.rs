//! Runs of slots in few bytes: how far each begins after the end of the last, and how long it is.
//! For people they stay as they are.
//!
//! The numbers wrap, so that each list has one form and each form is a list, sorted or not: what
//! is right is validation's to say.

use alloc::vec::Vec;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::SlotRange;

pub(crate) fn serialize<S: Serializer>(
    runs: &[SlotRange],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        return runs.serialize(serializer);
    }
    let mut end = 0_u32;
    serializer.collect_seq(runs.iter().map(|run| {
        let gap = run.start.wrapping_sub(end);
        end = run.end;
        (gap, run.end.wrapping_sub(run.start))
    }))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<SlotRange>, D::Error> {
    let people = deserializer.is_human_readable();
    // Two numbers either way.
    let mut runs = Vec::<SlotRange>::deserialize(deserializer)?;
    if !people {
        let mut last = 0_u32;
        for run in &mut runs {
            run.start = run.start.wrapping_add(last);
            run.end = run.end.wrapping_add(run.start);
            last = run.end;
        }
    }
    Ok(runs)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails should say where")]
mod tests {
    use alloc::vec;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Runs(#[serde(with = "super")] Vec<SlotRange>);

    fn run(start: u32, end: u32) -> SlotRange {
        SlotRange { start, end }
    }

    #[test]
    fn a_slot_by_itself_takes_four_bytes_at_most() {
        let runs = Runs(vec![run(0, 1), run(3, 7), run(1_048_575, 1_048_576)]);
        let bytes = postcard::to_allocvec(&runs).unwrap();
        assert_eq!(bytes, [3, 0, 1, 2, 4, 0xf8, 0xff, 0x3f, 1]);
        assert_eq!(postcard::from_bytes::<Runs>(&bytes).unwrap(), runs);
    }

    #[test]
    fn lists_that_no_snapshot_would_have_come_back_too() {
        for list in [
            vec![run(9, 3)],
            vec![run(7, 8), run(2, u32::MAX), run(0, 0)],
        ] {
            let runs = Runs(list);
            let bytes = postcard::to_allocvec(&runs).unwrap();
            assert_eq!(postcard::from_bytes::<Runs>(&bytes).unwrap(), runs);
        }
    }
}
