//! A foreign placement as people write it, and the first slot table that it makes: each key where
//! the foreign system has it.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::{ShardId, ShardIndex};
use crate::key::KeyRule;
use crate::slotting::{
    ForeignHash, Ketama, KetamaServer, Modulo, REDIS_BITS, REDIS_SLOTS, Slotting, ketama_digests,
};
use crate::snapshot::Shard;
use crate::snapshot::error::TopologyError;

/// Slot bits unless told.
const BITS: u8 = 16;

/// The placement that a keyspace takes over, for people.
///
/// ```
/// use ringshift::{Router, Topology};
/// let text = r#"{"cluster": "shop", "keyspaces": {"users": {
///                  "slotting": {"modulo": {"hash": "crc32", "buckets": 4}}}},
///                "shards": [{"id": 1, "name": "db0"}, {"id": 2, "name": "db1"},
///                           {"id": 3, "name": "db2"}, {"id": 4, "name": "db3"}]}"#;
/// let router = Router::new(serde_json::from_str::<Topology>(text)?.snapshot()?.into());
/// let route = router.keyspace("users")?.route(b"user:42")?;
/// assert_eq!(u32::from(route.shard.0), ringshift::hash::crc32(b"user:42") % 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlottingTopology {
    /// None: our own.
    #[default]
    Xxh3,
    /// `hash(key) % buckets`.
    Modulo(ModuloTopology),
    /// Redis Cluster's slots.
    RedisCluster(RedisTopology),
    /// libmemcached's weighted ketama.
    Ketama(KetamaTopology),
}

/// `hash(key) % buckets`, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuloTopology {
    /// The hash.
    pub hash: ForeignHash,
    /// What seeds it; 0 unless told.
    #[serde(default)]
    pub seed: u32,
    /// How many buckets.
    pub buckets: u32,
    /// The shard of each bucket, from bucket 0 on; the shards in the order of their numbers unless
    /// told.
    #[serde(default)]
    pub shards: Vec<ShardId>,
}

/// Redis Cluster's slots, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisTopology {
    /// Which slots each shard has: all 16,384, each of them once.
    pub shards: Vec<RedisShardTopology>,
}

/// A shard's slots in Redis Cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisShardTopology {
    /// The shard's number.
    pub shard: ShardId,
    /// First and last slot of each run, as `CLUSTER SLOTS` answers them: both belong to it.
    pub slots: Vec<(u32, u32)>,
}

/// A ketama continuum, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KetamaTopology {
    /// The servers, in the order in which the clients are given them.
    pub servers: Vec<KetamaServerTopology>,
}

/// A server of a ketama continuum, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KetamaServerTopology {
    /// As the clients spell it: `host:port`, or `host` alone where the port is memcached's 11211.
    pub name: String,
    /// Its weight; 1 unless told.
    #[serde(default = "one")]
    pub weight: u32,
    /// How many digests it has, four points each, for clients that round weights otherwise than
    /// libmemcached; by its weight unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digests: Option<u32>,
    /// The shard that has its keys; the n-th shard by number for the n-th server unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardId>,
}

const fn one() -> u32 {
    1
}

impl SlottingTopology {
    /// Whether it is our own.
    pub const fn is_own(&self) -> bool {
        matches!(self, Self::Xxh3)
    }

    pub(super) const fn usual_bits(&self) -> u8 {
        match self {
            Self::RedisCluster(_) => REDIS_BITS,
            _ => BITS,
        }
    }

    /// The rule of keys: what was told, or what the foreign system does.
    pub(super) const fn rule(&self, told: KeyRule) -> KeyRule {
        match (self, told) {
            (Self::RedisCluster(_), KeyRule::Whole) => KeyRule::HashTag,
            _ => told,
        }
    }

    pub(super) fn slotting(&self, bits: u8) -> Slotting {
        match self {
            Self::Xxh3 => Slotting::Xxh3,
            Self::Modulo(modulo) => Slotting::Modulo(Modulo {
                hash: modulo.hash,
                seed: modulo.seed,
                buckets: modulo.buckets,
                bits,
            }),
            Self::RedisCluster(_) => Slotting::RedisCluster,
            Self::Ketama(ketama) => {
                let weights: Vec<u32> = ketama.servers.iter().map(|s| s.weight).collect();
                let usual = ketama_digests(&weights);
                let servers = ketama.servers.iter().zip(usual);
                let servers = servers
                    .map(|(server, usual)| KetamaServer {
                        name: server.name.clone(),
                        digests: server.digests.unwrap_or(usual),
                    })
                    .collect();
                Slotting::Ketama(Ketama { servers, bits })
            }
        }
    }

    /// The slot table of the foreign placement; `None` for our own, which has none of its own.
    pub(super) fn adopted(
        &self,
        name: &str,
        slotting: &Slotting,
        bits: u8,
        shards: &[Shard],
    ) -> Result<Option<Vec<ShardIndex>>, TopologyError> {
        let index = |id: ShardId| {
            let at = shards.binary_search_by_key(&id, |shard| shard.id).ok();
            let at = at.and_then(|at| u16::try_from(at).ok()).map(ShardIndex);
            at.ok_or(TopologyError::UnknownShard(id))
        };
        let refused = |rule| TopologyError::Slotting {
            keyspace: name.to_string(),
            rule,
        };
        // One shard a run of slots.
        let owners: Vec<ShardIndex> = match (self, slotting) {
            (Self::Modulo(modulo), _) => {
                let given = if modulo.shards.is_empty() {
                    shards.iter().map(|shard| shard.id).collect()
                } else {
                    modulo.shards.clone()
                };
                if given.len() != modulo.buckets as usize {
                    return Err(refused("there must be a shard for each bucket"));
                }
                given.into_iter().map(index).collect::<Result<_, _>>()?
            }
            (Self::RedisCluster(redis), _) => redis_owners(redis, index, refused)?,
            (Self::Ketama(topology), Slotting::Ketama(ketama)) => {
                let mut of_server = Vec::new();
                for (n, server) in topology.servers.iter().enumerate() {
                    let usual = shards.get(n).map(|shard| shard.id);
                    let shard = server.shard.or(usual);
                    of_server.push(index(shard.ok_or_else(|| {
                        refused("there are more servers than shards; say the shard of each")
                    })?)?);
                }
                let owners = ketama.owners().into_iter();
                owners.filter_map(|at| of_server.get(at).copied()).collect()
            }
            _ => return Ok(None),
        };
        Ok(Some(table(&slotting.run_starts(), &owners, slotting, bits)))
    }
}

/// The owner of each slot, from those of the runs.
fn table(starts: &[u32], owners: &[ShardIndex], slotting: &Slotting, bits: u8) -> Vec<ShardIndex> {
    let finer = bits.saturating_sub(slotting.bits().unwrap_or(bits));
    let end = 1_usize << bits;
    let mut table = Vec::with_capacity(end);
    let ends = starts
        .iter()
        .skip(1)
        .map(|&start| (start as usize) << finer);
    for (next, &owner) in ends.chain([end]).zip(owners) {
        table.resize(next, owner);
    }
    table
}

fn redis_owners(
    redis: &RedisTopology,
    index: impl Fn(ShardId) -> Result<ShardIndex, TopologyError>,
    refused: impl Fn(&'static str) -> TopologyError,
) -> Result<Vec<ShardIndex>, TopologyError> {
    let mut owners: Vec<Option<ShardIndex>> = vec![None; REDIS_SLOTS as usize];
    for shard in &redis.shards {
        let owner = index(shard.shard)?;
        for &(first, last) in &shard.slots {
            let slots = owners.get_mut(first as usize..=last as usize);
            for slot in slots.ok_or_else(|| {
                refused("a run of Redis slots is its first and its last, 0 to 16383")
            })? {
                if slot.replace(owner).is_some() {
                    return Err(refused("a Redis slot is given twice"));
                }
            }
        }
    }
    let owners = owners.into_iter().collect::<Option<_>>();
    owners.ok_or_else(|| refused("a Redis slot is given to nobody"))
}
