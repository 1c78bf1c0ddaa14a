"""A call of an async client that is cancelled in the middle."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ringshift import AsyncClient, Policy, Request, Response
from ringshift.errors import DisposedError
from ringshift.topology import FixedTopology, fixed
from worlds import Through, demo, store_of


class Hanging:
    """An async store that hangs on one key until it is let go."""

    def __init__(self, store: Any, key: bytes) -> None:
        self.store, self.key = store, key
        self.reached, self.go = asyncio.Event(), asyncio.Event()
        self.cancelled = 0

    def install(self, snapshot: Any) -> None:
        self.store.install(snapshot)

    async def send(self, attempt: Any, request: Request) -> Response:
        if request.key == self.key and not self.go.is_set():
            self.reached.set()
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        response: Response = self.store.send(attempt, request)
        return response


async def test_a_cancelled_call_cancels_its_request_and_leaves_the_client_well(
    tmp_path: Path, snapshot: Any
) -> None:
    store = Hanging(store_of("memory", tmp_path, snapshot), b"slow")
    async with await AsyncClient.open(topology=fixed(snapshot), store=store) as client:
        orders = client.keyspace("orders")
        call = asyncio.create_task(orders.put("slow", "1"))
        await store.reached.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert store.cancelled == 1
        await orders.put("fast", "1")
        store.go.set()
        assert await orders.get("slow") is None
        assert (await orders.put("slow", "2")).version > 0
        assert client.figures().operations == {"written": 2, "missing": 1}


async def test_an_attempt_that_takes_too_long_is_cancelled_and_asked_for(
    tmp_path: Path, snapshot: Any, caplog: pytest.LogCaptureFixture
) -> None:
    store = Hanging(store_of("memory", tmp_path, snapshot), b"slow")
    policy = Policy(attempt_ms=30, deadline_ms=5_000)
    async with await AsyncClient.open(
        topology=fixed(snapshot), store=store, policy=policy
    ) as client:
        call = asyncio.create_task(client.keyspace("orders").get("slow"))
        while store.cancelled < 2:
            await asyncio.sleep(0.005)
        store.go.set()
        assert await call is None
        assert client.figures().retries >= 2
        assert caplog.records == [], "the store did nothing wrong"


class SlowTopology(FixedTopology):
    def __init__(self, snapshot: Any) -> None:
        super().__init__(snapshot)
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.go.set()

    async def fetch(self, newer_than: int) -> bytes | None:  # type: ignore[override]
        self.begun.set()
        await self.go.wait()
        return super().fetch(newer_than)


async def test_who_asked_for_a_refresh_may_be_cancelled_others_still_get_it(
    tmp_path: Path,
) -> None:
    store = store_of("memory", tmp_path, demo("demo in double-write"), "demo in double-write")
    topology = SlowTopology(demo("demo at home"))
    async with await AsyncClient.open(topology=topology, store=store) as client:
        orders = client.keyspace("orders")
        topology.replace(demo("demo in double-write"))
        topology.go.clear()
        topology.begun.clear()
        first = asyncio.create_task(orders.put("user:1", "1"))
        await topology.begun.wait()
        second = asyncio.create_task(orders.put("user:4", "1"))
        await asyncio.sleep(0.01)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        topology.go.set()
        await second
        assert client.figures().refreshes == 1
        assert client.epoch == 7


async def test_a_refresh_that_hangs_ends_at_the_deadline(tmp_path: Path) -> None:
    store = store_of("memory", tmp_path, demo("demo in double-write"), "demo in double-write")
    topology = SlowTopology(demo("demo at home"))
    policy = Policy(deadline_ms=100)
    async with await AsyncClient.open(topology=topology, store=store, policy=policy) as client:
        topology.go.clear()
        async with asyncio.timeout(2):
            with pytest.raises(Exception, match="deadline"):
                await client.keyspace("orders").put("user:1", "1")


@pytest.mark.parametrize("after_ms", [0, 1, 3, 7])
async def test_cancelled_writes_leave_no_lock_behind(
    store_kind: str, tmp_path: Path, snapshot: Any, after_ms: int
) -> None:
    store = Through(store_of(store_kind, tmp_path, snapshot))
    async with await AsyncClient.open(topology=fixed(snapshot), store=store) as client:
        orders = client.keyspace("orders")
        calls = [asyncio.create_task(orders.put(f"k{n}", "1")) for n in range(50)]
        await asyncio.sleep(after_ms / 1000)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        async with asyncio.timeout(10):
            for n in range(50):
                before = await orders.get(f"k{n}")
                written = await orders.put(f"k{n}", "2")
                assert before is None or before.version < written.version


async def test_a_call_in_flight_may_still_learn_of_a_new_map_after_close(tmp_path: Path) -> None:
    new = "demo in double-write"
    store = Hanging(store_of("memory", tmp_path, demo(new), new), b"user:1")
    topology = fixed(demo("demo at home"))
    client = await AsyncClient.open(topology=topology, store=store)
    topology.replace(demo(new))
    call = asyncio.create_task(client.keyspace("orders").put("user:1", "1"))
    await store.reached.wait()
    await client.close()
    with pytest.raises(DisposedError):
        client.install(demo(new))
    store.go.set()
    assert (await call).version > 0
    assert client.epoch == 7


async def test_closing_with_calls_in_flight_lets_them_end(tmp_path: Path, snapshot: Any) -> None:
    store = Hanging(store_of("memory", tmp_path, snapshot), b"slow")
    client = await AsyncClient.open(topology=fixed(snapshot), store=store)
    call = asyncio.create_task(client.keyspace("orders").put("slow", "1"))
    await store.reached.wait()
    await client.close()
    store.go.set()
    assert (await call).version > 0
