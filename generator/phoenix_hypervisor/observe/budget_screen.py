"""Budgets for people: what there is only so much of on a node, how much of it is taken, and by whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..dialects import sizes

if TYPE_CHECKING:
    from ..config.budgets import Budget, Claim
    from ..config.site import Site

BAR = 20
"""How many characters a full budget is wide."""


def lines(site: Site, found: Iterable[Budget]) -> Iterator[str]:
    """Yield a table for each node: budgets with a bar, and below each its claims, the largest first."""
    found = list(found)
    node, wide = "", max((len(budget.name) for budget in found), default=0)
    for budget in found:
        if budget.node != node:
            node = budget.node
            yield node
        yield _head(budget, wide)
        for claim in sorted(budget.claims, key=lambda claim: -(claim.amount or 0)):
            yield f"      {_amount(budget, claim.amount):>10}  {_who(site, claim)}"


def rows(site: Site, found: Iterable[Budget]) -> list[dict[str, object]]:
    """Return the budgets as a document has them; amounts in bytes or threads."""
    return [
        {
            "node": budget.node,
            "budget": budget.name,
            "unit": budget.unit,
            "limit": budget.limit,
            "allowed": budget.limit * budget.factor if budget.limit is not None else None,
            "taken": budget.used,
            "binding": budget.binding,
            "claims": [
                {"resource": claim.ref.full, "guest": _guest(site, claim), "amount": claim.amount}
                for claim in budget.claims
            ],
        }
        for budget in found
    ]


def _head(budget: Budget, wide: int) -> str:
    taken = _amount(budget, budget.used)
    if budget.limit is None:
        return f"  {budget.name:<{wide}} {taken} taken; how much there is, the files do not say"
    share = budget.used / budget.limit if budget.limit else 1.0
    full = min(BAR, round(share * BAR))
    bar = f"[{'#' * full}{'.' * (BAR - full)}]"
    over = budget.exceeded_by is not None
    said = f", {_over(budget)}" if over else ""
    return f"  {budget.name:<{wide}} {bar} {share:4.0%}  {taken} of {_amount(budget, budget.limit)}{said}"


def _over(budget: Budget) -> str:
    if budget.binding:
        return "more than is allowed"
    return (
        "more than there is: they share it" if budget.unit == "threads" else "more than fits when all is full"
    )


def _amount(budget: Budget, amount: float | None) -> str:
    if amount is None:
        return "all of it"
    return sizes.about(amount) if budget.unit == "bytes" else f"{amount:.0f}"


def _who(site: Site, claim: Claim) -> str:
    guest = _guest(site, claim)
    said = (
        f"{claim.ref} {guest}"
        if guest and claim.ref.host != guest
        else claim.ref.full
        if guest
        else str(claim.ref)
    )
    return f"{said}, which says no share" if claim.amount is None else said


def _guest(site: Site, claim: Claim) -> str:
    guest = site.guest_of(claim.ref)
    return guest.name if guest else ""
