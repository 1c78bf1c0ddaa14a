//! Looks whether shards hold what the snapshot says: both sides of each wave the same, and no row
//! on a shard that shouldn't have it. Changes nothing, and needs no coordinator.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ringshift::migration::command::{Answer, ChunkId, Command, KeyDigest, SlotDigest};
use ringshift::migration::{Log, Mismatch, Verifier, home_installs, wave_installs};
use ringshift::{
    DomainId, Fence, KeyspaceDraft, KeyspaceId, MismatchKind, Phase, Refusal, Router, ShardId,
    Snapshot, Wave,
};
use serde::Serialize;

use crate::client::Stores;
use crate::store::{Chunks, SqliteStore, StoreError};

/// Keys that are read at once where all of a shard are looked at.
const KEYS_AT_ONCE: u32 = 4_096;

/// What comparing the two sides of a wave has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compared {
    /// The sides are equal.
    Equal {
        /// Rows of the authority, tombstones too.
        rows: u64,
    },
    /// They differ, and did so at two looks.
    Differs {
        /// The keys, sorted.
        mismatches: Vec<Mismatch>,
    },
    /// The mirror lacks rows, and nothing else: they aren't copied yet.
    Copying {
        /// How many it lacks, or has older.
        rows: u64,
    },
    /// The phase has no second side that could be compared.
    Single,
    /// A shard didn't answer.
    Unreachable {
        /// Which.
        shard: ShardId,
    },
    /// A shard is at another epoch than the snapshot that was read: read it again.
    Moved {
        /// Which.
        shard: ShardId,
        /// What it says.
        refusal: Refusal,
    },
}

/// A row on a shard that shouldn't have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stray {
    /// The keyspace's number.
    pub keyspace: KeyspaceId,
    /// The key.
    pub key: Vec<u8>,
    /// The shard that orders its writes; `None` where no such keyspace is known, or no such key
    /// can be.
    pub belongs: Option<ShardId>,
}

/// Compares the two sides of `wave`: digests of its slots, keys of those that differ, and after
/// `settle` those keys once more, so that a write on its way is no mismatch.
///
/// `log` is what stands beside the snapshot: how far copying had come.
pub fn compare_wave(
    keyspace: &KeyspaceDraft,
    wave: &Wave,
    log: &Log,
    stores: &Stores,
    settle: Duration,
) -> Compared {
    if matches!(wave.phase, Phase::Prepare | Phase::Ended(_)) {
        return Compared::Single;
    }
    let side = wave.phase.authority();
    let sides = Sides {
        keyspace: keyspace.id,
        authority: wave.shard(side),
        mirror: wave.shard(side.other()),
        fence: Fence {
            domain: wave.domain,
            epoch: wave.epoch,
        },
        stores,
        chunks: Chunks::new(),
    };
    sides
        .compare(wave, log, settle)
        .unwrap_or_else(|otherwise| otherwise)
}

struct Sides<'s> {
    keyspace: KeyspaceId,
    authority: ShardId,
    mirror: ShardId,
    fence: Fence,
    stores: &'s Stores,
    chunks: Chunks,
}

impl Sides<'_> {
    fn compare(&self, wave: &Wave, log: &Log, settle: Duration) -> Result<Compared, Compared> {
        let mut verifier = Verifier::default();
        verifier.authority_digests(self.digests(self.authority)?);
        verifier.mirror_digests(&self.digests(self.mirror)?);
        if verifier.slots().is_empty() {
            let rows = verifier.rows();
            return Ok(Compared::Equal { rows });
        }
        verifier.authority_keys(self.keys(self.authority, &verifier, None)?);
        verifier.mirror_keys(&self.keys(self.mirror, &verifier, None)?);
        let rows = verifier.rows();
        if !verifier.is_suspicious() {
            return Ok(Compared::Equal { rows });
        }
        thread::sleep(settle);
        let suspects = verifier.suspects();
        let mirror = self.keys(self.mirror, &verifier, Some(&suspects))?;
        verifier.second_mirror(mirror);
        let authority = self.keys(self.authority, &verifier, Some(&suspects))?;
        let mismatches = verifier.second_authority(&authority);
        let late = |mismatch: &Mismatch| {
            matches!(mismatch.kind, MismatchKind::Missing | MismatchKind::Stale)
        };
        if mismatches.is_empty() {
            Ok(Compared::Equal { rows })
        } else if mismatches.iter().all(late) && self.is_copying(wave, log)? {
            let rows = mismatches.len() as u64;
            Ok(Compared::Copying { rows })
        } else {
            Ok(Compared::Differs { mismatches })
        }
    }

    /// Whether the authority has rows that copying hasn't come to yet. After double-write it has
    /// been through.
    fn is_copying(&self, wave: &Wave, log: &Log) -> Result<bool, Compared> {
        if wave.phase != Phase::DoubleWrite {
            return Ok(false);
        }
        let command = Command::Changes {
            shard: self.authority,
            fence: self.fence,
            after: log.cursor(wave.domain, wave.authority_epoch),
            limit: 1,
            chunk: ChunkId(0),
        };
        match self.ask(self.authority, &command)? {
            Answer::Changes { rows, .. } => Ok(rows > 0),
            _ => Err(Compared::Unreachable {
                shard: self.authority,
            }),
        }
    }

    fn digests(&self, shard: ShardId) -> Result<Vec<SlotDigest>, Compared> {
        let fence = self.fence;
        match self.ask(shard, &Command::Digests { shard, fence })? {
            Answer::Digests(digests) => Ok(digests),
            _ => Err(Compared::Unreachable { shard }),
        }
    }

    fn keys(
        &self,
        shard: ShardId,
        verifier: &Verifier,
        only: Option<&[Vec<u8>]>,
    ) -> Result<Vec<KeyDigest>, Compared> {
        let (fence, keyspace) = (self.fence, self.keyspace);
        let slots = verifier.slots().to_vec();
        let command = match only {
            None => Command::Keys {
                shard,
                fence,
                keyspace,
                slots,
            },
            Some(keys) => Command::Look {
                shard,
                fence,
                keyspace,
                slots,
                keys: keys.to_vec(),
            },
        };
        match self.ask(shard, &command)? {
            Answer::Keys(keys) => Ok(keys),
            _ => Err(Compared::Unreachable { shard }),
        }
    }

    fn ask(&self, shard: ShardId, command: &Command) -> Result<Answer, Compared> {
        let store = self.stores.get(&shard);
        match store.map(|store| store.command(command, &self.chunks)) {
            Some(Answer::Refused(refusal)) => Err(Compared::Moved { shard, refusal }),
            Some(Answer::Unreachable) | None => Err(Compared::Unreachable { shard }),
            Some(answer) => Ok(answer),
        }
    }
}

/// The rows in `store` that `shard` shouldn't have, and how many it was asked of. Only those of the
/// keyspace `only`, if one is named. Of more than `most` strays the first are listed.
///
/// # Errors
/// [`StoreError`], when the file can't be read.
pub fn strays(
    snapshot: &Arc<Snapshot>,
    shard: ShardId,
    store: &SqliteStore,
    only: Option<KeyspaceId>,
    most: usize,
) -> Result<Strays, StoreError> {
    let router = Router::new(Arc::clone(snapshot));
    let mut strays = Strays::default();
    let mut after = None;
    loop {
        let keys = store.held(after.as_ref(), KEYS_AT_ONCE)?;
        let Some(last) = keys.last() else {
            return Ok(strays);
        };
        after = Some(last.clone());
        for (keyspace, key) in keys {
            if only.is_some_and(|only| only != keyspace) {
                continue;
            }
            strays.rows += 1;
            let known = router.keyspace_at(keyspace);
            let holders = known.and_then(|known| known.holders(&key).ok());
            let holders = holders.unwrap_or_default();
            if holders.contains(&shard) {
                continue;
            }
            strays.count += 1;
            if strays.listed.len() < most {
                let belongs = holders.first().copied();
                strays.listed.push(Stray {
                    keyspace,
                    key,
                    belongs,
                });
            }
        }
    }
}

/// What a shard holds that it shouldn't.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Strays {
    /// Rows that were looked at, tombstones too.
    pub rows: u64,
    /// How many of them shouldn't be here.
    pub count: u64,
    /// The first of those.
    pub listed: Vec<Stray>,
}

/// The waves of a snapshot, with their keyspaces.
pub fn waves(snapshot: &Snapshot) -> impl Iterator<Item = (&KeyspaceDraft, &Wave)> {
    let keyspaces = snapshot.content().keyspaces.iter();
    keyspaces.flat_map(|keyspace| keyspace.waves.iter().map(move |wave| (keyspace, wave)))
}

/// What a shard says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// The domains whose guards it hasn't got as the snapshot has them: what it is still to be
    /// told.
    pub owes: Vec<DomainId>,
    /// Whether it refuses everything, since its file is older than it was, or another.
    pub shut: bool,
}

/// How `shard` is; `None` when it doesn't answer.
pub fn condition(snapshot: &Snapshot, shard: ShardId, stores: &Stores) -> Option<Condition> {
    let store = stores.get(&shard)?;
    let chunks = Chunks::new();
    let Answer::Guards(guards) = store.command(&Command::Guards { shard }, &chunks) else {
        return None;
    };
    // One that is shut forgets, for whoever asks, every epoch that it has.
    let shut = guards.first().is_some_and(|guard| {
        let (domain, epoch) = (guard.domain, guard.epoch);
        let fence = Fence { domain, epoch };
        let answer = store.command(&Command::Revision { shard, fence }, &chunks);
        matches!(answer, Answer::Refused(Refusal::NotReady { current }) if current < epoch)
    });
    let homes = home_installs(snapshot, shard);
    let of_waves = waves(snapshot).flat_map(|(keyspace, wave)| {
        let installs = wave_installs(snapshot, keyspace, wave);
        let own = installs.into_iter().filter(move |(at, _)| *at == shard);
        own.flat_map(|(_, rows)| rows)
    });
    let mut owes: Vec<DomainId> = homes
        .into_iter()
        .chain(of_waves)
        .map(|install| install.row)
        .filter(|row| {
            let known = guards.iter().find(|guard| guard.domain == row.domain);
            known.is_none_or(|guard| guard.epoch < row.epoch)
        })
        .map(|row| row.domain)
        .collect();
    owes.sort_unstable();
    owes.dedup();
    Some(Condition { owes, shut })
}
