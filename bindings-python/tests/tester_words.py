# mypy: ignore-errors
"""How the programs of the binding tester write keys, arguments and answers."""

from __future__ import annotations

import uuid
from typing import Any

import ringshift

unhex = bytes.fromhex


def only(one: Any) -> Any:
    return (one, None) if isinstance(one, str) else next(iter(one.items()))


def digits(number: Any) -> Any:
    return None if number is None else str(number)


def number(text: Any) -> Any:
    return None if text is None else int(text)


# Keys


def run(value):
    return value if isinstance(value, str) else value["repeat"] * value["count"]


def from_units(value):
    return unhex(value).decode("utf-16-be", "surrogatepass")


KEYS = {
    "text": run,
    "hex": lambda value: unhex(run(value)),
    "utf16": from_units,
    "int": int,
    "parts": lambda value: tuple(map(key, value)),
    "none": lambda _: None,
    "float": float,
    "bool": bool,
    "uuid": uuid.UUID,
}


def key(typed):
    kind, value = only(typed)
    return KEYS[kind](value)


# Arguments


def policy(said: Any) -> Any:
    if said is None:
        return None
    return ringshift.Policy(**{n: int(v) if n == "seed" else v for n, v in said.items()})


def refusal(said: Any) -> Any:
    code, fields = only(said)
    return ringshift.Refusal(code, **(fields or {}))


def reply(said: Any) -> Any:
    Reply = ringshift.Reply
    kind, of = only(said)
    if kind == "refused":
        return Reply.Refused(refusal(of))
    if kind == "failed":
        return Reply.Failed(of)
    if kind == "conflict":
        return Reply.Conflict(number(of["found"]))
    if kind in ("missing", "superseded"):
        return getattr(Reply, kind.capitalize())()
    return getattr(Reply, kind.capitalize())(int(of["version"]))


def batch_reply(said: Any) -> Any:
    BatchReply = ringshift.BatchReply
    kind, of = only(said)
    if kind == "done":
        return BatchReply.done([reply(one) for one in of])
    if kind == "conflict":
        return BatchReply.conflict(of["part"], number(of["found"]))
    return BatchReply.refused(refusal(of)) if kind == "refused" else BatchReply.failed(of)


def content(said):
    if said is None:
        return None
    kind, of = only(said)
    op = unhex(of["op"])
    if kind == "row":
        value = None if of["value"] is None else unhex(of["value"])
        return {"op": op, "row": {"value": value, "deleted": value is None, "op": op}}
    kind, change = only(of["change"])
    if kind == "delete":
        return {"op": op, "change": {"type": "delete"}}
    value = unhex(change["value"])
    if kind == "put":
        return {"op": op, "change": {"type": "put", "value": value}}
    expected = number(change["expected"])
    return {"op": op, "change": {"type": "put-if", "value": value, "expected": expected}}


def data(said: Any) -> Any:
    """Data for the core; bytes are written as {$hex}."""
    if isinstance(said, list):
        return [data(one) for one in said]
    if isinstance(said, dict):
        return unhex(said["$hex"]) if "$hex" in said else {n: data(v) for n, v in said.items()}
    return said


# Answers


def said_refusal(refusal):
    fields = {n: getattr(refusal, n) for n in ("current", "drained", "seen")}
    fields = {n: v for n, v in fields.items() if v is not None}
    return {refusal.code: fields} if fields else refusal.code


def said_reply(reply):
    Reply = ringshift.Reply
    match reply:
        case Reply.Found(version=version):
            return {"found": {"version": str(version)}}
        case Reply.Deleted(version=version):
            return {"deleted": {"version": str(version)}}
        case Reply.Missing():
            return "missing"
        case Reply.Written(version=version):
            return {"written": {"version": str(version)}}
        case Reply.Superseded():
            return "superseded"
        case Reply.Conflict(found=found):
            return {"conflict": {"found": digits(found)}}
        case Reply.Refused(refusal=refusal):
            return {"refused": said_refusal(refusal)}
        case Reply.Failed(failure=failure):
            return {"failed": failure}
    raise TypeError(repr(reply))


FIELDS = ("id", "shard", "keyspace", "slot", "stored_slot", "domain", "epoch", "blocking")


def said_attempt(attempt: Any) -> Any:
    said = {name: getattr(attempt, name) for name in FIELDS}
    said["kind"] = attempt.kind
    if attempt.kind == "apply":
        by = attempt.found_by
        payload = "own" if by is None else {"found_by": by}
        said["kind"] = {"apply": {"version": str(attempt.version), "payload": payload}}
    elif (attempt.version, attempt.found_by) != (None, None):
        said["kind"] = repr(attempt)
    return {"send": said}


def said_outcome(outcome):
    Outcome = ringshift.Outcome
    match outcome:
        case Outcome.Value(from_=by, version=version):
            return {"value": {"from": by, "version": str(version)}}
        case Outcome.Missing():
            return "missing"
        case Outcome.Written(version=version, lagging=lagging):
            return {"written": {"version": str(version), "lagging": lagging}}
        case Outcome.Conflict(found=found):
            return {"conflict": {"found": digits(found)}}
    said = {"code": outcome.code}
    unused = {"version", "last", "shard", "current"}
    if outcome.code == "indeterminate":
        said["version"] = digits(outcome.version)
        unused -= {"version"}
    elif outcome.code == "deadline":
        said["last"] = None if outcome.last is None else said_refusal(outcome.last)
        unused -= {"last"}
    elif outcome.code == "wrong_role":
        said |= {"shard": outcome.shard, "current": outcome.current}
        unused -= {"shard", "current"}
    if not outcome.message or any(getattr(outcome, name) is not None for name in unused):
        return {"failed": repr(outcome)}
    return {"failed": said}


def said_step(step: Any) -> Any:
    Step = ringshift.Step
    if isinstance(step, Step.Send):
        return said_attempt(step.attempt)
    if isinstance(step, Step.Wait):
        return {"wait": {"until": step.until}}
    if isinstance(step, Step.Refresh):
        return {"refresh": {"newer_than": step.newer_than}}
    return {"done": said_outcome(step.outcome)}


def said_batch(batch: Any) -> Any:
    said = fields_of(batch, "id", "shard", "blocking", "changes", "begins")
    parts = [{"key": key, "attempt": said_attempt(one)["send"]} for key, one in batch.parts]
    return {"send": said | {"parts": parts}}


def said_end(outcome: Any) -> Any:
    """How a transaction ended; one that was taken back has no versions."""
    versions = [digits(version) for version in outcome.versions]
    if outcome.code is None:
        return {"done": {"committed": {"versions": versions, "lagging": outcome.lagging}}}
    if not outcome.message or versions or outcome.lagging:
        return {"done": repr(outcome)}
    shards = [[shard, list(places)] for shard, places in outcome.shards]
    said = {"code": outcome.code, "key": outcome.key, "found": digits(outcome.found)}
    return {"done": {"failed": said | {"shards": shards}}}


def said_transaction(step: Any) -> Any:
    Step = ringshift._ringshift.TransactionStep
    if isinstance(step, Step.Send):
        return said_batch(step.batch)
    if isinstance(step, Step.Work):
        return {"work": {"found_by": step.found_by}}
    if isinstance(step, Step.Wait):
        return {"wait": {"until": step.until}}
    if isinstance(step, Step.Refresh):
        return {"refresh": {"newer_than": step.newer_than}}
    return said_end(step.outcome)


def said_data(value: Any) -> Any:
    """The core's own data: numbers that JSON can't hold everywhere as text, bytes as lists."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 53 else str(value)
    if isinstance(value, (bytes, bytearray, list, tuple)):
        return [said_data(one) for one in value]
    if isinstance(value, dict):
        return {name: said_data(of) for name, of in value.items()}
    return value


def said_guard(answer):
    if isinstance(answer, ringshift.Refusal):
        return {"refused": said_refusal(answer)}
    return "done" if answer is None else said_data(answer)


def fields_of(value, *names):
    return {name: said_data(getattr(value, name)) for name in names}
