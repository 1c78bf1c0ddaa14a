# ruff: noqa: PT012
"""Several keys changed together: over memory and SQLite, for threads and for asyncio."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ringshift import AsyncClient, Client, Snapshot
from ringshift.errors import (
    ArgumentError,
    CrossShardError,
    RetryableError,
    VersionConflictError,
)
from ringshift.topology import fixed
from support import next_snapshot, topology
from worlds import demo, store_of

STORES = ["memory", "sqlite"]
SNAPSHOT = Snapshot.from_topology(topology(3, key={"parts": 1}))
A, B = ("user:42", "profile"), ("user:42", "cart")


def opened(stores: str, folder: Path, snapshot: Snapshot = SNAPSHOT) -> tuple[Client, Any]:
    store = store_of(stores, folder, snapshot, None)
    return Client.open(topology=fixed(snapshot), store=store), store


@pytest.mark.parametrize("stores", STORES)
def test_several_keys_are_changed_together(stores: str, tmp_path: Path) -> None:
    client, _ = opened(stores, tmp_path)
    orders = client.keyspace("orders")
    running = orders.transaction([A, B])
    with running as tx:
        assert tx.get(A) is None
        tx.put(A, b"a")
        assert tx.get(A) == b"a"
        tx.put(B, "b")
    assert running.committed is not None
    versions = running.committed.versions
    assert len(versions) == 2
    read = orders.get(A)
    assert read is not None
    assert (read.value, read.version) == (b"a", versions[0])
    with orders.transaction([A, B]) as tx:
        assert (tx.get(A), tx.version(A)) == (b"a", versions[0])
        tx.delete(B)
        assert tx.get(B) is None
    assert orders.get(B) is None


@pytest.mark.parametrize("stores", STORES)
def test_a_block_that_raises_changes_nothing(stores: str, tmp_path: Path) -> None:
    client, _ = opened(stores, tmp_path)
    orders = client.keyspace("orders")
    with pytest.raises(ZeroDivisionError), orders.transaction([A, B]) as tx:
        tx.put(A, b"a")
        raise ZeroDivisionError
    with pytest.raises(ArgumentError) as refused, orders.transaction([A]) as tx:
        tx.put(A, b"a")
        tx.get(B)
    assert refused.value.code == "transaction_keys"
    assert orders.get(A) is None


@pytest.mark.parametrize("stores", STORES)
def test_keys_of_several_shards_are_listed(stores: str, tmp_path: Path) -> None:
    client, _ = opened(stores, tmp_path)
    orders = client.keyspace("orders")
    keys = [(f"user:{number}", "x") for number in range(8)]
    with pytest.raises(CrossShardError) as refused, orders.transaction(keys):
        pytest.fail("it was begun")
    listed = {orders.shard_of(key) for key in keys}
    assert refused.value.shards == {
        shard: [key for key in keys if orders.shard_of(key) == shard] for shard in listed
    }
    for wrong in ([], [A, A]):
        with pytest.raises(ArgumentError), orders.transaction(wrong):
            pytest.fail("it was begun")


@pytest.mark.parametrize("stores", STORES)
def test_a_change_in_between_is_a_conflict_or_another_run(stores: str, tmp_path: Path) -> None:
    client, _ = opened(stores, tmp_path)
    orders = client.keyspace("orders")
    orders.put(A, b"1")
    with pytest.raises(VersionConflictError) as conflict, orders.transaction([A, B]) as tx:
        value = tx.get(A)
        written = orders.put(A, b"2")
        tx.put(B, value or b"")
    assert (conflict.value.key, conflict.value.found) == (A, written.version)
    seen: list[bytes | None] = []

    def work(tx: Any) -> int:
        seen.append(tx.get(A))
        if len(seen) == 1:
            orders.put(A, b"3")
        tx.put(B, seen[-1])
        return len(seen)

    assert orders.run_transaction([A, B], work) == 2
    assert seen == [b"2", b"3"]
    read = orders.get(B)
    assert read is not None
    assert read.value == b"3"


def test_race_10_a_block_that_outlives_its_epoch_is_refused(tmp_path: Path) -> None:
    client, store = opened("memory", tmp_path)
    orders = client.keyspace("orders")
    with pytest.raises(RetryableError), orders.transaction([A, B]) as tx:
        tx.put(A, b"a")
        for shard in SNAPSHOT.shards:
            raised = [
                {"row": {**row["row"], "epoch": SNAPSHOT.epoch + 1}, "claims": row["claims"]}
                for row in homes(shard.id)
            ]
            store.tell(shard.id, raised, term=2)
    assert store.row(shard_of(orders), 0, key_of(A)) is None


def homes(shard: int) -> list[dict[str, Any]]:
    from ringshift.migrate import home_installs

    return home_installs(SNAPSHOT, shard)


def shard_of(orders: Any) -> int:
    name = orders.shard_of(A)
    return next(shard.id for shard in SNAPSHOT.shards if shard.name == name)


def key_of(key: Any) -> bytes:
    from ringshift import key_bytes

    return key_bytes(key)


@pytest.mark.parametrize("stores", STORES)
def test_transfers_at_the_same_time_lose_nothing(stores: str, tmp_path: Path) -> None:
    client, _ = opened(stores, tmp_path)
    orders = client.keyspace("orders")
    accounts = [("bank", f"account-{number}") for number in range(4)]

    def number(value: bytes | None) -> int:
        return int(value or b"0")

    with orders.transaction(accounts) as tx:
        tx.put(accounts[0], b"1000")

    def transfer(turn: int) -> None:
        one, other = accounts[turn % 4], accounts[(turn // 4 + turn + 1) % 4]
        if one == other:
            return

        def work(tx: Any) -> None:
            amount = min(number(tx.get(one)), 7 + turn % 5)
            tx.put(one, str(number(tx.get(one)) - amount))
            tx.put(other, str(number(tx.get(other)) + amount))

        orders.run_transaction([one, other], work)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(transfer, range(80)))
    with orders.transaction(accounts) as tx:
        assert sum(number(tx.get(account)) for account in accounts) == 1_000


@pytest.mark.parametrize("phase", ["double-write", "read-new", "reversed"])
@pytest.mark.parametrize("stores", STORES)
def test_in_a_wave_both_sides_get_it(stores: str, phase: str, tmp_path: Path) -> None:
    world = f"demo in {phase}"
    snapshot = demo(world)
    store = store_of(stores, tmp_path, snapshot, world)
    client = Client.open(topology=fixed(snapshot), store=store)
    orders = client.keyspace("orders")
    moving = [f"user:{number}" for number in range(200)]
    moving = [key for key in moving if orders.describe(key).phase == phase][:3]
    assert len(moving) == 3
    with orders.transaction(moving) as tx:
        for key in moving:
            tx.put(key, key.upper())
    for key in moving:
        read = orders.get(key)
        assert read is not None
        assert read.value == key.upper().encode()
    with orders.transaction(moving) as tx:
        assert [tx.get(key) for key in moving] == [key.upper().encode() for key in moving]


@pytest.mark.parametrize("stores", STORES)
def test_the_same_in_an_event_loop(stores: str, tmp_path: Path) -> None:
    async def main() -> None:
        store = store_of(stores, tmp_path, SNAPSHOT, None)
        async with await AsyncClient.open(topology=fixed(SNAPSHOT), store=store) as client:
            orders = client.keyspace("orders")
            async with orders.transaction([A, B]) as tx:
                tx.put(A, b"0")
                tx.put(B, b"0")
            with pytest.raises(ZeroDivisionError):
                async with orders.transaction([A, B]) as tx:
                    tx.put(A, b"no")
                    raise ZeroDivisionError

            async def add(tx: Any) -> None:
                value = int(tx.get(A))
                await asyncio.sleep(0)
                tx.put(A, str(value + 1))
                tx.put(B, str(-value - 1))

            await asyncio.gather(*(orders.run_transaction([A, B], add) for _ in range(12)))
            async with orders.transaction([A, B]) as tx:
                assert (tx.get(A), tx.get(B)) == (b"12", b"-12")
            with pytest.raises(VersionConflictError):
                async with orders.transaction([A, B]) as tx:
                    tx.get(A)
                    await orders.put(A, b"13")
                    tx.put(B, b"x")

    asyncio.run(main())


def test_a_store_without_batches_says_so() -> None:
    class Bare:
        def send(self, attempt: Any, request: Any) -> Any:
            raise AssertionError(attempt, request)

    client = Client.open(topology=fixed(SNAPSHOT), store=Bare())
    with pytest.raises(ArgumentError, match="batch"):
        client.keyspace("orders").transaction([A])


def test_a_snapshot_in_between_does_not_matter_to_who_stays(tmp_path: Path) -> None:
    client, _ = opened("memory", tmp_path)
    orders = client.keyspace("orders")
    with orders.transaction([A, B]) as tx:
        tx.put(A, b"a")
        assert client.install(next_snapshot(SNAPSHOT))
    assert orders.get(A) is not None
