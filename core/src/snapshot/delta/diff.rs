//! Which bytes of one text stand in another too, in the same order.
//!
//! What is equal at both ends is kept. Between them, words that each text has once are held
//! against each other, and the longest row of them that comes in the same order in both is kept,
//! with what is equal around each; then the same again in the gaps. Repetitive bytes (slots at even
//! distances, say) have few such words, but stand next to some.

use alloc::vec::Vec;

/// Bytes that both texts have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Where in the old one.
    pub(super) old: usize,
    /// Where in the new one.
    pub(super) new: usize,
    /// How many.
    pub(super) len: usize,
}

/// Bytes of a word, tried one after the other.
const WIDTHS: [usize; 2] = [8, 4];
/// A shorter part costs as much to name as to repeat.
const KEPT_MIN: usize = 3;
/// Gaps in gaps in gaps.
const DEPTH_MAX: u8 = 12;
/// Words that are looked at, of a text.
const WORDS_MAX: usize = 1 << 16;

/// The parts that `old` and `new` share, in their order; none touches the next in both.
pub(super) fn kept(old: &[u8], new: &[u8]) -> Vec<Kept> {
    let mut parts = Vec::new();
    Gap {
        old,
        new,
        at: (0, 0),
    }
    .fill(DEPTH_MAX, &mut parts);
    parts.retain(|part| part.len >= KEPT_MIN);
    parts
}

/// A part of each text, and where they begin.
#[derive(Clone, Copy)]
struct Gap<'t> {
    old: &'t [u8],
    new: &'t [u8],
    at: (usize, usize),
}

impl Gap<'_> {
    /// From these places in it up to, but without, those.
    fn cut(self, from: (usize, usize), to: (usize, usize)) -> Self {
        Self {
            old: self.old.get(from.0..to.0).unwrap_or_default(),
            new: self.new.get(from.1..to.1).unwrap_or_default(),
            at: (self.at.0 + from.0, self.at.1 + from.1),
        }
    }

    fn ends(self) -> (usize, usize) {
        (self.old.len(), self.new.len())
    }

    fn part(self, old: usize, new: usize, len: usize) -> Kept {
        Kept {
            old: self.at.0 + old,
            new: self.at.1 + new,
            len,
        }
    }

    fn fill(self, depth: u8, parts: &mut Vec<Kept>) {
        let front = same(self.old.iter(), self.new.iter());
        push(parts, self.part(0, 0, front));
        let inner = self.cut((front, front), self.ends());
        let back = same(inner.old.iter().rev(), inner.new.iter().rev());
        let (old, new) = (inner.old.len() - back, inner.new.len() - back);
        if let Some(depth) = depth.checked_sub(1)
            && old > 0
            && new > 0
        {
            inner.cut((0, 0), (old, new)).anchor(depth, parts);
        }
        push(parts, inner.part(old, new, back));
    }

    fn anchor(self, depth: u8, parts: &mut Vec<Kept>) {
        for width in WIDTHS {
            let row = rising(&self.anchors(width));
            if row.is_empty() {
                continue;
            }
            let mut done = (0, 0);
            for (old, new) in row {
                if old < done.0 || new < done.1 {
                    continue;
                }
                let before = self.cut(done, (old, new));
                let back = same(before.old.iter().rev(), before.new.iter().rev());
                let (old, new) = (old - back, new - back);
                self.cut(done, (old, new)).fill(depth, parts);
                let after = self.cut((old, new), self.ends());
                let len = same(after.old.iter(), after.new.iter());
                push(parts, self.part(old, new, len));
                done = (old + len, new + len);
            }
            self.cut(done, self.ends()).fill(depth, parts);
            return;
        }
    }

    /// Where the words are that both texts have once, by their places in the old one.
    fn anchors(self, width: usize) -> Vec<(usize, usize)> {
        let every = (self.old.len().max(self.new.len()) / WORDS_MAX + 1) as u64;
        let old = words(self.old, width, every);
        let mut new = words(self.new, width, every).into_iter().peekable();
        let mut anchors = Vec::new();
        for (word, at) in old {
            while new.next_if(|&(other, _)| other < word).is_some() {}
            if let Some((_, there)) = new.next_if(|&(other, _)| other == word) {
                anchors.push((at, there));
            }
        }
        anchors.sort_unstable();
        anchors
    }
}

/// Adds a part, to the last one where it goes on from there.
fn push(parts: &mut Vec<Kept>, part: Kept) {
    match parts.last_mut() {
        Some(last) if (last.old + last.len, last.new + last.len) == (part.old, part.new) => {
            last.len += part.len;
        }
        _ if part.len > 0 => parts.push(part),
        _ => {}
    }
}

fn same<'t>(a: impl Iterator<Item = &'t u8>, b: impl Iterator<Item = &'t u8>) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).count()
}

/// The words that come once, and where, sorted by word. One in `every` is looked at, chosen by
/// what it says, so that two texts choose alike.
fn words(text: &[u8], width: usize, every: u64) -> Vec<(u64, usize)> {
    let number = |word: &[u8]| {
        word.iter()
            .fold(0_u64, |number, &byte| number << 8 | u64::from(byte))
    };
    let mut words: Vec<(u64, usize)> = text
        .windows(width)
        .map(number)
        .zip(0..)
        .filter(|(word, _)| (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).is_multiple_of(every))
        .collect();
    words.sort_unstable();
    let mut once = Vec::new();
    for group in words.chunk_by(|a, b| a.0 == b.0) {
        if let [one] = group {
            once.push(*one);
        }
    }
    once
}

/// The longest row of these that rises in both places; they come sorted by the first.
fn rising(anchors: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // For each length the row that ends lowest, as the place of its last; and who came before.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(anchors.len());
    let second = |at: &usize| anchors.get(*at).map_or(0, |anchor| anchor.1);
    for (at, anchor) in anchors.iter().enumerate() {
        let longer = ends.partition_point(|end| second(end) < anchor.1);
        before.push(
            longer
                .checked_sub(1)
                .and_then(|last| ends.get(last).copied()),
        );
        match ends.get_mut(longer) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut row = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(at) = next {
        row.extend(anchors.get(at).copied());
        next = before.get(at).copied().flatten();
    }
    row.reverse();
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(old: &[u8], new: &[u8], least: usize) {
        let parts = kept(old, new);
        let mut at = (0, 0);
        for part in &parts {
            assert!(part.old >= at.0 && part.new >= at.1, "{parts:?}");
            let (a, b) = (part.old + part.len, part.new + part.len);
            assert_eq!(old.get(part.old..a), new.get(part.new..b));
            assert!(old.get(part.old..a).is_some());
            at = (a, b);
        }
        let kept: usize = parts.iter().map(|part| part.len).sum();
        assert!(kept >= least, "{kept} of {} are kept: {parts:?}", new.len());
    }

    #[test]
    fn what_is_the_same_is_kept() {
        check(b"", b"", 0);
        check(b"abc", b"", 0);
        check(b"abcdef", b"abcdef", 6);
        check(b"abcdef", b"abc-def", 6);
        check(b"abc-def", b"abcdef", 6);
        check(
            b"0123456789abcdef!ghijklmnop?",
            b"x0123456789abcdefghijklmnop",
            26,
        );
        check(b"one two three four", b"four three two one", 4);
    }

    #[test]
    fn a_change_amid_repeated_bytes_costs_only_itself() {
        let mut old: Vec<u8> = (0..200).flat_map(|_| [64, 1]).collect();
        old.extend((0..=255_u8).rev());
        old.extend((0..3_000).flat_map(|_| [64, 1]));
        let mut new = old.clone();
        new.splice(100..101, [9, 9, 9]);
        new.splice(500..510, []);
        new.splice(5_000..5_000, *b"hello");
        check(&old, &new, old.len() - 20);
    }

    #[test]
    fn a_long_text_is_looked_at_by_some_of_its_words() {
        let old: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut new = old.clone();
        new.splice(10..11, [1, 2, 3]);
        new.splice(400_000..400_100, []);
        new.splice(700_000..700_000, [7; 50]);
        check(&old, &new, old.len() - 1_000);
    }
}
