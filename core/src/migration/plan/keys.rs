//! Wishes about keys: one key, a prefix, a range; in JSON for people.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::key::Composite;
use crate::migration::plan::error::PlanError;
use crate::migration::plan::wish::ShardRef;
use crate::scope::Match;

/// A key, a prefix or the end of a range as people write it: text, bytes in hex, or the parts of a
/// composite.
///
/// ```
/// use ringshift::migration::WishKey;
/// let text: WishKey = serde_json::from_str(r#""acme/""#)?;
/// let hex: WishKey = serde_json::from_str(r#"{"hex":"61636d652f"}"#)?;
/// let parts: WishKey = serde_json::from_str(r#"{"parts":["acme",7]}"#)?;
/// assert_eq!(text.bytes()?, hex.bytes()?);
/// assert_eq!(parts.bytes()?, ringshift::Composite::new().str("acme").int(7).finish()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WishKey {
    /// Its UTF-8 bytes.
    Text(String),
    /// Its bytes, two hexadecimal digits each.
    Hex {
        /// The digits.
        hex: String,
    },
    /// The parts of a composite; of a prefix, the first ones.
    Parts {
        /// The parts.
        parts: Vec<WishPart>,
    },
}

/// A part of a composite key: text, or an integer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WishPart {
    /// An integer: its decimal digits.
    Number(i64),
    /// Text.
    Text(String),
}

impl WishKey {
    /// The bytes of it.
    ///
    /// # Errors
    /// [`PlanError::Key`] for anything but pairs of hexadecimal digits, a composite without parts,
    /// or one that is too long.
    pub fn bytes(&self) -> Result<Vec<u8>, PlanError> {
        match self {
            Self::Text(text) => Ok(text.clone().into_bytes()),
            Self::Hex { hex } => unhex(hex).ok_or_else(|| PlanError::Key {
                message: alloc::format!("`{hex}` isn't pairs of hexadecimal digits"),
            }),
            Self::Parts { parts } => {
                let composite = parts.iter().fold(Composite::new(), |key, part| match part {
                    WishPart::Number(number) => key.int(*number),
                    WishPart::Text(text) => key.str(text),
                });
                composite.finish().map_err(|error| PlanError::Key {
                    message: error.to_string(),
                })
            }
        }
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
            _ => None,
        })
        .collect()
}

/// A key to pin to a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveKey {
    /// The keyspace's name.
    pub keyspace: String,
    /// The key.
    pub key: WishKey,
    /// Where it goes.
    pub to: ShardRef,
}

/// All keys that begin so, to pin to a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovePrefix {
    /// The keyspace's name.
    pub keyspace: String,
    /// How they begin; not empty.
    pub prefix: WishKey,
    /// Where they go.
    pub to: ShardRef,
}

/// A range of keys, in the order of their bytes, to pin to a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveRange {
    /// The keyspace's name.
    pub keyspace: String,
    /// The first key.
    pub start: WishKey,
    /// One after the last; empty: to the last key that there is.
    pub end: WishKey,
    /// Where they go.
    pub to: ShardRef,
    /// Keys inside the range, rising: the range goes over piece by piece, each a wave of its own,
    /// and stays in these pieces.
    #[serde(default)]
    pub cut_at: Vec<WishKey>,
}

/// What an override matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WishMatch {
    /// One key.
    Key(WishKey),
    /// A prefix.
    Prefix(WishKey),
    /// A range: its first key, and one after its last.
    Range(WishKey, WishKey),
}

/// An override to take away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpin {
    /// The keyspace's name.
    pub keyspace: String,
    /// What it matches.
    #[serde(flatten)]
    pub of: WishMatch,
}

/// Which part of a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Half {
    /// Below the cut.
    Low,
    /// From the cut on.
    #[default]
    High,
}

/// A range with an override, to be cut: one half goes to another shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitRange {
    /// The keyspace's name.
    pub keyspace: String,
    /// The range's first key.
    pub start: WishKey,
    /// One after its last.
    pub end: WishKey,
    /// The first key of the upper half.
    pub at: WishKey,
    /// Which half moves; the upper one unless told.
    #[serde(default)]
    pub half: Half,
    /// Where it goes.
    pub to: ShardRef,
}

/// Ranges with overrides, to be brought to one shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergeRanges {
    /// The keyspace's name.
    pub keyspace: String,
    /// Each range's first key, and one after its last.
    pub ranges: Vec<(WishKey, WishKey)>,
    /// Where they go.
    pub to: ShardRef,
}

/// A prefix, a region say, to send to another keyspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinKeyspace {
    /// The keyspace's name.
    pub keyspace: String,
    /// How the keys begin.
    pub prefix: WishKey,
    /// The other keyspace's name.
    pub to_keyspace: String,
}

/// The range from `start` up to, but without, `end`.
pub(super) fn range(start: &WishKey, end: &WishKey) -> Result<Match, PlanError> {
    let (start, end) = (start.bytes()?, end.bytes()?);
    Ok(Match::Range { start, end })
}

impl WishMatch {
    /// The match that is meant.
    ///
    /// # Errors
    /// Those of [`WishKey::bytes`].
    pub fn matches(&self) -> Result<Match, PlanError> {
        Ok(match self {
            Self::Key(key) => Match::Exact(key.bytes()?),
            Self::Prefix(prefix) => Match::Prefix(prefix.bytes()?),
            Self::Range(start, end) => range(start, end)?,
        })
    }
}
