use alloc::format;
use alloc::vec::Vec;

use super::*;

#[test]
fn remainders_need_no_wide_division() {
    for hash in [
        0,
        1,
        u128::MAX,
        1 << 64,
        (1 << 64) - 1,
        0x1234_5678_9abc_def0 << 50,
    ] {
        for by in [1, 2, 3, 1 << 20, (1 << 21) - 1, 1_000_003] {
            assert_eq!(u128::from(remainder(hash, by)), hash % u128::from(by));
        }
    }
}

#[test]
fn the_runs_of_a_modulo_fill_the_slots() {
    for buckets in [1, 3, 5, 16] {
        let modulo = Modulo {
            hash: ForeignHash::Crc32,
            seed: 0,
            buckets,
            bits: 4,
        };
        let starts: Vec<u32> = (0..=buckets).map(|b| modulo.start(b)).collect();
        assert_eq!((starts.first(), starts.last()), (Some(&0), Some(&16)));
        let widths = starts.windows(2).map(|pair| pair[1] - pair[0]);
        let even = 16 / buckets;
        assert!(
            widths
                .clone()
                .all(|width| (even..=even + 1).contains(&width))
        );
    }
}

/// The ends of arcs are where an off-by-one would put a key on the wrong server.
#[test]
fn arcs_end_where_their_point_is() {
    let servers = ["a", "b"].map(|name| KetamaServer {
        name: name.into(),
        digests: 3,
    });
    let ketama = Ketama {
        servers: servers.to_vec(),
        bits: 8,
    };
    let continuum = Continuum::of(&ketama);
    let starts: Vec<u32> = continuum.starts().collect();
    assert_eq!((starts.len(), starts[0]), (24, 0));
    assert!(starts.is_sorted_by(|a, b| a < b) && *starts.last().unwrap() < 256);
    // What any key's hash says, its stored slot says: the arc in which the run of slots lies.
    let owners = ketama.owners();
    let mut seen = Vec::new();
    for n in 0..20_000_u32 {
        let place = continuum.place(format!("{n}").as_bytes());
        let run = starts.partition_point(|&start| start <= place.stored >> 12) - 1;
        let points = continuum.points();
        let arc = points.iter().position(|&point| place.hash <= point.into());
        assert_eq!(run, arc.unwrap_or(0));
        seen.push(owners[run]);
    }
    assert!(seen.contains(&0) && seen.contains(&1));
}
