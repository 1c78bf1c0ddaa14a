"""A topology behind HTTP: a conditional GET, and a long poll."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection, IncompleteRead
from urllib.parse import urlsplit

from ringshift._ringshift import Snapshot
from ringshift.errors import RingshiftError, error_of

BYTES_MAX = 128 * 1024 * 1024 + 1024
"""More bytes than any topology has."""
PIECE = 64 * 1024


class HttpTopology:
    """Gets snapshot or record bytes from a URL, and only when they have changed.

    Asks `GET` with `If-None-Match: "<epoch>-<digest>"`, and `Prefer: wait=<seconds>` to watch; a
    server answers 200 with the bytes, 304, or 226 with the delta from the snapshot that was got
    last (`A-IM: ringshift-delta`), which is made whole here. Redirects are not followed and no
    proxy is used.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_ms: int = 2_000,
        headers: Mapping[str, str] | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """Ask nothing yet. `headers` go with each request, `context` is for https."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise error_of("argument", f"`{url}` is no URL of http or https")
        self.url = url
        self._host, self._port, self._tls = parts.hostname, parts.port, parts.scheme == "https"
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._timeout_ms = timeout_ms
        self._headers = dict(headers or {})
        self._context = context
        self._lock = threading.Lock()
        self._seen: Snapshot | None = None

    def fetch(self, newer_than: int) -> bytes | None:
        """The bytes at the URL if they are past that epoch; takes `timeout_ms` at most.

        Raises `topology_missing` for 404, `topology_io`, and what is wrong with the bytes.
        """
        return self._get(newer_than, 0)

    def watch(self, newer_than: int, wait_ms: int) -> bytes | None:
        """The same, but a server that can waits for news, for up to `wait_ms`.

        With one that can't, the rest of the time is slept.
        """
        ends = time.monotonic() + wait_ms / 1000
        news = self._get(newer_than, wait_ms)
        if news is None:
            time.sleep(max(0.0, ends - time.monotonic()))
        return news

    def _get(self, newer_than: int, wait_ms: int) -> bytes | None:
        with self._lock:
            seen = self._seen
        # Whoever lacks what was seen here last must get it.
        if seen is not None and seen.epoch > newer_than:
            seen = None
        snapshot = self._ask(seen, wait_ms, deltas=True)
        if snapshot is None:
            return None
        with self._lock:
            self._seen = snapshot
        if snapshot.epoch < newer_than:
            return None  # A server that is behind.
        if snapshot.epoch == newer_than and snapshot == seen:
            return None  # One that knows no conditions.
        # Also the same epoch under another digest: whoever installs it must hear of the fork.
        return snapshot.encode()

    def _ask(self, seen: Snapshot | None, wait_ms: int, *, deltas: bool) -> Snapshot | None:
        headers = {"Accept": "application/octet-stream", **self._headers}
        if seen is not None:
            headers["If-None-Match"] = f'"{seen.epoch}-{seen.digest}"'
            if deltas:
                headers["A-IM"] = "ringshift-delta"
        if wait_ms:
            headers["Prefer"] = f"wait={-(-wait_ms // 1000)}"
        deadline = time.monotonic() + (self._timeout_ms + wait_ms) / 1000
        try:
            status, data = self._exchange(headers, deadline)
        except (OSError, HTTPException) as error:
            text = f"can't get `{self.url}`: {error or type(error).__name__}; it is tried again"
            raise error_of("topology_io", text) from error
        if status == 304:
            return None
        if status == 226 and seen is not None and deltas:
            try:
                return seen.advance(data)
            except RingshiftError:
                # Whatever was wrong with it, the whole makes good.
                return self._ask(seen, 0, deltas=False)
        if status == 404:
            raise error_of("topology_missing", f"there is no topology at `{self.url}` (404)")
        if status != 200:
            raise error_of("topology_io", f"`{self.url}` answered {status}, not 200 or 304")
        return Snapshot.decode(data)

    def _exchange(self, headers: Mapping[str, str], deadline: float) -> tuple[int, bytes]:
        connection = self._connection(deadline)
        try:
            connection.request("GET", self._path, headers=dict(headers))
            answer = connection.getresponse()
            pieces: list[bytes] = []
            size = 0
            while True:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError("the answer took too long")
                if connection.sock is not None:
                    connection.sock.settimeout(left)
                piece = answer.read1(PIECE)
                if not piece:
                    break
                pieces.append(piece)
                size += len(piece)
                if size > BYTES_MAX:
                    raise HTTPException(f"more than {BYTES_MAX} bytes")
            if answer.length:
                raise IncompleteRead(b"", answer.length)
            return answer.status, b"".join(pieces)
        finally:
            connection.close()

    def _connection(self, deadline: float) -> HTTPConnection:
        timeout = max(0.001, deadline - time.monotonic())
        if self._tls:
            context = self._context or ssl.create_default_context()
            return HTTPSConnection(self._host, self._port, timeout=timeout, context=context)
        return HTTPConnection(self._host, self._port, timeout=timeout)


def http(
    url: str,
    *,
    timeout_ms: int = 2_000,
    headers: Mapping[str, str] | None = None,
    context: ssl.SSLContext | None = None,
) -> HttpTopology:
    """The topology at `url`: the bytes of a topology record or of a snapshot."""
    return HttpTopology(url, timeout_ms=timeout_ms, headers=headers, context=context)
