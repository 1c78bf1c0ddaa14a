//! Any sequence of requests and commands is answered alike by every store.

use proptest::prelude::*;
use ringshift::migration::Lineage;
use ringshift::migration::command::{Answer, Command};
use ringshift::{
    Claim, DomainId, GuardRow, InstallRow, Match, Role, Scope, Slot, SlotRange, Term, Version,
};

use crate::shard::{SHARD, Shard, e, memory, row, sql, sqlite, v};

/// One thing to do; small numbers, so that they meet.
#[derive(Clone, Debug)]
enum Do {
    Fence {
        domain: u32,
        epoch: u32,
    },
    Put(u8, u8),
    Delete(u8, u8),
    PutIf(u8, Option<Version>, u8),
    Read(u8),
    Confirm(u8, u8),
    Apply(u8, Version, bool, u8),
    Claim(u32),
    Install(Vec<(GuardRow, Claim)>),
    Close(u32),
    Changes {
        after: u64,
        limit: u32,
    },
    ApplyChunk(u32),
    Purge {
        term: u32,
        some: bool,
        release: bool,
    },
    Collect(u32),
    Count,
    Digests,
    Keys(Vec<u32>),
    Guards,
    Revision,
}

fn version() -> impl Strategy<Value = Version> {
    (0..4_u32, 0..4_u32).prop_map(|(epoch, counter)| v(epoch, counter))
}

/// A domain holds at most one interval: one around the others, one inside it, one key in that.
fn scope_of(domain: u32) -> Scope {
    let (start, end) = (b"key-1".to_vec(), b"key-4".to_vec());
    match domain {
        1 => Match::Exact(b"key-3".to_vec()).scope(),
        2 => Match::Range { start, end }.scope(),
        _ => Match::Range {
            start,
            end: Vec::new(),
        }
        .scope(),
    }
}

fn runs() -> impl Strategy<Value = Vec<SlotRange>> {
    let run = |(start, end)| SlotRange { start, end };
    prop_oneof![
        Just(vec![SlotRange { start: 0, end: 16 }]),
        proptest::collection::vec((0..16_u32, 0..=16_u32).prop_map(run), 0..3),
    ]
}

fn guard() -> impl Strategy<Value = (GuardRow, Claim)> {
    let role = prop_oneof![
        1 => Just(Role::None),
        4 => Just(Role::Authority),
        2 => Just(Role::Mirror),
        1 => Just(Role::ReadableMirror),
        1 => Just(Role::LeasedMirror),
    ];
    let claim = prop_oneof![
        4 => (0..16_u32, 0..=16_u32).prop_map(|(start, end)| Claim::Slots(vec![SlotRange { start, end }])),
        2 => Just(Claim::Slots(vec![SlotRange { start: 0, end: 16 }])),
        3 => runs().prop_map(|runs| Claim::Scope(Scope::default(), runs)),
        2 => (1..4_u32, runs()).prop_map(|(of, runs)| Claim::Release(scope_of(of), runs)),
        1 => Just(Claim::Clear),
        1 => (4..7_u8).prop_map(Claim::Bits),
    ];
    let numbers = (1..4_u32, 1..5_u32, 0..4_u32, 0..4_u32, any::<bool>());
    (numbers, role, claim).prop_map(
        |((domain, epoch, drained, authority, in_wave), role, mut claim)| {
            if let Claim::Scope(scope, _) = &mut claim {
                *scope = scope_of(domain);
            }
            let row = GuardRow {
                drained: e(drained),
                authority_epoch: e(authority),
                in_wave,
                ..row(DomainId(domain), epoch, role)
            };
            (row, claim)
        },
    )
}

fn action() -> impl Strategy<Value = Do> {
    let (key, n) = (0..6_u8, 0..30_u8);
    prop_oneof![
        3 => (1..4_u32, 1..5_u32).prop_map(|(domain, epoch)| Do::Fence { domain, epoch }),
        8 => (key.clone(), n.clone()).prop_map(|(k, n)| Do::Put(k, n)),
        4 => (key.clone(), n.clone()).prop_map(|(k, n)| Do::Delete(k, n)),
        3 => (key.clone(), proptest::option::of(version()), n.clone()).prop_map(|(k, v, n)| Do::PutIf(k, v, n)),
        4 => key.clone().prop_map(Do::Read),
        1 => (key.clone(), n.clone()).prop_map(|(k, n)| Do::Confirm(k, n)),
        4 => (key, version(), any::<bool>(), n).prop_map(|(k, v, live, n)| Do::Apply(k, v, live, n)),
        1 => (0..3_u32).prop_map(Do::Claim),
        5 => proptest::collection::vec(guard(), 1..3).prop_map(Do::Install),
        1 => (0..3_u32).prop_map(Do::Close),
        2 => (0..30_u64, 0..5_u32).prop_map(|(after, limit)| Do::Changes { after, limit }),
        2 => (0..3_u32).prop_map(Do::ApplyChunk),
        1 => (0..3_u32, any::<bool>(), any::<bool>()).prop_map(|(term, some, release)| Do::Purge { term, some, release }),
        1 => (0..3_u32).prop_map(Do::Collect),
        1 => Just(Do::Count),
        1 => Just(Do::Digests),
        1 => proptest::collection::vec(0..16_u32, 0..16).prop_map(Do::Keys),
        1 => Just(Do::Guards),
        1 => Just(Do::Revision),
    ]
}

fn name(key: u8) -> String {
    format!("key-{key}")
}

fn carry_out(shard: &mut Shard, action: &Do) -> String {
    match action {
        Do::Fence { domain, epoch } => {
            shard.at(DomainId(*domain), *epoch);
            String::new()
        }
        Do::Put(key, n) => format!(
            "{:?}",
            shard.put(&name(*key), &format!("v{n}"), u64::from(*n))
        ),
        Do::Delete(key, n) => format!("{:?}", shard.delete(&name(*key), u64::from(*n))),
        Do::PutIf(key, expected, n) => {
            format!(
                "{:?}",
                shard.put_if(&name(*key), *expected, "if", u64::from(*n))
            )
        }
        Do::Read(key) => format!("{:?}", shard.read(&name(*key))),
        Do::Confirm(key, n) => format!("{:?}", shard.confirm(&name(*key), u64::from(*n))),
        Do::Apply(key, version, live, n) => {
            let value = live.then_some("copied");
            format!(
                "{:?}",
                shard.apply(&name(*key), *version, value, u64::from(*n))
            )
        }
        Do::Changes { after, limit } => {
            let answer = shard.changes(*after, *limit, 0);
            let rows = shard.chunks.get(ringshift::migration::command::ChunkId(0));
            format!("{answer:?} {rows:?}")
        }
        Do::ApplyChunk(term) => with_term(shard, *term, |shard| shard.apply_chunk(0)),
        // Which rows a purge takes first is the store's choice: take one only where there is one.
        Do::Purge {
            term,
            some,
            release,
        } => with_term(shard, *term, |shard| {
            let limit = if *some && shard.count() == Answer::Rows(1) {
                1
            } else {
                100
            };
            shard.purge_and(limit, *release)
        }),
        Do::Collect(term) => with_term(shard, *term, |shard| shard.collect(100)),
        Do::Close(term) => with_term(shard, *term, Shard::close),
        Do::Claim(term) => {
            // Some follow the claim that the shard heard last, or the one before it, and some don't.
            let lineage = Lineage {
                follows: u64::from(*term) / 2,
                claim: u64::from(*term),
            };
            let command = Command::Claim {
                shard: SHARD,
                term: Term(*term),
                lineage,
            };
            match shard.command(&command) {
                // Each says which one it is.
                Answer::Claimed(mark) => format!("claimed {:?}", mark.lineage),
                answer => format!("{answer:?}"),
            }
        }
        Do::Install(rows) => {
            let rows = rows
                .iter()
                .map(|(row, claim)| InstallRow {
                    row: *row,
                    claims: vec![claim.clone()],
                })
                .collect();
            let (shard_id, term) = (SHARD, Term(2));
            let command = Command::Install {
                shard: shard_id,
                term,
                rows,
            };
            format!("{:?}", shard.command(&command))
        }
        Do::Count => format!("{:?}", shard.count()),
        Do::Digests => format!("{:?}", shard.digests()),
        Do::Keys(slots) => {
            let slots = slots.iter().map(|slot| Slot(*slot)).collect();
            format!("{:?}", shard.keys(slots))
        }
        Do::Guards => format!("{:?}", shard.command(&Command::Guards { shard: SHARD })),
        Do::Revision => {
            let (shard_id, fence) = (SHARD, shard.fence());
            let command = Command::Revision {
                shard: shard_id,
                fence,
            };
            format!("{:?}", shard.command(&command))
        }
    }
}

fn with_term(shard: &mut Shard, term: u32, ask: impl FnOnce(&Shard) -> Answer) -> String {
    let usual = std::mem::replace(&mut shard.term, Term(term));
    let answer = ask(shard);
    shard.term = usual;
    format!("{answer:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_store_answers_alike(actions in proptest::collection::vec(action(), 1..60)) {
        let (mut memory, mut others) = (memory(), [sqlite(), sql()]);
        memory.home();
        for other in &mut others {
            other.home();
        }
        for (at, action) in actions.iter().enumerate() {
            let expected = carry_out(&mut memory, action);
            for other in &mut others {
                prop_assert_eq!(&expected, &carry_out(other, action), "action {}: {:?}", at, action);
            }
        }
    }
}
