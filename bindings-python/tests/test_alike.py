"""The same calls give the same answers: over memory and SQLite, for threads and for asyncio."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringshift import Snapshot
from ringshift.errors import RingshiftError
from ringshift.topology import fixed
from worlds import TOPOLOGY, Through, demo, lose, open_client, store_of

KEYS = st.sampled_from(["a", "user:1", "user:4", b"\x00", 42, ("t", 7), "celebrity"])
VALUES = st.binary(max_size=40) | st.text(max_size=10).filter(str.isascii)
VERSIONS = st.sampled_from(["none", "present", "older", "other"])
CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("get"), KEYS),
        st.tuples(st.just("put"), KEYS, VALUES),
        st.tuples(st.just("delete"), KEYS),
        st.tuples(st.just("put_if"), KEYS, VALUES, VERSIONS),
        st.tuples(st.just("get_many"), st.lists(KEYS, max_size=5)),
    ),
    max_size=30,
)
WORLDS = st.sampled_from(
    ["test", "demo at home", "demo in read-new", "demo in reversed", "demo in shadow-read"]
)


def transcript(clients: str, stores: str, world: str, calls: Any, loses: bool) -> list[Any]:
    """What each call answered, and in which order the store was asked."""
    snapshot = Snapshot.from_topology(TOPOLOGY) if world == "test" else demo(world)
    said: list[Any] = []
    versions: dict[Any, list[int]] = {}
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        inner = store_of(stores, Path(folder), snapshot, None if world == "test" else world)
        store = Through(inner, after=lose("write") if loses else lambda _, response: response)
        client = open_client(clients, runner, store, fixed(snapshot))
        orders = client.keyspace("orders")
        for name, key, *rest in calls:
            if name == "put_if":
                value, which = rest
                known = versions.get(key, [])
                expected = {
                    "none": None,
                    "present": known[-1] if known else None,
                    "older": known[0] if known else 3,
                    "other": (9 << 32) + 9,
                }[which]
                rest = [value, expected]
            try:
                answer = getattr(orders, name)(key, *rest)
            except RingshiftError as error:
                said.append((name, error.code, error.found, error.version))
                continue
            finally:
                client.until(lambda: client.client._base._shadowing == 0)
            if name in ("put", "put_if", "delete"):
                versions.setdefault(key, []).append(answer.version)
            said.append((name, answer))
        client.close()
        seen = [(a.shard, a.kind, a.domain, a.epoch, a.version, a.blocking) for a in store.seen]
        if stores == "sqlite":
            inner.close()
    return [said, seen]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(world=WORLDS, calls=CALLS, loses=st.booleans())
def test_all_four_pairs_of_client_and_store_say_the_same(
    world: str, calls: Any, loses: bool
) -> None:
    # What many keys ask for at the same time has no order of its own.
    ordered = all(call[0] != "get_many" for call in calls)
    first = transcript("sync", "memory", world, calls, loses)
    for clients, stores in [("sync", "sqlite"), ("async", "memory"), ("async", "sqlite")]:
        other = transcript(clients, stores, world, calls, loses)
        assert other[0] == first[0], (clients, stores)
        if ordered:
            assert other[1] == first[1], (clients, stores)
        else:
            assert sorted(other[1], key=repr) == sorted(first[1], key=repr), (clients, stores)
