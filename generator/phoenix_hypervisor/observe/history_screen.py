"""Runs that were recorded: a table of them, and one told again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .screen import SIGNS, paint, shortened, shown

if TYPE_CHECKING:
    from ..records.events import Event
    from ..records.files import Record

VERSION = 1
HEAD = ("RUN", "WHEN", "VERB", "WHO", "RESULT", "TOOK")
ENDINGS = {
    0: ("✓", "green", "all as declared"),
    1: ("✗", "red", "failed"),
    2: ("~", "yellow", "changes pending"),
    3: ("?", "magenta", "could not tell"),
    130: ("✗", "yellow", "stopped"),
}
LOOKING = ("plan", "apply", "verify", "recreate", "watch")
"""Verbs whose end says how everything is; of the others only that they did what they were asked."""
BY_HAND = {0: ("✓", "green", "done"), 2: ("~", "yellow", "not agreed to")}
CUT = ("…", "yellow", "no end: cut, or still at work")


def lines(found: Sequence[Record]) -> Iterator[str]:
    """Yield a line for each run."""
    if not found:
        yield "no runs are recorded here: `phoenix apply`, `plan` and `verify` leave records"
        return
    rows = [_row(record) for record in found]
    widths = [max(map(len, column)) for column in zip(HEAD, *rows, strict=True)]
    yield f"  {_aligned(HEAD, widths)}"
    for record, row in zip(found, rows, strict=True):
        sign, colour, _ = _ending(record.run, record.end)
        yield f"{paint(sign, colour)} {_aligned(row, widths)}"


def _row(record: Record) -> tuple[str, ...]:
    run, end = record.run, record.end
    said = _ending(run, end)[2]
    steps = record.counts.get("ran", 0)
    if steps:
        said += f", {steps} step{'' if steps == 1 else 's'}"
    if record.failed:
        said += f", {record.failed} failed"
    took = f"{end['seconds']:.1f} s" if end else ""
    return (record.name, _when(run), str(run.get("verb", "")), str(run.get("who", "")), said, took)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _when(event: Event) -> str:
    """The time of an event where we are."""
    try:
        return datetime.fromisoformat(str(event["at"])).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (KeyError, ValueError):
        return ""


def _ending(run: Event, end: Event) -> tuple[str, str, str]:
    if not end:
        return CUT
    endings = ENDINGS if run.get("verb", "plan") in LOOKING else ENDINGS | BY_HAND
    return endings.get(int(end.get("exit", 1)), ("✗", "red", f"ended with {end.get('exit')}"))


def document(found: Sequence[Record]) -> dict[str, Any]:
    """Return the same as JSON values."""
    return {
        "version": VERSION,
        "runs": [
            {
                "run": record.name,
                "at": record.run.get("at"),
                "verb": record.run.get("verb"),
                "who": record.run.get("who"),
                "exit": record.end.get("exit"),
                "seconds": record.end.get("seconds"),
                "steps": record.counts.get("ran", 0),
                "failed": record.failed,
            }
            for record in found
        ],
    }


def told_again(events: Sequence[Event]) -> Iterator[str]:
    """Yield one run as a person reads it."""
    by_sort: dict[str, Mapping[str, Any]] = {str(event["event"]): event for event in events}
    run, end = by_sort.get("run", {}), by_sort.get("end", {})
    yield f"{events[0]['run']}  {run.get('verb', '')}  {_when(run)}  {run.get('who', '')}"
    yield f"  called as: {' '.join(map(str, run.get('arguments', ())))}"
    if revision := by_sort.get("revision", {}).get("revision"):
        yield f"  by the files of: {revision}"
    if plan := by_sort.get("plan", {}).get("plan"):
        entries = [entry for entry in plan["entries"] if entry["changes"] or entry["steps"]]
        yield f"  planned: {len(entries)} of {len(plan['resources'])} resources differed"
        yield from _drift(entries)
    for event in events:
        yield from _line(event)
    sign, colour, said = _ending(run, end)
    took = f" after {end['seconds']:.1f} s" if end else ""
    yield f"{paint(sign, colour)} {said}{took}"


def _drift(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for entry in entries:
        there = next((c["actual"] for c in entry["changes"] if c["attribute"] == "present"), None)
        sign = "change" if there is None else "remove" if there else "create"
        yield f"    {paint(*SIGNS[sign])} {entry['resource']}"
        for change in entry["changes"]:
            if change["attribute"] != "present":
                yield f"        {change['attribute']}: {shown(change['actual'])} → {shown(change['desired'])}"


def _line(event: Event) -> Iterator[str]:
    clock = _when(event)[-8:]
    match event["event"]:
        case "ran":
            sign = paint("✓", "green") if event["status"] == 0 else paint("✗", "red")
            said = f": {event['said']}" if event["status"] else ""
            seconds = f"({event['seconds']:.1f} s)"
            yield f"  {clock} {sign} {event['resource']}: {shortened(str(event['title']))}  {seconds}{said}"
        case "stuck":
            yield f"  {clock} {paint('✗', 'red')} {event['resource']}: {event['reason']}"
        case "check":
            yield f"  {clock} {paint('✗', 'red')} {event['check']}: {event['reason']}"
        case "error":
            yield f"  {clock} {paint('✗', 'red')} {event['message']}"
