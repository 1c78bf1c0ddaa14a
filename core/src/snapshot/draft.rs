//! A snapshot's content as plain data, to be read, edited and then [built](crate::Snapshot::build).

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::{DomainId, Epoch, KeyspaceId, ShardId, ShardIndex, Slot, SlotRange};
use crate::key::{KeyError, KeyRule};
use crate::scope::Match;
use crate::slotting::{Placer, Slotting};
use crate::wave::{Wave, gaps, in_slots, slot_runs};
use crate::weight::Weight;

/// The whole routing state of a cluster at one epoch, not validated yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// The cluster's name. Snapshots of another cluster are refused.
    pub cluster: String,
    /// When this state came into force.
    pub epoch: Epoch,
    /// The next domain id to give out. Ids are never used again.
    pub next_domain: DomainId,
    /// The shards, sorted by id.
    pub shards: Vec<Shard>,
    /// The keyspaces, sorted by id.
    pub keyspaces: Vec<KeyspaceDraft>,
    /// How clients keep to the map at shards that check no fence; an unfenced shard needs it.
    #[serde(default)]
    pub client_lease: Option<ClientLease>,
}

/// How long a client may act at [unfenced](Shard::unfenced) shards without asking for the map
/// again, and how long the coordinator waits because of it.
///
/// A client that goes by an older snapshot goes by that one's lease. So the sum may grow while
/// clients run, and never shrink: [`check_edit`](crate::Snapshot::check_edit).
///
/// ```
/// let lease = ringshift::ClientLease { lease_ms: 1_000, attempt_ms: 200, margin_ms: 100 };
/// assert_eq!(lease.wait_ms(), 1_301);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientLease {
    /// From the sending of a refresh until the last moment at which an attempt may begin, in
    /// milliseconds; 1 to an hour.
    pub lease_ms: u32,
    /// The longest time from the sending of a request until the store has carried it out or never
    /// will, in milliseconds; 1 to an hour.
    pub attempt_ms: u32,
    /// How far a client's clock and the coordinator's may run apart within a lease and an attempt,
    /// in milliseconds; at most an hour.
    pub margin_ms: u32,
}

impl ClientLease {
    /// How long after a change of the map nobody acts by the former one any more, in milliseconds:
    /// the sum, and one more, since a clock that is read in whole milliseconds is up to one behind.
    pub fn wait_ms(&self) -> u64 {
        let parts = [self.lease_ms, self.attempt_ms, self.margin_ms];
        parts.map(u64::from).iter().sum::<u64>() + 1
    }
}

/// A place that stores rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// Its number, never used again.
    pub id: ShardId,
    /// Its name. Immutable, since the ring hashes it.
    pub name: String,
    /// Where it is, in whatever form the application's stores understand.
    pub endpoint: String,
    /// Its share.
    pub weight: Weight,
    /// Its failure zone; may be empty.
    pub zone: String,
    /// Free labels.
    pub tags: Vec<String>,
    /// Whether it takes new slots.
    pub state: ShardState,
    /// Whether nothing there checks a client's epoch: then clients act under a [`ClientLease`].
    #[serde(default)]
    pub unfenced: bool,
}

/// Where a shard stands in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShardState {
    /// Takes its share.
    #[default]
    Active,
    /// Gives its slots away.
    Draining,
}

/// A set of rows that one routing key places.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyspaceDraft {
    /// Its number.
    pub id: KeyspaceId,
    /// Its name.
    pub name: String,
    /// It has `2^bits` slots; 4 to 20.
    pub bits: u8,
    /// Seeds the placement hash, and what is drawn by hash besides: ramps, samples, pins.
    #[serde(with = "u64_for_people")]
    pub seed: u64,
    /// Which part of a key is hashed.
    pub rule: KeyRule,
    /// What makes slots of what is hashed.
    pub slotting: Slotting,
    /// How slots are given to shards when the topology changes.
    pub placement: Placement,
    /// Which shard owns each slot, in runs.
    pub assignment: Vec<Run>,
    /// The home domain of each shard, in the order of the shards.
    pub homes: Vec<Home>,
    /// Overrides in front of the slots, sorted by what they match and then by their slots.
    pub directory: Vec<Entry>,
    /// The waves in flight, sorted by domain.
    pub waves: Vec<Wave>,
}

/// How slots are given to shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Placement {
    /// Exact weighted shares, least movement; from nothing, the ring's answer is balanced.
    Balanced {
        /// Vnodes of a shard of weight 1, for the start.
        vnodes: u32,
    },
    /// As the ring says.
    Ring {
        /// Vnodes of a shard of weight 1.
        vnodes: u32,
    },
}

impl Default for Placement {
    fn default() -> Self {
        Self::Balanced { vnodes: 160 }
    }
}

impl Placement {
    /// Vnodes of a shard of weight 1.
    pub const fn vnodes(self) -> u32 {
        match self {
            Self::Balanced { vnodes } | Self::Ring { vnodes } => vnodes,
        }
    }
}

/// Consecutive slots of one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Run {
    /// How many slots.
    pub len: u32,
    /// Whose.
    pub shard: ShardIndex,
}

/// The domain of all slots of a keyspace that are stable on one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Home {
    /// The domain.
    pub domain: DomainId,
    /// When its members last changed; also the first half of the versions it gives.
    pub epoch: Epoch,
}

/// An override in front of the slots.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Which keys.
    pub matches: Match,
    /// Of them, those whose slot is one of these: sorted, disjoint, not empty. One key has the one
    /// slot that it falls into.
    #[serde(with = "gaps")]
    pub slots: Vec<SlotRange>,
    /// Where they go.
    pub target: Target,
    /// The entry's own fencing domain.
    pub domain: DomainId,
    /// That domain's epoch.
    pub epoch: Epoch,
}

impl Entry {
    /// Its domain and epoch, as those of a home.
    pub const fn as_home(&self) -> Home {
        Home {
            domain: self.domain,
            epoch: self.epoch,
        }
    }

    /// Whether it has keys of `slot`.
    pub fn has_slot(&self, slot: Slot) -> bool {
        in_slots(&self.slots, slot)
    }
}

/// Where an override sends keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// To a shard.
    Shard(ShardId),
    /// To where another keyspace has them. In the format; refused by this version's builder.
    Keyspace(KeyspaceId),
}

impl Draft {
    /// The place of `shard` in the list.
    pub fn index_of(&self, shard: ShardId) -> Option<ShardIndex> {
        let index = self.shards.binary_search_by_key(&shard, |s| s.id).ok()?;
        u16::try_from(index).ok().map(ShardIndex)
    }

    /// The lease that clients need at `shard`, where it is unfenced.
    pub fn lease_at(&self, shard: ShardId) -> Option<&ClientLease> {
        let lease = self.client_lease.as_ref()?;
        let shard = self.shard_at(self.index_of(shard)?)?;
        shard.unfenced.then_some(lease)
    }

    /// How long after a change of this state nobody acts by it any more, in milliseconds; 0 where
    /// every shard checks the epoch itself.
    pub fn client_wait_ms(&self) -> u64 {
        let unfenced = self.shards.iter().any(|shard| shard.unfenced);
        let lease = self.client_lease.filter(|_| unfenced);
        lease.map_or(0, |lease| lease.wait_ms())
    }

    /// Whether an unfenced shard takes part in `wave`.
    pub fn is_unfenced(&self, wave: &Wave) -> bool {
        [wave.from, wave.to]
            .iter()
            .any(|shard| self.lease_at(*shard).is_some())
    }

    /// The shard at `index`.
    pub fn shard_at(&self, index: ShardIndex) -> Option<&Shard> {
        self.shards.get(usize::from(index.0))
    }

    /// The keyspace of that number.
    pub fn keyspace(&self, id: KeyspaceId) -> Option<&KeyspaceDraft> {
        self.keyspaces.iter().find(|keyspace| keyspace.id == id)
    }

    /// The keyspace of that number, to be edited.
    pub fn keyspace_mut(&mut self, id: KeyspaceId) -> Option<&mut KeyspaceDraft> {
        self.keyspaces.iter_mut().find(|keyspace| keyspace.id == id)
    }

    /// A new domain id.
    pub fn take_domain(&mut self) -> DomainId {
        let domain = self.next_domain;
        self.next_domain = DomainId(domain.0.saturating_add(1));
        domain
    }
}

impl KeyspaceDraft {
    /// How many slots there are.
    pub const fn slot_count(&self) -> u32 {
        1_u32.wrapping_shl(self.bits as u32)
    }

    /// The slot that `key` falls into.
    ///
    /// # Errors
    /// [`KeyError`] for a key that the keyspace's rule doesn't take.
    pub fn slot_of(&self, key: &[u8]) -> Result<Slot, KeyError> {
        self.placer().slot_of(key)
    }

    /// What knows the slot of a key, for who asks for many.
    pub(crate) fn placer(&self) -> Placer {
        Placer::new(self.rule, &self.slotting, self.seed, self.bits)
    }

    /// All slots, in one run.
    pub fn all_slots(&self) -> SlotRange {
        SlotRange {
            start: 0,
            end: self.slot_count(),
        }
    }

    /// The slots that the keys of `matches` may fall into: one for one key, else all.
    ///
    /// # Errors
    /// [`KeyError`] for one key that the keyspace's rule doesn't take.
    pub fn slots_of(&self, matches: &Match) -> Result<Vec<SlotRange>, KeyError> {
        self.slots_by(&self.placer(), matches)
    }

    pub(crate) fn slots_by(
        &self,
        placer: &Placer,
        matches: &Match,
    ) -> Result<Vec<SlotRange>, KeyError> {
        Ok(match matches {
            Match::Exact(key) => slot_runs([placer.slot_of(key)?]),
            Match::Prefix(_) | Match::Range { .. } => vec![self.all_slots()],
        })
    }

    /// The owner of each slot, one by one.
    pub fn table(&self) -> Vec<ShardIndex> {
        let mut table = Vec::new();
        for run in &self.assignment {
            table.resize(table.len() + run.len as usize, run.shard);
        }
        table
    }

    /// Puts `table` in place of the assignment.
    pub fn set_table(&mut self, table: &[ShardIndex]) {
        self.assignment = runs(table);
    }

    /// The owner of `slot`.
    pub fn owner(&self, slot: Slot) -> Option<ShardIndex> {
        let mut end = 0_u32;
        for run in &self.assignment {
            end = end.saturating_add(run.len);
            if slot.0 < end {
                return Some(run.shard);
            }
        }
        None
    }

    /// The wave of that domain.
    pub fn wave(&self, domain: DomainId) -> Option<&Wave> {
        self.waves.iter().find(|wave| wave.domain == domain)
    }

    /// The wave of that domain, to be edited.
    pub fn wave_mut(&mut self, domain: DomainId) -> Option<&mut Wave> {
        self.waves.iter_mut().find(|wave| wave.domain == domain)
    }

    /// The home domain of the shard at `index`, to be edited.
    pub fn home_mut(&mut self, index: ShardIndex) -> Option<&mut Home> {
        self.homes.get_mut(usize::from(index.0))
    }

    /// The home domain of the shard at `index`.
    pub fn home(&self, index: ShardIndex) -> Option<&Home> {
        self.homes.get(usize::from(index.0))
    }
}

/// The fewest runs that say the same as `table`.
pub fn runs(table: &[ShardIndex]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for &shard in table {
        match runs.last_mut() {
            Some(last) if last.shard == shard => last.len += 1,
            _ => runs.push(Run { len: 1, shard }),
        }
    }
    runs
}

/// A u64 is a string in JSON, since JavaScript's numbers end at 2^53, and a number in bytes.
mod u64_for_people {
    use alloc::string::{String, ToString};

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde's `with` asks for a reference"
    )]
    pub(super) fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            value.to_string().serialize(serializer)
        } else {
            value.serialize(serializer)
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse()
                .map_err(|_| D::Error::custom("not a decimal 64-bit number"))
        } else {
            u64::deserialize(deserializer)
        }
    }
}
