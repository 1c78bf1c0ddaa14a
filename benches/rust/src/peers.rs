//! What a user would pick instead: the crates as they are installed, and with XXH3 where a hasher
//! can be plugged in.
//!
//! Nodes are numbers, the best case for generic crates; pingora-ketama takes socket addresses only.

use std::collections::hash_map::DefaultHasher;
use std::hash::{BuildHasher, Hasher};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use consistent_hash_ring::RingBuilder;
use hashring::HashRing;
use hrw_hash::HrwNodes;
use jumpch::JumpHasher;
use maglev::{ConsistentHasher, Maglev};
use pingora_ketama::{Bucket, Continuum, Version};
use twox_hash::XxHash3_64;

use crate::hasher::{Key, OneShotBuilder, Point};
use crate::lookup::Lookup;

/// Points of a node on each ring.
pub(crate) const POINTS: u32 = 160;

/// Rings as a user gets them, without a hasher of their own.
pub(crate) const RINGS_AS_INSTALLED: &[&str] = &[
    "pingora-ketama-v1",
    "pingora-ketama-v2",
    "hashring",
    "consistent_hash_ring",
];

/// Our own stand-in for what people write by hand: no crate, but measured as one.
pub(crate) const BY_HAND: &str = "sorted-vec-xxh3";

/// All of them, over so many nodes.
pub(crate) fn all<'a, 'k: 'a>(nodes: u32) -> Vec<Lookup<'a, 'k>> {
    let mut all = vec![sorted_vec(nodes)];
    all.extend(rings(nodes));
    all.extend(anchors(nodes));
    all.extend(jumps(nodes));
    all.extend(maglevs(nodes));
    all.extend(slow(nodes));
    all
}

/// pingora-ketama's nodes.
pub(crate) fn buckets(nodes: u32) -> Vec<Bucket> {
    (0..nodes)
        .map(|node| {
            let address = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + node));
            Bucket::new(SocketAddr::new(address, 6_379), 1)
        })
        .collect()
}

/// Its second version, with as many points as the first.
pub(crate) const KETAMA_V2: Version = Version::V2 {
    point_multiple: POINTS,
};

fn rings<'a, 'k: 'a>(nodes: u32) -> Vec<Lookup<'a, 'k>> {
    let ketama = |name, version| {
        let ring = Continuum::new_with_version(&buckets(nodes), version);
        Lookup::of(name, move |key| {
            ring.node(key).map_or(0, |node| match node.ip() {
                IpAddr::V4(address) => address.to_bits().into(),
                IpAddr::V6(_) => 0,
            })
        })
    };
    let points = || {
        (0..nodes)
            .flat_map(|node| (0..POINTS).map(move |point| Point { node, point }))
            .collect::<Vec<Point>>()
    };
    let mut plain = HashRing::new();
    plain.batch_add(points());
    let mut xxh3 = HashRing::with_hasher(OneShotBuilder);
    xxh3.batch_add(points());
    let chr = RingBuilder::default()
        .vnodes(POINTS as usize)
        .nodes_iter(0..nodes)
        .build();
    let chr_xxh3 = RingBuilder::new(OneShotBuilder)
        .vnodes(POINTS as usize)
        .nodes_iter(0..nodes)
        .build();
    vec![
        ketama("pingora-ketama-v1", Version::V1),
        ketama("pingora-ketama-v2", KETAMA_V2),
        Lookup::of("hashring", move |key| {
            plain.get(&Key(key)).map_or(0, |point| point.node.into())
        }),
        Lookup::of("hashring-xxh3", move |key| {
            xxh3.get(&Key(key)).map_or(0, |point| point.node.into())
        }),
        Lookup::of("consistent_hash_ring", move |key| {
            chr.try_get(Key(key)).copied().map_or(0, u64::from)
        }),
        Lookup::of("consistent_hash_ring-xxh3", move |key| {
            chr_xxh3.try_get(Key(key)).copied().map_or(0, u64::from)
        }),
    ]
}

/// Without its dictionary of capacity: twice the nodes, and the fewest that let one more in.
fn anchors<'a, 'k: 'a>(nodes: u32) -> Vec<Lookup<'a, 'k>> {
    let capacity = |nodes: u32| u16::try_from(nodes).unwrap_or(u16::MAX);
    let plain = anchorhash::Builder::default()
        .with_resources(0..nodes)
        .build::<Key<'k>>(capacity(2 * nodes));
    let roomy = anchorhash::Builder::with_hasher(OneShotBuilder)
        .with_resources(0..nodes)
        .build::<Key<'k>>(capacity(2 * nodes));
    let tight = anchorhash::Builder::with_hasher(OneShotBuilder)
        .with_resources(0..nodes)
        .build::<Key<'k>>(capacity(nodes + 1));
    vec![
        Lookup::of("anchorhash", move |key| {
            plain.get_resource(Key(key)).copied().map_or(0, u64::from)
        }),
        Lookup::of("anchorhash-xxh3", move |key| {
            roomy.get_resource(Key(key)).copied().map_or(0, u64::from)
        }),
        Lookup::of("anchorhash-tight-xxh3", move |key| {
            tight.get_resource(Key(key)).copied().map_or(0, u64::from)
        }),
    ]
}

fn jumps<'a, 'k: 'a>(nodes: u32) -> Vec<Lookup<'a, 'k>> {
    vec![
        Lookup::of("jumpch", move |key| {
            let mut hasher: JumpHasher<DefaultHasher> = JumpHasher::new(nodes);
            hasher.write(key);
            hasher.finish()
        }),
        Lookup::of("jumpch-xxh3", move |key| {
            jumpch::hash(XxHash3_64::oneshot(key), nodes).into()
        }),
    ]
}

fn maglevs<'a, 'k: 'a>(nodes: u32) -> Vec<Lookup<'a, 'k>> {
    let slots = (nodes * POINTS) as usize;
    let plain = Maglev::with_capacity(0..nodes, slots);
    let xxh3 = Maglev::with_capacity_and_hasher(0..nodes, slots, OneShotBuilder);
    vec![
        Lookup::of("maglev", move |key| {
            plain.get(&Key(key)).copied().map_or(0, u64::from)
        }),
        Lookup::of("maglev-xxh3", move |key| {
            xxh3.get(&Key(key)).copied().map_or(0, u64::from)
        }),
    ]
}

/// Those that take so long that a pass over fewer keys says enough.
fn slow<'a, 'k: 'a>(nodes: u32) -> Vec<Lookup<'a, 'k>> {
    let few = 1_500_000 / nodes.max(1) as usize;
    let plain = HrwNodes::new(0..nodes);
    let xxh3 = HrwNodes::with_build_hasher(OneShotBuilder, 0..nodes);
    let probes = mpchash::HashRing::<u64>::new();
    (0..u64::from(nodes)).for_each(|node| probes.add(node));
    vec![
        Lookup::of("hrw-hash", move |key| {
            plain.sorted(&Key(key)).next().copied().map_or(0, u64::from)
        })
        .at_most(few),
        Lookup::of("hrw-hash-xxh3", move |key| {
            xxh3.sorted(&Key(key)).next().copied().map_or(0, u64::from)
        })
        .at_most(few),
        Lookup::of("mpchash", move |key| {
            probes.node(&Key(key)).map_or(0, |token| *token.node())
        })
        .at_most(50_000),
    ]
}

/// Twenty lines that anybody writes: sorted points, a binary search.
fn sorted_vec<'a, 'k: 'a>(nodes: u32) -> Lookup<'a, 'k> {
    let mut points: Vec<(u64, u32)> = (0..nodes)
        .flat_map(|node| (0..POINTS).map(move |point| Point { node, point }))
        .map(|point| (OneShotBuilder.hash_one(point), point.node))
        .collect();
    points.sort_unstable();
    Lookup::of(BY_HAND, move |key| {
        let hash = XxHash3_64::oneshot(key);
        let at = points.partition_point(|&(point, _)| point < hash);
        let found = points.get(at).or_else(|| points.first());
        found.map_or(0, |&(_, node)| node.into())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::lookup::Mode;
    use crate::workload::Keys;

    #[test]
    fn each_of_them_answers_with_all_nodes_and_nothing_else() {
        let keys = Keys::users(4_000);
        let keys = keys.in_order();
        for peer in all(8) {
            let mut found: BTreeMap<u64, usize> = BTreeMap::new();
            for key in &keys {
                *found.entry(peer.pass(Mode::Stream, &[key])).or_default() += 1;
            }
            assert_eq!(found.len(), 8, "{}", peer.name);
            let few = found.values().filter(|count| **count < 250).count();
            assert_eq!(few, 0, "{}: {found:?}", peer.name);
        }
    }
}
