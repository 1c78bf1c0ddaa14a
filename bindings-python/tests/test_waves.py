"""Reads and writes of keys that move: where they go, by the vectors' snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ringshift import Policy, Reply, Response
from ringshift.topology import fixed
from worlds import CASES, VECTORS, Through, demo, row, store_of

PHASES = ["double-write", "shadow-read", "read-new", "reversed"]


def name(phase: str) -> str:
    return f"demo in {phase}"


def plans(phase: str) -> list[dict[str, Any]]:
    cases = VECTORS["plans"]["cases"]
    return [case for case in cases if case["snapshot"] == name(phase)]


def key_where(phase: str, **wanted: Any) -> tuple[bytes, dict[str, Any]]:
    """A key of the vectors whose plan is like that."""
    for plan in plans(phase):
        facts = {**plan, "reads": len(plan["reads"]), "shadow": plan["shadow"] is not None}
        if all(facts[fact] == value for fact, value in wanted.items()):
            return bytes.fromhex(plan["key"]), plan
    raise AssertionError(f"no key of {phase} is {wanted}")


@pytest.mark.parametrize("phase", ["at home", *(f"in {phase}" for phase in PHASES)])
def test_every_key_of_the_vectors_goes_where_they_say(
    opened: Any, store_kind: str, tmp_path: Path, phase: str
) -> None:
    snapshot = demo(f"demo {phase}")
    store = Through(store_of(store_kind, tmp_path, snapshot, f"demo {phase}"))
    client = opened(store, fixed(snapshot))
    orders = client.keyspace("orders")
    cases = [case for case in VECTORS["plans"]["cases"] if case["snapshot"] == f"demo {phase}"]
    assert cases
    for plan in cases:
        key = bytes.fromhex(plan["key"])
        assert orders.route(key) == plan["shard"]
        del store.seen[:]
        assert orders.get(key) is None
        read = [attempt.shard for attempt in store.seen][: len(plan["reads"])]
        assert read == plan["reads"]
        client.until(lambda: client.client._base._shadowing == 0)
        del store.seen[:]
        written = orders.put(key, key)
        mirrors = [] if plan["mirror"] is None else [plan["mirror"]]
        client.until(lambda: len(store.seen) == 1 + len(mirrors))  # noqa: B023
        assert [attempt.shard for attempt in store.seen] == [plan["authority"], *mirrors]
        strict = plan["strict"] or not mirrors
        assert (written.lagging is None) == strict
        for attempt in store.seen:
            fence = (attempt.domain, attempt.epoch, attempt.slot, attempt.stored_slot)
            assert fence == (plan["domain"], plan["epoch"], plan["slot"], plan["stored_slot"])
        assert orders.get(key).value == key
        client.until(lambda: client.client._base._shadowing == 0)


def test_a_relaxed_mirror_write_comes_by_itself(
    opened: Any, store_kind: str, tmp_path: Path
) -> None:
    key, _ = key_where("double-write", moving=True)
    snapshot = demo(name("double-write"))
    store = store_of(store_kind, tmp_path, snapshot, name("double-write"))
    client = opened(store, fixed(snapshot))
    written = client.keyspace("orders").put(key, "1")
    assert written.lagging == "pg-2"
    client.until(lambda: row(store, 2, key) == (written.version, b"1"))
    assert row(store, 1, key) == (written.version, b"1")
    deleted = client.keyspace("orders").delete(key)
    client.until(lambda: row(store, 2, key) == (deleted.version, None))


def test_a_mirror_that_is_down_doesn_t_fail_a_relaxed_write(opened: Any, tmp_path: Path) -> None:
    key, _ = key_where("double-write", moving=True)
    snapshot = demo(name("double-write"))
    inner = store_of("memory", tmp_path, snapshot, name("double-write"))

    def down(attempt: Any, _request: Any) -> Response | None:
        if attempt.shard == 2:
            raise ConnectionRefusedError("down")
        return None

    store = Through(inner, down)
    client = opened(store, fixed(snapshot))
    assert client.keyspace("orders").put(key, "1").lagging == "pg-2"
    client.until(lambda: len(store.seen) == 2)
    assert row(inner, 2, key) is None


def test_close_finishes_mirror_writes(opened: Any, store_kind: str, tmp_path: Path) -> None:
    key, _ = key_where("double-write", moving=True)
    snapshot = demo(name("double-write"))
    store = store_of(store_kind, tmp_path, snapshot, name("double-write"))
    client = opened(store, fixed(snapshot))
    written = client.keyspace("orders").put(key, "1")
    client.close()
    assert row(store, 2, key) == (written.version, b"1")


def test_a_strict_write_waits_for_its_mirror(opened: Any, store_kind: str, tmp_path: Path) -> None:
    key, _ = key_where("read-new", moving=True)
    snapshot = demo(name("read-new"))
    store = store_of(store_kind, tmp_path, snapshot, name("read-new"))
    written = opened(store, fixed(snapshot)).keyspace("orders").put(key, "1")
    assert written.lagging is None
    assert row(store, 1, key) == row(store, 2, key) == (written.version, b"1")


def test_a_read_carries_what_it_finds_at_the_old_place_to_the_new(
    opened: Any, store_kind: str, tmp_path: Path
) -> None:
    key, _ = key_where("read-new", reads=2)
    snapshot = demo(name("read-new"))
    store = Through(store_of(store_kind, tmp_path, snapshot, name("read-new")))

    def no_mirror(attempt: Any, _request: Any) -> Response | None:
        return Response(Reply.Failed("not_sent")) if attempt.shard == 2 else None

    # The write's mirror stays away until its deadline, so the row is at the old place only.
    store.before = no_mirror
    late = opened(store, fixed(snapshot), Policy(deadline_ms=500))
    with pytest.raises(Exception, match="accepted version") as caught:
        late.keyspace("orders").put(key, "1")
    assert caught.value.code == "indeterminate"  # type: ignore[attr-defined]
    version = caught.value.version  # type: ignore[attr-defined]
    assert row(store.store, 2, key) is None
    store.before = lambda attempt, request: None
    del store.seen[:]
    found = opened(store, fixed(snapshot)).keyspace("orders").get(key)
    assert (found.value, found.version) == (b"1", version)
    sent = [(attempt.shard, attempt.kind) for attempt in store.seen]
    assert sent == [(2, "read"), (1, "read"), (2, "apply")]
    assert row(store.store, 2, key) == (version, b"1")
    if store_kind == "sqlite":
        assert operation(store.store, 1, key) == operation(store.store, 2, key)


def operation(store: Any, shard: int, key: bytes) -> Any:
    """The operation that made a row what it is: it travels with the row."""
    with store.file(shard).reader() as connection:
        text = "SELECT op FROM ringshift_row WHERE key = ?"
        return connection.execute(text, (key,)).fetchone()


def mirror_lost(attempt: Any, response: Response) -> Response:
    return Response(Reply.Missing()) if attempt.shard == 2 else response


def test_shadow_reads_are_compared_and_counted(
    opened: Any, store_kind: str, tmp_path: Path
) -> None:
    key, _ = key_where("shadow-read", shadow=True)
    other, _ = key_where("shadow-read", shadow=False, moving=True)
    snapshot = demo(name("shadow-read"))
    store = Through(store_of(store_kind, tmp_path, snapshot, name("shadow-read")))
    client = opened(store, fixed(snapshot))
    orders = client.keyspace("orders")
    orders.put(key, "1")
    orders.get(other)
    orders.get(key)
    client.until(lambda: client.figures().shadows.same == 1)

    store.after = mirror_lost
    assert orders.get(key).value == b"1", "the caller is answered by the authority"
    client.until(lambda: client.figures().shadows.mismatches == 1)
    assert client.figures().shadows.same == 1


def test_close_gives_comparisons_up(opened: Any, tmp_path: Path) -> None:
    key, _ = key_where("shadow-read", shadow=True)
    snapshot = demo(name("shadow-read"))
    store = Through(store_of("memory", tmp_path, snapshot, name("shadow-read")))
    client = opened(store, fixed(snapshot))
    client.keyspace("orders").put(key, "1")
    # The two sides differ, so a comparison waits for its second look.
    store.after = mirror_lost
    for _ in range(20):
        client.keyspace("orders").get(key)
    client.close()
    shadows = client.figures().shadows
    # A slow machine may have come to the second look of the first ones.
    assert shadows.mismatches + shadows.dropped == 20
    assert shadows.dropped > 0


def test_the_vectors_have_what_these_tests_need() -> None:
    assert {name(phase) for phase in PHASES} <= set(CASES)
