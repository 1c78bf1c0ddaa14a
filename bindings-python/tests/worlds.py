"""Clusters for tests: snapshots, stores that misbehave, and both clients behind one face."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ringshift import AsyncClient, Client, Policy, Reply, Request, Response, Snapshot
from ringshift.migrate import Chunks
from ringshift.stores import MemoryStore, SqliteStore, memory, sqlite
from ringshift.topology import FixedTopology

REPOSITORY = Path(__file__).resolve().parents[2]
VECTORS = json.loads((REPOSITORY / "core/tests/vectors/snapshot.json").read_text())
CASES = {case["name"]: case for case in VECTORS["snapshots"]["cases"]}
KEYSPACE = 0

TOPOLOGY = {
    "cluster": "test",
    "keyspaces": {"orders": {"bits": 4}},
    "shards": [
        {"id": 1, "name": "pg-1"},
        {"id": 2, "name": "pg-2"},
        {"id": 3, "name": "pg-3"},
    ],
}


def demo(phase: str) -> Snapshot:
    """The vectors' cluster in a phase of its wave of slots 0 to 12 from pg-1 to pg-2."""
    return Snapshot.decode(bytes.fromhex(CASES[phase]["bytes"]))


def guards(phase: str) -> dict[int, list[dict[str, Any]]]:
    """The guard rows that `phase` asks of each shard, beside those of its homes."""
    rows: dict[int, list[dict[str, Any]]] = {}
    for keyspace in CASES[phase]["draft"]["keyspaces"]:
        for wave in keyspace["waves"]:
            authority, mirror = "authority", "mirror"
            if wave["phase"] == "read-new":
                mirror = "readable-mirror"
            sides = {wave["from"]: authority, wave["to"]: mirror}
            if wave["phase"] == "reversed":
                sides = {wave["from"]: mirror, wave["to"]: authority}
            for shard, role in sides.items():
                row = {
                    "domain": wave["domain"],
                    "keyspace": keyspace["id"],
                    "epoch": wave["epoch"],
                    "role": role,
                    "closed": False,
                    "drained": wave["drained"],
                    "in_wave": True,
                    "authority_epoch": wave["authority_epoch"],
                }
                claims = [{"Slots": wave["slots"]}]
                rows.setdefault(shard, []).append({"row": row, "claims": claims})
    return rows


def store_of(kind: str, folder: Path, snapshot: Snapshot, phase: str | None = None) -> Any:
    """A store whose shards know their homes, and the wave of `phase`."""
    store: MemoryStore | SqliteStore
    if kind == "memory":
        store = memory()
        store.install(snapshot)
    else:
        store = sqlite(lambda name: folder / f"{name}.db")
        store.create(snapshot)
    for shard, rows in guards(phase).items() if phase is not None else ():
        install = {"install": {"shard": shard, "term": 1, "rows": rows}}
        assert store.command(install, Chunks()) == "done"
    return store


def row(store: Any, shard: int, key: bytes) -> tuple[int, bytes | None] | None:
    """Version and value of a key's row or tombstone at a shard."""
    if isinstance(store, MemoryStore):
        return store.row(shard, KEYSPACE, key)
    text = "SELECT version, value FROM ringshift_row WHERE keyspace = ? AND key = ?"
    with store.file(shard).reader() as connection:
        found: tuple[int, bytes | None] | None = connection.execute(
            text, (KEYSPACE, key)
        ).fetchone()
        return found


class Through:
    """A store around a store: `before` may answer in its place, `after` may change an answer."""

    def __init__(
        self,
        store: Any,
        before: Callable[[Any, Request], Response | None] = lambda attempt, request: None,
        after: Callable[[Any, Response], Response] = lambda attempt, response: response,
    ) -> None:
        self.store, self.before, self.after = store, before, after
        self.seen: list[Any] = []

    def install(self, snapshot: Snapshot) -> None:
        self.store.install(snapshot)

    def send(self, attempt: Any, request: Request) -> Response:
        self.seen.append(attempt)
        answer = self.before(attempt, request)
        return (
            answer if answer is not None else self.after(attempt, self.store.send(attempt, request))
        )


def lose(*kinds: str) -> Callable[[Any, Response], Response]:
    """Loses the answers to attempts of these kinds, after they were carried out."""

    def after(attempt: Any, response: Response) -> Response:
        return Response(Reply.Failed("maybe_applied")) if attempt.kind in kinds else response

    return after


class Counting(FixedTopology):
    """A fixed topology that is slow, and counts."""

    blocking = True
    fetches = 0

    def fetch(self, newer_than: int) -> bytes | None:
        self.fetches += 1
        time.sleep(0.05)
        return super().fetch(newer_than)


class Both:
    """A client of either kind, called as one for threads."""

    def __init__(self, client: Client | AsyncClient, runner: asyncio.Runner | None) -> None:
        self.client, self.runner = client, runner

    def keyspace(self, name: str) -> Any:
        keyspace = self.client.keyspace(name)
        return keyspace if self.runner is None else Waiting(keyspace, self.runner)

    def close(self) -> None:
        if isinstance(self.client, Client):
            self.client.close()
        elif self.runner is not None:
            self.runner.run(self.client.close())

    def until(self, true: Callable[[], bool]) -> None:
        """Lets the background work until `true` is."""
        ends = time.monotonic() + 10
        while not true():
            assert time.monotonic() < ends, "it never came"
            if self.runner is None:
                time.sleep(0.01)
            else:
                self.runner.run(asyncio.sleep(0.01))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)


class Waiting:
    """An async keyspace whose calls are waited for."""

    def __init__(self, keyspace: Any, runner: asyncio.Runner) -> None:
        self._keyspace, self._runner = keyspace, runner

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._keyspace, name)
        if not inspect.iscoroutinefunction(method):
            return method
        return lambda *arguments: self._runner.run(method(*arguments))


def open_client(
    kind: str, runner: asyncio.Runner, store: Any, topology: Any, policy: Policy | None = None
) -> Both:
    if kind == "sync":
        return Both(Client.open(topology=topology, store=store, policy=policy), None)
    opening = AsyncClient.open(topology=topology, store=store, policy=policy)
    return Both(runner.run(opening), runner)
