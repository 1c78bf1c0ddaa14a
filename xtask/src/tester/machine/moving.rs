//! Plans and coordinators.

use std::sync::Arc;

use ringshift::migration::{
    Action, Answer, Changes, CommandId, Coordinator, Settings, home_installs, plan,
};
use ringshift::{ShardId, Snapshot};
use serde_json::{Value, json};

use super::routing::written;
use super::{Machine, Object, Raw, Refused, Said};
use crate::tester::read::{bytes, data, now, small, text};

impl Machine<'_> {
    pub(super) fn moving(&mut self, call: &Value) -> Said {
        match text(call, "do")? {
            "home_installs" => {
                let shard = ShardId(small(call, "shard")?);
                written(&home_installs(&*self.snapshot(call, "on")?, shard))
            }
            "plan" => {
                let changes: Changes = data(&call["changes"])?;
                let slots = small(call, "wave_slots")?;
                let planned = plan(&*self.snapshot(call, "on")?, &changes, slots);
                let planned = planned.map_err(|e| Refused::from(e.code()))?;
                let said = json!({
                    "figures": written(&planned.figures)?, "waves": written(&planned.log.planned)?,
                });
                self.make(call, Object::Plan(planned.log))?;
                Ok(said)
            }
            "coordinator" => {
                let settings: Settings = data(&call["settings"])?;
                let wanted = match call["plan"].as_str() {
                    None => None,
                    Some(name) => match self.objects.get(name) {
                        Some(Object::Plan(log)) => Some(log.clone()),
                        _ => return Err(Refused::Missing),
                    },
                };
                let term = data(&call["term"])?;
                let made = Coordinator::new(term, Arc::new(settings), wanted, now(call)?);
                self.make(call, Object::Coordinator(Box::new(made)))?;
                Ok(Value::Null)
            }
            _ => self.coordinating(call),
        }
    }

    fn coordinating(&mut self, call: &Value) -> Said {
        let name = text(call, "on")?.to_owned();
        if let Some(of) = call.get("of")
            && text(call, "do")? == "answer"
        {
            let Some(Raw::Answer(answer)) = self.raw.get(&of.as_u64().unwrap_or_default()) else {
                return Err(Refused::Missing);
            };
            let answer = answer.clone();
            return self.answered(call, &name, answer);
        }
        if text(call, "do")? == "answer" {
            let answer = loaded(&call["answer"])?;
            return self.answered(call, &name, answer);
        }
        let Some(Object::Coordinator(coordinator)) = self.objects.get_mut(&name) else {
            return Err(Refused::Missing);
        };
        match text(call, "do")? {
            "act" => {
                let action = coordinator.poll();
                let said = written(&action)?;
                if let Action::Do { command, .. } = action {
                    self.keep(call, Raw::Command(command))?;
                }
                return Ok(said);
            }
            "coordinator_timeout" => coordinator.handle_timeout(now(call)?),
            "roll_back" => coordinator.roll_back(text(call, "reason")?),
            "pause" => coordinator.pause(text(call, "reason")?),
            "health" => coordinator.handle_health(now(call)?, data(&call["health"])?),
            "wall_clock" => {
                let (unix_ms, offset) = (data(&call["unix_ms"])?, data(&call["utc_offset_min"])?);
                coordinator.handle_wall_clock(now(call)?, unix_ms, offset);
            }
            "agree_to_finish" => coordinator.agree_to_finish(),
            "status" => {
                let decisions: Vec<_> = coordinator.decisions().collect();
                let status = written(&coordinator.status())?;
                return Ok(json!({"status": status, "decisions": written(&decisions)?}));
            }
            _ => coordinator.resume(),
        }
        Ok(Value::Null)
    }

    fn answered(&mut self, call: &Value, name: &str, answer: Answer) -> Said {
        let Some(Object::Coordinator(coordinator)) = self.objects.get_mut(name) else {
            return Err(Refused::Missing);
        };
        coordinator.handle_answer(now(call)?, CommandId(small(call, "id")?), answer);
        let epoch = coordinator.snapshot().map(|snapshot| snapshot.epoch());
        Ok(json!({"epoch": epoch}))
    }
}

/// An answer of the topology store, whose snapshot is written in hex.
fn loaded(value: &Value) -> Result<Answer, Refused> {
    let Some(of) = value.get("loaded") else {
        return Ok(data(value)?);
    };
    let snapshot = Snapshot::decode(&bytes(&of["snapshot"]["$hex"])?);
    Ok(Answer::Loaded {
        snapshot: Arc::new(snapshot.map_err(|e| e.to_string())?),
        log: data(&of["log"])?,
        marks: Vec::new(),
    })
}
