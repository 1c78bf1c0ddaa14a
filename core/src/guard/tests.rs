use super::*;
use crate::ids::Slot;

const K: KeyspaceId = KeyspaceId(0);
const D: DomainId = DomainId(3);
const TERM: Term = Term(5);

fn e(n: u32) -> Epoch {
    Epoch::new(n).unwrap_or(Epoch::MAX)
}

fn row(epoch: u32, role: Role) -> GuardRow {
    GuardRow {
        domain: D,
        keyspace: K,
        epoch: e(epoch),
        role,
        closed: false,
        drained: Epoch::ZERO,
        in_wave: true,
        authority_epoch: e(1),
    }
}

fn ask(row: &GuardRow, epoch: u32, access: Access) -> Result<(), Refusal> {
    let fence = Fence {
        domain: D,
        epoch: e(epoch),
    };
    admit(Some(row), Some(D), TERM, fence, access).map(|_| ())
}

#[test]
fn the_three_ways_of_comparing_epochs() {
    let row = GuardRow {
        drained: e(6),
        ..row(7, Role::Authority)
    };
    assert_eq!(
        ask(&row, 6, Access::Write),
        Err(Refusal::StaleEpoch {
            current: e(7),
            drained: e(6)
        })
    );
    assert_eq!(
        ask(&row, 8, Access::Write),
        Err(Refusal::NotReady { current: e(7) })
    );
    assert_eq!(ask(&row, 7, Access::Write), Ok(()));
}

#[test]
fn a_shut_shard_refuses_epoch_0_too() {
    let shut = in_force(row(7, Role::Authority), false, true);
    for access in [Access::Read, Access::Inspect, Access::Write] {
        for epoch in [0, 7, 8] {
            let current = Epoch::ZERO;
            let refused = Err(Refusal::NotReady { current });
            assert_eq!(ask(&shut, epoch, access), refused, "{access:?}");
        }
    }
}

#[test]
fn a_closed_guard_serves_reads_and_copies_only() {
    for role in [Role::Authority, Role::Mirror, Role::ReadableMirror] {
        let row = GuardRow {
            closed: true,
            ..row(7, role)
        };
        assert_eq!(ask(&row, 7, Access::Read), Ok(()));
        let expected = |kind_allowed| {
            Err(if kind_allowed {
                Refusal::NotReady { current: e(7) }
            } else {
                Refusal::WrongRole { current: e(7) }
            })
        };
        assert_eq!(
            ask(&row, 7, Access::Write),
            expected(role == Role::Authority)
        );
        assert_eq!(
            ask(&row, 7, Access::Apply),
            expected(role != Role::Authority)
        );
        assert_eq!(
            ask(&row, 7, Access::Copy(TERM)).is_ok(),
            role != Role::Authority
        );
    }
}

#[test]
fn roles_allow_what_the_table_says() {
    // Role, then: read, write, apply, copy, purge.
    let table = [
        (Role::None, [false, false, false, false, true]),
        (Role::Authority, [true, true, false, false, false]),
        (Role::Mirror, [true, false, true, true, false]),
        (Role::ReadableMirror, [true, false, true, true, false]),
    ];
    let kinds = [
        Access::Read,
        Access::Write,
        Access::Apply,
        Access::Copy(TERM),
        Access::Purge(TERM),
    ];
    for (role, allowed) in table {
        for (access, allowed) in kinds.into_iter().zip(allowed) {
            assert_eq!(
                ask(&row(7, role), 7, access).is_ok(),
                allowed,
                "{role:?} {access:?}"
            );
        }
    }
}

#[test]
fn tombstones_are_collected_only_outside_a_wave() {
    assert!(ask(&row(7, Role::Authority), 7, Access::Collect(TERM)).is_err());
    let home = GuardRow {
        in_wave: false,
        ..row(7, Role::Authority)
    };
    assert_eq!(ask(&home, 7, Access::Collect(TERM)), Ok(()));
}

#[test]
fn another_domain_s_slot_is_refused() {
    let row = row(7, Role::Authority);
    let fence = Fence {
        domain: D,
        epoch: e(7),
    };
    assert_eq!(
        admit(Some(&row), Some(DomainId(4)), TERM, fence, Access::Read),
        Err(Refusal::WrongRole { current: e(7) })
    );
    assert_eq!(
        admit(None, None, TERM, fence, Access::Read),
        Err(Refusal::NotOwner)
    );
}

#[test]
fn lower_terms_are_refused() {
    let mut guard = Guard::default();
    assert_eq!(guard.claim(Term(2)), Ok(()));
    assert_eq!(
        guard.claim(Term(1)),
        Err(Refusal::StaleTerm { seen: Term(2) })
    );
    assert_eq!(
        guard.install(Term(1), &[]),
        Err(Refusal::StaleTerm { seen: Term(2) })
    );
    assert_eq!(
        guard.close(Term(1), D, e(1)),
        Err(Refusal::StaleTerm { seen: Term(2) })
    );
    let fence = Fence {
        domain: D,
        epoch: e(1),
    };
    let copy = guard.admit(K, Slot(0), b"k", fence, Access::Copy(Term(1)));
    assert_eq!(copy, Err(Refusal::StaleTerm { seen: Term(2) }));
}

#[test]
fn rows_of_an_install_are_judged_one_by_one() {
    let mut guard = Guard::default();
    let install = |domain: u32, epoch: u32| InstallRow {
        row: GuardRow {
            domain: DomainId(domain),
            ..row(epoch, Role::Authority)
        },
        claims: Vec::new(),
    };
    assert_eq!(guard.install(TERM, &[install(1, 5), install(2, 5)]), Ok(()));
    assert_eq!(guard.install(TERM, &[install(1, 4), install(2, 6)]), Ok(()));
    assert_eq!(guard.row(DomainId(1)).map(|r| r.epoch), Some(e(5)));
    assert_eq!(guard.row(DomainId(2)).map(|r| r.epoch), Some(e(6)));
}

#[test]
fn a_close_is_of_exactly_one_epoch() {
    let mut guard = Guard::default();
    let install = InstallRow {
        row: row(5, Role::Authority),
        claims: Vec::new(),
    };
    assert_eq!(guard.install(TERM, &[install]), Ok(()));
    // A late one of an older barrier, and one of a barrier that isn't installed here.
    for other in [4, 6] {
        let found = guard.close(TERM, D, e(other));
        assert_eq!(found.map(|row| row.map(|row| row.closed)), Ok(Some(false)));
    }
    let found = guard.close(TERM, D, e(5));
    assert_eq!(found.map(|row| row.map(|row| row.closed)), Ok(Some(true)));
}

#[test]
fn another_epoch_ends_the_lease_of_the_one_before() {
    let mut guard = Guard::default();
    let leased = |epoch| InstallRow {
        row: row(epoch, Role::LeasedMirror),
        claims: Vec::new(),
    };
    let role = |guard: &Guard| guard.in_force(D).map(|row| row.role);
    assert_eq!(guard.install(TERM, &[leased(1)]), Ok(()));
    let fence = |epoch| Fence {
        domain: D,
        epoch: e(epoch),
    };
    assert_eq!(guard.grant(TERM, fence(1), 0, 1_000), Ok(()));
    assert_eq!(role(&guard), Some(Role::ReadableMirror));
    assert_eq!(guard.install(TERM, &[leased(2)]), Ok(()));
    assert_eq!(role(&guard), Some(Role::LeasedMirror));
    assert_eq!(guard.grant(TERM, fence(2), 0, 1_000), Ok(()));
    assert_eq!(role(&guard), Some(Role::ReadableMirror));
}

#[test]
fn a_lease_has_two_ends_and_a_shorter_grant_cuts_nothing_off() {
    let held = Lease {
        from: 10,
        until: 20,
    };
    let covered = [9, 10, 19, 20].map(|now| held.covers(now));
    assert_eq!(covered, [false, true, true, false]);
    let row = row(1, Role::LeasedMirror);
    let fence = Fence {
        domain: D,
        epoch: e(1),
    };
    let granted = |asked, lease_ms, now| {
        let terms = (TERM, TERM);
        grant(Some(&row), held, terms, fence, (asked, lease_ms), now)
    };
    let lease = |from, until| Ok(Lease { from, until });
    assert_eq!(granted(12, 3, 15), Ok(held));
    assert_eq!(granted(12, 8, 15), Ok(held));
    assert_eq!(granted(12, 9, 15), lease(12, 21));
    // One that is over, or that a clock that was set back hasn't come to, isn't held.
    assert_eq!(granted(20, 5, 20), lease(20, 25));
    assert_eq!(granted(4, 10, 5), lease(4, 14));
}
