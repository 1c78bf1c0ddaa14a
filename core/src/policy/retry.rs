//! What a refusal means for the operation that got it: the three-way comparison of epochs.
//!
//! A shard that is newer than the client's map means refresh; one that is older means wait and
//! keep the map, the shard is about to learn; one at the same epoch with another role means that
//! somebody is wrong. (The clients of `TiKV` compare the same way.)

use crate::guard::Refusal;
use crate::hash::xxh3;
use crate::ids::Epoch;

/// How an operation goes on after an attempt that brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// Get a snapshot past this epoch, and route again.
    Refresh {
        /// The epoch to get past.
        newer_than: Epoch,
        /// Whether this is the one refresh that a budget has for whatever doesn't name a newer
        /// epoch.
        conditional: bool,
    },
    /// Wait, and try the same again.
    BackOff(BackoffClass),
}

/// What to do about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Go on.
    Retry(Retry),
    /// A fork or a bug.
    WrongRole {
        /// The shard's epoch.
        current: Epoch,
    },
}

/// Why an operation waits: each reason has its own curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BackoffClass {
    /// A barrier, or a shard that is about to learn: a few milliseconds.
    NotReady,
    /// A shard that doesn't know the domain.
    NotOwner,
    /// A mirror without a lease.
    Lease,
    /// No answer.
    Unavailable,
    /// The topology store has nothing newer yet.
    Refresh,
}

/// Decides about `refusal`.
///
/// `map` is the epoch of the snapshot that routed the attempt; `refreshed` says whether the
/// budget's one conditional refresh is used up.
#[deny(clippy::wildcard_enum_match_arm)]
pub(crate) fn on_refusal(refusal: Refusal, map: Epoch, refreshed: bool) -> Decision {
    let conditional = Retry::Refresh {
        newer_than: map,
        conditional: true,
    };
    Decision::Retry(match refusal {
        Refusal::StaleEpoch {
            current,
            drained: _,
        } => {
            // To at least `current`: just past the epoch before it.
            let newer_than = Epoch::new(current.get().saturating_sub(1)).unwrap_or(Epoch::ZERO);
            Retry::Refresh {
                newer_than: newer_than.max(map),
                conditional: false,
            }
        }
        Refusal::NotReady { current: _ } => Retry::BackOff(BackoffClass::NotReady),
        Refusal::NotOwner if refreshed => Retry::BackOff(BackoffClass::NotOwner),
        Refusal::LeaseOver { .. } if refreshed => Retry::BackOff(BackoffClass::Lease),
        Refusal::NotOwner | Refusal::LeaseOver { .. } => conditional,
        Refusal::WrongRole { current } if refreshed => return Decision::WrongRole { current },
        Refusal::WrongRole { .. } => conditional,
        // Only coordinators are told so; a client that is, talks to something that isn't a shard.
        Refusal::StaleTerm { seen: _ } => Retry::BackOff(BackoffClass::Unavailable),
    })
}

/// Decides about no answer at all, to an attempt that may be repeated.
///
/// A shard that is gone can't say that it was replaced: a wave may have stepped back from it, or
/// its slots have moved away before it was shut down. So the map is looked at once.
pub(crate) const fn on_silence(map: Epoch, refreshed: bool) -> Retry {
    if refreshed {
        Retry::BackOff(BackoffClass::Unavailable)
    } else {
        Retry::Refresh {
            newer_than: map,
            conditional: true,
        }
    }
}

/// How long to wait before try `tries` (from 0), in milliseconds.
///
/// Doubles from try to try up to the class's cap, and is spread over its upper half by `random`,
/// so that operations that were refused together don't come back together.
///
/// ```
/// use ringshift::{BackoffClass, backoff_ms};
/// assert_eq!(backoff_ms(BackoffClass::NotReady, 0, 7), 1);
/// assert!(backoff_ms(BackoffClass::Unavailable, 40, 7) <= 1_000);
/// ```
pub fn backoff_ms(class: BackoffClass, tries: u16, random: u64) -> u64 {
    let (first, cap) = match class {
        BackoffClass::NotReady => (1, 8),
        BackoffClass::NotOwner => (5, 200),
        BackoffClass::Lease => (5, 100),
        BackoffClass::Unavailable => (10, 1_000),
        BackoffClass::Refresh => (2, 100),
    };
    let full = (first << tries.min(20)).min(cap);
    let half = full / 2;
    full - half + random % (half + 1)
}

/// A number for the `n`-th wait of an operation with that seed.
pub(crate) fn random(seed: u64, n: u32) -> u64 {
    xxh3(&n.to_le_bytes(), seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn e(n: u32) -> Epoch {
        match Epoch::new(n) {
            Some(epoch) => epoch,
            None => Epoch::MAX,
        }
    }

    #[test]
    fn a_newer_shard_means_refresh_to_at_least_its_epoch() {
        let stale = Refusal::StaleEpoch {
            current: e(9),
            drained: e(3),
        };
        assert_eq!(
            on_refusal(stale, e(5), true),
            Decision::Retry(Retry::Refresh {
                newer_than: e(8),
                conditional: false
            })
        );
        // A map that is newer as a whole, but older for this domain, must still move on.
        assert_eq!(
            on_refusal(stale, e(12), true),
            Decision::Retry(Retry::Refresh {
                newer_than: e(12),
                conditional: false
            })
        );
    }

    #[test]
    fn an_older_shard_means_wait_and_keep_the_map() {
        let behind = Refusal::NotReady { current: e(4) };
        assert_eq!(
            on_refusal(behind, e(5), false),
            Decision::Retry(Retry::BackOff(BackoffClass::NotReady))
        );
    }

    #[test]
    fn refusals_without_a_newer_epoch_have_one_refresh() {
        for refusal in [
            Refusal::NotOwner,
            Refusal::WrongRole { current: e(5) },
            Refusal::LeaseOver { current: e(5) },
        ] {
            let conditional = Decision::Retry(Retry::Refresh {
                newer_than: e(5),
                conditional: true,
            });
            assert_eq!(on_refusal(refusal, e(5), false), conditional);
            assert_ne!(on_refusal(refusal, e(5), true), conditional);
        }
    }

    #[test]
    fn no_answer_at_all_has_the_same_one_refresh() {
        let conditional = Retry::Refresh {
            newer_than: e(5),
            conditional: true,
        };
        assert_eq!(on_silence(e(5), false), conditional);
        let wait = Retry::BackOff(BackoffClass::Unavailable);
        assert_eq!(on_silence(e(5), true), wait);
    }

    #[test]
    fn waits_grow_to_their_cap_and_are_never_zero() {
        for class in [
            BackoffClass::NotReady,
            BackoffClass::NotOwner,
            BackoffClass::Lease,
            BackoffClass::Unavailable,
            BackoffClass::Refresh,
        ] {
            for tries in [0, 1, 5, 63, u16::MAX] {
                let waits = [0, 1, u64::MAX].map(|random| backoff_ms(class, tries, random));
                assert!(
                    waits.iter().all(|&ms| (1..=1_000).contains(&ms)),
                    "{class:?} {waits:?}"
                );
            }
        }
    }
}
