"""Making a guest anew: what is there goes by hand, then it is missing, and apply's own loop makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..converge.plan import Consent, Plan, build
from ..errors import PhoenixError
from ..inspect.looks import Look, Status
from ..resource import CREATE, NO_CHANGE, Ref, Refusal, Step
from .guests import hindrance

if TYPE_CHECKING:
    from ..config import Site
    from ..guestverbs import Sight
    from .guests import Named


def away(one: Named, sight: Sight) -> list[Step]:
    """Return the steps that take a guest away and keep what is its own. Raises PhoenixError."""
    # that lock may be our own, of a run that was cut: the script tells
    trouble = hindrance(one, sight, even_locked=sight.lock == "destroyed")
    if trouble:
        raise trouble
    steps = []
    for act in one.verbs.recreate(one.resource, sight):
        if isinstance(act, Refusal):
            raise PhoenixError(f"guest {one.called} is not made anew: {act.reason}", hint="nothing was done")
        steps.append(act)
    return steps


def as_if_missing(site: Site, one: Named, looks: Mapping[Ref, Look]) -> dict[Ref, Look]:
    """Return the looks as they will be once the guest is away. Raises PhoenixError when it cannot be made."""
    own = set(site.of_guest(one.name))
    for need in site.needs[one.ref]:
        look = looks.get(need)
        if need not in own and look is not None and look.status is not Status.OK:
            raise PhoenixError(
                f"guest {one.called} is not made anew: it needs {need}, which is {look.status.value}",
                hint="`phoenix plan` says what is with that; nothing was done",
            )
    missing = {
        ref: Look(
            ref, Status.BLOCKED, CREATE if site.resources[ref].present else NO_CHANGE, blocked_by=one.ref
        )
        for ref in own & looks.keys()
    }
    return {**looks, **missing, one.ref: Look(one.ref, Status.DRIFT, CREATE)}


def plan_of(site: Site, one: Named, first: Sequence[Step], looks: Mapping[Ref, Look]) -> Plan:
    """Return the plan: its end, then all that makes it. Raises PhoenixError when nothing would."""
    plan = build(site, {ref: looks[ref] for ref in site.of_guest(one.name) if ref in looks}, (), Consent())
    entries = [
        replace(entry, steps=(*first, *entry.steps)) if entry.ref == one.ref else entry
        for entry in plan.entries
    ]
    refused = [refusal.reason for entry in plan.entries for refusal in entry.refusals]
    if refused:
        raise PhoenixError(f"guest {one.called} is not made anew: {refused[0]}", hint="nothing was done")
    return Plan(tuple(entries))
