"""A topology in a file."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import Peer
from ringshift import Snapshot
from ringshift.errors import RingshiftError, TopologySourceError
from ringshift.topology import file
from worlds import TOPOLOGY, demo, store_of

OLD, NEW = demo("demo at home"), demo("demo in double-write")


def test_what_ringshift_init_made_is_a_topology(built: Path, opened: Any, tmp_path: Path) -> None:
    path = tmp_path / "topology.json"
    made = [str(built / "ringshift"), "init", str(path), "--shards", "3", "--keyspace", "orders"]
    subprocess.run(made, check=True, capture_output=True)
    data = file(path).fetch(0)
    assert data is not None
    store = store_of("sqlite", tmp_path, Snapshot.decode(data))
    client = opened(store, file(path))
    orders = client.keyspace("orders")
    orders.put("user:42", "1")
    assert orders.get("user:42").value == b"1"
    said = subprocess.run(
        [built / "ringshift", "route", "--topology", path, "--keyspace", "orders", "user:42"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert orders.shard_of("user:42") in said.stdout


def test_a_topology_record_of_the_operator_s_is_one_too(peer: Peer, tmp_path: Path) -> None:
    path = tmp_path / "topology.ringshift"
    peer.ask(f"record {path}")
    assert path.read_bytes().startswith(b"RSTR")
    data = file(path).fetch(0)
    assert data == Snapshot.from_topology(TOPOLOGY).encode()


def test_news_comes_by_a_rename(opened: Any, tmp_path: Path) -> None:
    path = tmp_path / "topology"
    path.write_bytes(OLD.encode())
    store = store_of("memory", tmp_path, NEW, "demo in double-write")
    client = opened(store, file(path))
    (tmp_path / "next").write_bytes(NEW.encode())
    os.replace(tmp_path / "next", path)
    assert client.keyspace("orders").put("user:1", "1").version > 0
    assert client.epoch == NEW.epoch


def test_a_file_that_hasn_t_changed_isn_t_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "topology"
    path.write_bytes(OLD.encode())
    # The whole of a file's times can't be set; so it waits until the clock tells changes apart.
    monkeypatch.setattr("ringshift.topology._file.YOUNG_NS", 100_000_000)
    time.sleep(0.15)
    topology, decoded = file(path), []
    decode = type(topology)._snapshot

    def counted(self: Any, data: bytes) -> Snapshot:
        decoded.append(len(data))
        return decode(self, data)

    monkeypatch.setattr(type(topology), "_snapshot", counted)
    assert topology.fetch(0) == OLD.encode()
    assert [topology.fetch(OLD.epoch) for _ in range(5)] == [None] * 5
    assert len(decoded) == 1
    assert topology.fetch(0) == OLD.encode(), "who lacks it gets it"
    path.write_bytes(NEW.encode())
    assert topology.fetch(OLD.epoch) == NEW.encode()
    assert topology.fetch(NEW.epoch) is None


def test_a_young_file_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "topology"
    path.write_bytes(OLD.encode())
    same = os.stat(path)
    # Within one tick of the clock two files may look the same.
    monkeypatch.setattr(os, "fstat", lambda _: same)
    topology = file(path)
    assert topology.fetch(0) == OLD.encode()
    path.write_bytes(NEW.encode())
    assert topology.fetch(OLD.epoch) == NEW.encode()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "topology_format"),
        (b"hello", "topology_format"),
        (OLD.encode()[:-1], "snapshot_format"),
        (b'{"cluster": "x"', "topology"),
        (b'{"cluster": "\xff"}', "topology_format"),
        (json.dumps(TOPOLOGY | {"shards": []}).encode(), "topology"),
    ],
    ids=["empty", "text", "cut", "half", "latin-1", "no shards"],
)
def test_what_is_wrong_with_the_content_is_said(tmp_path: Path, data: bytes, code: str) -> None:
    path = tmp_path / "topology"
    path.write_bytes(data)
    with pytest.raises(RingshiftError) as caught:
        file(path).fetch(0)
    assert caught.value.code == code


def test_no_file_is_missing_and_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(TopologySourceError, match="ringshift init") as caught:
        file(tmp_path / "none").fetch(0)
    assert caught.value.code == "topology_missing"
    with pytest.raises(TopologySourceError) as refused:
        file(tmp_path).fetch(0)
    assert refused.value.code == "topology_io"
