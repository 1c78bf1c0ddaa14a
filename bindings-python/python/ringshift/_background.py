"""Work that no caller waits for, on a few threads and with a bounded queue."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue


class Background:
    """A few daemon threads, started when they are needed first.

    Not a pool of the standard library: those hold the interpreter's exit up until all is done.
    """

    def __init__(self, threads: int, waiting_max: int, name: str) -> None:
        self._threads_max, self._waiting_max, self._name = threads, waiting_max, name
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def submit(self, work: Callable[[], None]) -> bool:
        """Queues `work`; False when there is no room, or none any more: then it isn't done."""
        with self._lock:
            if self._closed or self._queue.qsize() >= self._waiting_max:
                return False
            self._queue.put(work)
            if len(self._threads) < self._threads_max:
                thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
                self._threads.append(thread)
                thread.start()
        return True

    def _serve(self) -> None:
        while (work := self._queue.get()) is not None:
            work()

    def close(self) -> None:
        """Takes no more work, and waits for what it has."""
        with self._lock:
            if not self._closed:
                self._closed = True
                for _ in self._threads:
                    self._queue.put(None)
        for thread in self._threads:
            thread.join()
