"""A whole reshard in Python: shards in memory, a coordinator, and clients that write meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ringshift import MemoryShard, Operation, Outcome, Reply, Router, Snapshot, Step
from ringshift.errors import ArgumentError, PlanError
from ringshift.migrate import Chunks, Coordinator, TopologyRecord, home_installs, plan

TOPOLOGY = {
    "cluster": "demo",
    "keyspaces": {"orders": {"bits": 8}},
    "shards": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
}
QUICK = {
    "shadow_ms": 0,
    "ramps_ppm": [1_000_000],
    "ramp_ms": 0,
    "reversed_ms": 0,
    "chunk_rows": 7,
}


class World:
    """A cluster in this process, on a clock of its own."""

    def __init__(self) -> None:
        first = Snapshot.from_topology(TOPOLOGY)
        self.router = Router(first)
        self.orders = self.router.keyspace("orders")
        self.shards = {shard.id: MemoryShard() for shard in first.shards}
        self.shards[3] = MemoryShard()
        self.chunks = Chunks()
        self.record = TopologyRecord(first)
        self.stored = {"snapshot": first.encode()}
        self.now = 0
        self.number = 0
        # What goes on while a client waits.
        self.meanwhile: Callable[[], object] = lambda: None
        for shard in first.shards:
            install = {"shard": shard.id, "term": 0, "rows": home_installs(first, shard.id)}
            answer = self.shards[shard.id].command({"install": install}, self.chunks)
            assert answer == "done"

    def drive(self, operation: Operation, key: str, change: dict[str, Any] | None) -> Any:
        """Play the driver; answers the outcome, and what was found with it."""
        self.number += 1
        op = self.number.to_bytes(16, "big")
        found: dict[int, Any] = {}
        while True:
            match operation.poll():
                case Step.Send(attempt):
                    content: dict[str, Any] | None = {"op": op, "change": change}
                    if attempt.kind == "read":
                        content = None
                    elif attempt.found_by is not None:
                        value, made_by = found[attempt.found_by]
                        content = {"op": op, "row": {"value": value, "op": made_by}}
                    shard = self.shards[attempt.shard]
                    reply, row = shard.attempt(attempt, key.encode(), content)
                    if row is not None:
                        found[attempt.id] = row
                    if attempt.blocking:
                        operation.handle_reply(self.now, attempt.id, reply)
                case Step.Refresh(_):
                    self.router.install(self.stored["snapshot"])
                    operation.handle_snapshot(self.now, self.orders, key)
                case Step.Wait(until):
                    assert until is not None
                    self.now = max(self.now, min(until, self.now + 1))
                    self.meanwhile()
                    operation.handle_timeout(self.now)
                case Step.Done(Outcome.Value(from_, version)):
                    return found[from_][0], version
                case Step.Done(outcome):
                    return outcome

    def put(self, key: str, value: bytes) -> Any:
        """Write."""
        operation = Operation.write(self.orders, key, None, self.now)
        return self.drive(operation, key, {"type": "put", "value": value})

    def get(self, key: str) -> Any:
        """Read."""
        return self.drive(Operation.read(self.orders, key, None, self.now), key, None)

    def answer(self, command: dict[str, Any]) -> Any:
        """Carry out a coordinator's command, at a shard or at the topology store."""
        ((_, given),) = command.items()
        if "shard" in given:
            return self.shards[given["shard"]].command(command, self.chunks)
        answer = self.record.command(command)
        self.stored["snapshot"] = self.record.snapshot.encode()
        return answer


def test_a_shard_is_added_while_keys_are_written() -> None:
    world = World()
    keys = [f"user:{number}" for number in range(300)]
    for key in keys:
        assert isinstance(world.put(key, key.encode()), Outcome.Written)
    wish = plan(world.router.snapshot, {"add": [{"id": 3, "name": "c"}]})
    assert wish.figures[0].slots_moved == wish.figures[0].slots_least > 0
    coordinator = Coordinator(1, QUICK, wish, world.now)

    def advance() -> bool:
        action = coordinator.poll()
        ((kind, told),) = action.items()
        if kind == "over":
            assert told == "complete"
        elif kind == "wait":
            world.now = max(world.now, min(told["until"], world.now + 1))
            coordinator.handle_timeout(world.now)
        else:
            coordinator.handle_answer(world.now, told["id"], world.answer(told["command"]))
        return bool(kind != "over")

    world.meanwhile = advance
    phases: set[str | None] = set()
    turn = 0
    while advance():
        turn += 1
        assert turn < 10_000, "the migration doesn't end"
        key = keys[turn % len(keys)]
        world.router.install(world.stored["snapshot"])
        phases.add(world.orders.describe(key).phase)
        if turn % 3 == 0:
            assert isinstance(world.put(key, b"new:" + key.encode()), Outcome.Written)
        value, _ = world.get(key)
        assert value in (key.encode(), b"new:" + key.encode())
    world.router.install(world.stored["snapshot"])
    after = world.router.snapshot
    assert [shard.name for shard in after.shards] == ["a", "b", "c"]
    assert coordinator.mismatches == []
    assert {"double-write", "read-new", "reversed"} <= phases
    assert len({world.orders.shard_of(key) for key in keys}) == 3
    for key in keys:
        assert world.get(key)[0].endswith(key.encode())


def test_a_wish_that_cannot_be_planned_says_so() -> None:
    snapshot = Snapshot.from_topology(TOPOLOGY)
    for wish in ({}, {"remove": [9]}, {"nonsense": 1}, "{"):
        with pytest.raises(PlanError) as caught:
            plan(snapshot, wish)
        assert caught.value.code == "plan", wish
    with pytest.raises(ArgumentError):
        plan("snapshot", {})  # type: ignore[arg-type]


def test_a_plan_prints_as_a_table() -> None:
    text = str(plan(Snapshot.from_topology(TOPOLOGY), {"add": [{"id": 3, "name": "c"}]}))
    assert text.startswith("cluster demo ")
    assert "orders" in text


def test_commands_of_no_shard_s_are_refused() -> None:
    shard, chunks = MemoryShard(), Chunks()
    with pytest.raises(ArgumentError):
        shard.command({"dance": {}}, chunks)
    claimed = shard.command({"claim": {"shard": 1, "term": 3}}, chunks)
    assert claimed["claimed"]["shard"] == 1
    assert shard.command({"claim": {"shard": 1, "term": 2}}, chunks) == {
        "refused": {"stale-term": {"seen": 3}}
    }
    assert isinstance(Reply.Missing(), Reply)


def test_bad_health_turns_it_back_and_says_why() -> None:
    world = World()
    first = Snapshot.decode(world.stored["snapshot"])
    wanted = plan(first, {"add": [{"id": 3, "name": "c"}]})
    settings = {**QUICK, "gates": {"patience_ms": 50, "recheck_ms": 5, "finish": "asked"}}
    coordinator = Coordinator(1, settings, wanted, world.now)
    coordinator.handle_wall_clock(world.now, 1_795_262_400_000, 60)
    assert coordinator.status["doing"] == "takes-office"
    with pytest.raises(ArgumentError):
        coordinator.handle_health(world.now, {"p99": 1})
    while True:
        coordinator.handle_health(world.now, {"p99_us": 2000, "baseline_p99_us": 1000})
        ((kind, told),) = coordinator.poll().items()
        if kind == "over":
            break
        if kind == "wait":
            world.now = max(world.now + 1, min(told["until"], world.now + 10))
            coordinator.handle_timeout(world.now)
            held = coordinator.status["held"]
            assert held is None or held["verdicts"][0]["gate"] == "latency"
        else:
            coordinator.handle_answer(world.now, told["id"], world.answer(told["command"]))
    assert "latency: 2000 µs, the limit is 1500 µs" in told["rolled-back"]["reason"]
    assert [one["what"] for one in coordinator.decisions] == ["held", "rolled-back"]
    assert "backup-verified" in coordinator.status["open_items"]


def test_the_point_of_no_return_is_agreed_to_in_the_log() -> None:
    coordinator = Coordinator(1, QUICK, None, 0)
    assert not coordinator.log["finish_agreed"]
    coordinator.agree_to_finish()
    assert coordinator.log["finish_agreed"]
