"""Guests as they are named on a command line, and what their nodes know of them at this moment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import registry
from ..errors import HostError, PhoenixError, UsageError, did_you_mean
from ..graph import closure
from ..guestverbs import GuestVerbs, Said, Sight
from ..inspect.fleet import Fleet
from ..transport import Question

if TYPE_CHECKING:
    from ..config import Guest, Site
    from ..resource import Kind, Ref


@dataclass(frozen=True)
class Named:
    """One guest with the section that says what it is."""

    guest: Guest
    ref: Ref
    resource: Kind

    @property
    def name(self) -> str:
        """The guest's name."""
        return self.guest.name

    @property
    def called(self) -> str:
        """How people are told which one is meant: `950 vllm-chat`."""
        return f"{self.guest.vmid} {self.guest.name}"

    @property
    def verbs(self) -> GuestVerbs:
        """What can be done with guests of its kind."""
        found: GuestVerbs = type(self.resource).verbs
        return found


def named(site: Site, words: Sequence[str]) -> list[Named]:
    """Return the guests with these names or VMIDs, each once; all of the site without a word.

    Raises UsageError.
    """
    if not words:
        return [_named(site, guest) for guest in site.guests.values()]
    by_vmid = {guest.vmid: guest for guest in site.guests.values()}
    chosen: dict[str, Guest] = {}
    for word in words:
        guest = site.guests.get(word) or by_vmid.get(word)
        if guest is None:
            raise UsageError(f"no guest `{word}`", hint=_which(site, word))
        chosen[guest.name] = guest
    return [_named(site, guest) for guest in chosen.values()]


def _which(site: Site, word: str) -> str:
    if word in site.nodes:
        return f"`{word}` is a node; guests live on it"
    near = did_you_mean(word, [*site.guests, *(guest.vmid for guest in site.guests.values())])
    known = ", ".join(f"{guest.vmid} {guest.name}" for guest in site.guests.values())
    return near or (f"known: {known}" if known else "guests are the files of configs/guests/")


def _named(site: Site, guest: Guest) -> Named:
    for kind in registry.homes():
        ref = guest.ref(kind)
        if registry.kind(kind).inhabited and ref in site.resources:
            return Named(guest, ref, site.resources[ref])
    raise UsageError(f"guest `{guest.name}` has no section that says what it is")


def needed_by(site: Site, one: Named) -> list[Named]:
    """Return the other guests of its node that a guest, or anything inside it, needs to run."""
    needs = closure(site.of_guest(one.name), site.needs)
    names = {guest.name for ref in needs if (guest := site.guest_of(ref))} - {one.name}
    found = [_named(site, guest) for guest in site.guests.values() if guest.name in names]
    return [other for other in found if other.guest.node == one.guest.node and not other.resource.rests]


def needing(site: Site, one: Named) -> list[Named]:
    """Return the other guests of its node that need a guest to run."""
    others = [_named(site, guest) for guest in site.guests.values() if guest.name != one.name]
    return [other for other in others if one.name in {need.name for need in needed_by(site, other)}]


def look(fleet: Fleet, guests: Iterable[Named]) -> dict[str, Sight | HostError]:
    """Ask the guests' nodes, each in one round trip; guest → what is known of it, or why nothing is."""
    by_node: dict[str, list[Named]] = {}
    for one in guests:
        by_node.setdefault(one.guest.node, []).append(one)
    asked = {
        node: [Question(shell) for verbs in _kinds(there) for shell in verbs.questions]
        for node, there in by_node.items()
    }
    answers = fleet.ask(asked)
    found: dict[str, Sight | HostError] = {}
    for node, there in by_node.items():
        answered = answers.get(node, fleet.lost.get(node))
        if answered is None or isinstance(answered, HostError):
            found.update({one.name: answered or HostError(f"host `{node}` did not answer") for one in there})
            continue
        said = [Said(one.status, (one.stdout or one.stderr).decode(errors="replace")) for one in answered]
        for verbs in _kinds(there):
            own, said = said[: len(verbs.questions)], said[len(verbs.questions) :]
            found.update(_read(verbs, [one for one in there if one.verbs is verbs], own))
    return {one.name: found[one.name] for there in by_node.values() for one in there}


def _kinds(guests: Collection[Named]) -> list[GuestVerbs]:
    return list({id(one.verbs): one.verbs for one in guests}.values())


def _read(verbs: GuestVerbs, guests: list[Named], said: list[Said]) -> dict[str, Sight | HostError]:
    try:
        sights = verbs.sights([one.resource for one in guests], said)
    except (ValueError, KeyError, TypeError) as error:
        node = guests[0].guest.node
        return {one.name: HostError(f"host `{node}`: its guests cannot be read: {error}") for one in guests}
    return {one.name: sights[one.guest.vmid] for one in guests}


def hindrance(one: Named, sight: Sight, *, even_locked: bool = False) -> PhoenixError | None:
    """Return why nothing can be done with a guest by hand now; None when there is no reason."""
    if not sight.node:
        todo = f"`phoenix apply --host {one.name}` makes it" if one.resource.present else "as declared"
        return PhoenixError(f"guest {one.called} is not there", hint=todo)
    if sight.another:
        todo = "give the guest another VMID, or take the other away; nothing was done"
        return PhoenixError(f"{one.guest.vmid} on {sight.node} is {sight.another}, not {one.name}", hint=todo)
    if not sight.here:
        said = f"guest {one.called} is not on {one.guest.node} as declared: Proxmox has it on {sight.node}"
        todo = f"move it back, or declare `node: {sight.node}` in its file; nothing was done"
        return PhoenixError(said, hint=todo)
    if sight.lock and not even_locked:
        todo = (
            f"wait until Proxmox has finished that; if nothing is at work any more, "
            f"`{one.verbs.tool} unlock {one.guest.vmid}` on {one.guest.node} frees it"
        )
        if sight.lock == "destroyed":
            todo = f"its removal was cut short: `phoenix recreate {one.name}` goes on with one of its own"
        return PhoenixError(f"guest {one.called} is locked: {sight.lock}", hint=todo)
    return None
