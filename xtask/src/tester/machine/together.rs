//! Transactions.

use ringshift::{
    AttemptId, PinError, Pinned, Router, Transaction, TransactionOutcome, TransactionStep, Use,
};
use serde_json::{Value, json};

use super::{Machine, Object, Refused, Said};
use crate::tester::read::{batch_reply, bytes, data, now, policy, small, text};
use crate::vectors::transactions::words;

/// A transaction or how it ended before it began, and its keys.
pub(in crate::tester) struct Together {
    machine: Result<Transaction, TransactionOutcome>,
    keys: Vec<Vec<u8>>,
}

impl Machine<'_> {
    pub(super) fn together(&mut self, call: &Value) -> Said {
        if text(call, "do")? == "transaction" {
            let keys = call["keys"].as_array().into_iter().flatten();
            let keys: Vec<_> = keys.map(bytes).collect::<Result<_, _>>()?;
            let again = call["again"] == Value::Bool(true);
            let machine = match self.pinned(call, &keys)? {
                Ok(pinned) => Ok(Transaction::new(pinned, policy(call)?, again, now(call)?)),
                Err(error) => Err(TransactionOutcome::Failed(error.into())),
            };
            let together = Together { machine, keys };
            self.make(call, Object::Together(Box::new(together)))?;
            return Ok(Value::Null);
        }
        let Some(Object::Together(found)) = self.objects.get(text(call, "on")?) else {
            return Err(Refused::Missing);
        };
        let pinned = if text(call, "do")? == "transaction_learn" {
            Some(self.pinned(call, &found.keys.clone())?)
        } else {
            None
        };
        let Some(Object::Together(found)) = self.objects.get_mut(text(call, "on")?) else {
            return Err(Refused::Missing);
        };
        let machine = match &mut found.machine {
            Ok(machine) => machine,
            Err(outcome) if text(call, "do")? == "transaction_poll" => {
                return Ok(shown(TransactionStep::Done(outcome.clone())));
            }
            // It is over: whatever comes changes nothing.
            Err(_) => return Ok(Value::Null),
        };
        match text(call, "do")? {
            "transaction_poll" => return Ok(shown(machine.poll())),
            "transaction_reply" => {
                let (id, reply) = (AttemptId(small(call, "id")?), batch_reply(&call["reply"])?);
                let known = machine.handle_reply(now(call)?, id, reply);
                known.map_err(|e| Refused::from(e.code()))?;
            }
            "transaction_commit" => {
                let uses: Vec<(bool, bool)> = data(&call["uses"])?;
                let uses = uses.into_iter().map(|(read, write)| Use { read, write });
                machine.commit(now(call)?, uses.collect());
            }
            "transaction_roll_back" => machine.roll_back(),
            "transaction_timeout" => machine.handle_timeout(now(call)?),
            _ => {
                if let Some(pinned) = pinned {
                    machine.handle_snapshot(now(call)?, pinned);
                }
            }
        }
        Ok(Value::Null)
    }

    fn pinned(&self, call: &Value, keys: &[Vec<u8>]) -> Result<Result<Pinned, PinError>, Refused> {
        let router = Router::new(self.bytes_of(call)?);
        let keyspace = router.keyspace("orders");
        Ok(keyspace
            .map_err(|e| Refused::from(e.code()))?
            .transaction(keys))
    }
}

/// A step as all languages have it: what a row is to be like is between the machine and the store.
fn shown(step: TransactionStep) -> Value {
    let mut said = match step {
        TransactionStep::Work { .. } => return json!("work"),
        TransactionStep::Done(TransactionOutcome::RolledBack) => {
            return json!({"done": {"committed": {"versions": [], "lagging": false}}});
        }
        step => words::step(step),
    };
    let parts = said
        .pointer_mut("/send/parts")
        .and_then(Value::as_array_mut);
    for part in parts.into_iter().flatten() {
        if let Some(fields) = part.as_object_mut() {
            fields.remove("expected");
        }
    }
    said
}
