//! Requests of operations: versions, tombstones, put-if, repeats, the fence.

use ringshift::{AttemptKind, Claim, DomainId, Failure, Refusal, Reply, Role};
use ringshift_operator::store::{Change, Content, Found};

use crate::on_every_store;
use crate::shard::{HOME, Shard, WAVE, all_slots, e, one, op, release, row, scope, v};

fn written(epoch: u32, counter: u32) -> Reply {
    Reply::Written {
        version: v(epoch, counter),
    }
}

on_every_store! {
    fn a_write_gets_the_next_version_and_is_read_back(shard) {
        shard.home();
        assert_eq!(shard.read("a").reply, Reply::Missing);
        assert_eq!(shard.put("a", "one", 1), written(1, 0));
        assert_eq!(shard.put("a", "two", 2), written(1, 1));
        let read = shard.read("a");
        assert_eq!(read.reply, Reply::Found { version: v(1, 1) });
        assert_eq!(read.found, Some(Found { value: Some(b"two".to_vec()), op: op(2) }));
    }

    fn an_empty_value_is_not_a_tombstone(shard) {
        shard.home();
        shard.put("", "", 1);
        let read = shard.read("");
        assert_eq!(read.reply, Reply::Found { version: v(1, 0) });
        assert_eq!(read.found.unwrap().value, Some(Vec::new()));
    }

    fn a_new_authority_beats_all_of_the_old_one_s_versions(shard) {
        shard.home();
        shard.put("a", "one", 1);
        shard.put("a", "two", 2);
        shard.install(row(HOME, 5, Role::Authority), vec![]);
        shard.at(HOME, 5);
        assert_eq!(shard.put("a", "three", 3), written(5, 0));
    }

    fn a_delete_outside_a_wave_removes_the_row_and_raises_the_floor(shard) {
        shard.home();
        shard.put("a", "one", 1);
        assert_eq!(shard.delete("a", 2), written(1, 1));
        assert_eq!(shard.read("a").reply, Reply::Missing);
        assert_eq!(shard.put("a", "again", 3), written(1, 2));
    }

    fn a_delete_of_nothing_is_written_and_raises_the_floor(shard) {
        shard.home();
        assert_eq!(shard.delete("a", 1), written(1, 0));
        assert_eq!(shard.put("a", "one", 2), written(1, 1));
    }

    fn a_delete_in_a_wave_leaves_a_tombstone_even_of_nothing(shard) {
        shard.install(row(WAVE, 1, Role::Authority), vec![all_slots()]);
        shard.at(WAVE, 1);
        shard.put("a", "one", 1);
        assert_eq!(shard.delete("a", 2), written(1, 1));
        assert_eq!(shard.delete("b", 3), written(1, 0));
        for (key, version, n) in [("a", v(1, 1), 2), ("b", v(1, 0), 3)] {
            let read = shard.read(key);
            assert_eq!(read.reply, Reply::Deleted { version });
            assert_eq!(read.found, Some(Found { value: None, op: op(n) }));
        }
        assert_eq!(shard.put("a", "again", 4), written(1, 2));
    }

    fn put_if_compares_versions(shard) {
        shard.home();
        assert_eq!(shard.put_if("a", Some(v(1, 0)), "x", 1).reply, Reply::Conflict { found: None });
        assert_eq!(shard.put_if("a", None, "one", 2).reply, written(1, 0));
        let refused = shard.put_if("a", None, "x", 3);
        assert_eq!(refused.reply, Reply::Conflict { found: Some(v(1, 0)) });
        assert_eq!(refused.found, Some(Found { value: Some(b"one".to_vec()), op: op(2) }));
        assert_eq!(shard.put_if("a", Some(v(1, 0)), "two", 4).reply, written(1, 1));
        assert_eq!(shard.put_if("a", Some(v(1, 0)), "x", 5).reply, Reply::Conflict { found: Some(v(1, 1)) });
    }

    fn to_put_if_a_tombstone_is_no_row(shard) {
        shard.install(row(WAVE, 1, Role::Authority), vec![all_slots()]);
        shard.at(WAVE, 1);
        shard.delete("a", 1);
        let refused = shard.put_if("a", Some(v(1, 0)), "x", 2);
        assert_eq!(refused.reply, Reply::Conflict { found: Some(v(1, 0)) });
        assert_eq!(refused.found, Some(Found { value: None, op: op(1) }));
        assert_eq!(shard.put_if("a", None, "one", 3).reply, written(1, 1));
    }

    /// Race 13: a transport sends a write twice.
    fn a_repeated_write_is_carried_out_once(shard) {
        shard.home();
        shard.put("a", "one", 1);
        let revision = shard.revision();
        assert_eq!(shard.put("a", "one", 1), written(1, 0));
        assert_eq!(shard.put_if("a", None, "one", 1).reply, written(1, 0));
        assert_eq!(shard.revision(), revision);
        assert_eq!(shard.confirm("a", 1), written(1, 0));
        shard.put("a", "two", 2);
        assert_eq!(shard.confirm("a", 1), Reply::Missing);
        assert_eq!(shard.confirm("b", 1), Reply::Missing);
    }

    /// Race 1: backfill brings V1 after a client has brought V2.
    fn an_apply_puts_only_what_is_newer(shard) {
        shard.install(row(WAVE, 1, Role::Mirror), vec![all_slots()]);
        shard.at(WAVE, 1);
        assert_eq!(shard.apply("a", v(1, 2), Some("two"), 2), written(1, 2));
        assert_eq!(shard.apply("a", v(1, 1), Some("one"), 1), Reply::Superseded);
        assert_eq!(shard.apply("a", v(1, 2), Some("two"), 2), Reply::Superseded);
        assert_eq!(shard.apply("a", v(1, 3), None, 3), written(1, 3));
        assert_eq!(shard.apply("a", v(1, 2), Some("two"), 2), Reply::Superseded);
        assert_eq!(shard.read("a").reply, Reply::Deleted { version: v(1, 3) });
    }

    fn the_operation_travels_with_an_applied_row(shard) {
        shard.install(row(WAVE, 1, Role::Mirror), vec![all_slots()]);
        shard.at(WAVE, 1);
        shard.apply("a", v(1, 0), Some("one"), 9);
        shard.install(row(WAVE, 2, Role::Authority), vec![]);
        shard.at(WAVE, 2);
        assert_eq!(shard.put("a", "one", 9), written(1, 0));
        assert_eq!(shard.confirm("a", 9), written(1, 0));
    }

    /// Races 5 and 6: a client behind the shard, and one ahead of it.
    fn the_fence_compares_epochs_three_ways(shard) {
        shard.install(row(HOME, 5, Role::Authority), vec![all_slots()]);
        let stale = Reply::Refused(Refusal::StaleEpoch { current: e(5), drained: e(0) });
        assert_eq!(shard.at(HOME, 4).put("a", "x", 1), stale);
        assert_eq!(shard.read("a").reply, stale);
        let early = Reply::Refused(Refusal::NotReady { current: e(5) });
        assert_eq!(shard.at(HOME, 6).put("a", "x", 1), early);
        assert_eq!(shard.at(DomainId(9), 5).put("a", "x", 1), Reply::Refused(Refusal::NotOwner));
        assert_eq!(shard.at(HOME, 5).put("a", "x", 1), written(5, 0));
    }

    fn only_the_domain_that_holds_the_slot_may_touch_its_rows(shard) {
        shard.home();
        shard.install(row(WAVE, 1, Role::Authority), vec![]);
        shard.at(WAVE, 1);
        let wrong = Reply::Refused(Refusal::WrongRole { current: e(1) });
        assert_eq!(shard.put("a", "x", 1), wrong);
        assert_eq!(shard.read("a").reply, wrong);
    }

    fn a_pinned_key_belongs_to_its_own_domain_until_it_is_released(shard) {
        shard.home();
        shard.put("hot", "one", 1);
        shard.put("cold", "one", 2);
        let pin = DomainId(7);
        shard.install(row(pin, 2, Role::Authority), vec![one("hot")]);
        let wrong = Reply::Refused(Refusal::WrongRole { current: e(1) });
        assert_eq!(shard.put("hot", "x", 3), wrong);
        assert_eq!(shard.put("cold", "two", 4), written(1, 1));
        shard.at(pin, 2);
        assert_eq!(shard.put("hot", "two", 5), written(2, 0));
        shard.install(row(HOME, 3, Role::Authority), vec![release(one("hot"))]);
        assert_eq!(shard.put("hot", "x", 6), Reply::Refused(Refusal::WrongRole { current: e(2) }));
        shard.at(HOME, 3);
        assert_eq!(shard.put("hot", "three", 7), written(3, 0));
    }

    /// An interval that lacks the key's slot is climbed over, also where the one around it has come
    /// after it, or has gone.
    fn the_innermost_interval_that_has_the_slot_decides(shard) {
        shard.home();
        let slot = shard.slot("hot").0;
        let other = (slot + 1) % 16;
        let other = ringshift::SlotRange { start: other, end: other + 1 };
        let interval = |prefix: &str| scope(&ringshift::Match::Prefix(prefix.as_bytes().to_vec()));
        let [outer, middle, inner] = [7, 8, 9].map(DomainId);
        let Claim::Scope(innermost, _) = interval("hot") else { panic!() };
        shard.install(row(outer, 1, Role::Authority), vec![interval("h")]);
        shard.install(row(inner, 1, Role::Authority), vec![Claim::Scope(innermost, vec![other])]);
        let holds = |shard: &mut Shard, domain: DomainId, epoch: u32, op: u64| {
            shard.at(domain, epoch);
            matches!(shard.put("hot", "x", op), Reply::Written { .. })
        };
        assert!(holds(shard, outer, 1, 1) && !holds(shard, inner, 1, 2));
        shard.install(row(middle, 1, Role::Authority), vec![interval("ho")]);
        assert!(holds(shard, middle, 1, 3) && !holds(shard, outer, 1, 4));
        shard.install(row(middle, 2, Role::Authority), vec![release(interval("ho"))]);
        assert!(holds(shard, outer, 1, 5) && !holds(shard, middle, 2, 6));
        shard.install(row(outer, 2, Role::Authority), vec![release(interval("h"))]);
        assert!(holds(shard, HOME, 1, 7) && !holds(shard, outer, 2, 8));
    }

    fn a_closed_guard_holds_writes_back_and_serves_reads(shard) {
        shard.home();
        shard.put("a", "one", 1);
        shard.close();
        let held = Reply::Refused(Refusal::NotReady { current: e(1) });
        assert_eq!(shard.put("a", "two", 2), held);
        assert_eq!(shard.read("a").reply, Reply::Found { version: v(1, 0) });
    }

    fn content_that_does_not_go_with_the_kind_is_rejected(shard) {
        shard.home();
        let rejected = Reply::Failed(Failure::Rejected);
        let write = shard.attempt("a", AttemptKind::Write);
        assert_eq!(shard.store.attempt(&write, b"a", Content::None).reply, rejected);
        let content = Content::Row { value: None, op: op(1) };
        assert_eq!(shard.store.attempt(&write, b"a", content).reply, rejected);
    }

    fn a_slot_of_other_bits_is_rejected(shard) {
        shard.home();
        let key = (0..999).map(|n| format!("k{n}")).find(|key| shard.slot(key).0 >= 8).unwrap();
        shard.put(&key, "one", 1);
        let mut attempt = shard.attempt(&key, AttemptKind::Write);
        attempt.slot.0 >>= 1;
        let content = Content::Own { change: Change::Delete, op: op(2) };
        let reply = shard.store.attempt(&attempt, key.as_bytes(), content).reply;
        assert_eq!(reply, Reply::Failed(Failure::Rejected));
        // One of 5 bits doesn't go with the rows of 4 bits.
        let mut attempt = shard.attempt(&key, AttemptKind::Write);
        attempt.slot.0 = attempt.stored_slot >> 15;
        shard.install(row(HOME, 2, Role::Authority), vec![Claim::Slots(vec![ringshift::SlotRange { start: 0, end: 32 }])]);
        attempt.fence.epoch = e(2);
        let reply = shard.store.attempt(&attempt, key.as_bytes(), content).reply;
        assert_eq!(reply, Reply::Failed(Failure::Rejected));
    }
}
