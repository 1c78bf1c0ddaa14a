//! Every rule that a snapshot keeps, checked in one pass before one exists.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::ids::{DomainId, Epoch, SHARDS_MAX, SLOT_BITS_MAX, SLOT_BITS_MIN};
use crate::key::KeyRule;
use crate::order::twice;
use crate::phase::{Phase, Side};
use crate::snapshot::error::TopologyError;
use crate::snapshot::{Draft, KeyspaceDraft, Shard, in_front, limits};
use crate::wave::{PPM, Wave};
use crate::weight::Weight;

mod slotting;

pub(super) use slotting::check_slotting;

pub(super) fn validate(draft: &Draft) -> Result<(), TopologyError> {
    name("cluster", &draft.cluster)?;
    range(
        "the epoch",
        draft.epoch.get().into(),
        1,
        Epoch::MAX.get().into(),
    )?;
    shards(&draft.shards)?;
    client_lease(draft)?;
    if draft.keyspaces.is_empty() {
        return Err(TopologyError::Empty("keyspace"));
    }
    count("keyspaces", draft.keyspaces.len(), limits::KEYSPACES_MAX)?;
    if !draft.keyspaces.is_sorted_by(|a, b| a.id < b.id) {
        return Err(TopologyError::Unsorted("keyspaces"));
    }
    let keyspaces = &draft.keyspaces;
    unique("keyspace", keyspaces.len(), &|at| {
        keyspaces.get(at).map(|keyspace| &keyspace.name)
    })?;
    for keyspace in &draft.keyspaces {
        check_keyspace(draft, keyspace)?;
    }
    domains(draft)
}

fn shards(shards: &[Shard]) -> Result<(), TopologyError> {
    if shards.is_empty() {
        return Err(TopologyError::Empty("shard"));
    }
    count("shards", shards.len(), SHARDS_MAX)?;
    if !shards.is_sorted_by(|a, b| a.id < b.id) {
        return Err(TopologyError::Unsorted("shards"));
    }
    for shard in shards {
        name("shard", &shard.name)?;
        if !shard.zone.is_empty() {
            name("zone", &shard.zone)?;
        }
        count(
            "bytes of an endpoint",
            shard.endpoint.len(),
            limits::ENDPOINT_BYTES_MAX,
        )?;
        count("tags of a shard", shard.tags.len(), limits::TAGS_MAX)?;
        shard.tags.iter().try_for_each(|tag| name("tag", tag))?;
        range(
            "a weight in thousandths",
            shard.weight.thousandths().into(),
            0,
            Weight::MAX.thousandths().into(),
        )?;
    }
    unique("shard", shards.len(), &|at| {
        shards.get(at).map(|shard| &shard.name)
    })
}

fn client_lease(draft: &Draft) -> Result<(), TopologyError> {
    let max = limits::LEASE_MS_MAX.into();
    match (
        &draft.client_lease,
        draft.shards.iter().find(|s| s.unfenced),
    ) {
        (Some(lease), _) => {
            range("the clients' lease in ms", lease.lease_ms.into(), 1, max)?;
            range("the longest attempt in ms", lease.attempt_ms.into(), 1, max)?;
            range("the clients' margin in ms", lease.margin_ms.into(), 0, max)
        }
        (None, Some(shard)) => Err(TopologyError::NoClientLease(shard.id)),
        (None, None) => Ok(()),
    }
}

fn check_keyspace(draft: &Draft, keyspace: &KeyspaceDraft) -> Result<(), TopologyError> {
    name("keyspace", &keyspace.name)?;
    range(
        "slot bits",
        keyspace.bits.into(),
        SLOT_BITS_MIN.into(),
        SLOT_BITS_MAX.into(),
    )?;
    range(
        "vnodes",
        keyspace.placement.vnodes().into(),
        1,
        limits::VNODES_MAX.into(),
    )?;
    if let KeyRule::Parts(parts) = keyspace.rule {
        range(
            "the parts that a key is grouped by",
            parts.into(),
            1,
            u8::MAX.into(),
        )?;
    }
    check_slotting(
        &keyspace.name,
        &keyspace.slotting,
        keyspace.bits,
        keyspace.rule,
    )?;
    assignment(draft, keyspace)?;
    if keyspace.homes.len() != draft.shards.len() {
        return Err(TopologyError::Homes {
            keyspace: keyspace.name.clone(),
        });
    }
    for home in &keyspace.homes {
        epoch("a home's epoch", home.epoch, draft)?;
    }
    in_front::overrides(draft, keyspace)?;
    waves(draft, keyspace)?;
    in_front::narrowed(draft, keyspace)?;
    in_front::nesting(keyspace)
}

fn assignment(draft: &Draft, keyspace: &KeyspaceDraft) -> Result<(), TopologyError> {
    let slots = keyspace.slot_count();
    let filled = keyspace
        .assignment
        .iter()
        .map(|run| u64::from(run.len))
        .sum::<u64>();
    let fewest = keyspace.assignment.is_sorted_by(|a, b| a.shard != b.shard)
        && keyspace.assignment.iter().all(|run| run.len > 0);
    if filled != u64::from(slots) || !fewest {
        return Err(TopologyError::Assignment {
            keyspace: keyspace.name.clone(),
            filled,
            slots,
        });
    }
    for run in &keyspace.assignment {
        if draft.shard_at(run.shard).is_none() {
            return Err(TopologyError::UnknownShardIndex(run.shard));
        }
    }
    Ok(())
}

// INVARIANT (one wave a slot): no slot is in two waves, so no key ever has two domains. Those that
// are narrower than their slots have their own rules, in `in_front`.
fn waves(draft: &Draft, keyspace: &KeyspaceDraft) -> Result<(), TopologyError> {
    count("waves", keyspace.waves.len(), limits::WAVES_MAX)?;
    if !keyspace.waves.is_sorted_by(|a, b| a.domain < b.domain) {
        return Err(TopologyError::Unsorted("waves"));
    }
    if keyspace.waves.is_empty() {
        return Ok(());
    }
    let table = keyspace.table();
    let mut taken = vec![false; table.len()];
    for wave in &keyspace.waves {
        wave_fields(draft, wave)?;
        if wave.matches.is_some() {
            continue;
        }
        let owner = match wave.phase {
            Phase::Ended(Side::To) => wave.to,
            Phase::Prepare
            | Phase::DoubleWrite
            | Phase::ShadowRead
            | Phase::ReadNew
            | Phase::Reversed
            | Phase::Ended(Side::From) => wave.from,
        };
        let owner = draft
            .index_of(owner)
            .ok_or(TopologyError::UnknownShard(owner))?;
        for range in &wave.slots {
            for slot in range.slots() {
                let place = usize::try_from(slot.0).unwrap_or(usize::MAX);
                if table.get(place) != Some(&owner) {
                    return Err(TopologyError::Wave {
                        domain: wave.domain,
                        rule: "a slot of it belongs to another shard",
                    });
                }
                match taken.get_mut(place) {
                    Some(taken) if !*taken => *taken = true,
                    _ => return Err(TopologyError::Overlap { slot }),
                }
            }
        }
    }
    Ok(())
}

fn wave_fields(draft: &Draft, wave: &Wave) -> Result<(), TopologyError> {
    let check = |holds: bool, rule: &'static str| {
        if holds {
            Ok(())
        } else {
            Err(TopologyError::Wave {
                domain: wave.domain,
                rule,
            })
        }
    };
    epoch("a wave's epoch", wave.epoch, draft)?;
    draft
        .index_of(wave.from)
        .ok_or(TopologyError::UnknownShard(wave.from))?;
    draft
        .index_of(wave.to)
        .ok_or(TopologyError::UnknownShard(wave.to))?;
    check(wave.from != wave.to, "it moves from a shard to itself")?;
    check(
        wave.drained <= wave.epoch,
        "it was drained after its own epoch",
    )?;
    check(
        wave.authority_epoch > Epoch::ZERO,
        "it has no authority's epoch",
    )?;
    check(
        wave.authority_epoch <= wave.epoch,
        "its authority is of a later epoch",
    )?;
    check(wave.ramp_ppm <= PPM, "its ramp is above 1,000,000")?;
    check(
        wave.ramp_ppm == 0 || wave.phase == Phase::ReadNew,
        "a ramp belongs to read-new only",
    )?;
    check(
        wave.shadow_ppm <= PPM,
        "its share of shadow reads is above 1,000,000",
    )?;
    check(
        wave.shadow_ppm == 0 || wave.phase == Phase::ShadowRead,
        "shadow reads belong to shadow-read only",
    )?;
    let unfenced = draft.is_unfenced(wave);
    check(
        !unfenced || wave.lease_ms == 0,
        "an unfenced shard takes part, so its mirror can't be leased",
    )?;
    check(
        !wave.switching || (unfenced && wave.phase.is_carved()),
        "only a carved wave with an unfenced shard pauses its writes",
    )?;
    check(!wave.slots.is_empty(), "it has no slots")?;
    check(
        wave.slots.iter().all(|range| !range.is_empty()),
        "a run of its slots is empty",
    )?;
    check(
        wave.slots.is_sorted_by(|a, b| a.end < b.start),
        "its slots are not sorted, or not in the fewest runs",
    )
}

/// Every domain id was given out, and to one domain only.
fn domains(draft: &Draft) -> Result<(), TopologyError> {
    // Loops: chained iterators are four times the code here, in each page that has a client.
    let mut all: Vec<DomainId> = Vec::new();
    for keyspace in &draft.keyspaces {
        for home in &keyspace.homes {
            all.push(home.domain);
        }
        for wave in &keyspace.waves {
            all.push(wave.domain);
        }
        for entry in &keyspace.directory {
            all.push(entry.domain);
        }
    }
    if let Some(&last) = all.iter().max()
        && last >= draft.next_domain
    {
        return Err(TopologyError::Domain(last));
    }
    let twice = twice(all.len(), &|a, b| all.get(a).cmp(&all.get(b)));
    match twice.and_then(|place| all.get(place)) {
        Some(&twice) => Err(TopologyError::Domain(twice)),
        None => Ok(()),
    }
}

pub(super) fn epoch(what: &'static str, value: Epoch, draft: &Draft) -> Result<(), TopologyError> {
    range(what, value.get().into(), 1, draft.epoch.get().into())
}

fn range(what: &'static str, value: u64, min: u64, max: u64) -> Result<(), TopologyError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(TopologyError::Range {
            what,
            value,
            min,
            max,
        })
    }
}

fn count(what: &'static str, count: usize, max: usize) -> Result<(), TopologyError> {
    if count <= max {
        Ok(())
    } else {
        Err(TopologyError::TooMany { what, count, max })
    }
}

fn name(what: &'static str, name: &str) -> Result<(), TopologyError> {
    let fine = !name.is_empty()
        && name.len() <= limits::NAME_BYTES_MAX
        && !name.chars().any(char::is_control);
    if fine {
        Ok(())
    } else {
        Err(TopologyError::Name {
            what,
            name: name.to_owned(),
        })
    }
}

fn unique<'n>(
    what: &'static str,
    count: usize,
    name: &dyn Fn(usize) -> Option<&'n String>,
) -> Result<(), TopologyError> {
    let twice = twice(count, &|a, b| name(a).cmp(&name(b)));
    match twice.and_then(name) {
        Some(name) => Err(TopologyError::Duplicate {
            what,
            name: name.clone(),
        }),
        None => Ok(()),
    }
}
