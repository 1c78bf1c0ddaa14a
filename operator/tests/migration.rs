//! The coordinator over real stores, and what it does when one of them misbehaves: it steps back
//! or aborts by itself, says why, and loses nothing.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail loudly"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ringshift::migration::{
    Answer, Changes, Command, Coordinator, CoordinatorError, Ending, Health, Log, Move, Report,
    Settings, Stage, home_installs, plan,
};
use ringshift::{
    Attempt, Batch, DomainId, Outcome, Phase, Policy, ShardId, ShardTopology, Snapshot, Term,
    Topology,
};
use ringshift_operator::Reporter;
use ringshift_operator::client::{Client, Stores};
use ringshift_operator::runner::{Event, Observer, Runner, Unobserved, Witness};
use ringshift_operator::store::{
    BatchResponse, Change, Chunks, Content, MemoryStore, Response, Store,
};
use ringshift_operator::topology::{MemoryTopology, TopologyStore};

const KEYS: u32 = 200;

/// A store that answers some commands wrongly.
struct Meddler {
    inner: MemoryStore,
    meddle: fn(&Command, Answer, &AtomicU32) -> Answer,
    times: AtomicU32,
}

impl Store for Meddler {
    fn attempt(&self, attempt: &Attempt, key: &[u8], content: Content<'_>) -> Response {
        self.inner.attempt(attempt, key, content)
    }
    fn batch(&self, batch: &Batch, requests: &[(&[u8], Content<'_>)]) -> BatchResponse {
        self.inner.batch(batch, requests)
    }
    fn command(&self, command: &Command, chunks: &Chunks) -> Answer {
        (self.meddle)(command, self.inner.command(command, chunks), &self.times)
    }
    fn last_error(&self) -> Option<String> {
        self.inner.last_error()
    }
}

struct Cluster {
    topology: Arc<MemoryTopology>,
    stores: Stores,
    wanted: Log,
}

/// Two shards with rows on them, and the plan that adds a third, which meddles.
fn cluster(meddle: fn(&Command, Answer, &AtomicU32) -> Answer) -> Cluster {
    let text = r#"{"cluster":"test","keyspaces":{"k":{"bits":8}},
                   "shards":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#;
    let snapshot = serde_json::from_str::<Topology>(text)
        .unwrap()
        .snapshot()
        .unwrap();
    let topology = Arc::new(MemoryTopology::new());
    topology.create(&snapshot).unwrap();
    let mut stores: Stores = BTreeMap::new();
    for shard in [ShardId(1), ShardId(2)] {
        let store = MemoryStore::new();
        let rows = home_installs(&snapshot, shard);
        let install = Command::Install {
            shard,
            term: Term(1),
            rows,
        };
        assert_eq!(store.command(&install, &Chunks::default()), Answer::Done);
        stores.insert(shard, Arc::new(store));
    }
    let third = Meddler {
        inner: MemoryStore::new(),
        meddle,
        times: AtomicU32::new(0),
    };
    stores.insert(ShardId(3), Arc::new(third));
    let shard: ShardTopology = serde_json::from_str(r#"{"id":3,"name":"c"}"#).unwrap();
    let changes = Changes {
        add: vec![shard.shard().unwrap()],
        ..Changes::default()
    };
    let wanted = plan(&snapshot, &changes, 0).unwrap().log;
    let cluster = Cluster {
        topology,
        stores,
        wanted,
    };
    let client = cluster.client(1);
    for key in 0..KEYS {
        put(&client, key, b"first");
    }
    cluster
}

impl Cluster {
    fn client(&self, name: u64) -> Client {
        let snapshot: Arc<Snapshot> = self.topology.load().unwrap().snapshot;
        Client::new(
            snapshot,
            self.stores.clone(),
            self.topology.clone(),
            Policy::default(),
            name,
        )
    }

    fn migrate(&self, term: u32, settings: Settings, observer: &mut impl Observer) -> Ending {
        let runner = Runner::new(self.topology.clone(), self.stores.clone());
        let wanted = Some(self.wanted.clone());
        let mut coordinator =
            Coordinator::new(Term(term), Arc::new(settings), wanted, runner.now());
        runner.run(&mut coordinator, observer)
    }
}

fn put(client: &Client, key: u32, value: &[u8]) {
    let ended = client
        .keyspace("k")
        .unwrap()
        .write(&key.to_le_bytes(), Change::Put(value));
    let outcome = ended.unwrap().outcome;
    assert!(
        matches!(outcome, Outcome::Written { .. }),
        "key {key}: {outcome:?}"
    );
}

fn get(client: &Client, key: u32) -> Option<Vec<u8>> {
    let ended = client
        .keyspace("k")
        .unwrap()
        .get(&key.to_le_bytes())
        .unwrap();
    assert!(
        !matches!(ended.outcome, Outcome::Failed(_)),
        "key {key}: {:?}",
        ended.outcome
    );
    ended.found.and_then(|found| found.value)
}

fn settings() -> Settings {
    Settings {
        shadow_ms: 0,
        ramps_ppm: vec![500_000, 1_000_000],
        ramp_ms: 0,
        reversed_ms: 0,
        chunk_rows: 7,
        lag_rows_max: 7,
        barrier_ms: 30,
        retry_ms: 5,
        ..Settings::default()
    }
}

const fn honest(_: &Command, answer: Answer, _: &AtomicU32) -> Answer {
    answer
}

/// Writes through a stale client after every command, as an application would.
struct Traffic<'c> {
    client: &'c Client,
    next: u32,
    goals: Vec<Move>,
}

impl Witness for Traffic<'_> {}

impl Observer for Traffic<'_> {
    fn after(&mut self, event: &Event<'_>, _: &Coordinator) {
        self.goals.push(event.point.goal);
        // Inside a barrier a writer would wait for this very thread.
        let barrier = event.point.goal.is_barrier() && event.point.stage != Stage::InstallOther;
        let rolling = matches!(event.point.stage, Stage::Swap | Stage::InstallFirst);
        if !barrier && !rolling {
            put(self.client, self.next % KEYS, b"second");
            assert!(get(self.client, (self.next + 1) % KEYS).is_some());
            self.next += 1;
        }
    }
}

#[test]
fn a_migration_under_a_stale_client_loses_nothing() {
    let cluster = cluster(honest);
    let stale = cluster.client(2);
    let mut traffic = Traffic {
        client: &stale,
        next: 0,
        goals: Vec::new(),
    };
    assert_eq!(
        cluster.migrate(2, settings(), &mut traffic),
        Ending::Complete
    );
    let (fresh, written) = (cluster.client(3), traffic.next.min(KEYS));
    for key in 0..KEYS {
        let expected: &[u8] = if key < written { b"second" } else { b"first" };
        assert_eq!(get(&fresh, key).as_deref(), Some(expected), "key {key}");
    }
    let end = cluster.topology.load().unwrap();
    assert_eq!(end.log, Log::default());
    assert!(
        end.snapshot
            .content()
            .keyspaces
            .iter()
            .all(|k| k.waves.is_empty())
    );
}

/// Shows one key of the third shard with other content, at every look.
fn rotten(command: &Command, answer: Answer, _: &AtomicU32) -> Answer {
    match (command, answer) {
        (Command::Digests { .. }, Answer::Digests(mut digests)) => {
            if let Some(first) = digests.first_mut() {
                first.sum ^= 1;
            }
            Answer::Digests(digests)
        }
        (Command::Keys { .. }, Answer::Keys(mut keys)) => {
            if let Some(first) = keys.first_mut() {
                first.digest ^= 1;
            }
            Answer::Keys(keys)
        }
        (_, answer) => answer,
    }
}

#[test]
fn a_confirmed_mismatch_steps_the_migration_back_and_says_why() {
    let cluster = cluster(rotten);
    let ending = cluster.migrate(2, settings(), &mut Unobserved);
    let Ending::RolledBack { reason } = ending else {
        panic!("{ending:?}")
    };
    assert!(reason.contains("found 1 mismatches"), "{reason}");
    let fresh = cluster.client(3);
    (0..KEYS).for_each(|key| assert_eq!(get(&fresh, key).as_deref(), Some(&b"first"[..])));
    assert_eq!(
        cluster
            .topology
            .load()
            .unwrap()
            .snapshot
            .content()
            .shards
            .len(),
        2
    );
}

/// The third shard doesn't hear the first few closes.
fn deaf(command: &Command, answer: Answer, times: &AtomicU32) -> Answer {
    match command {
        Command::Close { .. } if times.fetch_add(1, Ordering::Relaxed) < 10 => Answer::Unreachable,
        _ => answer,
    }
}

#[test]
fn a_barrier_past_its_deadline_is_aborted_and_tried_again() {
    let cluster = cluster(deaf);
    let mut goals = Goals::default();
    assert_eq!(cluster.migrate(2, settings(), &mut goals), Ending::Complete);
    assert!(goals.0.contains(&Move::Abort), "{:?}", goals.0);
    let fresh = cluster.client(3);
    (0..KEYS).for_each(|key| assert_eq!(get(&fresh, key).as_deref(), Some(&b"first"[..])));
}

#[derive(Default)]
struct Goals(Vec<Move>);

impl Witness for Goals {}

impl Observer for Goals {
    fn after(&mut self, event: &Event<'_>, _: &Coordinator) {
        self.0.push(event.point.goal);
    }
}

/// Lets another coordinator take office in the middle.
struct Usurper<'c> {
    cluster: &'c Cluster,
    ending: Option<Ending>,
}

impl Witness for Usurper<'_> {}

impl Observer for Usurper<'_> {
    fn before(&mut self, point: ringshift::migration::Point, _: Option<DomainId>) {
        if point.stage == Stage::Closing && self.ending.is_none() {
            self.ending = Some(self.cluster.migrate(3, settings(), &mut Unobserved));
        }
    }
}

#[test]
fn race_9_the_lower_term_steps_down() {
    let cluster = cluster(honest);
    let mut usurper = Usurper {
        cluster: &cluster,
        ending: None,
    };
    let ending = cluster.migrate(2, settings(), &mut usurper);
    assert_eq!(usurper.ending, Some(Ending::Complete));
    // Its wave is over and gone: the old coordinator is refused whatever it asks next.
    let Ending::SteppedDown { term } = ending else {
        panic!("{ending:?}")
    };
    assert_eq!(term, Term(3));
}

#[test]
fn a_plan_of_an_older_epoch_is_refused() {
    let cluster = cluster(honest);
    assert_eq!(
        cluster.migrate(2, settings(), &mut Unobserved),
        Ending::Complete
    );
    let ending = cluster.migrate(3, settings(), &mut Unobserved);
    let Ending::Stuck(error) = ending else {
        panic!("{ending:?}")
    };
    assert!(
        matches!(error, CoordinatorError::OutdatedPlan { .. }),
        "{error}"
    );
}

/// Turns back in every phase.
struct TurnsBack(Phase);

impl Witness for TurnsBack {}

impl Observer for TurnsBack {
    fn wants_back(&mut self, coordinator: &Coordinator) -> Option<String> {
        let snapshot = coordinator.snapshot()?;
        let mut waves = snapshot.content().keyspaces.iter().flat_map(|k| &k.waves);
        waves
            .any(|wave| wave.phase == self.0)
            .then(|| "asked".to_owned())
    }
}

#[test]
fn rolled_back_from_every_phase_rows_are_where_they_were() {
    for &phase in Phase::ALL
        .iter()
        .filter(|phase| !matches!(phase, Phase::Ended(_)))
    {
        let cluster = cluster(honest);
        let before = cluster.topology.load().unwrap().snapshot;
        let ending = cluster.migrate(2, settings(), &mut TurnsBack(phase));
        assert_eq!(
            ending,
            Ending::RolledBack {
                reason: "asked".to_owned()
            },
            "{phase}"
        );
        let after = cluster.topology.load().unwrap().snapshot;
        let table = |s: &Snapshot| s.content().keyspaces.first().expect("one").table();
        assert_eq!(table(&before), table(&after), "{phase}");
        let fresh = cluster.client(3);
        (0..KEYS).for_each(|key| assert_eq!(get(&fresh, key).as_deref(), Some(&b"first"[..])));
    }
}

/// Pauses when the first wave reads from its new shard.
struct Pauses(bool);

impl Witness for Pauses {}

impl Observer for Pauses {
    fn wants_pause(&mut self, coordinator: &Coordinator) -> Option<String> {
        let snapshot = coordinator.snapshot()?;
        let mut waves = snapshot.content().keyspaces.iter().flat_map(|k| &k.waves);
        let reached = !self.0 && waves.any(|wave| wave.phase == Phase::ReadNew);
        self.0 |= reached;
        reached.then(|| "lunch".to_owned())
    }
}

#[test]
fn a_pause_holds_for_successors_until_somebody_resumes() {
    let cluster = cluster(honest);
    let reason = "lunch".to_owned();
    let ending = cluster.migrate(2, settings(), &mut Pauses(false));
    assert_eq!(
        ending,
        Ending::Paused {
            reason: reason.clone()
        }
    );
    let client = cluster.client(2);
    (0..KEYS).for_each(|key| put(&client, key, b"second"));

    let runner = Runner::new(cluster.topology.clone(), cluster.stores.clone());
    let settings = Arc::new(settings());
    let mut successor = Coordinator::new(Term(3), settings, None, runner.now());
    let ending = runner.run(&mut successor, &mut Unobserved);
    assert_eq!(ending, Ending::Paused { reason });
    successor.resume();
    assert_eq!(
        runner.run(&mut successor, &mut Unobserved),
        Ending::Complete
    );
    let fresh = cluster.client(3);
    (0..KEYS).for_each(|key| assert_eq!(get(&fresh, key).as_deref(), Some(&b"second"[..])));
}

/// Tells a p99 that is too high while half of the reads have moved.
struct Sick {
    cluster_sees: Option<u32>,
    progress: u32,
}

impl Witness for Sick {
    fn health(&mut self) -> Option<Health> {
        let trouble = self.cluster_sees == Some(500_000);
        Some(Health {
            p99_us: Some(if trouble { 9_000 } else { 1_000 }),
            baseline_p99_us: Some(1_000),
            ..Health::default()
        })
    }
}

impl Observer for Sick {
    fn after(&mut self, _: &Event<'_>, coordinator: &Coordinator) {
        let snapshot = coordinator.snapshot();
        let waves = snapshot.map(|s| s.content().keyspaces.iter().flat_map(|k| &k.waves));
        self.cluster_sees = waves
            .and_then(|mut waves| waves.find(|w| w.ramp_ppm > 0))
            .map(|w| w.ramp_ppm);
    }
    fn reported(&mut self, report: &Report, _: &Coordinator) {
        self.progress += u32::from(!report.progress().is_empty());
    }
}

#[test]
fn a_sick_application_turns_it_back_and_the_report_says_so() {
    let cluster = cluster(honest);
    let mut settings = settings();
    settings.ramp_ms = 600;
    settings.gates.patience_ms = 100;
    settings.gates.recheck_ms = 20;
    settings.gates.steps_back_max = 1;
    let folder = tempfile::tempdir().unwrap();
    let runner = Runner::new(cluster.topology.clone(), cluster.stores.clone());
    let behind = Sick {
        cluster_sees: None,
        progress: 0,
    };
    let mut reporter = Reporter::new(&runner, behind)
        .counting()
        .writing(folder.path());
    let wanted = Some(cluster.wanted.clone());
    let mut coordinator = Coordinator::new(Term(2), Arc::new(settings), wanted, runner.now());
    let ending = runner.run(&mut coordinator, &mut reporter);
    let Ending::RolledBack { reason } = ending else {
        panic!("{ending:?}")
    };
    assert!(reason.contains("latency: 9000 µs"), "{reason}");
    assert!(reporter.failure().is_none());
    assert!(reporter.behind().progress > 0);
    let read = |name| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&read("report.json")).unwrap();
    let estimated = json
        .pointer("/waves/0/rows_estimated")
        .and_then(serde_json::Value::as_u64)
        .unwrap();
    assert!(estimated > 0 && estimated <= u64::from(KEYS));
    let length = |list: &str| json.get(list).and_then(|list| Some(list.as_array()?.len()));
    assert_eq!(length("decisions"), Some(4), "{json:#}");
    // Into read-new, and out of it.
    assert!(length("barriers") >= Some(2), "{json:#}");
    assert!(read("report.md").contains("SteppedBack"));
    let fresh = cluster.client(3);
    (0..KEYS).for_each(|key| assert_eq!(get(&fresh, key).as_deref(), Some(&b"first"[..])));
}
