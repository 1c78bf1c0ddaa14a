"""Learning that the map is old: one refresh for all, and what a refresh may bring."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path
from typing import Any

import pytest

from ringshift import AsyncClient, Client, Policy, Refusal, Reply, Request, Response
from ringshift.errors import OperationFailedError, SnapshotError
from ringshift.topology import fixed
from worlds import Counting, Through, demo, store_of

OLD, NEW = "demo at home", "demo in double-write"
STALE = 1_000


def moved_on(kind: str, folder: Path) -> tuple[Any, Counting]:
    """A store whose shards are at the newer epoch, and a topology that clients opened before."""
    return store_of(kind, folder, demo(NEW), NEW), Counting(demo(OLD))


def test_a_thousand_stale_threads_make_one_refresh(store_kind: str, tmp_path: Path) -> None:
    inner, topology = moved_on(store_kind, tmp_path)
    together = threading.Barrier(STALE)

    def wait_for_all(attempt: Any, _request: Request) -> None:
        if attempt.epoch < 7:
            together.wait(30)

    # The sqlite store's own lock must not be held while one waits: this waits before it.
    store = Through(inner, wait_for_all)
    with Client.open(topology=topology, store=store, policy=Policy(deadline_ms=60_000)) as client:
        orders = client.keyspace("orders")
        topology.replace(demo(NEW))
        keys = [
            key for key in (f"user:{n}" for n in range(3_000)) if orders.describe(key).domain == 1
        ]
        errors: list[BaseException] = []

        def put(key: str) -> None:
            try:
                orders.put(key, "1")
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=put, args=(key,)) for key in keys[:STALE]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert len([attempt for attempt in store.seen if attempt.epoch == 5]) == STALE
        assert topology.fetches == 2, "one at the opening, one for all"
        assert client.figures().refreshes == 1
        assert client.epoch == 7


async def test_a_thousand_stale_tasks_make_one_refresh(store_kind: str, tmp_path: Path) -> None:
    inner, topology = moved_on(store_kind, tmp_path)
    store = Through(inner)
    policy = Policy(deadline_ms=60_000, attempt_ms=0)
    async with await AsyncClient.open(topology=topology, store=store, policy=policy) as client:
        orders = client.keyspace("orders")
        topology.replace(demo(NEW))
        keys = [
            key for key in (f"user:{n}" for n in range(3_000)) if orders.describe(key).domain == 1
        ]
        await asyncio.gather(*(orders.put(key, "1") for key in keys[:STALE]))
        assert topology.fetches == 2
        assert client.figures().refreshes == 1
        assert client.epoch == 7
        values = await orders.get_many(keys[:STALE])
        assert all(value is not None and value.value == b"1" for value in values)


def test_a_refusal_makes_a_refresh_and_the_operation_goes_on(opened: Any, tmp_path: Path) -> None:
    store, topology = moved_on("memory", tmp_path)
    client = opened(store, topology)
    orders = client.keyspace("orders")
    key = next(f"user:{n}" for n in range(100) if orders.describe(f"user:{n}").domain == 1)
    topology.replace(demo(NEW))
    assert orders.put(key, "1").lagging == "pg-2", "relaxed: the mirror is written later"
    assert client.epoch == 7
    assert client.figures().refreshes == 1
    assert client.figures().retries == 1


def test_who_waits_at_a_barrier_takes_a_newer_map_that_is_at_hand(
    opened: Any, tmp_path: Path
) -> None:
    inner, topology = moved_on("memory", tmp_path)
    clients: list[Any] = []

    def barrier(attempt: Any, _request: Request) -> Response | None:
        if attempt.epoch >= 7:
            return None
        if len(store.seen) == 3:
            clients[0].client.install(demo(NEW))
        return Response(Reply.Refused(Refusal("not_ready", current=5)))

    store = Through(inner, barrier)
    clients.append(opened(store, topology, Policy(deadline_ms=3_000)))
    assert clients[0].keyspace("orders").put("user:1", "1").version > 0
    assert clients[0].figures().refreshes == 0
    assert len(store.seen) <= 5


def test_without_news_the_topology_is_asked_less_and_less(opened: Any, tmp_path: Path) -> None:
    store, topology = moved_on("memory", tmp_path)
    client = opened(store, topology, Policy(deadline_ms=1_500))
    orders = client.keyspace("orders")
    with pytest.raises(OperationFailedError) as caught:
        orders.put("user:1", "1")
    assert caught.value.code == "deadline"
    assert caught.value.last.code == "stale_epoch"
    # Back to back, with 50 ms each, it would be 30.
    assert 3 <= client.figures().refreshes <= 15


class Broken:
    """Answers the first fetch, and whatever it is given after that."""

    def __init__(self, first: bytes, then: bytes | Exception) -> None:
        self.first, self.then = first, then

    def fetch(self, newer_than: int) -> bytes | None:
        if newer_than == 0:
            return self.first
        if isinstance(self.then, Exception):
            raise self.then
        return self.then


@pytest.mark.parametrize("then", ["foreign", "forked", "damaged", "older", "raises"])
def test_a_refresh_that_is_refused_changes_nothing(
    opened: Any, tmp_path: Path, then: str, snapshot: Any
) -> None:
    bad = {
        "foreign": snapshot.encode(),
        "forked": demo("demo forked").encode(),
        "damaged": demo("demo in double-write").encode()[:-1],
        "older": demo("demo at home").encode(),
        "raises": OSError("down"),
    }[then]
    now = "demo in prepare"
    store = store_of("memory", tmp_path, demo("demo in double-write"), "demo in double-write")
    client = opened(store, Broken(demo(now).encode(), bad), Policy(deadline_ms=100))
    with pytest.raises(OperationFailedError):
        client.keyspace("orders").put("user:1", "1")
    assert client.epoch == demo(now).epoch
    assert client.figures().refreshes > 0


def test_a_fetch_that_is_interrupted_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, topology = moved_on("memory", tmp_path)
    with Client.open(topology=topology, store=store) as client:

        def interrupted(_newer_than: int) -> bytes | None:
            raise KeyboardInterrupt

        monkeypatch.setattr(topology, "fetch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            client.keyspace("orders").put("user:1", "1")
        monkeypatch.undo()
        topology.replace(demo(NEW))
        assert client.keyspace("orders").put("user:1", "1").version > 0
        assert client.figures().refreshes == 2


def test_a_store_hears_of_newer_snapshots_only(tmp_path: Path, snapshot: Any) -> None:
    store, topology = moved_on("memory", tmp_path)
    heard: list[int] = []
    store.install = lambda snapshot: heard.append(snapshot.epoch)
    with Client.open(topology=topology, store=store) as client:
        for other in [demo(OLD), demo("demo in prepare"), demo("demo forked"), snapshot]:
            with contextlib.suppress(SnapshotError):
                client.install(other)
        assert heard == [5, 6]


def test_what_is_installed_by_hand_is_checked(opened: Any, tmp_path: Path, snapshot: Any) -> None:
    store = store_of("memory", tmp_path, demo(NEW), NEW)
    client = opened(store, fixed(demo("demo in prepare")))
    assert client.install(demo("demo in prepare")) is False
    for other, code in [
        (demo("demo forked"), "forked_snapshot"),
        (demo(OLD), "older_snapshot"),
        (snapshot, "foreign_cluster"),
    ]:
        with pytest.raises(SnapshotError) as caught:
            client.install(other)
        assert caught.value.code == code
    assert client.install(demo(NEW).encode()) is True
    assert client.epoch == 7
    assert client.keyspace("orders").put("user:1", "1").version > 0


def test_a_watching_client_hears_of_news_by_itself(tmp_path: Path) -> None:
    store, topology = moved_on("memory", tmp_path)
    with Client.open(topology=topology, store=store, watch=True) as client:
        topology.replace(demo(NEW))
        for _ in range(500):
            if client.epoch == 7:
                break
            threading.Event().wait(0.01)
        assert client.epoch == 7
        assert client.figures().refreshes == 0


async def test_a_watching_async_client_does_too(tmp_path: Path) -> None:
    store, topology = moved_on("memory", tmp_path)
    async with await AsyncClient.open(topology=topology, store=store, watch=True) as client:
        topology.replace(demo(NEW))
        async with asyncio.timeout(5):
            while client.epoch != 7:
                await asyncio.sleep(0.01)
