"""Route keys to shards, and keep doing so correctly while data moves under you."""

from __future__ import annotations

from ringshift._ringshift import (
    VERSION as __version__,
)
from ringshift._ringshift import (
    Attempt,
    Batch,
    BatchReply,
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
    decide,
    error_codes,
    key_bytes,
    row_digest,
    sqlite_recipe,
    statements,
)

# Importing `typing` takes longer than all of this; type checkers know the name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from ringshift._types import (
        AsyncStore,
        AsyncTopology,
        BatchResponse,
        Committed,
        Delete,
        Ended,
        Figures,
        Found,
        Put,
        PutIf,
        Request,
        Response,
        Store,
        Topology,
        Value,
        Written,
    )
    from ringshift.aio import AsyncClient
    from ringshift.client import Client
    from ringshift.errors import RingshiftError

# What is imported when it is first asked for: routing alone needs none of it.
_LATER: dict[str, str] = {
    "AsyncClient": "ringshift.aio",
    "AsyncStore": "ringshift._types",
    "AsyncTopology": "ringshift._types",
    "BatchResponse": "ringshift._types",
    "Client": "ringshift.client",
    "Committed": "ringshift._types",
    "Delete": "ringshift._types",
    "Ended": "ringshift._types",
    "Figures": "ringshift._types",
    "Found": "ringshift._types",
    "Put": "ringshift._types",
    "PutIf": "ringshift._types",
    "Request": "ringshift._types",
    "Response": "ringshift._types",
    "Store": "ringshift._types",
    "Topology": "ringshift._types",
    "Value": "ringshift._types",
    "Written": "ringshift._types",
    "RingshiftError": "ringshift.errors",
}

__all__ = [
    "AsyncClient",
    "AsyncStore",
    "AsyncTopology",
    "Attempt",
    "Batch",
    "BatchReply",
    "BatchResponse",
    "Client",
    "Committed",
    "Delete",
    "Ended",
    "Figures",
    "Found",
    "GateStep",
    "Guard",
    "Keyspace",
    "MemoryShard",
    "Operation",
    "Outcome",
    "Policy",
    "Put",
    "PutIf",
    "RefreshGate",
    "Refusal",
    "Reply",
    "Request",
    "Response",
    "RingshiftError",
    "Router",
    "Shadow",
    "ShadowStep",
    "Snapshot",
    "Step",
    "Store",
    "Topology",
    "Value",
    "Written",
    "__version__",
    "decide",
    "error_codes",
    "key_bytes",
    "row_digest",
    "sqlite_recipe",
    "statements",
]


def __getattr__(name: str) -> object:
    if name in _LATER:
        return getattr(__import__(_LATER[name], fromlist=[name]), name)
    raise AttributeError(f"module 'ringshift' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
