"""The core's published vectors of plans."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from ringshift import Snapshot
from ringshift.errors import RingshiftError
from ringshift.migrate import Plan, advise_strategy, plan
from support import cases, plain


def snapshot_of(case: dict[str, Any]) -> Snapshot:
    """The snapshot that a case is about."""
    return Snapshot.decode(bytes.fromhex(case["snapshot"]))


@pytest.mark.parametrize("given", [lambda data: data, json.dumps], ids=["data", "text"])
@pytest.mark.parametrize("case", cases("plans", "plans"), ids=lambda case: case["why"])
def test_wishes_give_exactly_these_plans(case: dict[str, Any], given: Any) -> None:
    snapshot, options = snapshot_of(case), case["options"]
    options = None if options is None else given(options)
    made = plan(snapshot, given(case["changes"]), case["wave_slots_max"], options)
    assert plain(made.data) == case["plan"]
    assert str(made) == case["text"]
    assert [asdict(figures) for figures in made.figures] == case["plan"]["figures"]
    assert plain(made.waves) == case["plan"]["log"]["planned"]
    assert plain(Plan.from_data(given(case["plan"])).data) == case["plan"]
    made.check(snapshot)


@pytest.mark.parametrize("given", [lambda data: data, json.dumps], ids=["data", "text"])
@pytest.mark.parametrize("case", cases("plans", "refused"), ids=lambda case: case["why"])
def test_wishes_that_cannot_be_planned_are_refused(case: dict[str, Any], given: Any) -> None:
    options = None if case["options"] is None else given(case["options"])
    with pytest.raises(RingshiftError) as caught:
        plan(snapshot_of(case), given(case["changes"]), case["wave_slots_max"], options)
    assert caught.value.code == case["error"]


@pytest.mark.parametrize("case", cases("plans", "checks"), ids=lambda case: case["why"])
def test_a_plan_fits_its_own_snapshot_only(case: dict[str, Any]) -> None:
    kept = Plan.from_data(case["plan"])
    if case["error"] is None:
        kept.check(snapshot_of(case))
        return
    with pytest.raises(RingshiftError) as caught:
        kept.check(snapshot_of(case))
    assert caught.value.code == case["error"]


def test_circumstances_choose_the_strategy() -> None:
    for case in cases("plans", "advice"):
        assert plain(advise_strategy(case["circumstances"])) == case["advice"]
