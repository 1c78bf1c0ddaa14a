"""Shards in SQLite files, over the core's recipe: the same files that Rust and JavaScript use."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar

from ringshift._ringshift import (
    Attempt,
    Batch,
    BatchReply,
    Chunks,
    Decision,
    Reply,
    Snapshot,
    decide,
    decide_batch,
    home_installs,
    sqlite_command,
)
from ringshift._types import BatchResponse, Found, Request, Response
from ringshift.errors import RingshiftError, error_of
from ringshift.stores._content import content_of, value_of
from ringshift.stores._sqlite_file import (
    SQL,
    ShardFile,
    Unknown,
    failed,
    is_rejected,
    patiently,
    transaction,
)

T = TypeVar("T")
PathOf = Callable[[str], "str | os.PathLike[str]"]
HOME_TERM = 1
LOOK_VERSION = 12
LOOK_OP = 13
LOOK_VALUE = 15


class SqliteStore:
    """One SQLite file for each shard. Other processes may have the same files open.

    A file is opened, and made if there is none, when its shard is needed first. A new file knows
    no domain and refuses everything until a coordinator tells it, or `create` does.
    """

    def __init__(self, path: PathOf, *, readers: int = 4) -> None:
        """Open nothing yet."""
        self._path = path
        self._readers = readers
        self._lock = threading.Lock()
        self._names: dict[int, str] = {}
        self._files: dict[int, ShardFile] = {}
        self._closed = False
        self.last_error: RingshiftError | None = None
        """The last failure of a file, that a reply has told as `not_sent` or `maybe_applied`."""
        _alive.add(self)

    def install(self, snapshot: Snapshot) -> None:
        """Hears of the shards' names."""
        names = {shard.id: shard.name for shard in snapshot.shards}
        with self._lock:
            self._names = {**self._names, **names}

    def send(self, attempt: Attempt, request: Request) -> Response:
        """Carries an attempt out at its shard's file.

        What fails before a commit is answered with `not_sent`, a failed commit with
        `maybe_applied`. Raises `store_format` for a file that isn't a shard.
        """
        reads = attempt.kind in ("read", "confirm")
        work = partial(_read if reads else _write, attempt=attempt, request=request)
        done = self._tried(attempt.shard, work)
        return done if isinstance(done, Response) else Response(Reply.Failed(done))

    def batch(self, batch: Batch, requests: Sequence[Request]) -> BatchResponse:
        """Carries a transaction's batch out at its shard's file, in one step, or nothing of it.

        Fails as `send` does.
        """
        done = self._tried(batch.shard, partial(_batch, batch=batch, requests=requests))
        return done if isinstance(done, BatchResponse) else BatchResponse(BatchReply.failed(done))

    def _tried(
        self, shard: int, work: Callable[[ShardFile], T]
    ) -> T | Literal["not_sent", "maybe_applied", "rejected"]:
        try:
            return work(self.file(shard))
        except Unknown as error:
            return self._failed(shard, error.__cause__ or error, "maybe_applied")
        except (sqlite3.Error, OverflowError, OSError) as error:
            return self._failed(shard, error, "rejected" if is_rejected(error) else "not_sent")
        except RingshiftError as error:
            if error.code in ("store_format", "disposed"):
                raise
            return self._failed(shard, error, "not_sent")

    def _failed(
        self,
        shard: int,
        error: BaseException,
        failure: Literal["not_sent", "maybe_applied", "rejected"],
    ) -> Literal["not_sent", "maybe_applied", "rejected"]:
        if not isinstance(error, RingshiftError):
            error = failed(self.path(shard), error)
        self.last_error = error
        return failure

    def path(self, shard: int) -> Path:
        """The file of the shard of that id."""
        with self._lock:
            name = self._names.get(shard)
        if name is None:
            raise error_of("argument", f"no snapshot has named shard {shard} yet", shard=shard)
        return Path(self._path(name))

    def file(self, shard: int) -> ShardFile:
        """The open file of the shard of that id."""
        file = self._files.get(shard)
        if file is not None:
            return file
        path = self.path(shard)
        with self._lock:
            if self._closed:
                raise error_of("disposed", "the store was closed; open another one")
            file = self._files.get(shard)
            if file is None:
                file = self._files[shard] = ShardFile(path, self._readers)
        return file

    def create(self, snapshot: Snapshot) -> None:
        """Makes a new cluster's shards, and tells each which slots are its own.

        A shard that knows a domain already is left as it is. Not for a shard that joins: its
        coordinator tells it.
        """
        self.install(snapshot)
        for shard in (shard.id for shard in snapshot.shards):
            rows = home_installs(snapshot, shard)
            with self.file(shard).control() as run:
                guards = sqlite_command(run, {"guards": {"shard": shard}}, Chunks())
                if guards == {"guards": []}:
                    install = {"install": {"shard": shard, "term": HOME_TERM, "rows": rows}}
                    sqlite_command(run, install, Chunks())

    def command(self, command: Any, chunks: Chunks) -> Any:
        """Carries out a coordinator's command at its shard's file.

        What fails is answered with `unreachable`, and told by `last_error`.
        """
        ((_, given),) = command.items()
        shard = given["shard"]
        try:
            with self.file(shard).control() as run:
                return sqlite_command(run, command, chunks)
        except (sqlite3.Error, OSError) as error:
            self.last_error = failed(self.path(shard), error)
        except RingshiftError as error:
            if error.code == "disposed":
                raise
            self.last_error = error
        return "unreachable"

    def close(self) -> None:
        """Closes the files; calls after it raise `disposed`."""
        with self._lock:
            self._closed = True
            files, self._files = self._files, {}
        for file in files.values():
            file.close()

    def __enter__(self) -> SqliteStore:
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

    def _forked(self) -> None:
        # A connection must not be used, nor even closed, in a child process.
        _left.append(self._files)
        self._lock = threading.Lock()
        self._files = {}


def sqlite(path: PathOf, *, readers: int = 4) -> SqliteStore:
    """A store over SQLite files: `path` answers the path of a shard's file from the shard's name.

    `readers`: connections of each file that serve reads at the same time; more reads wait.
    """
    return SqliteStore(path, readers=readers)


def _place(attempt: Attempt, request: Request) -> tuple[int, int, int, bytes]:
    return (attempt.domain, attempt.keyspace, attempt.slot, request.key)


def _read(file: ShardFile, attempt: Attempt, request: Request) -> Response:
    """A read or a confirm: one statement, so one unchanging state of the file."""
    text = SQL["LOOK_READ" if attempt.kind == "read" else "LOOK_WRITE"]
    with file.reader() as connection:
        look = patiently(lambda: connection.execute(text, _place(attempt, request)).fetchone())
    decision = decide(attempt, content_of(request, values=False), look[:LOOK_VALUE])
    found = Found(look[LOOK_VALUE], look[LOOK_OP]) if decision.found else None
    return Response(decision.reply, found)


def _write(file: ShardFile, attempt: Attempt, request: Request) -> Response:
    """A write or an apply."""
    with file.writer() as connection, transaction(connection):
        look = connection.execute(SQL["LOOK_WRITE"], _place(attempt, request)).fetchone()
        decision = decide(attempt, content_of(request, values=False), look)
        found = None
        if decision.found:
            row = connection.execute(SQL["VALUE"], (attempt.keyspace, request.key)).fetchone()
            found = Found(row[0], look[LOOK_OP])
        _carry_out(connection, attempt, request, decision, look)
    return Response(decision.reply, found)


def _batch(file: ShardFile, batch: Batch, requests: Sequence[Request]) -> BatchResponse:
    """All parts over one unchanging state of the file, or in one transaction that writes."""
    if batch.changes:
        with file.writer() as connection, transaction(connection):
            return _carry_batch(connection, batch, requests)
    with file.reader() as connection:
        patiently(lambda: connection.execute("BEGIN DEFERRED"))
        try:
            return _carry_batch(connection, batch, requests)
        finally:
            connection.execute("ROLLBACK")


def _carry_batch(
    connection: sqlite3.Connection, batch: Batch, requests: Sequence[Request]
) -> BatchResponse:
    parts = [
        (attempt, request) for (_, attempt), request in zip(batch.parts, requests, strict=True)
    ]
    contents = [content_of(request, values=False) for request in requests]
    looks = [connection.execute(SQL["LOOK_WRITE"], _place(*part)).fetchone() for part in parts]
    decisions, refused = decide_batch(batch, contents, looks)
    if decisions is None:
        assert refused is not None
        return BatchResponse(refused)
    found: list[Found | None] = []
    changes = 0
    for (attempt, request), look, decision in zip(parts, looks, decisions, strict=True):
        brought = None
        if decision.found:
            row = connection.execute(SQL["VALUE"], (attempt.keyspace, request.key)).fetchone()
            brought = Found(row[0], look[LOOK_OP])
        found.append(brought)
        changes += _carry_out(connection, attempt, request, decision, look, changes)
    return BatchResponse(BatchReply.done([decision.reply for decision in decisions]), found)


def _carry_out(
    connection: sqlite3.Connection,
    attempt: Attempt,
    request: Request,
    decision: Decision,
    look: tuple[object, ...],
    before: int = 0,
) -> int:
    """Carries a decision out, after so many others of the same transaction. Answers 1 if it has
    changed a row."""
    present = look[LOOK_VERSION] is not None
    revision = decision.revision + before + 1
    keyspace, key, effect = attempt.keyspace, request.key, decision.effect
    if effect.type == "put":
        value = value_of(request)
        op = request.op if request.row is None else request.row.op
        if present:
            row = (keyspace, key, effect.version, revision, op, value)
            connection.execute(SQL["ROW_UPDATE"], row)
        else:
            if decision.learned is not None:
                connection.execute(SQL["KEYSPACE_PUT"], (keyspace, decision.learned))
            new = (keyspace, key, attempt.stored_slot, effect.version, revision, op, value)
            connection.execute(SQL["ROW_INSERT"], new)
    elif effect.type == "remove":
        connection.execute(SQL["FLOOR_RAISE"], (keyspace, attempt.slot, effect.floor))
        if not present:
            return 0
        connection.execute(SQL["ROW_DELETE"], (keyspace, key))
    else:
        return 0
    connection.execute(SQL["REVISION_SET"], (revision,))
    return 1


_alive: weakref.WeakSet[SqliteStore] = weakref.WeakSet()
_left: list[object] = []


def _after_fork() -> None:
    for store in list(_alive):
        store._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
