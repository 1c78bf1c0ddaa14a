"""A request as the core takes it, with its value or without."""

from __future__ import annotations

from typing import Any

from ringshift._types import Put, PutIf, Request


def content_of(request: Request, *, values: bool) -> dict[str, Any] | None:
    """What goes with an attempt; a store that keeps the value itself decides without it."""
    if request.row is not None:
        if values:
            row: dict[str, Any] = {"value": request.row.value, "op": request.row.op}
            return {"op": request.row.op, "row": row}
        return {"op": request.row.op, "row": {"deleted": request.row.value is None}}
    change = request.change
    if change is None:
        return None
    if isinstance(change, Put):
        said: dict[str, Any] = {"type": "put"}
    elif isinstance(change, PutIf):
        said = {"type": "put-if", "expected": change.expected}
    else:
        said = {"type": "delete"}
    if values:
        said["value"] = value_of(request)
    return {"op": request.op, "change": said}


def value_of(request: Request) -> bytes | None:
    """The value that a put puts; None for a tombstone."""
    if request.row is not None:
        return request.row.value
    change = request.change
    return change.value if isinstance(change, (Put, PutIf)) else None
