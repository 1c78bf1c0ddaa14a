"""Snapshots, routers and machines as Python objects: copies, threads, memory, what they show."""

from __future__ import annotations

import copy
import gc
import io
import json
import pickle
import re
import resource
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import ringshift
from ringshift import (
    GateStep,
    Guard,
    MemoryShard,
    Operation,
    Outcome,
    Policy,
    RefreshGate,
    Refusal,
    Reply,
    Router,
    ShadowStep,
    Snapshot,
    Step,
    decide,
    row_digest,
    sqlite_recipe,
    statements,
)
from ringshift.migrate import Chunks, home_installs
from support import cases, next_snapshot, orders, topology

FIRST = Snapshot.from_topology(topology())


def test_a_snapshot_from_a_dict_and_from_its_json_are_the_same() -> None:
    given = topology(3, bits=8, placement={"ring": {"vnodes": 40}}, seed="7")
    given["shards"][0] |= {"weight": 2.5, "zone": "a", "tags": ["ssd"], "endpoint": "pg://1"}
    snapshot = Snapshot.from_topology(given)
    assert snapshot == Snapshot.from_topology(json.dumps(given))
    assert (snapshot.epoch, snapshot.cluster, snapshot.keyspaces) == (1, "demo", ["orders"])
    first = snapshot.shards[0]
    assert (first.id, first.name, first.weight, first.zone) == (1, "pg-1", 2.5, "a")
    assert (first.tags, first.endpoint, first.state) == (("ssd",), "pg://1", "active")
    owners = snapshot.owners("orders")
    assert len(owners) == 256
    assert set(owners.tolist()) == {0, 1, 2}


def test_copies_are_equal() -> None:
    others = [pickle.loads(pickle.dumps(FIRST)), copy.copy(FIRST), copy.deepcopy(FIRST)]
    others.append(Snapshot.decode(FIRST.encode()))
    assert all(other == FIRST for other in others)
    assert {FIRST, *others} == {FIRST}
    assert next_snapshot(FIRST) != FIRST
    assert FIRST != "a snapshot"
    assert re.fullmatch(
        r'<ringshift.Snapshot "demo" epoch=1 shards=4 digest=[0-9a-f]{12}>', repr(FIRST)
    )
    router = Router(next_snapshot(FIRST))
    again = pickle.loads(pickle.dumps(router))
    assert (again.epoch, again.snapshot) == (2, router.snapshot)
    assert repr(again) == '<ringshift.Router "demo" epoch=2>'


def test_a_keyspace_stays_valid_over_an_install() -> None:
    router = Router(FIRST.encode())
    here = router.keyspace("orders")
    before = [here.route(key) for key in range(100)]
    draft = next_snapshot(FIRST).draft()
    draft["keyspaces"][0]["assignment"] = [{"len": 65536, "shard": 3}]
    assert router.install(Snapshot.from_draft(draft)) == "replaced"
    assert router.install(Snapshot.from_draft(draft).encode()) == "same"
    assert (router.epoch, here.describe("a").epoch) == (2, 1)
    assert {here.route(key) for key in range(100)} == {3} != set(before)
    assert here.shard_of("a") == "pg-4"


def test_a_keyspace_that_is_gone_says_so() -> None:
    two = Snapshot.from_topology({**topology(), "keyspaces": {"a": {}, "b": {}}})
    router = Router(two)
    gone = router.keyspace("b")
    draft = next_snapshot(two).draft()
    del draft["keyspaces"][1]
    router.install(Snapshot.from_draft(draft))
    for call in (gone.route, gone.shard_of, gone.explain):
        with pytest.raises(ringshift.RingshiftError) as caught:
            call("x")
        assert caught.value.code == "unknown_keyspace"


def test_threads_route_while_another_installs() -> None:
    shards = 8
    snapshots = [Snapshot.from_topology(topology(shards, bits=12))]
    for number in range(60):
        draft = next_snapshot(snapshots[-1]).draft()
        draft["keyspaces"][0]["assignment"] = [{"len": 4096, "shard": number % shards}]
        snapshots.append(Snapshot.from_draft(draft))
    router = Router(snapshots[1])
    here = router.keyspace("orders")
    keys = [f"user:{number}" for number in range(500)]
    joined = "".join(keys).encode()
    ends = [sum(map(len, keys[: at + 1])) for at in range(len(keys))]
    wrong: list[Any] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            # All keys are on one shard at a time, so one answer is of one snapshot.
            for many in (here.route_many(keys), here.route_many(joined, ends)):
                if len(set(many.tolist())) != 1:
                    wrong.append(many)
            here.route("a"), here.shard_of("a"), here.explain("a"), router.snapshot

    installed: list[str] = []

    def install() -> None:
        for snapshot in snapshots[1:]:
            try:
                installed.append(router.install(snapshot))
            except ringshift.RingshiftError as error:
                installed.append(error.code)

    readers = [threading.Thread(target=read) for _ in range(3)]
    writers = [threading.Thread(target=install) for _ in range(2)]
    for thread in [*readers, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    over.set()
    for thread in readers:
        thread.join()
    assert not wrong
    assert router.snapshot == snapshots[-1]
    assert set(installed) <= {"replaced", "same", "older_snapshot"}
    assert installed.count("replaced") >= len(snapshots) - 2


def rss() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def one_route(number: int) -> None:
    """Route one key in each way."""
    orders_here.route("user:42" if number % 2 else b"user:42")


def one_install(number: int) -> None:
    """Install a newer snapshot."""
    router_here.install(next_small())


def one_operation(number: int) -> None:
    """Carry one read through."""
    operation = Operation.read(orders_here, "user:42", None, number)
    step = operation.poll()
    assert isinstance(step, Step.Send)
    operation.handle_reply(number, step.attempt.id, Reply.Found(number))
    assert isinstance(operation.poll(), Step.Done)


orders_here = orders()
small = Snapshot.from_topology(topology(4, bits=4))
router_here = Router(small)
draft_here = small.draft()
epoch_here = 1


def next_small() -> Snapshot:
    """A snapshot one epoch later."""
    global epoch_here
    epoch_here += 1
    return Snapshot.from_draft({**draft_here, "epoch": epoch_here})


@pytest.mark.parametrize(
    ("work", "count"),
    [(one_route, 1_000_000), (one_install, 10_000), (one_operation, 10_000)],
)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux to measure")
def test_memory_stays_flat(work: Callable[[int], None], count: int) -> None:
    for number in range(min(count // 10, 10_000)):
        work(number)
    gc.collect()
    before = rss()
    for number in range(count):
        work(number)
    gc.collect()
    # A single leaked object a call, of 16 bytes, would be more.
    assert rss() - before < max(16 * count, 2**20) // 2
    tracemalloc.start()
    for number in range(1_000):
        work(number)
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    for number in range(1_000):
        work(number)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - held
    tracemalloc.stop()
    assert grown < 8_000


def columns(shard: MemoryShard, attempt: Any, key: bytes, closed: bool = False) -> list[Any]:
    """What a store would have looked up, of a shard whose only row is that key's."""
    row = shard.row(attempt.keyspace, key)
    guard = [attempt.keyspace, attempt.epoch, 1, int(closed), 0, 0, attempt.epoch]
    there = [None] * 3 if row is None else [row[0], bytes(16), int(row[1] is None)]
    return [0, 5, None, attempt.domain, 0, *guard, *there]


def test_a_store_asks_what_to_do() -> None:
    here, shard = orders(1), MemoryShard()
    write, own = Operation.write(here, "a", None, 0), {"op": b"1" * 16}
    step = write.poll()
    assert isinstance(step, Step.Send)
    attempt = step.attempt
    put = {**own, "change": {"type": "put"}}
    told = decide(attempt, put, columns(shard, attempt, b"a"))
    version = attempt.epoch << 32
    assert told.reply == Reply.Written(version)
    assert (told.effect.type, told.effect.version, told.effect.deleted) == ("put", version, False)
    assert (told.found, told.learned, told.revision) == (False, 16, 5)
    told = decide(attempt, put, columns(shard, attempt, b"a", closed=True))
    assert told.reply == Reply.Refused(Refusal("not_ready", current=attempt.epoch))
    assert told.effect.type == "keep"
    remove = decide(attempt, {**own, "change": {"type": "delete"}}, columns(shard, attempt, b"a"))
    assert (remove.effect.type, remove.effect.floor) == ("remove", version)
    wrong = {**own, "change": {"type": "put-if", "expected": 9}}
    told = decide(attempt, wrong, columns(shard, attempt, b"a"))
    assert (told.reply, told.effect.type) == (Reply.Conflict(None), "keep")
    assert decide(attempt, None, columns(shard, attempt, b"a")).reply == Reply.Failed("rejected")
    look = columns(shard, attempt, b"a")
    look[5:12] = [None] * 7
    assert decide(attempt, put, look).reply == Reply.Refused(Refusal("not_owner"))


def test_the_recipe_makes_a_file_that_looks_work_on() -> None:
    import sqlite3

    recipe, sql = sqlite_recipe(), statements()
    file = sqlite3.connect(":memory:")
    file.executescript(recipe.settings + recipe.schema)
    file.execute(sql["META_CREATE"], (recipe.format, bytes(16)))
    look = file.execute(sql["LOOK_WRITE"], (1, 0, 0, b"a")).fetchone()
    assert len(look) == 15
    step = Operation.read(orders(1), "a", None, 0).poll()
    assert isinstance(step, Step.Send)
    assert decide(step.attempt, None, look).reply == Reply.Refused(Refusal("not_owner"))


def test_a_memory_shard_keeps_rows() -> None:
    here, shard, chunks = orders(1), MemoryShard(), Chunks()
    rows = home_installs(Router(FIRST).snapshot, 1)
    assert shard.command({"install": {"shard": 1, "term": 0, "rows": rows}}, chunks) == "done"
    here = Router(FIRST).keyspace("orders")
    key = next(f"user:{number}" for number in range(99) if here.route(f"user:{number}") == 0)

    def ask(operation: Operation, content: Any) -> Any:
        step = operation.poll()
        assert isinstance(step, Step.Send)
        return shard.attempt(step.attempt, key.encode(), content)

    written, nothing = ask(
        Operation.write(here, key, None, 0),
        {"op": b"1" * 16, "change": {"type": "put", "value": b"v"}, "row": None},
    )
    assert isinstance(written, Reply.Written)
    assert nothing is None
    found = ask(Operation.read(here, key, None, 0), None)
    assert found == (Reply.Found(written.version), (b"v", b"1" * 16))
    conflict = ask(
        Operation.write(here, key, None, 0),
        {"op": b"2" * 16, "change": {"type": "put-if", "value": b"w", "expected": None}},
    )
    assert conflict == (Reply.Conflict(written.version), (b"v", b"1" * 16))
    assert (len(shard), shard.row(0, key.encode())) == (1, (written.version, b"v"))
    assert shard.row(0, b"nobody") is None


def test_a_gate_lets_one_through() -> None:
    gate = RefreshGate(1, 10, 7)
    assert gate.want(0, 0) == GateStep.InHand()
    assert [gate.want(0, 1) for _ in range(3)] == [
        GateStep.Fetch(),
        GateStep.Join(),
        GateStep.Join(),
    ]
    gate.failed(5)
    match gate.want(5, 1):
        case GateStep.Wait(until):
            assert until is not None
            assert until > 5
        case step:
            pytest.fail(f"{step}")
    gate.fetched(6, 2)
    assert (gate.want(6, 1), gate.begun) == (GateStep.InHand(), 1)


def test_a_guard_answers_with_plain_data() -> None:
    guard = Guard()
    row = home_installs(FIRST, 1)
    assert guard.install(3, row) is None
    assert guard.rows() == [install["row"] for install in row]
    (held,) = (claim["Slots"] for claim in row[0]["claims"] if "Slots" in claim)
    slot, (domain, epoch) = held[0]["start"], (row[0]["row"]["domain"], row[0]["row"]["epoch"])
    assert guard.admit(0, slot, b"a", domain, epoch, "write") == row[0]["row"]
    assert guard.admit(0, slot, b"a", domain, epoch + 1, "read") == Refusal(
        "not_ready", current=epoch
    )
    assert guard.claim(2) == Refusal("stale_term", seen=3)
    closed = guard.close(3, domain, epoch)
    assert isinstance(closed, dict)
    assert closed["closed"] is True
    assert guard.close(3, 99, 1) is None
    assert guard.admit(0, slot, b"a", domain, epoch, "write") == Refusal("not_ready", current=epoch)


def test_a_sampled_read_is_compared() -> None:
    (case,) = (c for c in cases("snapshot", "snapshots") if c["name"] == "demo in shadow-read")
    here = Router(bytes.fromhex(case["bytes"])).keyspace("orders")
    for number in range(200):
        shadow = Operation.read(here, number, Policy(seed=number), 0).shadow(None, 0)
        if shadow is None:
            continue
        digest = row_digest(str(number).encode(), 9, b"v")
        sides = []
        while isinstance(step := shadow.poll(), ShadowStep.Send):
            sides.append(step.attempt.shard)
            assert isinstance(shadow.poll(), ShadowStep.Wait)
            shadow.handle_reply(0, step.attempt.id, Reply.Found(9), digest)
        assert (step, sides) == (ShadowStep.Done("same"), [1, 2])
        return
    pytest.fail("no key is sampled")


def test_steps_can_be_matched_compared_and_printed() -> None:
    operation = Operation.read(orders(1), "a", Policy(attempt_ms=0), 0)
    match operation.poll():
        case Step.Send(attempt):
            assert (attempt.kind, attempt.version, attempt.blocking) == ("read", None, True)
        case step:
            pytest.fail(f"{step}")
    assert operation.poll() == Step.Wait(5_000)
    operation.handle_reply(0, attempt.id, Reply.Failed("rejected"))
    match operation.poll():
        case Step.Done(Outcome.Failed(code, message)):
            assert (code, message) == ("rejected", "the store refused the request")
        case step:
            pytest.fail(f"{step}")
    assert Reply.Found(7) == Reply.Found(7) != Reply.Deleted(7)
    assert hash(Reply.Found(7)) == hash(Reply.Found(7))
    assert "7" in repr(Reply.Found(7))
    assert Policy(seed=3) == Policy(seed=3) != Policy()
    assert (Policy().deadline_ms, Policy().confirm) == (5_000, True)


def test_an_explanation_prints_as_a_table() -> None:
    (case,) = (c for c in cases("snapshot", "snapshots") if c["name"] == "demo in read-new")
    here = Router(bytes.fromhex(case["bytes"])).keyspace("orders")
    moving = next(told for number in range(99) if (told := here.explain(number)).phase)
    text = str(moving)
    assert "read-new, ramp 50 %" in text
    assert f"{moving.authority}, then {moving.mirror}" in text
    from rich.console import Console

    console = Console(width=100, record=True, file=io.StringIO())
    console.print(moving)
    assert moving.hash in console.export_text()


def test_the_ring_is_drawn() -> None:
    (case,) = (c for c in cases("snapshot", "snapshots") if c["name"] == "demo in double-write")
    for snapshot in (FIRST, Snapshot.decode(bytes.fromhex(case["bytes"]))):
        text = snapshot._repr_svg_()
        ElementTree.fromstring(text)
        for shard in snapshot.shards:
            assert f"{shard.name}: " in text
        assert len(text) < 100_000
    assert "moving from shard 1 to 2: double-write" in text


def test_the_readme_s_example_runs() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    for block in re.findall(r"```python\n(.*?)```", readme, re.S):
        exec(compile(block, "README.md", "exec"), {})


def test_names_are_what_they_say() -> None:
    for name in ringshift.__all__:
        assert getattr(ringshift, name) is not None
    assert set(ringshift.__all__) <= set(dir(ringshift))
    with pytest.raises(AttributeError):
        _ = ringshift.nothing
    manifest = (Path(__file__).parents[2] / "Cargo.toml").read_text()
    assert f'version = "{ringshift.__version__}"' in manifest


def test_routing_imports_nothing_that_it_does_not_need() -> None:
    text = "import sys, ringshift; print(*sorted(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, text=True)
    for heavy in ("numpy", "rich", "asyncio", "sqlite3", "typing", "re", "ringshift._data"):
        assert heavy not in ran.stdout.split()
