"""What repeats in the guests' files, taken out of them: what all have, and what several have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from .estate import Section, Written

_Path = tuple[str, ...]
_MOST = 12
"""No more profiles than this: beyond, they explain nothing."""
_WIDEST = 200
"""So many different guests are compared with each other."""
_LEAST = 3
"""How many lines a profile must save."""


class Profile(NamedTuple):
    """Settings that several guests share."""

    name: str
    sections: Section
    guests: tuple[str, ...]


class Factored(NamedTuple):
    """Guests without what repeats, and what repeats."""

    everywhere: Section
    profiles: list[Profile]
    guests: dict[str, Section]


def factored(guests: Mapping[str, Section]) -> Factored:
    """Take what repeats in the sections `lxc` out of them."""
    flat = {stem: _flat(sections["lxc"]) for stem, sections in guests.items()}
    left = {stem: {(path, repr(one.value)) for path, one in ends.items()} for stem, ends in flat.items()}
    everywhere = set.intersection(*left.values()) if len(left) > 1 else set()
    for stem in left:
        left[stem] -= everywhere
    profiles: list[Profile] = []
    members: dict[str, list[str]] = {stem: [] for stem in guests}
    while len(profiles) < _MOST and (best := _best(left)) is not None:
        stems = [stem for stem in left if best <= left[stem]]
        name = _name(stems, guests, best, {profile.name for profile in profiles})
        section = _nested(best, flat, stems)
        profiles.append(Profile(name, {"lxc": section}, tuple(stems)))
        for stem in stems:
            left[stem] -= best
            members[stem].append(name)
    rest: dict[str, Section] = {}
    for stem, sections in guests.items():
        head: Section = {"profiles": Written(members[stem], "")} if members[stem] else {}
        own = _nested(left[stem], flat, [stem], list(flat[stem]))
        rest[stem] = {**head, **sections, "lxc": own}
    return Factored(_nested(everywhere, flat, list(guests)), profiles, rest)


def _flat(section: Section, path: _Path = ()) -> dict[_Path, Written]:
    found: dict[_Path, Written] = {}
    for key, value in section.items():
        if isinstance(value, Written):
            found[(*path, key)] = value
        else:
            found |= _flat(value, (*path, key))
    return found


def _best(left: Mapping[str, set[tuple[_Path, str]]]) -> set[tuple[_Path, str]] | None:
    """The settings whose being said once saves most lines; the first of equals."""
    different = [*dict.fromkeys(frozenset(one) for one in left.values() if one)][:_WIDEST]
    best, most = None, _LEAST - 1
    seen: set[frozenset[tuple[_Path, str]]] = set()
    for number, one in enumerate(different):
        for other in (one, *different[number + 1 :]):
            shared = one & other
            if len(shared) < 2 or shared in seen:
                continue
            seen.add(shared)
            count = sum(shared <= has for has in left.values())
            saved = (count - 1) * len(shared) - count
            if saved > most:
                best, most = set(shared), saved
    return best


def _name(
    stems: list[str], guests: Mapping[str, Section], shared: set[tuple[_Path, str]], taken: set[str]
) -> str:
    layers = {stem for stem, sections in guests.items() if "lxc_layer" in sections}
    clones = [str(text).strip("'\"") for path, text in shared if path == ("clone",)]
    if layers and {*stems} == layers:
        name = "layer"
    elif clones and re.fullmatch("[a-z0-9-]+", clones[0]):
        name = f"on-{clones[0]}"
    elif (("onboot",), "True") in shared:
        name = "service"
    else:
        name = "shared"
    found, number = name, 2
    while found in taken:
        found, number = f"{name}-{number}", number + 1
    return found


def _nested(
    chosen: set[tuple[_Path, str]],
    flat: Mapping[str, dict[_Path, Written]],
    stems: list[str],
    order: list[_Path] | None = None,
) -> Section:
    """Return flat settings as a section, in the order in which the first of the guests has them."""
    found: Section = {}
    if not stems:
        return found
    paths = {path for path, _ in chosen}
    first = flat[stems[0]]
    for path in order if order is not None else [*first]:
        if path not in paths:
            continue
        at = found
        for key in path[:-1]:
            at = at.setdefault(key, {})
        origin = first[path].origin
        more = f", and in {len(stems) - 1} more" if len(stems) > 1 else ""
        at[path[-1]] = Written(first[path].value, origin + more)
    return found
