"""What tests share: topologies, vectors and numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ringshift import Keyspace, Router, Snapshot

VECTORS = Path(__file__).parents[2] / "core" / "tests" / "vectors"


def cases(file: str, section: str) -> list[dict[str, Any]]:
    """The cases of a section of published vectors."""
    found: list[dict[str, Any]] = json.loads((VECTORS / f"{file}.json").read_text())[section][
        "cases"
    ]
    assert found
    return found


def plain(data: Any) -> Any:
    """The core's data as JSON has it: a tuple is a list, bytes are one of numbers."""
    if isinstance(data, dict):
        return {name: plain(of) for name, of in data.items()}
    if isinstance(data, list | tuple | bytes):
        return [plain(one) for one in data]
    return data


def topology(shards: int = 4, **keyspace: Any) -> dict[str, Any]:
    """A topology of that many shards, with the keyspace `orders`."""
    return {
        "cluster": "demo",
        "keyspaces": {"orders": keyspace},
        "shards": [{"id": number, "name": f"pg-{number}"} for number in range(1, shards + 1)],
    }


def orders(shards: int = 4, **keyspace: Any) -> Keyspace:
    """The keyspace of that topology."""
    return Router(Snapshot.from_topology(topology(shards, **keyspace))).keyspace("orders")


def next_snapshot(snapshot: Snapshot, **changed: Any) -> Snapshot:
    """The same content one epoch later, or with what is given."""
    return Snapshot.from_draft({**snapshot.draft(), "epoch": snapshot.epoch + 1, **changed})
