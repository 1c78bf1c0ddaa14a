//! Times candidates in turns within one process: what the machine does to one, it does to all.
//!
//! Round 0 warms up. Figures are medians, and a ratio is the median of the ratios within each
//! round.

use std::hint::black_box;
use std::time::Instant;

/// A piece of work that makes `calls` calls, and answers something that depends on each.
pub(crate) struct Candidate<'a> {
    pub(crate) name: String,
    pub(crate) calls: usize,
    pub(crate) run: Box<dyn FnMut() -> u64 + 'a>,
}

impl<'a> Candidate<'a> {
    /// Work that is one call.
    pub(crate) fn once(name: impl Into<String>, run: impl FnMut() -> u64 + 'a) -> Self {
        Self::many(name, 1, run)
    }

    /// Work that is so many calls.
    pub(crate) fn many(
        name: impl Into<String>,
        calls: usize,
        run: impl FnMut() -> u64 + 'a,
    ) -> Self {
        Self {
            name: name.into(),
            calls,
            run: Box::new(run),
        }
    }
}

/// What a candidate took: nanoseconds a call, round by round.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Timing {
    pub(crate) name: String,
    pub(crate) calls: usize,
    pub(crate) rounds: Vec<f64>,
}

impl Timing {
    /// The median.
    pub(crate) fn median(&self) -> f64 {
        median(&self.rounds)
    }

    /// The fastest round.
    pub(crate) fn min(&self) -> f64 {
        self.rounds.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The slowest.
    pub(crate) fn max(&self) -> f64 {
        self.rounds.iter().copied().fold(0.0, f64::max)
    }

    /// The median over rounds of this one's time divided by the other's.
    pub(crate) fn over(&self, other: &Self) -> f64 {
        let rounds = self.rounds.iter().zip(&other.rounds);
        median(&rounds.map(|(a, b)| a / b).collect::<Vec<f64>>())
    }
}

/// The median of numbers; of none, not a number.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle).copied().unwrap_or(f64::NAN);
    if sorted.len() % 2 == 1 {
        return upper;
    }
    let lower = middle.checked_sub(1).and_then(|at| sorted.get(at)).copied();
    lower.map_or(f64::NAN, |lower| f64::midpoint(lower, upper))
}

/// Runs every candidate once a round.
pub(crate) fn measure(candidates: &mut [Candidate<'_>], rounds: usize) -> Vec<Timing> {
    let mut timings: Vec<Timing> = candidates
        .iter()
        .map(|candidate| Timing {
            name: candidate.name.clone(),
            calls: candidate.calls,
            rounds: Vec::with_capacity(rounds),
        })
        .collect();
    for round in 0..=rounds {
        for (candidate, timing) in candidates.iter_mut().zip(&mut timings) {
            let begun = Instant::now();
            black_box((candidate.run)());
            let took = begun.elapsed();
            if round > 0 {
                #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
                timing
                    .rounds
                    .push(took.as_nanos() as f64 / candidate.calls.max(1) as f64);
            }
        }
    }
    timings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(rounds: &[f64]) -> Timing {
        Timing {
            name: String::new(),
            calls: 1,
            rounds: rounds.to_vec(),
        }
    }

    fn same(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn medians_are_in_the_middle() {
        assert!(same(median(&[3.0, 1.0, 2.0]), 2.0));
        assert!(same(median(&[4.0, 1.0, 2.0, 3.0]), 2.5));
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        // A round that was slow for both says nothing about their ratio.
        let (a, b) = (timing(&[2.0, 20.0, 2.0]), timing(&[1.0, 10.0, 4.0]));
        assert!(same(a.over(&b), 2.0));
        assert!(same(a.min(), 2.0) && same(a.max(), 20.0));
    }

    #[test]
    fn every_candidate_runs_once_a_round_and_once_to_warm_up() {
        let (mut first, mut second) = (0, 0);
        let timings = measure(
            &mut [
                Candidate::once("a", || {
                    first += 1;
                    0
                }),
                Candidate::many("b", 10, || {
                    second += 1;
                    0
                }),
            ],
            4,
        );
        assert_eq!((first, second), (5, 5));
        assert!(timings.iter().all(|timing| timing.rounds.len() == 4));
    }
}
