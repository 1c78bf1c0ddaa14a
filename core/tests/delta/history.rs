//! Real histories: a coordinator over shards in memory, and each snapshot that it puts in force.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringshift::migration::{
    Action, Changes, Command, Coordinator, Ending, Settings, home_installs, plan,
};
use ringshift::record::Record;
use ringshift::store::{Chunks, MemoryShard};
use ringshift::{Epoch, Instant, Shard, ShardId, ShardState, Snapshot, Term, Topology, Weight};

pub(crate) struct Cluster {
    record: Record,
    shards: BTreeMap<ShardId, MemoryShard>,
}

pub(crate) fn topology(shards: u32, bits: u8) -> Topology {
    let shards: Vec<String> = (1..=shards)
        .map(|id| format!(r#"{{"id":{id},"name":"pg-{id}","endpoint":"postgres://10.0.0.{id}"}}"#))
        .collect();
    let shards = shards.join(",");
    serde_json::from_str(&format!(
        r#"{{"cluster":"demo","keyspaces":{{"orders":{{"bits":{bits}}},
            "users":{{"bits":8,"pins":[{{"key":"celebrity","shard":1}}]}}}},"shards":[{shards}]}}"#
    ))
    .unwrap()
}

pub(crate) fn shard(id: u32) -> Shard {
    Shard {
        id: ShardId(id),
        name: format!("pg-{id}"),
        endpoint: String::new(),
        weight: Weight::ONE,
        zone: String::new(),
        tags: Vec::new(),
        state: ShardState::Active,
        unfenced: false,
    }
}

fn settings() -> Settings {
    Settings {
        shadow_ms: 0,
        ramps_ppm: vec![50_000, 500_000],
        ramp_ms: 0,
        reversed_ms: 0,
        ..Settings::default()
    }
}

impl Cluster {
    /// At rest, at `epoch`.
    pub(crate) fn new(topology: &Topology, epoch: Epoch) -> Self {
        let mut draft = topology.snapshot().unwrap().content().clone();
        draft.epoch = epoch;
        let snapshot = Arc::new(Snapshot::build(draft).unwrap());
        let homes = |shard: &Shard| {
            let mut store = MemoryShard::default();
            let rows = home_installs(&snapshot, shard.id);
            store.install(Term(0), &rows).unwrap();
            (shard.id, store)
        };
        let shards = snapshot.content().shards.iter().map(homes).collect();
        Self {
            record: Record::first(snapshot),
            shards,
        }
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.record.snapshot.clone()
    }

    /// Carries `changes` out, for as many snapshots at most; after `back` of them it turns round.
    pub(crate) fn migrate(
        &mut self,
        changes: &Changes,
        wave_slots: u32,
        most: usize,
        back: usize,
    ) -> Vec<Arc<Snapshot>> {
        let wanted = plan(&self.record.snapshot, changes, wave_slots)
            .unwrap()
            .log;
        for shard in &changes.add {
            self.shards.insert(shard.id, MemoryShard::default());
        }
        let term = Term(self.record.term.0 + 1);
        let mut now = Instant::ZERO;
        let mut coordinator = Coordinator::new(term, Arc::new(settings()), Some(wanted), now);
        let mut chunks = Chunks::default();
        let mut seen = vec![self.snapshot()];
        while seen.len() < most {
            if seen.len() == back {
                coordinator.roll_back("a test");
            }
            match coordinator.poll() {
                Action::Do { id, command, .. } => {
                    let answer = if let Some(shard) = command.shard() {
                        let shard = self.shards.get_mut(&shard).unwrap();
                        shard.command(&command, &mut chunks)
                    } else {
                        let (answer, next) = self.record.decide(&command);
                        self.record = next.unwrap_or_else(|| self.record.clone());
                        if matches!(command, Command::Swap { .. })
                            && seen.last() != Some(&self.record.snapshot)
                        {
                            seen.push(self.snapshot());
                        }
                        answer
                    };
                    coordinator.handle_answer(now, id, answer);
                }
                Action::Wait { until } => {
                    now = until;
                    coordinator.handle_timeout(now);
                }
                Action::Over(Ending::Complete | Ending::RolledBack { .. }) => break,
                Action::Over(ending) => panic!("{ending:?}"),
            }
        }
        seen
    }
}
