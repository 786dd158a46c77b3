"""Documents for programs: the plan and the outcome as versioned JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ExitCode, HostError
from ..inspect.looks import Look
from ..resource import Ref, Step
from .firewall_screen import effect_rows

if TYPE_CHECKING:
    from ..converge.outcome import Outcome
    from ..converge.plan import Entry, Plan
    from ..firewall.effect import Effect

VERSION = 1
OUTCOME = ("resources", "checks", "stuck", "waiting", "reasons", "notices")
"""What of an outcome's document is told to those who have heard all the rest."""


def plan_document(
    plan: Plan,
    looks: Mapping[Ref, Look],
    trips: Mapping[str, int],
    reach: Mapping[Ref, Sequence[Effect]] | None = None,
    run: str = "",
    lost: Mapping[str, HostError] | None = None,
) -> dict[str, Any]:
    """Return the plan as JSON values; docs/plan.md says what each means.

    `run` is the name of its record; `lost` are the nodes of which nothing is known.
    """
    return {
        "version": VERSION,
        "exit": int(plan.code),
        "run": run,
        "lost": {node: error.message for node, error in (lost or {}).items()},
        "entries": [
            _entry(entry) | {"reach": effect_rows((reach or {}).get(entry.ref, ()))} for entry in plan.entries
        ],
        "resources": {ref.full: look.status.value for ref, look in looks.items()},
        "checks": _checks(looks),
        "orphans": [ref.full for ref in plan.orphans],
        "notices": {**{node: list(said) for node, said in plan.notices.items()}, **_notices(looks)},
        "round_trips": dict(trips),
    }


def outcome_document(plan: dict[str, Any], outcome: Outcome, code: ExitCode) -> dict[str, Any]:
    """Return what an apply did, with the plan it carried out."""
    return {
        "version": VERSION,
        "exit": int(code),
        "plan": plan,
        "steps": [ran.row for ran in outcome.ran],
        "resources": {ref.full: look.status.value for ref, look in outcome.looks.items()},
        "checks": _checks(outcome.looks),
        "stuck": {ref.full: reason for ref, reason in outcome.stuck.items()},
        "waiting": {ref.full: reason for ref, reason in outcome.waiting.items()},
        "reasons": {ref.full: list(look.reasons) for ref, look in outcome.looks.items() if look.reasons},
        "notices": _notices(outcome.looks),
        "phases": outcome.phases,
    }


def text(document: Mapping[str, Any]) -> str:
    """Return a document as JSON text; sets are sorted, anything else unknown is shown as text."""
    return json.dumps(document, indent=2, default=_plain, ensure_ascii=False)


def _notices(looks: Mapping[Ref, Look]) -> dict[str, list[str]]:
    return {ref.full: list(look.notices) for ref, look in looks.items() if look.notices}


def _checks(looks: Mapping[Ref, Look]) -> dict[str, dict[str, Any]]:
    """Resource → how many checks held, and the names of those that did not."""
    return {
        ref.full: {"held": look.held, "wrong": list(look.wrong)}
        for ref, look in looks.items()
        if look.held or look.wrong
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "resource": entry.ref.full,
        "host": entry.ref.host,
        "kind": entry.ref.kind,
        "name": entry.ref.name,
        "status": entry.look.status.value,
        "after": entry.after.full if entry.after else None,
        "orphan": entry.orphan,
        "changes": [
            {"attribute": name, "actual": found.actual, "desired": found.desired, "relation": found.relation}
            for name, found in entry.look.change.attributes.items()
        ],
        "reasons": list(entry.look.reasons),
        "refusals": [
            {"attribute": refusal.attribute, "reason": refusal.reason} for refusal in entry.refusals
        ],
        "steps": [_step(step, exact=entry.after is None) for step in entry.steps],
    }


def _step(step: Step, *, exact: bool) -> dict[str, Any]:
    artifact = step.push or step.execute
    return {
        "title": step.title,
        "argv": list(step.argv),
        "artifact": artifact.path if artifact else None,
        "arguments": list(step.arguments),
        "stdin": str(step.stdin) if step.stdin is not None else None,
        "effect": str(step.effect),
        "interrupts": step.interrupts,
        "because": step.because,
        "destroys": step.destroys,
        "exact": exact,
    }


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, (set, frozenset)) else str(value)
