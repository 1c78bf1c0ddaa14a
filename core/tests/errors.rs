//! Every error's slug, provoked; and how messages are written.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should say where"
)]

use std::collections::BTreeMap;
use std::error::Error;

use ringshift::migration::{Changes, CoordinatorError, Move, PlanError, Point, plan};
use ringshift::record::{HEADER_BYTES, Record, snapshot_in};
use ringshift::store::Look;
use ringshift::{
    AttemptId, Composite, Delta, DeltaError, DirectoryError, DomainId, Epoch, ErrorCode,
    ExactTable, Failure, Guard, Instant, KeyRule, Operation, OperationError, Outcome, PinError,
    Policy, Refusal, Reply, RingShard, Router, ShardId, ShardIndex, Snapshot, SnapshotError, Step,
    Term, Topology, TopologyError, TransactionError, UnknownAttempt, Version, Weight, ring_table,
};

fn topology(text: &str) -> Topology {
    serde_json::from_str(text).unwrap()
}

fn demo() -> Snapshot {
    topology(r#"{"cluster":"demo","keyspaces":{"k":{"bits":4}},"shards":[{"id":1,"name":"s"}]}"#)
        .snapshot()
        .unwrap()
}

fn ring(weight: u32, count: u16) -> RingShard<'static> {
    RingShard {
        name: "s",
        id: ShardId(count.into()),
        index: ShardIndex(count),
        weight: Weight::from_thousandths(weight).unwrap(),
    }
}

/// How an operation ends whose every attempt gets that reply.
fn ends(write: bool, reply: Reply) -> Outcome {
    let router = Router::new(demo().into());
    let plan = router.keyspace("k").unwrap().plan(b"key").unwrap();
    let begin = if write {
        Operation::write
    } else {
        Operation::read
    };
    let mut now = Instant::ZERO;
    let mut op = begin(plan, Policy::default(), now);
    for _ in 0..10_000 {
        match op.poll() {
            Step::Send(attempt) => op.handle_reply(now, attempt.id, reply).unwrap(),
            Step::Refresh { .. } => op.handle_snapshot(now, plan),
            Step::Wait { until } => {
                now = until;
                op.handle_timeout(now);
            }
            Step::Done(outcome) => return outcome,
        }
    }
    panic!("{reply:?} never ends");
}

fn failed(write: bool, reply: Reply) -> (ErrorCode, String) {
    let outcome = ends(write, reply);
    let Outcome::Failed(error) = outcome else {
        panic!("{reply:?} ends in {outcome:?}");
    };
    assert_eq!(outcome.code(), Some(error.code()));
    (error.code(), error.to_string())
}

/// Says what went wrong: the slug and the message.
macro_rules! said {
    ($error:expr) => {{
        let error = $error;
        let _: &dyn Error = &error;
        (error.code(), error.to_string())
    }};
}

fn keys_and_topologies() -> Vec<(ErrorCode, String)> {
    let good = demo();
    let mut draft = good.next_draft().unwrap();
    draft.epoch = Epoch::ZERO;
    let no_shard = topology(r#"{"cluster":"c","keyspaces":{"k":{}},"shards":[]}"#);
    let mut heavy =
        topology(r#"{"cluster":"c","keyspaces":{"k":{}},"shards":[{"id":1,"name":"s"}]}"#);
    for shard in &mut heavy.shards {
        shard.weight = f64::NAN;
    }
    let mut crowd = topology(
        r#"{"cluster":"c","keyspaces":{"k":{"bits":4,"placement":{"ring":{"vnodes":1}}}},"shards":[]}"#,
    );
    crowd.shards = (0..17)
        .map(|n| serde_json::from_str(&format!(r#"{{"id":{n},"name":"s{n}"}}"#)).unwrap())
        .collect();
    let twice = [(vec![1], 0), (vec![1], 0)];
    let mut unfenced = topology(
        r#"{"cluster":"c","keyspaces":{"k":{}},"shards":[{"id":1,"name":"s","unfenced":true}],
            "client_lease":{"lease_ms":1,"attempt_ms":1,"margin_ms":0}}"#,
    );
    let router = Router::new(unfenced.snapshot().unwrap().into());
    let leased = router.keyspace("k").unwrap();
    let plan = leased.plan(b"a").unwrap();
    unfenced.client_lease = None;
    vec![
        said!(KeyRule::Whole.routing_part(&vec![0; 65_537]).unwrap_err()),
        said!(KeyRule::Parts(2).routing_part(b"\0\0\0\0").unwrap_err()),
        said!(KeyRule::Parts(1).routing_part(b"xyz").unwrap_err()),
        said!(KeyRule::Parts(0).routing_part(b"").unwrap_err()),
        said!(Composite::new().finish().unwrap_err()),
        said!(Weight::from_f64(-1.0).unwrap_err()),
        said!(heavy.snapshot().unwrap_err()),
        said!(no_shard.snapshot().unwrap_err()),
        said!(Snapshot::build(draft).unwrap_err()),
        said!(crowd.snapshot().unwrap_err()),
        said!(ring_table(&[ring(1_000, 1)], 1, 0, 3).unwrap_err()),
        said!(ring_table(&[ring(0, 1)], 1, 0, 4).unwrap_err()),
        said!(ring_table(&[ring(1_000_000_000, 1)], 160, 0, 4).unwrap_err()),
        said!(ring_table(&[ring(1_000, 1), ring(1_000, 2)], 1, 0, 4).unwrap_err()),
        said!(ExactTable::build(twice).unwrap_err()),
        said!(DirectoryError::TooMany),
        said!(TopologyError::EpochsUsedUp),
        said!(unfenced.snapshot().unwrap_err()),
        said!(plan.fenced().unwrap_err()),
        said!(leased.transaction(&[b"a"]).unwrap_err()),
    ]
}

fn snapshots_and_routers() -> Vec<(ErrorCode, String)> {
    let good = demo();
    let bytes = good.encode();
    let changed = |change: fn(&mut ringshift::Draft)| {
        let mut draft = good.content().clone();
        change(&mut draft);
        Snapshot::build(draft).unwrap()
    };
    let newer = changed(|d| d.epoch = Epoch::MAX);
    let mut router = Router::new(newer.into());
    let mut flipped = bytes.clone();
    flipped.iter_mut().skip(20).for_each(|byte| *byte ^= 1);
    let foreign = changed(|d| d.cluster.push_str("-other"));
    let foreign_to = foreign.clone();
    let forked = changed(|d| (d.epoch, d.next_domain.0) = (Epoch::MAX, 99));
    let delta = good.delta(&forked).unwrap();
    vec![
        said!(Snapshot::decode(b"").unwrap_err()),
        said!(Snapshot::decode(b"RSHT\x09\0").unwrap_err()),
        said!(Snapshot::decode(bytes.get(..60).unwrap()).unwrap_err()),
        said!(Snapshot::decode(b"RSHT\x01\0\xff\xff\xff\xff").unwrap_err()),
        said!(Snapshot::decode(&flipped).unwrap_err()),
        said!(SnapshotError::Malformed),
        said!(SnapshotError::from(TopologyError::Empty("shard"))),
        said!(router.install(foreign.into()).unwrap_err()),
        said!(router.install(good.clone().into()).unwrap_err()),
        said!(router.install(forked.into()).unwrap_err()),
        said!(router.keyspace("orders").unwrap_err()),
        said!(Delta::decode(b"").unwrap_err()),
        said!(Delta::decode(b"RSHD\x09\0").unwrap_err()),
        said!(Delta::decode(b"RSHD\x01\0").unwrap_err()),
        said!(DeltaError::Damaged),
        said!(foreign_to.apply(&delta).unwrap_err()),
        said!(router.snapshot().apply(&delta).unwrap_err()),
    ]
}

fn operations_and_guards() -> Vec<(ErrorCode, String)> {
    let current = Epoch::FIRST;
    let refused = |refusal| Reply::Refused(refusal);
    let found = Some(Version::ZERO);
    let conflict = ends(true, Reply::Conflict { found });
    let mut guard = Guard::default();
    guard.claim(Term(2)).unwrap();
    let mut said = vec![
        said!(UnknownAttempt(AttemptId(7))),
        failed(true, Reply::Failed(Failure::MaybeApplied)),
        failed(true, Reply::Failed(Failure::Rejected)),
        failed(false, refused(Refusal::NotOwner)),
        failed(true, refused(Refusal::WrongRole { current })),
        (conflict.code().unwrap(), String::new()),
        said_by(guard.claim(Term(1)).unwrap_err()),
    ];
    for refusal in [
        Refusal::StaleEpoch {
            current,
            drained: current,
        },
        Refusal::NotReady { current },
        Refusal::NotOwner,
        Refusal::LeaseOver { current },
        Refusal::StaleTerm { seen: Term(3) },
    ] {
        assert_eq!(failed(true, refused(refusal)).0, ErrorCode::Deadline);
        said.push(failed(false, refused(refusal)));
        said.push(said_by(refusal));
    }
    assert_eq!(
        ends(
            true,
            Reply::Written {
                version: Version::ZERO
            }
        )
        .code(),
        None
    );
    assert_eq!(ends(false, Reply::Missing).code(), None);
    said
}

fn said_by(refusal: Refusal) -> (ErrorCode, String) {
    (refusal.code(), refusal.to_string())
}

fn transactions() -> Vec<(ErrorCode, String)> {
    let two = topology(
        r#"{"cluster":"demo","keyspaces":{"k":{"bits":4}},
            "shards":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#,
    );
    let router = Router::new(two.snapshot().unwrap().into());
    let keyspace = router.keyspace("k").unwrap();
    let none: &[&[u8]] = &[];
    let many = (0..=1_024_u32).map(u32::to_le_bytes).collect::<Vec<_>>();
    let last = Some(Refusal::NotOwner);
    let found = Some(Version::ZERO);
    let unknown = OperationError::Indeterminate { version: None };
    vec![
        said!(keyspace.transaction(none).unwrap_err()),
        said!(keyspace.transaction(&many).unwrap_err()),
        said!(keyspace.transaction(&["a", "b", "a"]).unwrap_err()),
        said!(keyspace.transaction(&[vec![0; 65_537]]).unwrap_err()),
        said!(keyspace.transaction(&many[..32]).unwrap_err()),
        said!(PinError::NotNamed),
        said!(TransactionError::Retryable { last }),
        said!(TransactionError::Retryable { last: None }),
        said!(TransactionError::Conflict { key: 1, found }),
        said!(TransactionError::Conflict {
            key: 1,
            found: None
        }),
        said!(TransactionError::Operation(unknown)),
        said!(TransactionError::Operation(OperationError::Rejected)),
    ]
}

fn plans_and_coordinators() -> Vec<(ErrorCode, String)> {
    let wish = |changes: &Changes| plan(&demo(), changes, 0).unwrap_err();
    let unknown = Changes {
        remove: vec![ShardId(9)],
        ..Changes::default()
    };
    let known = Changes {
        add: demo().content().shards.clone(),
        ..Changes::default()
    };
    let point = Point {
        goal: Move::Begin,
        stage: ringshift::migration::Stage::Swap,
    };
    vec![
        said!(wish(&Changes::default())),
        said!(wish(&unknown)),
        said!(wish(&known)),
        said!(PlanError::Busy),
        said!(PlanError::Pinned {
            shard: ShardId(1),
            keyspace: "k".to_owned()
        }),
        said!(CoordinatorError::Senseless { point }),
        said!(CoordinatorError::GuardAhead {
            shard: ShardId(1),
            domain: DomainId(2),
            guard: Epoch::MAX,
            snapshot: Epoch::FIRST,
        }),
        said!(CoordinatorError::Refused {
            shard: Some(ShardId(1)),
            point,
            refusal: Refusal::NotOwner,
        }),
    ]
}

fn stores_and_records() -> Vec<(ErrorCode, String)> {
    let record = Record {
        term: Term(3),
        ..Record::first(demo().into())
    };
    let bytes = record.encode().unwrap();
    assert_eq!(Record::decode(&bytes).unwrap(), record);
    let short = bytes.split_last().unwrap().1;
    let flipped = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        snapshot_in(&bytes).unwrap_err()
    };
    let no_term = |at: usize| (at != 0).then_some(1);
    vec![
        said!(snapshot_in(b"neither").unwrap_err()),
        said!(snapshot_in(short).unwrap_err()),
        said!(flipped(9)),
        said!(flipped(bytes.len() - 1)),
        said!(flipped(HEADER_BYTES + 3)),
        said!(Look::of_columns(DomainId(1), no_term, None).unwrap_err()),
    ]
}

fn all() -> Vec<(ErrorCode, String)> {
    let mut all = keys_and_topologies();
    all.extend(snapshots_and_routers());
    all.extend(operations_and_guards());
    all.extend(transactions());
    all.extend(plans_and_coordinators());
    all.extend(stores_and_records());
    all
}

#[test]
fn every_slug_is_provoked() {
    let mut provoked: BTreeMap<&str, usize> = BTreeMap::new();
    for (code, _) in all() {
        *provoked.entry(code.as_str()).or_default() += 1;
    }
    for code in ErrorCode::ALL.iter().filter(|code| !code.is_a_driver_s()) {
        assert!(
            provoked.contains_key(code.as_str()),
            "no test provokes `{code}`; add one here"
        );
    }
}

#[test]
fn slugs_are_unique_and_in_one_style() {
    let mut slugs: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    for slug in &slugs {
        let words = slug.split('_');
        let plain = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
        assert!(words.into_iter().all(plain), "`{slug}`");
    }
    let count = slugs.len();
    slugs.sort_unstable();
    slugs.dedup();
    assert_eq!(slugs.len(), count, "two codes share a slug");
}

#[test]
fn messages_are_in_the_style_of_the_house() {
    let types = [
        "Epoch", "Shard", "Slot", "Domain", "Version", "Weight", "Snapshot", "Topology", "Error",
        "Some(", "None", "Ok(", "Vec", "u32", "u64", "usize", "::",
    ];
    for (code, message) in all() {
        if message.is_empty() {
            // An outcome, which the caller is shown as one.
            assert_eq!(code, ErrorCode::VersionConflict);
            continue;
        }
        let first = message.chars().next().unwrap();
        assert!(!first.is_uppercase(), "{message}");
        assert!(!message.ends_with(['.', '!', '\n', ' ']), "{message}");
        assert!(!message.contains("  "), "{message}");
        for name in types {
            assert!(!message.contains(name), "`{name}` in `{message}`");
        }
    }
}
