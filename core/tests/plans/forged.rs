//! Plans that no planner makes, and plans for another snapshot, are refused before they begin.

use ringshift::migration::{
    Changes, CoordinatorError, Ending, Plan, PlanError, PlanOptions, Settings, plan, plan_with,
};
use ringshift::{ClientLease, KeyspaceId, ShardId, SlotRange, Snapshot};

use crate::world::{Then, World, snapshot};

fn good() -> (World, Plan) {
    let base = snapshot(3, 4, r#""whole""#);
    let wish = r#"{"add":[{"id":9,"name":"new"}]}"#;
    let changes: Changes = serde_json::from_str(wish).unwrap();
    let plan = plan_with(&base, &changes, &PlanOptions::default()).unwrap();
    (World::new(base, Vec::new()), plan)
}

/// The plan after `forge`, by its own check and by a coordinator.
#[track_caller]
fn refused(forge: impl FnOnce(&mut Plan)) -> PlanError {
    let (mut world, mut plan) = good();
    plan.check(&world.record.snapshot).unwrap();
    forge(&mut plan);
    let error = plan.check(&world.record.snapshot).unwrap_err();
    let before = world.record.clone();
    let ending = world.drive(&Settings::default(), Some(plan.log), |_, _, _| {
        Then::Nothing
    });
    let Some(Ending::Stuck(stuck)) = ending else {
        panic!("{ending:?}")
    };
    assert!(matches!(
        stuck,
        CoordinatorError::BadPlan { .. } | CoordinatorError::OutdatedPlan { .. }
    ));
    assert_eq!(world.record.snapshot, before.snapshot, "nothing was done");
    error
}

#[test]
fn a_plan_for_another_snapshot_is_refused() {
    let outdated = |error| assert!(matches!(error, PlanError::Outdated { .. }), "{error}");
    outdated(refused(|plan| {
        plan.log.base = plan.log.base.next().unwrap();
    }));
    outdated(refused(|plan| {
        plan.digest.0[0] ^= 1;
        plan.log.digest = Some(plan.digest);
    }));
    let (world, mut plan) = good();
    plan.cluster = "another".to_owned();
    outdated(plan.check(&world.record.snapshot).unwrap_err());
}

#[test]
fn a_plan_that_names_what_isnt_there_is_refused() {
    let forged = |error: PlanError| {
        assert!(matches!(error, PlanError::Forged { .. }), "{error}");
    };
    forged(refused(|plan| plan.log.planned[0].from = ShardId(77)));
    forged(refused(|plan| plan.log.planned[0].to = ShardId(77)));
    forged(refused(|plan| plan.log.planned[0].keyspace = KeyspaceId(7)));
    forged(refused(|plan| plan.log.planned[0].slots[0].end = u32::MAX));
    forged(refused(|plan| plan.log.planned[0].slots.clear()));
    forged(refused(|plan| {
        plan.log.planned[0].slots = vec![SlotRange { start: 3, end: 3 }];
    }));
    forged(refused(|plan| {
        let twice = plan.log.planned[0].clone();
        plan.log.planned.push(twice);
        let twice = plan.waves[0].clone();
        plan.waves.push(twice);
    }));
    // Slots of one shard as if they were another's.
    forged(refused(|plan| {
        let (a, b) = (plan.log.planned[0].from, plan.log.planned[1].from);
        plan.log.planned[0].from = b;
        plan.log.planned[1].from = a;
    }));
    forged(refused(|plan| plan.log.delist = vec![ShardId(1)]));
    forged(refused(|plan| plan.log.enlist.as_mut().unwrap().clear()));
    forged(refused(|plan| plan.log.kept = true));
}

/// Clients of the map in force know of no lease at that shard.
#[test]
fn a_plan_that_takes_a_shard_s_fence_away_is_refused() {
    let mut draft = snapshot(3, 4, r#""whole""#).next_draft().unwrap();
    draft.client_lease = Some(ClientLease {
        lease_ms: 1_000,
        attempt_ms: 100,
        margin_ms: 10,
    });
    let base = Snapshot::build(draft).unwrap();
    let wish = r#"{"add":[{"id":9,"name":"new","unfenced":true}]}"#;
    let changes: Changes = serde_json::from_str(wish).unwrap();
    let mut plan = plan_with(&base, &changes, &PlanOptions::default()).unwrap();
    plan.check(&base).unwrap();
    plan.log.enlist.as_mut().unwrap()[0].unfenced = true;
    let error = plan.check(&base).unwrap_err();
    assert!(matches!(error, PlanError::Forged { .. }), "{error}");
    assert!(error.to_string().contains("`unfenced`"), "{error}");
}

#[test]
fn json_of_a_plan_says_what_it_doesnt_know() {
    let (_, plan) = good();
    let text = serde_json::to_string(&plan).unwrap();
    let more = text.replacen('{', r#"{"surprise":1,"#, 1);
    assert!(serde_json::from_str::<Plan>(&more).is_err());
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
}

#[test]
fn a_running_migration_is_not_planned_over() {
    let (mut world, plan_) = good();
    world.drive(
        &Settings::default(),
        Some(plan_.log),
        |_, coordinator, _| {
            let waves = |s: &ringshift::Snapshot| !s.content().keyspaces[0].waves.is_empty();
            let begun = coordinator.snapshot().is_some_and(|s| waves(s));
            if begun { Then::Die } else { Then::Nothing }
        },
    );
    let wish: Changes = serde_json::from_str(r#"{"remove":[1]}"#).unwrap();
    let error = plan(&world.record.snapshot, &wish, 0).unwrap_err();
    assert_eq!(error, PlanError::Busy);
}
