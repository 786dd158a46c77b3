"""What is wrong, in the words by which a workflow of GitHub's shows it beside the line of a file.

`::error file=…,line=…,col=…,title=…::message`, with its own way of escaping (workflow commands, in GitHub's
documentation of Actions). Written only where GITHUB_ACTIONS is `true`, which GitHub sets.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..errors import Problem, Where
from ..inspect.looks import Status
from .screen import shown

if TYPE_CHECKING:
    from ..config import Site
    from ..converge.outcome import Outcome
    from ..converge.plan import Plan


def wanted() -> bool:
    """Whether GitHub runs us."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def of_problems(problems: Iterable[Problem]) -> Iterator[str]:
    """Yield a line for each problem of a site's files."""
    for problem in problems:
        hint = f"\n{problem.hint}" if problem.hint else ""
        sort = "warning" if problem.warning else "error"
        yield _line(sort, problem.where, problem.rule or "configuration", problem.message + hint)


def of_plan(site: Site, plan: Plan) -> Iterator[str]:
    """Yield a line for each resource that differs, cannot be repaired or could not be looked at."""
    for entry in plan.entries:
        where = site.place(entry.ref) if entry.ref in site.resources else None
        changes = [
            f"{name}: {shown(found.actual)} → {shown(found.desired)}"
            for name, found in entry.look.change.attributes.items()
        ]
        said = [*changes, *(refusal.reason for refusal in entry.refusals), *entry.look.reasons]
        sort = "error" if entry.refusals else "warning"
        words = f"{entry.ref.full}: {entry.look.status.value}"
        yield _line(sort, where, words, "\n".join(said) or words)


def of_looks(site: Site, outcome: Outcome) -> Iterator[str]:
    """Yield a line for each resource that is not as declared when an apply has ended."""
    for ref, look in outcome.looks.items():
        if look.status is Status.OK:
            continue
        after = f"waits for {look.blocked_by}" if look.blocked_by else ""
        said = outcome.stuck.get(ref) or outcome.waiting.get(ref) or "; ".join(look.reasons) or after
        sort = "error" if ref in outcome.stuck else "warning"
        words = f"{ref.full}: {look.status.value}"
        yield _line(sort, site.place(ref) if ref in site.resources else None, words, said or words)


def _line(sort: str, where: Where | None, title: str, message: str) -> str:
    facts = {"file": where.file, "line": str(where.line), "col": str(where.column)} if where else {}
    told = ",".join(f"{name}={_fact(value)}" for name, value in {**facts, "title": title}.items())
    return f"::{sort} {told}::{_text(message)}"


def _text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _fact(text: str) -> str:
    return _text(text).replace(":", "%3A").replace(",", "%2C")
