"""The core's traces of migrations: each answer in, exactly the next command out."""

from __future__ import annotations

from typing import Any

import pytest

from ringshift import Snapshot
from ringshift.migrate import Coordinator, plan
from support import cases, plain


class Whole:
    """Logs as they are, of what has changed in them; bytes as bytes."""

    def __init__(self) -> None:
        self.log: dict[str, Any] = {}

    def made(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.made(one) for one in value]
        if not isinstance(value, dict):
            return value
        if "$hex" in value:
            return bytes.fromhex(value["$hex"])
        if "$int" in value:
            return int(value["$int"])
        if "$changed" in value:
            self.log = self.log | value["$changed"]
            return self.log
        return {name: self.made(of) for name, of in value.items()}


def hand_in(machine: Coordinator, event: dict[str, Any], whole: Whole) -> None:
    """Tell a coordinator of one event."""
    at = event["at"]
    if "answer" in event:
        machine.handle_answer(at, event["id"], whole.made(event["answer"]))
    elif "timeout" in event:
        machine.handle_timeout(at)
    elif "health" in event:
        machine.handle_health(at, event["health"])
    elif "wall_clock" in event:
        machine.handle_wall_clock(at, *event["wall_clock"])
    elif "roll_back" in event:
        machine.roll_back(event["roll_back"])
    elif "pause" in event:
        machine.pause(event["pause"])
    elif "resume" in event:
        machine.resume()
    elif "agree_to_finish" in event:
        machine.agree_to_finish()
    else:
        assert event["begin"]


@pytest.mark.parametrize("case", cases("coordinator", "traces"), ids=lambda case: case["name"])
def test_migrations(case: dict[str, Any]) -> None:
    wanted = None
    if case["changes"] is not None:
        snapshot = Snapshot.decode(bytes.fromhex(case["snapshot"]))
        wanted = plan(snapshot, case["changes"], case["wave_slots_max"])
    start = case["events"][0]["at"]
    machine, whole = Coordinator(case["term"], case["settings"], wanted, start), Whole()
    for event in case["events"]:
        hand_in(machine, event, whole)
        assert plain(machine.poll()) == plain(whole.made(event["then"])), event
        if "status" in event:
            assert plain(machine.status) == event["status"], event
    ends = whole.made(case["ends"])
    snapshot_now = machine.snapshot
    assert (None if snapshot_now is None else snapshot_now.epoch) == ends.pop("epoch")
    said = {name: plain(getattr(machine, name)) for name in ends}
    assert said == ends
