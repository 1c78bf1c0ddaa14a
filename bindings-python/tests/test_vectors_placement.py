"""The core's published vectors of placement, through what a user calls."""

from __future__ import annotations

import math
from functools import cache
from itertools import chain, groupby
from typing import Any

import pytest
import xxhash

from ringshift import Keyspace, Operation, Router, Snapshot, Step, key_bytes
from ringshift.errors import RingshiftError, TopologyError
from ringshift.migrate import plan
from support import cases, orders, topology


def given_bytes(value: Any) -> bytes:
    """Bytes in hex, or so many times that hex."""
    if isinstance(value, dict):
        return given_bytes(value["repeat"]) * int(value["count"])
    return bytes.fromhex(value)


def table(text: str) -> list[int]:
    """A table, from its run lengths."""
    runs = (run.split("*") for run in text.split(" "))
    return list(chain.from_iterable([int(index)] * int(count) for index, count in runs))


def digest(owners: list[int]) -> int:
    """The digest of a table."""
    packed = b"".join(owner.to_bytes(2, "little") for owner in owners)
    return int(xxhash.xxh3_64_intdigest(packed))


@cache
def keyspace(rule: str, parts: int, seed: str, bits: int) -> Keyspace:
    """One shard's keyspace under a rule."""
    key: Any = {"parts": parts} if rule == "parts" else rule.replace("_", "-")
    return orders(1, key=key, seed=seed, bits=bits)


@pytest.mark.parametrize("case", cases("placement", "keys"))
def test_keys(case: dict[str, Any]) -> None:
    key, rule = given_bytes(case["key"]), case["rule"]
    name, parts = ("parts", rule["parts"]) if isinstance(rule, dict) else (rule, 0)
    if "error" in case:
        try:
            under = keyspace(name, parts, "0", 4)
        except TopologyError:
            # No topology groups by 0 parts, so that no key ever meets that rule.
            assert parts == 0
            return
        for call in (under.route, under.explain, under.describe, under.shard_of):
            with pytest.raises(RingshiftError) as caught:
                call(key)
            assert caught.value.code == case["error"]
        return
    for given in case["hashes"]:
        for bits, slot in given["slots"].items():
            under = keyspace(name, parts, given["seed"], int(bits))
            told = under.explain(key)
            assert told.routing_part == given_bytes(case["routing"])
            assert int(told.hash, 16) == int(given["hash"])
            assert (told.slot, told.slots) == (slot, 1 << int(bits))
            step = Operation.read(under, key, None, 0).poll()
            assert isinstance(step, Step.Send)
            assert (step.attempt.slot, step.attempt.stored_slot) == (slot, given["stored"])


@pytest.mark.parametrize("case", cases("placement", "composites"))
def test_composites(case: dict[str, Any]) -> None:
    made: list[str | bytes | int] = []
    for part in case["parts"]:
        ((kind, value),) = part.items()
        read: dict[str, Any] = {"str": str, "bytes": bytes.fromhex, "int": int}
        made.append(read[kind](value))
    assert key_bytes(tuple(made)) == key_bytes(made) == bytes.fromhex(case["key"])


@pytest.mark.parametrize("case", cases("placement", "weights"))
def test_weights(case: dict[str, Any]) -> None:
    big = 1000.0 if float(case["typed"]) > 1 else 1.0
    given = topology(2, bits=20, placement={"balanced": {"vnodes": 16}})
    given["shards"][0]["weight"] = big
    given["shards"][1]["weight"] = float(case["typed"])
    if case["thousandths"] is None:
        with pytest.raises(TopologyError) as caught:
            Snapshot.from_topology(given)
        assert caught.value.code == "weight"
    else:
        second = Snapshot.from_topology(given).shards[1]
        assert math.isclose(second.weight * 1000, case["thousandths"])


def snapshot_of(case: dict[str, Any], bits: int, placement: str) -> Snapshot:
    """The topology of a case's shards."""
    given = topology(
        0, bits=bits, seed=case["seed"], placement={placement: {"vnodes": case["vnodes"]}}
    )
    names = ("id", "name", "weight")
    given["shards"] = [
        {**dict(zip(names, shard, strict=True)), "weight": shard[2] / 1000}
        for shard in case["shards"]
    ]
    return Snapshot.from_topology(given)


def named(case: dict[str, Any]) -> bool:
    """Whether a topology takes the shards' names: the ring alone takes an empty one."""
    return all(shard[1] for shard in case["shards"])


@pytest.mark.parametrize("case", [c for c in cases("placement", "rings") if named(c)])
def test_rings(case: dict[str, Any]) -> None:
    of_bits: list[tuple[str, Any]]
    of_bits = [(bits, table(text)) for bits, text in case["table"].items()]
    of_bits += [(bits, int(number)) for bits, number in case["digests"].items()]
    for bits, expected in of_bits:
        refused, owners = None, []
        try:
            owners = [int(owner) for owner in snapshot_of(case, int(bits), "ring").owners("orders")]
        except TopologyError as error:
            refused = error.code
        if refused is not None:
            # A ring may leave a shard out; a topology says so instead of losing it.
            weighty = {at for at, shard in enumerate(case["shards"]) if shard[2]}
            assert (refused, int(bits) < 16) == ("no_slots", True)
            assert not isinstance(expected, list) or weighty - set(expected)
            continue
        assert (owners if isinstance(expected, list) else digest(owners)) == expected


def with_table(owners: list[int], weights: list[int], bits: int) -> Snapshot:
    """A snapshot in which the slots are given to shards like this."""
    first = Snapshot.from_topology(topology(len(weights), bits=bits)).draft()
    for shard, weight in zip(first["shards"], weights, strict=True):
        shard["weight"] = weight
    runs = ((owner, len(list(run))) for owner, run in groupby(owners))
    first["keyspaces"][0]["assignment"] = [{"len": count, "shard": owner} for owner, count in runs]
    return Snapshot.from_draft(first)


@pytest.mark.parametrize("case", [c for c in cases("placement", "balanced") if "shards" in c])
def test_balanced(case: dict[str, Any]) -> None:
    bits = case["bits"]
    owners = [int(owner) for owner in snapshot_of(case, bits, "balanced").owners("orders")]
    weights = [shard[2] for shard in case["shards"]]

    def check(expected: str) -> None:
        assert (digest(owners) == int(expected)) if bits > 8 else (owners == table(expected))

    check(case["start"])
    for step in case["steps"]:
        # A shard that is not named any more has no weight.
        wanted = step["weights"] + [0] * (len(weights) - len(step["weights"]))
        changes = {
            "reweight": [
                {"id": at + 1, "weight": weight / 1000}
                for at, weight in enumerate(wanted[: len(weights)])
            ],
            "add": [
                {"id": at + 1, "name": f"pg-{at + 1}", "weight": wanted[at] / 1000}
                for at in range(len(weights), len(wanted))
            ],
        }
        before = with_table(owners, weights, bits)
        if "error" in step:
            with pytest.raises(RingshiftError) as caught:
                plan(before, changes)
            assert caught.value.code == step["error"]
            continue
        planned, moved = plan(before, changes), 0
        for wave in planned.waves:
            for run in wave["slots"]:
                count = run["end"] - run["start"]
                owners[run["start"] : run["end"]] = [wave["to"] - 1] * count
                moved += count
        assert moved == step["moved"] == planned.figures[0].slots_moved
        weights = wanted
        check(step["table"])


@pytest.mark.parametrize("case", cases("placement", "replicas"))
def test_replicas(case: dict[str, Any]) -> None:
    owners = table(case["table"])
    bits = len(owners).bit_length() - 1
    assert len(owners) == 1 << bits
    draft = with_table(owners, [1000] * (max(owners) + 1), bits).draft()
    for shard, zone in zip(draft["shards"], case["zones"], strict=False):
        shard["zone"] = f"zone-{zone}"
    here = Router(Snapshot.from_draft(draft)).keyspace("orders")
    key = next(key for key in range(10_000) if here.describe(key).slot == case["slot"])
    assert here.replicas(key, case["n"]) == [f"pg-{index + 1}" for index in case["shards"]]


@pytest.mark.parametrize(
    "case", [c for c in cases("placement", "ramps") if 0 < c["wave"] < 2**32 - 1]
)
def test_ramps(case: dict[str, Any]) -> None:
    draft = with_table([0] * 16, [1000, 0], 4).draft()
    (under,) = draft["keyspaces"]
    under["seed"] = case["seed"]
    # The wave's number decides who is inside, so the homes make room for it.
    draft["next_domain"] = case["wave"] + 3
    under["homes"] = [{"domain": case["wave"] + more, "epoch": 1} for more in (1, 2)]
    wave = {
        "domain": case["wave"], "epoch": 1, "phase": "read-new", "first": "from",
        "from": 1, "to": 2,
        "slots": [{"start": 0, "end": 16}], "drained": 0, "authority_epoch": 1,
        "ramp_ppm": 0, "shadow_ppm": 0, "strict": False,
        "lease_ms": 0, "matches": None, "origin": None, "pins": False,
    }  # fmt: skip
    checks = {int(ppm): inside for ppm, inside in case["inside"].items()}
    checks |= {case["position"]: False, case["position"] + 1: True}
    for ppm, inside in checks.items():
        under["waves"] = [{**wave, "ramp_ppm": ppm}]
        told = (
            Router(Snapshot.from_draft(draft)).keyspace("orders").explain(given_bytes(case["key"]))
        )
        assert told.ramp == (ppm, inside)
        assert told.reads == (("pg-2", "pg-1") if inside else ("pg-1",))


@pytest.mark.parametrize("case", [c for c in cases("placement", "modulo") if c["before"] < 100])
def test_modulo(case: dict[str, Any]) -> None:
    before, after, bits = case["before"], case["after"], 10
    snapshot = Snapshot.from_topology(topology(before, bits=bits))
    changes: dict[str, Any] = {
        "add": [{"id": at, "name": f"pg-{at}"} for at in range(before + 1, after + 1)],
        "remove": list(range(after + 1, before + 1)),
        "reweight": [{"id": 1, "weight": 1}],
    }
    part, whole = (int(number) for number in case["share"])
    assert plan(snapshot, changes).figures[0].slots_modulo == (2 * part * 2**bits + whole) // (
        2 * whole
    )
