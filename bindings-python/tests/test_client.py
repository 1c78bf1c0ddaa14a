"""Every call of both clients, over both stores."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from ringshift import Policy, Reply, Response, Router, Snapshot
from ringshift.errors import (
    ArgumentError,
    DisposedError,
    KeyTypeError,
    OperationFailedError,
    UnknownKeyspaceError,
    VersionConflictError,
)
from ringshift.topology import fixed
from worlds import Both, Through, lose

KEYS = ["user:42", b"\x00\xff", 42, -7, ("user", 42, b"x"), "ключ", ""]


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_what_was_put_is_got(client: Both, key: Any) -> None:
    orders = client.keyspace("orders")
    assert orders.get(key) is None
    written = orders.put(key, "välue")
    assert written.lagging is None
    found = orders.get(key)
    assert (found.value, found.version) == ("välue".encode(), written.version)
    deleted = orders.delete(key)
    assert deleted.version > written.version
    assert orders.get(key) is None
    again = orders.put(key, bytearray(b"2"))
    assert again.version > deleted.version, "what replaces a removed row is newer than it was"
    assert orders.get(key).value == b"2"


@pytest.mark.parametrize("value", ["", b"", b"\x00" * 100_000, memoryview(b"abc")[1:], "😀"])
def test_values_are_bytes_or_text(client: Both, value: Any) -> None:
    orders = client.keyspace("orders")
    orders.put("k", value)
    wanted = value.encode() if isinstance(value, str) else bytes(value)
    assert orders.get("k").value == wanted


@pytest.mark.parametrize("value", [None, 7, ["a"], "\ud800"], ids=repr)
def test_other_values_are_refused(client: Both, value: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        client.keyspace("orders").put("k", value)
    assert caught.value.code == "argument"
    assert client.keyspace("orders").get("k") is None


def test_put_if_puts_over_the_version_that_it_expects(client: Both) -> None:
    orders = client.keyspace("orders")
    first = orders.put_if("k", "1", None)
    second = orders.put_if("k", "2", first.version)
    assert second.version > first.version
    orders.delete("k")
    assert orders.put_if("k", "3", None).version > second.version


def test_a_conflict_says_what_was_found(client: Both) -> None:
    orders = client.keyspace("orders")
    with pytest.raises(VersionConflictError) as nothing:
        orders.put_if("k", "1", 5)
    assert (nothing.value.found, nothing.value.code) == (None, "version_conflict")
    assert nothing.value.value is None
    written = orders.put("k", "1")
    with pytest.raises(VersionConflictError) as other:
        orders.put_if("k", "2", None)
    assert (other.value.found, other.value.key) == (written.version, "k")
    assert other.value.value == b"1", "what is there needn't be read again"
    assert "'k'" in str(other.value)
    assert orders.get("k").value == b"1"


def test_get_many_answers_in_the_order_of_the_keys(client: Both) -> None:
    orders = client.keyspace("orders")
    keys = [f"user:{n}" for n in range(60)]
    for key in keys[::2]:
        orders.put(key, key)
    values = orders.get_many(reversed(keys))
    assert [value and value.value for value in values] == [
        key.encode() if n % 2 == 0 else None for n, key in reversed(list(enumerate(keys)))
    ]
    assert orders.get_many([]) == []


def test_a_bad_key_among_many_is_an_error(client: Both) -> None:
    with pytest.raises(KeyTypeError):
        client.keyspace("orders").get_many(["a", 1.5])


def test_each_shard_is_asked_once(client: Both, snapshot: Snapshot) -> None:
    orders = client.keyspace("orders")

    async def ask(share: Any) -> int:
        return int(share.slots)

    answers = orders.for_each_shard(ask if client.runner else lambda share: int(share.slots))
    assert list(answers) == [shard.name for shard in snapshot.shards]
    assert sum(answers.values()) == 16


def test_routing_is_the_router_s(client: Both, snapshot: Snapshot) -> None:
    orders, router = client.keyspace("orders"), Router(snapshot).keyspace("orders")
    keys = [f"user:{n}" for n in range(100)]
    assert [orders.route(key) for key in keys] == [router.route(key) for key in keys]
    assert orders.shard_of("a") == router.shard_of("a")
    assert orders.describe("a") == router.describe("a")
    assert orders.explain("a") == router.explain("a")
    assert list(orders.route_many(keys)) == list(router.route_many(keys))
    assert orders.group_by_shard(keys) == router.group_by_shard(keys)
    assert orders.replicas("a", 2) == router.replicas("a", 2)
    assert (orders.name, orders.id) == ("orders", router.id)


def test_a_caller_s_own_function_carries_attempts_out(client: Both) -> None:
    orders, kinds = client.keyspace("orders"), []

    def carry(attempt: Any) -> Reply | Response:
        kinds.append(attempt.kind)
        return Reply.Written((1 << 32) + 5) if attempt.kind == "write" else Reply.Missing()

    async def carry_async(attempt: Any) -> Reply | Response:
        return carry(attempt)

    fn = carry_async if client.runner else carry
    assert orders.run("k", "write", fn).outcome.version == (1 << 32) + 5
    assert type(orders.run("k", "read", fn).outcome).__name__.endswith("Missing")
    assert kinds == ["write", "read"]
    with pytest.raises(ArgumentError):
        orders.run("k", "delete", fn)


def test_after_close_each_call_says_so(client: Both) -> None:
    orders = client.keyspace("orders")
    orders.put("k", "1")
    client.close()
    client.close()
    calls: list[Callable[[], object]] = [
        lambda: orders.get("k"),
        lambda: orders.put("k", "2"),
        lambda: orders.get_many(["k"]),
        lambda: client.keyspace("orders"),
    ]
    for call in calls:
        with pytest.raises(DisposedError) as caught:
            call()
        assert caught.value.code == "disposed"


def test_misuse_is_told_by_its_slug(client: Both) -> None:
    with pytest.raises(UnknownKeyspaceError) as caught:
        client.keyspace("nope")
    assert caught.value.code == "unknown_keyspace"
    for key, code in [(None, "key_type"), (True, "key_type"), ("\ud800", "key_encoding")]:
        with pytest.raises(ValueError, match="key") as refused:
            client.keyspace("orders").get(key)
        assert refused.value.code == code  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="bytes") as long:
        client.keyspace("orders").put("k" * 70_000, "")
    assert long.value.code == "key_too_long"  # type: ignore[attr-defined]


def test_a_barrier_that_never_opens_ends_at_the_deadline(
    opened: Any, store: Any, snapshot: Snapshot
) -> None:
    from ringshift import Refusal

    held = Through(store, lambda *_: Response(Reply.Refused(Refusal("not_ready", current=1))))
    client = opened(held, fixed(snapshot), Policy(deadline_ms=300))
    begun = time.monotonic()
    with pytest.raises(OperationFailedError) as caught:
        client.keyspace("orders").put("k", "1")
    assert 0.25 < time.monotonic() - begun < 3
    assert caught.value.code == "deadline"
    assert caught.value.key == "k"
    assert caught.value.last.code == "not_ready"
    assert len(held.seen) > 5, "it tries again"
    assert client.figures().operations == {"deadline": 1}
    assert client.figures().retries == len(held.seen)


def test_a_lost_answer_is_asked_for(opened: Any, store: Any, snapshot: Snapshot) -> None:
    losing = Through(store, after=lose("write"))
    client = opened(losing, fixed(snapshot), Policy(deadline_ms=1_000))
    orders = client.keyspace("orders")
    written = orders.put("k", "1")
    assert [attempt.kind for attempt in losing.seen] == ["write", "confirm"]
    assert orders.get("k").version == written.version


def test_an_outcome_that_nobody_knows_is_indeterminate(
    opened: Any, store: Any, snapshot: Snapshot
) -> None:
    losing = Through(store, after=lose("write", "confirm"))
    client = opened(losing, fixed(snapshot), Policy(deadline_ms=500))
    with pytest.raises(OperationFailedError) as caught:
        client.keyspace("orders").put("k", "1")
    assert caught.value.code == "indeterminate"
    assert client.keyspace("orders").get("k").value == b"1", "this one was carried out"


def test_a_store_that_raises_is_no_answer(opened: Any, store: Any, snapshot: Snapshot) -> None:
    def fail(*_: Any) -> None:
        raise ConnectionResetError("gone")

    client = opened(Through(store, fail), fixed(snapshot), Policy(deadline_ms=500))
    with pytest.raises(OperationFailedError) as caught:
        client.keyspace("orders").get("k")
    assert caught.value.code == "deadline"
    assert isinstance(caught.value.__cause__, ConnectionResetError)


def test_figures_count_how_operations_end(client: Both) -> None:
    orders = client.keyspace("orders")
    orders.get("a")
    orders.put("a", "1")
    orders.get("a")
    with pytest.raises(VersionConflictError):
        orders.put_if("a", "2", None)
    figures = client.figures()
    wanted = {"missing": 1, "written": 1, "value": 1, "version_conflict": 1}
    assert figures.operations == wanted
    assert (figures.epoch, figures.refreshes, figures.retries) == (1, 0, 0)
