//! The phase table, as data: who orders writes, who mirrors, who answers reads, and where each
//! phase may go.
//!
//! Everything that decides something from a phase asks here, so that the table in
//! `docs/PROTOCOL.md` and the code can be compared line by line.

use core::fmt;

use serde::{Deserialize, Serialize};

/// One of the two shards of a wave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The shard that the keys leave.
    From,
    /// The shard that they go to.
    To,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::From => Self::To,
            Self::To => Self::From,
        }
    }
}

/// What a shard may do for a domain, as its guard row says.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Nothing but be purged.
    #[default]
    None,
    /// Order the writes and answer reads.
    Authority,
    /// Take what the authority has ordered; answer reads that only compare.
    Mirror,
    /// A mirror that answers the application's reads.
    ReadableMirror,
    /// A mirror that answers them while it has a lease.
    LeasedMirror,
}

impl Role {
    /// Whether the shard takes what the authority has ordered.
    pub const fn is_mirror(self) -> bool {
        matches!(
            self,
            Self::Mirror | Self::ReadableMirror | Self::LeasedMirror
        )
    }
}

/// Where a wave stands. Every phase but the last can be gone back from, with nothing lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// `to` is being emptied and proved empty for the wave's keys. Routing knows nothing yet.
    Prepare,
    /// Writes go to `from`, then to `to`; backfill copies what was there before.
    DoubleWrite,
    /// As double-write, and a sample of reads is compared on both.
    ShadowRead,
    /// Keys inside the ramp are read from `to`, with `from` behind a miss.
    ReadNew,
    /// `to` orders the writes and answers the reads; `from` mirrors. The rollback window.
    Reversed,
    /// Over: the keys belong to one side's home again. The wave stays in the snapshot until every
    /// shard has acknowledged that, and the loser's rows are purged.
    Ended(Side),
}

impl Phase {
    /// All phases, in their order.
    pub const ALL: &'static [Self] = &[
        Self::Prepare,
        Self::DoubleWrite,
        Self::ShadowRead,
        Self::ReadNew,
        Self::Reversed,
        Self::Ended(Side::From),
        Self::Ended(Side::To),
    ];

    /// The name that people see.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::DoubleWrite => "double-write",
            Self::ShadowRead => "shadow-read",
            Self::ReadNew => "read-new",
            Self::Reversed => "reversed",
            Self::Ended(Side::From) => "ended-from",
            Self::Ended(Side::To) => "ended-to",
        }
    }

    /// The phase of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|phase| phase.name() == name)
    }

    /// The one side that orders the writes.
    pub const fn authority(self) -> Side {
        match self {
            Self::Prepare | Self::DoubleWrite | Self::ShadowRead | Self::ReadNew => Side::From,
            Self::Reversed => Side::To,
            Self::Ended(winner) => winner,
        }
    }

    /// Whether the wave's keys are fenced by the wave's own domain. Before and after that, they
    /// are members of a home domain.
    pub const fn is_carved(self) -> bool {
        match self {
            Self::DoubleWrite | Self::ShadowRead | Self::ReadNew | Self::Reversed => true,
            Self::Prepare | Self::Ended(_) => false,
        }
    }

    /// The role that the wave's guard row has on `side`.
    pub const fn role(self, side: Side) -> Role {
        match (self, side) {
            (Self::Prepare | Self::Ended(_), _) => Role::None,
            (Self::DoubleWrite | Self::ShadowRead | Self::ReadNew, Side::From)
            | (Self::Reversed, Side::To) => Role::Authority,
            (Self::DoubleWrite | Self::ShadowRead, Side::To) | (Self::Reversed, Side::From) => {
                Role::Mirror
            }
            (Self::ReadNew, Side::To) => Role::ReadableMirror,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_exactly_one_authority_in_a_carved_phase() {
        for &phase in Phase::ALL {
            let authorities = [Side::From, Side::To]
                .into_iter()
                .filter(|&side| phase.role(side) == Role::Authority)
                .collect::<alloc::vec::Vec<_>>();
            if phase.is_carved() {
                assert_eq!(authorities, [phase.authority()], "{phase}");
            } else {
                assert!(authorities.is_empty(), "{phase}");
            }
        }
    }

    #[test]
    fn names_are_told_apart_and_read_back() {
        for &phase in Phase::ALL {
            assert_eq!(Phase::from_name(phase.name()), Some(phase));
        }
        assert_eq!(Phase::from_name("reverse"), None);
    }
}
