"""The core's traces of operations and of transactions: each event in, exactly its steps out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ringshift import Operation, Router
from ringshift._ringshift import Transaction
from ringshift.errors import RingshiftError
from support import cases
from tester_words import (
    batch_reply,
    only,
    policy,
    reply,
    said_end,
    said_step,
    said_transaction,
)


def handed_in(machine: Any, event: dict[str, Any], told: Any) -> None:
    """Hand a reply in; one to what isn't waited for is refused."""
    if "unknown" not in event:
        machine.handle_reply(event["at"], event["id"], told)
        return
    with pytest.raises(RingshiftError) as caught:
        machine.handle_reply(event["at"], event["id"], told)
    assert caught.value.code == "unknown_attempt"


def steps(poll: Callable[[], Any], count: int) -> list[Any]:
    """The next steps, the last of which is said again."""
    said = [poll() for _ in range(count)]
    assert poll() == said[-1]
    return said


@pytest.mark.parametrize("case", cases("operation", "traces"), ids=lambda case: case["name"])
def test_operations(case: dict[str, Any]) -> None:
    key = bytes.fromhex(case["key"])
    keyspaces = [Router(bytes.fromhex(one)).keyspace("orders") for one in case["snapshots"]]
    begin = Operation.read if case["kind"] == "read" else Operation.write
    machine = begin(keyspaces[0], key, policy(case["policy"]), case["events"][0]["at"])
    for event in case["events"]:
        if "reply" in event:
            handed_in(machine, event, reply(event["reply"]))
        elif "snapshot" in event:
            machine.handle_snapshot(event["at"], keyspaces[event["snapshot"]], key)
        elif "timeout" in event:
            machine.handle_timeout(event["at"])
        said = steps(lambda: said_step(machine.poll()), len(event["then"]))
        assert said == event["then"], event


def shown(step: Any) -> Any:
    """A step as Python has it: what a row is to be like is between the machine and the store."""
    kind, of = only(step)
    if kind == "send":
        parts = [{name: part[name] for name in ("key", "attempt")} for part in of["parts"]]
        return {"send": of | {"parts": parts}}
    if step == {"done": "rolled_back"}:
        return {"done": {"committed": {"versions": [], "lagging": False}}}
    return step


@pytest.mark.parametrize("case", cases("transactions", "traces"), ids=lambda case: case["name"])
def test_transactions(case: dict[str, Any]) -> None:
    keys = [bytes.fromhex(key) for key in case["keys"]]
    keyspaces = [Router(bytes.fromhex(one)).keyspace("orders") for one in case["snapshots"]]
    start = case["events"][0]["at"]
    machine, ended = Transaction.begin(
        keyspaces[0], keys, policy(case["policy"]), case["again"], start
    )
    if machine is None:
        assert [[said_end(ended)]] == [event["then"] for event in case["events"]]
        return
    assert ended is None
    for event in case["events"]:
        if "reply" in event:
            handed_in(machine, event, batch_reply(event["reply"]))
        elif "commit" in event:
            machine.commit(event["at"], [tuple(used) for used in event["commit"]])
        elif "roll_back" in event:
            machine.roll_back()
        elif "snapshot" in event:
            machine.handle_snapshot(event["at"], keyspaces[event["snapshot"]], keys)
        elif "timeout" in event:
            machine.handle_timeout(event["at"])
        said = steps(lambda: said_transaction(machine.poll()), len(event["then"]))
        assert said == [shown(step) for step in event["then"]], event
