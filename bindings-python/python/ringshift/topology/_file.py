"""A topology in a file: a record as `ringshift` keeps it, a snapshot, or JSON for people."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from ringshift._ringshift import Snapshot
from ringshift.errors import error_of

YOUNG_NS = 2_000_000_000
"""A file changed so lately is read again: a clock may not tell two changes apart."""
BYTES_MAX = 128 * 1024 * 1024 + 1024
"""More bytes than any topology has."""


class FileTopology:
    """Reads a file when it has changed. Writers must put a new file in its place, by a rename."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Read nothing yet."""
        self.path = Path(path)
        self._lock = threading.Lock()
        self._seen: tuple[tuple[int, ...], int] | None = None

    def fetch(self, newer_than: int) -> bytes | None:
        """The snapshot in the file, if it is past that epoch.

        Raises `topology_missing`, `topology_io`, and what is wrong with the file's content.
        """
        try:
            with self.path.open("rb") as file:
                stat = os.fstat(file.fileno())
                mark = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
                with self._lock:
                    seen = self._seen
                if seen is not None and seen[0] == mark and seen[1] <= newer_than:
                    return None
                data = file.read(BYTES_MAX + 1)
        except FileNotFoundError:
            text = f"there is no topology at `{self.path}`; make one with `ringshift init`"
            raise error_of("topology_missing", text) from None
        except OSError as error:
            text = f"can't read `{self.path}`: {error.strerror}"
            raise error_of("topology_io", text) from error
        snapshot = self._snapshot(data)
        old = time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) > YOUNG_NS
        with self._lock:
            self._seen = (mark, snapshot.epoch) if old else None
        return snapshot.encode() if snapshot.epoch > newer_than else None

    def _snapshot(self, data: bytes) -> Snapshot:
        if len(data) > BYTES_MAX:
            text = f"`{self.path}` has more than {BYTES_MAX} bytes; give another file"
            raise error_of("topology_format", text)
        if not data.lstrip().startswith(b"{"):
            return Snapshot.decode(data)
        try:
            return Snapshot.from_topology(data.decode())
        except UnicodeDecodeError:
            raise error_of("topology_format", f"`{self.path}` is not UTF-8") from None


def file(path: str | os.PathLike[str]) -> FileTopology:
    """The topology in the file at `path`: a topology record, a snapshot, or JSON."""
    return FileTopology(path)
