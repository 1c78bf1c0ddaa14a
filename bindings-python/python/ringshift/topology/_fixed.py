"""A snapshot that is there already."""

from __future__ import annotations

from ringshift._ringshift import Snapshot


class FixedTopology:
    """Answers one snapshot, until `replace` puts a newer one in its place."""

    blocking = False

    def __init__(self, snapshot: Snapshot) -> None:
        """Begin with this one."""
        self._snapshot = snapshot

    def replace(self, snapshot: Snapshot) -> None:
        """From now on this one is answered. Clients hear of it when they ask."""
        self._snapshot = snapshot

    def fetch(self, newer_than: int) -> bytes | None:
        """The snapshot, if it is past that epoch."""
        snapshot = self._snapshot
        return snapshot.encode() if snapshot.epoch > newer_than else None


def fixed(snapshot: Snapshot) -> FixedTopology:
    """A topology of one snapshot, for tests and for clusters that never change."""
    return FixedTopology(snapshot)
