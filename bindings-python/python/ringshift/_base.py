"""What the clients for threads and for asyncio share: the map, the names, the counts."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from ringshift._drive import Answer, Ask, drive, drive_shadow
from ringshift._ringshift import (
    Attempt,
    GateStep,
    Keyspace,
    Operation,
    Outcome,
    Policy,
    Pulse,
    RefreshGate,
    Reply,
    Router,
    Shadow,
    Snapshot,
    key_bytes,
    row_digest,
)
from ringshift._types import (
    Bytes,
    Change,
    Ended,
    Figures,
    Found,
    Key,
    Request,
    Response,
    ShadowFigures,
    Value,
    Written,
)
from ringshift.errors import error_of

log = logging.getLogger("ringshift")
log.addHandler(logging.NullHandler())

REFRESH_GAP_MS = 5
"""Two refreshes that found nothing new are about this far apart."""
REFRESH_PATIENCE_MS = 100
"""How long one operation waits for another's refresh."""
WATCH_MS = 1_000
"""How long one look of the watcher waits for news."""
SHADOWS_MAX = 1_024
"""Comparisons that wait at most; more sampled reads than that are not compared."""
TRAILING_MAX = 1_024
"""Mirror writes in the background at most; more than that are sent before the caller goes on."""


@dataclass(slots=True)
class Call:
    """One operation on one key, with what its attempts carry."""

    keyspace: Keyspace
    key: Key
    data: bytes
    op: bytes
    change: Change | None
    policy: Policy
    operation: Operation
    began: int
    """In nanoseconds, by `time.monotonic_ns`."""
    cause: Exception | None = None
    """The last exception of the store."""


class Base:
    """Everything of a client but its waiting. Safe to use from any number of threads."""

    def __init__(
        self,
        snapshot: Snapshot,
        store: object,
        policy: Policy | None,
        forked: Callable[[], None] | None = None,
    ) -> None:
        self.router = Router(snapshot)
        self.policy = policy if policy is not None else Policy()
        self.closed = False
        self._listen: Callable[[Snapshot], None] | None = getattr(store, "install", None)
        self._origin = time.monotonic_ns()
        self._forked = forked
        self._outcomes: dict[str, int] = {}
        self._retries = 0
        self._compared = {"same": 0, "unsure": 0, "mismatches": 0, "dropped": 0}
        self._start()
        if self._listen is not None:
            self._listen(snapshot)
        _alive.add(self)

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._gate_moved = threading.Condition(self._lock)
        self._shadowing = 0
        self._number = 0
        self._name = secrets.randbits(64)
        self._gate = RefreshGate(self.router.epoch, REFRESH_GAP_MS, self._name)
        self._pulse = Pulse()
        self._pulse.handle_snapshot(self.now(), self.router.snapshot)

    def forked(self) -> None:
        """In a child process: it must not go on with its parent's operation keys, and the
        threads and tasks stayed behind."""
        self._start()
        if self._forked is not None:
            self._forked()

    def now(self) -> int:
        """Milliseconds since the client was opened."""
        return (time.monotonic_ns() - self._origin) // 1_000_000

    def left(self, until: int | None) -> int | None:
        """Milliseconds until that moment; None: for ever."""
        return None if until is None else max(0, until - self.now())

    def check_open(self) -> None:
        """Raises `disposed` once the client was closed."""
        if self.closed:
            raise error_of("disposed", "the client was closed; open another one")

    def install(self, snapshot: Snapshot | bytes) -> bool:
        """Puts a newer snapshot in force. Answers whether it was newer.

        Also of a closed client, whose last calls go on.
        """
        if isinstance(snapshot, bytes):
            snapshot = Snapshot.decode(snapshot)
        # A store must know a shard before anything is routed to it.
        now = self.router.snapshot
        newer = snapshot.cluster == now.cluster and snapshot.epoch > now.epoch
        if newer and self._listen is not None:
            self._listen(snapshot)
        if self.router.install(snapshot) != "replaced":
            return False
        self._pulse.handle_snapshot(self.now(), self.router.snapshot)
        with self._gate_moved:
            self._gate.fetched(self.now(), snapshot.epoch)
            self._gate_moved.notify_all()
        log.info("snapshot of epoch %s in force", snapshot.epoch)
        return True

    def want(self, newer_than: int, patience_ms: int = 0) -> GateStep:
        """Asks the gate; waits for somebody else's fetch for so long."""
        with self._gate_moved:
            step = self._gate.want(self.now(), newer_than)
            if patience_ms and isinstance(step, GateStep.Join):
                self._gate_moved.wait(patience_ms / 1000)
            return step

    def fetched(self, fetched: bytes | BaseException | None) -> None:
        """What the fetch that the gate asked for has brought. The gate hears of it, always.

        Raises what isn't an error of the topology's but an end of the program.
        """
        replaced = False
        error = fetched if isinstance(fetched, BaseException) else None
        if isinstance(fetched, bytes):
            try:
                replaced = self.install(fetched)
            except BaseException as caught:
                error = caught
        with self._gate_moved:
            if error is not None:
                self._gate.failed(self.now())
            elif not replaced:
                self._gate.fetched(self.now(), self.router.epoch)
            self._gate_moved.notify_all()
        if isinstance(error, Exception):
            log.warning("the map could not be refreshed: %s", error)
        elif error is not None:
            raise error

    def named(self) -> tuple[Policy, bytes]:
        """The policy and the name of one more operation."""
        self.check_open()
        with self._lock:
            number = self._number
            self._number += 1
            name = self._name
        mine = self.policy
        policy = Policy(
            deadline_ms=mine.deadline_ms,
            attempt_ms=mine.attempt_ms,
            attempts_max=mine.attempts_max,
            confirm=mine.confirm,
            seed=name ^ number,
        )
        return policy, name.to_bytes(8, "little") + number.to_bytes(8, "little")

    def begin(self, keyspace: Keyspace, key: Key, change: Change | None, reads: bool) -> Call:
        policy, op = self.named()
        begin = Operation.read if reads else Operation.write
        operation = begin(keyspace, key, policy, self.now())
        began = time.monotonic_ns()
        return Call(keyspace, key, key_bytes(key), op, change, policy, operation, began)

    def asks(self, call: Call) -> Generator[Ask, Answer, Ended]:
        return drive(call.operation, call.keyspace, call.data, self.now)

    def request(
        self, call: Call, attempt: Attempt, found: Found | None, until: int | None
    ) -> Request:
        """What goes with an attempt: a found row, or else the caller's own change."""
        row = None if attempt.kind == "read" else found
        change = call.change if row is None and attempt.kind != "read" else None
        return Request(call.data, call.op, change, row, self.left(until))

    def lost(self, call: Call, error: Exception) -> Response:
        """A store's exception as an answer: whether the request was carried out isn't known."""
        call.cause = error
        log.warning("the store failed on key %r: %s", call.key, error, exc_info=error)
        return Response(Reply.Failed("maybe_applied"))

    def answered(self, attempt: Attempt, began: int, response: Response | None) -> None:
        """A request that was sent at `began` has ended; None: with no answer in time."""
        reply = None if response is None else response.reply
        failed = reply is None or is_silent(reply)
        now = self.now()
        self._pulse.handle_request(now, attempt.shard, took_us(began), failed)
        # A refused one is sent again; what it comes to then is what counts.
        if attempt.kind == "apply" and not isinstance(reply, Reply.Refused):
            self._pulse.handle_mirror(now, failed)

    def count_retry(self, response: Response | None) -> None:
        if response is None or isinstance(response.reply, (Reply.Refused, Reply.Failed)):
            with self._lock:
                self._retries += 1

    def count(self, slug: str) -> None:
        """Counts how an operation ended."""
        with self._lock:
            self._outcomes[slug] = self._outcomes.get(slug, 0) + 1

    def settle(self, call: Call, ended: Ended) -> Ended:
        """Counts how an operation ended; raises what its caller is to hear of as an error."""
        outcome = ended.outcome
        slug = slug_of(outcome)
        self.count(slug)
        failed = isinstance(outcome, Outcome.Failed)
        self._pulse.handle_operation(self.now(), took_us(call.began), failed)
        where = f"key {call.key!r} of keyspace `{call.keyspace.name}`"
        if isinstance(outcome, Outcome.Conflict):
            text = f"{where} has {_version(outcome.found)}; read it and decide again"
            value = None if ended.found is None else ended.found.value
            error = error_of(slug, text, key=call.key, found=outcome.found, value=value)
        elif isinstance(outcome, Outcome.Failed):
            shard = None if outcome.shard is None else self.shard_name(outcome.shard)
            error = error_of(
                slug,
                f"{where}: {outcome.message}",
                key=call.key,
                shard=shard,
                version=outcome.version,
                last=outcome.last,
                current=outcome.current,
            )
        else:
            return ended
        raise error from call.cause

    def written(self, ended: Ended) -> Written:
        outcome = ended.outcome
        assert isinstance(outcome, Outcome.Written)
        lagging = outcome.lagging
        return Written(outcome.version, None if lagging is None else self.shard_name(lagging))

    def shard_name(self, shard: int) -> str:
        for info in self.router.snapshot.shards:
            if info.id == shard:
                return info.name
        return str(shard)

    def shadow(self, call: Call) -> Shadow | None:
        """The comparison that a read asks for, if there is room for it."""
        shadow = call.operation.shadow(call.policy, self.now())
        if shadow is None:
            return None
        with self._lock:
            if self._shadowing >= SHADOWS_MAX:
                self._compared["dropped"] += 1
                return None
            self._shadowing += 1
        return shadow

    def shadow_asks(self, call: Call, shadow: Shadow) -> Generator[Ask, Answer, str]:
        def digest(response: Response) -> int | None:
            reply, found = response.reply, response.found
            if found is None or not isinstance(reply, (Reply.Found, Reply.Deleted)):
                return None
            return row_digest(call.data, reply.version, found.value)

        return drive_shadow(shadow, self.now, digest)

    def compared(self, compared: str | None) -> None:
        """Counts a comparison; None: it was given up."""
        with self._lock:
            self._shadowing -= 1
            if compared is None:
                self._compared["dropped"] += 1
            elif compared in ("same", "unsure"):
                self._compared[compared] += 1
            else:
                self._compared["mismatches"] += 1
        if compared not in ("same", "unsure", None):
            log.warning("a shadow read found the two sides different: %s", compared)

    def health(self) -> dict[str, Any]:
        """How its operations go, and the stores that they ask."""
        self._pulse.handle_timeout(self.now())
        with self._lock:
            compared = dict(self._compared)
        return {
            **self._pulse.health,
            "shadow_compared": compared["same"] + compared["mismatches"],
            "shadow_mismatches": compared["mismatches"],
        }

    def figures(self) -> Figures:
        """What the client has counted so far."""
        with self._lock:
            return Figures(
                epoch=self.router.epoch,
                refreshes=self._gate.begun,
                retries=self._retries,
                operations=dict(self._outcomes),
                shadows=ShadowFigures(**self._compared),
            )


class Opened:
    """What a client for threads and one for asyncio say alike, since nothing in it waits."""

    _base: Base

    @property
    def snapshot(self) -> Snapshot:
        """The map at hand."""
        return self._base.router.snapshot

    @property
    def epoch(self) -> int:
        """Its epoch."""
        return self._base.router.epoch

    def install(self, snapshot: Snapshot | bytes) -> bool:
        """Puts a newer snapshot in force. Answers whether it was newer.

        Raises `foreign_cluster`, `older_snapshot` or `forked_snapshot`: the one in force stays.
        """
        self._base.check_open()
        return self._base.install(snapshot)

    def figures(self) -> Figures:
        """What the client has counted so far."""
        return self._base.figures()

    def health(self) -> dict[str, Any]:
        """How its operations went over the last half minute, and the stores that they asked.

        The baseline is what was before the first wave that it has heard of. It is what
        `Coordinator.handle_health` takes: `carry_out(..., health=client.health)`.
        """
        return self._base.health()

    def __repr__(self) -> str:
        """Name the cluster and the epoch."""
        snapshot = self.snapshot
        kind = type(self).__name__
        return f"<{kind} of cluster {snapshot.cluster!r} at epoch {snapshot.epoch}>"


def slug_of(outcome: Outcome) -> str:
    if isinstance(outcome, Outcome.Value):
        return "value"
    if isinstance(outcome, Outcome.Missing):
        return "missing"
    if isinstance(outcome, Outcome.Written):
        return "written"
    if isinstance(outcome, Outcome.Failed):
        return outcome.code
    return "version_conflict"


def is_silent(reply: Reply) -> bool:
    """Whether a reply says that the store didn't answer: one that rejects a request has."""
    return isinstance(reply, Reply.Failed) and reply.failure != "rejected"


def took_us(began: int) -> int:
    return min((time.monotonic_ns() - began) // 1_000, 0xFFFF_FFFF)


def value_of(ended: Ended) -> Value | None:
    outcome = ended.outcome
    if not isinstance(outcome, Outcome.Value):
        return None
    value = b"" if ended.found is None or ended.found.value is None else ended.found.value
    return Value(value, outcome.version)


def reads_of(kind: str) -> bool:
    """Whether `kind` says read."""
    if kind not in ("read", "write"):
        raise error_of("argument", f'kind is "read" or "write", not {kind!r}')
    return kind == "read"


def value_bytes(value: Bytes) -> bytes:
    """A caller's value as bytes; `argument` for anything that isn't bytes or text."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise error_of("argument", "the value has half a surrogate pair") from None
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    raise error_of("argument", f"a value is bytes or text, not {type(value).__name__}")


def response_of(answer: object) -> Response:
    """What a caller's own function answered, as a response."""
    if isinstance(answer, Response):
        return answer
    if isinstance(answer, Reply):
        return Response(answer)
    raise error_of("argument", f"answer a Reply or a Response, not {type(answer).__name__}")


def _version(found: int | None) -> str:
    return "no row" if found is None else f"version {found}"


_alive: weakref.WeakSet[Base] = weakref.WeakSet()


def _after_fork() -> None:
    for base in list(_alive):
        base.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
