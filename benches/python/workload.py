"""The keys and shards that every candidate gets, the same in each language's bench."""

from __future__ import annotations

from collections.abc import Iterator

_MASK = (1 << 64) - 1


def splitmix64(seed: int) -> Iterator[int]:
    """SplitMix64 (Steele, Lea, Flood 2014), as a stream of u64."""
    state = seed
    while True:
        state = (state + 0x9E3779B97F4A7C15) & _MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        yield z ^ (z >> 31)


def user_keys(count: int) -> list[str]:
    """Distinct keys `user:{u64}`, 24.4 characters on average."""
    stream = splitmix64(42)
    return [f"user:{next(stream)}" for _ in range(count)]


def topology(shards: int) -> dict[str, object]:
    """That many shards, and a keyspace `k` placed by a ring of 160 points a shard."""
    return {
        "cluster": "bench",
        "keyspaces": {"k": {"placement": {"ring": {"vnodes": 160}}}},
        "shards": [{"id": at + 1, "name": f"shard-{at}"} for at in range(shards)],
    }
