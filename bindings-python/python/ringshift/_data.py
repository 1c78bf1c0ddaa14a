"""Data that the core's answers become, and the columns of other libraries: no rule is here.

Neither numpy nor pyarrow is imported unless somebody has them, and neither is needed.
"""

from __future__ import annotations

import importlib.util
from array import array as _array
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ringshift.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ringshift._ringshift import Plan, Snapshot

KeyPart: TypeAlias = str | bytes | bytearray | memoryview | int
Key: TypeAlias = KeyPart | Sequence[KeyPart]
"""Text, bytes, an integer (its decimal digits), or a tuple or list of these."""


@dataclass(frozen=True, slots=True)
class ShardInfo:
    """A shard, as a snapshot has it."""

    id: int
    name: str
    endpoint: str
    weight: float
    zone: str
    tags: tuple[str, ...]
    state: str
    unfenced: bool


@dataclass(frozen=True, slots=True)
class ShardShare:
    """A shard as a fan-out sees it: the slots whose writes it orders, and those it mirrors."""

    name: str
    slots: int
    mirrored: int
    phase: str | None


@dataclass(frozen=True, slots=True)
class Description:
    """Where a key is, in short."""

    shard: str
    slot: int
    domain: int
    epoch: int
    phase: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Each step from a key to its shards. Prints as a table."""

    keyspace: str
    epoch: int
    routing_part: bytes
    hash: str
    slots: int
    slot: int
    pinned: bool
    domain: int
    domain_epoch: int
    phase: str | None
    ramp: tuple[int, bool] | None
    authority: str
    mirror: str | None
    reads: tuple[str, ...]
    strict: bool

    def _rows(self) -> list[tuple[str, str]]:
        ramp = "" if self.ramp is None else f", ramp {self.ramp[0] / 10_000:g} %"
        if self.ramp is not None:
            ramp += " (the key is inside)" if self.ramp[1] else " (the key is outside)"
        writes = self.authority if self.mirror is None else f"{self.authority}, then {self.mirror}"
        waits = "" if self.mirror is None else " and waits" if self.strict else " without waiting"
        return [
            ("keyspace", f"{self.keyspace} at epoch {self.epoch}"),
            ("routing part", repr(self.routing_part)),
            ("hash", self.hash),
            ("slot", f"{self.slot} of {self.slots}" + (", pinned" if self.pinned else "")),
            ("domain", f"{self.domain} at epoch {self.domain_epoch}"),
            ("phase", (self.phase or "stable") + ramp),
            ("writes go to", writes + waits),
            ("reads go to", ", then ".join(self.reads)),
        ]

    def __str__(self) -> str:
        """Give the table as text."""
        return "\n".join(f"{name:<13} {value}" for name, value in self._rows())

    def __rich__(self) -> Any:
        """Give the table to rich."""
        from rich.table import Table

        table = Table("step", "answer")
        for name, value in self._rows():
            table.add_row(name, value)
        return table


def shard_info(shard: Mapping[str, Any]) -> ShardInfo:
    """Make a shard's data; its weight comes in thousandths."""
    return ShardInfo(**{**shard, "weight": shard["weight"] / 1000, "tags": tuple(shard["tags"])})


def explanation(facts: Mapping[str, Any]) -> Explanation:
    """Make the explanation of these facts."""
    ramp = facts["ramp"]
    own = {
        "routing_part": bytes(facts["routing_part"]),
        "reads": tuple(facts["reads"]),
        "ramp": None if ramp is None else tuple(ramp),
    }
    return Explanation(**{**facts, **own})


def description(facts: Mapping[str, Any]) -> Description:
    """Make the description of these facts."""
    named = {**facts, "shard": facts["authority"], "epoch": facts["domain_epoch"]}
    return Description(**{field.name: named[field.name] for field in fields(Description)})


_numpy: Any = None  # False: there is none.


def array(indexes: bytearray) -> Any:
    """Give shard indexes as numpy's array, without a copy, or else as Python's own."""
    global _numpy
    if _numpy is None:
        _numpy = importlib.import_module("numpy") if importlib.util.find_spec("numpy") else False
    if not _numpy:
        return _array("H", indexes)
    return _numpy.frombuffer(indexes, dtype=_numpy.uint16)


def copy_into(indexes: bytearray, out: Any) -> int:
    """Copy shard indexes into the front of a buffer of uint16."""
    count = len(indexes) // 2
    try:
        view = memoryview(out)
    except TypeError as error:
        raise ArgumentError(f"`out` must be a buffer of uint16: {error}") from None
    if view.format != "H" or view.ndim != 1 or view.readonly or len(view) < count:
        raise ArgumentError(
            f"`out` must be a writable buffer of {count} or more uint16, "
            f"not {view.nbytes // view.itemsize} of format {view.format!r}"
        )
    view[:count] = memoryview(indexes).cast("H")
    return count


def columns(keys: Any) -> tuple[Any, Any]:
    """Take a column of keys apart: bytes and ends, bytes and a width, or a list and ``None``."""
    if hasattr(keys, "combine_chunks"):
        keys = keys.combine_chunks()
    if hasattr(keys, "buffers") and hasattr(keys, "null_count"):
        return _arrow(keys)
    dtype: Any = getattr(keys, "dtype", None)
    if dtype is not None and getattr(keys, "ndim", 1) != 1:
        raise ArgumentError(f"keys must be in one dimension, not {keys.ndim}")
    if getattr(dtype, "kind", None) == "S" and dtype.itemsize > 0:
        return keys.tobytes(), dtype.itemsize
    if dtype is not None and hasattr(keys, "tolist"):
        return keys.tolist(), None
    if isinstance(keys, (str, bytes, bytearray, memoryview)):
        raise ArgumentError("many keys are a list, a column, or packed bytes and their `ends`")
    try:
        return list(keys), None
    except TypeError as error:
        raise ArgumentError(f"many keys are a list, a column, or packed bytes: {error}") from None


def _arrow(keys: Any) -> tuple[Any, Any]:
    formats: dict[str, Literal["i", "q"]]
    formats = {"string": "i", "binary": "i", "large_string": "q", "large_binary": "q"}
    code = formats.get(str(keys.type))
    if code is None or keys.null_count:
        return keys.to_pylist(), None
    if len(keys) == 0:
        return [], None
    _, offsets, values = keys.buffers()
    ends = memoryview(offsets).cast("B").cast(code)[keys.offset : keys.offset + len(keys) + 1]
    first, last = ends[0], ends[-1]
    content = memoryview(values)[first:last] if values is not None else b""
    # A slice of a column ends where the column does, but begins at 0.
    return content, _array(code, (end - first for end in ends[1:])) if first else ends[1:]


@dataclass(frozen=True, slots=True)
class PlanFigures:
    """What moves in one keyspace, next to the least there could be and to ``hash % N``."""

    keyspace: str
    slots: int
    slots_moved: int
    slots_least: int
    slots_modulo: int
    waves: int


def plan_figures(facts: Mapping[str, Any]) -> PlanFigures:
    """Make the figures of a plan."""
    return PlanFigures(**facts)


def plan_rich(plan: Plan) -> Any:
    """Give a plan's table to rich."""
    from rich.table import Table

    table = Table("keyspace", "slots", "moved", "least", "hash % N", "waves")
    for figures in plan.figures:
        table.add_row(*map(str, astuple(figures)))
    return table


def ring_svg(snapshot: Snapshot, keyspace: str | None = None) -> str:
    """Draw a keyspace's slots round a ring, each shard in its colour."""
    from ringshift._ring import draw

    return draw(snapshot, keyspace)
