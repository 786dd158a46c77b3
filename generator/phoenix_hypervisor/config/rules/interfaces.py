"""Rules about a node's own interfaces: what they are made of, and one way out of each family."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_interface
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import Problem, did_you_mean
from ...resource import Ref

if TYPE_CHECKING:
    from ..site import Site


class Interface(NamedTuple):
    """One declared interface."""

    ref: Ref
    own: Any
    """Its resource."""

    @property
    def tag(self) -> int | None:
        """Its VLAN; None where packets have no tag."""
        return self.own.vlan[1] if self.own.vlan else None


def interfaces(site: Site) -> list[Interface]:
    """Return the interfaces that should be there."""
    found = ((ref, one) for ref, one in site.resources.items() if ref.kind == "network_interface")
    return [Interface(ref, one) for ref, one in found if one.present]


def check(site: Site) -> Iterator[Problem]:
    """Yield what these rules find."""
    found = interfaces(site)
    for node in site.nodes:
        own = [one for one in found if one.ref.host == node]
        yield from _addresses(site, own)
        yield from _parents(site, own)
        yield from _ports(site, own)
        yield from _gateways(site, own)


def held(site: Site) -> dict[tuple[str, object, str], str]:
    """Return who has an address, by node, VLAN and address: nodes may have networks of their own."""
    found: dict[tuple[str, object, str], str] = {}
    for one in interfaces(site):
        for address in one.own.addresses:
            found.setdefault((one.ref.host, one.tag, str(ip_interface(address).ip)), str(one.ref))
    return found


def _addresses(site: Site, own: list[Interface]) -> Iterator[Problem]:
    """An address is one interface's (V-01), and no other node's."""
    first = held(site)
    nodes: dict[str, list[str]] = {}
    for name in site.nodes:
        nodes.setdefault(site.inventory.hosts[name].hostname or "", []).append(name)
    for one in own:
        for number, address in enumerate(one.own.addresses):
            plain = str(ip_interface(address).ip)
            other = first[one.ref.host, one.tag, plain]
            reached = nodes.get(plain, [one.ref.host])
            if one.tag is None and one.ref.host not in reached:
                other = f"the node `{reached[0]}`"
            if other != str(one.ref):
                place = site.place(one.ref, "addresses", number)
                yield Problem(f"{one.ref}: {plain} belongs to {other}", place, rule="V-01")


def _parents(site: Site, own: list[Interface]) -> Iterator[Problem]:
    """A VLAN lies on an interface that is declared."""
    names = [one.ref.name for one in own]
    for one in own:
        parent = one.own.vlan[0] if one.own.vlan else ""
        if parent and parent not in names:
            place = site.place(one.ref, *(("parent",) if one.own.parent else ()))
            hint = did_you_mean(parent, names) or f"declare `{parent}` as a `network_interface`"
            yield Problem(f"{one.ref}: its parent `{parent}` is not declared", place, hint)


def _ports(site: Site, own: list[Interface]) -> Iterator[Problem]:
    """An interface is a port of one bridge, or in one bond."""
    taken: dict[str, str] = {}
    for one in own:
        path = ("ports",) if one.own.ports is not None else ("bond", "members")
        for number, port in enumerate(one.own.ports or (one.own.bond.members if one.own.bond else ())):
            other = taken.setdefault(port, str(one.ref))
            if other != str(one.ref):
                place = site.place(one.ref, *path, number)
                hint = "an interface is a port of one bridge, or in one bond"
                yield Problem(f"{one.ref}: `{port}` is taken by {other}", place, hint)


def _gateways(site: Site, own: list[Interface]) -> Iterator[Problem]:
    """There is one way out of each family."""
    for key in ("gateway", "gateway6"):
        with_one = [one for one in own if getattr(one.own, key)]
        for one in with_one[1:]:
            first = f"{with_one[0].ref} has {getattr(with_one[0].own, key)}"
            yield Problem(
                f"{one.ref}: a second default gateway: {first}",
                site.place(one.ref, key),
                "keep the one that leads out; a route to a single network is no gateway",
            )
