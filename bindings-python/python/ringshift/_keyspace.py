"""The routing methods of a client's keyspace: the core's own, forwarded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ringshift._data import Description, Explanation, ShardShare
from ringshift._ringshift import Keyspace
from ringshift._types import Key


class Routing:
    """Where keys are, by the map at hand. These methods never wait, also not in async code."""

    __slots__ = ("_keyspace",)

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace

    @property
    def name(self) -> str:
        """The keyspace's name."""
        return self._keyspace.name

    @property
    def id(self) -> int:
        """Its number."""
        return self._keyspace.id

    def route(self, key: Key) -> int:
        """The place of the key's shard in the snapshot's list."""
        return self._keyspace.route(key)

    def shard_of(self, key: Key) -> str:
        """The name of the shard that orders the key's writes."""
        return self._keyspace.shard_of(key)

    def describe(self, key: Key) -> Description:
        """Shard, slot, domain, epoch and phase of a key."""
        return self._keyspace.describe(key)

    def explain(self, key: Key) -> Explanation:
        """Each step from a key to its shards, for people."""
        return self._keyspace.explain(key)

    def route_many(self, keys: Any, ends: Any = None) -> Any:
        """The place of each key's shard: an array of uint16."""
        return self._keyspace.route_many(keys, ends)

    def route_many_into(self, keys: Any, out: Any, ends: Any = None) -> int:
        """The same into `out`, a buffer of uint16; answers how many."""
        return self._keyspace.route_many_into(keys, out, ends)

    def group_by_shard(self, keys: Sequence[Key]) -> dict[str, list[int]]:
        """The keys' places in the list, by the name of their shard."""
        return self._keyspace.group_by_shard(keys)

    def replicas(self, key: Key, n: int) -> list[str]:
        """The names of up to `n` shards to keep copies of a key on, the first its own."""
        return self._keyspace.replicas(key, n)

    def shards(self) -> list[ShardShare]:
        """Each shard's share of the keyspace, for a fan-out."""
        return self._keyspace.shards()
