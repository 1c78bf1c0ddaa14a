"""Errors: every slug has one class, and is provoked by somebody."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from ringshift import (
    Guard,
    MemoryShard,
    Operation,
    Policy,
    RefreshGate,
    Refusal,
    Reply,
    Router,
    Snapshot,
    Step,
    decide,
    error_codes,
    row_digest,
    statements,
)
from ringshift.errors import CLASSES, ArgumentError, RingshiftError, error_of
from ringshift.migrate import Coordinator, plan
from support import next_snapshot, topology

FIRST = Snapshot.from_topology(topology())
OTHER = Snapshot.from_topology({**topology(), "cluster": "other"})
ORDERS = Router(FIRST).keyspace("orders")


def older() -> None:
    """Install a snapshot that is older."""
    Router(next_snapshot(FIRST)).install(FIRST)


def forked() -> None:
    """Install one of the same epoch with other content."""
    Router(FIRST).install(Snapshot.from_draft({**FIRST.draft(), "next_domain": 77}))


def attempt_of(operation: Operation) -> Any:
    """The first attempt."""
    step = operation.poll()
    assert isinstance(step, Step.Send)
    return step.attempt


def damaged() -> None:
    """Decide by columns that no store has."""
    decide(attempt_of(Operation.read(ORDERS, "a", None, 0)), None, [-1] * 15)


def failed(code: str) -> Callable[[], None]:
    """An outcome or a refusal, as whoever drives raises it."""

    def fail() -> None:
        raise error_of(code, "so it ended")

    return fail


UNFENCED = Snapshot.from_topology(
    {
        "cluster": "demo",
        "keyspaces": {"orders": {}},
        "shards": [{"id": 1, "name": "theirs", "unfenced": True}],
        "client_lease": {"lease_ms": 1_000, "attempt_ms": 200, "margin_ms": 100},
    }
)
# How each slug comes about that this half of the package can say. What a client, a store or a
# topology source says is provoked by their own tests.
PROVOKED: dict[str, Callable[[], object]] = {
    "key_too_long": lambda: ORDERS.route(b"x" * 70_000),
    "key_parts": lambda: ORDERS.route(()),
    "key_type": lambda: ORDERS.route(None),  # type: ignore[arg-type]
    "key_encoding": lambda: ORDERS.route("\ud800"),
    "argument": lambda: FIRST.owners(7),  # type: ignore[arg-type]
    "weight": lambda: Snapshot.from_topology(
        {**topology(0), "shards": [{"id": 1, "name": "a", "weight": -1}]}
    ),
    "topology": lambda: Snapshot.from_topology("{}"),
    "no_slots": lambda: Snapshot.from_topology(topology(17, bits=4)),
    "snapshot_format": lambda: Snapshot.decode(FIRST.encode()[:-1]),
    "topology_format": lambda: Snapshot.decode(b"nonsense"),
    "foreign_cluster": lambda: Router(FIRST).install(OTHER),
    "older_snapshot": older,
    "forked_snapshot": forked,
    "delta_base": lambda: next_snapshot(FIRST).advance(FIRST.delta(next_snapshot(FIRST))),
    "unknown_keyspace": lambda: Router(FIRST).keyspace("nothing"),
    "unknown_attempt": lambda: Operation.read(ORDERS, "a", None, 0).handle_reply(
        0, 1, Reply.Missing()
    ),
    "unfenced": lambda: Operation.write(Router(UNFENCED).keyspace("orders"), "a", None, 0),
    "plan": lambda: plan(FIRST, {}),
    "store_damaged": damaged,
}
# Ends of operations are data here: an `Outcome`, a `TransactionOutcome`, or the `Refusal` of a
# `Guard`.
ANSWERED = {
    "deadline", "indeterminate", "rejected", "version_conflict", "wrong_role", "stale_epoch",
    "not_ready", "not_owner", "lease_over", "stale_term", "transaction_keys", "cross_shard",
    "retryable",
}  # fmt: skip
DRIVERS = {
    "disposed", "store_format", "store_busy", "store_io", "topology_missing", "topology_io",
}  # fmt: skip


def test_every_slug_is_somebody_s() -> None:
    assert set(error_codes()) == set(PROVOKED) | ANSWERED | DRIVERS
    assert not set(PROVOKED) & (ANSWERED | DRIVERS)
    assert set(CLASSES) == set(error_codes())


@pytest.mark.parametrize("code", PROVOKED)
def test_a_slug_is_raised_as_its_class(code: str) -> None:
    with pytest.raises(RingshiftError) as caught:
        PROVOKED[code]()
    error = caught.value
    assert error.code == code
    assert type(error) is CLASSES[code]
    message = str(error)
    assert message
    assert not message.endswith(".")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.code, str(again)) == (type(error), code, message)


@pytest.mark.parametrize("code", sorted(ANSWERED | DRIVERS))
def test_what_a_driver_raises_has_a_class_too(code: str) -> None:
    with pytest.raises(CLASSES[code]) as caught:
        failed(code)()
    assert caught.value.code == code
    assert error_of(code, "", shard="pg-1").shard == "pg-1"


def test_refusals_say_what_they_mean() -> None:
    epochs = {"current": 4, "drained": 3}
    for code, facts in {
        "stale_epoch": epochs,
        "not_ready": {"current": 4},
        "not_owner": {},
        "wrong_role": {"current": 4},
        "lease_over": {"current": 4},
        "stale_term": {"seen": 4},
    }.items():
        refusal = Refusal(code, **facts)
        assert (refusal.code, str(refusal) != "") == (code, True)
        assert refusal == Refusal(code, **facts)
        assert hash(refusal) == hash(Refusal(code, **facts))


MISUSE: dict[str, Callable[..., object]] = {
    "a moment that is text": lambda: Operation.read(ORDERS, "a", None, "now"),  # type: ignore[arg-type]
    "a moment before the origin": lambda: Operation.read(ORDERS, "a", None, -1),
    "a policy that is a dict": lambda: Operation.read(ORDERS, "a", {}, 0),  # type: ignore[arg-type]
    "a router for a keyspace": lambda: Operation.read(Router(FIRST), "a", None, 0),  # type: ignore[arg-type]
    "a reply that is a dict": lambda: Operation.read(ORDERS, "a", None, 0).handle_reply(
        0,
        1,
        {"type": "missing"},  # type: ignore[arg-type]
    ),
    "an attempt's number that is none": lambda: Operation.read(ORDERS, "a", None, 0).handle_reply(
        0,
        None,  # type: ignore[arg-type]
        Reply.Missing(),
    ),
    "a deadline that is text": lambda: Policy(deadline_ms="soon"),  # type: ignore[arg-type]
    "attempts beyond 16 bits": lambda: Policy(attempts_max=70_000),
    "a refusal that isn't one": lambda: Refusal("no"),
    "a refusal without its epoch": lambda: Refusal("not_ready"),
    "a refusal past the epochs": lambda: Refusal("not_ready", current=2**31),
    "a failure that isn't one": lambda: Reply.Failed("perhaps"),  # type: ignore[arg-type]
    "a version below 0": lambda: Reply.Found(-1),
    "a version that is text": lambda: Reply.Found("1"),  # type: ignore[arg-type]
    "a version past 63 bits": lambda: Reply.Written(2**63),
    "a snapshot that is text": lambda: Router("snapshot"),  # type: ignore[arg-type]
    "bytes that are none": lambda: Snapshot.decode("abc"),  # type: ignore[arg-type]
    "a keyspace's name that is a number": lambda: Router(FIRST).keyspace(0),  # type: ignore[arg-type]
    "a number of copies below 0": lambda: ORDERS.replicas("a", -1),
    "an epoch past the last": lambda: RefreshGate(2**31, 1, 1),
    "a wish past the last epoch": lambda: RefreshGate(1, 1, 1).want(0, 2**31),
    "a term that is text": lambda: Coordinator("1", None, None, 0),  # type: ignore[arg-type]
    "settings that aren't": lambda: Coordinator(1, {"nonsense": 1}, None, 0),
    "an answer that isn't one": lambda: Coordinator(1, None, None, 0).handle_answer(0, 1, "maybe"),
    "an access that isn't one": lambda: Guard().admit(0, 0, b"", 1, 1, "look"),  # type: ignore[arg-type]
    "a copy without a term": lambda: Guard().admit(0, 0, b"", 1, 1, "copy"),
    "rows that aren't": lambda: Guard().install(1, [{"row": 1}]),
    "a digest of text": lambda: row_digest("key", 1, b""),  # type: ignore[arg-type]
    "content without its operation": lambda: MemoryShard().attempt(
        attempt_of(Operation.write(ORDERS, "a", None, 0)), b"a", {"change": {"type": "delete"}}
    ),
    "an operation of 3 bytes": lambda: MemoryShard().attempt(
        attempt_of(Operation.write(ORDERS, "a", None, 0)), b"a", {"op": b"abc"}
    ),
    "a change that isn't one": lambda: MemoryShard().attempt(
        attempt_of(Operation.write(ORDERS, "a", None, 0)),
        b"a",
        {"op": bytes(16), "change": {"type": "increment"}},
    ),
    "a look that is a number": lambda: decide(
        attempt_of(Operation.read(ORDERS, "a", None, 0)),
        None,
        7,  # type: ignore[arg-type]
    ),
}


@pytest.mark.parametrize("misuse", MISUSE)
def test_misuse_is_an_argument_error(misuse: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        MISUSE[misuse]()
    assert caught.value.code == "argument"
    assert isinstance(caught.value, TypeError)
    assert str(caught.value)


def test_forged_bytes_are_refused_and_never_crash() -> None:
    real = next_snapshot(FIRST).encode()
    router = Router(FIRST)
    for place in range(len(real)):
        forged = bytearray(real)
        forged[place] ^= 1 << place % 8
        for given in (bytes(forged), real[:place]):
            with pytest.raises(RingshiftError) as caught:
                router.install(given)
            assert caught.value.code in ("snapshot_format", "topology_format")
    assert router.snapshot == FIRST


def test_statements_are_there_by_name() -> None:
    assert {"LOOK_READ", "LOOK_WRITE", "ROW_INSERT", "META_CREATE"} <= set(statements())
