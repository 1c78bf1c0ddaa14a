"""What a client, a store and a topology source say to each other: data and protocols only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, runtime_checkable

from ringshift._ringshift import Attempt, BatchReply, Outcome, Reply, Snapshot

KeyPart: TypeAlias = str | bytes | bytearray | memoryview | int
Key: TypeAlias = KeyPart | tuple[KeyPart, ...] | list[KeyPart]
"""Text, bytes, an integer (its digits), or several of these."""

Bytes: TypeAlias = bytes | bytearray | memoryview | str
"""A value as a caller may give it: text is taken as UTF-8."""


@dataclass(frozen=True, slots=True)
class Put:
    """Put this value, whatever is there."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the row, whatever is there."""


@dataclass(frozen=True, slots=True)
class PutIf:
    """Put this value if the row has the expected version; None: if there is no row."""

    value: bytes
    expected: int | None


Change: TypeAlias = Put | Delete | PutIf


@dataclass(frozen=True, slots=True)
class Found:
    """A row as a shard has it: its value (None: a tombstone) and the operation that made it."""

    value: bytes | None
    op: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """What goes with an attempt.

    A read has neither change nor row. A write, a confirm and an apply of the caller's own have
    the change; an apply of what another shard had has the row.
    """

    key: bytes
    op: bytes
    """Names the caller's operation for good: 16 bytes."""
    change: Change | None = None
    row: Found | None = None
    timeout_ms: int | None = None
    """For how long the operation will wait for the reply; a store may stop then. None: for ever."""


@dataclass(frozen=True, slots=True)
class Response:
    """What a store answers: the reply, and with found, deleted and conflict the row itself."""

    reply: Reply
    found: Found | None = None


@dataclass(frozen=True, slots=True)
class BatchResponse:
    """What a store answers to a batch: the reply, and what was found for each part."""

    reply: BatchReply
    found: list[Found | None] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Committed:
    """What a transaction gave."""

    versions: list[int | None]
    """The version that each key was given, in their order; None for one that wasn't written."""
    lagging: bool = False
    """Whether a mirror hadn't confirmed them by then; catch-up will carry it."""


@runtime_checkable
class Store(Protocol):
    """The shards' storage, for threads. One object serves all shards: see `attempt.shard`.

    `send` may be called from several threads at once. An exception counts as `maybe_applied`.
    Optional: `install(snapshot)` hears of each snapshot before anything is routed by it,
    `close()` is called when a client that owns the store is closed, and `blocking = False` says
    that `send` never waits for anything. For transactions, `batch(batch, requests)` carries out
    all parts of a batch in one step with the checks of all their fences, or nothing: it has one
    request for each part, and answers a `BatchResponse`.
    """

    def send(self, attempt: Attempt, request: Request, /) -> Response:
        """Carries the attempt out at its shard, in one step with the guard's check."""
        ...


@runtime_checkable
class AsyncStore(Protocol):
    """The same for asyncio. `send` is cancelled when its reply is waited for no longer."""

    async def send(self, attempt: Attempt, request: Request, /) -> Response:
        """Carries the attempt out at its shard, in one step with the guard's check."""
        ...


@runtime_checkable
class Topology(Protocol):
    """Where snapshots come from, for threads.

    Optional: `watch(newer_than, wait_ms)` as `fetch`, but waits for news for so long, and
    `blocking = False` says that `fetch` never waits for anything.
    """

    def fetch(self, newer_than: int, /) -> bytes | None:
        """Snapshot or topology record bytes past that epoch; None when there is no news."""
        ...


@runtime_checkable
class AsyncTopology(Protocol):
    """The same for asyncio."""

    async def fetch(self, newer_than: int, /) -> bytes | None:
        """Snapshot or topology record bytes past that epoch; None when there is no news."""
        ...


@dataclass(frozen=True, slots=True)
class Value:
    """What a read found."""

    value: bytes
    version: int


@dataclass(frozen=True, slots=True)
class Written:
    """What a write gave: the row's version, and a mirror that hadn't confirmed it by then."""

    version: int
    lagging: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How an operation that ran over a caller's own function ended."""

    outcome: Outcome
    found: Found | None = None
    """For a value, what the reply brought that carried it."""
    attempts: int = 0
    """Attempts that were sent and waited for."""
    refreshes: int = 0
    """Refreshes that were asked for."""


Runner: TypeAlias = Callable[[Attempt], Reply | Response]
"""A caller's own way to carry out an attempt: see `run`."""
AsyncRunner: TypeAlias = Callable[[Attempt], Awaitable[Reply | Response]]
"""The same for asyncio."""


@dataclass(frozen=True, slots=True)
class ShadowFigures:
    """What came of the comparisons of sampled reads."""

    same: int = 0
    """The two sides were the same."""
    mismatches: int = 0
    """They differed, twice."""
    unsure: int = 0
    """It couldn't be said."""
    dropped: int = 0
    """Not compared, since too many were waiting."""


@dataclass(frozen=True, slots=True)
class Figures:
    """A client's counts since it was opened."""

    epoch: int
    """The epoch of the map at hand."""
    refreshes: int
    """Refreshes begun."""
    retries: int
    """Attempts beyond what the operations would have needed at peace."""
    operations: dict[str, int] = field(default_factory=dict)
    """Operations by how they ended: `value`, `missing`, `written`, or an error's slug."""
    shadows: ShadowFigures = ShadowFigures()


class SnapshotListener(Protocol):
    """A store that wants to hear of snapshots."""

    def install(self, snapshot: Snapshot, /) -> None:
        """Hears of a snapshot before anything is routed by it."""
        ...
