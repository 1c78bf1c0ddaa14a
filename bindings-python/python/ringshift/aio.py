"""The client for asyncio: the same loop, and a call that is cancelled leaves nothing behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Literal, TypeVar

from ringshift._aio_store import Own, async_store, called, seconds
from ringshift._aio_transaction import AsyncPlaying, AsyncTransacting
from ringshift._base import (
    REFRESH_PATIENCE_MS,
    TRAILING_MAX,
    WATCH_MS,
    Base,
    Call,
    Opened,
    log,
    reads_of,
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
from ringshift._transaction import Running, Tx
from ringshift._types import (
    AsyncRunner,
    AsyncStore,
    AsyncTopology,
    Bytes,
    Change,
    Delete,
    Ended,
    Key,
    Put,
    PutIf,
    Response,
    Store,
    Topology,
    Value,
    Written,
)
from ringshift.errors import error_of

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

T = TypeVar("T")
GETS_MAX = 64
"""Keys that one `get_many` asks for at the same time."""


class AsyncClient(Opened):
    """Reads and writes keys wherever they are, in one event loop.

    Make one with `await AsyncClient.open`; use it with `async with`, or await `close`. A call may
    be cancelled at any moment: its write may then have been carried out, as with a lost answer.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        topology: Topology | AsyncTopology,
        store: Store | AsyncStore,
        policy: Policy | None = None,
    ) -> None:
        """Route by `snapshot` until there is a newer one; see `open`."""
        self._topology, self._store = topology, async_store(store)
        self._waits = getattr(topology, "blocking", True) is not False
        self._trails: set[asyncio.Task[None]] = set()
        self._shadows: set[asyncio.Task[None]] = set()
        self._fetching: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._base = Base(snapshot, store, policy)

    @classmethod
    async def open(
        cls,
        *,
        topology: Topology | AsyncTopology,
        store: Store | AsyncStore,
        policy: Policy | None = None,
        watch: bool = False,
        meter: Meter | None = None,
    ) -> AsyncClient:
        """Fetches the first snapshot and opens a client over it.

        Store and topology may be made for asyncio or for threads. `watch`: a task asks the
        topology for newer snapshots, also when no operation needs one. `meter`: an OpenTelemetry
        meter that reports the client's figures.

        Raises what the topology raises, and `topology_missing` when it has no snapshot yet.
        """
        waits = getattr(topology, "blocking", True) is not False
        fetched: bytes | None = await called(topology.fetch, waits, 0)
        if fetched is None:
            raise error_of("topology_missing", "the topology has no snapshot yet; make one first")
        client = cls(Snapshot.decode(fetched), topology=topology, store=store, policy=policy)
        if meter is not None:
            from ringshift import otel

            otel.instrument(client, meter)
        if watch:
            client._watcher = asyncio.create_task(client._watch(), name="ringshift-watch")
        return client

    def keyspace(self, name: str) -> AsyncKeyspace:
        """The keyspace of that name. Look it up once, not for each key."""
        self._base.check_open()
        return AsyncKeyspace(self, self._base.router.keyspace(name))

    async def close(self) -> None:
        """Ends the background work: mirror writes are finished, comparisons are given up.

        Calls after it raise `disposed`. The store stays open: it is the caller's.
        """
        self._base.closed = True
        given_up = [task for task in (self._watcher, self._fetching, *self._shadows) if task]
        for task in given_up:
            task.cancel()
        await asyncio.gather(*given_up, *self._trails, return_exceptions=True)

    async def __aenter__(self) -> AsyncClient:
        """Do nothing: it is open."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        await self.close()

    async def _run(
        self, keyspace: Keyspace, key: Key, change: Change | None, reads: bool, store: AsyncStore
    ) -> Ended:
        call = self._base.begin(keyspace, key, change, reads)
        trailing: list[Attempt] = []
        ended = await self._play(self._base.asks(call), call, store, trailing)
        for attempt in trailing:
            # Nobody waits for it; catch-up carries what it can't.
            trail = self._trail(call, attempt, store)
            if len(self._trails) < TRAILING_MAX:
                _keep(self._trails, trail)
            else:
                await trail
        shadow = self._base.shadow(call) if reads else None
        if shadow is not None and self._base.closed:
            self._base.compared(None)
        elif shadow is not None:
            _keep(self._shadows, self._compare(call, shadow, store))
        return self._base.settle(call, ended)

    async def _play(
        self,
        asks: Generator[Ask, Answer, T],
        call: Call,
        store: AsyncStore,
        trailing: list[Attempt] | None,
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
                answer = await self._send(call, store, ask)
                if trailing is not None:
                    self._base.count_retry(answer)
            elif isinstance(ask, Sleep):
                await self._sleep(ask.until)
            elif isinstance(ask, Refresh):
                answer = await self._refreshed(ask)
            elif trailing is not None:
                trailing.append(ask.attempt)

    async def _send(self, call: Call, store: AsyncStore, ask: Send) -> Response | None:
        """The reply; None when `until` came first, and the request was cancelled."""
        request = self._base.request(call, ask.attempt, ask.found, ask.until)
        limit = asyncio.timeout(seconds(request.timeout_ms))
        began = time.monotonic_ns()
        response: Response | None
        try:
            async with limit:
                response = await store.send(ask.attempt, request)
        except Exception as error:
            late = limit.expired() and isinstance(error, TimeoutError)
            response = None if late else self._base.lost(call, error)
        self._base.answered(ask.attempt, began, response)
        return response

    async def _sleep(self, until: int | None) -> None:
        left = self._base.left(until)
        await asyncio.sleep(3600 if left is None else left / 1000)

    async def _refreshed(self, ask: Refresh) -> bool | None:
        """True when there is a map to look at; None when `until` came first."""
        try:
            async with asyncio.timeout(seconds(self._base.left(ask.until))):
                await self._refresh(ask.newer_than)
        except TimeoutError:
            return None
        return True

    async def _refresh(self, newer_than: int) -> None:
        """One refresh for all tasks that want one.

        Returns when there is news, or nothing to wait for: whoever asked looks again.
        """
        step = self._base.want(newer_than)
        if isinstance(step, GateStep.Wait):
            await self._sleep(step.until)
            return
        if isinstance(step, GateStep.Fetch):
            # A task of the client's own: whoever asked may be cancelled, others have joined.
            self._fetching = asyncio.create_task(self._fetch(), name="ringshift-fetch")
        elif isinstance(step, GateStep.InHand):
            return
        if self._fetching is not None:
            patience = None if isinstance(step, GateStep.Fetch) else REFRESH_PATIENCE_MS / 1000
            await asyncio.wait({self._fetching}, timeout=patience)

    async def _fetch(self) -> None:
        fetched: bytes | BaseException | None
        try:
            fetched = await called(self._topology.fetch, self._waits, self.epoch)
        except BaseException as error:
            fetched = error
        self._base.fetched(fetched)

    async def _trail(self, call: Call, attempt: Attempt, store: AsyncStore) -> None:
        limit = call.policy.attempt_ms or call.policy.deadline_ms
        await self._send(call, store, Send(attempt, None, self._base.now() + limit))

    async def _compare(self, call: Call, shadow: Shadow, store: AsyncStore) -> None:
        compared: str | None = None
        try:
            asks = self._base.shadow_asks(call, shadow)
            compared = await self._play(asks, call, store, None)
        finally:
            self._base.compared(compared)

    async def _watch(self) -> None:
        watch = getattr(self._topology, "watch", None)
        while not self._base.closed:
            try:
                if watch is not None:
                    fetched = await called(watch, True, self.epoch, WATCH_MS)
                else:
                    await asyncio.sleep(WATCH_MS / 1000)
                    fetched = await called(self._topology.fetch, self._waits, self.epoch)
                if fetched is not None:
                    self.install(fetched)
            except Exception as error:
                log.warning("the topology could not be watched: %s", error)
                await asyncio.sleep(WATCH_MS / 1000)


class AsyncKeyspace(Routing):
    """A client's keyspace: where keys are read and written."""

    __slots__ = ("_client",)

    def __init__(self, client: AsyncClient, keyspace: Keyspace) -> None:
        """Take the router's keyspace of that name."""
        super().__init__(keyspace)
        self._client = client

    async def get(self, key: Key) -> Value | None:
        """The key's value and version; None when there is no row."""
        client = self._client
        return value_of(await client._run(self._keyspace, key, None, True, client._store))

    async def put(self, key: Key, value: Bytes) -> Written:
        """Puts a value, whatever is there."""
        return await self._write(key, Put(value_bytes(value)))

    async def delete(self, key: Key) -> Written:
        """Deletes the row, whatever is there."""
        return await self._write(key, Delete())

    async def put_if(self, key: Key, value: Bytes, expected: int | None) -> Written:
        """Puts a value if the row has that version; None: if there is no row.

        Raises `version_conflict`, with the version that is there as `found`.
        """
        return await self._write(key, PutIf(value_bytes(value), expected))

    async def get_many(self, keys: Iterable[Key]) -> list[Value | None]:
        """Each key's value, in the order of the keys; several are asked for at the same time."""
        room = asyncio.Semaphore(GETS_MAX)

        async def get(key: Key) -> Value | None:
            async with room:
                return await self.get(key)

        return await _all(get(key) for key in keys)

    async def for_each_shard(self, fn: Callable[[ShardShare], Awaitable[T]]) -> dict[str, T]:
        """Calls `fn` with each shard's share, all at the same time. Its answers by shard name.

        While a wave runs, two shards hold the same keys: a share says so by `mirrored`.
        """
        self._client._base.check_open()

        async def ask(share: ShardShare) -> T:
            return await fn(share)

        shares = self.shards()
        answers = await _all(ask(share) for share in shares)
        return {share.name: answer for share, answer in zip(shares, answers, strict=True)}

    async def run(self, key: Key, kind: Literal["read", "write"], fn: AsyncRunner) -> Ended:
        """A read or a write whose attempts `fn` carries out, in place of the store.

        `fn` may be called several times, and once more in the background for a mirror write that
        nobody waits for. Raises as the other methods do.
        """
        return await self._client._run(self._keyspace, key, None, reads_of(kind), Own(fn))

    def transaction(self, keys: Iterable[Key]) -> AsyncTransacting:
        """Reads and changes several keys of one shard together: see `ClientKeyspace.transaction`.

        `async with orders.transaction([a, b]) as tx:`; the methods of `tx` never wait.
        """
        return AsyncTransacting(self._client, Running(self._client._base, self._keyspace, keys))

    async def run_transaction(self, keys: Iterable[Key], work: Callable[[Tx], Awaitable[T]]) -> T:
        """The same with a function, that is called again, with new reads, where that may help."""
        running = Running(self._client._base, self._keyspace, keys)
        playing = AsyncPlaying(self._client, running, again=True)
        while await playing.to_work():
            try:
                result = await work(running.tx)
            except BaseException:
                await playing.end(False)
                raise
            playing.answer = True
        playing.settle()
        return result

    async def _write(self, key: Key, change: Change) -> Written:
        client = self._client
        ended = await client._run(self._keyspace, key, change, False, client._store)
        return client._base.written(ended)


async def _all(work: Iterable[Coroutine[object, object, T]]) -> list[T]:
    """All of it at the same time. The first failure ends the others, and is raised."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


def _keep(tasks: set[asyncio.Task[None]], work: Coroutine[object, object, None]) -> None:
    """Starts `work` in the background, and holds on to it until it is done."""
    task = asyncio.ensure_future(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
