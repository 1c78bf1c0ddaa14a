"""Planning a migration, and carrying it out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from ringshift._data import PlanFigures
from ringshift._ringshift import (
    Chunks,
    Coordinator,
    Pace,
    Plan,
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
    "TopologyRecord",
    "advise_strategy",
    "allowed",
    "carry_out",
    "checklist",
    "home_installs",
    "judge",
    "plan",
]

NAP_S = 0.02
"""A wait isn't slept through at once: whoever wants it stopped is heard."""


class TopologyStore(Protocol):
    """What keeps the snapshot and the coordinator's log: a `TopologyRecord`, say."""

    def command(self, command: Any) -> Any:
        """Carries out a command that names no shard."""


class Shards(Protocol):
    """What keeps the rows: `stores.memory()` or `stores.sqlite(...)`."""

    def command(self, command: Any, chunks: Chunks) -> Any:
        """Carries out a command at the shard that it names."""


def carry_out(
    topology: TopologyStore,
    store: Shards,
    *,
    term: int,
    plan: Plan | None = None,
    settings: dict[str, Any] | None = None,
    each: Callable[[Coordinator, dict[str, Any], Any], object] | None = None,
) -> Any:
    """Runs a migration to its end, in this thread, while clients go on reading and writing.

    Begins `plan`, or goes on with what the topology's log says. `term` is one that no other
    coordinator was given: `topology.draw_term()`. `each` is called after every command, with the
    coordinator, the action and its answer; it may call `pause` or `roll_back`. Answers how it
    ended: `"complete"`, `{"rolled-back": ...}`, `{"paused": ...}`, `{"stepped-down": ...}` or
    `{"stuck": ...}`.
    """
    begun, chunks = time.monotonic(), Chunks()

    def now() -> int:
        return int((time.monotonic() - begun) * 1000)

    coordinator = Coordinator(term, settings, plan, now())
    while True:
        ((kind, told),) = coordinator.poll().items()
        if kind == "over":
            return told
        if kind == "wait":
            time.sleep(min(NAP_S, max(0, told["until"] - now()) / 1000))
            coordinator.handle_timeout(now())
            continue
        command = told["command"]
        ((_, given),) = command.items()
        answer = store.command(command, chunks) if "shard" in given else topology.command(command)
        coordinator.handle_answer(now(), told["id"], answer)
        if each is not None:
            each(coordinator, told, answer)
