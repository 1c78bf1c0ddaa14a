"""What routing costs in Python, beside its floor and its peers, in one run.

`cargo xtask bench --language python --json FILE` installs what it needs and calls this.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from array import array
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from statistics import median

import redis.crc
import xxhash
from measure import Candidate, Result, measure, ratio
from ringshift import Client, Router, Snapshot, __version__
from ringshift.stores import memory
from ringshift.topology import fixed
from uhashring import HashRing
from workload import topology, user_keys

FLOOR = "floor: xxh3_64_intdigest(key.encode())"
CHUNK = 1_000


def each(name: str, keys: list[str], route: Callable[[str], object]) -> Candidate:
    """A candidate that calls `route` for each key."""

    def run() -> None:
        for key in keys:
            route(key)

    return Candidate(name, len(keys), run)


def singles(shards: int, keys: list[str], rounds: int) -> list[Result]:
    keyspace = Router(Snapshot.from_topology(topology(shards))).keyspace("k")
    names = [f"shard-{at}" for at in range(shards)]
    ring = HashRing(nodes=names, vnodes=160)
    slots = [slot % shards for slot in range(16_384)]
    digest, key_slot = xxhash.xxh3_64_intdigest, redis.crc.key_slot
    slow = keys[:100_000]

    def floor() -> None:
        for key in keys:
            digest(key.encode())

    def redis_slots() -> None:
        for key in keys:
            slots[key_slot(key.encode())]

    return measure(
        [
            Candidate(FLOOR, len(keys), floor),
            each("ringshift route", keys, keyspace.route),
            each("ringshift shard_of", keys, keyspace.shard_of),
            Candidate("redis-py key_slot + slot table", len(keys), redis_slots),
            each("uhashring get_node", slow, ring.get_node),
        ],
        rounds,
    )


def batches(keys: list[str], rounds: int) -> list[Result]:
    keyspace = Router(Snapshot.from_topology(topology(64))).keyspace("k")
    lists = [keys[at : at + CHUNK] for at in range(0, len(keys), CHUNK)]
    packed = [
        ("".join(part).encode(), array("I", accumulate(len(key) for key in part)))
        for part in lists
    ]

    def over_lists() -> None:
        for part in lists:
            keyspace.route_many(part)

    def over_packed() -> None:
        for data, ends in packed:
            keyspace.route_many(data, ends)

    return measure(
        [
            Candidate("ringshift route_many, list of str", len(keys), over_lists),
            Candidate("ringshift route_many, packed bytes", len(keys), over_packed),
        ],
        rounds,
    )


def operations(keys: list[str], rounds: int) -> list[Result]:
    snapshot = Snapshot.from_topology(topology(8))
    value = bytes(100)
    with Client.open(topology=fixed(snapshot), store=memory()) as client:
        k = client.keyspace("k")
        return measure(
            [
                each("client put, shards in memory", keys, lambda key: k.put(key, value)),
                each("client get, shards in memory", keys, k.get),
            ],
            rounds,
        )


def importing() -> float:
    """The median time in ms that a fresh process takes to import the package, by its own clock."""
    script = (
        "import time; t = time.perf_counter(); import ringshift; "
        "print((time.perf_counter() - t) * 1e3)"
    )
    command = [sys.executable, "-I", "-c", script]
    return median(float(subprocess.check_output(command)) for _ in range(9))


def show(title: str, results: list[Result]) -> None:
    print(f"\n{title}")
    for one in results:
        low, high = min(one.rounds), max(one.rounds)
        print(f"  {one.name:<44} {one.ns:9.1f} ns  ({low:.1f} to {high:.1f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the report there")
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    keys = user_keys(options.keys)

    targets: list[tuple[str, float, float, bool]] = []

    def target(name: str, value: float, limit: float, *, higher: bool = False) -> None:
        targets.append((name, value, limit, value >= limit if higher else value <= limit))

    report: dict[str, object] = {
        "language": "python",
        "python": platform.python_version(),
        "machine": platform.processor() or platform.machine(),
        "ringshift": __version__,
        "keys": options.keys,
        "rounds": options.rounds,
        "import_ms": importing(),
    }
    for shards in (8, 64, 1_000):
        results = singles(shards, keys, options.rounds)
        show(f"{shards} shards, {options.keys} distinct keys", results)
        report[f"singles_{shards}"] = [one.data() for one in results]
        route = "ringshift route"
        target(f"{shards} shards: route / floor", ratio(results, route, FLOOR), 1.0)
        peer = ratio(results, "uhashring get_node", route)
        target(f"{shards} shards: uhashring / route", peer, 15.0, higher=True)
    many = batches(keys, options.rounds)
    show(f"64 shards, chunks of {CHUNK} keys", many)
    report["batches"] = [one.data() for one in many]
    target("route_many, list of str, ns a key", many[0].ns, 30.0)
    target("route_many, packed bytes, ns a key", many[1].ns, 12.0)
    ops = operations(keys[:20_000], options.rounds)
    show("one client, 8 shards in memory, values of 100 bytes", ops)
    report["operations"] = [one.data() for one in ops]
    target("import in a fresh process, ms", float(str(report["import_ms"])), 5.0)

    print()
    for name, value, limit, met in targets:
        print(f"  {'met   ' if met else 'MISSED'} {name}: {value:.2f} ({limit:g})")
    report["targets"] = [
        {"name": name, "value": value, "limit": limit, "met": met}
        for name, value, limit, met in targets
    ]
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
