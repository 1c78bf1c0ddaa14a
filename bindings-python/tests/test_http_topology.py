"""A topology behind HTTP, against a real server on loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ringshift import Client, Snapshot
from ringshift.errors import ArgumentError, RingshiftError, SnapshotError, TopologySourceError
from ringshift.topology import http
from worlds import demo, store_of

OLD, NEW = demo("demo at home"), demo("demo in double-write")


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.moved = threading.Condition()
        self.seen: list[dict[str, str]] = []
        self.status, self.conditions, self.cut, self.drip = 200, True, 0, 0.0
        self.chunked = False
        self.deltas: dict[str, bytes] = {}
        """What is answered to who has the snapshot of that tag and asks for a delta."""
        self.put(OLD)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/cluster/demo?x=1"

    def put(self, snapshot: Snapshot) -> None:
        with self.moved:
            self.data, self.tag = snapshot.encode(), f'"{snapshot.epoch}-{snapshot.digest}"'
            self.moved.notify_all()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        headers = {name.lower(): value for name, value in self.headers.items()}
        server.seen.append({**headers, ":path": self.path})
        wait = int(headers.get("prefer", "wait=0").removeprefix("wait="))
        with server.moved:
            if headers.get("if-none-match") == server.tag and server.conditions:
                server.moved.wait(wait)
            data, tag = server.data, server.tag
        delta = server.deltas.get(headers.get("if-none-match", ""))
        if server.status != 200:
            self.send_response(server.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif delta is not None and headers.get("a-im") == "ringshift-delta":
            self.send_response(226, "IM Used")
            self.send_header("ETag", tag)
            self.send_header("IM", "ringshift-delta")
            self.send_header("Delta-Base", headers["if-none-match"])
            self.send_header("Content-Length", str(len(delta)))
            self.end_headers()
            self.wfile.write(delta)
        elif headers.get("if-none-match") == tag and server.conditions:
            self.send_response(304)
            self.send_header("ETag", tag)
            self.end_headers()
        else:
            self.send_response(200)
            self.send_header("ETag", tag)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            for at in range(0, len(data) - server.cut, 16 if server.drip else len(data)):
                time.sleep(server.drip)
                piece = data[at : len(data) - server.cut]
                self.wfile.write(piece[:16] if server.drip else piece)
                self.wfile.flush()
            self.close_connection = True


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_it_gets_the_bytes_once_and_asks_under_a_condition_then(server: Server) -> None:
    topology = http(server.url, headers={"Authorization": "Bearer x"})
    data = topology.fetch(0)
    assert data is not None
    assert Snapshot.decode(data) == OLD
    assert topology.fetch(OLD.epoch) is None
    first, second = server.seen
    assert first[":path"] == "/cluster/demo?x=1"
    assert first["authorization"] == "Bearer x"
    assert "if-none-match" not in first
    assert second["if-none-match"] == f'"{OLD.epoch}-{OLD.digest}"'
    assert "prefer" not in second


def test_news_comes_at_the_next_fetch(server: Server) -> None:
    topology = http(server.url)
    topology.fetch(0)
    server.put(NEW)
    data = topology.fetch(OLD.epoch)
    assert data is not None
    assert Snapshot.decode(data).epoch == 7


def test_who_lacks_what_was_fetched_last_gets_it_again(server: Server) -> None:
    topology = http(server.url)
    assert topology.fetch(0) == topology.fetch(0) == OLD.encode()


def test_a_server_without_conditions_has_no_news_either(server: Server) -> None:
    server.conditions = False
    topology = http(server.url)
    topology.fetch(0)
    assert topology.fetch(OLD.epoch) is None
    server.put(NEW)
    assert topology.fetch(OLD.epoch) == NEW.encode()
    server.put(OLD)
    assert topology.fetch(NEW.epoch) is None, "a server that is behind"


def test_a_fork_is_handed_on(server: Server) -> None:
    topology = http(server.url)
    server.put(demo("demo in prepare"))
    topology.fetch(0)
    forked = demo("demo forked")
    server.put(forked)
    assert topology.fetch(forked.epoch) == forked.encode()


def test_a_delta_is_made_whole(server: Server) -> None:
    topology = http(server.url)
    topology.fetch(0)
    server.deltas[server.tag] = OLD.delta(NEW)
    server.put(NEW)
    assert topology.fetch(OLD.epoch) == NEW.encode()
    assert "a-im" not in server.seen[0], "there is nothing yet that it could lead on from"
    assert server.seen[1]["a-im"] == "ringshift-delta"
    assert topology.fetch(NEW.epoch) is None
    assert topology.fetch(0) == NEW.encode()
    assert "a-im" not in server.seen[-1]


@pytest.mark.parametrize("bad", [OLD.delta(NEW)[:-1], NEW.delta(NEW), b"", b"<html>"])
def test_a_delta_that_doesn_t_hold_is_made_good_by_the_whole(server: Server, bad: bytes) -> None:
    topology = http(server.url)
    topology.fetch(0)
    server.deltas[server.tag] = bad
    server.put(NEW)
    assert topology.fetch(OLD.epoch) == NEW.encode()
    assert len(server.seen) == 3
    assert "a-im" not in server.seen[-1]


def test_a_delta_that_nobody_asked_for_is_an_error(server: Server) -> None:
    server.status = 226
    with pytest.raises(TopologySourceError) as caught:
        http(server.url).fetch(0)
    assert caught.value.code == "topology_io"


def test_a_long_poll_is_answered_when_there_is_news(server: Server) -> None:
    topology = http(server.url)
    topology.fetch(0)
    threading.Timer(0.2, server.put, [NEW]).start()
    begun = time.monotonic()
    assert topology.watch(OLD.epoch, 5_000) == NEW.encode()
    assert 0.1 < time.monotonic() - begun < 3
    assert server.seen[-1]["prefer"] == "wait=5"


def test_a_long_poll_ends_without_news(server: Server) -> None:
    topology = http(server.url)
    topology.fetch(0)
    begun = time.monotonic()
    assert topology.watch(OLD.epoch, 1_000) is None
    assert time.monotonic() - begun >= 0.9


def test_watching_a_server_that_can_t_wait_doesn_t_spin(server: Server) -> None:
    server.conditions = False
    topology = http(server.url)
    topology.fetch(0)
    begun = time.monotonic()
    assert topology.watch(OLD.epoch, 300) is None
    assert time.monotonic() - begun >= 0.3
    assert len(server.seen) == 2


@pytest.mark.parametrize("cut", [1, 40])
def test_a_truncated_body_is_no_snapshot(server: Server, cut: int) -> None:
    server.cut = cut
    topology = http(server.url)
    with pytest.raises(TopologySourceError) as caught:
        topology.fetch(0)
    assert caught.value.code == "topology_io"
    server.cut = 0
    assert topology.fetch(0) == OLD.encode(), "the next one is whole"
    assert "if-none-match" not in server.seen[-1]


def test_bytes_of_something_else_are_refused(server: Server) -> None:
    server.data = b"<html>welcome</html>"
    with pytest.raises(SnapshotError) as caught:
        http(server.url).fetch(0)
    assert caught.value.code == "topology_format"


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "topology_missing"), (500, "topology_io"), (204, "topology_io"), (301, "topology_io")],
)
def test_other_statuses_are_errors(server: Server, status: int, code: str) -> None:
    server.status = status
    with pytest.raises(TopologySourceError) as caught:
        http(server.url).fetch(0)
    assert caught.value.code == code
    assert str(status) in str(caught.value)


def test_a_body_that_drips_ends_at_the_time_limit(server: Server) -> None:
    server.drip = 0.1
    begun = time.monotonic()
    with pytest.raises(TopologySourceError) as caught:
        http(server.url, timeout_ms=300).fetch(0)
    assert caught.value.code == "topology_io"
    assert time.monotonic() - begun < 1.5


def test_a_server_that_is_not_there_is_an_error() -> None:
    with pytest.raises(TopologySourceError) as caught:
        http("http://127.0.0.1:9/").fetch(0)
    assert caught.value.code == "topology_io"
    assert "127.0.0.1:9" in str(caught.value)


@pytest.mark.parametrize("url", ["ftp://a/b", "nothing", "http://", "file:///etc/passwd"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ArgumentError):
        http(url)


def test_clients_follow_a_server(server: Server, opened: Any, tmp_path: Path) -> None:
    store = store_of("memory", tmp_path, NEW, "demo in double-write")
    client = opened(store, http(server.url))
    assert client.epoch == OLD.epoch
    server.put(NEW)
    assert client.keyspace("orders").put("user:1", "1").version > 0
    assert client.epoch == NEW.epoch
    assert client.figures().refreshes == 1


def test_a_watching_client_hears_within_one_long_poll(server: Server, tmp_path: Path) -> None:
    store = store_of("memory", tmp_path, NEW, "demo in double-write")
    with Client.open(topology=http(server.url), store=store, watch=True) as client:
        time.sleep(0.2)
        server.put(NEW)
        ends = time.monotonic() + 5
        while client.epoch != NEW.epoch and time.monotonic() < ends:
            time.sleep(0.01)
        assert client.epoch == NEW.epoch
        assert len(server.seen) <= 4, "it waits at the server"


def test_another_cluster_is_refused_and_the_map_stays(
    server: Server, opened: Any, tmp_path: Path, snapshot: Snapshot
) -> None:
    store = store_of("memory", tmp_path, NEW, "demo in double-write")
    client = opened(store, http(server.url))
    # Its epoch must look newer, or the topology says itself that there is no news.
    other = snapshot.draft() | {"epoch": 99}
    for home in (home for keyspace in other["keyspaces"] for home in keyspace["homes"]):
        home["epoch"] = 99
    server.put(Snapshot.from_draft(other))
    client.client._base.policy = type(client.client._base.policy)(deadline_ms=150)
    with pytest.raises(RingshiftError) as caught:
        client.keyspace("orders").put("user:1", "1")
    assert caught.value.code == "deadline"
    assert client.epoch == OLD.epoch
    assert client.snapshot.cluster == "demo"
