"""A client's figures as OpenTelemetry metrics: read when they are collected, never per call.

Needs `opentelemetry-api`: install `ringshift[otel]`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Protocol

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from ringshift._ringshift import Snapshot
from ringshift._types import Figures


class Counted(Protocol):
    """A client of either kind."""

    @property
    def snapshot(self) -> Snapshot:
        """The map at hand."""
        ...

    def figures(self) -> Figures:
        """What it has counted so far."""
        ...


def instrument(client: Counted, meter: Meter) -> None:
    """Reports the client's figures to `meter`, until the client is gone.

    `ringshift.epoch` (a gauge), and the counters `ringshift.refreshes`, `ringshift.retries`,
    `ringshift.operations` by `outcome` and `ringshift.shadow_reads` by `result`; each with the
    `cluster`.
    """
    alive = weakref.ref(client)
    cluster = {"cluster": client.snapshot.cluster}

    def observing(
        observe: Callable[[Figures], dict[str, int]], name: str
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def callback(_options: CallbackOptions) -> Iterable[Observation]:
            client = alive()
            if client is None:
                return []
            counted = observe(client.figures())
            return [
                Observation(number, {**cluster, name: value} if value else cluster)
                for value, number in counted.items()
            ]

        return callback

    def shadows(figures: Figures) -> dict[str, int]:
        counted = figures.shadows
        return {
            "same": counted.same,
            "mismatch": counted.mismatches,
            "unsure": counted.unsure,
            "dropped": counted.dropped,
        }

    meter.create_observable_gauge(
        "ringshift.epoch",
        [observing(lambda figures: {"": figures.epoch}, "")],
        description="The epoch of the map at hand",
    )
    for name, text, attribute, observe in (
        ("refreshes", "Refreshes begun", "", lambda figures: {"": figures.refreshes}),
        ("retries", "Attempts beyond the first", "", lambda figures: {"": figures.retries}),
        ("operations", "Operations", "outcome", lambda figures: figures.operations),
        ("shadow_reads", "Comparisons of sampled reads", "result", shadows),
    ):
        meter.create_observable_counter(
            f"ringshift.{name}", [observing(observe, attribute)], description=text
        )
