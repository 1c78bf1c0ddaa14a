use super::*;
use proptest::prelude::*;

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn pulse() -> Pulse {
    Pulse::new(PulseOptions::default())
}

#[test]
fn too_little_is_not_known() {
    let mut pulse = pulse();
    assert_eq!(pulse.health(), Health::default());
    (0..19).for_each(|ms| pulse.handle_operation(at(ms), 5, true));
    (0..3).for_each(|ms| pulse.handle_request(at(ms), ShardId(1), 5, true));
    pulse.take_baseline();
    assert_eq!(pulse.health(), Health::default());
    pulse.handle_operation(at(20), 5, true);
    pulse.handle_request(at(20), ShardId(1), 5, true);
    pulse.take_baseline();
    let health = pulse.health();
    assert_eq!(health.error_ppm, Some(1_000_000));
    assert_eq!(health.p99_us, Some(5));
    assert_eq!(health.baseline_p99_us, Some(10_000), "the least one");
    let store = StoreHealth {
        shard: ShardId(1),
        healthy: false,
    };
    assert_eq!(health.stores, [store]);
}

#[test]
fn what_is_older_than_the_window_is_forgotten() {
    let mut pulse = pulse();
    (0..100).for_each(|_| pulse.handle_operation(at(1_000), 900_000, true));
    (0..100).for_each(|_| pulse.handle_mirror(at(1_000), true));
    (0..100).for_each(|_| pulse.handle_request(at(1_000), ShardId(1), 5, false));
    pulse.handle_timeout(at(27_000));
    assert_eq!(pulse.health().mirror_failures_ppm, Some(1_000_000));
    assert_eq!(pulse.health().stores.len(), 1);
    (0..100).for_each(|_| pulse.handle_operation(at(31_001), 10, false));
    let health = pulse.health();
    assert_eq!(health.p99_us, Some(10));
    assert_eq!(health.error_ppm, Some(0));
    assert_eq!(health.mirror_failures_ppm, None);
    assert_eq!(health.stores, [], "a shard that nobody asks isn't known");
}

#[test]
fn a_store_is_judged_by_its_last_requests() {
    let mut pulse = pulse();
    let healthy = |pulse: &Pulse| pulse.health().stores.first().map(|store| store.healthy);
    (0..100).for_each(|ms| pulse.handle_request(at(ms), ShardId(1), 5, false));
    (0..7).for_each(|_| pulse.handle_request(at(100), ShardId(1), 5, true));
    assert_eq!(healthy(&pulse), Some(true));
    pulse.handle_request(at(100), ShardId(1), 1_000_001, false);
    assert_eq!(healthy(&pulse), Some(false), "slow is as bad as failed");
    (0..8).for_each(|_| pulse.handle_request(at(101), ShardId(1), 5, false));
    assert_eq!(healthy(&pulse), Some(false));
    pulse.handle_request(at(101), ShardId(1), 5, false);
    assert_eq!(healthy(&pulse), Some(true));
}

#[test]
fn the_baseline_is_what_was_before_the_wave() {
    let text = r#"{"cluster":"c","keyspaces":{"k":{"bits":4}},"shards":[{"id":1,"name":"a"}]}"#;
    let topology: Result<crate::snapshot::Topology, _> = serde_json::from_str(text);
    let still = topology.ok().and_then(|topology| topology.snapshot().ok());
    let Some(still) = still else {
        unreachable!("the text is a topology")
    };
    let mut pulse = pulse();
    (0..50).for_each(|ms| pulse.handle_operation(at(ms), 50_000, false));
    pulse.handle_snapshot(at(50), &still);
    assert!(!pulse.has_baseline(), "nothing moves");
    // As a snapshot with a wave would.
    pulse.take_baseline();
    pulse.moving = true;
    (0..50).for_each(|_| pulse.handle_operation(at(60), 500_000, false));
    let health = pulse.health();
    assert!(
        health.baseline_p99_us < Some(54_000),
        "{:?}",
        health.baseline_p99_us
    );
    assert!(health.p99_us >= Some(500_000));
    pulse.handle_snapshot(at(70), &still);
    assert!(!pulse.has_baseline(), "the next wave has its own");
}

proptest! {
    #[test]
    fn a_window_of_its_own_has_what_the_last_parts_have(
        samples in proptest::collection::vec((0..3_000_u64, 0..1_000_000_u32), 1..200),
    ) {
        let options = PulseOptions { window_ms: 10_000, samples_min: 1, ..PulseOptions::default() };
        let mut pulse = Pulse::new(options);
        let (mut now, mut all) = (0, Vec::new());
        for (later, us) in samples {
            now += later;
            pulse.handle_operation(at(now), us, false);
            all.push((now, us));
        }
        // A part is a second; the one of now is the tenth.
        let mut window: Vec<u32> =
            all.iter().filter(|(at, _)| now / 1_000 - at / 1_000 < 10).map(|(_, us)| *us).collect();
        window.sort_unstable();
        let rank = (window.len() * 99).div_ceil(100);
        let exact = window.get(rank - 1).copied().unwrap_or_default();
        let found = pulse.health().p99_us.unwrap_or_default();
        prop_assert!(exact <= found && found - exact <= exact / 16, "{found}, not {exact}");
    }
}
