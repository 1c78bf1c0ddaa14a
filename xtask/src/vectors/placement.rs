//! `placement.json`: from keys to slots, from shards to tables.
//!
mod keys;
mod tables;
pub(crate) mod typed;

use ringshift::modulo_moved_share;
use serde_json::json;

use super::{Section, hex};

const SEEDS: [u64; 2] = [0, u64::MAX];

pub(super) fn sections() -> Result<Vec<Section>, String> {
    Ok(vec![
        Section {
            name: "keys",
            about: "Routing part, hash and slots of a key under a rule. Bytes are hex, or {repeat, count}: that hex so many times. A u64 is a string. `slots` is by slot bits; `stored` is the 20 bits that a row keeps. With `error`, the slug that the key is refused with.",
            cases: keys::keys(),
        },
        Section {
            name: "composites",
            about: "The encoding of a composite key: each part after its length as a little-endian u32. A part is {str}, {bytes} as hex, or {int} as decimal digits in a string.",
            cases: keys::composites()?,
        },
        Section {
            name: "typed_keys",
            about: "What a caller types as a key, and the key's bytes as in `keys`, or the slug of the error that refuses it. `key` is one of {text}; {hex}: bytes; {int}: decimal digits; {utf16}: text of these code units, big-endian in hex, which may hold half a surrogate pair; {parts}: a composite of several of these; and of what no language takes: {none}, {float}, {bool}, {uuid}. A text or a hex may be {repeat, count}, and bytes a list of pieces, one behind the other. In a keyspace that hashes the whole key, the bytes are an explanation's routing part.",
            cases: typed::typed_keys()?,
        },
        Section {
            name: "weights",
            about: "What a person types, and the thousandths kept: half up. Null: refused.",
            cases: keys::weights(),
        },
        Section {
            name: "rings",
            about: "The ring's table. Shards are [id, name, thousandths], and a shard's index is its place in that list. `table` is run-length encoded as index*count; `digests`, by slot bits, are XXH3-64 with seed 0 over the table as little-endian u16.",
            cases: tables::rings().map_err(|e| e.to_string())?,
        },
        Section {
            name: "balanced",
            about: "A start, then changes, each from the table before it. The start is a `table`, or the balanced ring of `shards`. `weights` are thousandths by shard index. Tables as in `rings`; those of more than 8 slot bits as a digest. With `error`, the slug that the change is refused with, and the table stays.",
            cases: tables::balances().map_err(|e| e.to_string())?,
        },
        Section {
            name: "replicas",
            about: "The first n shards of a slot. `zones` is by shard index; an empty one: no zones.",
            cases: tables::replica_lists(),
        },
        Section {
            name: "ramps",
            about: "Whether a key is inside a wave's ramp of so many parts per million: when its `position`, a number of 0 to 999,999, is below them.",
            cases: keys::ramps(),
        },
        Section {
            name: "modulo",
            about: "The share of keys that hash % n moves when n changes, [numerator, denominator] in lowest terms.",
            cases: [(1, 2), (4, 8), (10, 11), (6, 4), (16, 16), (4_294_967_295, 4_294_967_294)]
                .iter()
                .map(|&(a, b)| {
                    let share = modulo_moved_share(a, b);
                    json!({"before": a, "after": b, "share": share.map(|(n, d)| [n.to_string(), d.to_string()])})
                })
                .collect(),
        },
    ])
}
