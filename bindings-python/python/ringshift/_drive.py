"""One loop over an operation, for threads and for asyncio: it yields what it needs of the world.

It decides nothing, and mirrors the core's own driver line by line. Whoever plays it answers

- `Send`: a response, or None when `until` came first;
- `Refresh`: True when there is a map to look at, None when `until` came first;
- `Sleep` and `Trail`: nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from ringshift._ringshift import (
    Attempt,
    Keyspace,
    Operation,
    Outcome,
    Reply,
    Shadow,
    ShadowStep,
    Step,
)
from ringshift._types import Ended, Found, Response
from ringshift.errors import UnknownAttemptError


@dataclass(frozen=True, slots=True)
class Send:
    """Send this and wait for its reply; `found` is what its payload's reply has brought."""

    attempt: Attempt
    found: Found | None
    until: int | None


@dataclass(frozen=True, slots=True)
class Trail:
    """Send this in the background: nobody waits for it."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Refresh:
    """Get a snapshot past `newer_than` if there is one."""

    newer_than: int
    until: int | None


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait until then."""

    until: int | None


Ask: TypeAlias = Send | Trail | Refresh | Sleep
Answer: TypeAlias = Response | bool | None


def drive(
    operation: Operation, keyspace: Keyspace, key: bytes, now: Callable[[], int]
) -> Generator[Ask, Answer, Ended]:
    """Drives `operation` on `key` to its end."""
    found: dict[int, Found] = {}
    in_flight: Attempt | None = None
    conflict: int | None = None
    attempts = refreshes = 0
    while True:
        step = operation.poll()
        if isinstance(step, Step.Send):
            if step.attempt.blocking:
                attempts += 1
                in_flight = step.attempt
            else:
                yield Trail(step.attempt)
        elif isinstance(step, Step.Refresh):
            refreshes += 1
            wait = operation.poll()
            if not isinstance(wait, Step.Wait):
                continue
            if (yield Refresh(step.newer_than, wait.until)):
                operation.handle_snapshot(now(), keyspace, key)
            else:
                operation.handle_timeout(now())
        elif isinstance(step, Step.Wait):
            if in_flight is None:
                yield Sleep(step.until)
                operation.handle_snapshot(now(), keyspace, key)
                operation.handle_timeout(now())
                continue
            attempt, in_flight = in_flight, None
            payload = None if attempt.found_by is None else found.get(attempt.found_by)
            response = yield Send(attempt, payload, step.until)
            if not isinstance(response, Response):
                operation.handle_timeout(now())
                continue
            if isinstance(response.reply, Reply.Conflict):
                conflict = attempt.id
            if response.found is not None:
                found[attempt.id] = response.found
            # One that isn't waited for any more changes nothing.
            with suppress(UnknownAttemptError):
                operation.handle_reply(now(), attempt.id, response.reply)
        else:
            outcome = step.outcome
            carrier = None
            if isinstance(outcome, Outcome.Value):
                carrier = outcome.from_
            elif isinstance(outcome, Outcome.Conflict):
                carrier = conflict
            brought = None if carrier is None else found.get(carrier)
            return Ended(outcome, brought, attempts, refreshes)


def drive_shadow(
    shadow: Shadow, now: Callable[[], int], digest: Callable[[Response], int | None]
) -> Generator[Ask, Answer, str]:
    """Drives a comparison to its end; `digest` is that of the row which a reply has brought."""
    while True:
        step = shadow.poll()
        if isinstance(step, ShadowStep.Send):
            wait = shadow.poll()
            if not isinstance(wait, ShadowStep.Wait):
                continue
            response = yield Send(step.attempt, None, wait.until)
            if isinstance(response, Response):
                brought = None if response.found is None else digest(response)
                shadow.handle_reply(now(), step.attempt.id, response.reply, brought)
            else:
                shadow.handle_timeout(now())
        elif isinstance(step, ShadowStep.Wait):
            yield Sleep(step.until)
            shadow.handle_timeout(now())
        else:
            return step.compared
