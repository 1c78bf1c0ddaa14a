//! The rules of waves, and of the domains that fence them.

use super::*;

#[track_caller]
pub(crate) fn wave(change: impl FnOnce(&mut Wave)) -> TopologyError {
    first(|keyspace| change(&mut keyspace.waves[0]))
}

#[test]
fn homes_and_domains() {
    let keyspace = "a".to_owned();
    assert_eq!(
        first(|k| k.homes.truncate(2)),
        TopologyError::Homes { keyspace }
    );
    let home = valid().keyspaces[0].homes[0].domain;
    let reused = TopologyError::Domain(home);
    assert_eq!(first(|k| k.homes[1].domain = home), reused);
    assert_eq!(first(|k| k.directory[0].domain = home), reused);
    assert_eq!(wave(|w| w.domain = home), reused);
    assert_eq!(broken(|d| d.keyspaces[1].homes[0].domain = home), reused);
    let next = valid().next_domain;
    assert_eq!(wave(|w| w.domain = next), TopologyError::Domain(next));
    let last = DomainId(u32::MAX);
    assert_eq!(wave(|w| w.domain = last), TopologyError::Domain(last));
}

#[test]
fn waves() {
    let domain = valid().keyspaces[0].waves[0].domain;
    let breaks = |rule| TopologyError::Wave { domain, rule };
    let range = |start, end| SlotRange { start, end };
    assert_eq!(
        wave(|w| w.to = w.from),
        breaks("it moves from a shard to itself")
    );
    assert_eq!(
        wave(|w| w.drained = later()),
        breaks("it was drained after its own epoch")
    );
    assert_eq!(
        wave(|w| w.authority_epoch = later()),
        breaks("its authority is of a later epoch")
    );
    assert_eq!(
        wave(|w| w.authority_epoch = Epoch::ZERO),
        breaks("it has no authority's epoch")
    );
    assert_eq!(
        wave(|w| (w.phase, w.ramp_ppm) = (Phase::ReadNew, 1_000_001)),
        breaks("its ramp is above 1,000,000")
    );
    assert_eq!(
        wave(|w| (w.phase, w.shadow_ppm) = (Phase::ShadowRead, 1_000_001)),
        breaks("its share of shadow reads is above 1,000,000")
    );
    for &phase in Phase::ALL {
        if phase != Phase::ReadNew {
            assert_eq!(
                wave(|w| (w.phase, w.ramp_ppm) = (phase, 1)),
                breaks("a ramp belongs to read-new only")
            );
        }
        if phase != Phase::ShadowRead {
            assert_eq!(
                wave(|w| (w.phase, w.shadow_ppm) = (phase, 1)),
                breaks("shadow reads belong to shadow-read only")
            );
        }
    }
    assert_eq!(wave(|w| w.slots.clear()), breaks("it has no slots"));
    for empty in [range(3, 3), range(3, 2)] {
        assert_eq!(
            wave(|w| w.slots = vec![empty]),
            breaks("a run of its slots is empty")
        );
    }
    let unsorted = breaks("its slots are not sorted, or not in the fewest runs");
    assert_eq!(wave(|w| w.slots.reverse()), unsorted);
    assert_eq!(wave(|w| w.slots = vec![range(0, 2), range(2, 3)]), unsorted);
    let other = breaks("a slot of it belongs to another shard");
    for theirs in [range(6, 9), range(16, 17), range(0, u32::MAX)] {
        assert_eq!(wave(|w| w.slots = vec![theirs]), other);
    }
    // An ended wave's slots belong to the winner.
    assert_eq!(wave(|w| w.phase = Phase::Ended(Side::To)), other);
}

#[test]
fn a_slot_is_in_one_wave() {
    let error = broken(|d| {
        let mut second = d.keyspaces[0].waves[0].clone();
        second.domain = d.take_domain();
        second.to = ShardId(3);
        second.slots = vec![SlotRange { start: 5, end: 7 }];
        d.keyspaces[0].waves.push(second);
    });
    assert_eq!(error, TopologyError::Overlap { slot: Slot(5) });
}
