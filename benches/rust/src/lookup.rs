//! One way to look keys up, and the modes in which it is measured.

use std::hint::black_box;

/// How keys come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// In the order of memory: throughput.
    Stream,
    /// Through shuffled pointers, so that a key's own bytes are far away too.
    Cold,
    /// In the order of memory, but each lookup waits for the answer before it: latency.
    Dependent,
}

impl Mode {
    pub(crate) const ALL: [Self; 3] = [Self::Stream, Self::Cold, Self::Dependent];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Cold => "cold",
            Self::Dependent => "dependent",
        }
    }
}

type Pass<'a, 'k> = Box<dyn Fn(Mode, &[&'k [u8]]) -> u64 + 'a>;

/// Something that looks up keys that live as long as `'k`.
pub(crate) struct Lookup<'a, 'k> {
    pub(crate) name: &'static str,
    /// How many keys of the workload a pass takes: fewer for who is slow.
    pub(crate) keys_max: usize,
    /// Whether it looks up many at once, so that none can wait for another.
    pub(crate) in_batches: bool,
    pass: Pass<'a, 'k>,
}

impl<'a, 'k: 'a> Lookup<'a, 'k> {
    /// One that looks keys up one by one. The loops are made for it alone, so that it is inlined
    /// as it would be in a user's program.
    pub(crate) fn of(name: &'static str, get: impl Fn(&'k [u8]) -> u64 + 'a) -> Self {
        let pass = move |mode, keys: &[&'k [u8]]| match mode {
            Mode::Stream | Mode::Cold => independent(keys, &get),
            Mode::Dependent => dependent(keys, &get),
        };
        Self {
            name,
            keys_max: usize::MAX,
            in_batches: false,
            pass: Box::new(pass),
        }
    }

    /// One that takes lists of keys.
    pub(crate) fn batches(name: &'static str, many: impl Fn(&[&'k [u8]]) -> u64 + 'a) -> Self {
        Self {
            name,
            keys_max: usize::MAX,
            in_batches: true,
            pass: Box::new(move |_, keys| many(keys)),
        }
    }

    /// With fewer keys a pass.
    pub(crate) fn at_most(self, keys_max: usize) -> Self {
        Self { keys_max, ..self }
    }

    /// Whether it can be measured so.
    pub(crate) fn has(&self, mode: Mode) -> bool {
        !(self.in_batches && mode == Mode::Dependent)
    }

    /// Looks all keys up, and answers the sum of what was found.
    pub(crate) fn pass(&self, mode: Mode, keys: &[&'k [u8]]) -> u64 {
        (self.pass)(mode, keys)
    }
}

#[inline(never)]
fn independent<'k>(keys: &[&'k [u8]], get: &impl Fn(&'k [u8]) -> u64) -> u64 {
    keys.iter()
        .fold(0, |sum: u64, key| sum.wrapping_add(get(key)))
}

/// Which key comes next depends on the answer, by a mask that is 0 and that no compiler knows.
#[inline(never)]
fn dependent<'k>(keys: &[&'k [u8]], get: &impl Fn(&'k [u8]) -> u64) -> u64 {
    let mask = black_box(0_u64);
    let (mut sum, mut answer) = (0_u64, 0_u64);
    for at in 0..keys.len() {
        let next = usize::try_from(answer & mask).unwrap_or(0) + at;
        answer = get(keys.get(next).copied().unwrap_or_default());
        sum = sum.wrapping_add(answer);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_looks_every_key_up() {
        let keys: [&[u8]; 3] = [b"a", b"bb", b"ccc"];
        let length = Lookup::of("length", |key| key.len() as u64);
        for mode in Mode::ALL {
            assert_eq!(length.pass(mode, &keys), 6);
        }
        let many = Lookup::batches("many", |keys| keys.len() as u64);
        assert!(many.has(Mode::Cold) && !many.has(Mode::Dependent));
    }
}
