//! What a world is, before anything happens in it.

use std::sync::Arc;

use ringshift::migration::{Checks, Settings, Strategy, Throttle};
use ringshift::{Policy, Router, Topology};

use crate::dice::Dice;

/// What is drawn at the beginning.
#[derive(Clone, Debug)]
pub(crate) struct Draw {
    pub(crate) shards: u64,
    pub(crate) bits: u64,
    pub(crate) keys: Vec<Arc<[u8]>>,
    pub(crate) clients: u64,
    pub(crate) workers: u64,
    /// How long faults happen, in milliseconds.
    pub(crate) storm_ms: u64,
    /// Clients have leases, and these of a thousand shards check no fence.
    pub(crate) unfenced: Option<u64>,
    /// Mirrors have leases of this many milliseconds.
    pub(crate) lease_ms: u32,
    /// Two agents lead; else coordinators that somebody starts.
    pub(crate) agents: bool,
    /// How far clocks are off, of a million.
    pub(crate) off_ppm: u64,
    /// How long who leads waits for an answer.
    pub(crate) command_ms: u64,
    /// Faults of each kind come about so far apart; 0: never.
    pub(crate) faults: [u64; 8],
}

/// L of a world with client leases is the sum of these, and one.
pub(crate) const CLIENT_LEASE: [u32; 3] = [400, 120, 40];

impl Draw {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let unfenced = dice.chance(250).then(|| dice.pick(&[400, 1_000]));
        let agents = dice.chance(600);
        let leased = unfenced.is_none() && dice.chance(if agents { 500 } else { 150 });
        let keys = dice.between(8, 20);
        let tenants = dice.between(1, 4);
        let key = |n: u64| format!("t{}/{n:02}", n % tenants).into_bytes().into();
        let storm = if unfenced.is_some() { 16_000 } else { 7_000 };
        Self {
            shards: dice.between(2, 4),
            bits: dice.between(4, 5),
            keys: (0..keys).map(key).collect(),
            clients: dice.between(2, 5),
            workers: dice.between(1, 2),
            storm_ms: dice.between(storm / 2, storm),
            unfenced,
            lease_ms: if leased { dice.pick(&[400, 1_000]) } else { 0 },
            agents,
            off_ppm: if unfenced.is_some() || leased {
                15_000
            } else {
                200_000
            },
            command_ms: dice.pick(&[60, 150, 400]),
            faults: std::array::from_fn(|_| dice.pick(&[0, 400, 1_200, 4_000])),
        }
    }

    pub(crate) fn topology(&self, dice: &mut Dice) -> Arc<Router> {
        let shards = (1..=self.shards).map(|id| self.shard(dice, id));
        let shards: Vec<String> = shards.map(|shard| shard.to_string()).collect();
        let [lease, attempt, margin] = CLIENT_LEASE;
        let lease = format!(
            r#""client_lease":{{"lease_ms":{lease},"attempt_ms":{attempt},"margin_ms":{margin}}},"#
        );
        let text = format!(
            r#"{{"cluster":"sim",{}"keyspaces":{{"k":{{"bits":{}}}}},"shards":[{}]}}"#,
            if self.unfenced.is_some() {
                lease.as_str()
            } else {
                ""
            },
            self.bits,
            shards.join(",")
        );
        let topology: Topology = serde_json::from_str(&text).unwrap();
        Arc::new(Router::new(Arc::new(topology.snapshot().unwrap())))
    }

    /// A shard as people write it.
    pub(crate) fn shard(&self, dice: &mut Dice, id: u64) -> serde_json::Value {
        let unfenced = self.unfenced.is_some_and(|share| dice.chance(share));
        let weight = dice.pick(&[0.5, 1.0, 1.0, 2.0]);
        serde_json::json!({"id": id, "name": format!("s{id}"), "weight": weight,
                           "unfenced": unfenced})
    }

    pub(crate) fn policy(&self, dice: &mut Dice) -> Policy {
        Policy {
            deadline_ms: u32::try_from(dice.between(600, 4_000)).unwrap(),
            attempt_ms: u32::try_from(dice.between(40, 400)).unwrap(),
            attempts_max: 1_000,
            confirm: dice.chance(800),
            seed: dice.draw(),
        }
    }

    /// What agents go by, and what hurried strategies are made from.
    pub(crate) fn settings(&self, dice: &mut Dice, way: Strategy) -> Settings {
        let way = way.settings();
        let mut ramps_ppm = way.ramps_ppm;
        while ramps_ppm.len() > 2 {
            ramps_ppm.remove(dice.index(ramps_ppm.len()));
        }
        Settings {
            strict: way.strict || dice.chance(300),
            shadow_ms: way.shadow_ms.min(dice.below(100)),
            ramps_ppm,
            ramp_ms: way.ramp_ms.min(dice.below(100)),
            reversed_ms: way.reversed_ms.min(dice.below(300)),
            chunk_rows: u32::try_from(dice.between(1, 8)).unwrap(),
            lag_rows_max: u32::try_from(dice.between(1, 8)).unwrap(),
            checkpoint_chunks: u32::try_from(dice.between(1, 3)).unwrap(),
            barrier_ms: dice.pick(&[60, 200, 2_000]),
            retry_ms: dice.pick(&[1, 10, 40]),
            offline_ms: dice.pick(&[300, 3_000]),
            throttle: if dice.chance(800) {
                Throttle::OFF
            } else {
                way.throttle
            },
            checks: if dice.chance(500) {
                Checks::OFF
            } else {
                way.checks
            },
            lease_ms: self.lease_ms,
            margin_ms: 60,
            patience_ms: dice.pick(&[150, 500]),
            shadow_ppm: way.shadow_ppm,
            verify: way.verify,
            offline: way.offline,
            finish_each: way.finish_each,
            gates: way.gates,
            calendar: way.calendar,
            checklist: way.checklist,
        }
    }
}
