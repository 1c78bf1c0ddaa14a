//! `snapshot.json`: the bytes of snapshots, what is refused, and what keys make of them.

use ringshift::{Composite, KeyRule, Keyspace, Phase, Plan, ReadPlace, Router, ShardId, Snapshot};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::clusters::{self, MOVING_KEY, PINNED_KEY, Place, demo, wave};
use super::{Section, hex};

pub(super) fn sections() -> Result<Vec<Section>, String> {
    let snapshots = snapshots()?;
    Ok(vec![
        Section {
            name: "snapshots",
            about: "A snapshot's content as JSON for people, its canonical bytes in hex, and its digest, which is also their last 32 bytes. Building the draft gives the bytes; decoding the bytes gives the draft. Its `name` is how other sections call it.",
            cases: snapshots
                .iter()
                .map(|(name, snapshot)| {
                    json!({
                        "name": name,
                        "draft": snapshot.content(),
                        "bytes": hex(&snapshot.encode()),
                        "digest": snapshot.digest().to_string(),
                    })
                })
                .collect(),
        },
        Section {
            name: "refused",
            about: "Bytes in hex that are no snapshot, and the slug of the error that says so.",
            cases: refused(&clusters::least()?)?,
        },
        Section {
            name: "successors",
            about: "What a router whose snapshot is `ours` answers when `theirs` is installed: `replaced`, `same`, or the slug of the error, and then `ours` stays. Both are names.",
            cases: successors(&snapshots),
        },
        Section {
            name: "plans",
            about: "Where the operations on a key go, by the named snapshot; not by those with leases of clients. `key` is hex. `shard` is the shard of a plain lookup, as an index, and `moving` whether its slot is in a wave that clients take part in. `domain` and `epoch` are what operations carry; `authority`, `mirror`, `reads` (in the order of asking) and `shadow` are shard numbers or null; `strict`: a write is answered after its mirror has it.",
            cases: plans(&snapshots)?,
        },
        Section {
            name: "explanations",
            about: "What `explain` says of a key by the named snapshot; `key`, and in it `routing_part`, are hex.",
            cases: explanations(&snapshots)?,
        },
    ])
}

fn snapshots() -> Result<Vec<(String, Snapshot)>, String> {
    let mut all = vec![
        ("least".to_owned(), clusters::least()?),
        ("full".to_owned(), clusters::full()?),
        ("adopted".to_owned(), clusters::adopted()?),
        ("switching".to_owned(), clusters::switching()?),
        (
            "demo at home".to_owned(),
            demo(5, 5, Place::Home(ShardId(1)))?,
        ),
    ];
    for (epoch, &phase) in (6..).zip(Phase::ALL) {
        let place = match phase {
            Phase::ReadNew => clusters::ramp(500_000),
            Phase::ShadowRead => Place::Wave {
                phase,
                ppm: 500_000,
                strict: true,
            },
            Phase::Prepare | Phase::DoubleWrite | Phase::Reversed | Phase::Ended(_) => wave(phase),
        };
        all.push((format!("demo in {phase}"), demo(epoch, epoch, place)?));
    }
    let forked = demo(6, 6, wave(Phase::DoubleWrite))?;
    all.push(("demo forked".to_owned(), forked));
    Ok(all)
}

fn refused(good: &Snapshot) -> Result<Vec<Value>, String> {
    let bytes = good.encode();
    let (header, rest) = bytes.split_at(10);
    let (content, digest) = rest.split_at(rest.len() - 32);
    let flipped = |at: usize| {
        let mut bytes = bytes.clone();
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1;
        }
        bytes
    };
    let (start, after_name) = content.split_at(2);
    let (_, after_epoch) = content.split_at(3);
    // The clients' lease is the last field, and this snapshot has none.
    let before_lease = content.get(..content.len() - 1).ok_or("short")?;
    let list: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("not even the header", b"RSH".to_vec()),
        ("something else", b"PK\x03\x04\x14\0\0\0\x08\0".to_vec()),
        (
            "a later format",
            [b"RSHT\x02\0", bytes.get(6..).ok_or("short")?].concat(),
        ),
        ("only the header", header.to_vec()),
        (
            "cut by a byte",
            bytes.get(..bytes.len() - 1).ok_or("short")?.to_vec(),
        ),
        ("a byte too many", [&bytes[..], &[0]].concat()),
        (
            "longer than 64 MiB, it says",
            b"RSHT\x01\0\xff\xff\xff\xff".to_vec(),
        ),
        ("a bit of the content flipped", flipped(12)),
        ("a bit of the digest flipped", flipped(bytes.len() - 1)),
        ("without its digest", [header, content].concat()),
        (
            "another digest",
            [
                header,
                content,
                &digest.iter().rev().copied().collect::<Vec<_>>(),
            ]
            .concat(),
        ),
        (
            "a right digest of a cut content",
            framed(content.get(..content.len() - 1).ok_or("short")?),
        ),
        ("a right digest of no content", framed(b"")),
        (
            "a number in two bytes that fits one",
            framed(&[start, &[0x81, 0], after_epoch].concat()),
        ),
        ("something after the end", framed(&[content, &[0]].concat())),
        (
            "an epoch above 2^31 - 1",
            framed(&[start, &[0xff, 0xff, 0xff, 0xff, 0x0f], after_epoch].concat()),
        ),
        (
            "a name that is no UTF-8",
            framed(&[&[1, 0xff], after_name].concat()),
        ),
        (
            "a rule is broken: epoch 0",
            framed(&[start, &[0], after_epoch].concat()),
        ),
        (
            "a rule is broken: clients' lease of 0 ms",
            framed(&[before_lease, &[1, 0, 1, 0]].concat()),
        ),
    ];
    list.into_iter()
        .map(|(why, bytes)| match Snapshot::decode(&bytes) {
            Ok(_) => Err(format!("`{why}` is not refused")),
            Err(error) => {
                Ok(json!({"why": why, "bytes": hex(&bytes), "error": error.code().as_str()}))
            }
        })
        .collect()
}

/// The bytes that say that `content` is a snapshot's, with the right length and digest.
fn framed(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    let mut bytes = [b"RSHT\x01\0", &length.to_le_bytes()[..], content].concat();
    let digest = Sha256::digest(&bytes);
    bytes.extend_from_slice(&digest);
    bytes
}

fn successors(snapshots: &[(String, Snapshot)]) -> Vec<Value> {
    let mut cases = Vec::new();
    for (ours, a) in snapshots {
        for (theirs, b) in snapshots {
            let answer = match a.check_successor(b) {
                Ok(true) => "replaced",
                Ok(false) => "same",
                Err(error) => error.code().as_str(),
            };
            // Every pair of epochs would say the same again and again.
            if ours == theirs || a.epoch().get().abs_diff(b.epoch().get()) < 2 || ours == "full" {
                cases.push(json!({"ours": ours, "theirs": theirs, "answer": answer}));
            }
        }
    }
    cases
}

fn plans(snapshots: &[(String, Snapshot)]) -> Result<Vec<Value>, String> {
    // Where a shard checks no fence, not every language has operations.
    let fenced: Vec<_> = snapshots
        .iter()
        .filter(|(_, snapshot)| snapshot.content().client_lease.is_none())
        .cloned()
        .collect();
    each_key(&fenced, |routing, key| {
        let plan = routing.plan(key).map_err(|e| e.to_string())?;
        let route = routing.route(key).map_err(|e| e.to_string())?;
        let reads = match plan.read {
            ReadPlace::One(shard) => vec![shard],
            ReadPlace::Fallback { first, second } => vec![first, second],
        };
        let Plan {
            slot,
            stored_slot,
            fence,
            authority,
            mirror,
            strict,
            shadow,
            ..
        } = plan;
        Ok(json!({
            "shard": route.shard, "moving": route.moving,
            "slot": slot, "stored_slot": stored_slot,
            "domain": fence.domain, "epoch": fence.epoch,
            "authority": authority, "mirror": mirror, "reads": reads,
            "strict": strict, "shadow": shadow,
        }))
    })
}

fn explanations(snapshots: &[(String, Snapshot)]) -> Result<Vec<Value>, String> {
    each_key(snapshots, |routing, key| {
        let explanation = routing.explain(key).map_err(|e| e.to_string())?;
        let part = hex(&explanation.routing_part);
        let mut said = serde_json::to_value(explanation).map_err(|e| e.to_string())?;
        if let Some(said) = said.as_object_mut() {
            said.insert("routing_part".to_owned(), json!(part));
        }
        Ok(json!({ "explanation": said }))
    })
}

/// A case for each key of each keyspace of each snapshot: where it is, and what `say` says of it.
fn each_key(
    snapshots: &[(String, Snapshot)],
    say: impl Fn(Keyspace<'_>, &[u8]) -> Result<Value, String>,
) -> Result<Vec<Value>, String> {
    let mut cases = Vec::new();
    for (name, snapshot) in snapshots {
        let router = Router::new(snapshot.clone().into());
        for keyspace in &snapshot.content().keyspaces {
            let routing = router.keyspace(&keyspace.name).map_err(|e| e.to_string())?;
            for key in keys(keyspace.rule)? {
                let mut case = say(routing, &key)?;
                if let Some(case) = case.as_object_mut() {
                    case.insert("snapshot".to_owned(), json!(name));
                    case.insert("keyspace".to_owned(), json!(keyspace.name));
                    case.insert("key".to_owned(), json!(hex(&key)));
                }
                cases.push(case);
            }
        }
    }
    Ok(cases)
}

fn keys(rule: KeyRule) -> Result<Vec<Vec<u8>>, String> {
    let composite = |room: &str, bucket: u32| {
        let key = Composite::new().str(room).int(bucket).str("m");
        key.finish().map_err(|e| e.to_string())
    };
    Ok(match rule {
        KeyRule::Whole => {
            let mut keys = vec![b"".to_vec(), "ключ".as_bytes().to_vec()];
            keys.extend([MOVING_KEY, PINNED_KEY].map(<[u8]>::to_vec));
            keys.extend((0..6).map(|n| format!("user:{n}").into_bytes()));
            keys
        }
        KeyRule::HashTag => ["cart:{7}", "wish:{7}", "cart:7"]
            .map(|key| key.as_bytes().to_vec())
            .to_vec(),
        KeyRule::Parts(_) => vec![composite("general", 0)?, composite("общий", 1)?],
    })
}
