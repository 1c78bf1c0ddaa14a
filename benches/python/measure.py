"""Times candidates in turns within one process: what the machine does to one, it does to all.

Round 0 warms up; figures are medians, and a ratio is the median of the ratios within each round.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Candidate:
    """A piece of work that makes `calls` calls."""

    name: str
    calls: int
    run: Callable[[], object]


@dataclass
class Result:
    """What a candidate took, in nanoseconds a call."""

    name: str
    calls: int
    rounds: list[float] = field(default_factory=list)

    @property
    def ns(self) -> float:
        return median(self.rounds)

    def data(self) -> dict[str, object]:
        low, high = min(self.rounds), max(self.rounds)
        return {"name": self.name, "calls": self.calls, "ns": self.ns, "min": low, "max": high}


def measure(candidates: Sequence[Candidate], rounds: int) -> list[Result]:
    """Runs every candidate once a round, with the collector off."""
    results = [Result(one.name, one.calls) for one in candidates]
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds + 1):
            for candidate, result in zip(candidates, results, strict=True):
                begun = time.perf_counter_ns()
                candidate.run()
                took = time.perf_counter_ns() - begun
                if number > 0:
                    result.rounds.append(took / candidate.calls)
    finally:
        gc.enable()
    return results


def ratio(results: Sequence[Result], a: str, b: str) -> float:
    """The median over rounds of `a`'s time divided by `b`'s."""
    found = {result.name: result.rounds for result in results}
    return median(x / y for x, y in zip(found[a], found[b], strict=True))
