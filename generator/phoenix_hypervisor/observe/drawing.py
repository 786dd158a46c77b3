"""Resources and their needs as a picture: Graphviz, Mermaid, JSON, a tree; the SVG is in `drawing_svg.py`.

An arrow leads from a resource to what it needs. Needs that follow from others are left out of pictures, and
are in the JSON. Resources of one lane stand together.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from ..resource import Ref

if TYPE_CHECKING:
    from ..config import Site
    from ..inspect.looks import Look

VERSION = 1
COLOURS = {
    "": "#eef2f7",
    "ok": "#d9f2d9",
    "drift": "#fff0b3",
    "unhealthy": "#ffd9b3",
    "unknown": "#e6d9f2",
    "blocked": "#e0e0e0",
}
"""Status → fill. Nothing is told by colour alone: the sign stands before the name."""
SIGNS = {"": "", "ok": "✓ ", "drift": "~ ", "unhealthy": "! ", "unknown": "? ", "blocked": "= "}


class Picture(NamedTuple):
    """What is drawn."""

    lanes: Mapping[str, list[Ref]]
    """Lane → its resources, each after what it needs."""
    needs: Mapping[Ref, list[Ref]]
    """All needs among what is drawn."""
    drawn: Mapping[Ref, list[Ref]]
    """Those that do not follow from others."""
    status: Mapping[Ref, str]
    """What an inspection found; empty without one."""

    def label(self, ref: Ref) -> str:
        """Return what stands in a resource's box."""
        return f"{SIGNS[self.status.get(ref, '')]}{ref}"

    def fill(self, ref: Ref) -> str:
        """Return the colour of its box."""
        return COLOURS[self.status.get(ref, "")]


def picture(site: Site, hosts: Collection[str] = (), looks: Mapping[Ref, Look] | None = None) -> Picture:
    """Return the picture of a site, or of some hosts: a node with what lives on it, or a guest."""
    lanes: dict[str, list[Ref]] = {}
    for ref in site.resources:
        guest = site.guest_of(ref)
        lane = guest.name if guest else ref.host
        if not hosts or {lane, site.node_of(lane)} & {*hosts}:
            lanes.setdefault(lane, []).append(ref)
    there = {ref for refs in lanes.values() for ref in refs}
    needs = {
        ref: [need for need in site.needs[ref] if need in there] for ref in site.resources if ref in there
    }
    behind: dict[Ref, set[Ref]] = {}
    for ref, direct in needs.items():  # each after what it needs
        behind[ref] = {*direct}.union(*(behind[need] for need in direct))
    drawn = {
        ref: [need for need in direct if not any(need in behind[other] for other in direct if other != need)]
        for ref, direct in needs.items()
    }
    status = {ref: look.status.value for ref, look in (looks or {}).items() if ref in there}
    return Picture(lanes, needs, drawn, status)


class Hosts(Picture):
    """A picture of nodes and guests; a lane is a node with its guests. Each stands for all that is in it."""

    def label(self, ref: Ref) -> str:
        """Return the name of the node or guest."""
        return f"{SIGNS[self.status.get(ref, '')]}{ref.name}"


def hosts(site: Site, found: Picture) -> Hosts:
    """Return the picture of what needs what among nodes and guests; a node needs none of its guests."""
    lane_of = {ref: lane for lane, refs in found.lanes.items() for ref in refs}
    place = {lane: number for number, lane in enumerate(found.lanes)}
    direct: dict[str, set[str]] = {lane: set() for lane in found.lanes}
    for ref, needed in found.needs.items():
        direct[lane_of[ref]] |= {lane_of[need] for need in needed if need in lane_of} - {lane_of[ref]}
    behind: dict[str, set[str]] = {lane: set() for lane in found.lanes}
    needs: dict[str, list[str]] = {lane: [] for lane in found.lanes}
    for lane, others in direct.items():
        for other in sorted(others, key=place.__getitem__):
            if site.node_of(lane) == lane or lane in behind[other]:
                continue  # of two that need each other, one way is enough
            needs[lane].append(other)
            new = {other, *behind[other]}
            for one, its in behind.items():
                if one == lane or lane in its:
                    its.update(new)
    refs = {lane: Ref(site.node_of(lane), "host", lane) for lane in found.lanes}
    ordered = sorted(found.lanes, key=lambda lane: len(behind[lane]))
    lanes: dict[str, list[Ref]] = {}
    for lane in ordered:
        lanes.setdefault(site.node_of(lane), []).append(refs[lane])
    every = {refs[lane]: [refs[one] for one in needs[lane]] for lane in ordered}
    drawn = {
        ref: [one for one in some if not any(one.name in behind[other.name] for other in some)]
        for ref, some in every.items()
    }
    status = {
        refs[lane]: _worst({found.status.get(ref, "") for ref in found.lanes[lane]}) for lane in ordered
    }
    return Hosts(lanes, every, drawn, status)


def _worst(statuses: Collection[str]) -> str:
    return next((one for one in ("unknown", "unhealthy", "drift", "blocked", "ok") if one in statuses), "")


def dot(found: Picture) -> str:
    """Return the picture in Graphviz's language."""
    lines = ["digraph site {", "  rankdir=RL", '  node [shape=box, style=filled, fontname="sans-serif"]']
    for number, (lane, refs) in enumerate(found.lanes.items()):
        lines += [f"  subgraph cluster_{number} {{", f"    label={_quoted(lane)}"]
        for ref in refs:
            words = f"label={_quoted(found.label(ref))}, fillcolor={_quoted(found.fill(ref))}"
            lines.append(f"    {_quoted(ref.full)} [{words}]")
        lines.append("  }")
    for ref, needs in found.drawn.items():
        lines += [f"  {_quoted(ref.full)} -> {_quoted(need.full)}" for need in needs]
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def mermaid(found: Picture) -> str:
    """Return the picture in Mermaid's language, as pages in Markdown show it."""
    names = {ref: f"r{number}" for number, ref in enumerate(found.needs)}
    lines = ["flowchart RL"]
    for number, (lane, refs) in enumerate(found.lanes.items()):
        lines.append(f'  subgraph lane{number}["{_escaped(lane)}"]')
        lines += [f'    {names[ref]}["{_escaped(found.label(ref))}"]' for ref in refs]
        lines.append("  end")
    for ref, needs in found.drawn.items():
        lines += [f"  {names[ref]} --> {names[need]}" for need in needs]
    for status, colour in COLOURS.items():
        marked = [names[ref] for ref in names if status and found.status.get(ref) == status]
        if marked:
            lines += [f"  classDef {status} fill:{colour}", f"  class {','.join(marked)} {status}"]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """A text between Mermaid's quotes: what it may read as its own is written as a number."""
    return "".join(char if char.isalnum() or char in " :/._-,+@~✓!?=*" else f"#{ord(char)};" for char in text)


def tree(found: Picture) -> str:
    """Return the picture as a tree of text: lanes, and their resources, each below what it needs first."""
    lines = []
    for lane, refs in found.lanes.items():
        below: dict[Ref | None, list[Ref]] = {}
        for ref in refs:
            first = next((need for need in found.drawn[ref] if need in refs), None)
            below.setdefault(first, []).append(ref)
        lines += [lane, *_branches(found, below, None, "")]
    return "\n".join(lines) + "\n"


def _branches(
    found: Picture, below: Mapping[Ref | None, list[Ref]], above: Ref | None, indent: str
) -> Iterator[str]:
    refs = below.get(above, [])
    for number, ref in enumerate(refs, 1):
        last = number == len(refs)
        further = [need for need in found.drawn[ref] if need != above]
        said = ", ".join(str(need) if need.host == ref.host else need.full for need in further)
        yield f"{indent}{'└─' if last else '├─'} {found.label(ref)}" + (f"  needs {said}" if said else "")
        yield from _branches(found, below, ref, indent + ("   " if last else "│  "))


def document(found: Picture) -> str:
    """Return all that is drawn, and every need, as JSON."""
    lanes = {ref: lane for lane, refs in found.lanes.items() for ref in refs}
    resources = [
        {
            "resource": ref.full,
            "host": ref.host,
            "kind": ref.kind,
            "name": ref.name,
            "lane": lanes[ref],
            "status": found.status.get(ref),
            "needs": [need.full for need in needs],
        }
        for ref, needs in found.needs.items()
    ]
    return json.dumps({"version": VERSION, "resources": resources}, indent=2, ensure_ascii=False) + "\n"
