"""The report as one file: HTML with its style in it, no scripts, nothing from anywhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...dialects import sizes
from ...resource import Effect
from ..drawing import SIGNS
from ..screen import differing

if TYPE_CHECKING:
    from ...config.budgets import Budget, Claim
    from ...resource import Ref
    from .facts import Report

HERE = Path(__file__).parent
WORDS = {
    "": ("·", "not looked at"),
    "ok": ("✓", "as declared"),
    "drift": ("~", "differs"),
    "unhealthy": ("!", "unhealthy"),
    "unknown": ("?", "could not tell"),
    "blocked": ("=", "waits"),
}
"""Status → its sign, and in words: nothing is told by colour alone."""
ENDINGS = {0: "ok", 1: "unhealthy", 2: "drift", 3: "unknown"}
LEAST_WAITED = 0.05
"""Seconds of waiting that are worth a mark in the timeline."""
MOST_SHOWN = 12
"""Resources that differed and wait for nobody: more of them are folded away."""
MOST_HOSTS = 200
"""Nodes and guests of a site that are drawn."""
MOST_DRAWN = 2000
"""Resources of a site whose graph is drawn into the page; of larger ones no browser likes the picture."""


def html(found: Report, graphs: Sequence[str]) -> str:
    """Return the page. `graphs` are whole SVG files: the first is shown, the others are folded away."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["differing"] = differing
    environment.filters |= {"when": when, "amount": amount, "lasting": lasting}
    environment.globals |= {"words": WORDS, "signs": SIGNS}
    used = {bar.effect for bars in found.lanes.values() for bar in bars}
    return environment.get_template("page.html.j2").render(
        report=found,
        style=(HERE / "style.css").read_text(encoding="utf-8"),
        graphs=[graph.partition("?>")[2] or graph for graph in graphs],
        many_nodes=len({host.node for host in found.hosts}) > 1,
        any_waited=any(bar.waited > LEAST_WAITED for bars in found.lanes.values() for bar in bars),
        any_failed=any(bar.failed for bars in found.lanes.values() for bar in bars),
        least_waited=LEAST_WAITED,
        total=Counter(look.status for looks in found.looks.values() for look in looks),
        ending=_ending(found.end),
        **_folding(found),
        effects=[effect for effect in map(str, Effect) if effect in used],
        budget_rows=[_budget(budget, found.guests) for budget in found.budgets],
        percent=lambda seconds: f"{100 * seconds / (found.seconds or 1):.3f}",
    )


def _folding(found: Report) -> dict[str, Any]:
    """From which of what differed on it is folded away: of many, what no person must look at.

    Those that were not repaired stand first.
    """
    wrong = sum(entry["resource"] in found.stuck or bool(entry["refusals"]) for entry in found.entries)
    now = {look.resource: look.status for looks in found.looks.values() for look in looks}
    rest = found.entries[wrong:]
    repaired = all(now.get(str(entry["resource"])) == "ok" for entry in rest)
    return {"folded": wrong + 1 if len(rest) > MOST_SHOWN else 0, "repaired": repaired}


def when(text: str) -> str:
    """Return a time of a record as people write it; UTC, because nobody knows where the page is read."""
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (TypeError, ValueError):
        return ""


def lasting(seconds: float) -> str:
    """Return how long something took: `35 ms`, `3.50 s`, `2 min 5 s`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def amount(value: float | None, unit: str) -> str:
    """Return an amount of a budget."""
    if value is None:
        return "all of it"
    return sizes.about(value) if unit == "bytes" else f"{value:.0f}"


def _ending(end: Mapping[str, Any]) -> tuple[str, str]:
    """The status by which a run's end is shown, and the words for it."""
    from ..history_screen import CUT
    from ..history_screen import ENDINGS as SAID

    if not end:
        return "unknown", CUT[2]
    code = int(end.get("exit", 1))
    return ENDINGS.get(code, "unhealthy"), SAID[code][2] if code in SAID else f"ended with {code}"


def _budget(budget: Budget, guests: Mapping[Ref, str]) -> dict[str, Any]:
    share = budget.used / budget.limit if budget.limit else None
    over = budget.exceeded_by is not None
    return {
        "budget": budget,
        "share": share,
        "width": min(100.0, 100 * (share or 0)),
        "state": ("over" if budget.binding else "shared") if over else "fits",
        "claims": sorted(budget.claims, key=_largest),
        "guests": {claim.ref: guests.get(claim.ref, "") for claim in budget.claims},
    }


def _largest(claim: Claim) -> float:
    return -(claim.amount or 0)
