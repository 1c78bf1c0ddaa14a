"""A client in Python for `live_reshard --outside "python client.py"`: reads and writes keys of a
cluster that is being resharded, and writes down what it asked for and was told.

    python client.py [--asyncio] FOLDER NUMBER SEED

Works until its standard input ends; with threads, or with `--asyncio` in one.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import random
import sys
import threading
import time
from itertools import count
from pathlib import Path

from ringshift import AsyncClient, Client, RingshiftError
from ringshift.stores import sqlite
from ringshift.topology import file

WORKERS = 3
UNREADABLE = str(2**64 - 1)

uses_asyncio = "--asyncio" in sys.argv
folder, number, seed = [word for word in sys.argv[1:] if word != "--asyncio"]
folder, number, seed = Path(folder), int(number), int(seed)
records = [
    (key, bytes.fromhex(value))
    for key, value in map(json.loads, (folder / "records.jsonl").read_text("utf-8").splitlines())
]
# Each hands out numbers that nobody else has; a step of such a count is one step of Python's.
processes = count(number * 1_000_000)
values = count((number << 40) + 1)
# The history: an invoke is on its way to the disk before its operation is sent, so that what a
# process may have written is known even when it is killed. An end goes with the next beginning.
journal = os.open(folder / f"outside-{number}.jsonl", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644)
over = threading.Event()


class Recorder:
    def __init__(self):
        self.process = next(processes)
        self.staged = ""
        self.ended = 0
        self.open = None

    def begin(self, f, key, value, **expect):
        self.open = f, key, value
        # All processes of a machine share this clock.
        self.line("invoke", value, max(time.monotonic_ns(), self.ended + 1), **expect)
        os.write(journal, self.staged.encode())
        self.staged = ""

    def end(self, kind, value):
        self.ended = time.monotonic_ns()
        self.line(kind, value, self.ended)
        if kind == "info":
            self.process = next(processes)

    def line(self, kind, value, at, **expect):
        f, key, _ = self.open
        line = {"process": self.process, "type": kind, "f": f, "key": key, "value": value}
        line |= {"time_ns": at} | expect
        self.staged += json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"

    def finish(self):
        os.write(journal, self.staged.encode())


def fresh(record):
    """A value that nobody has written before: its number, then the record."""
    value = next(values)
    return str(value), value.to_bytes(8, "little") + record[1]


def decode(record, found):
    """Which value those bytes are; unreadable ones fail the check."""
    if len(found) < 8 or found[8:] != record[1]:
        return UNREADABLE
    return str(int.from_bytes(found[:8], "little"))


class Worker:
    """The same for threads and for asyncio: what is asked may be awaited."""

    def __init__(self, keyspace, place):
        self.keyspace = keyspace
        self.random = random.Random(seed * 31 + number * 1_009 + place)
        self.recorder = Recorder()
        self.operations = 0

    def pick(self):
        """A key: few are asked for often."""
        return records[min(len(records), int(len(records) ** self.random.random())) - 1]

    async def run(self, f, record, value, ask, **expect):
        self.recorder.begin(f, record[0], value, **expect)
        self.operations += 1
        try:
            answer = ask()
            if inspect.isawaitable(answer):
                answer = await answer
        except RingshiftError as error:
            if error.code not in ("indeterminate", "version_conflict", "deadline"):
                raise
            kind = "info" if error.code == "indeterminate" else "fail"
            self.recorder.end(kind, value)
            return False, None
        if f == "read":
            value = None if answer is None else decode(record, answer.value)
        self.recorder.end("ok", value)
        return True, answer

    async def read(self, record):
        return await self.run("read", record, None, lambda: self.keyspace.get(record[0]))

    async def put(self, record):
        value, data = fresh(record)
        await self.run("write", record, value, lambda: self.keyspace.put(record[0], data))

    async def delete(self, record):
        await self.run("delete", record, None, lambda: self.keyspace.delete(record[0]))

    async def put_if(self, record):
        """Reads, then puts if nobody else has written since."""
        known, found = await self.read(record)
        if not known:
            return
        value, data = fresh(record)
        seen = None if found is None else decode(record, found.value)
        expected = None if found is None else found.version
        put = lambda: self.keyspace.put_if(record[0], data, expected)
        await self.run("write", record, value, put, expect=seen)

    async def work(self):
        while not over.is_set():
            record, what = self.pick(), self.random.random() * 100
            if what < 50:
                await self.read(record)
            elif what < 85:
                await self.put(record)
            elif what < 92:
                await self.delete(record)
            else:
                await self.put_if(record)
        self.recorder.finish()


def step_through(work):
    """Runs a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise RuntimeError("a synchronous client waited")


def listen():
    sys.stdin.buffer.read()
    over.set()


def say(figures, workers):
    operations = sum(worker.operations for worker in workers)
    said = {"operations": operations, "retries": figures.retries, "refreshes": figures.refreshes}
    print(json.dumps(said), flush=True)


def main():
    store = sqlite(path=lambda shard: folder / f"{shard}.db")
    with Client.open(topology=file(folder / "topology.ringshift"), store=store) as client:
        workers = [Worker(client.keyspace("records"), place) for place in range(WORKERS)]
        failures = []

        def work(worker):
            try:
                step_through(worker.work())
            except BaseException as error:
                failures.append(error)
                over.set()
                raise

        print("ready", flush=True)
        threads = [threading.Thread(target=work, args=[worker]) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if failures:
        sys.exit(1)
    say(client.figures(), workers)


async def main_of_asyncio():
    store = sqlite(path=lambda shard: folder / f"{shard}.db")
    topology = file(folder / "topology.ringshift")
    async with await AsyncClient.open(topology=topology, store=store) as client:
        workers = [Worker(client.keyspace("records"), place) for place in range(WORKERS)]
        print("ready", flush=True)
        await asyncio.gather(*(worker.work() for worker in workers))
    say(client.figures(), workers)


threading.Thread(target=listen, daemon=True).start()
if uses_asyncio:
    asyncio.run(main_of_asyncio())
else:
    main()
