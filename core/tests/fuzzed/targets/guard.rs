//! The fence machine of a shard under any sequence of installs, closes, leases and requests: a
//! guard never goes back, and lets nothing through that the protocol's table doesn't.

use std::collections::BTreeMap;

use ringshift::{
    Access, Claim, DomainId, Epoch, Fence, Guard, GuardRow, InstallRow, KeyspaceId, Match, Refusal,
    Role, Slot, SlotRange, Term,
};

use super::input::Input;

const K: KeyspaceId = KeyspaceId(0);
const SLOTS: u32 = 4;
const ROLES: [Role; 5] = [
    Role::None,
    Role::Authority,
    Role::Mirror,
    Role::ReadableMirror,
    Role::LeasedMirror,
];

/// What was done, told apart from how it is kept.
#[derive(Default)]
struct Told {
    term: Term,
    rows: BTreeMap<DomainId, GuardRow>,
    /// Epochs at which a domain was closed: no write is let through there any more.
    closed: Vec<(DomainId, Epoch)>,
    /// Moments of the shard's clock at which a domain may answer reads, at that epoch.
    leases: Vec<(DomainId, Epoch, u64, u64)>,
    shut: bool,
    now: u64,
}

pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let mut guard = Guard::default();
    let mut told = Told::default();
    for _ in 0..200 {
        if input.is_over() {
            break;
        }
        let before = guard.clone();
        step(&mut guard, &mut told, &mut input);
        risen(&before, &guard);
        assert_eq!(guard.term(), told.term);
        assert_eq!(guard.is_shut(), told.shut);
        assert_eq!(guard.now(), told.now);
        assert!(guard.rows().eq(told.rows.values()), "other rows than told");
    }
}

/// 0 too, which no snapshot has.
fn epoch(input: &mut Input<'_>) -> Epoch {
    Epoch::new(input.number() % 9).unwrap_or(Epoch::MAX)
}

fn fence(input: &mut Input<'_>) -> Fence {
    Fence {
        domain: DomainId(input.number() % 3),
        epoch: epoch(input),
    }
}

fn step(guard: &mut Guard, told: &mut Told, input: &mut Input<'_>) {
    let kind = input.below(8);
    let term = Term(input.number() % 4);
    let stale = Err(Refusal::StaleTerm { seen: told.term });
    let in_office = term >= told.term;
    match kind {
        0 | 1 => {
            let rows: Vec<InstallRow> = (0..=input.below(3)).map(|_| row(input)).collect();
            let done = guard.install(term, &rows);
            assert_eq!(done, if in_office { Ok(()) } else { stale });
            if in_office {
                told.term = term;
                for row in &rows {
                    installed(told, &row.row);
                }
            }
        }
        2 => {
            let Fence { domain, epoch } = fence(input);
            let done = guard.close(term, domain, epoch);
            if !in_office {
                return assert_eq!(done, stale.map(|()| None));
            }
            told.term = term;
            if let Some(row) = told.rows.get_mut(&domain)
                && row.epoch == epoch
            {
                row.closed = true;
                told.closed.push((domain, epoch));
            }
            assert_eq!(done, Ok(told.rows.get(&domain).copied()));
        }
        3 => {
            let fence = fence(input);
            let (asked, lease_ms) = (u64::from(input.byte()), input.number() % 64);
            let done = guard.grant(term, fence, asked, lease_ms);
            let row = told.rows.get(&fence.domain);
            let may = row.is_some_and(|row| {
                row.epoch == fence.epoch && row.role == Role::LeasedMirror && asked <= told.now
            });
            assert_eq!(done.is_ok(), in_office && may, "{done:?}");
            if done.is_ok() {
                told.term = term;
                let until = asked + u64::from(lease_ms);
                let Fence { domain, epoch } = fence;
                told.leases.push((domain, epoch, asked, until));
            }
        }
        4 => {
            let shut = input.coin();
            let done = guard.shut(term, shut);
            assert_eq!(done, if in_office { Ok(()) } else { stale });
            if in_office {
                (told.term, told.shut) = (term, shut);
            }
        }
        5 => {
            // Clocks are set back, too.
            told.now = input.byte().into();
            guard.handle_time(told.now);
        }
        _ => asked(guard, told, term, input),
    }
}

fn row(input: &mut Input<'_>) -> InstallRow {
    let Fence { domain, epoch } = fence(input);
    let choices = input.byte();
    let claims = (0..choices % 3).map(|_| {
        let (start, end) = (input.number() % SLOTS, input.number() % (SLOTS + 1));
        let slots = vec![SlotRange { start, end }];
        match input.below(5) {
            0 | 1 => Claim::Slots(slots),
            2 => Claim::Scope(input.interval().scope(), slots),
            3 => Claim::Release(Match::Prefix(input.key()).scope(), slots),
            _ => Claim::Clear,
        }
    });
    let claims = claims.collect();
    InstallRow {
        row: GuardRow {
            domain,
            keyspace: K,
            epoch,
            role: ROLES[usize::from(choices / 3) % 5],
            closed: false,
            drained: Epoch::ZERO,
            in_wave: choices & 0x80 != 0,
            authority_epoch: epoch,
        },
        claims,
    }
}

fn installed(told: &mut Told, row: &GuardRow) {
    let known = told.rows.get(&row.domain);
    if known.is_none_or(|known| row.epoch > known.epoch) {
        told.rows.insert(row.domain, *row);
    }
}

/// INVARIANT (guards rise), looked at from outside.
fn risen(before: &Guard, after: &Guard) {
    assert!(after.term() >= before.term(), "a lower term");
    for old in before.rows() {
        let new = after.row(old.domain).unwrap();
        assert!(
            (new.epoch, new.closed) >= (old.epoch, old.closed),
            "{old:?} became {new:?}"
        );
    }
}

/// A request, and whether the table of the protocol allows it.
fn asked(guard: &Guard, told: &Told, term: Term, input: &mut Input<'_>) {
    let fence = fence(input);
    let slot = Slot(input.number() % SLOTS);
    let key = input.key();
    let access = match input.below(7) {
        0 => Access::Read,
        1 => Access::Inspect,
        2 => Access::Write,
        3 => Access::Apply,
        4 => Access::Copy(term),
        5 => Access::Purge(term),
        _ => Access::Collect(term),
    };
    let holds = guard.holds(fence.domain, K, slot, &key);
    let answer = guard.admit(K, slot, &key, fence, access);
    let of_domain = guard.admit_domain(fence, access);
    assert!(holds || answer.is_err(), "a key that it doesn't hold");
    if holds {
        assert_eq!(answer, of_domain);
    }
    let Ok(row) = of_domain else {
        return refused(told, fence, access, of_domain.unwrap_err());
    };
    assert!(!told.shut, "a shut shard let something through");
    let known = told.rows[&fence.domain];
    assert_eq!((row.epoch, known.epoch), (fence.epoch, fence.epoch));
    let mirror = [Role::Mirror, Role::ReadableMirror, Role::LeasedMirror].contains(&known.role);
    let (allowed, in_office) = match access {
        Access::Read => {
            let leased = told.leases.iter().any(|&(domain, epoch, from, until)| {
                (domain, epoch) == (fence.domain, fence.epoch) && (from..until).contains(&told.now)
            });
            let mirror = known.role != Role::LeasedMirror || leased;
            (known.role != Role::None && mirror, true)
        }
        Access::Inspect => (known.role != Role::None, true),
        Access::Write => (known.role == Role::Authority && !known.closed, true),
        Access::Apply => (mirror && !known.closed, true),
        Access::Copy(term) => (mirror, term >= told.term),
        Access::Purge(term) => (known.role == Role::None, term >= told.term),
        Access::Collect(term) => {
            let settled = known.role == Role::Authority && !known.in_wave;
            (settled, term >= told.term)
        }
    };
    assert!(allowed && in_office, "{access:?} at {known:?}");
    if matches!(access, Access::Write | Access::Apply) {
        let closed = told.closed.contains(&(fence.domain, fence.epoch));
        assert!(!closed, "written at an epoch that was closed");
    }
}

/// A refusal says what is so.
fn refused(told: &Told, fence: Fence, access: Access, refusal: Refusal) {
    let known = told.rows.get(&fence.domain);
    let at = |current: Epoch| {
        told.shut && current == Epoch::ZERO || known.is_some_and(|row| row.epoch == current)
    };
    match refusal {
        Refusal::StaleEpoch { current, drained } => {
            assert!(at(current) && fence.epoch < current);
            assert_eq!(Some(drained), known.map(|row| row.drained));
        }
        Refusal::NotReady { current } => {
            let row = known.unwrap();
            let behind = fence.epoch > current || current == Epoch::ZERO;
            assert!(at(current) && (behind || row.closed));
        }
        Refusal::NotOwner => assert_eq!(known, None),
        Refusal::WrongRole { current } => assert!(at(current) && fence.epoch == current),
        Refusal::LeaseOver { current } => {
            assert!(at(current) && access == Access::Read);
            assert_eq!(known.map(|row| row.role), Some(Role::LeasedMirror));
        }
        Refusal::StaleTerm { seen } => assert_eq!(seen, told.term),
    }
}
