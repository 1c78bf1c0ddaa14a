//! Intervals of keys: what narrows a wave or an override to less than its slots.
//!
//! One key, the keys of a prefix and an ordered range are all intervals of key bytes, so that one
//! rule serves them: of the intervals that contain a key, the innermost decides. That has one
//! answer, because any two intervals of a keyspace are disjoint, or one encloses the other.

mod nest;

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use nest::{Nest, Runs};

/// Which keys an override, or a wave, is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Match {
    /// This key.
    Exact(Vec<u8>),
    /// Keys that begin so: a tenant. Not empty.
    Prefix(Vec<u8>),
    /// Keys from `start` up to, but without, `end`, in the order of their bytes.
    Range {
        /// The first key; may be empty.
        start: Vec<u8>,
        /// One after the last; empty: to the last key that there is.
        end: Vec<u8>,
    },
}

impl Match {
    /// The same as an interval.
    ///
    /// ```
    /// use ringshift::Match;
    /// let tenant = Match::Prefix(b"acme:".to_vec()).scope();
    /// assert!(tenant.contains(b"acme:7") && !tenant.contains(b"acme;"));
    /// let key = Match::Exact(b"hot".to_vec()).scope();
    /// assert!(key.contains(b"hot") && !key.contains(b"hot\0"));
    /// ```
    pub fn scope(&self) -> Scope {
        match self {
            Self::Exact(key) => {
                let mut end = key.clone();
                end.push(0);
                Scope {
                    start: key.clone(),
                    end,
                }
            }
            Self::Prefix(prefix) => Scope {
                start: prefix.clone(),
                end: after_prefix(prefix),
            },
            Self::Range { start, end } => Scope {
                start: start.clone(),
                end: end.clone(),
            },
        }
    }

    /// Whether `key` is one of them.
    #[inline]
    pub fn contains(&self, key: &[u8]) -> bool {
        match self {
            Self::Exact(one) => one == key,
            Self::Prefix(prefix) => key.starts_with(prefix),
            Self::Range { start, end } => {
                start.as_slice() <= key && (end.is_empty() || key < end.as_slice())
            }
        }
    }
}

/// For messages: what people would write.
impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(key) => write!(f, "the key `{}`", key.escape_ascii()),
            Self::Prefix(prefix) => write!(f, "the prefix `{}`", prefix.escape_ascii()),
            Self::Range { start, end } => write!(
                f,
                "the range `{}` to `{}`",
                start.escape_ascii(),
                end.escape_ascii()
            ),
        }
    }
}

/// The first key after all that begin with `prefix`; empty where there is none.
fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

/// The keys from `start` up to, but without, `end`, in the order of their bytes; an empty `end`
/// is after every key.
///
/// In order, an interval stands before those that it encloses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// The first key.
    pub start: Vec<u8>,
    /// One after the last; empty: none is after the last.
    pub end: Vec<u8>,
}

impl Scope {
    /// Whether `key` lies in it.
    #[inline]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.start.as_slice() <= key && self.ends_after(key)
    }

    /// Whether every key of `inner` lies in it.
    pub fn encloses(&self, inner: &Self) -> bool {
        self.start <= inner.start && self.cmp_end(inner) != Ordering::Less
    }

    /// Whether no key lies in both.
    pub fn is_apart_from(&self, other: &Self) -> bool {
        !self.ends_after(&other.start) || !other.ends_after(&self.start)
    }

    /// Whether no key lies in it.
    pub fn is_empty(&self) -> bool {
        !self.ends_after(&self.start)
    }

    /// Whether `key` is before the end.
    #[inline]
    pub fn ends_after(&self, key: &[u8]) -> bool {
        self.end.is_empty() || key < self.end.as_slice()
    }

    fn cmp_end(&self, other: &Self) -> Ordering {
        match (self.end.is_empty(), other.end.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => self.end.cmp(&other.end),
        }
    }
}

impl Ord for Scope {
    fn cmp(&self, other: &Self) -> Ordering {
        let starts = self.start.cmp(&other.start);
        starts.then_with(|| other.cmp_end(self))
    }
}

impl PartialOrd for Scope {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(bytes: &[u8]) -> Match {
        Match::Prefix(bytes.to_vec())
    }

    #[test]
    fn an_interval_has_the_keys_that_its_match_has() {
        let keys: &[&[u8]] = &[
            b"",
            b"\0",
            b"a",
            b"a\0",
            b"ab",
            b"b",
            b"\xfe",
            b"\xff",
            b"\xff\0",
            b"\xff\xff",
            b"\xff\xff\x01",
        ];
        let range = |start: &[u8], end: &[u8]| Match::Range {
            start: start.to_vec(),
            end: end.to_vec(),
        };
        let mut all: Vec<Match> = keys.iter().map(|key| Match::Exact(key.to_vec())).collect();
        all.extend(keys.iter().map(|key| prefix(key)));
        all.extend([range(b"", b"b"), range(b"a", b"b"), range(b"a\0", b"")]);
        for matches in all {
            let scope = matches.scope();
            assert!(!scope.is_empty());
            for &key in keys {
                assert_eq!(
                    scope.contains(key),
                    matches.contains(key),
                    "{matches} {key:?}"
                );
            }
        }
    }

    #[test]
    fn what_encloses_stands_first() {
        let all = [
            Scope::default(),
            prefix(b"a").scope(),
            prefix(b"a\0").scope(),
            Match::Exact(b"a\0".to_vec()).scope(),
            prefix(b"ab").scope(),
            prefix(b"\xff").scope(),
            prefix(b"\xff\xff").scope(),
        ];
        assert!(all.is_sorted_by(|a, b| a < b));
        for (at, outer) in all.iter().enumerate() {
            for inner in all.iter().skip(at) {
                assert!(
                    outer.encloses(inner) != outer.is_apart_from(inner),
                    "{outer:?} {inner:?}"
                );
            }
        }
        assert!(
            all.iter()
                .all(|scope| all.first().is_some_and(|whole| whole.encloses(scope)))
        );
    }
}
