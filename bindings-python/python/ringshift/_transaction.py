"""Several keys of one shard, changed together: what threads and asyncio share of it.

Nothing is decided here: the core's machine is stepped, and rows are kept for it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from ringshift._base import Base, value_bytes
from ringshift._drive import Refresh, Sleep
from ringshift._ringshift import (
    Batch,
    BatchReply,
    Keyspace,
    Reply,
    Transaction,
    TransactionOutcome,
    TransactionStep,
    key_bytes,
)
from ringshift._types import (
    BatchResponse,
    Bytes,
    Change,
    Committed,
    Delete,
    Found,
    Key,
    Put,
    Request,
)
from ringshift.errors import UnknownAttemptError, error_of


@dataclass(frozen=True, slots=True)
class SendBatch:
    """Send this and wait for its reply."""

    batch: Batch
    requests: list[Request]
    until: int | None


@dataclass(frozen=True, slots=True)
class TrailBatch:
    """Send this in the background: nobody waits for it."""

    batch: Batch
    requests: list[Request]


@dataclass(frozen=True, slots=True)
class Work:
    """The caller's turn. Answer whether to commit."""


Ask: TypeAlias = SendBatch | TrailBatch | Work | Refresh | Sleep
Answer: TypeAlias = BatchResponse | bool | None


@dataclass(slots=True)
class _Row:
    """A key's row, and what the caller does with it."""

    found: Found | None = None
    version: int | None = None
    read: bool = False
    change: Change | None = None


class Tx:
    """The keys of a transaction: as they were read at one moment, with its own changes.

    Its methods never wait, also not in async code.
    """

    __slots__ = ("_places", "_rows")

    def __init__(self, keys: list[bytes]) -> None:
        """Take the keys that were named."""
        self._places = {key: place for place, key in enumerate(keys)}
        self._rows = [_Row() for _ in keys]

    def get(self, key: Key) -> bytes | None:
        """The key's value; None when there is no row. A change of one's own is seen."""
        row = self._row(key)
        if row.change is not None:
            return row.change.value if isinstance(row.change, Put) else None
        row.read = True
        return None if row.found is None else row.found.value

    def version(self, key: Key) -> int | None:
        """The version of the row that was read; None when there was none."""
        row = self._row(key)
        row.read = True
        return row.version

    def put(self, key: Key, value: Bytes) -> None:
        """Puts a value."""
        self._row(key).change = Put(value_bytes(value))

    def delete(self, key: Key) -> None:
        """Deletes the row."""
        self._row(key).change = Delete()

    def _row(self, key: Key) -> _Row:
        place = self._places.get(key_bytes(key))
        if place is None:
            text = "the key isn't one of the transaction's; name all of its keys when it begins"
            raise error_of("transaction_keys", text, key=key)
        return self._rows[place]


class Running:
    """One transaction on its way."""

    def __init__(self, base: Base, keyspace: Keyspace, keys: Iterable[Key]) -> None:
        """Begin nothing yet."""
        self.base = base
        self.keyspace = keyspace
        self.keys = list(keys)
        self.policy, self.op = base.named()
        self.data = [key_bytes(key) for key in self.keys]
        self.tx = Tx(self.data)
        self.cause: Exception | None = None
        self.committed: Committed | None = None

    def asks(self, again: bool) -> Generator[Ask, Answer, TransactionOutcome]:
        """Drives the transaction to its end."""
        base, now = self.base, self.base.now
        begun = Transaction.begin(self.keyspace, self.data, self.policy, again, now())
        machine, over = begun
        if machine is None:
            assert over is not None
            return over
        in_flight: Batch | None = None
        while True:
            step = machine.poll()
            if isinstance(step, TransactionStep.Send):
                if step.batch.blocking:
                    in_flight = step.batch
                else:
                    yield TrailBatch(step.batch, self._requests(step.batch, None))
            elif isinstance(step, TransactionStep.Work):
                if (yield Work()):
                    rows = self.tx._rows
                    machine.commit(now(), [(row.read, row.change is not None) for row in rows])
                else:
                    machine.roll_back()
            elif isinstance(step, TransactionStep.Refresh):
                wait = machine.poll()
                if not isinstance(wait, TransactionStep.Wait):
                    continue
                if (yield Refresh(step.newer_than, wait.until)):
                    machine.handle_snapshot(now(), self.keyspace, self.data)
                else:
                    machine.handle_timeout(now())
            elif isinstance(step, TransactionStep.Wait):
                if in_flight is None:
                    yield Sleep(step.until)
                    machine.handle_snapshot(now(), self.keyspace, self.data)
                    machine.handle_timeout(now())
                    continue
                batch, in_flight = in_flight, None
                requests = self._requests(batch, base.left(step.until))
                response = yield SendBatch(batch, requests, step.until)
                if not isinstance(response, BatchResponse):
                    machine.handle_timeout(now())
                    continue
                if batch.begins:
                    self._read(response)
                # One that isn't waited for any more changes nothing.
                with suppress(UnknownAttemptError):
                    machine.handle_reply(now(), batch.id, response.reply)
            else:
                assert isinstance(step, TransactionStep.Done)
                return step.outcome

    def _read(self, response: BatchResponse) -> None:
        replies = response.reply.replies
        if replies is None:
            return
        self.tx._rows = [
            _Row(found, reply.version if isinstance(reply, Reply.Found) else None)
            for reply, found in zip(replies, response.found, strict=True)
        ]

    def _requests(self, batch: Batch, timeout_ms: int | None) -> list[Request]:
        """What goes with each part: a row as it was read, or else the caller's own change."""
        requests = []
        for place, attempt in batch.parts:
            row = self.tx._rows[place]
            found = row.found if attempt.found_by is not None else None
            own = row.change if found is None and attempt.kind != "read" else None
            requests.append(Request(self.data[place], self.op, own, found, timeout_ms))
        return requests

    def lost(self, error: Exception) -> BatchResponse:
        """A store's exception as an answer: whether the batch was carried out isn't known."""
        self.cause = error
        return BatchResponse(BatchReply.failed("maybe_applied"))

    def settle(self, outcome: TransactionOutcome) -> None:
        """Counts how it ended; raises what its caller is to hear of as an error."""
        base = self.base
        if outcome.code is None:
            base.count("committed")
            self.committed = Committed(outcome.versions, outcome.lagging)
            return
        base.count(outcome.code)
        facts: dict[str, Any] = {"found": outcome.found}
        if outcome.key is not None:
            facts["key"] = self.keys[outcome.key]
        if outcome.shards:
            facts["shards"] = {
                base.shard_name(shard): [self.keys[place] for place in places]
                for shard, places in outcome.shards
            }
        text = f"a transaction of keyspace `{self.keyspace.name}`: {outcome.message}"
        raise error_of(outcome.code, text, **facts) from self.cause


class Play:
    """A transaction on its way over a store, but for the waiting."""

    def __init__(self, running: Running, store: object, *, again: bool) -> None:
        """Ask nothing yet."""
        self.running = running
        self.batch = batch_of(store)
        self.answer: Answer = None
        """What the last step is answered with."""
        self._asks = running.asks(again)
        self._outcome: TransactionOutcome | None = None

    def step(self) -> Ask | None:
        """What it needs next of the world; None when it is over."""
        try:
            ask = self._asks.send(self.answer)
        except StopIteration as end:
            self._outcome = end.value
            return None
        self.answer = None
        return ask

    def settle(self) -> None:
        """Raises what the caller is to hear of as an error."""
        assert self._outcome is not None
        self.running.settle(self._outcome)


class Block:
    """A transaction for a `with` block, before it is known how the block waits."""

    def __init__(self, running: Running) -> None:
        """Begin nothing yet."""
        self._running = running

    @property
    def committed(self) -> Committed | None:
        """What it gave, once it is committed."""
        return self._running.committed


def batch_of(store: object) -> Callable[..., Any]:
    """The store's way to carry batches out; `argument` for a store without one."""
    batch: Callable[..., Any] | None = getattr(store, "batch", None)
    if batch is None:
        text = "the store has no method `batch`, so that it can't carry transactions out"
        raise error_of("argument", text)
    return batch
