"""One SQLite file that holds a shard: opened, made, locked and kept apart from foreign ones."""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from ringshift._ringshift import sqlite_recipe, statements
from ringshift.errors import RingshiftError, error_of

T = TypeVar("T")
Run = Callable[[str, list[object]], Iterable[tuple[object, ...]]]
"""Runs one statement with its parameters, and answers its rows, one by one."""
SQL = statements()
RECIPE = sqlite_recipe()
STATEMENTS_KEPT = 48
BUSY_MS = 5_000
"""For how long another process may hold the file."""
CHECKPOINT_PAGES = 1_000
CACHE_KIB = 8 * 1024


class Unknown(Exception):
    """A commit failed: the transaction may have been carried out nevertheless."""


def failed(path: Path, error: BaseException) -> RingshiftError:
    """An error of SQLite or of the system, with its slug."""
    if is_busy(error):
        text = f"another process held `{path}` for more than {BUSY_MS} ms; try again"
        return error_of("store_busy", text)
    if isinstance(error, sqlite3.DatabaseError) and _code(error) == sqlite3.SQLITE_NOTADB:
        return not_a_database(path)
    return error_of("store_io", f"`{path}` failed: {error}; check the file and the disk")


def not_a_database(path: Path) -> RingshiftError:
    text = f"`{path}` is not an SQLite database and was left as it is; give another path"
    return error_of("store_format", text)


def is_busy(error: BaseException) -> bool:
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_rejected(error: BaseException) -> bool:
    """Whether the store refused the request itself: too big, or a constraint."""
    return isinstance(error, (sqlite3.IntegrityError, sqlite3.DataError, OverflowError)) or _code(
        error
    ) in (sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_CONSTRAINT)


def _code(error: BaseException) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def patiently(work: Callable[[], T]) -> T:
    """Repeats `work` while another process has the file, in short naps: SQLite's own handler would
    soon wait 100 ms at a time, and its transactions are short."""
    ends = time.monotonic() + BUSY_MS / 1000
    naps = 0
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() >= ends:
                raise
        naps += 1
        time.sleep(0.0001 if naps < 8 else 0.001)


def check_header(path: Path) -> None:
    """Refuses a file that isn't an SQLite database before SQLite looks at it."""
    try:
        with path.open("rb") as file:
            header = file.read(16)
    except FileNotFoundError:
        return
    except OSError as error:
        raise failed(path, error) from error
    if header and header != b"SQLite format 3\0":
        raise not_a_database(path)


def connect(path: Path) -> sqlite3.Connection:
    """One connection with its settings, for whatever thread has its turn."""
    connection = sqlite3.connect(
        path,
        timeout=BUSY_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=STATEMENTS_KEPT,
    )
    try:
        # Before the settings: they would change a file that isn't ours.
        _tables(connection, path)
        patiently(lambda: connection.executescript(RECIPE.settings))
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        # From now on `patiently` waits, in shorter naps.
        connection.execute("PRAGMA busy_timeout = 0")
    except BaseException:
        connection.close()
        raise
    return connection


def prepare(connection: sqlite3.Connection, path: Path) -> bytes:
    """Makes the tables of a new file, or checks those of an old one. Answers the incarnation."""
    with durable(connection), transaction(connection):
        if not _tables(connection, path):
            for statement in _script(RECIPE.schema):
                connection.execute(statement)
            connection.execute(SQL["META_CREATE"], (RECIPE.format, secrets.token_bytes(16)))
        meta = connection.execute(SQL["META"]).fetchone()
        if meta is None:
            raise _foreign(path)
        if meta[0] != RECIPE.format:
            text = f"`{path}` has format {meta[0]}, which this version can't read; update it"
            raise error_of("store_format", text)
    _sync_folder(path)
    incarnation = meta[3]
    if not isinstance(incarnation, bytes) or len(incarnation) != 16:
        raise error_of("store_damaged", f"`{path}` has no incarnation; restore it from a copy")
    return incarnation


def _tables(connection: sqlite3.Connection, path: Path) -> list[str]:
    """The tables that are there: none, or ours."""
    find = "SELECT name FROM sqlite_master WHERE type = 'table'"
    tables = [name for (name,) in connection.execute(find)]
    if tables and "ringshift_meta" not in tables:
        raise _foreign(path)
    return tables


def _foreign(path: Path) -> RingshiftError:
    text = f"`{path}` is a database without Ringshift's tables; give a new path"
    return error_of("store_format", text)


def _script(text: str) -> Iterator[str]:
    """The statements of a script, one by one: `executescript` would commit first."""
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _sync_folder(path: Path) -> None:
    """Makes the file's name durable, not only its content."""
    if os.name == "nt":
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def durable(connection: sqlite3.Connection) -> Iterator[None]:
    """Around a transaction whose commit must be on disk when it is answered."""
    connection.execute(RECIPE.durable)
    try:
        yield
    finally:
        connection.execute(RECIPE.relaxed)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction that no other writer comes between. Raises `Unknown` if its commit fails."""
    patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
    try:
        yield
    except BaseException:
        roll_back(connection)
        raise
    try:
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        roll_back(connection)
        raise Unknown from error


def roll_back(connection: sqlite3.Connection) -> None:
    """Some errors have rolled the transaction back already."""
    if connection.in_transaction:
        # What can't be rolled back now is rolled back when the connection goes.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


class ShardFile:
    """One connection that writes, behind a lock, and a few that read."""

    def __init__(self, path: Path, readers: int) -> None:
        self.path = path
        self.pid = os.getpid()
        check_header(path)
        try:
            self._writer = connect(path)
            self.incarnation = prepare(self._writer, path)
        except Unknown as error:
            raise failed(path, error.__cause__ or error) from error
        except (sqlite3.Error, OSError) as error:
            raise failed(path, error) from error
        self._write = threading.Lock()
        self._readers_left = threading.BoundedSemaphore(readers)
        self._idle: list[sqlite3.Connection] = []
        self._control_lock = threading.Lock()
        self._control: sqlite3.Connection | None = None

    @contextmanager
    def writer(self) -> Iterator[sqlite3.Connection]:
        with self._write:
            yield self._writer

    @contextmanager
    def reader(self) -> Iterator[sqlite3.Connection]:
        with self._readers_left:
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = connect(self.path)
            try:
                yield connection
            finally:
                self._idle.append(connection)

    @contextmanager
    def control(self) -> Iterator[Run]:
        """A connection for a coordinator, which never waits for this process's writers' turns."""
        with self._control_lock:
            if self._control is None:
                self._control = connect(self.path)
            connection = self._control

            def run(text: str, parameters: list[object]) -> Iterable[tuple[object, ...]]:
                return patiently(lambda: connection.execute(text, parameters))

            yield run

    def close(self) -> None:
        with self._write:
            self._writer.close()
        with self._control_lock:
            if self._control is not None:
                self._control.close()
        while self._idle:
            self._idle.pop().close()
