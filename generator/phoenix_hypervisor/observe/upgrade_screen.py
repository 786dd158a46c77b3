"""What an upgrade would change on a host, as a person reads it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ..dialects.apt_get import Simulation
from .screen import paint


def lines(host: str, would: Simulation, held: Collection[str]) -> Iterator[str]:
    """Yield a host's packages that would change, what is left, and how many there are of each."""
    yield paint(host, "cyan")
    for one in sorted(would.packages):
        if not one.after:
            yield f"  {paint('-', 'red')} {one.name}  {one.before}"
        elif one.before:
            yield f"  {paint('~', 'yellow')} {one.name}  {one.before} → {one.after}"
        else:
            yield f"  {paint('+', 'green')} {one.name}  {one.after}"
    for name in sorted(would.kept):
        yield f"  = {name}  {'held' if name in held else 'kept back by APT'}"
    yield f"  {summary(would)}"


def summary(would: Simulation) -> str:
    """Return the counts: `2 to upgrade, 1 new`."""
    counts = {
        "to upgrade": len(would.upgraded),
        "new": len(would.new),
        "to remove": len(would.removed),
        "left as they are": len(would.kept),
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "nothing to upgrade"
