"""The core's vectors of what a coordinator judges by: gates, hours, pace, checklist."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ringshift.errors import ArgumentError
from ringshift.migrate import Pace, advise_strategy, allowed, checklist, judge
from support import cases, plain

GIVEN = pytest.mark.parametrize("given", [lambda data: data, json.dumps], ids=["data", "text"])


@GIVEN
def test_verdicts(given: Any) -> None:
    for case in cases("gates", "verdicts"):
        health = None if case["health"] is None else given(case["health"])
        said = judge(given(case["gates"]), health, given(case["own"]), case["shards"])
        assert plain(said) == case["verdicts"], case
    assert len(judge({}, None)) == 5


@GIVEN
def test_hours(given: Any) -> None:
    for case in cases("gates", "hours"):
        clock = case["unix_ms"], case["utc_offset_min"]
        assert allowed(given(case["calendar"]), *clock) == case["allowed"], case
    for case in cases("gates", "no_calendars"):
        with pytest.raises(ArgumentError):
            allowed(given(case["calendar"]), None)


@GIVEN
def test_paces(given: Any) -> None:
    for case in cases("gates", "paces"):
        pace = Pace(given(case["throttle"]))
        for event in case["events"]:
            if "p99" in event:
                pace.handle_p99(*event["p99"])
            else:
                pace.spend(*event["spend"])
            said = pace.rate(), pace.rate(700), pace.ready_at
            assert said == (event["rate"], event["under"], event["ready_at"]), event


@GIVEN
def test_checklists(given: Any) -> None:
    for case in cases("gates", "checklists"):
        assert checklist(given(case["ticks"]), given(case["settings"])) == case["items"], case


@pytest.mark.parametrize(
    "call",
    [
        lambda: judge({"nothing": 1}, None),
        lambda: judge({}, {"error_ppm": -1}),
        lambda: judge({}, None, {"shadow": 1}),
        lambda: judge({}, None, {}, [-1]),
        lambda: allowed({}, 2**63),
        lambda: allowed({}, 1, 2**15),
        lambda: Pace({"rows": 1}),
        lambda: Pace("{"),
        lambda: Pace({}).rate(-1),
        lambda: Pace({}).handle_p99(0, -1, 1),
        lambda: checklist({"marks": [{}]}, {}),
        lambda: checklist({}, {"checks": 1}),
        lambda: advise_strategy({"risk": "none"}),
    ],
)
def test_what_is_no_data_of_theirs_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ArgumentError):
        call()
