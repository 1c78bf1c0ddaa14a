"""Planning a migration, and carrying it out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

from ringshift._data import PlanFigures
from ringshift._ringshift import (
    Chunks,
    Coordinator,
    Pace,
    Plan,
    Pulse,
    Report,
    StoreWatch,
    TopologyRecord,
    advise_strategy,
    allowed,
    checklist,
    home_installs,
    judge,
    plan,
)

__all__ = [
    "Chunks",
    "Coordinator",
    "Pace",
    "Plan",
    "PlanFigures",
    "Pulse",
    "Report",
    "StoreWatch",
    "TopologyRecord",
    "advise_strategy",
    "allowed",
    "carry_out",
    "checklist",
    "home_installs",
    "judge",
    "plan",
    "write_report",
]

NAP_S = 0.02
"""A wait isn't slept through at once: whoever wants it stopped is heard."""
HEALTH_MS = 1_000
"""How often health is asked for."""


class TopologyStore(Protocol):
    """What keeps the snapshot and the coordinator's log: a `TopologyRecord`, say."""

    def command(self, command: Any) -> Any:
        """Carries out a command that names no shard."""


class Shards(Protocol):
    """What keeps the rows: `stores.memory()` or `stores.sqlite(...)`."""

    def command(self, command: Any, chunks: Chunks) -> Any:
        """Carries out a command at the shard that it names."""


class _Telling:
    """Feeds a report with what a loop over a coordinator does."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._closed: int | None = None
        self._goal: Any = None

    def before(self, told: dict[str, Any], coordinator: Coordinator) -> None:
        self._goal = coordinator.goal
        if told["point"]["stage"] == "close-from" and self._closed is None:
            self._closed = time.monotonic_ns()

    def after(self, now: int, told: dict[str, Any], answer: Any, coordinator: Coordinator) -> None:
        point, wave, goal = told["point"], told["wave"], self._goal
        self._report.handle_command(now, point, goal, wave, told["command"], answer)
        self._report.handle_coordinator(now, coordinator)
        reopened = point["stage"] == "install-other" and answer == "done"
        if reopened and self._closed is not None:
            pause_us = (time.monotonic_ns() - self._closed) // 1_000
            self._report.handle_barrier(now, goal or point["goal"], wave, pause_us)
            self._closed = None


def carry_out(
    topology: TopologyStore,
    store: Shards,
    *,
    term: int,
    plan: Plan | None = None,
    settings: dict[str, Any] | None = None,
    each: Callable[[Coordinator, dict[str, Any], Any], object] | None = None,
    health: Callable[[], Mapping[str, Any] | None] | None = None,
    report: Report | None = None,
) -> Any:
    """Runs a migration to its end, in this thread, while clients go on reading and writing.

    Begins `plan`, or goes on with what the topology's log says. `term` is one that no other
    coordinator was given: `topology.draw_term()`. `each` is called after every command, with the
    coordinator, the action and its answer; it may call `pause` or `roll_back`. `health` is asked
    once a second how the application is, `client.health` say; where it says nothing, what is seen
    here of the stores counts. `report` is told everything; its clock begins at 0, as here:
    `Report(0, unix_ms)`. Answers how it ended: `"complete"`, `{"rolled-back": ...}`,
    `{"paused": ...}`, `{"stepped-down": ...}` or `{"stuck": ...}`.
    """
    begun, chunks, watch = time.monotonic(), Chunks(), StoreWatch()
    telling = None if report is None else _Telling(report)

    def now() -> int:
        return int((time.monotonic() - begun) * 1000)

    coordinator = Coordinator(term, settings, plan, now())
    asked, news = -HEALTH_MS, False
    while True:
        if now() >= asked + HEALTH_MS:
            asked = now()
            offset = time.localtime().tm_gmtoff // 60
            coordinator.handle_wall_clock(asked, int(time.time() * 1000), offset)
            handed = None if health is None else health()
            if handed is not None:
                coordinator.handle_health(asked, handed)
                if report is not None:
                    report.handle_health(asked, handed)
            news = True
        while (look := watch.poll(now(), coordinator)) is not None:
            began = time.monotonic_ns()
            answer = store.command(look, chunks)
            watch.handle_look(now(), look, answer, _took_us(began))
            news = True
        if news:
            # Also before the first second is over, in which a small migration ends.
            news = False
            coordinator.handle_seen(now(), watch.health)
            if report is not None:
                report.handle_seen(now(), watch.health)
        ((kind, told),) = coordinator.poll().items()
        if kind == "over":
            if report is not None:
                report.handle_coordinator(now(), coordinator)
            return told
        if kind == "wait":
            time.sleep(min(NAP_S, max(0, told["until"] - now()) / 1000))
            coordinator.handle_timeout(now())
            continue
        if telling is not None:
            telling.before(told, coordinator)
        command = told["command"]
        ((_, given),) = command.items()
        began = time.monotonic_ns()
        answer = store.command(command, chunks) if "shard" in given else topology.command(command)
        coordinator.handle_answer(now(), told["id"], answer)
        watch.handle_command(now(), command, answer, _took_us(began))
        if telling is not None:
            telling.after(now(), told, answer, coordinator)
        if each is not None:
            each(coordinator, told, answer)


def write_report(report: Report, folder: str | PathLike[str]) -> None:
    """Writes `report.json` and `report.md` into a folder, which is made if it isn't there."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    (place / "report.json").write_text(report.json(), encoding="utf-8")
    (place / "report.md").write_text(report.text(), encoding="utf-8")


def _took_us(began_ns: int) -> int:
    return min((time.monotonic_ns() - began_ns) // 1_000, 0xFFFF_FFFF)
