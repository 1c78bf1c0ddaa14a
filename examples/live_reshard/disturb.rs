//! What is done to a run's coordinator, and where.

use std::fmt;

use fastrand::Rng;
use ringshift::Phase;
use ringshift::migration::{Move, Point};

/// What to do to the coordinator, and where.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Disturbance {
    /// The whole process dies by a signal before this is done.
    pub(crate) kill_at: Option<Moment>,
    /// The coordinator alone falls, and another takes over.
    pub(crate) fall: Option<Fall>,
    /// Turn back when a wave has come to this phase.
    pub(crate) rollback_at: Option<Phase>,
    /// Turn back here.
    pub(crate) turn_at: Option<Moment>,
}

/// A step of the coordinator: the n-th time that it comes to a point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Moment {
    /// `None`: any.
    pub(crate) point: Option<Point>,
    /// From 1.
    pub(crate) nth: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fall {
    pub(crate) at: Moment,
    pub(crate) how: How,
    /// Count only what comes after the migration was turned back.
    pub(crate) after_turn: bool,
}

/// How a coordinator leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum How {
    Dies,
    /// It stops in front of a command, and carries it out when its successor has carried out so
    /// many.
    Freezes {
        commands: u32,
    },
}

impl Moment {
    /// The first time at a point.
    pub(crate) const fn first(point: Point) -> Self {
        Self {
            point: Some(point),
            nth: 1,
        }
    }

    /// One of the steps that another run of the same job went through: any of them alike, or any
    /// point alike, so that rare ones have their turn.
    pub(crate) fn draw(rng: &mut Rng, steps: &[Point]) -> Option<Self> {
        let count = |steps: &[Point], point| {
            let same = steps.iter().filter(|&&step| step == point);
            u32::try_from(same.count()).unwrap_or(u32::MAX)
        };
        if rng.bool() {
            let at = rng.usize(..steps.len().max(1));
            let point = *steps.get(at)?;
            let nth = count(steps.get(..=at)?, point);
            let point = Some(point);
            return Some(Self { point, nth });
        }
        let mut kinds = steps.to_vec();
        kinds.sort_unstable();
        kinds.dedup();
        let point = rng.choice(kinds)?;
        // No two runs go through the same number of chunks.
        let nth = rng.u32(1..=(count(steps, point) * 3 / 4).max(1));
        let point = Some(point);
        Some(Self { point, nth })
    }

    /// Whether this is the moment; counts down on the way.
    pub(crate) fn is_now(&mut self, point: Point) -> bool {
        if self.point.is_some_and(|own| own != point) {
            return false;
        }
        let left = self.nth;
        self.nth = left.saturating_sub(1);
        left == 1
    }
}

impl How {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        if rng.bool() {
            Self::Dies
        } else {
            let commands = rng.u32(0..60);
            Self::Freezes { commands }
        }
    }
}

/// The steps from which there is a way back.
pub(crate) fn with_way_back(steps: &[Point]) -> &[Point] {
    let last = |step: &Point| matches!(step.goal, Move::Finish | Move::Grow);
    let end = steps.iter().position(last).unwrap_or(steps.len());
    steps.get(..end).unwrap_or(steps)
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.point {
            Some(point) => write!(f, "{point} #{}", self.nth),
            None => write!(f, "step {}", self.nth),
        }
    }
}

impl fmt::Display for Fall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.how {
            How::Dies => write!(f, "dies at {}", self.at)?,
            How::Freezes { commands } => {
                write!(f, "freezes at {} for {commands} commands", self.at)?;
            }
        }
        if self.after_turn {
            f.write_str(" after the turn")?;
        }
        Ok(())
    }
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("undisturbed")?;
        if let Some(turn_at) = self.turn_at {
            write!(f, " but turned back at {turn_at}")?;
        }
        if let Some(fall) = self.fall {
            write!(f, " but the coordinator {fall}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn points(names: &str) -> Vec<Point> {
        let names = names.split_whitespace();
        let points = names.map(|name| Point::from_name(name).expect("a step"));
        points.collect()
    }

    #[test]
    fn a_moment_comes_once() {
        let steps = points("copy/read copy/apply copy/read copy/log copy/read");
        let mut moment = Moment {
            point: steps.first().copied(),
            nth: 2,
        };
        let hits: Vec<_> = steps.iter().map(|&step| moment.is_now(step)).collect();
        assert_eq!(hits, [false, false, true, false, false]);
        let mut any = Moment {
            point: None,
            nth: 4,
        };
        let hits: Vec<_> = steps.iter().map(|&step| any.is_now(step)).collect();
        assert_eq!(hits, [false, false, false, true, false]);
    }

    #[test]
    fn what_is_drawn_is_one_of_the_steps_and_comes() {
        let steps = points("take-over/lead copy/read copy/apply copy/read copy/read switch/swap");
        let mut drawn = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let moment = Moment::draw(&mut Rng::with_seed(seed), &steps).expect("there are steps");
            let mut left = moment;
            assert!(steps.iter().any(|&step| left.is_now(step)), "{moment}");
            drawn.insert(moment.to_string());
        }
        // The three reads apart.
        assert_eq!(drawn.len(), steps.len(), "{drawn:?}");
        assert_eq!(Moment::draw(&mut Rng::with_seed(1), &[]), None);
    }

    #[test]
    fn there_is_no_way_back_once_a_wave_finishes_or_slots_are_split() {
        let steps = points("enlist/swap switch/swap finish/swap switch/swap");
        assert_eq!(with_way_back(&steps).len(), 2);
        assert_eq!(with_way_back(&points("take-over/lead grow/swap")).len(), 1);
        assert_eq!(with_way_back(&points("copy/read")).len(), 1);
    }
}
