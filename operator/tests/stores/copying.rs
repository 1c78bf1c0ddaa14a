//! Commands that walk many rows: changes, apply, purge, collect, digests.

use ringshift::migration::command::{Answer, KeyDigest};
use ringshift::{
    Claim, DomainId, InstallRow, Refusal, Reply, Revision, Role, SlotRange, row_digest,
};

use crate::on_every_store;
use crate::shard::{HOME, K, Shard, WAVE, all_slots, e, memory, one, row, sqlite, v};

fn load(shard: &mut Shard, rows: u64) {
    shard.home();
    for n in 0..rows {
        shard.put(&format!("k{n:03}"), &format!("v{n}"), n);
    }
}

/// Gives the lower half of the slots to the wave.
fn carve(shard: &Shard, epoch: u32, role: Role) {
    let low = Claim::Slots(vec![SlotRange { start: 0, end: 8 }]);
    shard.install_all(vec![
        InstallRow {
            row: row(HOME, epoch, Role::Authority),
            claims: vec![],
        },
        InstallRow {
            row: row(WAVE, epoch, role),
            claims: vec![low],
        },
    ]);
}

fn removed(rows: u32, end: bool) -> Answer {
    Answer::Removed { rows, end }
}

on_every_store! {
    fn changes_come_by_revision_in_chunks_that_say_how_far_they_reach(shard) {
        load(shard, 5);
        shard.put("k001", "again", 101);
        assert_eq!(shard.revision(), Revision(6));
        assert_eq!(shard.changes(0, 2, 1), Answer::Changes { rows: 2, upto: Revision(3), end: false });
        assert_eq!(shard.keys_of_chunk(1), ["k000", "k002"]);
        assert_eq!(shard.changes(3, 3, 2), Answer::Changes { rows: 3, upto: Revision(6), end: false });
        assert_eq!(shard.keys_of_chunk(2), ["k003", "k004", "k001"]);
        assert_eq!(shard.changes(6, 3, 3), Answer::Changes { rows: 0, upto: Revision(6), end: true });
    }

    fn changes_are_those_of_the_domain_and_reach_to_the_shard_s_revision(shard) {
        load(shard, 40);
        carve(shard, 2, Role::Authority);
        shard.at(WAVE, 2);
        let low: Vec<_> = (0..40).map(|n| format!("k{n:03}")).filter(|k| shard.slot(k).0 < 8).collect();
        let rows = u32::try_from(low.len()).unwrap();
        assert_eq!(shard.changes(0, 100, 1), Answer::Changes { rows, upto: Revision(40), end: true });
        assert_eq!(shard.keys_of_chunk(1), low);
        assert_eq!(shard.count(), Answer::Rows(rows.into()));
        shard.at(HOME, 2);
        assert_eq!(shard.count(), Answer::Rows(40 - u64::from(rows)));
        assert_eq!(shard.at(HOME, 1).changes(0, 1, 2), Answer::Refused(Refusal::StaleEpoch { current: e(2), drained: e(0) }));
    }

    fn tombstones_are_changes_too(shard) {
        load(shard, 1);
        shard.install(row(WAVE, 2, Role::Authority), vec![all_slots()]);
        shard.at(WAVE, 2);
        shard.delete("k000", 50);
        shard.changes(0, 9, 1);
        let rows = shard.chunks.get(ringshift::migration::command::ChunkId(1)).unwrap();
        assert_eq!((rows.len(), rows[0].value.clone(), rows[0].version), (1, None, v(2, 0)));
    }

    /// Race 24 in part, and 26: what is copied is the same rows, and a repeat changes nothing.
    fn a_chunk_carries_rows_from_any_store_to_any_store(shard) {
        load(shard, 200);
        shard.install(row(WAVE, 2, Role::Authority), vec![all_slots()]);
        shard.at(WAVE, 2);
        shard.delete("k007", 1000);
        for mut to in [memory(), sqlite()] {
            to.install(row(WAVE, 2, Role::Mirror), vec![all_slots()]);
            to.at(WAVE, 2);
            shard.changes(0, 1000, 1);
            std::mem::swap(&mut shard.chunks, &mut to.chunks);
            assert_eq!(to.apply_chunk(1), Answer::Done);
            let revision = to.revision();
            assert_eq!(to.apply_chunk(1), Answer::Done);
            assert_eq!(to.revision(), revision);
            assert_eq!(to.digests(), shard.digests());
            assert_eq!(to.read("k009"), shard.read("k009"));
            assert_eq!(to.read("k007").reply, Reply::Deleted { version: v(2, 0) });
        }
    }

    /// Race 15: a chunk of an abandoned wave arrives when everything is over.
    fn a_late_chunk_is_refused(shard) {
        load(shard, 3);
        shard.changes(0, 9, 1);
        shard.install(row(WAVE, 2, Role::Mirror), vec![all_slots()]);
        shard.at(WAVE, 1);
        assert_eq!(shard.apply_chunk(1), Answer::Refused(Refusal::StaleEpoch { current: e(2), drained: e(0) }));
        shard.at(HOME, 1);
        assert_eq!(shard.apply_chunk(1), Answer::Refused(Refusal::WrongRole { current: e(1) }));
        assert_eq!(shard.apply_chunk(77), Answer::Unreachable);
    }

    fn a_chunk_with_a_row_of_another_domain_is_refused_whole(shard) {
        load(shard, 30);
        shard.changes(0, 90, 1);
        let mut to = memory();
        std::mem::swap(&mut shard.chunks, &mut to.chunks);
        carve(&to, 1, Role::Mirror);
        to.at(WAVE, 1);
        assert_eq!(to.apply_chunk(1), Answer::Refused(Refusal::WrongRole { current: e(1) }));
        assert_eq!(to.count(), Answer::Rows(0));
    }

    fn copying_goes_on_while_the_guard_is_closed(shard) {
        shard.install(row(WAVE, 1, Role::Mirror), vec![all_slots()]);
        shard.at(WAVE, 1);
        shard.apply("a", v(1, 0), Some("one"), 1);
        shard.close();
        assert_eq!(shard.apply("a", v(1, 1), None, 2), Reply::Refused(Refusal::NotReady { current: e(1) }));
        shard.changes(0, 9, 1);
        assert_eq!(shard.apply_chunk(1), Answer::Done);
    }

    /// Races 23 and 27: a purge that comes late, when the shard is a mirror again, or when another
    /// domain holds the slots.
    fn a_late_purge_is_refused_and_only_touches_what_the_domain_holds(shard) {
        load(shard, 30);
        assert_eq!(shard.purge(100), Answer::Refused(Refusal::WrongRole { current: e(1) }));
        carve(shard, 2, Role::None);
        shard.at(WAVE, 2);
        let Answer::Rows(low) = shard.count() else { panic!() };
        let low = u32::try_from(low).unwrap();
        assert_eq!(shard.purge(low), removed(low, false));
        assert_eq!(shard.purge(low), removed(0, true));
        shard.at(HOME, 2);
        assert_eq!(shard.count(), Answer::Rows(u64::from(30 - low)));
        // Home takes all slots back: the ended wave's row is still there, but holds nothing.
        shard.install(row(HOME, 3, Role::Authority), vec![all_slots()]);
        shard.at(WAVE, 2);
        assert_eq!(shard.purge(100), removed(0, true));
        shard.at(HOME, 3);
        assert_eq!(shard.count(), Answer::Rows(u64::from(30 - low)));
    }

    fn purged_versions_are_never_given_again(shard) {
        load(shard, 1);
        shard.put("k000", "again", 9);
        shard.install(row(HOME, 2, Role::None), vec![]);
        shard.at(HOME, 2);
        assert_eq!(shard.purge(5), removed(1, true));
        let old = ringshift::GuardRow { authority_epoch: e(1), ..row(HOME, 3, Role::Authority) };
        shard.install(old, vec![]);
        shard.at(HOME, 3);
        assert_eq!(shard.put("k000", "new", 10), Reply::Written { version: v(1, 2) });
    }

    fn purge_stops_at_its_limit(shard) {
        load(shard, 150);
        shard.install(row(HOME, 2, Role::None), vec![]);
        shard.at(HOME, 2);
        assert_eq!(shard.purge(100), removed(100, false));
        assert_eq!(shard.count(), Answer::Rows(50));
        assert_eq!(shard.purge(100), removed(50, true));
    }

    /// Race 3: tombstones stay while the domain is in a wave, and go afterwards.
    fn tombstones_are_collected_only_outside_a_wave(shard) {
        load(shard, 4);
        shard.install(row(WAVE, 2, Role::Authority), vec![all_slots()]);
        shard.at(WAVE, 2);
        shard.delete("k001", 100);
        shard.delete("k002", 101);
        assert_eq!(shard.collect(9), Answer::Refused(Refusal::WrongRole { current: e(2) }));
        shard.install(row(HOME, 3, Role::Authority), vec![all_slots()]);
        shard.at(HOME, 3);
        assert_eq!(shard.collect(9), removed(2, true));
        assert_eq!(shard.collect(9), removed(0, true));
        assert_eq!(shard.read("k001").reply, Reply::Missing);
        assert_eq!(shard.count(), Answer::Rows(2));
    }

    fn digests_and_keys_say_what_a_domain_holds(shard) {
        load(shard, 20);
        let Answer::Digests(digests) = shard.digests() else { panic!() };
        assert_eq!(digests.iter().map(|d| d.rows).sum::<u64>(), 20);
        assert!(digests.windows(2).all(|pair| pair[0].slot < pair[1].slot));
        let slot = shard.slot("k005");
        let digest = *digests.iter().find(|d| d.slot == slot).unwrap();
        let Answer::Keys(keys) = shard.keys(vec![slot]) else { panic!() };
        assert_eq!(digest.sum, keys.iter().fold(0, |sum: u64, key| sum.wrapping_add(key.digest)));
        assert!(keys.contains(&KeyDigest {
            key: b"k005".to_vec(),
            version: v(1, 0),
            digest: row_digest(b"k005", v(1, 0), Some(b"v5")),
        }));
        assert_eq!(shard.keys(vec![]), Answer::Keys(vec![]));
    }

    fn a_sample_is_drawn_by_its_seed_and_looked_at_by_key(shard) {
        load(shard, 40);
        let slots: Vec<_> = (0..16).map(ringshift::Slot).collect();
        let Answer::Keys(all) = shard.keys(slots.clone()) else { panic!() };
        let drawn = |seed, limit| match shard.sample(slots.clone(), seed, limit) {
            Answer::Keys(keys) => keys,
            other => panic!("{other:?}"),
        };
        let (seven, eight) = (drawn(7, 5), drawn(8, 5));
        assert_eq!((seven.len(), eight.len()), (5, 5));
        assert!(seven.is_sorted() && seven != eight);
        assert!(seven.iter().all(|key| all.contains(key)));
        assert_eq!(drawn(7, 5), seven);
        let lowest = ringshift::migration::command::sample(all.clone(), 7, 5);
        assert_eq!(seven, lowest);
        assert_eq!(drawn(7, 1_000), all);
        let keys = vec![b"k004".to_vec(), b"none".to_vec()];
        let Answer::Keys(found) = shard.look_at(slots.clone(), keys.clone()) else { panic!() };
        assert_eq!(found.iter().map(|key| key.key.as_slice()).collect::<Vec<_>>(), [b"k004"]);
        let elsewhere = slots.into_iter().filter(|&slot| slot != shard.slot("k004")).collect();
        assert_eq!(shard.look_at(elsewhere, keys), Answer::Keys(vec![]));
    }

    fn a_pinned_key_is_copied_counted_and_purged_with_its_own_domain(shard) {
        load(shard, 10);
        let pin = DomainId(7);
        shard.install(row(pin, 2, Role::Authority), vec![one("k004"), one("none")]);
        assert_eq!(shard.count(), Answer::Rows(9));
        shard.at(pin, 2);
        assert_eq!(shard.count(), Answer::Rows(1));
        assert_eq!(shard.changes(0, 5, 1), Answer::Changes { rows: 1, upto: Revision(10), end: true });
        assert_eq!(shard.keys_of_chunk(1), ["k004"]);
        let Answer::Digests(digests) = shard.digests() else { panic!() };
        assert_eq!((digests.len(), digests[0].slot), (1, shard.slot("k004")));
        let Answer::Keys(keys) = shard.keys(vec![shard.slot("k004")]) else { panic!() };
        assert_eq!(keys.len(), 1);
        shard.install(row(pin, 3, Role::None), vec![]);
        shard.at(pin, 3);
        assert_eq!(shard.purge(5), removed(1, true));
        shard.at(HOME, 1);
        assert_eq!(shard.changes(0, 50, 1), Answer::Changes { rows: 9, upto: shard.revision(), end: true });
    }

    fn two_keyspaces_do_not_see_each_other(shard) {
        load(shard, 3);
        let other = DomainId(9);
        let guard = ringshift::GuardRow { keyspace: ringshift::KeyspaceId(1), ..row(other, 1, Role::Authority) };
        shard.install(guard, vec![all_slots()]);
        shard.at(other, 1);
        shard.keyspace = ringshift::KeyspaceId(1);
        shard.put("k000", "mine", 77);
        assert_eq!(shard.count(), Answer::Rows(1));
        assert_eq!(shard.changes(0, 9, 1), Answer::Changes { rows: 1, upto: Revision(4), end: true });
        shard.at(HOME, 1);
        shard.keyspace = K;
        assert_eq!(shard.read("k000").found.unwrap().value, Some(b"v0".to_vec()));
    }
}
