"""Shards in memory: the core's own, one for each shard of the snapshot."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from ringshift._ringshift import (
    Attempt,
    Batch,
    BatchReply,
    Chunks,
    MemoryShard,
    Reply,
    Snapshot,
    home_installs,
    memory_batch,
)
from ringshift._types import BatchResponse, Found, Request, Response
from ringshift.errors import error_of
from ringshift.stores._content import content_of

HOME_TERM = 1


class MemoryStore:
    """Shards in this process's memory.

    The shards of the first snapshot are told at once which slots are their own; one that joins
    later knows nothing until its coordinator tells it, by `shard(id).command`.
    """

    blocking = False

    def __init__(self, *, bare: bool = False) -> None:
        """Begin without shards."""
        self._lock = threading.Lock()
        self._bare = bare
        self._shards: dict[int, MemoryShard] = {}

    def install(self, snapshot: Snapshot) -> None:
        """Hears of a snapshot: makes the shards that aren't there yet."""
        with self._lock:
            tell, self._bare = not self._bare, True
        for shard in snapshot.shards:
            self.shard(shard.id)
            if tell:
                self.tell(shard.id, home_installs(snapshot, shard.id))

    def shard(self, shard: int) -> MemoryShard:
        """The shard of that id. One that isn't there yet is made, and knows nothing."""
        with self._lock:
            if shard not in self._shards:
                self._shards = {**self._shards, shard: MemoryShard()}
            return self._shards[shard]

    def tell(self, shard: int, rows: Sequence[Any], *, term: int = HOME_TERM) -> None:
        """Installs guard rows at a shard, as a coordinator does."""
        command = {"install": {"shard": shard, "term": term, "rows": list(rows)}}
        answer = self.shard(shard).command(command, Chunks())
        if answer != "done":
            text = f"shard {shard} refused its guard rows: {answer}"
            raise error_of("stale_term", text, shard=shard)

    def command(self, command: Any, chunks: Chunks) -> Any:
        """Carries out a coordinator's command at its shard."""
        ((_, given),) = command.items()
        return self.shard(given["shard"]).command(command, chunks)

    def row(self, shard: int, keyspace: int, key: bytes) -> tuple[int, bytes | None] | None:
        """Version and value of a key's row or tombstone at a shard, whoever holds it."""
        return self.shard(shard).row(keyspace, key)

    def send(self, attempt: Attempt, request: Request) -> Response:
        """Carries an attempt out at its shard."""
        shard = self._shards.get(attempt.shard)
        if shard is None:
            return Response(Reply.Failed("not_sent"))
        content = content_of(request, values=True)
        reply, found = shard.attempt(attempt, request.key, content)
        return Response(reply, None if found is None else Found(*found))

    def batch(self, batch: Batch, requests: Sequence[Request]) -> BatchResponse:
        """Carries a transaction's batch out at its shard, in one step, or nothing of it."""
        shard = self._shards.get(batch.shard)
        if shard is None:
            return BatchResponse(BatchReply.failed("not_sent"))
        contents = [content_of(request, values=True) for request in requests]
        keys = [request.key for request in requests]
        reply, found = memory_batch(shard, batch, keys, contents)
        return BatchResponse(reply, [None if row is None else Found(*row) for row in found])


def memory(*, bare: bool = False) -> MemoryStore:
    """A store in memory, for tests, simulations and examples.

    `bare`: its shards know no domain, and refuse everything, until a coordinator tells them.
    """
    return MemoryStore(bare=bare)
