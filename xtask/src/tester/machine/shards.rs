//! The shard's side: guards, decisions and shards in memory.

use ringshift::migration::Command;
use ringshift::store::{Chunks, Decision, Effect, LOOK_COLUMNS, LOOK_OP, Look, MemoryShard};
use ringshift::{DomainId, Fence, Guard, InstallRow, KeyspaceId, Refusal, Slot, Term};
use serde_json::{Value, json};

use super::routing::written;
use super::{Machine, Object, Raw, Refused, Said};
use crate::tester::read::{Goods, access, bytes, data, small, text};
use crate::vectors::hex;
use crate::vectors::operation::words;

impl Machine<'_> {
    pub(super) fn shard_side(&mut self, call: &Value) -> Said {
        match text(call, "do")? {
            "guard" => self.make(call, Object::Guard(Guard::default()))?,
            "shard" => self.make(call, Object::Shard(Box::<MemoryShard>::default()))?,
            "chunks" => self.make(call, Object::Chunks(Chunks::default()))?,
            "decide" => return self.decide(call),
            "attempt" => return self.attempted(call),
            "command" => return self.commanded(call),
            _ => return self.guarded(call),
        }
        Ok(Value::Null)
    }

    fn guarded(&mut self, call: &Value) -> Said {
        let Some(Object::Guard(guard)) = self.objects.get_mut(text(call, "on")?) else {
            return Err(Refused::Missing);
        };
        let fence = || -> Result<Fence, Refused> {
            Ok(Fence {
                domain: DomainId(small(call, "domain")?),
                epoch: data(&call["epoch"])?,
            })
        };
        let term = || small(call, "term").map(Term);
        let done = |done: Result<(), Refusal>| match done {
            Ok(()) => json!("done"),
            Err(refusal) => json!({"refused": words::refusal(refusal)}),
        };
        match text(call, "do")? {
            "admit" => {
                let keyspace = KeyspaceId(small(call, "keyspace")?);
                let (slot, key) = (Slot(small(call, "slot")?), bytes(&call["key"])?);
                let access = access(&call["access"])?;
                match guard.admit(keyspace, slot, &key, fence()?, access) {
                    Ok(row) => written(&row),
                    Err(refusal) => Ok(done(Err(refusal))),
                }
            }
            "guard_install" => {
                let rows: Vec<InstallRow> = data(&call["rows"])?;
                Ok(done(guard.install(term()?, &rows)))
            }
            "guard_close" => {
                let Fence { domain, epoch } = fence()?;
                match guard.close(term()?, domain, epoch) {
                    Ok(row) => written(&row),
                    Err(refusal) => Ok(done(Err(refusal))),
                }
            }
            "guard_claim" => Ok(done(guard.claim(term()?))),
            _ => written(&guard.rows().collect::<Vec<_>>()),
        }
    }

    fn decide(&mut self, call: &Value) -> Said {
        let attempt = self.attempt_of(call)?;
        let columns = call["look"].as_array().ok_or("no look")?;
        if columns.len() != LOOK_COLUMNS {
            return Err("a look of another length".into());
        }
        let column = |at: usize| {
            let column = columns.get(at)?;
            column.as_str().and_then(|digits| digits.parse().ok())
        };
        let op = match columns.get(LOOK_OP) {
            Some(Value::Null) | None => None,
            Some(op) => Some(bytes(op)?),
        };
        let look = Look::of_columns(attempt.fence.domain, column, op.as_deref());
        let look = look.map_err(|e| Refused::from(e.code()))?;
        let goods = Goods::of(&call["content"])?;
        let Decision {
            reply,
            effect,
            found,
            learned,
        } = look.decide(&attempt, goods.content());
        let version = crate::vectors::clusters::version;
        Ok(json!({
            "reply": words::reply(reply), "found": found, "learned": learned,
            "revision": look.revision.0.to_string(),
            "effect": match effect {
                Effect::Keep => json!("keep"),
                Effect::Put { version: of, deleted, .. } => {
                    json!({"put": {"version": version(of), "deleted": deleted}})
                }
                Effect::Remove { floor } => json!({"remove": {"floor": version(floor)}}),
            },
        }))
    }

    fn attempted(&mut self, call: &Value) -> Said {
        let attempt = self.attempt_of(call)?;
        let Some(Object::Shard(shard)) = self.objects.get_mut(text(call, "on")?) else {
            return Err(Refused::Missing);
        };
        let goods = Goods::of(&call["content"])?;
        let response = shard.attempt(&attempt, &bytes(&call["key"])?, goods.content());
        let found = response.found.map(
            |found| json!({"value": found.value.map(|value| hex(&value)), "op": hex(&found.op)}),
        );
        Ok(json!({"reply": words::reply(response.reply), "found": found}))
    }

    fn commanded(&mut self, call: &Value) -> Said {
        let command: Command = match call.get("command") {
            Some(command) => data(command)?,
            None => match self.raw.get(&small(call, "of")?) {
                Some(Raw::Command(command)) => command.clone(),
                _ => return Err(Refused::Missing),
            },
        };
        // Both at once: the shard and the chunks are two objects of one list.
        let (shard, chunks) = (text(call, "on")?, text(call, "chunks")?);
        if !matches!(self.objects.get(shard), Some(Object::Shard(_))) {
            return Err(Refused::Missing);
        }
        let Some(Object::Chunks(mut held)) = self.objects.remove(chunks) else {
            return Err(Refused::Missing);
        };
        let Some(Object::Shard(of)) = self.objects.get_mut(shard) else {
            return Err(Refused::Missing);
        };
        let answer = of.command(&command, &mut held);
        let said = written(&answer)?;
        self.objects.insert(chunks.to_owned(), Object::Chunks(held));
        self.keep(call, Raw::Answer(answer))?;
        Ok(said)
    }
}
