//! Replays `vectors/placement.json`, whose sections say how to read them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a file that can't be read fails the test, which should say where"
)]

use ringshift::{
    Composite, KeyRule, RingShard, ShardId, ShardIndex, Slot, Weight, balanced, balanced_new, hash,
    modulo_moved_share, moved, replicas, ring_table,
};
use serde_json::Value;

fn cases(section: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("vectors/placement.json")).unwrap();
    let cases = file[section]["cases"].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

/// A number, also one that is written as a string.
fn number(value: &Value) -> u64 {
    match value {
        Value::String(digits) => digits.parse().unwrap(),
        other => other.as_u64().unwrap(),
    }
}

fn numbers(value: &Value) -> impl Iterator<Item = u64> {
    value.as_array().unwrap().iter().map(number)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::Object(run) => bytes(&run["repeat"]).repeat(number(&run["count"]) as usize),
        Value::Array(pieces) => pieces.iter().flat_map(bytes).collect(),
        hex => text(hex)
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect(),
    }
}

fn thousandths(value: &Value) -> Vec<Weight> {
    numbers(value)
        .map(|m| Weight::from_thousandths(m as u32).unwrap())
        .collect()
}

/// A table, from its run lengths.
fn table(value: &Value) -> Vec<ShardIndex> {
    let mut table = Vec::new();
    for run in text(value).split(' ') {
        let (index, count) = run.split_once('*').unwrap();
        let owner = ShardIndex(index.parse().unwrap());
        table.extend(vec![owner; count.parse().unwrap()]);
    }
    table
}

fn digest(table: &[ShardIndex]) -> u64 {
    let bytes: Vec<u8> = table.iter().flat_map(|o| o.0.to_le_bytes()).collect();
    hash::xxh3(&bytes, 0)
}

fn shards(value: &Value) -> Vec<RingShard<'_>> {
    let list = value.as_array().unwrap().iter().enumerate();
    list.map(|(index, shard)| RingShard {
        name: text(&shard[1]),
        id: ShardId(number(&shard[0]) as u32),
        index: ShardIndex(index as u16),
        weight: Weight::from_thousandths(number(&shard[2]) as u32).unwrap(),
    })
    .collect()
}

#[test]
fn keys() {
    for case in cases("keys") {
        let rule = match &case["rule"] {
            Value::String(name) if name == "whole" => KeyRule::Whole,
            Value::String(name) if name == "hash_tag" => KeyRule::HashTag,
            other => KeyRule::Parts(number(&other["parts"]) as u8),
        };
        let key = bytes(&case["key"]);
        let routing = match rule.routing_part(&key) {
            Ok(routing) => routing,
            Err(error) => {
                assert_eq!(error.code().as_str(), text(&case["error"]), "{case}");
                continue;
            }
        };
        assert_eq!(routing, bytes(&case["routing"]), "{case}");
        for given in case["hashes"].as_array().unwrap() {
            let hash = hash::xxh3(routing, number(&given["seed"]));
            assert_eq!(hash, number(&given["hash"]), "{case}");
            assert_eq!(u64::from(hash::stored_slot(hash)), number(&given["stored"]));
            for (bits, slot) in given["slots"].as_object().unwrap() {
                let of = hash::slot_of(hash, bits.parse().unwrap());
                assert_eq!(u64::from(of.0), number(slot), "{case}");
            }
        }
    }
}

#[test]
fn composites() {
    for case in cases("composites") {
        let mut key = Composite::new();
        for part in case["parts"].as_array().unwrap() {
            key = match part.as_object().unwrap().iter().next().unwrap() {
                (kind, value) if kind == "str" => key.str(text(value)),
                (kind, value) if kind == "bytes" => key.bytes(&bytes(value)),
                (_, value) => key.int(text(value).parse::<i128>().unwrap()),
            };
        }
        assert_eq!(key.finish().unwrap(), bytes(&case["key"]), "{case}");
    }
}

/// What a binding hands to the core for a key of that type, or the slug that it refuses it with.
fn part(kind: &str, value: &Value) -> Result<Vec<u8>, &'static str> {
    match kind {
        "text" => Ok(match value {
            Value::Object(run) => text(&run["repeat"]).repeat(number(&run["count"]) as usize),
            whole => text(whole).to_owned(),
        }
        .into_bytes()),
        "hex" => Ok(bytes(value)),
        "utf16" => {
            let pairs = bytes(value);
            let units = pairs
                .chunks(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            let text: Result<String, _> = char::decode_utf16(units).collect();
            text.map(String::into_bytes).map_err(|_| "key_encoding")
        }
        "int" => Ok(text(value)
            .parse::<i128>()
            .unwrap()
            .to_string()
            .into_bytes()),
        _ => Err("key_type"),
    }
}

#[test]
fn typed_keys() {
    let only = |value: &Value| {
        let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
        (kind.clone(), value.clone())
    };
    for case in cases("typed_keys") {
        let (kind, value) = only(&case["key"]);
        let made = if kind == "parts" {
            let parts: Result<Vec<_>, _> = value
                .as_array()
                .unwrap()
                .iter()
                .map(|typed| {
                    let (kind, value) = only(typed);
                    part(&kind, &value)
                })
                .collect();
            parts.and_then(|parts| {
                let key = parts
                    .iter()
                    .fold(Composite::new(), |key, part| key.bytes(part));
                key.finish().map_err(|error| error.code().as_str())
            })
        } else {
            part(&kind, &value)
        };
        let made = made.and_then(|key| match KeyRule::Whole.routing_part(&key) {
            Ok(_) => Ok(key),
            Err(error) => Err(error.code().as_str()),
        });
        match case.get("error") {
            Some(slug) => assert_eq!(made, Err(text(slug)), "{}", case["key"]),
            None => assert_eq!(made.unwrap(), bytes(&case["bytes"]), "{}", case["key"]),
        }
    }
}

#[test]
fn weights() {
    for case in cases("weights") {
        let weight = Weight::from_f64(text(&case["typed"]).parse().unwrap());
        let expected = case["thousandths"].as_u64();
        assert_eq!(
            weight.ok().map(|w| u64::from(w.thousandths())),
            expected,
            "{case}"
        );
    }
}

#[test]
fn rings() {
    for case in cases("rings") {
        let (shards, vnodes) = (shards(&case["shards"]), number(&case["vnodes"]) as u32);
        let of = |bits: &str| {
            let seed = number(&case["seed"]);
            ring_table(&shards, vnodes, seed, bits.parse().unwrap()).unwrap()
        };
        for (bits, given) in case["table"].as_object().unwrap() {
            assert_eq!(of(bits), table(given), "{case}");
        }
        for (bits, given) in case["digests"].as_object().unwrap() {
            assert_eq!(digest(&of(bits)), number(given), "{case}");
        }
    }
}

#[test]
fn balanced_tables() {
    for case in cases("balanced") {
        let bits = number(&case["bits"]) as u8;
        let mut now = if case["table"].is_string() {
            table(&case["table"])
        } else {
            let vnodes = number(&case["vnodes"]) as u32;
            balanced_new(
                &shards(&case["shards"]),
                vnodes,
                number(&case["seed"]),
                bits,
            )
            .unwrap()
        };
        let check = |now: &[ShardIndex], given: &Value| {
            if bits > 8 {
                assert_eq!(digest(now), number(given), "{case}");
            } else {
                assert_eq!(now, table(given), "{case}");
            }
        };
        check(&now, &case["start"]);
        for step in case["steps"].as_array().unwrap() {
            match balanced(&now, &thousandths(&step["weights"])) {
                Err(error) => assert_eq!(error.code().as_str(), text(&step["error"]), "{step}"),
                Ok(after) => {
                    assert_eq!(moved(&now, &after) as u64, number(&step["moved"]), "{step}");
                    check(&after, &step["table"]);
                    now = after;
                }
            }
        }
    }
}

#[test]
fn replica_lists() {
    for case in cases("replicas") {
        let zones: Vec<u16> = numbers(&case["zones"]).map(|zone| zone as u16).collect();
        let slot = Slot(number(&case["slot"]) as u32);
        let found = replicas(
            &table(&case["table"]),
            slot,
            number(&case["n"]) as usize,
            &zones,
        );
        let found: Vec<u64> = found.into_iter().map(|shard| shard.0.into()).collect();
        assert_eq!(
            found,
            numbers(&case["shards"]).collect::<Vec<_>>(),
            "{case}"
        );
    }
}

#[test]
fn ramps() {
    for case in cases("ramps") {
        let (key, seed) = (bytes(&case["key"]), number(&case["seed"]));
        let inside = |ppm: u64| hash::in_ramp(&key, seed, number(&case["wave"]) as u32, ppm as u32);
        let position = number(&case["position"]);
        assert!(!inside(position) && inside(position + 1), "{case}");
        for (ppm, expected) in case["inside"].as_object().unwrap() {
            assert_eq!(
                inside(ppm.parse().unwrap()),
                expected.as_bool().unwrap(),
                "{case}"
            );
        }
    }
}

#[test]
fn modulo() {
    for case in cases("modulo") {
        let [before, after] = ["before", "after"].map(|name| number(&case[name]) as u32);
        let (part, whole) = modulo_moved_share(before, after).unwrap();
        assert!(numbers(&case["share"]).eq([part, whole]), "{case}");
    }
}
