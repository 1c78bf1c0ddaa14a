"""The core's published vectors of deltas."""

from __future__ import annotations

from typing import Any

import pytest

from ringshift import Router, Snapshot
from ringshift.errors import ArgumentError, RingshiftError
from support import cases


@pytest.mark.parametrize("case", cases("deltas", "deltas"), ids=lambda case: case["why"])
def test_deltas_lead_to_exactly_these_bytes(case: dict[str, Any]) -> None:
    base, delta, result = (bytes.fromhex(case[part]) for part in ("base", "delta", "result"))
    snapshot = Snapshot.decode(base)
    made = snapshot.advance(delta)
    assert made.encode() == snapshot.advance(result).encode() == result
    assert snapshot.encode() == base, "what was at hand stays"
    assert snapshot.delta(made) == delta
    assert Router(snapshot).install(made) == ("same" if base == result else "replaced")


@pytest.mark.parametrize("case", cases("deltas", "refused"), ids=lambda case: case["why"])
def test_what_leads_nowhere_is_refused(case: dict[str, Any]) -> None:
    snapshot = Snapshot.decode(bytes.fromhex(case["base"]))
    with pytest.raises(RingshiftError) as caught:
        snapshot.advance(bytes.fromhex(case["delta"]))
    assert caught.value.code == case["error"]
    assert snapshot.encode().hex() == case["base"]


def test_there_is_no_delta_back_and_none_but_of_bytes() -> None:
    case = cases("deltas", "deltas")[0]
    old, new = (Snapshot.decode(bytes.fromhex(case[part])) for part in ("base", "result"))
    with pytest.raises(RingshiftError) as caught:
        new.delta(old)
    assert caught.value.code == "older_snapshot"
    with pytest.raises(ArgumentError):
        old.advance("delta")  # type: ignore[arg-type]
    with pytest.raises(RingshiftError) as caught:
        Snapshot.decode(bytes.fromhex(case["delta"]))
    assert caught.value.code == "topology_format"
