"""A keyspace's slots, drawn round a ring."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ringshift import Snapshot

PARTS_MAX = 2048
"""Parts that the ring is drawn in: more could not be told apart."""
SHARDS_MAX = 24
"""Shards in the legend."""
# One grey and one lightness that stand out from white and from black alike.
INK = "#7a7a7a"


def colour(index: int) -> str:
    """Give a shard its colour: each next one is a golden angle away."""
    return f"hsl({index * 137.508 % 360:.0f} 62% {(52, 44, 60)[index // 8 % 3]}%)"


def dashes(parts: Iterable[bool]) -> str:
    """Say which parts are drawn, as lengths that are drawn and left out in turn."""
    runs = [(drawn, sum(1 for _ in run)) for drawn, run in groupby(parts)]
    lengths = [count for _, count in runs]
    if runs and not runs[0][0]:
        lengths.insert(0, 0)
    if len(lengths) % 2:
        lengths.append(0)
    return " ".join(map(str, lengths))


def circle(radius: int, width: int, ink: str, parts: list[bool], title: str) -> str:
    """Draw these parts of a circle."""
    return (
        f'<circle cx="150" cy="150" r="{radius}" fill="none" stroke="{ink}" '
        f'stroke-width="{width}" pathLength="{len(parts)}" transform="rotate(-90 150 150)" '
        f'stroke-dasharray="{dashes(parts)}"><title>{escape(title)}</title></circle>'
    )


def label(x: int, y: int, text: str, rest: str = "") -> str:
    """Write a line."""
    return f'<text x="{x}" y="{y}" {rest}>{escape(text)}</text>'


def draw(snapshot: Snapshot, keyspace: str | None = None) -> str:
    """Draw a keyspace of `snapshot`, by itself the first, as SVG."""
    name = keyspace if keyspace is not None else snapshot.keyspaces[0]
    owners = [int(owner) for owner in snapshot.owners(name)]
    count = min(len(owners), PARTS_MAX)
    places = [part * len(owners) // count for part in range(count)]
    shown = snapshot.shards[:SHARDS_MAX]
    height = max(300, 52 + 20 * len(shown))
    lines, sizes = [], Counter(owners)
    for index, shard in enumerate(snapshot.shards):
        slots = sizes[index]
        told = f"{shard.name}: {slots} slots, {100 * slots / len(owners):.1f} %"
        parts = [owners[place] == index for place in places]
        if any(parts):
            lines.append(circle(105, 40, colour(index), parts, told))
        if index < SHARDS_MAX:
            y = 44 + 20 * index
            lines.append(
                f'<rect x="300" y="{y - 11}" width="13" height="13" rx="2" fill="{colour(index)}"/>'
            )
            lines.append(label(320, y, told))
    (content,) = (of for of in snapshot.draft()["keyspaces"] if of["name"] == name)
    for wave in content["waves"]:
        held = [any(r["start"] <= p < r["end"] for r in wave["slots"]) for p in places]
        phase = wave["phase"] if isinstance(wave["phase"], str) else "ended"
        told = f"moving from shard {wave['from']} to {wave['to']}: {phase}"
        if any(held):
            lines.append(circle(134, 6, INK, held, told))
    if len(snapshot.shards) > SHARDS_MAX:
        lines.append(label(320, height - 6, f"and {len(snapshot.shards) - SHARDS_MAX} more"))
    middle = 'text-anchor="middle"'
    lines.append(label(150, 146, name, f'{middle} font-weight="bold"'))
    lines.append(label(150, 166, f"epoch {snapshot.epoch}, {len(owners)} slots", middle))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 560 {height}" width="560" '
        f'role="img" font-family="system-ui, sans-serif" font-size="13" fill="{INK}">'
        f"<title>{escape(f'{snapshot.cluster}: {name}')}</title>{''.join(lines)}</svg>"
    )
