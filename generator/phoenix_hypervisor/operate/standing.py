"""How guests stand: what is seen of them against what the files want, in words and in one exit status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ..errors import ExitCode, HostError
from ..guestverbs import Sight
from .guests import Named, hindrance

if TYPE_CHECKING:
    from ..config import Site


class Mark(Enum):
    """What is to be thought of a guest, in one sign."""

    RIGHT = "✓"
    DIFFERS = "~"
    PERSON = "!"
    UNKNOWN = "?"


@dataclass(frozen=True)
class Standing:
    """One guest with what is worth knowing of it."""

    one: Named
    mark: Mark
    state: str
    """`running`, `stopped`, `missing`, `elsewhere`, `unknown`."""
    sight: Sight
    remarks: tuple[str, ...] = ()
    error: str = ""
    """Why nothing is known of it."""


def standings(site: Site, named: Iterable[Named], sights: Mapping[str, Sight | HostError]) -> list[Standing]:
    """Return how each guest stands, in the order in which they were named."""
    names = {guest.vmid: guest.name for guest in site.guests.values()}
    return [_standing(one, sights[one.name], names) for one in named]


def exit_code(found: Iterable[Standing]) -> ExitCode:
    """Return the exit status for guests that stand like this."""
    codes = {
        Mark.RIGHT: ExitCode.OK,
        Mark.DIFFERS: ExitCode.FAILED,
        Mark.PERSON: ExitCode.FAILED,
        Mark.UNKNOWN: ExitCode.UNKNOWN,
    }
    return ExitCode.worst([codes[standing.mark] for standing in found])


def _standing(one: Named, sight: Sight | HostError, names: Mapping[str, str]) -> Standing:
    if isinstance(sight, HostError):
        return Standing(one, Mark.UNKNOWN, "unknown", Sight(""), error=sight.message)
    if not sight.node:
        mark = Mark.DIFFERS if one.resource.present else Mark.RIGHT
        return Standing(one, mark, "missing", sight, _declared(one, "absent"))
    trouble = hindrance(one, sight, even_locked=True)
    if trouble:
        return Standing(one, Mark.PERSON, "elsewhere", sight, (trouble.message,))
    state = "running" if sight.running else "stopped"
    differs = sight.wanted != state
    remarks = [
        *(_declared(one, state, sight.wanted) if differs else ()),
        *([f"locked: {sight.lock}"] if sight.lock else ()),
        *([f"waits for a restart: {', '.join(sight.waiting)}"] if sight.waiting else ()),
        *([_stale(sight.stale, names)] if sight.stale else ()),
        *(["layer"] if _is_layer(one) else ()),
    ]
    return Standing(one, Mark.DIFFERS if differs else Mark.RIGHT, state, sight, tuple(remarks))


def _is_layer(one: Named) -> bool:
    return any(given.value.layer for given in one.resource.given("guest"))


def _declared(one: Named, state: str, wanted: str = "") -> tuple[str, ...]:
    said = wanted or ("absent" if not one.resource.present else "to be there")
    return (f"declared {said}",) if said != state else ()


def _stale(vmid: str, names: Mapping[str, str]) -> str:
    return f"made from {vmid} {names.get(vmid, '')}".rstrip() + " as it was before"
