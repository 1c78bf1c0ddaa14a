"""SQLite files: shared with a Rust process, refused when they are somebody else's, and busy."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from conftest import Peer
from ringshift import Client, Policy, Snapshot
from ringshift._ringshift import sqlite_command
from ringshift.errors import DisposedError, OperationFailedError, StoreError, VersionConflictError
from ringshift.migrate import Chunks, home_installs
from ringshift.stores import _sqlite_file as files
from ringshift.stores import sqlite
from ringshift.topology import fixed
from worlds import TOPOLOGY, store_of

SNAPSHOT = Snapshot.from_topology(TOPOLOGY)


def opened_at(folder: Path, **options: Any) -> Client:
    store = sqlite(lambda name: folder / f"{name}.db")
    return Client.open(topology=fixed(SNAPSHOT), store=store, **options)


def add(orders: Any, key: str) -> None:
    while True:
        found = orders.get(key)
        number = 0 if found is None else int(found.value)
        try:
            orders.put_if(key, str(number + 1), None if found is None else found.version)
        except VersionConflictError:
            continue
        return


def test_a_rust_process_reads_what_python_wrote_and_the_other_way(
    peer: Peer, tmp_path: Path
) -> None:
    peer.ask("create")
    with opened_at(tmp_path) as client:
        orders: Any = client.keyspace("orders")
        for n in range(30):
            key = f"user:{n}"
            written = orders.put(key, f"python-{n}")
            assert peer.ask(f"get {key}") == f"{written.version} python-{n}"
            version = int(peer.ask(f"put {key} rust-{n}"))
            found = orders.get(key)
            assert (found.value, found.version) == (f"rust-{n}".encode(), version)
            assert version > written.version
            with pytest.raises(VersionConflictError) as caught:
                orders.put_if(key, "x", written.version)
            assert caught.value.found == version
            deleted = int(peer.ask(f"delete {key}"))
            assert orders.get(key) is None
            assert orders.put(key, "again").version > deleted


def test_a_cluster_that_python_made_serves_rust(peer: Peer, tmp_path: Path) -> None:
    # The peer has opened the files, but told their shards nothing.
    store_of("sqlite", tmp_path, SNAPSHOT)
    version = int(peer.ask("put user:1 a"))
    with opened_at(tmp_path) as client:
        found: Any = client.keyspace("orders").get("user:1")
        assert (found.value, found.version) == (b"a", version)


def test_counting_from_two_languages_at_once_loses_nothing(peer: Peer, tmp_path: Path) -> None:
    peer.ask("create")
    times, threads = 150, 3
    with opened_at(tmp_path) as client:
        orders: Any = client.keyspace("orders")
        peer.say(f"add counter {times}")

        def count() -> None:
            for _ in range(times):
                add(orders, "counter")

        workers = [threading.Thread(target=count) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert peer.hear() == "added"
        assert orders.get("counter").value == str(times * (threads + 1)).encode()


def test_a_file_is_made_as_rust_makes_it(peer: Peer, tmp_path: Path) -> None:
    peer.ask("create")
    mine = tmp_path / "mine"
    mine.mkdir()
    store_of("sqlite", mine, SNAPSHOT)

    def content(path: Path, table: str) -> Any:
        with sqlite3.connect(path) as connection:
            return connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()

    for shard in SNAPSHOT.shards:
        theirs, ours = tmp_path / f"{shard.name}.db", mine / f"{shard.name}.db"
        schema = "(SELECT type, name, tbl_name, sql FROM sqlite_master)"
        assert content(ours, schema) == content(theirs, schema)
        tables = ["guard", "slot", "scope", "hold", "keyspace"]
        for table in (f"ringshift_{name}" for name in tables):
            assert content(ours, table) == content(theirs, table), table
        (our_meta,), (their_meta,) = (content(p, "ringshift_meta") for p in (ours, theirs))
        assert our_meta[:5] == their_meta[:5]
        assert len(our_meta[5]) == len(their_meta[5]) == 16
        assert our_meta[5] != their_meta[5], "the incarnation is drawn"
        with sqlite3.connect(ours) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_same_calls_leave_the_same_rows_as_rust_s(peer: Peer, tmp_path: Path) -> None:
    peer.ask("create")
    mine = tmp_path / "mine"
    mine.mkdir()
    store_of("sqlite", mine, SNAPSHOT)
    with opened_at(mine) as client:
        orders: Any = client.keyspace("orders")
        for n in range(60):
            key = f"user:{n % 17}"
            if n % 5 == 3:
                assert orders.delete(key).version == int(peer.ask(f"delete {key}"))
            else:
                assert orders.put(key, f"v{n}").version == int(peer.ask(f"put {key} v{n}"))
    columns = {
        "ringshift_row": "keyspace, key, stored_slot, version, revision, value",
        "ringshift_slot": "keyspace, slot, domain, floor",
        "ringshift_keyspace": "keyspace, bits",
        "ringshift_meta": "revision, term",
    }
    for shard in SNAPSHOT.shards:
        for table, named in columns.items():
            contents = []
            for folder in (tmp_path, mine):
                with sqlite3.connect(folder / f"{shard.name}.db") as connection:
                    found = connection.execute(f"SELECT {named} FROM {table} ORDER BY 1, 2")
                    contents.append(found.fetchall())
            assert contents[0] == contents[1], (shard.name, table)


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bills (id)")


def later(path: Path) -> None:
    store_of("sqlite", path.parent, SNAPSHOT).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE ringshift_meta SET format = 99")


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b"hello, this is a letter, not a database"),
        lambda path: path.write_bytes(b"SQL"),
        lambda path: path.write_bytes(b"SQLite format 3\0" + b"\x07" * 4096),
        foreign,
        later,
    ],
    ids=["text", "short", "damaged", "foreign", "later"],
)
def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "pg-1.db"
    make(path)
    before = path.read_bytes()
    store = sqlite(lambda name: tmp_path / f"{name}.db")
    with pytest.raises(StoreError) as caught:
        store.create(SNAPSHOT)
    assert caught.value.code == "store_format"
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before


def test_an_empty_file_is_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "pg-1.db").touch()
    store_of("sqlite", tmp_path, SNAPSHOT)


def test_a_shard_that_nobody_told_refuses(tmp_path: Path) -> None:
    with opened_at(tmp_path, policy=Policy(deadline_ms=60)) as client:
        with pytest.raises(OperationFailedError) as caught:
            client.keyspace("orders").put("k", "1")
        assert caught.value.last.code == "not_owner"


def test_create_leaves_a_shard_that_knows_a_domain_as_it_is(tmp_path: Path) -> None:
    store = store_of("sqlite", tmp_path, SNAPSHOT)
    path = store.path(SNAPSHOT.shards[0].id)
    with store.file(SNAPSHOT.shards[0].id).writer() as connection:
        connection.execute("UPDATE ringshift_guard SET epoch = 77")
    store.create(SNAPSHOT)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT epoch FROM ringshift_guard").fetchall() == [(77,)]


def test_a_file_that_another_process_holds_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BUSY_MS", 60)
    store = store_of("sqlite", tmp_path, SNAPSHOT)
    policy = Policy(deadline_ms=100)
    with Client.open(topology=fixed(SNAPSHOT), store=store, policy=policy) as client:
        orders: Any = client.keyspace("orders")
        orders.put("k", "1")
        path = tmp_path / f"{orders.shard_of('k')}.db"
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationFailedError) as caught:
            orders.put("k", "2")
        assert caught.value.code == "deadline", "nothing was sent, so nothing is unknown"
        assert store.last_error.code == "store_busy"
        assert orders.get("k").value == b"1", "reads go on"
        holder.execute("ROLLBACK")
        assert orders.put("k", "2").version > 0
        holder.close()


def test_a_file_that_is_held_for_a_while_is_waited_for(tmp_path: Path) -> None:
    store = store_of("sqlite", tmp_path, SNAPSHOT)
    with Client.open(topology=fixed(SNAPSHOT), store=store) as client:
        orders: Any = client.keyspace("orders")
        path = tmp_path / f"{orders.shard_of('k')}.db"
        holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        threading.Timer(0.2, holder.execute, ["COMMIT"]).start()
        orders.put("k", "1")
        assert client.figures().retries == 0
        holder.close()


def test_a_value_that_sqlite_refuses_is_rejected(tmp_path: Path) -> None:
    store = store_of("sqlite", tmp_path, SNAPSHOT)
    with Client.open(topology=fixed(SNAPSHOT), store=store) as client:
        orders: Any = client.keyspace("orders")
        (shard,) = [s.id for s in SNAPSHOT.shards if s.name == orders.shard_of("k")]
        with store.file(shard).writer() as connection:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1_000)
        with pytest.raises(OperationFailedError) as caught:
            orders.put("k", b"x" * 2_000)
        assert caught.value.code == "rejected"
        assert orders.get("k") is None
        orders.put("k", b"x" * 500)


class Failing:
    """A connection whose commit fails, after it was carried out or before."""

    def __init__(self, connection: sqlite3.Connection, carried_out: bool) -> None:
        self.connection, self.carried_out, self.failures = connection, carried_out, 1

    def execute(self, text: str, *parameters: Any) -> Any:
        if text == "COMMIT" and self.failures:
            self.failures -= 1
            if self.carried_out:
                self.connection.execute(text)
            raise sqlite3.OperationalError("disk I/O error")
        return self.connection.execute(text, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_commit_whose_fate_is_unknown_is_asked_for(tmp_path: Path, carried_out: bool) -> None:
    store = store_of("sqlite", tmp_path, SNAPSHOT)
    with Client.open(topology=fixed(SNAPSHOT), store=store) as client:
        orders: Any = client.keyspace("orders")
        (shard,) = [s.id for s in SNAPSHOT.shards if s.name == orders.shard_of("k")]
        file = store.file(shard)
        file._writer = Failing(file._writer, carried_out)
        if carried_out:
            written = orders.put("k", "1")
            assert orders.get("k").version == written.version
        else:
            with pytest.raises(OperationFailedError) as caught:
                orders.put("k", "1")
            assert caught.value.code == "indeterminate"
            assert orders.get("k") is None
        assert store.last_error is not None
        assert orders.put("k", "2").version > 0


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = store_of("sqlite", tmp_path, SNAPSHOT)
    with store, Client.open(topology=fixed(SNAPSHOT), store=store) as client:
        client.keyspace("orders").put("k", "1")
        store.close()
        with pytest.raises(DisposedError):
            store.file(1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_connections_and_names_of_its_own(tmp_path: Path) -> None:
    store = store_of("sqlite", tmp_path, SNAPSHOT)
    client = Client.open(topology=fixed(SNAPSHOT), store=store)
    orders: Any = client.keyspace("orders")
    for n in range(20):
        orders.put(f"k{n}", "parent")
    name = client._base._name
    child = os.fork()
    if child == 0:
        try:
            for n in range(20):
                add(orders, f"c{n}")
                orders.put(f"k{n}", "child")
            os._exit(0 if client._base._name != name else 2)
        except BaseException:
            os._exit(1)
    for n in range(20):
        orders.put(f"p{n}", "parent")
    assert os.waitpid(child, 0)[1] == 0
    for n in range(20):
        assert orders.get(f"k{n}").value == b"child"
        assert orders.get(f"c{n}").value == b"1"
        assert orders.get(f"p{n}").value == b"parent"
    client.close()


def test_a_chunk_that_is_put_while_another_is_read_stays_held(tmp_path: Path) -> None:
    store, chunks = store_of("sqlite", tmp_path, SNAPSHOT), Chunks()
    shard, other = (shard.id for shard in SNAPSHOT.shards[:2])
    (home,) = home_installs(SNAPSHOT, shard)
    wave = {"row": {**home["row"], "domain": home["row"]["domain"] + 1}, "claims": []}
    install = {"shard": other, "term": 2, "rows": [wave]}
    assert store.command({"install": install}, chunks) == "done"

    def fence(row: Any) -> dict[str, int]:
        return {"domain": row["row"]["domain"], "epoch": row["row"]["epoch"]}

    def changes(shard: int, row: Any, chunk: int) -> Any:
        given = {"shard": shard, "fence": fence(row), "after": 0, "limit": 9, "chunk": chunk}
        return {"changes": given}

    with store.file(shard).control() as run:

        def meanwhile(text: str, parameters: list[object]) -> Any:
            if text == "COMMIT":
                assert "changes" in store.command(changes(other, wave, 2), chunks)
            return run(text, parameters)

        assert "changes" in sqlite_command(meanwhile, changes(shard, home, 1), chunks)
    for chunk in (1, 2):
        apply = {"shard": shard, "term": 2, "fence": fence(home), "chunk": chunk}
        # One that isn't held would be `unreachable`.
        assert "refused" in store.command({"apply": apply}, chunks)
