//! Operations, comparisons and the gate of refreshes.

use ringshift::{
    AttemptId, Operation, RefreshGate, RefreshStep, Shadow, ShadowStep, Step, row_digest,
};
use ringshift::{Compared, MismatchKind};
use serde_json::{Value, json};

use super::routing::key;
use super::{Machine, Object, Raw, Refused, Said};
use crate::tester::read::{bytes, epoch, now, number, policy, reply, small, text, version};
use crate::vectors::operation::words;

impl Machine<'_> {
    pub(super) fn operating(&mut self, call: &Value) -> Said {
        match text(call, "do")? {
            kind @ ("read" | "write") => {
                let keyspace = self.keyspace(call, "on")?;
                let plan = keyspace.plan(&key(&call["key"])?);
                let plan = plan.map_err(|e| Refused::from(e.code()))?;
                let begin = if kind == "read" {
                    Operation::read
                } else {
                    Operation::write
                };
                let operation = begin(plan, policy(call)?, now(call)?);
                self.make(call, Object::Operation(Box::new(operation)))?;
                Ok(Value::Null)
            }
            "poll" => {
                let step = self.operation(call)?.poll();
                if let Step::Send(attempt) = step {
                    self.keep(call, Raw::Attempt(attempt))?;
                }
                Ok(words::step(step))
            }
            "reply" => {
                let (id, reply) = (AttemptId(small(call, "id")?), reply(&call["reply"])?);
                let known = self.operation(call)?.handle_reply(now(call)?, id, reply);
                known.map_err(|e| Refused::from(e.code()))?;
                Ok(Value::Null)
            }
            "learn" => {
                if !matches!(
                    self.objects.get(text(call, "on")?),
                    Some(Object::Operation(_))
                ) {
                    return Err(Refused::Missing);
                }
                let plan = self.keyspace(call, "keyspace")?.plan(&key(&call["key"])?);
                let plan = plan.map_err(|e| Refused::from(e.code()))?;
                self.operation(call)?.handle_snapshot(now(call)?, plan);
                Ok(Value::Null)
            }
            "timeout" => {
                self.operation(call)?.handle_timeout(now(call)?);
                Ok(Value::Null)
            }
            "digest" => {
                let value = match &call["value"] {
                    Value::Null => None,
                    value => Some(bytes(value)?),
                };
                let (key, version) = (bytes(&call["key"])?, version(&call["version"])?);
                let digest = row_digest(&key, version, value.as_deref());
                Ok(json!(digest.to_string()))
            }
            "shadow" | "shadow_poll" | "shadow_reply" | "shadow_timeout" => self.comparing(call),
            _ => self.gate(call),
        }
    }

    fn comparing(&mut self, call: &Value) -> Said {
        if text(call, "do")? == "shadow" {
            let (policy, now) = (policy(call)?, now(call)?);
            let shadow = Shadow::of(self.operation(call)?.plan(), &policy, now);
            let is_sampled = shadow.is_some();
            if let Some(shadow) = shadow {
                self.make(call, Object::Shadow(Box::new(shadow)))?;
            }
            return Ok(json!(is_sampled));
        }
        let Some(Object::Shadow(shadow)) = self.objects.get_mut(text(call, "on")?) else {
            return Err(Refused::Missing);
        };
        match text(call, "do")? {
            "shadow_poll" => match shadow.poll() {
                ShadowStep::Send(attempt) => {
                    self.keep(call, Raw::Attempt(attempt))?;
                    Ok(words::step(Step::Send(attempt)))
                }
                ShadowStep::Wait { until } => Ok(words::step(Step::Wait { until })),
                ShadowStep::Done(compared) => Ok(json!({"done": match compared {
                    Compared::Same => "same",
                    Compared::Unsure => "unsure",
                    Compared::Mismatch(MismatchKind::Missing) => "missing",
                    Compared::Mismatch(MismatchKind::Extra) => "extra",
                    Compared::Mismatch(MismatchKind::Stale) => "stale",
                    Compared::Mismatch(MismatchKind::Different) => "different",
                }})),
            },
            "shadow_reply" => {
                let digest = match &call["digest"] {
                    Value::Null => None,
                    _ => Some(number(call, "digest")?),
                };
                let id = AttemptId(small(call, "id")?);
                shadow.handle_reply(now(call)?, id, reply(&call["reply"])?, digest);
                Ok(Value::Null)
            }
            _ => {
                shadow.handle_timeout(now(call)?);
                Ok(Value::Null)
            }
        }
    }

    fn gate(&mut self, call: &Value) -> Said {
        let epoch = |field| epoch(call, field);
        if text(call, "do")? == "gate" {
            let (have, gap_ms) = (epoch("have")?, small(call, "gap_ms")?);
            let gate = RefreshGate::new(have, gap_ms, number(call, "seed")?);
            self.make(call, Object::Gate(gate))?;
            return Ok(Value::Null);
        }
        let Some(Object::Gate(gate)) = self.objects.get_mut(text(call, "on")?) else {
            return Err(Refused::Missing);
        };
        let at = || now(call);
        match text(call, "do")? {
            "want" => Ok(match gate.want(at()?, epoch("newer_than")?) {
                RefreshStep::InHand => json!("in_hand"),
                RefreshStep::Fetch => json!("fetch"),
                RefreshStep::Join => json!("join"),
                RefreshStep::Wait { until } => json!({"wait": {"until": until.as_millis()}}),
            }),
            "fetched" => {
                gate.fetched(at()?, epoch("epoch")?);
                Ok(Value::Null)
            }
            "failed" => {
                gate.failed(at()?);
                Ok(Value::Null)
            }
            _ => Ok(json!(gate.begun())),
        }
    }
}
