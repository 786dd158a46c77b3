"""What is worth looking at again after steps were run, and what is blocked meanwhile whatever it says."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from ..config import Site
from ..inspect.looks import Look, Status
from ..resource import Ref


def unsettled(
    site: Site, looks: Mapping[Ref, Look], moved: Collection[Ref], looked: Collection[Ref] = ()
) -> list[Ref]:
    """Return what is not right, needs something that was `moved`, and may be right now.

    What also needs something else that is not right stays blocked, whatever its own checks say: its turn
    comes when that is right. So it is with what differs by itself, as far as is known: no step of its own
    was run, and what needs it waits for that. What was `looked` at already is left out, and known.
    """
    reached, again, may_be_right = set(moved), set[Ref](), set(moved)
    for ref, needs in site.needs.items():  # in order: what is needed comes first
        if not reached.intersection(needs):
            continue
        reached.add(ref)
        if ref not in looks or looks[ref].status is Status.OK or ref in may_be_right:
            continue
        made = site.only_to_make(ref)
        if not all(need in may_be_right or need in made for need in _wrong(needs, looks)):
            continue
        again.add(ref)
        # of what is in a guest nothing was known while nobody could look
        entered = any(need in moved and site.resources[need].inhabited for need in needs)
        if ref not in looked and (entered or not looks[ref].change.attributes):
            may_be_right.add(ref)
    return [ref for ref in site.needs if ref in again and ref not in looked]


def blocked_anew(site: Site, looks: Mapping[Ref, Look]) -> dict[Ref, Look]:
    """Return looks at what waited for something that is right by now, and waits for something else."""
    found = {}
    for ref, look in looks.items():
        if look.blocked_by and look.blocked_by in looks and looks[look.blocked_by].status is Status.OK:
            others = _wrong(site.needs[ref], looks)
            if others:
                found[ref] = replace(look, blocked_by=others[0])
    return found


def waited_for(looks: Mapping[Ref, Look]) -> list[Ref]:
    """Return what is as declared, but did not work when it was tried, while others wait for it."""
    needed = dict.fromkeys(look.blocked_by for look in looks.values() if look.blocked_by)
    return [ref for ref in needed if ref in looks and looks[ref].status is Status.UNHEALTHY]


def _wrong(needs: Collection[Ref], looks: Mapping[Ref, Look]) -> list[Ref]:
    return [need for need in needs if need in looks and looks[need].status is not Status.OK]
