//! From shards to tables, from table to table, and along a table.

use ringshift::{
    PlacementError, RingShard, ShardId, ShardIndex, Slot, Weight, balanced, balanced_new, hash,
    moved, replicas, ring_table,
};
use serde_json::{Value, json};

use super::SEEDS;

/// A shard as the vectors write it: id, name, thousandths.
type Shard = (u32, String, u32);

fn named(of: &[(u32, &str, u32)]) -> Vec<Shard> {
    of.iter()
        .map(|&(id, name, m)| (id, name.to_owned(), m))
        .collect()
}

fn equal(count: u32) -> Vec<Shard> {
    (0..count)
        .map(|n| (n, format!("shard-{n}"), 1000))
        .collect()
}

fn ring_shards(of: &[Shard]) -> Vec<RingShard<'_>> {
    (0..)
        .zip(of)
        .map(|(index, (id, name, m))| RingShard {
            name,
            id: ShardId(*id),
            index: ShardIndex(index),
            weight: Weight::from_thousandths(*m).unwrap_or_default(),
        })
        .collect()
}

fn run_lengths(table: &[ShardIndex]) -> String {
    let runs = table.chunk_by(|a, b| a == b);
    runs.filter_map(|run| run.first().map(|owner| format!("{owner}*{}", run.len())))
        .collect::<Vec<_>>()
        .join(" ")
}

fn digest(table: &[ShardIndex]) -> String {
    let bytes: Vec<u8> = table
        .iter()
        .flat_map(|owner| owner.0.to_le_bytes())
        .collect();
    hash::xxh3(&bytes, 0).to_string()
}

pub(super) fn rings() -> Result<Vec<Value>, PlacementError> {
    let weighted = named(&[(1, "a", 0), (2, "b", 500), (3, "c", 1000), (7, "d", 3000)]);
    let odd = named(&[
        (0, "", 1),
        (5, "zürich", 1500),
        (6, "東京", 2),
        (4_294_967_295, "x\0y", 1003),
    ]);
    let mut cases = Vec::new();
    for (shards, vnodes) in [
        (weighted, 160),
        (odd, 7),
        (equal(1), 1),
        (equal(3), 1),
        (equal(100), 160),
    ] {
        for seed in SEEDS {
            let table = |bits| ring_table(&ring_shards(&shards), vnodes, seed, bits);
            cases.push(json!({
                "shards": shards,
                "vnodes": vnodes,
                "seed": seed.to_string(),
                "table": {"8": run_lengths(&table(8)?)},
                "digests": {"4": digest(&table(4)?), "16": digest(&table(16)?), "20": digest(&table(20)?)},
            }));
        }
    }
    Ok(cases)
}

/// A change and what it is for.
type Change<'a> = (&'a str, Vec<u32>);

pub(super) fn balances() -> Result<Vec<Value>, PlacementError> {
    let four = named(&[
        (1, "a", 1000),
        (2, "b", 1000),
        (3, "c", 500),
        (7, "d", 3000),
    ]);
    let changes = [
        ("nothing", vec![1000, 1000, 500, 3000]),
        ("two join", vec![1000, 1000, 500, 3000, 1000, 250]),
        ("one drains", vec![1000, 0, 500, 3000, 1000, 250]),
        ("weights change", vec![1000, 0, 2000, 1500, 1001, 333]),
        (
            "one far too light for its share to be a slot",
            vec![1000, 0, 2000, 1500, 1001, 1],
        ),
        (
            "the last ones are gone, the drained one is back",
            vec![1000, 10, 2000],
        ),
        ("no weight at all", vec![0, 0, 0]),
        ("only one is left", vec![0, 7]),
    ];
    let mut cases = Vec::new();
    for bits in [8, 16, 20] {
        let start = balanced_new(&ring_shards(&four), 160, 0, bits)?;
        let head = json!({"shards": four, "vnodes": 160, "seed": "0", "bits": bits});
        cases.push(changed(head, start, &changes));
    }
    let hundred = equal(100);
    let start = balanced_new(&ring_shards(&hundred), 160, u64::MAX, 16)?;
    let head = json!({"shards": hundred, "vnodes": 160, "seed": u64::MAX.to_string(), "bits": 16});
    let some = |weight: fn(u32) -> u32, count| (0..count).map(weight).collect::<Vec<u32>>();
    let changes = [
        ("ten join", some(|_| 1000, 110)),
        (
            "every third drains",
            some(|n| if n % 3 == 0 { 0 } else { 1000 }, 110),
        ),
        ("all differ", some(|n| 1000 + n * 37 % 101, 110)),
    ];
    cases.push(changed(head, start, &changes));

    let foreign = [9, 9, 1, 0, 0, 3, 3, 3, 1, 0, 2, 2, 9, 0, 0, 65_535].map(ShardIndex);
    let changes = [
        ("indexes that have no weight give everything", vec![1, 1, 1]),
        ("more shards than slots", vec![1; 17]),
        ("as many shards as slots", vec![1; 16]),
    ];
    let head = json!({"table": run_lengths(&foreign), "bits": 4});
    cases.push(changed(head, foreign.to_vec(), &changes));
    Ok(cases)
}

/// `head` with the `changes` from `table` on.
fn changed(mut head: Value, table: Vec<ShardIndex>, changes: &[Change<'_>]) -> Value {
    let shown = |table: &[ShardIndex]| match table.len() {
        ..=256 => run_lengths(table),
        _ => digest(table),
    };
    let start = shown(&table);
    let mut now = table;
    let steps = changes.iter().map(|(about, thousandths)| {
        let weights = thousandths.iter().map(|&m| Weight::from_thousandths(m).unwrap_or_default());
        match balanced(&now, &weights.collect::<Vec<_>>()) {
            Err(error) => {
                json!({"about": about, "weights": thousandths, "error": error.code().as_str()})
            }
            Ok(after) => {
                let moved = moved(&now, &after);
                now = after;
                json!({"about": about, "weights": thousandths, "moved": moved, "table": shown(&now)})
            }
        }
    });
    let steps: Vec<Value> = steps.collect();
    if let Some(head) = head.as_object_mut() {
        head.insert("start".to_owned(), json!(start));
        head.insert("steps".to_owned(), json!(steps));
    }
    head
}

pub(super) fn replica_lists() -> Vec<Value> {
    let table = [0, 0, 1, 2, 3, 1, 4, 4, 0, 2, 2, 2, 3, 3, 4, 1].map(ShardIndex);
    let zones: [&[u16]; 5] = [
        &[],
        &[1, 1, 1, 1, 1],
        &[1, 1, 2, 1, 3],
        &[0, 65_535, 0, 65_535, 0],
        &[1, 1, 2, 1, 1, 9],
    ];
    let mut cases = Vec::new();
    for zones in zones {
        for (slot, n) in [
            (0, 1),
            (0, 3),
            (0, 5),
            (4, 2),
            (9, 3),
            (15, 4),
            (15, 9),
            (3, 0),
        ] {
            let shards = replicas(&table, Slot(slot), n, zones);
            cases.push(json!({
                "table": run_lengths(&table), "slot": slot, "n": n, "zones": zones, "shards": shards,
            }));
        }
    }
    cases
}
