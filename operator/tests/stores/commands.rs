//! Guards: install, close, claim, and what coordinators of other terms may do.

use ringshift::migration::Lineage;
use ringshift::migration::command::{Answer, Command};
use ringshift::{Claim, GuardRow, InstallRow, Refusal, Reply, Role, SlotRange, Term};
use ringshift_operator::store::Chunks;

use crate::on_every_store;
use crate::shard::{HOME, SHARD, Shard, WAVE, all_slots, e, row, v};

fn guards(shard: &Shard) -> Vec<GuardRow> {
    match shard.command(&Command::Guards { shard: SHARD }) {
        Answer::Guards(rows) => rows,
        other => panic!("{other:?}"),
    }
}

on_every_store! {
    fn a_fresh_shard_knows_nothing(shard) {
        assert_eq!(guards(shard), []);
        assert_eq!(shard.read("a").reply, Reply::Refused(Refusal::NotOwner));
        assert_eq!(shard.close(), Answer::Closed(None));
        assert_eq!(shard.count(), Answer::Rows(0));
        assert_eq!(shard.purge(10), Answer::Refused(Refusal::NotOwner));
    }

    /// Race 22: a second copy of an install arrives after the next barrier has closed.
    fn guards_only_rise(shard) {
        shard.home();
        let closed = GuardRow { closed: true, ..row(HOME, 1, Role::Authority) };
        assert_eq!(shard.close(), Answer::Closed(Some(closed)));
        assert_eq!(shard.close(), Answer::Closed(Some(closed)));
        shard.install(row(HOME, 1, Role::Authority), vec![]);
        assert_eq!(guards(shard), [closed]);
        shard.install(row(HOME, 2, Role::Authority), vec![]);
        shard.install(row(HOME, 1, Role::None), vec![]);
        assert_eq!(guards(shard), [row(HOME, 2, Role::Authority)]);
        // Close acts at exactly its epoch, and answers the row as it is.
        assert_eq!(shard.close(), Answer::Closed(Some(row(HOME, 2, Role::Authority))));
    }

    fn rows_of_an_install_are_judged_one_by_one_with_their_claims(shard) {
        shard.home();
        let low = Claim::Slots(vec![SlotRange { start: 0, end: 8 }]);
        shard.install_all(vec![
            InstallRow { row: row(HOME, 1, Role::None), claims: vec![] },
            InstallRow { row: row(WAVE, 1, Role::Authority), claims: vec![low] },
        ]);
        let key = |low: bool| {
            (0..999).map(|n| format!("k{n}")).find(|key| (shard.slot(key).0 < 8) == low).unwrap()
        };
        let (low, high) = (key(true), key(false));
        assert_eq!(shard.put(&high, "x", 1), Reply::Written { version: v(1, 0) });
        assert_eq!(shard.put(&low, "x", 2), Reply::Refused(Refusal::WrongRole { current: e(1) }));
        // The row of an install that is skipped takes nothing with it.
        shard.install(row(HOME, 1, Role::Authority), vec![all_slots()]);
        shard.at(WAVE, 1);
        assert_eq!(shard.put(&low, "x", 3), Reply::Written { version: v(1, 0) });
    }

    /// Race 9: two coordinators; the lower term is refused everywhere.
    fn a_lower_term_is_refused(shard) {
        shard.home();
        let claim = |term| shard.command(&Command::Claim {
            shard: SHARD,
            term: Term(term),
            lineage: Lineage::default(),
        });
        assert!(matches!(claim(5), Answer::Claimed(_)));
        assert!(matches!(claim(5), Answer::Claimed(_)));
        let stale = Answer::Refused(Refusal::StaleTerm { seen: Term(5) });
        assert_eq!(claim(4), stale);
        assert_eq!(shard.close(), stale);
        assert_eq!(shard.purge(1), stale);
        assert_eq!(shard.collect(1), stale);
        shard.changes(0, 10, 1);
        assert_eq!(shard.apply_chunk(1), stale);
        let rows = vec![InstallRow { row: row(HOME, 9, Role::None), claims: vec![] }];
        let term = Term(4);
        assert_eq!(shard.command(&Command::Install { shard: SHARD, term, rows }), stale);
        assert_eq!(guards(shard), [row(HOME, 1, Role::Authority)]);
    }

    fn a_higher_term_is_remembered_by_install_and_close(shard) {
        shard.home();
        shard.term = Term(3);
        shard.close();
        shard.term = Term(2);
        assert_eq!(shard.close(), Answer::Refused(Refusal::StaleTerm { seen: Term(3) }));
    }

    fn commands_for_the_topology_store_are_not_carried_out(shard) {
        let term = Term(1);
        assert_eq!(shard.store.command(&Command::Lead { term, nonce: 0 }, &Chunks::new()), Answer::Unreachable);
        assert!(shard.store.last_error().is_some());
    }
}
