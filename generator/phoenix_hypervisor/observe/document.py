"""Documents for programs: the plan and the outcome as versioned JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ExitCode
from ..inspect.looks import Look
from ..resource import Ref, Step

if TYPE_CHECKING:
    from ..converge.engine import Outcome
    from ..converge.plan import Entry, Plan

VERSION = 1


def plan_document(plan: Plan, looks: Mapping[Ref, Look], trips: Mapping[str, int]) -> dict[str, Any]:
    """Return the plan as JSON values; docs/plan.md says what each means."""
    return {
        "version": VERSION,
        "exit": int(plan.code),
        "entries": [_entry(entry) for entry in plan.entries],
        "resources": {ref.full: look.status.value for ref, look in looks.items()},
        "orphans": [ref.full for ref in plan.orphans],
        "notices": _notices(looks),
        "round_trips": dict(trips),
    }


def outcome_document(plan: dict[str, Any], outcome: Outcome, code: ExitCode) -> dict[str, Any]:
    """Return what an apply did, with the plan it carried out."""
    return {
        "version": VERSION,
        "exit": int(code),
        "plan": plan,
        "steps": [
            {
                "resource": ran.ref.full,
                "title": ran.title,
                "effect": str(ran.effect),
                "began": round(ran.began, 3),
                "seconds": round(ran.seconds, 3),
                "status": ran.status,
                "said": ran.said,
            }
            for ran in outcome.ran
        ],
        "resources": {ref.full: look.status.value for ref, look in outcome.looks.items()},
        "stuck": {ref.full: reason for ref, reason in outcome.stuck.items()},
        "reasons": {ref.full: list(look.reasons) for ref, look in outcome.looks.items() if look.reasons},
        "notices": _notices(outcome.looks),
    }


def text(document: Mapping[str, Any]) -> str:
    """Return a document as JSON text; sets are sorted, anything else unknown is shown as text."""
    return json.dumps(document, indent=2, default=_plain, ensure_ascii=False)


def _notices(looks: Mapping[Ref, Look]) -> dict[str, list[str]]:
    return {ref.full: list(look.notices) for ref, look in looks.items() if look.notices}


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
        "destroys": step.destroys,
        "exact": exact,
    }


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, (set, frozenset)) else str(value)
