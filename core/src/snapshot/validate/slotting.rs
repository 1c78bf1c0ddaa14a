//! The rules of a foreign slotting.

use alloc::string::ToString;

use super::{count, name, range, unique};
use crate::ids::SLOT_BITS_MIN;
use crate::key::KeyRule;
use crate::slotting::{REDIS_BITS, Slotting};
use crate::snapshot::error::TopologyError;
use crate::snapshot::limits;

/// Checks the slotting of the keyspace `keyspace` that has `now` slot bits and this rule.
pub(in crate::snapshot) fn check_slotting(
    keyspace: &str,
    slotting: &Slotting,
    now: u8,
    rule: KeyRule,
) -> Result<(), TopologyError> {
    let refused = |rule| {
        Err(TopologyError::Slotting {
            keyspace: keyspace.to_string(),
            rule,
        })
    };
    // Slots may have been split since; they can't be joined across a run's end.
    let bits = |least| {
        let what = "the slot bits of a slotting";
        slotting.bits().map_or(Ok(()), |bits| {
            range(what, bits.into(), u64::from(least), now.into())
        })
    };
    match slotting {
        Slotting::Xxh3 => Ok(()),
        Slotting::Modulo(modulo) => {
            bits(SLOT_BITS_MIN)?;
            let most = 1 << modulo.bits;
            range("the buckets of a modulo", modulo.buckets.into(), 1, most)?;
            if modulo.seed != 0 && !modulo.hash.is_seeded() {
                return refused("its hash takes no seed; leave that out");
            }
            Ok(())
        }
        Slotting::RedisCluster => {
            // Its own bits are fixed, so this says that the keyspace has as many.
            bits(REDIS_BITS)?;
            if rule != KeyRule::HashTag {
                return refused("Redis Cluster hashes the hash tag; say `\"key\": \"hash-tag\"`");
            }
            Ok(())
        }
        Slotting::Ketama(ketama) => {
            bits(SLOT_BITS_MIN)?;
            count(
                "servers of a ketama",
                ketama.servers.len(),
                limits::KETAMA_SERVERS_MAX,
            )?;
            ketama
                .servers
                .iter()
                .try_for_each(|server| name("ketama server", &server.name))?;
            let servers = &ketama.servers;
            unique("ketama server", servers.len(), &|at| {
                servers.get(at).map(|server| &server.name)
            })?;
            // A slot an arc at least.
            let most = 1 << ketama.bits;
            range("the points of a ketama", ketama.points(), 4, most)
        }
    }
}
