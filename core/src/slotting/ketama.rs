//! libmemcached's weighted ketama, frozen: a continuum of points, and the runs of slots that stand
//! for the arcs between them.

use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use serde::{Deserialize, Serialize};

use super::Foreign;
use crate::hash::md5;
use crate::ids::SLOT_BITS_STORED;
use crate::order::sort;

/// Points that one digest makes.
const POINTS_A_DIGEST: u32 = 4;

/// A continuum, as it was when the system was taken over.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ketama {
    /// The servers, in the order in which the clients were given them: of two servers with one
    /// point, the earlier has it.
    pub servers: Vec<KetamaServer>,
    /// The keyspace's slot bits when it was taken over. Its slots may grow, its runs never move.
    pub bits: u8,
}

/// A server of a continuum.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KetamaServer {
    /// As the clients spell it: `host:port`, or `host` alone where the port is memcached's 11211.
    pub name: String,
    /// How many digests it has on the continuum, four points each: 40 for one of average weight.
    pub digests: u32,
}

impl Ketama {
    /// How many points there are, equal ones included.
    pub fn points(&self) -> u64 {
        let digests = self.servers.iter().map(|server| u64::from(server.digests));
        digests.sum::<u64>() * u64::from(POINTS_A_DIGEST)
    }

    /// For each arc in the order of its run of slots, the place of its server in the list.
    pub fn owners(&self) -> Vec<usize> {
        arcs(self).into_iter().map(|(_, server)| server).collect()
    }
}

/// How many digests libmemcached gives each server of these weights.
///
/// libmemcached counts with floats of 32 bits, and here they decide, once and as IEEE has them:
/// what a snapshot keeps are these numbers.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "libmemcached's own arithmetic, step by step"
)]
pub fn ketama_digests(weights: &[u32]) -> Vec<u32> {
    let total: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
    let digests = |&weight: &u32| {
        let share = weight as f32 / total as f32;
        let digests = share * 160.0 / 4.0 * weights.len() as f32;
        (f64::from(digests) + 0.000_000_000_1) as f32 as u32
    };
    weights.iter().map(digests).collect()
}

/// The last point of each arc and its server, sorted; of equal points the first server's.
fn arcs(ketama: &Ketama) -> Vec<(u32, usize)> {
    // The point above the server's place: one number for both.
    let mut points = vec![];
    for (place, server) in (0_u64..).zip(&ketama.servers) {
        for n in 0..server.digests {
            let digest = md5(format!("{}-{n}", server.name).as_bytes());
            let four = digest.as_chunks::<4>().0.iter();
            points.extend(four.map(|point| u64::from(u32::from_le_bytes(*point)) << 32 | place));
        }
    }
    sort(&mut points, Ord::cmp);
    points.dedup_by_key(|both| *both >> 32);
    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    let halves = |both: u64| ((both >> 32) as u32, both as u32 as usize);
    points.into_iter().map(halves).collect()
}

/// The arcs, ready for keys.
#[derive(Clone, Debug)]
pub(crate) struct Continuum {
    /// The last point of each arc, and the first slot of its run.
    arcs: Vec<(u32, u32)>,
    bits: u8,
}

impl Continuum {
    /// Every arc has one slot, and its share of the others by its length.
    pub(crate) fn of(ketama: &Ketama) -> Self {
        let points = arcs(ketama);
        let spare = (1_u64 << (ketama.bits & 63)).saturating_sub(points.len() as u64);
        // What lies behind the last point belongs to the first arc, which begins there.
        let begin = points.last().map_or(0, |&(point, _)| point);
        let mut before = 0_u64;
        let mut from = begin;
        let mut arcs = Vec::with_capacity(points.len());
        for (n, &(point, _)) in (0_u64..).zip(&points) {
            #[expect(clippy::cast_possible_truncation, reason = "at most 2^20 slots")]
            arcs.push((point, (n + ((before * spare) >> 32)) as u32));
            before += u64::from(point.wrapping_sub(from));
            from = point;
        }
        Self {
            arcs,
            bits: ketama.bits,
        }
    }

    /// The first slot of each run.
    pub(crate) fn starts(&self) -> impl Iterator<Item = u32> {
        self.arcs.iter().map(|&(_, start)| start)
    }

    pub(crate) fn place(&self, part: &[u8]) -> Foreign {
        let digest = md5(part);
        let hash = digest.first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
        let after = self.arcs.partition_point(|&(point, _)| point < hash);
        let at = if after == self.arcs.len() { 0 } else { after };
        let (point, start) = self.arcs.get(at).copied().unwrap_or_default();
        let from = match at.checked_sub(1) {
            Some(before) => self.arcs.get(before),
            None => self.arcs.last(),
        };
        let from = from.map_or(0, |&(point, _)| point);
        let end = self
            .arcs
            .get(at + 1)
            .map_or(1 << (self.bits & 31), |&(_, start)| start);
        let finer = SLOT_BITS_STORED.saturating_sub(self.bits);
        let width = u64::from(end - start) << finer;
        // Counted from 1 to the arc's length, both of which may be 2^32.
        let length = match point.wrapping_sub(from) {
            0 => 1 << 32,
            length => u64::from(length),
        };
        let offset = u64::from(hash.wrapping_sub(from).wrapping_sub(1));
        #[expect(clippy::cast_possible_truncation, reason = "less than the width")]
        let within = (offset * width / length) as u32;
        Foreign {
            hash: hash.into(),
            stored: (start << finer) + within,
        }
    }
}

#[cfg(test)]
impl Continuum {
    pub(super) fn points(&self) -> Vec<u32> {
        self.arcs.iter().map(|&(point, _)| point).collect()
    }
}
