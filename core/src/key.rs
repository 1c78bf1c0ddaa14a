//! From a key to the part of it that is hashed.
//!
//! A key is bytes. A composite key is several parts in one byte string, each preceded by its
//! length as a little-endian `u32`, so that ("ab", "c") and ("a", "bc") differ and the first parts
//! together are a prefix of the whole. What is hashed, the *routing part*, decides which keys live
//! together:
//!
//! | rows that belong together | key | rule |
//! |---|---|---|
//! | a chat channel's messages of one time bucket | (`channel_id`, bucket, ...) | `Parts(2)` |
//! | everything of a tenant | (tenant, entity, ...) | `Parts(1)` |
//! | a region's users, each on a shard of its own | (region, user, ...) | `Parts(2)` |
//! | whatever the application marks | `cart:{user42}` | `HashTag` |

use alloc::{string::ToString, vec::Vec};
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ErrorCode;

/// The longest key, in bytes, a composite's lengths included: 64 KiB.
pub const KEY_BYTES_MAX: usize = 64 * 1024;

/// Which part of a key is hashed. Fixed when the keyspace is made: another rule is another place
/// for every key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyRule {
    /// The whole key.
    #[default]
    Whole,
    /// The bytes between the first `{` and the next `}` when there are any, else the whole key.
    /// The rule of Redis Cluster.
    HashTag,
    /// The first so many parts of a composite key, at least 1.
    Parts(u8),
}

impl KeyRule {
    /// The bytes of `key` that are hashed.
    ///
    /// Under [`KeyRule::Parts`] the whole of `key` is checked, since all of it is what the
    /// directory matches.
    ///
    /// Errors: [`KeyError::TooLong`] above [`KEY_BYTES_MAX`]; for composites
    /// [`KeyError::Malformed`] when a length reaches past the end, and [`KeyError::TooFewParts`]
    /// when there are fewer parts than the rule groups by, or it groups by none.
    ///
    /// ```
    /// use ringshift::{Composite, KeyRule};
    /// assert_eq!(KeyRule::Whole.routing_part(b"user:42"), Ok(&b"user:42"[..]));
    /// assert_eq!(KeyRule::HashTag.routing_part(b"cart:{user:42}"), Ok(&b"user:42"[..]));
    ///
    /// let message = Composite::new().str("general").int(19_000).int(7).finish()?;
    /// let bucket = Composite::new().str("general").int(19_000).finish()?;
    /// assert_eq!(KeyRule::Parts(2).routing_part(&message), Ok(&bucket[..]));
    /// assert!(KeyRule::Parts(3).routing_part(&bucket).is_err());
    /// # Ok::<(), ringshift::KeyError>(())
    /// ```
    #[inline]
    pub fn routing_part<'k>(&self, key: &'k [u8]) -> Result<&'k [u8], KeyError> {
        if key.len() > KEY_BYTES_MAX {
            return Err(KeyError::TooLong { bytes: key.len() });
        }
        match *self {
            Self::Whole => Ok(key),
            Self::HashTag => Ok(hash_tag(key).unwrap_or(key)),
            Self::Parts(parts) => first_parts(key, parts),
        }
    }
}

/// What stands between the first `{` and the next `}`, unless that is nothing.
#[inline]
pub(crate) fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let open = key.iter().position(|&byte| byte == b'{')?;
    let rest = key.get(open + 1..)?;
    let close = rest.iter().position(|&byte| byte == b'}')?;
    rest.get(..close).filter(|tag| !tag.is_empty())
}

/// The encoding of the first `wanted` parts of the composite `key`.
fn first_parts(key: &[u8], wanted: u8) -> Result<&[u8], KeyError> {
    let (mut rest, mut found, mut routing) = (key, 0_usize, None);
    while !rest.is_empty() {
        let at = key.len() - rest.len();
        rest = after_part(rest).ok_or(KeyError::Malformed { at })?;
        found += 1;
        if found == usize::from(wanted) {
            routing = key.get(..key.len() - rest.len());
        }
    }
    routing.ok_or(KeyError::TooFewParts { wanted, found })
}

/// What follows the first part of `bytes`, or `None` when that part reaches past the end.
fn after_part(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.get(usize::try_from(u32::from_le_bytes(*length)).ok()?..)
}

/// Writes a composite key, part by part.
///
/// A string is its UTF-8 bytes, an integer its decimal digits: `int(7)` and `str("7")` are the
/// same part, so that a key that passed through a URL finds its row.
///
/// ```
/// use ringshift::{Composite, time_bucket};
/// let day = time_bucket(1_750_000_000_000, 86_400_000);
/// let chat = Composite::new().int(81_384_788_765_712_384_u64).int(day).finish()?;
/// let tenant = Composite::new().str("acme").str("invoice").int(17).finish()?;
/// let user = Composite::new().str("eu-west").bytes(&[0xff; 16]).finish()?;
///
/// let (ab_c, a_bc) = (Composite::new().str("ab").str("c"), Composite::new().str("a").str("bc"));
/// assert_ne!(ab_c.finish()?, a_bc.finish()?);
/// # Ok::<(), ringshift::KeyError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Composite {
    key: Vec<u8>,
    /// The length that the key would have: parts that don't fit are counted, not kept.
    bytes: usize,
}

impl Composite {
    /// A key without parts yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            key: Vec::new(),
            bytes: 0,
        }
    }

    /// Adds a part of any bytes, also none.
    #[must_use]
    pub fn bytes(mut self, part: &[u8]) -> Self {
        self.bytes = self.bytes.saturating_add(4).saturating_add(part.len());
        if self.bytes <= KEY_BYTES_MAX
            && let Ok(length) = u32::try_from(part.len())
        {
            self.key.extend_from_slice(&length.to_le_bytes());
            self.key.extend_from_slice(part);
        }
        self
    }

    /// Adds a string.
    #[must_use]
    pub fn str(self, part: &str) -> Self {
        self.bytes(part.as_bytes())
    }

    /// Adds an integer as its decimal digits, after a `-` when it is negative.
    #[must_use]
    pub fn int(self, part: impl Into<i128>) -> Self {
        self.str(&part.into().to_string())
    }

    /// The key.
    ///
    /// Errors: [`KeyError::TooFewParts`] without a part, [`KeyError::TooLong`] above
    /// [`KEY_BYTES_MAX`].
    pub fn finish(self) -> Result<Vec<u8>, KeyError> {
        match self.bytes {
            0 => Err(KeyError::TooFewParts {
                wanted: 1,
                found: 0,
            }),
            1..=KEY_BYTES_MAX => Ok(self.key),
            bytes => Err(KeyError::TooLong { bytes }),
        }
    }
}

/// The number of the time bucket that `time_ms` falls in, buckets being `width_ms` wide: the
/// second part of a key such as (`channel_id`, bucket), which keeps a channel's recent rows
/// together and its whole history from growing on one shard.
///
/// A width of 0 counts as 1.
///
/// ```
/// use ringshift::time_bucket;
/// assert_eq!(time_bucket(86_399_999, 86_400_000), 0);
/// assert_eq!(time_bucket(86_400_000, 86_400_000), 1);
/// ```
#[must_use]
pub const fn time_bucket(time_ms: u64, width_ms: u64) -> u64 {
    match width_ms {
        0 => time_ms,
        width_ms => time_ms / width_ms,
    }
}

/// Why a key can't be routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyError {
    /// It is longer than [`KEY_BYTES_MAX`].
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It isn't a composite key: the part at byte `at` reaches past the end.
    Malformed {
        /// Where that part begins.
        at: usize,
    },
    /// It has fewer parts than its keyspace groups by. A keyspace that groups by none takes no
    /// composite key at all.
    TooFewParts {
        /// How many the keyspace groups by.
        wanted: u8,
        /// How many there are.
        found: usize,
    },
}

impl KeyError {
    /// The slug: `key_too_long` or `key_parts`.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::TooLong { .. } => ErrorCode::KeyTooLong,
            Self::Malformed { .. } | Self::TooFewParts { .. } => ErrorCode::KeyParts,
        }
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes } => {
                write!(
                    f,
                    "the key has {bytes} bytes; at most {KEY_BYTES_MAX} are allowed"
                )
            }
            Self::Malformed { at } => write!(
                f,
                "the part at byte {at} of the composite key reaches past its end; write each part after its length, in 4 bytes, the lowest first"
            ),
            Self::TooFewParts { wanted: 0, .. } => {
                f.write_str("the keyspace groups by 0 parts; group by 1 or more")
            }
            Self::TooFewParts { wanted, found } => write!(
                f,
                "the composite key has {found} parts, the keyspace groups by {wanted}; give the missing parts"
            ),
        }
    }
}

impl core::error::Error for KeyError {}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails should say where"
)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn a_tag_is_taken_only_when_it_says_something() {
        let part = |key: &'static [u8]| KeyRule::HashTag.routing_part(key).unwrap();
        assert_eq!(part(b"{user1000}.following"), b"user1000");
        assert_eq!(part(b"foo{}{bar}"), b"foo{}{bar}");
        assert_eq!(part(b"foo{{bar}}zap"), b"{bar");
        assert_eq!(part(b"foo{bar}{zap}"), b"bar");
        assert_eq!(part(b"foo{bar"), b"foo{bar");
        assert_eq!(part(b"}{x}"), b"x");
        assert_eq!(part(b""), b"");
    }

    #[test]
    fn the_longest_key_fits_and_one_more_does_not() {
        let key = vec![0_u8; KEY_BYTES_MAX + 1];
        for rule in [KeyRule::Whole, KeyRule::HashTag, KeyRule::Parts(1)] {
            let error = rule.routing_part(&key).unwrap_err();
            assert_eq!(error.code(), ErrorCode::KeyTooLong);
            assert!(rule.routing_part(&key[1..]).is_ok());
        }
        let part = vec![7; KEY_BYTES_MAX - 4];
        assert_eq!(
            Composite::new().bytes(&part).finish().unwrap().len(),
            KEY_BYTES_MAX
        );
        let error = Composite::new().bytes(&part).str("").finish().unwrap_err();
        assert_eq!(
            error,
            KeyError::TooLong {
                bytes: KEY_BYTES_MAX + 4
            }
        );
    }

    #[test]
    fn the_routing_part_is_the_encoding_of_the_first_parts() {
        let key = Composite::new()
            .str("eu")
            .int(-5)
            .bytes(b"")
            .finish()
            .unwrap();
        assert_eq!(key, b"\x02\0\0\0eu\x02\0\0\0-5\0\0\0\0");
        assert_eq!(KeyRule::Parts(1).routing_part(&key), Ok(&key[..6]));
        assert_eq!(KeyRule::Parts(2).routing_part(&key), Ok(&key[..12]));
        assert_eq!(KeyRule::Parts(3).routing_part(&key), Ok(&key[..]));
    }

    #[test]
    fn missing_and_broken_parts_are_refused() {
        let key = Composite::new().str("eu").int(5_u64).finish().unwrap();
        for (rule, key, error) in [
            (
                KeyRule::Parts(3),
                &key[..],
                KeyError::TooFewParts {
                    wanted: 3,
                    found: 2,
                },
            ),
            (
                KeyRule::Parts(0),
                &key[..],
                KeyError::TooFewParts {
                    wanted: 0,
                    found: 2,
                },
            ),
            (
                KeyRule::Parts(1),
                b"",
                KeyError::TooFewParts {
                    wanted: 1,
                    found: 0,
                },
            ),
            (KeyRule::Parts(1), &key[..8], KeyError::Malformed { at: 6 }),
            (KeyRule::Parts(1), &key[..10], KeyError::Malformed { at: 6 }),
            (
                KeyRule::Parts(1),
                b"\xff\xff\xff\xffx",
                KeyError::Malformed { at: 0 },
            ),
        ] {
            assert_eq!(rule.routing_part(key), Err(error));
            assert_eq!(error.code(), ErrorCode::KeyParts);
        }
        assert_eq!(
            Composite::new().finish().unwrap_err().code(),
            ErrorCode::KeyParts
        );
    }
}
