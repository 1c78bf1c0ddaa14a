//! The snapshots that programs are about, also bytes that are none.

use std::sync::Arc;

use ringshift::record::Record;
use ringshift::{Phase, ShardId, Snapshot, Term};

use super::Failed;
use super::rng::Rng;
use crate::vectors::clusters::{Place, adopted, demo, full, least};

/// How many random states of the cluster `demo` there are.
const DEMOS: u32 = 48;

/// Bytes, and what of them is what.
pub(super) struct Pool {
    pub(super) bytes: Vec<Vec<u8>>,
    /// Bytes below this are of the cluster `demo`.
    pub(super) demos: usize,
    /// Bytes from here on are refused.
    pub(super) bad: usize,
}

impl Pool {
    pub(super) fn new(seed: u64) -> Result<Self, Failed> {
        let rng = &mut Rng::new(seed);
        let mut snapshots = Vec::new();
        for _ in 0..DEMOS {
            // Few epochs, so that forks and equals are met.
            let at = 5 + u32::try_from(rng.below(16)).unwrap_or(0);
            let since = at - u32::try_from(rng.below(3)).unwrap_or(0);
            snapshots.push(demo(at, since, place(rng))?);
        }
        let demos = snapshots.len();
        snapshots.extend([least()?, full()?, adopted()?]);
        let mut bytes: Vec<Vec<u8>> = snapshots.iter().map(Snapshot::encode).collect();
        for snapshot in snapshots.iter().step_by(7) {
            let record = Record {
                term: Term(7),
                ..Record::first(Arc::new(snapshot.clone()))
            };
            bytes.push(record.encode().map_err(|e| e.to_string())?);
        }
        let bad = bytes.len();
        for _ in 0..16 {
            let mut broken = bytes.get(rng.index(bad)).cloned().unwrap_or_default();
            if rng.chance(50) {
                broken.truncate(rng.index(broken.len()));
            } else {
                let at = rng.index(broken.len());
                if let Some(byte) = broken.get_mut(at) {
                    *byte ^= 1 << rng.below(8);
                }
            }
            bytes.push(broken);
        }
        bytes.push(Vec::new());
        Ok(Self { bytes, demos, bad })
    }
}

fn place(rng: &mut Rng) -> Place {
    let phase = rng.pick(Phase::ALL, Phase::Prepare);
    if rng.chance(15) {
        return Place::Home(ShardId(1));
    }
    Place::Wave {
        phase,
        ppm: rng.pick(&[0, 1_000, 250_000, 500_000, 1_000_000], 0),
        strict: rng.chance(30),
    }
}
