//! What happens to one key. The sizes are the edges of the hash's own cases (3, 8, 16, 128 and 240
//! bytes, blocks of 1,024) and of our limits.

use ringshift::{Composite, KEY_BYTES_MAX, KeyError, KeyRule, Weight, hash};
use serde_json::{Map, Value, json};

use super::{SEEDS, hex};

/// Bytes as hex, or, when they are long and all the same, as a rule.
fn bytes(bytes: &[u8]) -> Value {
    match bytes.first() {
        Some(first) if bytes.len() > 300 && bytes.iter().all(|byte| byte == first) => {
            json!({"repeat": hex(&[*first]), "count": bytes.len()})
        }
        _ => json!(hex(bytes)),
    }
}

fn rule(rule: KeyRule) -> Value {
    match rule {
        KeyRule::Whole => json!("whole"),
        KeyRule::HashTag => json!("hash_tag"),
        KeyRule::Parts(parts) => json!({"parts": parts}),
    }
}

pub(super) fn keys() -> Vec<Value> {
    // No two bytes of a stretch alike, so that no byte can be left out unseen.
    let mixed = |length: u16| -> Vec<u8> {
        (0..length)
            .map(|n| (n * 7 + n / 256 + 3).to_le_bytes()[0])
            .collect()
    };
    let mut cases = Vec::new();
    for length in [
        0, 1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 32, 33, 64, 96, 97, 128, 129, 239, 240, 241, 256, 257,
    ] {
        cases.push(key(KeyRule::Whole, &mixed(length)));
    }
    for count in [512, 1023, 1024, 1025, KEY_BYTES_MAX, KEY_BYTES_MAX + 1] {
        cases.push(key(KeyRule::Whole, &vec![b'a'; count]));
    }
    for text in ["a", "\0", "user:42", "ключ", "鍵-Ω-🗝"] {
        cases.push(key(KeyRule::Whole, text.as_bytes()));
    }
    for text in [
        "",
        "plain",
        "{user1000}.following",
        "foo{}{bar}",
        "foo{{bar}}zap",
        "foo{bar}{zap}",
        "foo{bar",
        "}foo{bar}",
        "{ключ}:1",
    ] {
        cases.push(key(KeyRule::HashTag, text.as_bytes()));
    }
    let composite: &[u8] = b"\x02\0\0\0eu\x02\0\0\x0042\0\0\0\0";
    for parts in [0, 1, 2, 3, 4] {
        cases.push(key(KeyRule::Parts(parts), composite));
    }
    for broken in [
        b"".as_slice(),
        b"\x01",
        b"\x01\0\0\0",
        b"\0\0\0\0\x05\0\0\0abcd",
        b"\xff\xff\xff\xffa",
    ] {
        cases.push(key(KeyRule::Parts(1), broken));
    }
    cases
}

fn key(of: KeyRule, key: &[u8]) -> Value {
    match of.routing_part(key) {
        Err(error) => {
            json!({"rule": rule(of), "key": bytes(key), "error": error.code().as_str()})
        }
        Ok(routing) => {
            let hashes = SEEDS.map(|seed| {
                let hash = hash::xxh3(routing, seed);
                let slots = [4, 8, 16, 20]
                    .map(|bits: u8| (bits.to_string(), json!(hash::slot_of(hash, bits).0)));
                json!({
                    "seed": seed.to_string(),
                    "hash": hash.to_string(),
                    "slots": Map::from_iter(slots),
                    "stored": hash::stored_slot(hash),
                })
            });
            json!({"rule": rule(of), "key": bytes(key), "routing": bytes(routing), "hashes": hashes})
        }
    }
}

pub(super) fn composites() -> Result<Vec<Value>, String> {
    let new = Composite::new;
    let case = |parts: Value, key: Result<Vec<u8>, KeyError>| {
        key.map(|key| json!({"parts": parts, "key": hex(&key)}))
            .map_err(|e| e.to_string())
    };
    let text = |a: &str, b: &str| {
        case(
            json!([{"str": a}, {"str": b}]),
            new().str(a).str(b).finish(),
        )
    };
    Ok(vec![
        text("ab", "c")?,
        text("a", "bc")?,
        text("", "abc")?,
        text("регион", "鍵")?,
        case(json!([{"str": ""}]), new().str("").finish())?,
        case(
            json!([{"bytes": "00ff7b7d"}]),
            new().bytes(b"\0\xff{}").finish(),
        )?,
        case(
            json!([{"int": "81384788765712384"}, {"int": "20254"}, {"int": "-7"}]),
            new()
                .int(81_384_788_765_712_384_u64)
                .int(20_254)
                .int(-7)
                .finish(),
        )?,
        case(
            json!([{"int": "18446744073709551615"}, {"int": "-9223372036854775808"}, {"int": "0"}]),
            new().int(u64::MAX).int(i64::MIN).int(0).finish(),
        )?,
    ])
}

pub(super) fn weights() -> Vec<Value> {
    [
        "0",
        "-0.0",
        "0.0004",
        "0.00049999",
        "0.0005",
        "0.001",
        "0.5",
        "1",
        "1.0004",
        "1.0005",
        "1.0015",
        "1.0025",
        "2.0005",
        "0.3335",
        "8.1235",
        "999999.9994",
        "999999.9995",
        "1000000",
        "1000000.0001",
        "-0.001",
        "-1",
        "inf",
        "-inf",
        "nan",
    ]
    .iter()
    .map(|typed| {
        let weight = typed
            .parse()
            .ok()
            .and_then(|value| Weight::from_f64(value).ok());
        json!({"typed": typed, "thousandths": weight.map(Weight::thousandths)})
    })
    .collect()
}

pub(super) fn ramps() -> Vec<Value> {
    let mut cases = Vec::new();
    for key in [
        "",
        "a",
        "user:42",
        "ключ",
        "a key of more than sixteen bytes",
    ] {
        for (seed, wave) in [(0, 0), (0, 1), (u64::MAX, 1), (7, u32::MAX)] {
            let inside = |ppm| hash::in_ramp(key.as_bytes(), seed, wave, ppm);
            // The least ramp that contains the key is one above its position.
            let position = (0..1_000_000).find(|ppm| inside(ppm + 1));
            let ppms = [0, 1000, 10_000, 100_000, 500_000, 999_999, 1_000_000];
            cases.push(json!({
                "key": hex(key.as_bytes()),
                "seed": seed.to_string(),
                "wave": wave,
                "position": position,
                "inside": Map::from_iter(ppms.map(|ppm| (ppm.to_string(), json!(inside(ppm))))),
            }));
        }
    }
    cases
}
