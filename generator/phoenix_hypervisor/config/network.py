"""Who has which address, and what is served where: the fact that firewalls are made from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import ip_interface
from typing import TYPE_CHECKING

from ..firewall.ports import PORT, REACHES, Network, Port, Reach, Served
from ..resource import EVERY
from ..services import METRICS, SERVICE

if TYPE_CHECKING:
    from ..resource import GuestFacts, Kind, Offer, Ref
    from ..services import Service
    from .inventory import Inventory

INTERFACE = "interface"
"""Topic under which an interface says its addresses."""
INTERFACES = ("interfaces", "node")
"""Topic and key under which an interface is given all of its node."""


def network_of(reach: Inventory, guests: Collection[GuestFacts], resources: Mapping[Ref, Kind]) -> Network:
    """Return what the files say of the network. What is declared absent serves nothing."""
    addresses: dict[str, tuple[str, ...]] = {}
    for name, entry in reach.hosts.items():
        addresses[name] = tuple(_plain(entry.hostname or ""))
    for guest in guests:
        nets = guest.own.get("net") or {}
        addresses[guest.name] = tuple(
            one for net in nets.values() for key in ("ip", "ip6") for one in _plain(str(net.get(key) or ""))
        )
    offers = [
        (ref, offer)
        for ref, resource in resources.items()
        if resource.present
        for offer in resource.provides()
        if offer.topic in (PORT, REACHES, SERVICE)
    ]
    services: dict[tuple[str, str], list[Service]] = {}
    for ref, offer in offers:
        if offer.topic == SERVICE:
            services.setdefault((ref.host, str(offer.value.port)), []).append(offer.value)
    served: dict[str, list[Served]] = {}
    for ref, offer in offers:
        if offer.topic == PORT:
            port: Port = offer.value
            users = _users(ref.host, port, offers, services.get((ref.host, port.number), []))
            served.setdefault(ref.host, []).append(Served(ref, port, tuple(users)))
    vmids = {guest.name: guest.vmid for guest in guests}
    return Network(addresses, {host: tuple(found) for host, found in served.items()}, vmids)


def interfaces_of(node: str, resources: Mapping[Ref, Kind]) -> dict[str, tuple[str, ...]]:
    """Return the interfaces that are declared for a node, with their addresses."""
    return {
        offer.key: offer.value
        for ref, resource in resources.items()
        if ref.host == node and resource.present
        for offer in resource.provides()
        if offer.topic == INTERFACE
    }


def _users(
    host: str, port: Port, offers: Iterable[tuple[Ref, Offer]], services: Collection[Service]
) -> Iterator[str]:
    """Yield the hosts that say that they connect to a port, of this host or of any, or to every service."""
    meant = {(who, Reach(port.number, port.proto)) for who in (host, EVERY)}
    meant |= {(EVERY, Reach(EVERY, port.proto)) for service in services if service.used}
    meant |= {(EVERY, Reach(METRICS, port.proto)) for service in services if service.metrics}
    for ref, offer in offers:
        if offer.topic == REACHES and ref.host != host and (offer.key, offer.value) in meant:
            yield ref.host


def _plain(text: str) -> Iterator[str]:
    """Yield the address of `10.0.0.5/24`; nothing for a name, or a word like `dhcp`."""
    try:
        yield str(ip_interface(text).ip)
    except ValueError:
        return
