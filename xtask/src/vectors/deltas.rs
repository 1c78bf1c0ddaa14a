//! `deltas.json`: from one snapshot to a later one, and what is no way.

use ringshift::record::advance;
use ringshift::{
    DomainId, Draft, Entry, Home, Match, Phase, ShardId, ShardIndex, Snapshot, Target,
};
use serde_json::{Value, json};

use super::clusters::{self, Place, demo, wave};
use super::{Section, hex};

/// A base, what became of it, and what that shows.
type Step = (&'static str, Snapshot, Snapshot);

pub(super) fn sections() -> Result<Vec<Section>, String> {
    let steps = steps()?;
    Ok(vec![
        Section {
            name: "deltas",
            about: "`delta` leads from the snapshot `base` to `result`; all are bytes in hex. Applying it gives exactly the bytes of `result`, and so does taking `result` itself.",
            cases: steps
                .iter()
                .map(|(why, base, result)| {
                    let delta = base.delta(result).map_err(|e| e.to_string())?.encode();
                    let [base, delta, result] =
                        [base.encode(), delta, result.encode()].map(|bytes| hex(&bytes));
                    Ok(json!({"why": why, "base": base, "delta": delta, "result": result}))
                })
                .collect::<Result<_, String>>()?,
        },
        Section {
            name: "refused",
            about: "Bytes in hex that lead nowhere from the snapshot `base`, and the slug of the error that says so. `base` stays as it is.",
            cases: refused(&steps)?,
        },
    ])
}

fn steps() -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let home = demo(5, 5, Place::Home(ShardId(1)))?;
    let mut last = home.clone();
    let phases: [(&str, Phase); 7] = [
        ("a wave begins", Phase::Prepare),
        ("prepare to double-write", Phase::DoubleWrite),
        ("double-write to shadow-read", Phase::ShadowRead),
        ("shadow-read to read-new", Phase::ReadNew),
        ("read-new to reversed", Phase::Reversed),
        (
            "the wave ends: its slots have another owner",
            Phase::Ended(ringshift::Side::To),
        ),
        (
            "the wave is back where it began",
            Phase::Ended(ringshift::Side::From),
        ),
    ];
    for (epoch, (why, phase)) in (6..).zip(phases) {
        let place = match phase {
            Phase::ReadNew => clusters::ramp(50_000),
            _ => wave(phase),
        };
        let next = demo(epoch, epoch, place)?;
        steps.push((why, last, next.clone()));
        last = next;
    }
    steps.push(("over several epochs", home, last.clone()));
    steps.push(("nothing", last.clone(), last.clone()));
    edited(&mut steps)?;
    Ok(steps)
}

/// Changes that no migration makes, one after the other.
fn edited(steps: &mut Vec<Step>) -> Result<(), String> {
    let mut edit = |why, base: &Snapshot, change: &dyn Fn(&mut Draft)| {
        let mut draft = base.next_draft().map_err(|e| e.to_string())?;
        change(&mut draft);
        let next = Snapshot::build(draft).map_err(|e| format!("{why}: {e}"))?;
        steps.push((why, base.clone(), next.clone()));
        Ok::<_, String>(next)
    };
    let base = clusters::least()?;
    let base = edit("a second shard, without slots", &base, &|draft| {
        if let Some(mut shard) = draft.shards.first().cloned() {
            (shard.id, shard.name) = (ShardId(7), "t".to_owned());
            draft.shards.push(shard);
        }
        let (domain, epoch) = (draft.take_domain(), draft.epoch);
        for keyspace in &mut draft.keyspaces {
            keyspace.homes.push(Home { domain, epoch });
        }
    })?;
    let base = edit("some slots go elsewhere, without a wave", &base, &|draft| {
        for keyspace in &mut draft.keyspaces {
            let mut table = keyspace.table();
            for slot in [1, 2, 9, 15] {
                if let Some(owner) = table.get_mut(slot) {
                    *owner = ShardIndex(1);
                }
            }
            keyspace.set_table(&table);
        }
    })?;
    let base = edit(
        "a shard between the others: the last has another index",
        &base,
        &|draft| {
            if let Some(mut shard) = draft.shards.first().cloned() {
                (shard.id, shard.name) = (ShardId(3), "between".to_owned());
                draft.shards.insert(1, shard);
            }
            let (domain, epoch) = (draft.take_domain(), draft.epoch);
            for keyspace in &mut draft.keyspaces {
                keyspace.homes.insert(1, Home { domain, epoch });
                for run in &mut keyspace.assignment {
                    run.shard.0 *= 2;
                }
            }
        },
    )?;
    let base = edit("twice the slots, each cut in two", &base, &|draft| {
        for keyspace in &mut draft.keyspaces {
            keyspace.bits += 1;
            keyspace.assignment.iter_mut().for_each(|run| run.len *= 2);
        }
    })?;
    let base = edit("a second keyspace, and a pin", &base, &|draft| {
        let (epoch, domains) = (draft.epoch, [(); 4].map(|()| draft.take_domain()));
        if let Some(keyspace) = draft.keyspaces.first_mut() {
            let mut second = keyspace.clone();
            (second.id.0, second.name) = (9, "second".to_owned());
            let homes = second.homes.iter_mut().zip(domains);
            homes.for_each(|(home, domain)| home.domain = domain);
            let matches = Match::Exact("ключ".into());
            keyspace.directory.push(Entry {
                slots: keyspace.slots_of(&matches).unwrap_or_default(),
                matches,
                target: Target::Shard(ShardId(7)),
                domain: domains.last().copied().unwrap_or(DomainId(0)),
                epoch,
            });
            draft.keyspaces.push(second);
        }
    })?;
    edit("the first keyspace goes", &base, &|draft| {
        draft.keyspaces.remove(0);
    })?;
    Ok(())
}

fn refused(steps: &[Step]) -> Result<Vec<Value>, String> {
    let (_, base, next) = steps.first().ok_or("no steps")?;
    let good = base.delta(next).map_err(|e| e.to_string())?.encode();
    let (_, later, latest) = steps.get(1).ok_or("no second step")?;
    let ahead = later.delta(latest).map_err(|e| e.to_string())?.encode();
    let (_, other, others) = steps.get(9).ok_or("no other cluster")?;
    let foreign = other.delta(others).map_err(|e| e.to_string())?.encode();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1;
        }
        bytes
    };
    let front = good.get(..52).ok_or("short")?;
    let list: Vec<(&str, Vec<u8>)> = vec![
        ("a later format", flipped(4)),
        ("only its magic", b"RSHD".to_vec()),
        ("from the snapshot after this one", ahead),
        ("from another snapshot of this epoch", flipped(10)),
        ("of another cluster", foreign),
        ("for another result than it makes", flipped(20)),
        ("to another epoch than it makes", flipped(51)),
        ("only its front", front.to_vec()),
        (
            "cut by a byte",
            good.get(..good.len() - 1).ok_or("short")?.to_vec(),
        ),
        ("a byte too many", [&good[..], &[0]].concat()),
        ("a byte of it is another", flipped(good.len() - 1)),
        (
            "more edits than it has",
            [front, &[0xff, 0xff, 0xff, 0xff, 0x0f]].concat(),
        ),
        (
            "copies more than there is",
            [front, &[4, 0xff, 0x7f, 0, 0]].concat(),
        ),
        (
            "a number in two bytes that fits one",
            [front, &[0x80, 0]].concat(),
        ),
        (
            "slots past the end",
            [front, &[0, 0, 1, 0, 0, 1, 15, 2]].concat(),
        ),
        (
            "slots that move twice",
            [front, &[0, 0, 2, 0, 0, 1, 0, 16, 1, 0, 1, 0, 1]].concat(),
        ),
        (
            "slots of a wave that isn't there",
            [front, &[0, 0, 1, 0, 1]].concat(),
        ),
        ("it changes nothing", [front, &[0]].concat()),
        (
            "a rule is broken: epoch 0",
            [front, &[4, 5, 1, 1, 0]].concat(),
        ),
    ];
    list.into_iter()
        .map(|(why, bytes)| match advance(base, &bytes) {
            Ok(_) => Err(format!("`{why}` is not refused")),
            Err(error) => Ok(json!({
                "why": why,
                "base": hex(&base.encode()),
                "delta": hex(&bytes),
                "error": error.code().as_str(),
            })),
        })
        .collect()
}
