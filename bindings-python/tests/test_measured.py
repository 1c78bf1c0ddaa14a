"""What is measured, and told afterwards: health, a migration's report, a router's counters."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ringshift import AsyncClient, Client, Policy, Request, Response, Router, Snapshot
from ringshift.advise import Meter, add_loads, advise
from ringshift.errors import ArgumentError, RingshiftError
from ringshift.migrate import (
    Chunks,
    Coordinator,
    Pulse,
    Report,
    StoreWatch,
    TopologyRecord,
    carry_out,
    plan,
    write_report,
)
from ringshift.stores import MemoryStore, SqliteStore, memory, sqlite
from worlds import TOPOLOGY

JOINS = {"add": [{"id": 4, "name": "pg-4"}]}
QUICK: dict[str, Any] = {
    "shadow_ms": 20,
    "ramps_ppm": [1_000_000],
    "ramp_ms": 20,
    "reversed_ms": 20,
}
KEYS = [f"user:{number}" for number in range(60)]


@pytest.fixture
def first() -> Snapshot:
    return Snapshot.from_topology(TOPOLOGY)


@pytest.fixture
def files(tmp_path: Path, first: Snapshot) -> Iterator[SqliteStore]:
    with sqlite(lambda name: tmp_path / f"{name}.db") as files:
        files.create(first)
        yield files


def migrate(first: Snapshot, store: MemoryStore | SqliteStore, **more: Any) -> Any:
    record = TopologyRecord(first)
    with Client.open(topology=record, store=store) as client:
        orders = client.keyspace("orders")
        for key in KEYS:
            orders.put(key, "here")
    each = more.pop("each", None)

    def told(coordinator: Coordinator, action: dict[str, Any], answer: Any) -> None:
        if answer == "swapped":
            store.install(record.snapshot)
        if each is not None:
            each(coordinator, action, answer)

    given = {"settings": QUICK, **more}
    term = record.draw_term()
    return carry_out(record, store, term=term, plan=plan(first, JOINS), each=told, **given)


def test_a_migration_on_files_ends_with_a_report(
    first: Snapshot, files: SqliteStore, tmp_path: Path
) -> None:
    report = Report(0, int(time.time() * 1000))
    assert migrate(first, files, report=report) == "complete"
    write_report(report, tmp_path / "report")
    summary = json.loads((tmp_path / "report" / "report.json").read_text())
    assert summary == report.summary
    assert summary["ending"] == "complete"
    assert any(move["goal"] == "switch" for move in summary["moves"])
    assert len(summary["barriers"]) >= 2
    assert all(0 < barrier["pause_us"] < 60_000_000 for barrier in summary["barriers"])
    assert summary["rows_copied"] > 0
    assert all(w["to"] == 4 and w["over"] and w["caught_up"] for w in summary["waves"])
    assert summary["latency"]["p99_before_us"] > 0, "it has looked at the stores itself"
    assert len(report.progress) == len(summary["waves"])
    assert "complete" in (tmp_path / "report" / "report.md").read_text() == report.text()


def test_the_applications_figures_are_the_reports_where_there_are_any(first: Snapshot) -> None:
    report = Report(0, 0)
    health = {"p99_us": 1_234, "baseline_p99_us": 1_200, "error_ppm": 7}
    assert migrate(first, memory(), report=report, health=lambda: health) == "complete"
    assert report.summary["latency"] == {
        "p99_before_us": 1_200,
        "p99_now_us": 1_234,
        "p99_max_us": 1_234,
        "error_ppm_max": 7,
    }


def test_a_store_that_falls_silent_holds_a_migration_that_is_told_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, state = memory(), {"silent": False}
    decided: list[str] = []
    really = store.command

    def command(command: Any, chunks: Any) -> Any:
        ((kind, given),) = command.items()
        if state["silent"] and kind == "guards" and given["shard"] == 4:
            return "unreachable"
        return really(command, chunks)

    def each(coordinator: Coordinator, action: dict[str, Any], _answer: Any) -> None:
        if action["point"]["goal"] == "shadow":
            state["silent"] = True
        decided[:] = [f"{d['what']} {d['why']}" for d in coordinator.decisions]
        if decided:
            state["silent"] = False

    monkeypatch.setattr(store, "command", command)
    alone = Snapshot.from_topology({**TOPOLOGY, "shards": [{"id": 1, "name": "pg-1"}]})
    checks = {"keys_per_minute": 600, "keys_per_round": 10}
    settings = {**QUICK, "shadow_ms": 6_000, "checks": checks}
    assert migrate(alone, store, settings=settings, each=each) == "complete"
    assert decided[0].startswith("held ")
    assert "store of shard 4: it isn't healthy" in decided[0]
    assert decided[1].startswith("passed ")


class Troubled:
    """A store in memory that can be slow, or gone."""

    def __init__(self) -> None:
        self.inner, self.seconds, self.gone = memory(), 0.0, False
        self.install = self.inner.install

    def send(self, attempt: Any, request: Request) -> Response:
        time.sleep(self.seconds)
        if self.gone:
            raise OSError("the disk is gone")
        return self.inner.send(attempt, request)


def test_a_client_says_how_its_operations_and_their_stores_are(first: Snapshot) -> None:
    store = Troubled()
    policy = Policy(deadline_ms=500)
    with Client.open(topology=TopologyRecord(first), store=store, policy=policy) as client:
        assert client.health()["p99_us"] is None
        orders = client.keyspace("orders")
        for key in KEYS:
            orders.put(key, "here")
        well = client.health()
        assert well["error_ppm"] == 0
        assert well["p99_us"] < 400_000
        assert well["shadow_mismatches"] == 0
        assert all(store["healthy"] for store in well["stores"])
        store.seconds = 0.4
        for key in KEYS[:2]:
            orders.get(key)
        assert client.health()["p99_us"] >= 400_000
        store.seconds, store.gone = 0.0, True
        for key in KEYS[:20]:
            with pytest.raises(RingshiftError):
                orders.put(key, "there")
        sick = client.health()
        assert sick["error_ppm"] > 10_000
        assert any(not store["healthy"] for store in sick["stores"])


async def test_an_async_client_says_it_too(first: Snapshot) -> None:
    record = TopologyRecord(first)
    async with await AsyncClient.open(topology=record, store=memory()) as client:
        orders = client.keyspace("orders")
        for key in KEYS:
            await orders.put(key, "here")
        health = client.health()
        assert health["error_ppm"] == 0
        assert health["p99_us"] > 0
        assert {store["healthy"] for store in health["stores"]} == {True}


def test_a_pulse_counts_forgets_and_has_a_baseline(first: Snapshot) -> None:
    pulse = Pulse({"window_ms": 1_000, "samples_min": 10, "slow_us": 50, "baseline_us_min": 0})
    for n in range(10):
        pulse.handle_operation(n, 15, False)
        pulse.handle_mirror(n, n < 1)
        pulse.handle_request(n, 1, 51, False)
    assert pulse.health == {
        "error_ppm": 0,
        "p99_us": 15,
        "baseline_p99_us": None,
        "mirror_failures_ppm": 100_000,
        "shadow_compared": None,
        "shadow_mismatches": None,
        "stores": [{"shard": 1, "healthy": False}],
    }
    pulse.handle_snapshot(20, first)
    assert not pulse.has_baseline
    pulse.take_baseline()
    assert pulse.has_baseline
    assert pulse.health["baseline_p99_us"] == 15
    pulse.drop_baseline()
    pulse.handle_timeout(5_000)
    assert pulse.health["p99_us"] is None
    with pytest.raises(ArgumentError):
        Pulse({"window": 1})


def test_a_watch_looks_at_the_stores_of_a_migration_and_not_of_none(first: Snapshot) -> None:
    record, store, chunks = TopologyRecord(first), memory(), Chunks()
    store.install(first)
    coordinator = Coordinator(record.draw_term(), QUICK, plan(first, JOINS), 0)
    watch = StoreWatch()
    assert watch.poll(0, coordinator) is None, "nothing is known yet"
    for _ in range(10):
        look = watch.poll(1, coordinator)
        if look is not None:
            break
        told = coordinator.poll()["do"]
        ((_, given),) = told["command"].items()
        if "shard" in given:
            answer = store.command(told["command"], chunks)
        else:
            answer = record.command(told["command"])
        coordinator.handle_answer(0, told["id"], answer)
    looks = 0
    while look is not None:
        watch.handle_look(1, look, {"guards": []}, 200)
        look = watch.poll(1, coordinator)
        looks += 1
    assert looks == 100
    watch.handle_command(2, {"time": {"shard": 1}}, "unreachable", 5)
    health = watch.health
    assert 200 <= health["p99_us"] < 213
    assert health["baseline_p99_us"] == 100_000
    assert [store["shard"] for store in health["stores"]] == [1, 2, 3]
    coordinator.handle_seen(3, health)
    assert coordinator.goal is None


def test_a_report_is_fed_by_hand_too(first: Snapshot) -> None:
    report = Report(0, 1_795_262_400_000)
    record = TopologyRecord(first)
    coordinator = Coordinator(record.draw_term(), QUICK, plan(first, JOINS), 0)
    told = coordinator.poll()["do"]
    answer = record.command(told["command"])
    report.handle_command(5, told["point"], None, told["wave"], told["command"], answer)
    report.handle_coordinator(5, coordinator)
    report.handle_barrier(6, {"ramp": 500_000}, 9, 1_500)
    report.handle_health(7, {"p99_us": 5})
    report.handle_seen(7, {"p99_us": 9})
    report.handle_estimate(9, 10)
    summary = report.summary
    assert summary["barriers"][0]["pause_us"] == 1_500
    assert summary["latency"]["p99_now_us"] == 5
    assert summary["moves"][0]["commands"] == 1
    with pytest.raises(ArgumentError):
        report.handle_command(8, {"goal": "fly"}, None, None, {}, "done")


def test_counters_at_a_router_lead_to_advice_and_its_wish_to_a_plan(first: Snapshot) -> None:
    orders = Router(first).keyspace("orders")
    meter = Meter("orders", 4, 1, 0, 7)
    for n in range(3_000):
        meter.record_key(n, orders, "celebrity" if n % 10 < 8 else f"user:{n}")
    meter.record(3_000, 1, 3, b"celebrity")
    meter.record_spread()
    loads = meter.loads
    assert (loads["ops"], loads["spread_ops"]) == (3_001, 1)
    assert loads["hot"][0]["ops"] == 2_401
    assert bytes(loads["hot"][0]["key"]) == b"celebrity"
    twice = add_loads({"keyspaces": [loads]}, json.dumps({"keyspaces": [loads]}))
    assert twice["keyspaces"][0]["ops"] == 6_002
    advice = advise(first, twice, {"load_percent": 120})
    assert any("celebrity" in one["text"] for one in advice), advice
    for one in advice:
        if one["wish"] is not None:
            assert plan(first, one["wish"]).figures
    assert advise(first, {}) == []
    with pytest.raises(ArgumentError):
        advise(first, {"keyspace": []})
