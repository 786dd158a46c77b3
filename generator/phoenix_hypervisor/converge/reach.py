"""Who gets in where once a plan is carried out: the effect of its changes of the firewall's files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..config import policies
from ..dialects import firewall_fw as fw
from ..firewall.effect import Effect, effects
from ..firewall.policy import Policy
from ..firewall.sight import NODE_FILE, Files, Sight
from ..resource import Ref

if TYPE_CHECKING:
    from ..config import Site
    from ..firewall.matrix import Side
    from .plan import Entry, Plan

CLUSTER, NODE, GUEST = "firewall_cluster", "firewall_node", "firewall_guest"


def reach(site: Site, plan: Plan) -> Mapping[Ref, tuple[Effect, ...]]:
    """Return what changes, by the resource it is shown below: the host's own file where that is planned."""
    found: dict[Ref, list[Effect]] = {}
    declared = policies.sides(site)
    for node in site.nodes:
        entries = {
            entry.ref: entry
            for entry in plan.entries
            if entry.ref.host == node and isinstance(entry.look.change.seen, Sight)
        }
        if not entries:
            continue
        now = _Now(site, node, entries)
        before = {name: now.side(side, planned=False) for name, side in declared.items() if now.has(side)}
        after = {name: now.side(side, planned=True) for name, side in declared.items() if now.has(side)}
        for effect in effects(before, after, policies.network(site), now.new):
            found.setdefault(now.shown_below(effect.target), []).append(effect)
    return {ref: tuple(each) for ref, each in found.items()}


class _Now:
    """The files of one node as they are, and as the plan leaves them."""

    def __init__(self, site: Site, node: str, entries: Mapping[Ref, Entry]) -> None:
        self._site, self._node, self._entries = site, node, entries
        sights = [entry.look.change.seen for entry in entries.values()]
        self._files: Files = sights[0].files
        self._local = next((sight.local_network for sight in sights if sight.local_network), "")
        self.new = frozenset(
            guest.name
            for guest in site.guests.values()
            if (entry := entries.get(guest.ref(GUEST))) and entry.look.change.seen.filtered is None
        )

    def has(self, side: Side) -> bool:
        """Whether a host is this node, or lives on it."""
        return self._node in (side.name, side.node)

    def side(self, side: Side, *, planned: bool) -> Side:
        """Return a host as the firewall sees it, now or once the plan is carried out."""
        own = Ref(self._node, NODE, self._node)
        file, filtered = NODE_FILE, side.filtered
        if side.node is not None:
            own = self._site.guests[side.name].ref(GUEST)
            file = f"{fw.FOLDER}/{own.name}.fw"
            if own in self._entries and not planned:
                filtered = bool(self._entries[own].look.change.seen.filtered)
        return side._replace(
            cluster=self._file(Ref(self._node, CLUSTER, self._node), fw.CLUSTER, planned) or policies.OFF,
            own=self._file(own, file, planned),
            filtered=filtered,
            local_network=self._local,
        )

    def _file(self, ref: Ref, file: str, planned: bool) -> fw.Firewall | None:
        entry = self._entries.get(ref)
        if not planned or entry is None or (entry.refusals and not entry.steps):
            return self._files.firewall(file)
        found = self._site.resources[ref]
        return found.firewall if isinstance(found, Policy) and found.present else None

    def shown_below(self, target: str) -> Ref:
        """Return the resource that a change for a host is shown with."""
        return next(ref for ref in self._candidates(target) if ref in self._entries)

    def _candidates(self, target: str) -> Iterator[Ref]:
        if target in self._site.guests:
            yield self._site.guests[target].ref(GUEST)
        else:
            yield Ref(self._node, NODE, self._node)
        yield Ref(self._node, CLUSTER, self._node)
        yield from self._entries
