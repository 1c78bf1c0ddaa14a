"""A transaction of the client for asyncio: its waits; the rest is shared with threads."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING

from ringshift._aio_store import seconds
from ringshift._drive import Refresh, Sleep
from ringshift._transaction import Block, Play, Running, SendBatch, TrailBatch, Tx, Work
from ringshift._types import BatchResponse

if TYPE_CHECKING:
    from ringshift.aio import AsyncClient


class AsyncPlaying(Play):
    """Plays a transaction over a client's store."""

    def __init__(self, client: AsyncClient, running: Running, *, again: bool) -> None:
        """Ask nothing yet."""
        super().__init__(running, client._store, again=again)
        self._client = client

    async def to_work(self) -> bool:
        """Goes on to the caller's turn; False when the transaction is over."""
        client = self._client
        while (ask := self.step()) is not None:
            if isinstance(ask, Work):
                return True
            if isinstance(ask, Sleep):
                await client._sleep(ask.until)
            elif isinstance(ask, Refresh):
                self.answer = await client._refreshed(ask)
            elif isinstance(ask, TrailBatch):
                # Sent before the answer; catch-up carries what it can't.
                until = client._base.now() + self.running.policy.attempt_ms
                await self._send(SendBatch(ask.batch, ask.requests, until))
            else:
                self.answer = await self._send(ask)
        return False

    async def _send(self, ask: SendBatch) -> BatchResponse | None:
        limit = asyncio.timeout(seconds(self._client._base.left(ask.until)))
        try:
            async with limit:
                answer: BatchResponse = await self.batch(ask.batch, ask.requests)
                return answer
        except Exception as error:
            if limit.expired() and isinstance(error, TimeoutError):
                return None
            return self.running.lost(error)

    async def end(self, commit: bool) -> None:
        """Ends the caller's turn for good."""
        self.answer = commit
        await self.to_work()


class AsyncTransacting(Block):
    """A transaction, for an `async with` block."""

    def __init__(self, client: AsyncClient, running: Running) -> None:
        """Begin nothing yet."""
        super().__init__(running)
        self._playing = AsyncPlaying(client, running, again=False)

    async def __aenter__(self) -> Tx:
        """Read the keys."""
        if not await self._playing.to_work():
            self._playing.settle()
        return self._running.tx

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commit, or change nothing when the block has raised."""
        await self._playing.end(kind is None)
        if kind is None:
            self._playing.settle()
