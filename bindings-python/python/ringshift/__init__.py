"""Route keys to shards, and keep doing so correctly while data moves under you."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ringshift._ringshift import (
    VERSION as __version__,
)
from ringshift._ringshift import (
    Attempt,
    GateStep,
    Guard,
    Keyspace,
    MemoryShard,
    Operation,
    Outcome,
    Policy,
    RefreshGate,
    Refusal,
    Reply,
    Router,
    Shadow,
    ShadowStep,
    Snapshot,
    Step,
    error_codes,
    key_bytes,
    row_digest,
)

if TYPE_CHECKING:
    from ringshift.errors import RingshiftError

# What is imported when it is first asked for: routing alone needs none of it.
_LATER: dict[str, str] = {
    "RingshiftError": "ringshift.errors",
}

__all__ = [
    "Attempt",
    "GateStep",
    "Guard",
    "Keyspace",
    "MemoryShard",
    "Operation",
    "Outcome",
    "Policy",
    "RefreshGate",
    "Refusal",
    "Reply",
    "RingshiftError",
    "Router",
    "Shadow",
    "ShadowStep",
    "Snapshot",
    "Step",
    "__version__",
    "error_codes",
    "key_bytes",
    "row_digest",
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'ringshift' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
