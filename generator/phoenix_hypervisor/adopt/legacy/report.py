"""What an import did, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from ...errors import Problem, Where
from .importing import Imported
from .ledger import FATES, Fate

VERSION = 1


def document(result: Imported, questions: Sequence[Problem], exit_code: int) -> dict[str, Any]:
    """Return all of it for `--json`."""
    return {
        "version": VERSION,
        "exit": exit_code,
        "summary": dict(counted(result)),
        "leaves": [{**fate._asdict(), "where": _place(fate.where)} for fate in result.fates],
        "findings": [_finding(problem) for problem in result.findings],
        "decisions": [{**one._asdict(), "where": _place(one.where)} for one in result.decisions],
        "validate": [_finding(problem) for problem in questions],
        "files": sorted(result.files),
    }


def _finding(problem: Problem) -> dict[str, Any]:
    return {**problem._asdict(), "where": _place(problem.where)}


def _place(where: Where | None) -> str | None:
    return str(where) if where else None


def counted(result: Imported) -> list[tuple[str, int]]:
    """Return how many leaves had which fate."""
    number = Counter(fate.fate for fate in result.fates)
    return [(fate, number[fate]) for fate in FATES]


def screen(result: Imported, questions: Sequence[Problem]) -> Iterator[str]:
    """Yield the summary for a screen: defects, decisions, and the table of leaves by file."""
    for problem in result.findings:
        yield str(problem)
    if result.findings:
        yield ""
    yield from _decisions(result, questions)
    files = dict.fromkeys(fate.file for fate in result.fates)
    width = max([len(name) for name in files] or [0])
    yield f"{'':{width}}  {'  '.join(f'{fate:>10}' for fate in FATES)}"
    for name in files:
        number = Counter(fate.fate for fate in result.fates if fate.file == name)
        yield f"{name:{width}}  {'  '.join(f'{number[fate]:10}' for fate in FATES)}"


def _decisions(result: Imported, questions: Sequence[Problem]) -> Iterator[str]:
    if result.decisions or questions:
        yield "To decide:"
    for number, decision in enumerate(result.decisions, 1):
        place = f"{decision.where}: " if decision.where else ""
        there = f" ({decision.there})" if decision.there else ""
        yield f"{number:3} {place}{decision.what}{there}"
    if questions:
        yield "What `phoenix validate` says of the new site:"
        yield from (f"  {problem}" for problem in questions)
    if result.decisions or questions:
        yield ""


def markdown(result: Imported, questions: Sequence[Problem]) -> str:
    """Return the whole report, every leaf of the input in it."""
    lines = ["# Import of the predecessor's files", ""]
    lines += [f"* {fate}: {number}" for fate, number in counted(result)]
    lines += ["", "## To decide", ""]
    lines += [
        f"1. {_safe(decision.what)} {_at(decision.where)} {_safe(decision.there)}"
        for decision in result.decisions
    ]
    lines += [
        f"1. `phoenix validate`: {_safe(problem.message)} {_at(problem.where)}" for problem in questions
    ]
    lines += ["", "## Defects", "", "| rule | where | what | what to do |", "|---|---|---|---|"]
    lines += [
        f"| {one.rule} | {_at(one.where)} | {_safe(one.message)} | {_safe(one.hint)} |"
        for one in result.findings
    ]
    lines += [
        "",
        "## Every value",
        "",
        "| where | path | value | fate | to | why |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_row(fate) for fate in result.fates]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _row(fate: Fate) -> str:
    cells = (str(fate.where), fate.path, fate.value, fate.fate, fate.to, fate.why)
    return f"| {' | '.join(map(_safe, cells))} |"


def _at(where: Where | None) -> str:
    return _safe(str(where)) if where else ""


def _safe(text: str) -> str:
    """A text for a cell: one line, and nothing that ends the cell."""
    return "".join(char if char.isprintable() else "?" for char in text).replace("|", "\\|")
