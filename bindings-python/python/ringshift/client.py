"""A client for threads: routes, reads and writes through a store, while data move under it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Literal, TypeVar

from ringshift._background import Background
from ringshift._base import (
    REFRESH_PATIENCE_MS,
    SHADOWS_MAX,
    TRAILING_MAX,
    WATCH_MS,
    Base,
    Call,
    Opened,
    log,
    reads_of,
    response_of,
    value_bytes,
    value_of,
)
from ringshift._data import ShardShare
from ringshift._drive import Answer, Ask, Refresh, Send, Sleep
from ringshift._keyspace import Routing
from ringshift._ringshift import (
    Attempt,
    GateStep,
    Keyspace,
    Policy,
    Shadow,
    Snapshot,
)
from ringshift._transaction import Block, Play, Running, TrailBatch, Tx, Work
from ringshift._types import (
    Bytes,
    Change,
    Delete,
    Ended,
    Key,
    Put,
    PutIf,
    Request,
    Response,
    Runner,
    Store,
    Topology,
    Value,
    Written,
)
from ringshift.errors import error_of

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

T = TypeVar("T")
FAN_OUT_MAX = 32
"""Shards that one `get_many` asks at the same time."""


class _Own:
    """A caller's own function in a store's place."""

    def __init__(self, fn: Runner) -> None:
        self._fn = fn

    def send(self, attempt: Attempt, _request: Request) -> Response:
        return response_of(self._fn(attempt))


class Client(Opened):
    """Reads and writes keys wherever they are. Any number of threads may share one.

    Make one with `Client.open`; use it as a context manager, or call `close`.
    """

    def __init__(
        self, snapshot: Snapshot, *, topology: Topology, store: Store, policy: Policy | None = None
    ) -> None:
        """Route by `snapshot` until there is a newer one; see `open`."""
        self._topology, self._store = topology, store
        self._closing = threading.Event()
        self._watcher: threading.Thread | None = None
        self._start()
        self._base = Base(snapshot, store, policy, self._start)

    def _start(self) -> None:
        self._trails = Background(2, TRAILING_MAX, "ringshift-trail")
        self._shadows = Background(2, SHADOWS_MAX, "ringshift-shadow")

    @classmethod
    def open(
        cls,
        *,
        topology: Topology,
        store: Store,
        policy: Policy | None = None,
        watch: bool = False,
        meter: Meter | None = None,
    ) -> Client:
        """Fetches the first snapshot and opens a client over it.

        `watch`: a thread asks the topology for newer snapshots, also when no operation needs one.
        `meter`: an OpenTelemetry meter that reports the client's figures.

        Raises what the topology raises, and `topology_missing` when it has no snapshot yet.
        """
        fetched = topology.fetch(0)
        if fetched is None:
            raise error_of("topology_missing", "the topology has no snapshot yet; make one first")
        client = cls(Snapshot.decode(fetched), topology=topology, store=store, policy=policy)
        if meter is not None:
            from ringshift import otel

            otel.instrument(client, meter)
        if watch:
            watcher = threading.Thread(target=client._watch, name="ringshift-watch", daemon=True)
            client._watcher = watcher
            watcher.start()
        return client

    def keyspace(self, name: str) -> ClientKeyspace:
        """The keyspace of that name. Look it up once, not for each key."""
        self._base.check_open()
        return ClientKeyspace(self, self._base.router.keyspace(name))

    def close(self) -> None:
        """Ends the background work: mirror writes are finished, comparisons are given up.

        Calls after it raise `disposed`. The store stays open: it is the caller's.
        """
        self._base.closed = True
        self._closing.set()
        self._trails.close()
        self._shadows.close()
        # The watcher may be in the middle of a long poll. It ends after it, and installs nothing.

    def __enter__(self) -> Client:
        """Do nothing: it is open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _run(
        self, keyspace: Keyspace, key: Key, change: Change | None, reads: bool, store: Store
    ) -> Ended:
        call = self._base.begin(keyspace, key, change, reads)
        trailing: list[Attempt] = []
        ended = self._play(self._base.asks(call), call, store, trailing)
        shadow = self._base.shadow(call) if reads else None
        if shadow is not None:
            compare = partial(self._compare, call, shadow, store)
            if not self._shadows.submit(compare):
                self._base.compared(None)
        for attempt in trailing:
            # Nobody waits for it; catch-up carries what it can't.
            trail = partial(self._trail, call, attempt, store)
            if not self._trails.submit(trail):
                trail()
        return self._base.settle(call, ended)

    def _play(
        self, asks: Generator[Ask, Answer, T], call: Call, store: Store, trailing: list[Attempt]
    ) -> T:
        answer: Answer = None
        while True:
            try:
                ask = asks.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            answer = None
            if isinstance(ask, Send):
                request = self._base.request(call, ask.attempt, ask.found, ask.until)
                answer = self._send(call, store, ask.attempt, request)
                self._base.count_retry(answer)
            elif isinstance(ask, Sleep):
                self._sleep(ask.until)
            elif isinstance(ask, Refresh):
                self._refresh(ask.newer_than)
                answer = True
            else:
                trailing.append(ask.attempt)

    def _send(self, call: Call, store: Store, attempt: Attempt, request: Request) -> Response:
        began = time.monotonic_ns()
        try:
            response = store.send(attempt, request)
        except Exception as error:
            response = self._base.lost(call, error)
        self._base.answered(attempt, began, response)
        return response

    def _sleep(self, until: int | None) -> None:
        left = self._base.left(until)
        if left != 0:
            time.sleep(3600 if left is None else left / 1000)

    def _refresh(self, newer_than: int) -> None:
        """One refresh for all threads that want one.

        Returns when there is news, or nothing to wait for: whoever asked looks again.
        """
        step = self._base.want(newer_than, REFRESH_PATIENCE_MS)
        if isinstance(step, GateStep.Wait):
            self._sleep(step.until)
        elif isinstance(step, GateStep.Fetch):
            fetched: bytes | BaseException | None
            try:
                fetched = self._topology.fetch(self._base.router.epoch)
            except BaseException as error:
                fetched = error
            self._base.fetched(fetched)

    def _trail(self, call: Call, attempt: Attempt, store: Store) -> None:
        self._send(call, store, attempt, self._base.request(call, attempt, None, None))

    def _compare(self, call: Call, shadow: Shadow, store: Store) -> None:
        """A comparison, in the background. A closed client gives it up."""
        compared: str | None = None
        answer: Answer = None
        asks = self._base.shadow_asks(call, shadow)
        try:
            while not self._closing.is_set():
                ask = asks.send(answer)
                answer = None
                if isinstance(ask, Send):
                    request = self._base.request(call, ask.attempt, None, ask.until)
                    answer = self._send(call, store, ask.attempt, request)
                elif isinstance(ask, Sleep):
                    left = self._base.left(ask.until)
                    self._closing.wait(None if left is None else left / 1000)
        except StopIteration as end:
            compared = end.value
        finally:
            self._base.compared(compared)

    def _watch(self) -> None:
        watch: Callable[[int, int], bytes | None] | None = getattr(self._topology, "watch", None)
        while not self._closing.is_set():
            try:
                if watch is not None:
                    fetched = watch(self.epoch, WATCH_MS)
                else:
                    self._closing.wait(WATCH_MS / 1000)
                    fetched = self._topology.fetch(self.epoch)
                if fetched is not None and not self._closing.is_set():
                    self.install(fetched)
            except Exception as error:
                log.warning("the topology could not be watched: %s", error)
                self._closing.wait(WATCH_MS / 1000)


class ClientKeyspace(Routing):
    """A client's keyspace: where keys are read and written."""

    __slots__ = ("_client",)

    def __init__(self, client: Client, keyspace: Keyspace) -> None:
        """Take the router's keyspace of that name."""
        super().__init__(keyspace)
        self._client = client

    def get(self, key: Key) -> Value | None:
        """The key's value and version; None when there is no row."""
        client = self._client
        return value_of(client._run(self._keyspace, key, None, True, client._store))

    def put(self, key: Key, value: Bytes) -> Written:
        """Puts a value, whatever is there."""
        return self._write(key, Put(value_bytes(value)))

    def delete(self, key: Key) -> Written:
        """Deletes the row, whatever is there."""
        return self._write(key, Delete())

    def put_if(self, key: Key, value: Bytes, expected: int | None) -> Written:
        """Puts a value if the row has that version; None: if there is no row.

        Raises `version_conflict`, with the version that is there as `found`.
        """
        return self._write(key, PutIf(value_bytes(value), expected))

    def get_many(self, keys: Iterable[Key]) -> list[Value | None]:
        """Each key's value, in the order of the keys; the shards are asked at the same time."""
        listed = list(keys)
        groups = list(self._keyspace.group_by_shard(listed).values())
        values: list[Value | None] = [None] * len(listed)

        def get(group: list[int]) -> None:
            for place in group:
                values[place] = self.get(listed[place])

        if len(groups) < 2 or getattr(self._client._store, "blocking", True) is False:
            for group in groups:
                get(group)
            return values
        with ThreadPoolExecutor(min(len(groups), FAN_OUT_MAX)) as pool:
            for done in [pool.submit(get, group) for group in groups]:
                done.result()
        return values

    def for_each_shard(self, fn: Callable[[ShardShare], T]) -> dict[str, T]:
        """Calls `fn` with each shard's share, one after the other. Its answers by shard name.

        While a wave runs, two shards hold the same keys: a share says so by `mirrored`.
        """
        self._client._base.check_open()
        return {share.name: fn(share) for share in self.shards()}

    def run(self, key: Key, kind: Literal["read", "write"], fn: Runner) -> Ended:
        """A read or a write whose attempts `fn` carries out, in place of the store.

        `fn` may be called several times, and from another thread for a mirror write that nobody
        waits for. Raises as the other methods do.
        """
        return self._client._run(self._keyspace, key, None, reads_of(kind), _Own(fn))

    def transaction(self, keys: Iterable[Key]) -> Transacting:
        """Reads and changes several keys of one shard together: all of it, or nothing.

        `with orders.transaction([a, b]) as tx:` reads the keys, all of them at one moment; the
        block's own changes are committed when it ends, and none of them if it raises. Raises
        `cross_shard` for keys on several shards. At the end of the block it raises
        `version_conflict` when a key that the block has looked at was changed meanwhile, and
        `retryable` when the keys were rerouted: nothing was changed then, and the block can be run
        again, as `run_transaction` does.
        """
        return Transacting(self._client, Running(self._client._base, self._keyspace, keys))

    def run_transaction(self, keys: Iterable[Key], work: Callable[[Tx], T]) -> T:
        """The same with a function, that is called again, with new reads, where that may help.

        What it answers is answered; what it raises changes nothing.
        """
        running = Running(self._client._base, self._keyspace, keys)
        playing = Playing(self._client, running, again=True)
        while playing.to_work():
            try:
                result = work(running.tx)
            except BaseException:
                playing.end(False)
                raise
            playing.answer = True
        playing.settle()
        return result

    def _write(self, key: Key, change: Change) -> Written:
        client = self._client
        ended = client._run(self._keyspace, key, change, False, client._store)
        return client._base.written(ended)


class Playing(Play):
    """Plays a transaction over a client's store."""

    def __init__(self, client: Client, running: Running, *, again: bool) -> None:
        """Ask nothing yet."""
        super().__init__(running, client._store, again=again)
        self._client = client

    def to_work(self) -> bool:
        """Goes on to the caller's turn; False when the transaction is over."""
        client = self._client
        while (ask := self.step()) is not None:
            if isinstance(ask, Work):
                return True
            if isinstance(ask, Sleep):
                client._sleep(ask.until)
            elif isinstance(ask, Refresh):
                client._refresh(ask.newer_than)
                self.answer = True
            else:
                # What nobody waits for is sent before the answer, too; catch-up carries the rest.
                try:
                    self.answer = self.batch(ask.batch, ask.requests)
                except Exception as error:
                    self.answer = self.running.lost(error)
                if isinstance(ask, TrailBatch):
                    self.answer = None
        return False

    def end(self, commit: bool) -> None:
        """Ends the caller's turn for good."""
        self.answer = commit
        self.to_work()


class Transacting(Block):
    """A transaction, for a `with` block."""

    def __init__(self, client: Client, running: Running) -> None:
        """Begin nothing yet."""
        super().__init__(running)
        self._playing = Playing(client, running, again=False)

    def __enter__(self) -> Tx:
        """Read the keys."""
        if not self._playing.to_work():
            self._playing.settle()
        return self._running.tx

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commit, or change nothing when the block has raised."""
        self._playing.end(kind is None)
        if kind is None:
            self._playing.settle()
