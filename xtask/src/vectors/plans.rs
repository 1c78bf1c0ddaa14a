//! `plans.json`: from a wish to a plan, what can't be planned, and which plan fits which snapshot.

mod wishes;

use ringshift::migration::{
    Changes, Circumstances, Plan, PlanOptions, advise_strategy, plan, plan_with,
};
use ringshift::{Router, Snapshot, Topology};
use serde_json::{Map, Value, json};

use super::{Section, hex};

pub(super) fn sections() -> Result<Vec<Section>, String> {
    Ok(vec![
        Section {
            name: "plans",
            about: "Planning `changes` from `snapshot` (bytes in hex), with waves of `wave_slots_max` slots at most and with `options` unless they are null, gives exactly `plan`, and `text` for people. A run of slots has `end` not in it. `owners` is what verify.py begins with: the number of each slot's shard, keyspace by keyspace.",
            cases: wishes::PLANNED.iter().map(planned).collect::<Result<_, _>>()?,
        },
        Section {
            name: "refused",
            about: "Wishes that can't be planned, and the slug of the error that says so.",
            cases: wishes::REFUSED
                .iter()
                .map(refused)
                .collect::<Result<_, _>>()?,
        },
        Section {
            name: "checks",
            about: "Whether a plan that was kept is one for `snapshot`; `error` is null, or the slug of the error that refuses it.",
            cases: checks()?,
        },
        Section {
            name: "advice",
            about: "Which strategy fits the `circumstances`, and why.",
            cases: wishes::CIRCUMSTANCES
                .iter()
                .map(|text| {
                    let facts: Circumstances = read(text)?;
                    Ok(json!({"circumstances": read::<Value>(text)?, "advice": advise_strategy(&facts)}))
                })
                .collect::<Result<_, String>>()?,
        },
    ])
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|e| format!("{e} in {text}"))
}

pub(crate) fn snapshot(topology: &str) -> Result<Snapshot, String> {
    let topology: Topology = read(topology)?;
    topology.snapshot().map_err(|e| e.to_string())
}

/// One wish: why it is here, the topology, the changes, waves at most, the options.
pub(super) type Wish = (
    &'static str,
    &'static str,
    &'static str,
    u32,
    Option<&'static str>,
);

fn made(wish: &Wish) -> Result<Result<Plan, String>, String> {
    let &(_, topology, changes, most, options) = wish;
    let snapshot = snapshot(topology)?;
    let changes: Changes = match serde_json::from_str(changes) {
        Ok(changes) => changes,
        // What can't be read as a wish is no plan either.
        Err(_) => return Ok(Err("plan".to_owned())),
    };
    let made = match options {
        None => plan(&snapshot, &changes, most),
        Some(text) => {
            let options = PlanOptions {
                wave_slots_max: most,
                ..read(text)?
            };
            plan_with(&snapshot, &changes, &options)
        }
    };
    Ok(made.map_err(|e| e.code().as_str().to_owned()))
}

fn asked(wish: &Wish) -> Result<Map<String, Value>, String> {
    let &(why, topology, changes, most, options) = wish;
    let snapshot = snapshot(topology)?;
    let case = json!({
        "why": why,
        "snapshot": hex(&snapshot.encode()),
        "changes": read::<Value>(changes)?,
        "wave_slots_max": most,
        "options": options.map(read::<Value>).transpose()?,
    });
    Ok(case.as_object().cloned().unwrap_or_default())
}

fn planned(wish: &Wish) -> Result<Value, String> {
    let plan = made(wish)?.map_err(|slug| format!("`{}` is refused: {slug}", wish.0))?;
    let mut case = asked(wish)?;
    case.insert("owners".to_owned(), owners(&snapshot(wish.1)?)?);
    case.insert("text".to_owned(), json!(plan.to_string()));
    case.insert("plan".to_owned(), json!(plan));
    Ok(Value::Object(case))
}

fn owners(snapshot: &Snapshot) -> Result<Value, String> {
    let router = Router::new(snapshot.clone().into());
    let mut all = Map::new();
    for keyspace in &snapshot.content().keyspaces {
        let found = router.keyspace(&keyspace.name).map_err(|e| e.to_string())?;
        let shards = found.owners().into_iter().map(|index| {
            let shard = snapshot.content().shard_at(index);
            shard.map(|shard| shard.id)
        });
        all.insert(keyspace.name.clone(), json!(shards.collect::<Vec<_>>()));
    }
    Ok(Value::Object(all))
}

fn refused(wish: &Wish) -> Result<Value, String> {
    let Err(slug) = made(wish)? else {
        return Err(format!("`{}` is not refused", wish.0));
    };
    let mut case = asked(wish)?;
    case.insert("error".to_owned(), json!(slug));
    Ok(Value::Object(case))
}

fn checks() -> Result<Vec<Value>, String> {
    let wish = wishes::PLANNED.first().ok_or("no plans")?;
    let good = made(wish)?.map_err(|slug| format!("refused: {slug}"))?;
    let own = snapshot(wish.1)?;
    let mut draft = own.next_draft().map_err(|e| e.to_string())?;
    draft.next_domain.0 += 1;
    let later = Snapshot::build(draft).map_err(|e| e.to_string())?;
    let forged = |path: &str, value: Value| {
        let mut plan = json!(good);
        let place = plan.pointer_mut(path).ok_or_else(|| format!("no {path}"))?;
        *place = value;
        Ok::<_, String>(plan)
    };
    let kept = json!(good);
    let list = [
        ("as it was made", kept.clone(), &own),
        ("the next snapshot", kept, &later),
        (
            "another cluster's",
            forged("/cluster", json!("another"))?,
            &own,
        ),
        (
            "from a shard that isn't there",
            forged("/log/planned/0/from", json!(77))?,
            &own,
        ),
        (
            "of another shard's slots",
            forged("/log/planned/0/from", json!(2))?,
            &own,
        ),
        (
            "to a shard that isn't there",
            forged("/log/planned/0/to", json!(77))?,
            &own,
        ),
        (
            "of no keyspace",
            forged("/log/planned/0/keyspace", json!(7))?,
            &own,
        ),
        ("no slots", forged("/log/planned/0/slots", json!([]))?, &own),
        (
            "a shard with slots goes",
            forged("/log/delist", json!([1]))?,
            &own,
        ),
        ("nobody is left", forged("/log/enlist", json!([]))?, &own),
    ];
    list.into_iter()
        .map(|(why, plan, snapshot)| {
            let read: Plan = serde_json::from_value(plan.clone()).map_err(|e| format!("{why}: {e}"))?;
            let error = read.check(snapshot).err().map(|e| e.code().as_str());
            Ok(json!({"why": why, "plan": plan, "snapshot": hex(&snapshot.encode()), "error": error}))
        })
        .collect()
}
