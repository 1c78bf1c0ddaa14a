//! Bytes as choices. Where they end everything is 0, so that any bytes are a whole case.

use ringshift::Match;

pub(crate) struct Input<'b>(pub(crate) &'b [u8]);

impl Input<'_> {
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// One byte, and 2 or 4 more where it says so: most numbers are small.
    pub(crate) fn number(&mut self) -> u32 {
        let first = self.byte();
        match first {
            0xfe => u32::from(u16::from_le_bytes([self.byte(), self.byte()])),
            0xff => u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()]),
            small => small.into(),
        }
    }

    /// `0..below`.
    pub(crate) fn below(&mut self, below: usize) -> usize {
        usize::from(self.byte()) % below
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A short key of few letters, so that keys meet.
    pub(crate) fn key(&mut self) -> Vec<u8> {
        let length = self.below(4);
        (0..length).map(|_| b"ab\0\xff"[self.below(4)]).collect()
    }

    /// An interval of such keys.
    pub(crate) fn interval(&mut self) -> Match {
        match self.below(3) {
            0 => Match::Exact(self.key()),
            1 => Match::Prefix(self.key()),
            _ => Match::Range {
                start: self.key(),
                end: self.key(),
            },
        }
    }
}
