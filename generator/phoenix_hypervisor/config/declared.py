"""What the files declare: the resources found so far, where they stand, and what belongs to which guest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from .. import registry
from ..errors import Problem
from ..resource import GuestFacts, Kind, Ref
from .layers import sections
from .validation import validated

if TYPE_CHECKING:
    from .guests import Guest
    from .tree import Tree

_ELSEWHERE = {
    "a guest": "configs/guests/<vmid>-<name>.yaml",
    "a node": "configs/nodes/<node>.yaml",
}


class Declared:
    """The resources of a site while it is read. Notes what is wrong."""

    def __init__(self, problems: list[Problem]) -> None:
        self.resources: dict[Ref, Kind] = {}
        self.places: dict[Ref, Tree] = {}
        self._inside: dict[str, dict[Ref, Kind]] = {}
        """Guest → what is declared inside it."""
        self._about: dict[str, dict[Ref, Kind]] = {}
        """Guest → its sections of scope `guest`."""
        self._offered: dict[str, dict[tuple[str, str], str]] = {}
        """Node → what it offers, as far as somebody asked."""
        self._problems = problems

    def add(self, host: str, tree: Tree, head: Collection[str], guest: Guest | None = None) -> None:
        """Add what a node's or guest's merged file declares."""
        for key, name, settings in sections(tree, head, self._problems):
            kind = registry.kind(key)
            if kind.scope == ("guest" if guest is None else "node"):
                about, whose = ("a guest", "a node") if guest is None else ("a node", "a guest")
                hint = f"it is about {about}: write it in {_ELSEWHERE[about]}"
                said = f"`{key}` does not belong to {whose}"
                self._problems.append(Problem(said, settings.key, hint, "V-04"))
                continue
            about_guest = guest is not None and kind.scope == "guest"
            ref = guest.ref(key) if guest and about_guest else Ref(host, key, name or host)
            self.places[ref] = settings
            if "name" in settings.value:
                hint = "a resource's name is the key that holds its settings"
                place = settings.place("name")
                self._problems.append(Problem(f"{ref}: unknown key `name`", place, hint, "V-03"))
            plain = {**settings.plain(), "name": ref.name}
            resource = validated(kind, plain, settings, str(ref), self._problems)
            if resource is None:
                continue
            self.resources[ref] = resource
            if guest:
                (self._about if about_guest else self._inside).setdefault(guest.name, {})[ref] = resource

    def leave_out_what_goes_with(self, guest: Guest) -> None:
        """Of a guest that is declared absent nothing else is wanted, and nothing in it is looked at."""
        own = self._about.get(guest.name, {})
        if all(kind.present for kind in own.values() if kind.inhabited):
            return
        beside = [ref for ref, kind in own.items() if not kind.inhabited]
        for ref in beside:
            del own[ref]
        for ref in [*beside, *self._inside.pop(guest.name, {})]:
            del self.resources[ref]

    def facts_of(self, guest: Guest) -> GuestFacts:
        """Return what the files say of a guest."""
        about = self._about.get(guest.name, {}).values()
        layer = next((kind.layer for kind in about if kind.present and kind.layer), None)
        own = next((kind.model_dump(exclude={"name"}) for kind in about if kind.inhabited), {})
        inside = self._inside.get(guest.name, {})
        taken = self._taken_from(guest.node, inside.values()) if layer else {}
        return GuestFacts(guest.name, guest.vmid, guest.node, layer, _digest(inside, taken), own)

    def _taken_from(self, node: str, inside: Iterable[Kind]) -> dict[str, str]:
        """Return what a node offers to what is in a guest: a layer with another of it is another layer."""
        wanted = [want[:2] for kind in inside for want in kind.consumes() if want.where == "node"]
        if wanted and node not in self._offered:
            about = [kind for ref, kind in self.resources.items() if ref.host == node and kind.present]
            offers = (offer for kind in about for offer in kind.provides())
            self._offered[node] = {(offer.topic, offer.key): repr(offer.value) for offer in offers}
        return {" ".join(key): self._offered[node][key] for key in wanted if key in self._offered[node]}


def _digest(inside: Mapping[Ref, Kind], taken: Mapping[str, str]) -> str:
    """A digest of declared settings; a secret counts by its name, as it prints itself."""
    plain = {str(ref): kind.model_dump(mode="python", exclude={"name"}) for ref, kind in inside.items()}
    plain |= {key: {"value": value} for key, value in taken.items()}
    text = json.dumps(plain, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
