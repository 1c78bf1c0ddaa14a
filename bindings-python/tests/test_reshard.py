"""A shard joins while clients write: nothing that was acknowledged is lost."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ringshift import AsyncClient, Client, Policy, Snapshot
from ringshift.errors import VersionConflictError
from ringshift.migrate import Coordinator, TopologyRecord, carry_out, plan
from ringshift.stores import MemoryStore, SqliteStore, memory, sqlite
from worlds import TOPOLOGY

KEYS = [f"user:{number}" for number in range(40)]
QUICK = {
    "shadow_ms": 100,
    "ramps_ppm": [300_000, 1_000_000],
    "ramp_ms": 60,
    "reversed_ms": 60,
    "chunk_rows": 7,
}
POLICY = Policy(deadline_ms=20_000)


class Operator(threading.Thread):
    """A topology store, and a coordinator that adds the shard pg-4."""

    blocking = False

    def __init__(self, store: MemoryStore | SqliteStore) -> None:
        super().__init__(daemon=True)
        first = Snapshot.from_topology(TOPOLOGY)
        self.store, self.record = store, TopologyRecord(first)
        self.wish = plan(first, {"add": [{"id": 4, "name": "pg-4"}]})
        self.fetch = self.record.fetch
        self.over: Any = None
        self.mismatches: Any = None

    def each(self, coordinator: Coordinator, action: dict[str, Any], answer: Any) -> None:
        if isinstance(answer, str) and answer == "swapped":
            # The file of a shard that joins is found by its name.
            self.store.install(self.record.snapshot)
        self.mismatches = coordinator.mismatches

    def run(self) -> None:
        term = self.record.draw_term()
        self.over = carry_out(
            self.record, self.store, term=term, plan=self.wish, settings=QUICK, each=self.each
        )


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MemoryStore | SqliteStore]:
    if request.param == "memory":
        yield memory()
        return
    with sqlite(lambda name: tmp_path / f"{name}.db") as files:
        files.create(Snapshot.from_topology(TOPOLOGY))
        yield files


def check(operator: Operator, client: Any, values: list[Any], added: dict[str, int]) -> None:
    assert operator.over == "complete"
    assert operator.mismatches == []
    assert sum(added.values()) > 100, "they wrote all the time"
    for key, value in zip(KEYS, values, strict=True):
        assert int(value.value) == added[key], key
    named = {client.keyspace("orders").shard_of(key) for key in KEYS}
    assert "pg-4" in named
    figures = client.figures()
    assert figures.shadows.mismatches == 0
    assert figures.epoch > 5
    assert figures.refreshes <= 3 * figures.epoch, "a refresh or so for each map"


def test_threads_lose_nothing_while_a_shard_joins(store: MemoryStore | SqliteStore) -> None:
    operator = Operator(store)
    added, counting = dict.fromkeys(KEYS, 0), threading.Lock()
    failures: list[BaseException] = []
    with Client.open(topology=operator, store=store, policy=POLICY) as client:
        orders = client.keyspace("orders")

        def work(turn: int) -> None:
            try:
                while operator.over is None:
                    turn += 1
                    key = KEYS[turn % len(KEYS)]
                    found = orders.get(key)
                    number = 0 if found is None else int(found.value)
                    expected = None if found is None else found.version
                    try:
                        orders.put_if(key, str(number + 1), expected)
                    except VersionConflictError:
                        continue
                    with counting:
                        added[key] += 1
            except BaseException as failure:
                failures.append(failure)

        threads = [threading.Thread(target=work, args=(at * 7,)) for at in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.05)
        operator.start()
        for thread in (*threads, operator):
            thread.join(60)
        assert failures == []
        for key in (key for key in KEYS if added[key] == 0):
            orders.put(key, "0")
        client.install(operator.record.snapshot)
        check(operator, client, orders.get_many(KEYS), added)


async def test_tasks_lose_nothing_while_a_shard_joins() -> None:
    store = memory()
    operator = Operator(store)
    added = dict.fromkeys(KEYS, 0)
    async with await AsyncClient.open(topology=operator, store=store, policy=POLICY) as client:
        orders = client.keyspace("orders")

        async def work(turn: int) -> None:
            while operator.over is None:
                turn += 1
                key = KEYS[turn % len(KEYS)]
                found = await orders.get(key)
                await asyncio.sleep(0)
                number = 0 if found is None else int(found.value)
                expected = None if found is None else found.version
                try:
                    await orders.put_if(key, str(number + 1), expected)
                except VersionConflictError:
                    continue
                added[key] += 1

        workers = [asyncio.create_task(work(at * 7)) for at in range(8)]
        await asyncio.sleep(0.05)
        operator.start()
        async with asyncio.timeout(60):
            await asyncio.gather(*workers)
        for key in (key for key in KEYS if added[key] == 0):
            await orders.put(key, "0")
        client.install(operator.record.snapshot)
        check(operator, client, await orders.get_many(KEYS), added)


def test_the_topology_has_three_shards_before() -> None:
    assert len(Snapshot.from_topology(TOPOLOGY).shards) == 3
    with pytest.raises(ValueError, match="shard"):
        plan(Snapshot.from_topology(TOPOLOGY), {"add": [{"id": 3, "name": "pg-4"}]})
