"""The picture as SVG, by a layout of our own: a band for each lane, right of those it needs, in it columns.

A column holds what needs something in the column left of it; a long one is wrapped. Boxes never overlap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from ..resource import Ref
from .drawing import Picture

SIGN = 7.3
"""How wide a sign of the font is drawn at most: it is monospaced, 12 px high."""
HEIGHT, GAP, BETWEEN, EDGE, TITLE, HIGHEST = 22.0, 8.0, 48.0, 16.0, 26.0, 14
TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#8a97a8"/></marker></defs>'
)
FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, monospace"


class Box(NamedTuple):
    """A rectangle in the picture."""

    x: float
    y: float
    width: float
    height: float


class Layout(NamedTuple):
    """Where everything is."""

    bands: Mapping[str, Box]
    boxes: Mapping[Ref, Box]
    size: tuple[float, float]


def layout(found: Picture) -> Layout:
    """Return where each lane and each resource is drawn."""
    bands: dict[str, Box] = {}
    boxes: dict[Ref, Box] = {}
    levels = _levels(found)
    left, lowest = EDGE, EDGE
    for level in sorted(set(levels.values())):
        top, widest = EDGE, 0.0
        for lane in (lane for lane in found.lanes if levels[lane] == level):
            bands[lane] = _band(found, lane, left, top, boxes)
            top += bands[lane].height + EDGE
            widest = max(widest, bands[lane].width)
        left, lowest = left + widest + BETWEEN, max(lowest, top)
    return Layout(bands, boxes, (left - BETWEEN + EDGE, lowest))


def _levels(found: Picture) -> dict[str, int]:
    """How far right each lane stands: right of those it needs. Lanes that need each other stand together."""
    lane_of = {ref: lane for lane, refs in found.lanes.items() for ref in refs}
    needs = {
        lane: {lane_of[need] for ref in refs for need in found.needs[ref] if need in lane_of} - {lane}
        for lane, refs in found.lanes.items()
    }
    levels = dict.fromkeys(found.lanes, 0)
    for _ in found.lanes:  # the longest way is no longer than there are lanes
        raised = {
            lane: 1 + max(levels[other] for other in others)
            for lane, others in needs.items()
            if others and not any(lane in needs[other] for other in others)
        }
        if levels == levels | raised:
            break
        levels |= raised
    return levels


def _band(found: Picture, lane: str, left: float, top: float, boxes: dict[Ref, Box]) -> Box:
    """Place a lane's resources, and return the band around them."""
    x, lowest = left + EDGE, top + TITLE
    for column in _columns(found, found.lanes[lane]):
        width = max(len(found.label(ref)) for ref in column) * SIGN + 2 * GAP
        for number, ref in enumerate(column):
            boxes[ref] = Box(x, top + TITLE + number * (HEIGHT + GAP), width, HEIGHT)
            lowest = max(lowest, boxes[ref].y + HEIGHT)
        x += width + BETWEEN
    wide = max(x - BETWEEN + EDGE - left, EDGE * 2 + len(lane) * SIGN)
    return Box(left, top, wide, lowest + GAP - top)


def _columns(found: Picture, refs: list[Ref]) -> Iterator[list[Ref]]:
    """The columns of a lane: by the longest way to what needs nothing in it."""
    depth: dict[Ref, int] = {}
    for ref in refs:
        depth[ref] = 1 + max((depth[need] for need in found.needs[ref] if need in depth), default=-1)
    for level in range(max(depth.values(), default=-1) + 1):
        column = [ref for ref in refs if depth[ref] == level]
        yield from (column[start : start + HIGHEST] for start in range(0, len(column), HIGHEST))


def svg(found: Picture) -> str:
    """Return the picture as a text that is a whole SVG file."""
    placed = layout(found)
    width, height = (f"{size:.0f}" for size in placed.size)
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONT}" font-size="12">',
        TIP,
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for lane, band in placed.bands.items():
        lines.append(_rectangle(band, "#fafbfc", "#c5cfdb", 6))
        lines.append(
            f'<text x="{band.x + GAP:.1f}" y="{band.y + 17:.1f}" font-weight="bold">{escape(lane)}</text>'
        )
    for ref, needs in found.drawn.items():
        lines += [_arrow(placed.boxes[ref], placed.boxes[need]) for need in needs]
    for ref, box in placed.boxes.items():
        needs = found.needs[ref]
        title = f"{ref.full} needs {', '.join(need.full for need in needs) or 'nothing'}"
        lines.append(f"<g id={quoteattr(ref.full)}><title>{escape(title)}</title>")
        lines.append(_rectangle(box, found.fill(ref), "#5b6b7f", 3))
        text = escape(found.label(ref))
        lines.append(f'<text x="{box.x + GAP:.1f}" y="{box.y + 15:.1f}">{text}</text></g>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def _rectangle(box: Box, fill: str, stroke: str, round_: int) -> str:
    return (
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
        f'rx="{round_}" fill="{fill}" stroke="{stroke}"/>'
    )


def _arrow(start: Box, end: Box) -> str:
    """From the left of what needs to the right of what is needed."""
    x, y = start.x, start.y + start.height / 2
    to_x, to_y = end.x + end.width, end.y + end.height / 2
    bend = max(abs(x - to_x) / 2, BETWEEN / 2)
    way = f"M{x:.1f},{y:.1f} C{x - bend:.1f},{y:.1f} {to_x + bend:.1f},{to_y:.1f} {to_x:.1f},{to_y:.1f}"
    return f'<path d="{way}" fill="none" stroke="#8a97a8" marker-end="url(#tip)"/>'
