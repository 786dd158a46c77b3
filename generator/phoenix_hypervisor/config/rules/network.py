"""Rules about names and addresses: each belongs to one guest of the site, and none to a node."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_interface
from typing import TYPE_CHECKING

from ...errors import Problem
from . import interfaces
from .view import Container, everybody

if TYPE_CHECKING:
    from ..site import Site


def check(site: Site) -> Iterator[Problem]:
    """Yield what these rules find."""
    found = list(everybody(site).values())
    yield from _hostnames(site, found)
    yield from _addresses(site, found)
    yield from _taken_over(site, found)
    yield from _macs(site, found)
    yield from _gateways(site, found)


def _hostnames(site: Site, found: list[Container]) -> Iterator[Problem]:
    """Two hosts of one name are one too many in any list of hosts (V-02)."""
    taken = {name.lower(): f"the node `{name}`" for name in site.nodes}
    for one in found:
        name = str(one.part("hostname") or one.name)
        other = taken.setdefault(name.lower(), str(one.ref))
        if other != str(one.ref):
            place = site.place(one.ref, "hostname")
            yield Problem(f"{one.ref}: the hostname `{name}` belongs to {other}", place, rule="V-02")


def _addresses(site: Site, found: list[Container]) -> Iterator[Problem]:
    """An address is one host's (V-01); the same in another VLAN is another one."""
    taken: dict[tuple[object, str], str] = {}
    for name in site.nodes:
        entry = site.inventory.hosts.get(name)
        address = _address(entry.hostname or "") if entry else ""
        if address:
            taken[None, address] = f"the node `{name}`"
    own = interfaces.held(site)
    for one in found:
        for interface, net in one.each("net"):
            for key in ("ip", "ip6"):
                address = _address(str(net.get(key) or ""))
                if not address:
                    continue
                mine = f"{interface} of {one.ref}"
                other = taken.setdefault((net.get("tag"), address), mine)
                other = own.get((one.node, net.get("tag"), address), other)
                if other != mine:
                    place = site.place(one.ref, "net", interface, key)
                    yield Problem(f"{one.ref}: {address} belongs to {other}", place, rule="V-01")


def _taken_over(site: Site, found: list[Container]) -> Iterator[Problem]:
    """A clone does not start with its layer's address: it has an interface of its own there (V-01)."""
    layers = {one.name: one for one in found if one.is_layer}
    for one in found:
        layer = layers.get(str(one.part("clone")))
        if layer is None:
            continue
        for interface, net in layer.each("net"):
            address = _address(str(net.get("ip") or "")) or _address(str(net.get("ip6") or ""))
            mine = f"{interface} of {layer.ref}"
            if address and not one.part("net", interface):
                said = f"{one.ref}: it would start with {address}, which belongs to {mine}"
                hint = f"declare a `net: {{{interface}: …}}` of its own, or leave the layer's address out"
                yield Problem(said, site.place(one.ref, "clone"), hint, "V-01")


def _address(text: str) -> str:
    """The canonical address of `10.0.0.5` or `10.0.0.5/24`; empty for a name, or a word like `dhcp`."""
    try:
        return str(ip_interface(text).ip)
    except ValueError:
        return ""


def _macs(site: Site, found: list[Container]) -> Iterator[Problem]:
    """Two interfaces of one MAC in a bridge take each other's packets (V-02)."""
    taken: dict[str, str] = {}
    for one in found:
        for interface, net in one.each("net"):
            mac = str(net.get("mac") or "").lower()
            mine = f"{interface} of {one.ref}"
            other = taken.setdefault(mac, mine) if mac else mine
            if other != mine:
                place = site.place(one.ref, "net", interface, "mac")
                yield Problem(f"{one.ref}: the MAC {mac} belongs to {other}", place, rule="V-02")


def _gateways(site: Site, found: list[Container]) -> Iterator[Problem]:
    """A gateway is reached through the interface's own network."""
    for one in found:
        for interface, net in one.each("net"):
            for key, gateway in (("ip", net.get("gw")), ("ip6", net.get("gw6"))):
                if not gateway or not _address(str(net.get(key) or "")):
                    continue
                network = ip_interface(str(net[key])).network
                if ip_address(str(gateway)) not in network and not str(gateway).lower().startswith("fe80:"):
                    place = site.place(one.ref, "net", interface, "gw" if key == "ip" else "gw6")
                    said = f"the gateway {gateway} lies outside of {network}"
                    yield Problem(f"{one.ref}: {said}", place, "nothing would leave through it")
