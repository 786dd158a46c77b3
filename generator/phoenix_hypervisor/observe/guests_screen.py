"""How guests stand: a table for people, a document for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..dialects import sizes
from ..errors import ExitCode
from .screen import paint

if TYPE_CHECKING:
    from ..operate.standing import Standing

VERSION = 1
HEADS = ("VMID", "NAME", "NODE", "STATE", "UP", "MEMORY", "ADDRESS")
COLOURS = {"✓": "green", "~": "yellow", "!": "red", "?": "magenta"}
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def lines(found: Sequence[Standing]) -> Iterator[str]:
    """Yield one line for each guest, in columns; why a node could not be asked stands below, once."""
    if not found:
        yield "no guests: they are the files of configs/guests/"
        return
    rows = [_row(standing) for standing in found]
    widths = [max(map(len, column)) for column in zip(HEADS, *rows, strict=True)]
    yield f"  {_aligned(HEADS, widths)}".rstrip()
    for standing, row in zip(found, rows, strict=True):
        sign = standing.mark.value
        remarks = "; ".join(standing.remarks)
        yield f"{paint(sign, COLOURS[sign])} {_aligned(row, widths)}  {remarks}".rstrip()
    for error in dict.fromkeys(standing.error for standing in found if standing.error):
        yield f"{paint('?', 'magenta')} {error}"


def _row(standing: Standing) -> tuple[str, ...]:
    sight, one = standing.sight, standing.one
    addresses = ", ".join(one.verbs.addresses(one.resource))
    up = span(sight.seconds) if sight.seconds is not None else ""
    return (one.guest.vmid, one.name, one.guest.node, standing.state, up, _memory(standing), addresses)


def _memory(standing: Standing) -> str:
    sight = standing.sight
    if sight.most_memory is None:
        return ""
    most = sizes.about(sight.most_memory)
    return most if sight.memory is None else f"{sizes.about(sight.memory)} of {most}"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))


def span(seconds: int) -> str:
    """Return a time in its two largest units: `3 h 12 min`."""
    parts = []
    for length, unit in UNITS:
        number, seconds = divmod(seconds, length)
        parts.append((number, unit))
    while len(parts) > 1 and not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{number} {unit}" for number, unit in parts[:2] if number or len(parts) == 1)


def document(found: Sequence[Standing], code: ExitCode, trips: Mapping[str, int]) -> dict[str, Any]:
    """Return the same as JSON values; docs/guests.md says what each means."""
    return {
        "version": VERSION,
        "exit": int(code),
        "guests": [_guest(standing) for standing in found],
        "round_trips": dict(trips),
    }


def _guest(standing: Standing) -> dict[str, Any]:
    one, sight = standing.one, standing.sight
    return {
        "name": one.name,
        "vmid": int(one.guest.vmid),
        "kind": one.ref.kind,
        "node": one.guest.node,
        "found_on": sight.node or None,
        "declared": sight.wanted,
        "state": standing.state,
        "lock": sight.lock or None,
        "waiting": list(sight.waiting),
        "stale_from": sight.stale or None,
        "seconds": sight.seconds,
        "memory": sight.memory,
        "most_memory": sight.most_memory,
        "cpu_seconds": sight.cpu_seconds,
        "addresses": list(one.verbs.addresses(one.resource)),
        "snapshots": [{"name": snapshot.name, "taken": snapshot.taken} for snapshot in sight.snapshots],
        "remarks": list(standing.remarks),
        "error": standing.error or None,
    }
