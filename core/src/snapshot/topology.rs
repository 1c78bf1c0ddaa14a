//! A topology as people write it, in JSON, with everything but names and ids defaulted; and the
//! first snapshot that it makes.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::balance::{all_placed, balanced};
use crate::ids::{DomainId, Epoch, KeyspaceId, SLOT_BITS_MAX, SLOT_BITS_MIN, ShardId, ShardIndex};
use crate::key::{Composite, KeyRule};
use crate::ring::{RingShard, ring_table};
use crate::scope::Match;
use crate::snapshot::error::TopologyError;
use crate::snapshot::validate::check_slotting;
use crate::snapshot::{
    ClientLease, Draft, Entry, Home, KeyspaceDraft, Placement, Shard, ShardState, SlottingTopology,
    Snapshot, Target, limits, runs,
};
use crate::weight::Weight;

/// A topology for people.
///
/// ```
/// let text = r#"{"cluster":"demo","keyspaces":{"orders":{}},
///                "shards":[{"id":1,"name":"pg-1"},{"id":2,"name":"pg-2","weight":0.5}]}"#;
/// let topology: ringshift::Topology = serde_json::from_str(text)?;
/// let snapshot = topology.snapshot()?;
/// assert_eq!(snapshot.epoch().get(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// The cluster's name.
    pub cluster: String,
    /// The keyspaces, by name.
    pub keyspaces: BTreeMap<String, KeyspaceTopology>,
    /// The shards.
    pub shards: Vec<ShardTopology>,
    /// How clients keep to the map at unfenced shards, which need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_lease: Option<ClientLease>,
}

/// A keyspace for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyspaceTopology {
    /// It has `2^bits` slots; 4 to 20. 16 unless told, Redis Cluster's 14 where that is adopted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<u8>,
    /// Seeds the placement hash: a decimal number of 64 bits, as a string. Draw it at random for a
    /// cluster whose keys strangers choose.
    pub seed: String,
    /// Which part of a key is hashed; the whole of it unless told, the hash tag where Redis Cluster
    /// is adopted.
    pub key: KeyRule,
    /// The placement that this keyspace takes over; our own unless told.
    #[serde(skip_serializing_if = "SlottingTopology::is_own")]
    pub slotting: SlottingTopology,
    /// How slots are given to shards; balanced unless told.
    pub placement: Placement,
    /// Keys that are pinned to a shard: single ones, prefixes, ranges.
    pub pins: Vec<PinTopology>,
}

impl Default for KeyspaceTopology {
    fn default() -> Self {
        Self {
            bits: None,
            seed: "0".to_owned(),
            key: KeyRule::Whole,
            slotting: SlottingTopology::Xxh3,
            placement: Placement::default(),
            pins: Vec::new(),
        }
    }
}

/// Keys that are pinned to a shard, for people: exactly one of `key`, `prefix`, `range` and
/// `parts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinTopology {
    /// One key, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The keys that begin so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The keys from the first up to, but without, the second, in the order of their bytes; an
    /// empty second one is after every key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<[String; 2]>,
    /// The composite keys whose first parts are these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<Vec<String>>,
    /// The shard's number.
    pub shard: ShardId,
}

/// A shard for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardTopology {
    /// Its number, never used again.
    pub id: ShardId,
    /// Its name. Immutable, since the ring hashes it.
    pub name: String,
    /// Its share; 1 unless told.
    #[serde(default = "one")]
    pub weight: f64,
    /// Where it is; may be empty.
    #[serde(default)]
    pub endpoint: String,
    /// Its failure zone; may be empty.
    #[serde(default)]
    pub zone: String,
    /// Free labels.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Whether it takes new slots.
    #[serde(default)]
    pub state: ShardState,
    /// Whether nothing there checks a client's epoch: then the topology needs a `client_lease`.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub unfenced: bool,
}

impl PinTopology {
    /// Which keys.
    ///
    /// # Errors
    /// [`TopologyError::Pin`] unless exactly one field says it; a [`KeyError`](crate::KeyError)
    /// for parts that are no key.
    pub fn matches(&self) -> Result<Match, TopologyError> {
        let bytes = |text: &String| text.clone().into_bytes();
        match (&self.key, &self.prefix, &self.range, &self.parts) {
            (Some(key), None, None, None) => Ok(Match::Exact(bytes(key))),
            (None, Some(prefix), None, None) => Ok(Match::Prefix(bytes(prefix))),
            (None, None, Some([start, end]), None) => Ok(Match::Range {
                start: bytes(start),
                end: bytes(end),
            }),
            (None, None, None, Some(parts)) => {
                let key = parts
                    .iter()
                    .fold(Composite::new(), |key, part| key.str(part));
                Ok(Match::Prefix(key.finish()?))
            }
            _ => Err(TopologyError::Pin(self.shard)),
        }
    }
}

const fn one() -> f64 {
    1.0
}

impl ShardTopology {
    /// The shard as snapshots have it.
    ///
    /// # Errors
    /// [`TopologyError::Weight`] for a weight that is not a number of 0 to 1,000,000.
    pub fn shard(&self) -> Result<Shard, TopologyError> {
        Ok(Shard {
            id: self.id,
            name: self.name.clone(),
            endpoint: self.endpoint.clone(),
            weight: Weight::from_f64(self.weight)?,
            zone: self.zone.clone(),
            tags: self.tags.clone(),
            state: self.state,
            unfenced: self.unfenced,
        })
    }
}

impl From<&Shard> for ShardTopology {
    fn from(shard: &Shard) -> Self {
        Self {
            id: shard.id,
            name: shard.name.clone(),
            weight: shard.weight.to_f64(),
            endpoint: shard.endpoint.clone(),
            zone: shard.zone.clone(),
            tags: shard.tags.clone(),
            state: shard.state,
            unfenced: shard.unfenced,
        }
    }
}

impl Topology {
    /// The first snapshot, at epoch 1: every slot assigned, every shard with its home domains.
    ///
    /// # Errors
    /// The [`TopologyError`] of the first rule that the topology breaks.
    pub fn snapshot(&self) -> Result<Snapshot, TopologyError> {
        let mut shards = self
            .shards
            .iter()
            .map(ShardTopology::shard)
            .collect::<Result<Vec<_>, _>>()?;
        shards.sort_by_key(|shard| shard.id);
        if let Some((twice, _)) = shards
            .iter()
            .zip(shards.iter().skip(1))
            .find(|(a, b)| a.id == b.id)
        {
            let name = twice.id.to_string();
            return Err(TopologyError::Duplicate {
                what: "shard number",
                name,
            });
        }
        if shards.is_empty() {
            return Err(TopologyError::Empty("shard"));
        }
        if self.keyspaces.len() > limits::KEYSPACES_MAX {
            return Err(TopologyError::TooMany {
                what: "keyspaces",
                count: self.keyspaces.len(),
                max: limits::KEYSPACES_MAX,
            });
        }
        let mut draft = Draft {
            cluster: self.cluster.clone(),
            epoch: Epoch::FIRST,
            next_domain: DomainId(1),
            shards,
            keyspaces: Vec::new(),
            client_lease: self.client_lease,
        };
        for (number, (name, keyspace)) in (0_u16..).zip(&self.keyspaces) {
            let keyspace = keyspace.draft(KeyspaceId(number), name, &mut draft)?;
            draft.keyspaces.push(keyspace);
        }
        Snapshot::build(draft)
    }
}

impl KeyspaceTopology {
    fn draft(
        &self,
        id: KeyspaceId,
        name: &str,
        draft: &mut Draft,
    ) -> Result<KeyspaceDraft, TopologyError> {
        let bits = self.bits.unwrap_or(self.slotting.usual_bits());
        if !(SLOT_BITS_MIN..=SLOT_BITS_MAX).contains(&bits) {
            return Err(TopologyError::Range {
                what: "slot bits",
                value: bits.into(),
                min: SLOT_BITS_MIN.into(),
                max: SLOT_BITS_MAX.into(),
            });
        }
        let seed = self.seed.parse().map_err(|_| TopologyError::Name {
            what: "seed (a decimal number of 64 bits)",
            name: self.seed.clone(),
        })?;
        let slotting = self.slotting.slotting(bits);
        let rule = self.slotting.rule(self.key);
        // Before anything is made of its numbers.
        check_slotting(name, &slotting, bits, rule)?;
        let table = match self
            .slotting
            .adopted(name, &slotting, bits, &draft.shards)?
        {
            Some(table) => table,
            None => initial_table(&draft.shards, self.placement, seed, bits)?,
        };
        let homes = (0..draft.shards.len())
            .map(|_| Home {
                domain: draft.take_domain(),
                epoch: Epoch::FIRST,
            })
            .collect();
        let mut made = KeyspaceDraft {
            id,
            name: name.to_owned(),
            bits,
            seed,
            rule,
            slotting,
            placement: self.placement,
            assignment: runs(&table),
            homes,
            directory: Vec::new(),
            waves: Vec::new(),
        };
        let placer = made.placer();
        for pin in &self.pins {
            let matches = pin.matches()?;
            let slots = made.slots_by(&placer, &matches)?;
            made.directory.push(Entry {
                matches,
                slots,
                target: Target::Shard(pin.shard),
                domain: draft.take_domain(),
                epoch: Epoch::FIRST,
            });
        }
        made.directory.sort_by(|a, b| a.matches.cmp(&b.matches));
        Ok(made)
    }
}

/// The slot table of a keyspace that has no history.
fn initial_table(
    shards: &[Shard],
    placement: Placement,
    seed: u64,
    bits: u8,
) -> Result<Vec<ShardIndex>, TopologyError> {
    let weights = target_weights(shards);
    let ring = ring_of(shards, &weights, placement.vnodes(), seed, bits)?;
    match placement {
        Placement::Ring { .. } => {
            all_placed(&ring, &weights)?;
            Ok(ring)
        }
        Placement::Balanced { .. } => Ok(balanced(&ring, &weights)?),
    }
}

/// The weight of each shard that placement goes by: 0 for one that drains.
pub(crate) fn target_weights(shards: &[Shard]) -> Vec<Weight> {
    shards
        .iter()
        .map(|shard| match shard.state {
            ShardState::Active => shard.weight,
            ShardState::Draining => Weight::ZERO,
        })
        .collect()
}

/// The ring's table over `shards`, of the given weights.
pub(crate) fn ring_of(
    shards: &[Shard],
    weights: &[Weight],
    vnodes: u32,
    seed: u64,
    bits: u8,
) -> Result<Vec<ShardIndex>, TopologyError> {
    if !(1..=limits::VNODES_MAX).contains(&vnodes) {
        return Err(TopologyError::Range {
            what: "vnodes",
            value: vnodes.into(),
            min: 1,
            max: limits::VNODES_MAX.into(),
        });
    }
    let shards: Vec<RingShard<'_>> = (0_u16..)
        .zip(shards.iter().zip(weights))
        .map(|(index, (shard, &weight))| RingShard {
            name: &shard.name,
            id: shard.id,
            index: ShardIndex(index),
            weight,
        })
        .collect();
    Ok(ring_table(&shards, vnodes, seed, bits)?)
}
