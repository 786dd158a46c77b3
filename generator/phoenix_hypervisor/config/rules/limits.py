"""Rules about what there is only so much of: nobody is promised what somebody else has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...dialects import sizes
from ...errors import Problem
from ..budgets import Budget, Claim, budgets

if TYPE_CHECKING:
    from ..site import Site


def check(site: Site) -> Iterator[Problem]:
    """Yield what these rules find."""
    for budget in budgets(site):
        claim = budget.exceeded_by
        if claim is not None and budget.binding:
            yield from _exceeded(site, budget, claim)


def _exceeded(site: Site, budget: Budget, claim: Claim) -> Iterator[Problem]:
    """The ARC and what starts with a node fit into its memory (V-20), a pool's quotas into it (V-19)."""
    reached, limit = sizes.about(budget.up_to(claim)), sizes.about(budget.limit or 0)
    place = site.place(claim.ref, *claim.field.split("."))
    what = budget.name.partition(" ")
    if what[0] == "pool":
        yield Problem(
            f"{claim.ref}: the quotas of pool `{what[2]}` reach {reached} here, its usable size is {limit}",
            place,
            "lower a quota, or allow it in configs/site.yaml: `allow: {quota_overcommit: 1.2}`",
            "V-19",
        )
    elif what[0] == "memory":
        yield Problem(
            f"{claim.ref}: the memory of the ARC and of all that starts with the node reaches "
            f"{reached} here, the node has {limit}",
            place,
            "lower a `memory`, or allow it in configs/site.yaml: `allow: {memory_overcommit: 1.2}`",
            "V-20",
        )
