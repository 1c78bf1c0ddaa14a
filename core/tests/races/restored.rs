//! Shards and clients that fall back to what was before.

use ringshift::migration::{Answer, CoordinatorError, Ending, Lineage, Mark, Move, Stage};
use ringshift::{Phase, Refusal, Router};

use super::client::refused;
use super::shard::Shard;
use super::world::{FROM, MOVES, STAYS, TO, World, settings};

/// A world whose shards have been counted, and what a shard was before the migration began.
fn world(shard: ringshift::ShardId) -> (World, Shard) {
    let mut w = World::new(settings());
    for shard in w.shards.values_mut() {
        shard.answers = 5;
    }
    w.put(MOVES, 1);
    w.put(STAYS, 1);
    let backup = w.shards[&shard].clone();
    for shard in w.shards.values_mut() {
        shard.answers = 9;
    }
    (w, backup)
}

fn not_ready(w: &mut World, key: u8) {
    let mut reader = w.read(key);
    let refusal = refused(w.advance(&mut reader));
    assert!(matches!(refusal, Refusal::NotReady { .. }), "{refusal:?}");
}

/// A restored authority would take writes by old maps. It is shut at the next take-over, and
/// everything is refused until somebody readmits it; then old maps stay refused.
#[test]
fn race_20_a_restored_shard_stays_closed() {
    let (mut w, backup) = world(FROM);
    let old = w.snapshot.clone();
    w.begin();
    w.run_past(Move::Switch, Stage::InstallOther);
    w.put(MOVES, 2);
    w.shards.insert(FROM, backup);
    w.take_over();
    w.run_past(Move::Quarantine, Stage::Shut);
    for key in [MOVES, STAYS] {
        let mut late = w.write_by(&old, key, 7);
        let refusal = refused(w.advance(&mut late));
        assert!(matches!(refusal, Refusal::NotReady { .. }), "{refusal:?}");
    }
    not_ready(&mut w, STAYS);
    assert_eq!(w.get(MOVES), 2, "`to` has them");
    let stuck = CoordinatorError::Restored { shard: FROM };
    assert_eq!(w.run_out(), Ending::Stuck(stuck));
    // Whoever comes after finds it shut, and leaves it so.
    w.take_over();
    w.run_past(Move::TakeOver, Stage::Guards);
    assert_eq!(w.coordinator.shut().collect::<Vec<_>>(), [FROM]);
    not_ready(&mut w, STAYS);
}

/// Taken back by an operator, a mirror is copied to from the beginning, and old maps are refused.
#[test]
fn race_20_a_readmitted_mirror_is_copied_again() {
    let (mut w, backup) = world(TO);
    w.begin();
    w.run_to(Move::Ramp(0), Stage::CloseFrom);
    assert_eq!(w.held(TO, MOVES), Some(1));
    let before = w.snapshot.clone();
    w.shards.insert(TO, backup);
    w.take_over();
    w.run_past(Move::Quarantine, Stage::Shut);
    w.run_past(Move::TakeOver, Stage::Guards);
    w.coordinator.readmit(TO);
    let shut = w.run_to(Move::Readmit, Stage::Shut);
    not_ready(&mut w, super::world::THERE);
    w.answer(Answer::Unreachable);
    assert_eq!(w.errand().command, shut.command);
    w.step();
    assert!(w.coordinator.shut().next().is_none());
    let mut late = w.write_by(&before, super::world::THERE, 3);
    let refusal = refused(w.advance(&mut late));
    assert!(matches!(refusal, Refusal::StaleEpoch { .. }), "{refusal:?}");
    w.put(super::world::THERE, 4);
    w.run_past(Move::Ramp(0), Stage::InstallOther);
    assert_eq!(w.phase(), Phase::ReadNew);
    assert_eq!(w.held(TO, MOVES), Some(1), "copied again");
    assert_eq!([w.get(MOVES), w.get(STAYS)], [1, 1]);
}

/// Put back to when some keys were carved out, and readmitted when they have long been home again, a
/// shard doesn't hold them apart any more: nobody would be let through to them.
#[test]
fn race_20_a_readmitted_shard_lets_go_of_old_intervals() {
    let (mut w, _) = world(FROM);
    w.begin();
    w.run_past(Move::Mirror, Stage::InstallOther);
    let carved = w.shards[&FROM].clone();
    w.take_over();
    w.coordinator.roll_back("");
    assert!(matches!(w.run_out(), Ending::RolledBack { .. }));
    w.shards.insert(FROM, carved);
    w.take_over();
    w.run_past(Move::Quarantine, Stage::Shut);
    w.run_past(Move::TakeOver, Stage::Guards);
    w.coordinator.readmit(FROM);
    w.run_past(Move::Readmit, Stage::Shut);
    for key in [MOVES, STAYS] {
        w.put(key, 2);
        assert_eq!(w.get(key), 2);
    }
}

/// Put back to just before its last claim, a shard counts as many answers at the next one as the
/// record knows. That it has never heard of the claim before tells it all the same, whoever claims it
/// and whatever it was told since.
#[test]
fn race_20_a_shard_restored_by_one_claim_is_told() {
    for (unheard, claims_more) in [(false, 0), (true, 0), (false, 1), (true, 5)] {
        let (mut w, _) = world(FROM);
        w.begin();
        w.run_past(Move::Enlist, Stage::Log);
        if unheard {
            // Its last claim is one whose coordinator died before the record heard of it.
            w.take_over();
            w.run_past(Move::TakeOver, Stage::Claim);
        }
        let before = w.shards[&FROM].clone();
        w.take_over();
        w.run_past(Move::Begin, Stage::Swap);
        let known = *w.marks.iter().find(|mark| mark.shard == FROM).unwrap();
        assert_eq!(known.answers, before.answers + 1);
        w.shards.insert(FROM, before);
        for _ in 0..claims_more {
            // Claimed by somebody who dies before the record hears of it.
            w.take_over();
            w.run_past(Move::TakeOver, Stage::Claim);
        }
        w.take_over();
        w.run_past(Move::Quarantine, Stage::Shut);
        not_ready(&mut w, STAYS);
    }
}

/// A shard that has kept its file is never taken for a restored one: however many coordinators die
/// between a claim and the record, and however late a copy of an old claim comes.
#[test]
fn race_20_a_shard_that_was_only_claimed_is_let_go_on() {
    let (mut w, _) = world(FROM);
    w.begin();
    w.run_past(Move::Enlist, Stage::Log);
    w.take_over();
    let mut late = Vec::new();
    for round in 0..12 {
        let claim = w.run_to(Move::TakeOver, Stage::Claim);
        w.step();
        w.deliver(&claim);
        late.push(claim);
        if round % 3 == 2 {
            w.run_past(Move::TakeOver, Stage::Guards);
            while w.errand().point.goal == Move::TakeOver {
                w.step();
            }
            assert_eq!(w.errand().point.goal, Move::Tend);
            w.step();
        }
        for claim in &late {
            w.deliver(claim);
        }
        w.take_over();
    }
    assert_eq!(w.run_out(), Ending::Complete);
    assert_eq!(w.coordinator.shut().count(), 0);
}

/// Another file under the same name is as strange as an older one.
#[test]
fn race_20_another_file_is_another_incarnation() {
    let known = Mark {
        shard: FROM,
        incarnation: [1; 16],
        answers: 5,
        shut: false,
        lineage: Lineage::default(),
    };
    let (mut w, _) = world(FROM);
    w.marks.push(known);
    w.begin();
    w.run_past(Move::Quarantine, Stage::Shut);
    not_ready(&mut w, STAYS);
}

/// A process that is handed an old map, by a lagging source say, keeps the newer one that it has
/// acted on; and so does an operation on its way.
#[test]
fn race_17_nobody_goes_below_what_they_have_acted_on() {
    let mut w = World::new(settings());
    w.put(MOVES, 1);
    let old = w.snapshot.clone();
    w.begin();
    w.run_to(Move::Switch, Stage::Swap);
    let new = Router::new(w.snapshot.clone());
    assert!(matches!(
        new.snapshot().check_successor(&old),
        Ok(false) | Err(_)
    ));
    // It waits at a closed guard, and looks at whatever map it is handed meanwhile.
    let mut client = w.write(MOVES, 2);
    let refusal = refused(w.advance(&mut client));
    assert!(matches!(refusal, Refusal::NotReady { .. }), "{refusal:?}");
    let plan = *client.plan();
    client.refresh(&old);
    assert_eq!(*client.plan(), plan, "the map that it knows");
    w.run_past(Move::Switch, Stage::InstallOther);
    let end = w.finish(&mut client);
    assert!(matches!(end, super::client::End::Written { .. }), "{end:?}");
    assert_eq!(w.held(TO, MOVES), Some(2));
}
