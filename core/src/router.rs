//! The compiled table: a stable key costs one hash and one load.
//!
//! Each slot has a 4-byte entry: the shard's index in the low half, and above it flags that are 0
//! for nearly every key. Only a key that has a flag looks further: at the overrides and the waves
//! that are narrower than their slots, or at its wave.

mod compile;
mod holders;
mod leased;
mod many;
mod transaction;
mod unknown;

use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use crate::digest::in_shadow;
use crate::guard::Fence;
use crate::hash;
use crate::ids::{DomainId, KeyspaceId, ShardId, ShardIndex, Slot};
use crate::key::KeyError;
use crate::phase::Phase;
use crate::replicas::replicas;
use crate::route::{Explanation, Plan, ReadPlace, Route, ShardShare};
use crate::snapshot::{KeyspaceDraft, Shard, Snapshot, SnapshotError, Target};
use crate::wave::Wave;
use compile::{MOVING, Table};
pub use unknown::UnknownKeyspace;

/// Routes keys by one snapshot, and moves to the next.
///
/// - Getters: `snapshot`, `keyspace`, and all of [`Keyspace`]; they take `&self` and never block.
/// - Input: `install`.
///
/// `Send + Sync`: share it behind an `Arc`, and put a new one in its place when the topology
/// changes, or hold it alone and `install`.
#[derive(Clone, Debug)]
pub struct Router {
    snapshot: Arc<Snapshot>,
    tables: Vec<Table>,
}

/// What [`Router::install`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installed {
    /// The new snapshot is in force.
    Replaced,
    /// It was in force already.
    Same,
}

impl Router {
    /// Compiles `snapshot`.
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        let tables = snapshot
            .content()
            .keyspaces
            .iter()
            .map(|keyspace| compile::compile(&snapshot, keyspace))
            .collect();
        Self { snapshot, tables }
    }

    /// Puts a newer snapshot in force; only ever forward.
    ///
    /// # Errors
    /// A snapshot that is older, of another cluster, or of the same epoch with other content; the
    /// one in force stays. See [`Snapshot::check_successor`].
    pub fn install(&mut self, snapshot: Arc<Snapshot>) -> Result<Installed, SnapshotError> {
        match self.successor(snapshot)? {
            Some(newer) => {
                *self = newer;
                Ok(Installed::Replaced)
            }
            None => Ok(Installed::Same),
        }
    }

    /// The router to put in this one's place, for who shares routers and replaces them whole;
    /// `None` when `snapshot` is the one in force.
    ///
    /// # Errors
    /// As for [`install`](Self::install).
    ///
    /// ```
    /// # use ringshift::*;
    /// # let text = r#"{"cluster":"demo","keyspaces":{"orders":{}},"shards":[{"id":1,"name":"a"}]}"#;
    /// # let first = serde_json::from_str::<Topology>(text)?.snapshot()?;
    /// let second = Snapshot::build(first.next_draft()?)?;
    /// let router = Router::new(first.into());
    /// assert!(router.successor(router.snapshot().clone())?.is_none());
    /// let newer = router.successor(second.into())?.ok_or("it is newer")?;
    /// assert_eq!(newer.snapshot().epoch().get(), 2);
    /// assert!(newer.successor(router.snapshot().clone()).is_err()); // never back
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn successor(&self, snapshot: Arc<Snapshot>) -> Result<Option<Self>, SnapshotError> {
        let newer = self.snapshot.check_successor(&snapshot)?;
        Ok(newer.then(|| Self::new(snapshot)))
    }

    /// The snapshot in force.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// The keyspace of that name. Look it up once, not for each key.
    ///
    /// # Errors
    /// [`UnknownKeyspace`].
    pub fn keyspace(&self, name: &str) -> Result<Keyspace<'_>, UnknownKeyspace> {
        let found = self
            .snapshot
            .keyspace_named(name)
            .and_then(|id| self.keyspace_at(id));
        found.ok_or_else(|| UnknownKeyspace::of(name, &self.snapshot))
    }

    /// The keyspace of that number. On the path of a route in other languages, which keep the
    /// number and ask anew for each key.
    #[inline]
    pub fn keyspace_at(&self, id: KeyspaceId) -> Option<Keyspace<'_>> {
        let keyspaces = &self.snapshot.content().keyspaces;
        // Nearly always its number is its place; only where keyspaces were taken away it isn't.
        let guess = usize::from(id.0);
        let at = match keyspaces.get(guess) {
            Some(keyspace) if keyspace.id == id => guess,
            _ => keyspaces.iter().position(|keyspace| keyspace.id == id)?,
        };
        Some(Keyspace {
            snapshot: &self.snapshot,
            content: keyspaces.get(at)?,
            table: self.tables.get(at)?,
        })
    }
}

/// One keyspace of a [`Router`]: what routes keys. Getters only.
#[derive(Clone, Copy, Debug)]
pub struct Keyspace<'r> {
    snapshot: &'r Snapshot,
    content: &'r KeyspaceDraft,
    table: &'r Table,
}

/// Keys sorted by the shard that orders their writes, for a multi-get or a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// For each shard that has any, by index: the places of its keys in the list that was given.
    pub by_shard: Vec<(ShardIndex, Vec<usize>)>,
}

impl<'r> Keyspace<'r> {
    /// The keyspace's number.
    pub fn id(&self) -> KeyspaceId {
        self.content.id
    }

    /// The snapshot that routes.
    pub fn snapshot(&self) -> &'r Snapshot {
        self.snapshot
    }

    /// The bytes of `key` that are hashed: the whole of it, its hash tag, or its first parts.
    ///
    /// # Errors
    /// [`KeyError`], as for [`route`](Self::route).
    pub fn routing_part<'k>(&self, key: &'k [u8]) -> Result<&'k [u8], KeyError> {
        Ok(self.table.place(key)?.0)
    }

    /// Where `key` is: one hash and one load for a stable key.
    ///
    /// # Errors
    /// [`KeyError`] for a key of more than 64 KiB, or one that doesn't have the parts that the
    /// keyspace groups by.
    // Where it isn't inlined, its result goes through memory, and takes a quarter more time.
    #[cfg_attr(
        not(target_family = "wasm"),
        expect(clippy::inline_always, reason = "as said above")
    )]
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    #[cfg_attr(target_family = "wasm", inline)]
    pub fn route(&self, key: &[u8]) -> Result<Route, KeyError> {
        if self.table.is_at_once(key.len()) {
            let (slot, entry) = self.table.at_once(key);
            return Ok(route_of(slot, entry));
        }
        self.route_by_part(key)
    }

    /// [`route`](Self::route) of a key of which a part is hashed, or none.
    #[inline(never)]
    fn route_by_part(&self, key: &[u8]) -> Result<Route, KeyError> {
        let (part, hash) = self.table.place(key)?;
        let (slot, mut entry) = self.table.entry(hash);
        if Table::is_scoped(entry, hash) {
            entry = self.table.entry_in_front(part, hash, key);
        }
        Ok(route_of(slot, entry))
    }

    /// Everything that an operation on `key` needs.
    ///
    /// # Errors
    /// [`KeyError`], as for [`route`](Self::route).
    pub fn plan(&self, key: &[u8]) -> Result<Plan, KeyError> {
        let (part, hash) = self.table.place(key)?;
        let (slot, entry) = self.table.entry(hash);
        let stable = |shard: ShardIndex, fence: Fence| {
            let shard = self.shard_id(shard);
            Plan {
                snapshot: self.snapshot.epoch(),
                keyspace: self.content.id,
                slot,
                stored_slot: hash::stored_slot(hash),
                fence,
                authority: shard,
                mirror: None,
                read: ReadPlace::One(shard),
                strict: false,
                shadow: None,
                leased: self.leased_at_home(shard, slot, fence),
            }
        };
        if Table::is_scoped(entry, hash)
            && let Some(scoped) = self.table.scoped(part, hash, slot, key)
        {
            let stable = stable(scoped.shard, scoped.fence);
            let wave = self.content.wave(scoped.fence.domain);
            return Ok(match wave {
                Some(wave) if scoped.moving => self.plan_in_wave(wave, part, stable),
                _ => stable,
            });
        }
        let owner = Table::shard(entry);
        if entry & MOVING != 0
            && let Some(wave) = self.wave_of(slot, entry)
        {
            return Ok(self.plan_in_wave(wave, part, stable(owner, fence_of(wave))));
        }
        let fence = self.content.home(owner).map_or_else(
            || Fence {
                domain: DomainId(0),
                epoch: self.snapshot.epoch(),
            },
            |home| Fence {
                domain: home.domain,
                epoch: home.epoch,
            },
        );
        Ok(stable(owner, fence))
    }

    fn plan_in_wave(&self, wave: &Wave, part: &[u8], stable: Plan) -> Plan {
        let authority_side = wave.phase.authority();
        let authority = wave.shard(authority_side);
        let mirror = wave.shard(authority_side.other());
        let plan = Plan {
            leased: self.leased_in(wave),
            authority,
            mirror: Some(mirror),
            read: ReadPlace::One(authority),
            strict: wave.strict,
            ..stable
        };
        match wave.phase {
            Phase::DoubleWrite | Phase::Reversed => plan,
            Phase::ShadowRead => {
                let sampled = in_shadow(part, self.table.seed, wave.domain.0, wave.shadow_ppm);
                Plan {
                    shadow: sampled.then_some(mirror),
                    ..plan
                }
            }
            Phase::ReadNew => {
                let inside = hash::in_ramp(part, self.table.seed, wave.domain.0, wave.ramp_ppm);
                let fallback = ReadPlace::Fallback {
                    first: wave.to,
                    second: wave.from,
                };
                Plan {
                    read: if inside { fallback } else { plan.read },
                    strict: true,
                    ..plan
                }
            }
            Phase::Prepare | Phase::Ended(_) => stable,
        }
    }

    /// Each step from `key` to its shards, as data.
    ///
    /// # Errors
    /// [`KeyError`], as for [`route`](Self::route).
    pub fn explain(&self, key: &[u8]) -> Result<Explanation, KeyError> {
        let plan = self.plan(key)?;
        let (part, hash) = self.table.place(key)?;
        let name = |id: ShardId| {
            self.snapshot
                .shard(id)
                .map_or_else(|| format!("#{id}"), |shard| shard.name.clone())
        };
        let wave = self.content.wave(plan.fence.domain);
        let pinned = self
            .content
            .directory
            .iter()
            .any(|entry| entry.domain == plan.fence.domain);
        Ok(Explanation {
            keyspace: self.content.name.clone(),
            epoch: plan.snapshot,
            routing_part: part.to_vec(),
            hash: format!("{:016x}", self.table.shown(part, hash)),
            slots: self.content.slot_count(),
            slot: plan.slot,
            pinned,
            domain: plan.fence.domain,
            domain_epoch: plan.fence.epoch,
            phase: wave.map(|wave| wave.state_name().to_string()),
            ramp: wave
                .filter(|wave| wave.phase == Phase::ReadNew)
                .map(|wave| {
                    (
                        wave.ramp_ppm,
                        matches!(plan.read, ReadPlace::Fallback { .. }),
                    )
                }),
            authority: name(plan.authority),
            mirror: plan.mirror.map(name),
            reads: match plan.read {
                ReadPlace::One(shard) => vec![name(shard)],
                ReadPlace::Fallback { first, second } => vec![name(first), name(second)],
            },
            strict: plan.strict,
        })
    }

    /// The shard that orders the writes of each slot, slot by slot: for drawing.
    pub fn owners(&self) -> Vec<ShardIndex> {
        self.table.owners()
    }

    /// Up to `n` shards for copies of `key`: its own first, then the next ones clockwise, each in
    /// a zone of its own while there are unused zones.
    ///
    /// # Errors
    /// [`KeyError`], as for [`route`](Self::route).
    pub fn replicas(&self, key: &[u8], n: usize) -> Result<Vec<ShardIndex>, KeyError> {
        let route = self.route(key)?;
        let mut owners = self.table.owners();
        // A pinned key stands first where it is pinned, whoever has the rest of its slot.
        if let Some(own) = owners.get_mut(route.slot.0 as usize) {
            *own = route.shard;
        }
        Ok(replicas(&owners, route.slot, n, &self.table.zones))
    }

    /// All shards with their share of the slots, for a fan-out: who orders the writes, and who
    /// holds copies as a mirror.
    pub fn shards(&self) -> impl Iterator<Item = (&'r Shard, ShardShare)> {
        let content = self.content;
        self.snapshot.content().shards.iter().map(move |shard| {
            let mut share = ShardShare {
                shard: shard.id,
                slots: 0,
                mirrored: 0,
                phase: None,
            };
            let index = self.snapshot.content().index_of(shard.id);
            share.slots = content
                .assignment
                .iter()
                .filter(|run| Some(run.shard) == index)
                .map(|run| run.len)
                .sum();
            for wave in content.waves.iter().filter(|wave| wave.phase.is_carved()) {
                let Some(side) = wave.side(shard.id) else {
                    continue;
                };
                share.phase = share.phase.max(Some(wave.phase));
                // A part of a slot's keys is no slot.
                if wave.matches.is_some() {
                    continue;
                }
                if side != wave.phase.authority() {
                    share.mirrored += wave.slot_count();
                }
                if wave.phase == Phase::Reversed {
                    match side {
                        crate::phase::Side::From => share.slots -= wave.slot_count(),
                        crate::phase::Side::To => share.slots += wave.slot_count(),
                    }
                }
            }
            (shard, share)
        })
    }

    /// The waves in flight, by age: the prepared and the ended ones too, which routing knows
    /// nothing of.
    pub fn waves(&self) -> &'r [Wave] {
        &self.content.waves
    }

    /// Where the override that has `key` sends it, if one has it: the innermost. While the key
    /// moves, where it is to be found when the wave is taken back.
    pub fn pinned(&self, key: &[u8]) -> Option<ShardId> {
        let (part, hash) = self.table.place(key).ok()?;
        let (slot, _) = self.table.entry(hash);
        let scoped = self.table.scoped(part, hash, slot, key)?;
        let domain = if scoped.moving {
            self.content.wave(scoped.fence.domain)?.origin?
        } else {
            scoped.fence.domain
        };
        let mut entries = self.content.directory.iter();
        match entries.find(|entry| entry.domain == domain)?.target {
            Target::Shard(shard) => Some(shard),
            Target::Keyspace(_) => None,
        }
    }

    fn shard_id(&self, index: ShardIndex) -> ShardId {
        self.snapshot.shard_id(index).unwrap_or_default()
    }

    fn wave_of(&self, slot: Slot, entry: u32) -> Option<&'r Wave> {
        let mut waves = self.content.waves.iter().skip(Table::waves_before(entry));
        waves.find(|wave| wave.is_carved_whole() && wave.contains(slot))
    }
}

#[inline]
fn route_of(slot: Slot, entry: u32) -> Route {
    Route {
        shard: Table::shard(entry),
        slot,
        moving: entry & MOVING != 0,
    }
}

/// What operations on the keys of `wave` carry.
fn fence_of(wave: &Wave) -> Fence {
    Fence {
        domain: wave.domain,
        epoch: wave.epoch,
    }
}

#[cfg(test)]
mod tests;
