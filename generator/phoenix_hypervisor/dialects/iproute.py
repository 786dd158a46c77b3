"""What the kernel has of the network, as `ip` and `bridge` say it in JSON."""

import json
import re
from collections.abc import Mapping
from functools import cache
from ipaddress import ip_interface
from typing import Any, NamedTuple

from .interface_definitions import Definition, joined, spelled, without

SEPARATOR = "\x1e"
LIVE = (
    "ip -j -d addr show && printf '\\036' && ip -j -4 route show default && printf '\\036' && "
    "ip -j -6 route show default && printf '\\036' && bridge -j -compressvlans vlan show"
)
"""Links with their addresses, the way out of both families, and the VLANs of ports, in one answer."""
GUESTS = re.compile(r"(tap|veth|fwpr)\d+[ip]\d+")
"""Ports that Proxmox hangs on a bridge for its guests."""
PROGRAMS = ("veth", "tun", "vxlan", "dummy")


class Link(NamedTuple):
    """One network interface."""

    name: str
    up: bool
    mtu: int
    master: str
    addresses: tuple[str, ...]
    """With their prefixes; without those that were not set but leased or learnt."""
    kind: str
    """`bridge`, `vlan`, `bond` and the like; empty for a plain one."""
    facts: Mapping[str, Any]
    """What is known of one of its kind."""
    parent: str


class Live(NamedTuple):
    """All of it."""

    links: Mapping[str, Link]
    gateways: frozenset[tuple[str, str]]
    """(interface, gateway)."""
    vids: Mapping[str, tuple[tuple[int, int], ...]]
    """The VLANs of each port of an aware bridge."""

    def ports(self, name: str) -> list[str]:
        """Return what hangs on a bridge or is in a bond, without what programs have hung there."""
        below = (link for link in self.links.values() if link.master == name)
        return sorted(link.name for link in below if link.kind not in PROGRAMS)

    def guests(self, name: str) -> tuple[str, ...]:
        """Return the guests' ports on a bridge."""
        below = sorted(link.name for link in self.links.values() if link.master == name)
        return tuple(one for one in below if GUESTS.fullmatch(one))


@cache
def live(said: str) -> Live:
    """Read the answer to LIVE. Raises ValueError."""
    parts = said.split(SEPARATOR)
    if len(parts) != 4:
        raise ValueError(f"`ip` said something unknown: {said.strip()[:200]}")
    links, routes4, routes6, vlans = (json.loads(part.strip() or "[]") for part in parts)
    found = {row["ifname"]: _link(row) for row in links if "ifname" in row}
    gateways = {(row.get("dev", ""), row.get("gateway", "")) for row in (*routes4, *routes6)}
    vids = {
        row["ifname"]: joined((one["vlan"], one.get("vlanEnd", one["vlan"])) for one in row["vlans"])
        for row in vlans
    }
    return Live(found, frozenset(gateways), vids)


def _link(row: Mapping[str, Any]) -> Link:
    info = row.get("linkinfo", {})
    addresses = tuple(
        str(ip_interface(f"{one['local']}/{one['prefixlen']}"))
        for one in row.get("addr_info", ())
        if "local" in one and not one.get("dynamic")
    )
    return Link(
        row["ifname"],
        "UP" in row.get("flags", ()),
        row["mtu"],
        row.get("master", ""),
        addresses,
        info.get("info_kind", ""),
        info.get("info_data", {}),
        row.get("link", ""),
    )


def running(found: Live, link: Link, wanted: Definition) -> tuple[dict[str, object], dict[str, object]]:
    """Return what the kernel has of an interface, and what it should have, of what is wanted."""
    gateways = [gateway for gateway in (wanted.gateway, wanted.gateway6) if gateway]
    actual: dict[str, object] = {
        "running_addresses": [one for one in wanted.addresses if one in link.addresses],
        "running_gateways": [one for one in gateways if (link.name, one) in found.gateways],
    }
    desired: dict[str, object] = {
        "running_addresses": [*wanted.addresses],
        "running_gateways": gateways,
    }
    if wanted.mtu is not None:
        actual["running_mtu"], desired["running_mtu"] = link.mtu, wanted.mtu
    if wanted.tag is not None:
        actual["running_vlan"] = [link.parent, link.facts.get("id")]
        desired["running_vlan"] = [wanted.parent, wanted.tag]
    if wanted.bond is not None:
        actual["running_mode"], desired["running_mode"] = link.facts.get("mode"), wanted.bond.mode
        actual["running_members"], desired["running_members"] = (
            found.ports(link.name),
            sorted(wanted.bond.members),
        )
    if wanted.bridge is not None:
        actual |= _running_bridge(found, link, wanted)
        bridge = wanted.bridge
        desired |= {"running_ports": sorted(bridge.ports), "running_vlan_aware": bridge.vlan_aware}
        desired |= {"running_stp": bridge.stp, "running_fd": bridge.fd}
        if bridge.vids:
            desired["running_vids"] = {one: spelled(bridge.vids) for one in bridge.ports}
    return actual, desired


def _running_bridge(found: Live, link: Link, wanted: Definition) -> dict[str, object]:
    assert wanted.bridge is not None
    bridge, facts = wanted.bridge, link.facts
    actual: dict[str, object] = {
        "running_ports": found.ports(link.name),
        "running_vlan_aware": bool(facts.get("vlan_filtering")),
        "running_stp": bool(facts.get("stp_state")),
        "running_fd": facts.get("forward_delay", 0) / 100,
    }
    if bridge.vids:
        # untagged packets are in VLAN 1 whether it is declared or not
        own = () if any(low == 1 for low, _ in bridge.vids) else ((1, 1),)
        actual["running_vids"] = {one: spelled(without(found.vids.get(one, ()), own)) for one in bridge.ports}
    return actual
