//! What stands in front of the slots, built from anything: the table of exact keys, a shard's own
//! map, and a keyspace's overrides, each against a list that is searched from end to end.

use ringshift::{
    DirectoryError, DomainId, Draft, Entry, ExactTable, KeyspaceId, Match, ShardId, Slot, SlotMap,
    SlotRange, Snapshot, Target, Topology,
};

use super::input::Input;
use super::routed;

const K: KeyspaceId = KeyspaceId(0);
const SLOTS: u32 = 16;

pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    match input.below(3) {
        0 => exact(&mut input),
        1 => held(&mut input),
        _ => overrides(&mut input),
    }
}

/// Keys and hashes that collide.
fn exact(input: &mut Input<'_>) {
    let mut entries: Vec<(Vec<u8>, u64)> = Vec::new();
    while !input.is_over() && entries.len() < 300 {
        // The high half lies beside the places that there are.
        let hash = u64::from(input.byte()) | u64::from(input.byte()) << 40;
        entries.push((input.key(), hash));
    }
    let first_of = |entry: &(Vec<u8>, u64)| entries.iter().position(|other| other == entry);
    let twice = (0_u32..).zip(&entries).find_map(|(second, entry)| {
        let first = u32::try_from(first_of(entry).unwrap()).unwrap();
        (first != second).then_some(DirectoryError::Duplicate { first, second })
    });
    let table = match (ExactTable::build(entries.iter().cloned()), twice) {
        (Ok(table), None) => table,
        (Err(error), Some(twice)) => return assert_eq!(error, twice),
        (built, twice) => panic!("{built:?}, and twice there is {twice:?}"),
    };
    assert_eq!(
        (table.len(), table.is_empty()),
        (entries.len(), entries.is_empty())
    );
    for (key, hash) in &entries {
        assert_eq!(table.get(*hash, key), first_of(&(key.clone(), *hash)));
        for (other, hash) in [(key.clone(), hash ^ 1), ([key, &b"x"[..]].concat(), *hash)] {
            assert_eq!(table.get(hash, &other), first_of(&(other, hash)));
        }
    }
}

/// A shard's map, claimed piece by piece, against all claims in their order.
fn held(input: &mut Input<'_>) {
    let more = u8::from(input.coin());
    let mut map = SlotMap::default();
    let mut slots = [None; SLOTS as usize];
    let mut intervals: Vec<(Match, [Option<DomainId>; SLOTS as usize])> = Vec::new();
    for _ in 0..60 {
        if input.is_over() {
            break;
        }
        let (start, end) = (input.number() % SLOTS, input.number() % (SLOTS + 1));
        let range = SlotRange { start, end };
        let domain = DomainId(input.number() % 5);
        match input.below(4) {
            0 => {
                map.claim(K, range, domain);
                for slot in start..end {
                    slots[slot as usize] = Some(domain);
                }
            }
            1 => {
                map.release_scopes(K, domain);
                let held = intervals.iter_mut().flat_map(|(_, held)| held);
                held.filter(|holder| **holder == Some(domain))
                    .for_each(|holder| *holder = None);
            }
            kind => {
                // Ranges may cross, and then nothing is the innermost: the builder lets none in.
                let matches = if input.coin() {
                    Match::Prefix(input.key())
                } else {
                    Match::Exact(input.key())
                };
                let domain = (kind == 2).then_some(domain);
                map.claim_scope(K, &matches.scope(), range, domain);
                // Equal intervals are one, however they are written.
                let same = |(other, _): &(Match, _)| other.scope() == matches.scope();
                let at = intervals.iter().position(same).unwrap_or_else(|| {
                    intervals.push((matches.clone(), [None; SLOTS as usize]));
                    intervals.len() - 1
                });
                for slot in start..end {
                    intervals[at].1[slot as usize] = domain;
                }
            }
        }
    }
    map.grow(K, 4);
    map.grow(K, 4 + more);
    for key in [
        &b""[..],
        b"a",
        b"aa",
        b"ab",
        b"b",
        b"ba\0",
        b"\xff",
        b"\xff\xff\xff",
    ] {
        for slot in 0..SLOTS << more {
            let whole = (slot >> more) as usize;
            let around = intervals.iter().filter_map(|(matches, held)| {
                let holder = held[whole]?;
                matches.contains(key).then(|| (matches.scope(), holder))
            });
            let inner = around
                .max_by(|a, b| a.0.cmp(&b.0))
                .map(|(_, holder)| holder);
            assert_eq!(map.holder(K, Slot(slot), key), inner.or(slots[whole]));
        }
    }
}

/// Overrides of a keyspace: the builder lets in what has one answer for each key, and the router
/// gives that answer.
fn overrides(input: &mut Input<'_>) {
    let text = r#"{"cluster":"c","keyspaces":{"k":{"bits":4}},"shards":[
        {"id":1,"name":"a"},{"id":2,"name":"b"},{"id":3,"name":"c"}]}"#;
    let topology: Topology = serde_json::from_str(text).unwrap();
    let mut draft: Draft = topology.snapshot().unwrap().content().clone();
    for _ in 0..12 {
        if input.is_over() {
            break;
        }
        let matches = input.interval();
        let slots = if input.coin() {
            draft.keyspaces[0].slots_of(&matches).unwrap_or_default()
        } else {
            let start = input.number() % SLOTS;
            let end = start + input.number() % (SLOTS + 1 - start);
            vec![SlotRange { start, end }]
        };
        let entry = Entry {
            matches,
            slots,
            target: Target::Shard(ShardId(1 + input.number() % 3)),
            domain: draft.take_domain(),
            epoch: draft.epoch,
        };
        // One that is refused goes, and the others stay.
        let before = draft.clone();
        let directory = &mut draft.keyspaces[0].directory;
        directory.push(entry);
        directory.sort_by(|a, b| (&a.matches, &a.slots).cmp(&(&b.matches, &b.slots)));
        if Snapshot::build(draft.clone()).is_err() {
            draft = before;
        }
    }
    let snapshot = Snapshot::build(draft).unwrap();
    assert_eq!(Snapshot::decode(&snapshot.encode()).unwrap(), snapshot);
    let directory = &snapshot.content().keyspaces[0].directory;
    for (at, a) in directory.iter().enumerate() {
        for b in directory.iter().skip(at + 1) {
            let (outer, inner) = (a.matches.scope(), b.matches.scope());
            let nested = outer.encloses(&inner) || inner.encloses(&outer);
            assert!(nested || outer.is_apart_from(&inner), "{a:?} crosses {b:?}");
        }
    }
    routed::check(&snapshot);
}
