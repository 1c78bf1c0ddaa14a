//! What happened, in lines: only told when a world is looked at again.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// One key.
    Key(usize),
    /// Everybody: a fault, a step of a migration.
    All,
}

/// The lines, if anybody wants them, and a digest of everything in any case.
#[derive(Default)]
pub(crate) struct Story {
    lines: Option<Vec<(u64, About, String)>>,
    digest: DefaultHasher,
}

impl Story {
    pub(crate) fn new(told: bool) -> Self {
        Self {
            lines: told.then(Vec::new),
            digest: DefaultHasher::new(),
        }
    }

    /// Something happened; it goes into the digest.
    pub(crate) fn mark(&mut self, what: impl Hash) {
        what.hash(&mut self.digest);
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest.finish()
    }

    pub(crate) fn tell(&mut self, now: u64, about: About, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push((now, about, line()));
        }
    }

    /// The lines about everybody, and about `key`; about every key, if none is named.
    pub(crate) fn read(&self, key: Option<usize>) -> String {
        let mut text = String::new();
        for (at, about, line) in self.lines.iter().flatten() {
            let wanted = match (about, key) {
                (About::Key(about), Some(key)) => *about == key,
                (About::Key(_), None) | (About::All, _) => true,
            };
            if wanted {
                let mark = if matches!(about, About::Key(_)) {
                    "  "
                } else {
                    ""
                };
                let _ = writeln!(text, "{at:>7} ms  {mark}{line}");
            }
        }
        text
    }
}
