from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ringshift import Snapshot
from ringshift.topology import fixed
from worlds import REPOSITORY, TOPOLOGY, Both, open_client, store_of


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(params=["sync", "async"])
def opened(request: pytest.FixtureRequest, runner: asyncio.Runner) -> Iterator[Callable[..., Both]]:
    """Opens clients of one kind, and closes them."""
    clients: list[Both] = []

    def opened(store: Any, topology: Any, policy: Any = None) -> Both:
        clients.append(open_client(request.param, runner, store, topology, policy))
        return clients[-1]

    yield opened
    for client in clients:
        client.close()


@pytest.fixture(params=["memory", "sqlite"])
def store_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def snapshot() -> Snapshot:
    return Snapshot.from_topology(TOPOLOGY)


@pytest.fixture
def store(store_kind: str, tmp_path: Path, snapshot: Snapshot) -> Any:
    return store_of(store_kind, tmp_path, snapshot)


@pytest.fixture
def client(opened: Callable[..., Both], store: Any, snapshot: Snapshot) -> Both:
    return opened(store, fixed(snapshot))


@pytest.fixture(scope="session")
def built() -> Path:
    """Where the operator's binary and its test peer are."""
    subprocess.run(
        [
            # The whole workspace's choice of features: what the gate has built already.
            *("cargo", "build", "-q", "--release", "--locked"),
            *("--bin", "ringshift", "--example", "store_peer"),
        ],
        cwd=REPOSITORY,
        check=True,
    )
    return Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "release"


class Peer:
    """A client in a Rust process, over the same files."""

    def __init__(self, program: Path, topology: Path, folder: Path) -> None:
        self.process = subprocess.Popen(
            [program, topology, folder, "orders"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        answer = self.process.stdout.readline()
        assert answer, "the peer is gone"
        return answer.rstrip("\n")

    def ask(self, line: str) -> str:
        self.say(line)
        return self.hear()


@pytest.fixture
def peer(built: Path, tmp_path: Path) -> Iterator[Peer]:
    topology = tmp_path / "topology.json"
    topology.write_text(json.dumps(TOPOLOGY))
    peer = Peer(built / "examples" / "store_peer", topology, tmp_path)
    yield peer
    assert peer.process.stdin is not None
    peer.process.stdin.close()
    assert peer.process.wait(timeout=20) == 0
