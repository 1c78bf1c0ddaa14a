//! The compiled table against a slow lookup that is made from the draft alone.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that fails should say where, and its numbers are small"
)]

mod drafts;

use drafts::{Dice, drafts, key};
use proptest::prelude::*;
use ringshift::{
    DomainId, Draft, Entry, Epoch, Fence, Keyspace, KeyspaceDraft, Match, Phase, Plan, ReadPlace,
    Router, Scope, ShardId, ShardIndex, Side, Slot, Slotting, Snapshot, Target, Wave, hash,
    in_shadow,
};

/// What the phases' table says, in the words of the protocol: (authority, mirror, strict).
fn roles(wave: &Wave) -> Option<(ShardId, ShardId, bool)> {
    match wave.phase {
        Phase::DoubleWrite | Phase::ShadowRead => Some((wave.from, wave.to, wave.strict)),
        Phase::ReadNew => Some((wave.from, wave.to, true)),
        Phase::Reversed => Some((wave.to, wave.from, wave.strict)),
        Phase::Prepare | Phase::Ended(_) => None,
    }
}

/// The 20 bits that are stored with a row.
fn stored(keyspace: &KeyspaceDraft, part: &[u8]) -> u32 {
    if keyspace.slotting == Slotting::Xxh3 {
        return (hash::xxh3(part, keyspace.seed) >> 44) as u32;
    }
    // Three buckets over 16 slots: 5, 5 and 6 of them.
    let hash = hash::crc32(part);
    let (start, slots) = [(0, 5), (5, 5), (10, 6)][(hash % 3) as usize];
    (start << 16) + hash / 3 % (slots << 16)
}

/// The hash that people are shown.
fn shown(keyspace: &KeyspaceDraft, part: &[u8]) -> u64 {
    if keyspace.slotting == Slotting::Xxh3 {
        return hash::xxh3(part, keyspace.seed);
    }
    hash::crc32(part).into()
}

fn slot_of(keyspace: &KeyspaceDraft, part: &[u8]) -> Slot {
    Slot(stored(keyspace, part) >> (20 - keyspace.bits))
}

fn wave_at(keyspace: &KeyspaceDraft, slot: Slot) -> Option<&Wave> {
    keyspace.waves.iter().find(|wave| {
        roles(wave).is_some()
            && wave.matches.is_none()
            && wave
                .slots
                .iter()
                .any(|range| (range.start..range.end).contains(&slot.0))
    })
}

/// Who orders the writes of a slot that isn't pinned.
fn authority_at(draft: &Draft, keyspace: &KeyspaceDraft, slot: Slot) -> ShardId {
    let owner = || draft.shards[usize::from(keyspace.table()[slot.0 as usize].0)].id;
    wave_at(keyspace, slot)
        .and_then(roles)
        .map_or_else(owner, |(authority, ..)| authority)
}

fn scope(wave: &Wave) -> Scope {
    wave.matches.as_ref().unwrap().scope()
}

/// The wave of less than whole slots that has the key.
fn narrowed<'k>(keyspace: &'k KeyspaceDraft, key: &[u8], slot: Slot) -> Option<&'k Wave> {
    let waves = keyspace.waves.iter().filter(|wave| {
        let matches = wave.matches.as_ref();
        roles(wave).is_some() && wave.contains(slot) && matches.is_some_and(|m| m.contains(key))
    });
    waves.max_by_key(|wave| scope(wave))
}

/// The override that has the key, waves left aside.
fn innermost<'k>(directory: &'k [Entry], key: &[u8], slot: Slot) -> Option<&'k Entry> {
    let all = directory
        .iter()
        .filter(|entry| entry.matches.contains(key) && entry.has_slot(slot));
    all.max_by_key(|entry| entry.matches.scope())
}

fn slow_plan(draft: &Draft, keyspace: &KeyspaceDraft, key: &[u8]) -> Plan {
    let part = keyspace.rule.routing_part(key).unwrap();
    let slot = slot_of(keyspace, part);
    let stable = |shard: ShardId, domain: DomainId, epoch: Epoch| Plan {
        snapshot: draft.epoch,
        keyspace: keyspace.id,
        slot,
        stored_slot: stored(keyspace, part),
        fence: Fence { domain, epoch },
        authority: shard,
        mirror: None,
        read: ReadPlace::One(shard),
        strict: false,
        shadow: None,
        leased: None,
    };
    let entry = innermost(&keyspace.directory, key, slot);
    let wave = narrowed(keyspace, key, slot);
    // A wave as wide as the override that it is carved from comes before it.
    let wave = match (wave, entry) {
        (Some(wave), Some(entry)) => (scope(wave) >= entry.matches.scope()).then_some(wave),
        (wave, _) => wave,
    };
    if let (None, Some(entry)) = (wave, entry) {
        let Target::Shard(shard) = entry.target else {
            unreachable!("{entry:?}");
        };
        return stable(shard, entry.domain, entry.epoch);
    }
    let Some(wave) = wave.or_else(|| wave_at(keyspace, slot)) else {
        let shard = authority_at(draft, keyspace, slot);
        let index = draft.shards.iter().position(|s| s.id == shard).unwrap();
        let home = keyspace.homes[index];
        return stable(shard, home.domain, home.epoch);
    };
    let (authority, mirror, strict) = roles(wave).unwrap();
    let (seed, number) = (keyspace.seed, wave.domain.0);
    let inside = hash::in_ramp(part, seed, number, wave.ramp_ppm);
    let sampled = in_shadow(part, seed, number, wave.shadow_ppm);
    Plan {
        mirror: Some(mirror),
        strict,
        read: if wave.phase == Phase::ReadNew && inside {
            ReadPlace::Fallback {
                first: wave.to,
                second: wave.from,
            }
        } else {
            ReadPlace::One(authority)
        },
        shadow: (wave.phase == Phase::ShadowRead && sampled).then_some(wave.to),
        ..stable(authority, wave.domain, wave.epoch)
    }
}

/// The key's own shard, then the others clockwise: first one of each unused zone, then the rest.
fn slow_replicas(draft: &Draft, keyspace: &KeyspaceDraft, plan: &Plan) -> Vec<ShardId> {
    let count = keyspace.slot_count();
    let mut clockwise = vec![plan.authority];
    for step in 1..count {
        let shard = authority_at(draft, keyspace, Slot((plan.slot.0 + step) % count));
        if !clockwise.contains(&shard) {
            clockwise.push(shard);
        }
    }
    let zone = |id: ShardId| &draft.shards.iter().find(|s| s.id == id).unwrap().zone;
    let (mut first, mut later): (Vec<ShardId>, Vec<ShardId>) = (Vec::new(), Vec::new());
    for shard in clockwise {
        let used = first.iter().any(|&other| zone(other) == zone(shard));
        if used {
            later.push(shard);
        } else {
            first.push(shard);
        }
    }
    first.extend(later);
    first
}

fn check_key(draft: &Draft, content: &KeyspaceDraft, keyspace: Keyspace<'_>, key: &[u8]) {
    let plan = slow_plan(draft, content, key);
    let found = keyspace.plan(key).unwrap();
    let leased = None;
    assert_eq!(Plan { leased, ..found }, plan);
    let sides = [Some(plan.authority), plan.mirror];
    let unfenced = |shard: ShardId| draft.lease_at(shard).is_some();
    let needed = sides.into_iter().flatten().any(unfenced);
    assert_eq!(found.leased.is_some(), needed);
    let route = keyspace.route(key).unwrap();
    let id = |index: ShardIndex| draft.shards[usize::from(index.0)].id;
    assert_eq!((id(route.shard), route.slot), (plan.authority, plan.slot));
    assert_eq!(route.moving, plan.mirror.is_some());

    let pin = innermost(&content.directory, key, plan.slot);
    let pinned_to = pin.map(|entry| entry.target);
    assert_eq!(keyspace.pinned(key).map(Target::Shard), pinned_to);
    let pin = pin.filter(|entry| entry.domain == plan.fence.domain);

    let explained = keyspace.explain(key).unwrap();
    let name = |id: ShardId| {
        draft
            .shards
            .iter()
            .find(|s| s.id == id)
            .unwrap()
            .name
            .clone()
    };
    let wave = content
        .waves
        .iter()
        .find(|wave| wave.domain == plan.fence.domain);
    let inside = matches!(plan.read, ReadPlace::Fallback { .. });
    assert_eq!(
        explained.routing_part,
        content.rule.routing_part(key).unwrap()
    );
    let hash = u64::from_str_radix(&explained.hash, 16).unwrap();
    assert_eq!(hash, shown(content, &explained.routing_part));
    assert_eq!(
        (explained.slot, explained.slots),
        (plan.slot, content.slot_count())
    );
    assert_eq!(
        (explained.domain, explained.domain_epoch),
        (plan.fence.domain, plan.fence.epoch)
    );
    assert_eq!(
        (&explained.keyspace, explained.epoch),
        (&content.name, draft.epoch)
    );
    assert_eq!(explained.pinned, pin.is_some());
    assert_eq!(
        explained.phase,
        wave.map(|wave| wave.state_name().to_owned())
    );
    let ramp = wave.filter(|wave| wave.phase == Phase::ReadNew);
    assert_eq!(explained.ramp, ramp.map(|wave| (wave.ramp_ppm, inside)));
    assert_eq!(explained.authority, name(plan.authority));
    assert_eq!(explained.mirror, plan.mirror.map(name));
    assert_eq!(explained.strict, plan.strict);
    let reads = match plan.read {
        ReadPlace::One(shard) => vec![shard],
        ReadPlace::Fallback { first, second } => vec![first, second],
    };
    assert_eq!(
        explained.reads,
        reads.into_iter().map(name).collect::<Vec<_>>()
    );

    let all = slow_replicas(draft, content, &plan);
    for n in 0..=draft.shards.len() + 1 {
        let found: Vec<ShardId> = keyspace
            .replicas(key, n)
            .unwrap()
            .into_iter()
            .map(id)
            .collect();
        assert_eq!(found, all[..n.min(all.len())], "{n} of {all:?}");
    }
}

fn check_shares(draft: &Draft, content: &KeyspaceDraft, keyspace: Keyspace<'_>) {
    let mut shares = keyspace.shards();
    for shard in &draft.shards {
        let (found, share) = shares.next().unwrap();
        assert_eq!((found, share.shard), (shard, shard.id));
        let orders = (0..content.slot_count())
            .filter(|&slot| authority_at(draft, content, Slot(slot)) == shard.id);
        assert_eq!(share.slots as usize, orders.count());
        let taking_part = || {
            let waves = content.waves.iter().filter(|wave| roles(wave).is_some());
            waves.filter(|wave| [wave.from, wave.to].contains(&shard.id))
        };
        let mirrored: u32 = taking_part()
            .filter(|wave| roles(wave).unwrap().1 == shard.id)
            .filter(|wave| wave.matches.is_none())
            .flat_map(|wave| &wave.slots)
            .map(|range| range.end - range.start)
            .sum();
        assert_eq!(share.mirrored, mirrored);
        let order = [
            Phase::DoubleWrite,
            Phase::ShadowRead,
            Phase::ReadNew,
            Phase::Reversed,
        ];
        let furthest = order
            .into_iter()
            .rfind(|&phase| taking_part().any(|w| w.phase == phase));
        assert_eq!(share.phase, furthest);
    }
    assert!(shares.next().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_table_says_what_the_draft_says(draft in drafts(6, 2, 9), seed in any::<u64>()) {
        let router = Router::new(Snapshot::build(draft.clone()).unwrap().into());
        let mut dice = Dice(seed);
        for content in &draft.keyspaces {
            let keyspace = router.keyspace(&content.name).unwrap();
            prop_assert_eq!(keyspace.id(), content.id);
            check_shares(&draft, content, keyspace);
            let mut keys: Vec<Vec<u8>> = (0..12).map(|_| key(content.rule, &mut dice)).collect();
            for entry in &content.directory {
                if let Match::Exact(pinned) = &entry.matches {
                    keys.push(pinned.clone());
                }
            }
            for key in &keys {
                check_key(&draft, content, keyspace, key);
            }

            let routes: Vec<ShardIndex> =
                keys.iter().map(|key| keyspace.route(key).unwrap().shard).collect();
            let mut many = vec![ShardIndex(u16::MAX); keys.len() + 1];
            let routed = keyspace.route_many(keys.iter().map(Vec::as_slice), &mut many);
            prop_assert_eq!(routed, Ok(keys.len()));
            prop_assert_eq!(&many[..keys.len()], &routes[..]);
            prop_assert_eq!(many[keys.len()], ShardIndex(u16::MAX));
            // The shorter of the two decides.
            prop_assert_eq!(
                keyspace.route_many(keys.iter().map(Vec::as_slice), &mut many[..3]),
                Ok(3)
            );

            let groups = keyspace.group_by_shard(keys.iter().map(Vec::as_slice)).unwrap();
            prop_assert!(groups.by_shard.is_sorted_by(|a, b| a.0 < b.0));
            let mut seen = 0;
            for (shard, places) in &groups.by_shard {
                prop_assert!(!places.is_empty() && places.is_sorted_by(|a, b| a < b));
                prop_assert!(places.iter().all(|&place| routes[place] == *shard));
                seen += places.len();
            }
            prop_assert_eq!(seen, keys.len());
        }
    }

    /// Between two phases, a key's authority changes only at the switch, and its reads stay where
    /// there are data.
    #[test]
    fn every_phase_reads_where_the_authority_or_its_mirror_is(
        draft in drafts(4, 2, 9),
        seed in any::<u64>(),
    ) {
        let router = Router::new(Snapshot::build(draft.clone()).unwrap().into());
        let mut dice = Dice(seed);
        for content in &draft.keyspaces {
            let keyspace = router.keyspace(&content.name).unwrap();
            for _ in 0..20 {
                let plan = keyspace.plan(&key(content.rule, &mut dice)).unwrap();
                match plan.read {
                    ReadPlace::One(shard) => prop_assert_eq!(shard, plan.authority),
                    ReadPlace::Fallback { first, second } => {
                        prop_assert_eq!((Some(first), second), (plan.mirror, plan.authority));
                        prop_assert!(plan.strict);
                    }
                }
                prop_assert!(plan.mirror != Some(plan.authority));
                prop_assert!(plan.mirror.is_some() || !plan.strict);
                prop_assert!(plan.shadow.is_none() || plan.shadow == plan.mirror);
            }
        }
    }
}

/// So that the property isn't empty: the drafts have all of it.
#[test]
fn the_drafts_have_waves_in_every_phase_and_pins() {
    let mut seen = Vec::new();
    let mut pins = 0;
    for seed in 0..200 {
        for keyspace in drafts::draft(4, 2, 9, seed).keyspaces {
            seen.extend(keyspace.waves.iter().map(|wave| wave.phase));
            pins += keyspace.directory.len();
        }
    }
    assert!(Phase::ALL.iter().all(|phase| seen.contains(phase)));
    assert!(seen.contains(&Phase::Ended(Side::To)) && pins > 100);
    let mut kinds = [0; 6];
    for seed in 0..400 {
        for keyspace in drafts::draft(4, 2, 9, seed).keyspaces {
            for wave in keyspace.waves.iter().filter(|wave| wave.matches.is_some()) {
                kinds[0] += 1;
                kinds[1] += u32::from(wave.origin.is_some() && wave.phase.is_carved());
                kinds[2] += u32::from(!wave.pins);
            }
            for entry in &keyspace.directory {
                kinds[3] += u32::from(matches!(entry.matches, Match::Prefix(_)));
                kinds[4] += u32::from(matches!(entry.matches, Match::Range { .. }));
                let scope = entry.matches.scope();
                let around = keyspace
                    .directory
                    .iter()
                    .filter(|e| e.matches.scope().encloses(&scope));
                kinds[5] += u32::from(around.count() > 1);
            }
        }
    }
    assert!(kinds.iter().all(|&seen| seen > 10), "{kinds:?}");
}
