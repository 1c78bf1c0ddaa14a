//! What a store runs: tables and statements as text, the same in every language.
//!
//! A store in Rust, JavaScript or Python sends these texts to its database and asks the core's own
//! functions ([`admit`](crate::admit), [`takes_effect`](crate::takes_effect),
//! [`close`](crate::close), [`Version::next`](crate::Version::next)) about the rows that come
//! back, inside one transaction.
//!
#![doc = include_str!("../../docs/STORAGE.md")]

pub mod sqlite;

use crate::ids::{SLOT_BITS_MAX, SLOT_BITS_MIN, SLOT_BITS_STORED, Slot};
use crate::phase::Role;

/// A role as the number that stores keep.
///
/// ```
/// use ringshift::{Role, recipes::{role_number, role_of}};
/// assert_eq!(role_of(role_number(Role::Mirror)), Some(Role::Mirror));
/// assert_eq!(role_of(9), None);
/// ```
pub const fn role_number(role: Role) -> u8 {
    match role {
        Role::None => 0,
        Role::Authority => 1,
        Role::Mirror => 2,
        Role::ReadableMirror => 3,
        Role::LeasedMirror => 4,
    }
}

/// The role of that number.
pub const fn role_of(number: u8) -> Option<Role> {
    match number {
        0 => Some(Role::None),
        1 => Some(Role::Authority),
        2 => Some(Role::Mirror),
        3 => Some(Role::ReadableMirror),
        4 => Some(Role::LeasedMirror),
        _ => None,
    }
}

/// How far a row's stored slot is shifted right to give its slot, as far as one row tells.
///
/// A store is told neither how many bits a keyspace has nor when that changes; each row brings its
/// slot and its stored slot, and any slot but 0 gives the number away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shift {
    /// This far.
    Exactly(u8),
    /// Slot 0: this far or further. A store that has seen no other slot of the keyspace may go on
    /// with [`SHIFT_UNKNOWN`].
    AtLeast(u8),
}

/// The shift of a keyspace of which only slot 0 has been seen: the largest there is, by which
/// each of its rows still falls into slot 0.
pub const SHIFT_UNKNOWN: u8 = SLOT_BITS_STORED - SLOT_BITS_MIN;

impl Shift {
    /// What `slot` and `stored_slot` of one row say, or `None` when they can't belong together.
    ///
    /// ```
    /// use ringshift::{Slot, recipes::Shift};
    /// assert_eq!(Shift::of(Slot(0xab), 0xabcde), Some(Shift::Exactly(12)));
    /// assert_eq!(Shift::of(Slot(0), 0x00012), Some(Shift::AtLeast(5)));
    /// assert_eq!(Shift::of(Slot(0xac), 0xabcde), None);
    /// ```
    pub fn of(slot: Slot, stored_slot: u32) -> Option<Self> {
        let bits = |number: u32| u8::try_from(u32::BITS - number.leading_zeros()).ok();
        let shift = bits(stored_slot)?.checked_sub(bits(slot.0)?)?;
        if bits(stored_slot)? > SLOT_BITS_STORED {
            return None;
        }
        if slot.0 == 0 {
            return (shift <= SHIFT_UNKNOWN).then_some(Self::AtLeast(shift));
        }
        let fits = stored_slot >> shift == slot.0 && shift <= SHIFT_UNKNOWN;
        fits.then_some(Self::Exactly(shift))
    }

    /// Whether this row belongs to a keyspace whose rows are shifted by `known`.
    pub const fn agrees(self, known: u8) -> bool {
        match self {
            Self::Exactly(shift) => shift == known,
            Self::AtLeast(shift) => shift <= known,
        }
    }
}

/// The shift of a keyspace of `bits` bits; [`SHIFT_UNKNOWN`] outside 4 to 20.
pub const fn shift_of_bits(bits: u8) -> u8 {
    if bits >= SLOT_BITS_MIN && bits <= SLOT_BITS_MAX {
        SLOT_BITS_STORED - bits
    } else {
        SHIFT_UNKNOWN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{slot_of, stored_slot};

    #[test]
    fn every_slot_but_0_tells_its_bits() {
        for bits in SLOT_BITS_MIN..=SLOT_BITS_MAX {
            let known = shift_of_bits(bits);
            for n in 0..5_000_u64 {
                let hash = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let shift = Shift::of(slot_of(hash, bits), stored_slot(hash));
                assert!(
                    shift.is_some_and(|shift| shift.agrees(known)),
                    "{bits} {hash:x}"
                );
                if slot_of(hash, bits).0 != 0 {
                    assert_eq!(shift, Some(Shift::Exactly(known)));
                }
            }
        }
    }

    #[test]
    fn numbers_that_do_not_belong_together_are_seen() {
        assert_eq!(Shift::of(Slot(1 << 20), 1 << 20), None);
        assert_eq!(Shift::of(Slot(7), 3), None);
        assert_eq!(Shift::of(Slot(1), 1 << 17), None);
        assert_eq!(Shift::of(Slot(0), 1 << 16), None);
        assert_eq!(Shift::of(Slot(0), 0), Some(Shift::AtLeast(0)));
    }
}
