//! Numbers drawn from a seed, and clocks that don't agree.

/// Numbers drawn from a seed (splitmix64): the only chance that a world knows.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        // Seeds that follow each other shall not make worlds that do.
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5157_a7e0);
        dice.draw();
        dice
    }

    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `0..below`; 0 for nothing.
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        self.draw() % below.max(1)
    }

    /// `low..=high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// Whether it happens, so many times of a thousand.
    pub(crate) fn chance(&mut self, of_a_thousand: u64) -> bool {
        self.below(1_000) < of_a_thousand
    }

    pub(crate) fn index(&mut self, of: usize) -> usize {
        usize::try_from(self.below(of as u64)).unwrap()
    }

    pub(crate) fn pick_ref<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.index(of.len())]
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())]
    }

    /// Mostly little, now and then much: `low..=high`.
    pub(crate) fn skewed(&mut self, low: u64, high: u64) -> u64 {
        let once = self.below(high - low + 1);
        let twice = self.below(once + 1);
        low + self.below(twice + 1)
    }
}

/// A clock that began at a time of its own, and runs a little fast or slow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: u64,
    /// Of a million; above it runs fast.
    rate: u64,
}

const MILLION: u64 = 1_000_000;

impl Clock {
    /// A clock that is off by up to `off_ppm` either way.
    pub(crate) fn new(dice: &mut Dice, off_ppm: u64) -> Self {
        Self {
            origin: dice.below(100_000),
            rate: MILLION - off_ppm + dice.below(2 * off_ppm + 1),
        }
    }

    /// What it says at `now` of the world's time.
    pub(crate) fn says(self, now: u64) -> u64 {
        self.origin + now * self.rate / MILLION
    }

    /// The first moment of the world's time at which it says `time`.
    pub(crate) fn when(self, time: u64) -> u64 {
        let Some(passed) = time.checked_sub(self.origin) else {
            return 0;
        };
        passed.saturating_mul(MILLION).div_ceil(self.rate)
    }
}
