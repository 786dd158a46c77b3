"""How long the parts of a run took, as people think of them: looking, the node, layers, guests, services.

Lanes run side by side, so the parts overlap: of each it is counted while at least one of its steps ran.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..resource import Ref

if TYPE_CHECKING:
    from ..config import Site
    from .steps import Ran

LOOK, NODE, LAYERS, GUESTS, SERVICES = PHASES = ("look", "node", "layers", "guests", "services")
Span = tuple[float, float]
"""When it began (Unix time), and how many seconds it took."""


def phases(site: Site, ran: Iterable[Ran], looks: Iterable[Span]) -> dict[str, float]:
    """Return the seconds of each part that there was, in the order of `PHASES`."""
    layers = {layer for guest in site.guests for layer in site.made_from(guest)}
    spans: dict[str, list[Span]] = {LOOK: list(looks)}
    for step in ran:
        spans.setdefault(_phase(site, step.ref, layers), []).append((step.began, step.seconds))
    return {name: round(_covered(spans[name]), 3) for name in PHASES if spans.get(name)}


def _phase(site: Site, ref: Ref, layers: set[str]) -> str:
    guest = site.guest_of(ref)
    if guest is None:
        return NODE
    if guest.name in layers:
        return LAYERS
    return SERVICES if ref.host == guest.name else GUESTS


def _covered(spans: list[Span]) -> float:
    """How long at least one of them lasted."""
    total, until = 0.0, 0.0
    for began, seconds in sorted(spans):
        end = began + seconds
        total += max(0.0, end - max(began, until))
        until = max(until, end)
    return total
