"""Any store, and any function of a caller's, as one that an event loop may wait for."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from ringshift._base import response_of
from ringshift._ringshift import Attempt
from ringshift._transaction import batch_of
from ringshift._types import AsyncRunner, AsyncStore, BatchResponse, Request, Response, Store

STORE_THREADS = 4
"""Threads that serve a store which isn't made for asyncio."""


class Own:
    """A caller's own function in a store's place."""

    def __init__(self, fn: AsyncRunner) -> None:
        self._fn = fn

    async def send(self, attempt: Attempt, _request: Request) -> Response:
        return response_of(await self._fn(attempt))


class Inline:
    """A store for threads that never waits."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def send(self, attempt: Attempt, request: Request) -> Response:
        return self._store.send(attempt, request)

    async def batch(self, *asked: Any) -> BatchResponse:
        return cast(BatchResponse, batch_of(self._store)(*asked))


class Threaded:
    """A store for threads that does: behind a few threads of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.pool = ThreadPoolExecutor(STORE_THREADS, thread_name_prefix="ringshift-store")

    async def send(self, attempt: Attempt, request: Request) -> Response:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.pool, self._store.send, attempt, request)

    async def batch(self, *asked: Any) -> BatchResponse:
        loop = asyncio.get_running_loop()
        return cast(
            BatchResponse, await loop.run_in_executor(self.pool, batch_of(self._store), *asked)
        )


def async_store(store: Store | AsyncStore) -> AsyncStore:
    if inspect.iscoroutinefunction(store.send):
        return cast(AsyncStore, store)
    store = cast(Store, store)
    return Inline(store) if getattr(store, "blocking", True) is False else Threaded(store)


async def called(fn: Callable[..., object], blocking: bool, *arguments: object) -> Any:
    if inspect.iscoroutinefunction(fn):
        return await fn(*arguments)
    return await asyncio.to_thread(fn, *arguments) if blocking else fn(*arguments)


def seconds(ms: int | None) -> float | None:
    """As asyncio has it; None: for ever."""
    return None if ms is None else ms / 1000
