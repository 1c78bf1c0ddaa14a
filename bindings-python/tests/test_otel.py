"""Figures as OpenTelemetry metrics, and what is logged."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from ringshift import AsyncClient, Client
from ringshift.topology import fixed
from worlds import demo, store_of

metrics = pytest.importorskip("opentelemetry.sdk.metrics")
export = pytest.importorskip("opentelemetry.sdk.metrics.export")


def collected(reader: Any) -> dict[tuple[str, str], Any]:
    data = reader.get_metrics_data()
    return {
        (metric.name, point.attributes.get("outcome") or point.attributes.get("result") or ""): (
            point.value,
            point.attributes["cluster"],
        )
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }


def test_figures_are_reported_to_the_meter_that_was_passed(tmp_path: Path, snapshot: Any) -> None:
    reader = export.InMemoryMetricReader()
    meter = metrics.MeterProvider(metric_readers=[reader]).get_meter("test")
    store = store_of("memory", tmp_path, snapshot)
    with Client.open(topology=fixed(snapshot), store=store, meter=meter) as client:
        orders = client.keyspace("orders")
        orders.put("a", "1")
        orders.get("a")
        orders.get("b")
        orders.get("c")
        found = collected(reader)
        assert found["ringshift.epoch", ""] == (1, "test")
        assert found["ringshift.operations", "written"] == (1, "test")
        assert found["ringshift.operations", "missing"] == (2, "test")
        assert found["ringshift.refreshes", ""] == (0, "test")
        assert found["ringshift.shadow_reads", "mismatch"] == (0, "test")


async def test_an_async_client_reports_too(tmp_path: Path, snapshot: Any) -> None:
    reader = export.InMemoryMetricReader()
    meter = metrics.MeterProvider(metric_readers=[reader]).get_meter("test")
    store = store_of("memory", tmp_path, snapshot)
    opening = AsyncClient.open(topology=fixed(snapshot), store=store, meter=meter)
    async with await opening as client:
        await client.keyspace("orders").put("a", "1")
        assert collected(reader)["ringshift.operations", "written"] == (1, "test")


def test_a_new_map_is_logged_and_operations_are_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "ringshift")
    new = demo("demo in double-write")
    store = store_of("memory", tmp_path, new, "demo in double-write")
    topology = fixed(demo("demo at home"))
    with Client.open(topology=topology, store=store) as client:
        client.keyspace("orders").put("celebrity", "1")
        assert caplog.records == []
        topology.replace(new)
        client.keyspace("orders").put("user:1", "1")
        assert [record.getMessage() for record in caplog.records] == [
            "snapshot of epoch 7 in force"
        ]


def test_nothing_is_printed_for_who_sets_up_no_logging() -> None:
    logger = logging.getLogger("ringshift")
    assert any(isinstance(handler, logging.NullHandler) for handler in logger.handlers)
