//! How much a shard takes, in whole thousandths.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ErrorCode;

/// The largest weight in thousandths: 1,000,000.0.
pub const WEIGHT_THOUSANDTHS_MAX: u32 = 1_000_000_000;

/// How much a shard takes compared to the others, in thousandths: 1.0 is 1000.
///
/// In `0..=`[`WEIGHT_THOUSANDTHS_MAX`]. A shard of weight 0 gets nothing. Integers, because two
/// machines that add up fractions in another order must still place every key alike.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "u32", into = "u32")]
pub struct Weight(u32);

impl Weight {
    /// Takes nothing.
    pub const ZERO: Self = Self(0);
    /// 1.0, what a shard has unless said otherwise.
    pub const ONE: Self = Self(1000);
    /// 1,000,000.0.
    pub const MAX: Self = Self(WEIGHT_THOUSANDTHS_MAX);

    /// The weight of so many thousandths, or [`WeightError`] above [`WEIGHT_THOUSANDTHS_MAX`].
    ///
    /// ```
    /// use ringshift::Weight;
    /// assert_eq!(Weight::from_thousandths(1000), Ok(Weight::ONE));
    /// assert!(Weight::from_thousandths(1_000_000_001).is_err());
    /// ```
    pub const fn from_thousandths(thousandths: u32) -> Result<Self, WeightError> {
        if thousandths <= WEIGHT_THOUSANDTHS_MAX {
            Ok(Self(thousandths))
        } else {
            Err(WeightError)
        }
    }

    /// What a person typed, rounded to thousandths, half up: 1.0005 is 1.001, and anything under
    /// 0.0005 is 0.
    ///
    /// Errors: [`WeightError`] for a value that is not a number, is negative or infinite, or is
    /// above 1,000,000.
    ///
    /// ```
    /// use ringshift::Weight;
    /// assert_eq!(Weight::from_f64(0.5).map(Weight::thousandths), Ok(500));
    /// assert!(Weight::from_f64(-1.0).is_err());
    /// assert!(Weight::from_f64(f64::NAN).is_err());
    /// ```
    pub fn from_f64(value: f64) -> Result<Self, WeightError> {
        if !(0.0..=1_000_000.0).contains(&value) {
            return Err(WeightError);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 10^9, cut down on purpose"
        )]
        let below = (value * 1000.0) as u32;
        // `value` is the double next to the decimal that was typed, and this quotient the double
        // next to the half way point, so they compare as the decimals do: `value * 1000` may
        // fall short of the .5 that was typed. Both are rounded alike on every target.
        let half = f64::from(2 * below + 1) / 2000.0;
        Self::from_thousandths(if value >= half { below + 1 } else { below })
    }

    /// The thousandths.
    pub const fn thousandths(self) -> u32 {
        self.0
    }

    /// The weight as people write it: a number of 0 to 1,000,000.
    ///
    /// ```
    /// use ringshift::Weight;
    /// assert_eq!(Weight::from_f64(0.5).map(Weight::to_f64), Ok(0.5));
    /// ```
    pub fn to_f64(self) -> f64 {
        f64::from(self.0) / 1_000.0
    }

    /// Whether a shard of this weight takes nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// A weight that is not a number of 0 to 1,000,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightError;

impl WeightError {
    /// The slug: `weight`.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::Weight
    }
}

impl fmt::Display for WeightError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the weight is not a number of 0 to 1,000,000; 1 is the usual one")
    }
}

impl core::error::Error for WeightError {}

impl TryFrom<u32> for Weight {
    type Error = WeightError;
    fn try_from(thousandths: u32) -> Result<Self, Self::Error> {
        Self::from_thousandths(thousandths)
    }
}

impl From<Weight> for u32 {
    fn from(weight: Weight) -> Self {
        weight.0
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails should say where")]
mod tests {
    use alloc::{format, string::ToString};

    use super::*;

    #[test]
    fn every_half_that_can_be_typed_rounds_up() {
        for whole in (0..2_000)
            .chain(999_000..1_001_000)
            .chain(999_998_000..1_000_000_000_u32)
        {
            let typed = |digits: &str| {
                let text = format!("{}.{:03}{digits}", whole / 1000, whole % 1000);
                Weight::from_f64(text.parse().unwrap())
                    .unwrap()
                    .thousandths()
            };
            assert_eq!(typed("0"), whole);
            assert_eq!(typed("4999"), whole);
            assert_eq!(typed("5"), whole + 1, "{whole}.5 thousandths");
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        assert_eq!(Weight::from_f64(-0.0), Ok(Weight::ZERO));
        assert_eq!(Weight::from_f64(0.000_499), Ok(Weight::ZERO));
        assert_eq!(Weight::from_f64(1_000_000.0), Ok(Weight::MAX));
        for wrong in [
            -0.001,
            1_000_000.1,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
        ] {
            assert_eq!(
                Weight::from_f64(wrong).unwrap_err().code(),
                ErrorCode::Weight
            );
        }
    }

    #[test]
    fn it_is_an_integer_on_the_wire_and_checked_there() {
        assert_eq!(serde_json::to_string(&Weight::ONE).unwrap(), "1000");
        assert_eq!(
            serde_json::from_str::<Weight>("500").unwrap().to_string(),
            "0.500"
        );
        assert!(serde_json::from_str::<Weight>("1000000001").is_err());
        assert!(serde_json::from_str::<Weight>("0.5").is_err());
    }
}
