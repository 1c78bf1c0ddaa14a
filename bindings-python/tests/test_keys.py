"""Keys: what is one, what it is spelled as, and what isn't one."""

from __future__ import annotations

import enum
import subprocess
import sys
import uuid
from array import array
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import numpy
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringshift import Operation, Step, key_bytes
from ringshift._ringshift import Keyspace
from ringshift.errors import ArgumentError, InvalidKeyError, KeyTypeError, RingshiftError
from support import orders

ORDERS = orders(16)
PARTS = st.text() | st.binary() | st.integers(-(2**127), 2**127 - 1)
KEYS = PARTS | st.tuples(PARTS) | st.tuples(PARTS, PARTS, PARTS) | st.lists(PARTS, min_size=1)


class Number(enum.IntEnum):
    """Prints itself as a name somewhere."""

    SEVEN = 7


class Loud(int):
    """An int that prints itself otherwise."""

    def __repr__(self) -> str:
        return "loud"

    __str__ = __repr__


def test_the_same_key_in_all_its_spellings() -> None:
    same: list[Any] = [7, "7", b"7", bytearray(b"7"), memoryview(b"7"), Number.SEVEN, Loud(7)]
    assert {key_bytes(key) for key in same} == {b"7"}
    assert len({ORDERS.route(key) for key in same}) == 1
    assert key_bytes(("a", 7)) == key_bytes(["a", "7"]) == key_bytes((b"a", Loud(7)))
    assert key_bytes(("ab", "c")) != key_bytes(("a", "bc"))
    assert key_bytes(Loud(10**40)) == str(10**40).encode()
    assert key_bytes("käse🧀") == "käse🧀".encode()
    assert key_bytes(-(2**63)) == b"-9223372036854775808"
    # What is in a buffer in another order than its bytes is read in the buffer's order.
    assert key_bytes(memoryview(b"0a0b0")[::2]) == b"000"


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "key_type"),
        (True, "key_type"),
        (1.5, "key_type"),
        (uuid.UUID(int=1), "key_type"),
        (object(), "key_type"),
        ({"a": 1}, "key_type"),
        ({"a"}, "key_type"),
        (numpy.int64(3), "key_type"),
        (("a", None), "key_type"),
        (("a", ("b",)), "key_type"),
        (["a", True], "key_type"),
        (array("H", [1]), "key_type"),
        ("\ud800", "key_encoding"),
        (("a", "\udfff"), "key_encoding"),
        ((), "key_parts"),
        ([], "key_parts"),
        ("x" * (2**16 + 1), "key_too_long"),
        (("x" * 2**15,) * 2, "key_too_long"),
    ],
)
def test_what_is_no_key(key: Any, code: str) -> None:
    calls: list[Callable[[Any], Any]] = [
        ORDERS.route,
        ORDERS.shard_of,
        ORDERS.describe,
        ORDERS.explain,
        key_bytes,
        lambda key: ORDERS.replicas(key, 2),
        lambda key: ORDERS.route_many(["a", key]),
        lambda key: ORDERS.route_many(("a", key)),
        lambda key: ORDERS.group_by_shard(["a", key]),
        lambda key: Operation.read(ORDERS, key, None, 0),
        lambda key: Operation.write(ORDERS, key, None, 0),
        lambda key: Operation.read(ORDERS, "a", None, 0).handle_snapshot(0, ORDERS, key),
    ]
    for call in calls:
        if code == "key_too_long" and call is key_bytes and isinstance(key, str):
            continue  # Whoever routes the key measures it.
        with pytest.raises(InvalidKeyError) as caught:
            call(key)
        assert caught.value.code == code
        assert isinstance(caught.value, ValueError)
        assert isinstance(caught.value, TypeError) == (code == "key_type")
        assert isinstance(caught.value, KeyTypeError) == (code == "key_type")


def test_a_keyspace_by_parts_takes_composites_only() -> None:
    under = orders(16, key={"parts": 2})
    assert under.route(("a", 1, "x")) == under.route(("a", 1, "y"))
    for key in ("abcd", ("a",), b"\xff\xff\xff\xff"):
        with pytest.raises(InvalidKeyError) as caught:
            under.route(key)
        assert caught.value.code == "key_parts"


@given(KEYS)
def test_all_ways_of_asking_agree(key: Any) -> None:
    index, told = ORDERS.route(key), ORDERS.describe(key)
    assert told.shard == ORDERS.shard_of(key) == f"pg-{index + 1}"
    assert ORDERS.explain(key).authority == told.shard
    assert [int(shard) for shard in ORDERS.route_many([key, key])] == [index, index]
    assert ORDERS.route_many((key,))[0] == index
    assert ORDERS.group_by_shard([key, "a", key])[told.shard][:1] == [0]
    assert ORDERS.replicas(key, 3)[0] == told.shard
    assert ORDERS.route(key_bytes(key)) == index
    step = Operation.write(ORDERS, key, None, 0).poll()
    assert isinstance(step, Step.Send)
    assert (step.attempt.shard, step.attempt.slot) == (index + 1, told.slot)


def packed(keys: list[bytes]) -> tuple[bytes, list[int]]:
    """Keys back to back, and where each ends."""
    return b"".join(keys), list(accumulate(map(len, keys)))


@given(st.lists(st.binary(max_size=40), max_size=60))
def test_every_column_gives_what_the_list_gives(keys: list[bytes]) -> None:
    expected = [ORDERS.route(key) for key in keys]
    joined, ends = packed(keys)
    column = pyarrow.array(keys, pyarrow.binary())
    columns: list[tuple[Any, ...]] = [
        (keys,),
        (tuple(keys),),
        (iter(keys),),
        (numpy.array(keys, dtype=object),),
        (column,),
        (column.cast(pyarrow.large_binary()),),
        (pyarrow.chunked_array([column, column]).slice(0, len(keys)),),
        (pyarrow.chunked_array([column[:3], column[3:]], type=pyarrow.binary()),),
        *((joined, array(kind, ends)) for kind in "IQLiq"),
        *((joined, numpy.array(ends, dtype=kind)) for kind in ("u4", "u8", "i4", "i8")),
        (bytearray(joined), ends),
        (memoryview(joined), memoryview(array("I", ends))),
        (numpy.frombuffer(joined, dtype="u1"), ends),
        (pyarrow.py_buffer(joined), ends),
    ]
    for given_so in columns:
        if isinstance(given_so[0], type(iter([]))):
            assert ORDERS.route_many(list(given_so[0])).tolist() == expected
            continue
        routed = ORDERS.route_many(*given_so)
        assert routed.dtype == numpy.uint16
        assert routed.tolist() == expected, given_so
        out = array("H", bytes(2 * len(keys) + 4))
        assert ORDERS.route_many_into(given_so[0], out, *given_so[1:]) == len(keys)
        assert out.tolist() == [*expected, 0, 0]
    assert ORDERS.route_many(iter(keys)).tolist() == expected
    assert ORDERS.route_many(column[2:9]).tolist() == expected[2:9]
    # A fixed width is filled up with zeros, so a key of numpy's can't end in one.
    filled = [key.rstrip(b"\0") for key in keys]
    assert ORDERS.route_many(numpy.array(filled, dtype="S40")).tolist() == [
        ORDERS.route(key) for key in filled
    ]
    assert ORDERS.route_many(numpy.array(filled, dtype="S40")[::2]).tolist() == [
        ORDERS.route(key) for key in filled[::2]
    ]


@given(st.lists(st.text(max_size=20), max_size=30))
def test_columns_of_text(keys: list[str]) -> None:
    expected = [ORDERS.route(key) for key in keys]
    column = pyarrow.array(keys, pyarrow.string())
    assert ORDERS.route_many(column).tolist() == expected
    assert ORDERS.route_many(column.cast(pyarrow.large_string())).tolist() == expected
    plain = [key.rstrip("\0") for key in keys]
    assert ORDERS.route_many(numpy.array(plain, dtype="U20")).tolist() == [
        ORDERS.route(key) for key in plain
    ]


def test_columns_of_numbers() -> None:
    numbers = numpy.arange(-50, 50)
    expected = [ORDERS.route(int(number)) for number in numbers]
    assert ORDERS.route_many(numbers).tolist() == expected
    assert ORDERS.route_many(pyarrow.array(numbers)).tolist() == expected
    assert ORDERS.route_many(range(-50, 50)).tolist() == expected


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("abc",), "argument"),
        ((b"abc",), "argument"),
        ((5,), "argument"),
        ((numpy.zeros((2, 2), dtype="S3"),), "argument"),
        ((b"abc", [2, 1]), "argument"),
        ((b"abc", [4]), "argument"),
        ((b"abc", [-1]), "argument"),
        ((b"abc", numpy.array([1.0])), "argument"),
        ((b"abc", "de"), "argument"),
        ((["a"], [1]), "argument"),
        ((pyarrow.array(["a", None]),), "key_type"),
        ((numpy.array([1.5]),), "key_type"),
        ((numpy.array([True]),), "key_type"),
        (([b"x" * 70_000],), "key_too_long"),
        ((b"x" * 70_000, [70_000]), "key_too_long"),
    ],
)
def test_many_keys_that_are_none(arguments: tuple[Any, ...], code: str) -> None:
    with pytest.raises(RingshiftError) as caught:
        ORDERS.route_many(*arguments)
    assert caught.value.code == code
    keys, *ends = arguments
    with pytest.raises(RingshiftError) as caught:
        ORDERS.route_many_into(keys, array("H", bytes(20)), *ends)
    assert caught.value.code == code


def test_a_place_for_the_answers_must_fit() -> None:
    frozen = numpy.zeros(3, dtype="u2")
    frozen.flags.writeable = False
    for out in (
        array("H"),
        array("I", [1] * 9),
        b"abcdef",
        [0, 0],
        frozen,
        numpy.zeros((3, 3), "u2"),
    ):
        with pytest.raises(ArgumentError) as caught:
            ORDERS.route_many_into(["a", "b", "c"], out)
        assert caught.value.code == "argument"
    wide = numpy.zeros(6, dtype="u2")
    assert ORDERS.route_many_into(["a", "b", "c"], wide[::2]) == 3
    assert wide[::2].tolist() == ORDERS.route_many(["a", "b", "c"]).tolist()


def test_without_numpy_the_answer_is_an_array() -> None:
    text = """
import sys
sys.modules["numpy"] = None
import importlib.util
importlib.util.find_spec = lambda name: None
from array import array
from ringshift import Router, Snapshot
topology = {"cluster": "d", "keyspaces": {"k": {}}, "shards": [{"id": 1, "name": "a"}]}
many = Router(Snapshot.from_topology(topology)).keyspace("k").route_many(["a", "b"])
assert many == array("H", [0, 0]), many
"""
    subprocess.run([sys.executable, "-c", text], check=True)


def test_a_keyspace_is_found_by_its_type() -> None:
    assert isinstance(ORDERS, Keyspace)
    assert (ORDERS.name, ORDERS.id) == ("orders", 0)
