//! Reads what calls say.

use ringshift::store::{Change, Content, OperationKey};
use ringshift::{
    Access, BatchReply, Epoch, Failure, Instant, Policy, Refusal, Reply, Term, Version,
};
use serde_json::Value;

use super::Failed;
use super::machine::Refused;
use crate::vectors::unhex;

pub(super) fn text<'v>(value: &'v Value, field: &str) -> Result<&'v str, Failed> {
    let text = value.get(field).and_then(Value::as_str);
    text.ok_or_else(|| format!("no text `{field}` in {value}"))
}

/// A number, also one that is written as text.
pub(super) fn number(value: &Value, field: &str) -> Result<u64, Failed> {
    let number = match value.get(field) {
        Some(Value::String(digits)) => digits.parse().ok(),
        Some(other) => other.as_u64(),
        None => None,
    };
    number.ok_or_else(|| format!("no number `{field}` in {value}"))
}

/// What a binding says of a number that is negative, broken, or larger than its type takes.
const ARGUMENT: Refused = Refused::Slug("argument");

/// A number of a narrower type.
pub(super) fn small<N: TryFrom<u64>>(value: &Value, field: &str) -> Result<N, Refused> {
    let number = value
        .get(field)
        .ok_or_else(|| format!("no `{field}` in {value}"))?;
    let number = number.as_u64().ok_or(ARGUMENT)?;
    N::try_from(number).map_err(|_| ARGUMENT)
}

/// An epoch, which has a range of its own.
pub(super) fn epoch(value: &Value, field: &str) -> Result<Epoch, Refused> {
    Epoch::new(small(value, field)?).ok_or(ARGUMENT)
}

/// Anything that the core reads as data.
pub(super) fn data<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, Failed> {
    serde_json::from_value(value.clone()).map_err(|e| format!("{e} in {value}"))
}

pub(super) fn now(value: &Value) -> Result<Instant, Refused> {
    small(value, "now").map(Instant::from_millis)
}

pub(super) fn bytes(value: &Value) -> Result<Vec<u8>, Failed> {
    unhex(value.as_str().ok_or_else(|| format!("no hex in {value}"))?)
}

pub(super) fn version(value: &Value) -> Result<Version, Failed> {
    let number = value.as_str().and_then(|digits| digits.parse().ok());
    let version = number.and_then(Version::from_i64);
    version.ok_or_else(|| format!("no version in {value}"))
}

fn some_version(value: &Value) -> Result<Option<Version>, Failed> {
    match value {
        Value::Null => Ok(None),
        value => version(value).map(Some),
    }
}

/// What is said of the policy; the rest as everybody has it.
pub(super) fn policy(call: &Value) -> Result<Policy, Refused> {
    let mut policy = Policy::default();
    let Some(said) = call.get("policy") else {
        return Ok(policy);
    };
    for (name, value) in said.as_object().into_iter().flatten() {
        match name.as_str() {
            "deadline_ms" => policy.deadline_ms = small(said, name)?,
            "attempt_ms" => policy.attempt_ms = small(said, name)?,
            "attempts_max" => policy.attempts_max = small(said, name)?,
            "confirm" => policy.confirm = value == &Value::Bool(true),
            "seed" => policy.seed = number(said, name)?,
            other => return Err(format!("no policy has `{other}`").into()),
        }
    }
    Ok(policy)
}

/// A variant's name, and its fields.
pub(super) fn variant(value: &Value) -> Result<(&str, &Value), Failed> {
    let found = match value {
        Value::Object(one) => one.iter().next().map(|(name, of)| (name.as_str(), of)),
        name => name.as_str().map(|name| (name, &Value::Null)),
    };
    found.ok_or_else(|| format!("no variant in {value}"))
}

/// A reply as the vectors write it.
pub(super) fn reply(value: &Value) -> Result<Reply, Refused> {
    let (name, of) = variant(value)?;
    let of_version = || version(of.get("version").or_null());
    Ok(match name {
        "found" => Reply::Found {
            version: of_version()?,
        },
        "deleted" => Reply::Deleted {
            version: of_version()?,
        },
        "missing" => Reply::Missing,
        "written" => Reply::Written {
            version: of_version()?,
        },
        "superseded" => Reply::Superseded,
        "conflict" => Reply::Conflict {
            found: some_version(of.get("found").or_null())?,
        },
        "refused" => Reply::Refused(refusal(of)?),
        "failed" => Reply::Failed(failure(of)?),
        other => return Err(format!("no reply is named `{other}`").into()),
    })
}

/// A reply to a batch.
pub(super) fn batch_reply(value: &Value) -> Result<BatchReply, Refused> {
    let (name, of) = variant(value)?;
    Ok(match name {
        "done" => {
            let replies = of.as_array().into_iter().flatten();
            BatchReply::Done(replies.map(reply).collect::<Result<_, _>>()?)
        }
        "conflict" => BatchReply::Conflict {
            part: small(of, "part")?,
            found: some_version(of.get("found").or_null())?,
        },
        "refused" => BatchReply::Refused(refusal(of)?),
        "failed" => BatchReply::Failed(failure(of)?),
        other => return Err(format!("no reply is named `{other}`").into()),
    })
}

fn failure(value: &Value) -> Result<Failure, Failed> {
    Ok(match value.as_str() {
        Some("not_sent") => Failure::NotSent,
        Some("maybe_applied") => Failure::MaybeApplied,
        Some("rejected") => Failure::Rejected,
        _ => return Err(format!("no failure in {value}")),
    })
}

fn refusal(value: &Value) -> Result<Refusal, Refused> {
    let (name, of) = variant(value)?;
    let epoch = |field| epoch(of, field);
    Ok(match name {
        "stale_epoch" => Refusal::StaleEpoch {
            current: epoch("current")?,
            drained: epoch("drained")?,
        },
        "not_ready" => Refusal::NotReady {
            current: epoch("current")?,
        },
        "not_owner" => Refusal::NotOwner,
        "wrong_role" => Refusal::WrongRole {
            current: epoch("current")?,
        },
        "lease_over" => Refusal::LeaseOver {
            current: epoch("current")?,
        },
        "stale_term" => Refusal::StaleTerm {
            seen: Term(small(of, "seen")?),
        },
        other => return Err(format!("no refusal is named `{other}`").into()),
    })
}

pub(super) fn access(value: &Value) -> Result<Access, Failed> {
    let (name, of) = variant(value)?;
    let term = || data(of).map(Term);
    Ok(match name {
        "read" => Access::Read,
        "write" => Access::Write,
        "apply" => Access::Apply,
        "copy" => Access::Copy(term()?),
        "purge" => Access::Purge(term()?),
        "collect" => Access::Collect(term()?),
        other => return Err(format!("no access is named `{other}`")),
    })
}

/// What goes with an attempt, as a value of its own: the core's only lends.
pub(super) enum Goods {
    None,
    Own(Wish, OperationKey),
    Row(Option<Vec<u8>>, OperationKey),
}

pub(super) enum Wish {
    Put(Vec<u8>),
    Delete,
    PutIf(Option<Version>, Vec<u8>),
}

impl Goods {
    /// `null`, {own: {change, op}} or {row: {value, op}}.
    pub(super) fn of(value: &Value) -> Result<Self, Failed> {
        if value.is_null() {
            return Ok(Self::None);
        }
        let (name, of) = variant(value)?;
        let op = bytes(of.get("op").or_null())?;
        let op = OperationKey::try_from(op).map_err(|_| format!("no operation in {value}"))?;
        let value_of = |value: &Value| bytes(value.get("value").or_null());
        match name {
            "own" => {
                let (name, change) = variant(of.get("change").or_null())?;
                let wish = match name {
                    "put" => Wish::Put(value_of(change)?),
                    "delete" => Wish::Delete,
                    "put_if" => {
                        let expected = change.get("expected").or_null();
                        Wish::PutIf(some_version(expected)?, value_of(change)?)
                    }
                    other => return Err(format!("no change is named `{other}`")),
                };
                Ok(Self::Own(wish, op))
            }
            "row" if of.get("value").is_some_and(Value::is_null) => Ok(Self::Row(None, op)),
            "row" => Ok(Self::Row(Some(value_of(of)?), op)),
            other => Err(format!("no content is named `{other}`")),
        }
    }

    pub(super) fn content(&self) -> Content<'_> {
        match self {
            Self::None => Content::None,
            Self::Own(wish, op) => Content::Own {
                change: match wish {
                    Wish::Put(value) => Change::Put(value),
                    Wish::Delete => Change::Delete,
                    Wish::PutIf(expected, value) => Change::PutIf {
                        expected: *expected,
                        value,
                    },
                },
                op: *op,
            },
            Self::Row(value, op) => Content::Row {
                value: value.as_deref(),
                op: *op,
            },
        }
    }
}

/// A field that isn't there reads as null.
trait OrNull<'v> {
    fn or_null(self) -> &'v Value;
}

impl<'v> OrNull<'v> for Option<&'v Value> {
    fn or_null(self) -> &'v Value {
        self.unwrap_or(&Value::Null)
    }
}
