"""The core's published vectors of snapshots and of whole operations."""

from __future__ import annotations

from typing import Any

import pytest

from ringshift import (
    Keyspace,
    Operation,
    Outcome,
    Policy,
    Refusal,
    Reply,
    Router,
    ShadowStep,
    Snapshot,
    Step,
)
from ringshift.errors import RingshiftError, SnapshotError, UnknownAttemptError
from support import cases

SNAPSHOTS = {
    case["name"]: Snapshot.decode(bytes.fromhex(case["bytes"]))
    for case in cases("snapshot", "snapshots")
}


@pytest.mark.parametrize("case", cases("snapshot", "snapshots"))
def test_drafts_and_bytes_say_the_same(case: dict[str, Any]) -> None:
    encoded = bytes.fromhex(case["bytes"])
    built, decoded = Snapshot.from_draft(case["draft"]), Snapshot.decode(encoded)
    assert built.encode() == decoded.encode() == encoded
    assert built.digest == decoded.digest == case["digest"]
    assert decoded.draft() == case["draft"]
    assert built == decoded
    assert hash(built) == hash(decoded)


@pytest.mark.parametrize("case", cases("snapshot", "refused"))
def test_what_is_no_snapshot_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(RingshiftError) as caught:
        Snapshot.decode(bytes.fromhex(case["bytes"]))
    expected = {case["error"]}
    if case["error"] == "snapshot_format":
        # Bytes that begin otherwise might have been a record as well.
        expected.add("topology_format")
        assert isinstance(caught.value, SnapshotError)
    assert caught.value.code in expected, case["why"]


@pytest.mark.parametrize("case", cases("snapshot", "successors"))
def test_successors(case: dict[str, Any]) -> None:
    ours, theirs = SNAPSHOTS[case["ours"]], SNAPSHOTS[case["theirs"]]
    router = Router(ours)
    try:
        answer: str = router.install(theirs)
    except SnapshotError as error:
        answer = error.code
    assert answer == case["answer"]
    assert router.snapshot == (theirs if answer == "replaced" else ours)


def sent(step: Step | ShadowStep) -> Any:
    """The attempt that is to be sent."""
    assert isinstance(step, (Step.Send, ShadowStep.Send))
    return step.attempt


@pytest.mark.parametrize("case", cases("snapshot", "plans"))
def test_plans(case: dict[str, Any]) -> None:
    snapshot = SNAPSHOTS[case["snapshot"]]
    keyspace = Router(snapshot).keyspace(case["keyspace"])
    key = bytes.fromhex(case["key"])
    ids = {shard.name: shard.id for shard in snapshot.shards}
    told, read = keyspace.explain(key), Operation.read(keyspace, key, None, 0)
    write = sent(Operation.write(keyspace, key, None, 0).poll())
    first = sent(read.poll())
    shadow, shadowed = read.shadow(None, 0), None
    if shadow is not None:
        shadow.handle_reply(0, sent(shadow.poll()).id, Reply.Missing())
        shadowed = sent(shadow.poll()).shard
    found = {
        "snapshot": case["snapshot"], "keyspace": case["keyspace"], "key": key.hex(),
        "shard": keyspace.route(key), "moving": told.phase is not None,
        "slot": first.slot, "stored_slot": first.stored_slot,
        "domain": write.domain, "epoch": write.epoch, "authority": write.shard,
        "mirror": None if told.mirror is None else ids[told.mirror],
        "reads": [ids[name] for name in told.reads],
        "strict": told.strict, "shadow": shadowed,
    }  # fmt: skip
    assert found == case
    assert first.shard == case["reads"][0]
    assert keyspace.shard_of(key) == snapshot.shards[case["shard"]].name


def reply_of(told: Any) -> Reply:
    """A reply, as the vectors write it."""
    if isinstance(told, str):
        return Reply.Missing() if told == "missing" else Reply.Superseded()
    ((kind, of),) = told.items()
    if kind in ("found", "deleted", "written"):
        made: dict[str, Any] = {
            "found": Reply.Found, "deleted": Reply.Deleted, "written": Reply.Written,
        }  # fmt: skip
        reply: Reply = made[kind](int(of["version"]))
        return reply
    if kind == "conflict":
        return Reply.Conflict(None if of["found"] is None else int(of["found"]))
    if kind == "failed":
        return Reply.Failed(of)
    assert kind == "refused"
    if isinstance(of, str):
        return Reply.Refused(Refusal(of))
    ((code, facts),) = of.items()
    return Reply.Refused(Refusal(code, **facts))


def text(version: int | None) -> str | None:
    """A version, as the vectors write it."""
    return None if version is None else str(version)


def refusal_said(refusal: Refusal | None) -> Any:
    """A refusal, as the vectors write it."""
    if refusal is None:
        return None
    facts = {"current": refusal.current, "drained": refusal.drained, "seen": refusal.seen}
    facts = {name: fact for name, fact in facts.items() if fact is not None}
    return {refusal.code: facts} if facts else refusal.code


def said(step: Step) -> Any:
    """A step, as the vectors write it."""
    match step:
        case Step.Send(attempt):
            kind: Any = attempt.kind
            if kind == "apply":
                found_by = attempt.found_by
                payload: Any = "own" if found_by is None else {"found_by": found_by}
                kind = {"apply": {"payload": payload, "version": text(attempt.version)}}
            names = (
                "id",
                "shard",
                "keyspace",
                "slot",
                "stored_slot",
                "domain",
                "epoch",
                "blocking",
            )
            return {"send": {"kind": kind} | {name: getattr(attempt, name) for name in names}}
        case Step.Refresh(newer_than):
            return {"refresh": {"newer_than": newer_than}}
        case Step.Wait(until):
            return {"wait": {"until": until}}
        case Step.Done(Outcome.Value(from_, version)):
            return {"done": {"value": {"from": from_, "version": text(version)}}}
        case Step.Done(Outcome.Missing()):
            return {"done": "missing"}
        case Step.Done(Outcome.Written(version, lagging)):
            return {"done": {"written": {"version": text(version), "lagging": lagging}}}
        case Step.Done(Outcome.Conflict(found)):
            return {"done": {"conflict": {"found": text(found)}}}
        case Step.Done(Outcome.Failed() as failed):
            more: dict[str, Any] = {}
            if failed.code == "indeterminate":
                more = {"version": text(failed.version)}
            elif failed.code == "deadline":
                more = {"last": refusal_said(failed.last)}
            elif failed.code == "wrong_role":
                more = {"shard": failed.shard, "current": failed.current}
            return {"done": {"failed": {"code": failed.code, **more}}}
    raise AssertionError(step)


@pytest.mark.parametrize("case", cases("operation", "traces"), ids=lambda case: case["name"])
def test_traces(case: dict[str, Any]) -> None:
    key = bytes.fromhex(case["key"])

    def orders(place: int) -> Keyspace:
        return Router(bytes.fromhex(case["snapshots"][place])).keyspace("orders")

    policy = Policy(**{**case["policy"], "seed": int(case["policy"]["seed"])})
    begin = Operation.read if case["kind"] == "read" else Operation.write
    operation = begin(orders(0), key, policy, case["events"][0]["at"])
    for event in case["events"]:
        now = event["at"]
        if "reply" in event:
            reply = reply_of(event["reply"])
            if "unknown" in event:
                with pytest.raises(UnknownAttemptError) as caught:
                    operation.handle_reply(now, event["id"], reply)
                assert caught.value.code == "unknown_attempt"
            else:
                operation.handle_reply(now, event["id"], reply)
        elif "snapshot" in event:
            operation.handle_snapshot(now, orders(event["snapshot"]), key)
        elif "timeout" in event:
            operation.handle_timeout(now)
        for expected in event["then"]:
            assert said(operation.poll()) == expected, event
        assert said(operation.poll()) == event["then"][-1]
    assert isinstance(operation.poll(), Step.Done)
