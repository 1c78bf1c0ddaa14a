//! Wishes: what people write, what is planned for it, and what is refused.

use ringshift::migration::{Changes, PlanError, plan};
use ringshift::{ErrorCode, Snapshot};

use crate::world::snapshot;

#[track_caller]
fn refused(base: &Snapshot, wish: &str) -> PlanError {
    let wish: Changes = serde_json::from_str(wish).unwrap();
    plan(base, &wish, 0).unwrap_err()
}

#[test]
fn slots_go_where_they_are_told_and_nothing_else_moves() {
    let base = snapshot(4, 8, r#""whole""#);
    let wish = r#"{"add":[{"id":5,"name":"pg-5"}],
                   "move_slots":[{"keyspace":"k","slots":"1-50","to":"pg-5"}]}"#;
    let plan = plan(&base, &serde_json::from_str(wish).unwrap(), 0).unwrap();
    let slots: u32 = plan.waves.iter().map(|wave| wave.slots).sum();
    assert_eq!(slots, 50);
    assert!(plan.waves.iter().all(|wave| wave.to == "pg-5"));
    assert_eq!(plan.shards[4].slots_after, 50);
    let text = plan.to_string();
    assert!(text.contains("50 of 256 slots move"), "{text}");
}

#[test]
fn wishes_that_cannot_be_meant_are_refused() {
    let base = snapshot(3, 4, r#""whole""#);
    let slots = |slots: &str, to: &str| {
        format!(r#"{{"move_slots":[{{"keyspace":"k","slots":{slots},"to":{to}}}]}}"#)
    };
    assert!(matches!(
        refused(&base, &slots(r#""16""#, "1")),
        PlanError::SlotRange { .. }
    ));
    assert!(matches!(
        refused(&base, &slots("[1]", "7")),
        PlanError::UnknownShard(_)
    ));
    assert!(matches!(
        refused(&base, &slots("[1]", r#""x""#)),
        PlanError::UnknownShardName(_)
    ));
    let twice = r#"{"move_slots":[{"keyspace":"k","slots":"1-3","to":1},
                                  {"keyspace":"k","slots":"3","to":2}]}"#;
    assert!(matches!(refused(&base, twice), PlanError::SlotTwice { .. }));
    let nowhere = r#"{"move_slots":[{"keyspace":"nix","slots":"1","to":1}]}"#;
    assert_eq!(refused(&base, nowhere).code(), ErrorCode::UnknownKeyspace);
    let goes = r#"{"remove":[1],"move_slots":[{"keyspace":"k","slots":"0-15","to":1}]}"#;
    assert!(matches!(refused(&base, goes), PlanError::NotEmptied { .. }));
    let grow = r#"{"remove":[1],"grow_bits":[{"keyspace":"k","bits":5}]}"#;
    assert_eq!(refused(&base, grow), PlanError::GrowAlone);
    for bits in [4, 21] {
        let grow = format!(r#"{{"grow_bits":[{{"keyspace":"k","bits":{bits}}}]}}"#);
        assert!(matches!(refused(&base, &grow), PlanError::Bits { .. }));
    }
    let region = r#"{"pin_keyspace":[{"keyspace":"k","prefix":"eu/","to_keyspace":"eu"}]}"#;
    assert!(matches!(
        refused(&base, region),
        PlanError::KeyspacePin { .. }
    ));
    for text in [r#""""#, r#""a""#, r#""3-1""#, r#""1-9999999""#, "[1048576]"] {
        assert!(
            serde_json::from_str::<Changes>(&slots(text, "1")).is_err(),
            "{text}"
        );
    }
    let already = slots("[0]", &owner_of_slot_0(&base).to_string());
    assert_eq!(refused(&base, &already), PlanError::Nothing);
}

fn owner_of_slot_0(base: &Snapshot) -> u32 {
    let index = base.content().keyspaces[0]
        .owner(ringshift::Slot(0))
        .unwrap();
    base.shard_id(index).unwrap().0
}
