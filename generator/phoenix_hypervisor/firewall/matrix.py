"""Who may reach whom on what, from the files alone."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import NamedTuple

from ..dialects import firewall_fw as fw
from ..dialects import firewall_verdict as verdict
from ..dialects.firewall_macros import MACROS, NAMES
from .ports import Network
from .sight import STRANGER
from .words import is_address, is_network

ANYWHERE = "anywhere"
PROXMOX = "Proxmox"
OWN = ("22/tcp", "8006/tcp")
"""What every node serves: ssh, the web interface."""
NEAR = "192.0.2.78"
"""Stands for all of a node's own network where nobody knows which that is (RFC 5737)."""
_NUMBERS = re.compile(r"[0-9]+([:,][0-9]+)*")


class Side(NamedTuple):
    """A host as the firewall sees it."""

    name: str
    node: str | None
    """Of a guest: its node; None of a node."""
    cluster: fw.Firewall
    """The datacenter's file."""
    own: fw.Firewall | None
    filtered: bool = True
    """Of a guest: whether an interface is under the firewall."""
    local_network: str = ""
    interface: str | None = None
    """Of a guest: the one interface it has, as rules call it; None: there are more."""


class Pair(NamedTuple):
    """One who connects, and what becomes of it."""

    source: str
    target: str
    port: str
    served_by: str
    accepted: bool
    reason: str
    address: str = ""
    """Where it was tried from."""
    network: str = ""
    """What it stands for, when it is a network with a name."""


def pairs(
    sides: Mapping[str, Side], network: Network, beside: Mapping[str, Side] | None = None
) -> Iterator[Pair]:
    """Yield every pair for every port that is served or that a rule names.

    `beside` are the same hosts at another time: what they serve and name then is tried as well.
    """
    for side in sides.values():
        times = [side, *([beside[side.name]] if beside else [])]
        ports = {key: who for each in reversed(times) for key, who in _ports(each, network).items()}
        for key, who in sorted(ports.items(), key=lambda pair: (verdict.first_port(pair[0]), pair[0])):
            for source, addresses, of in _sources(times, sides, network):
                found = _pair(source, addresses, side, sides, network, key, who)
                yield found._replace(address=addresses[0], network=of)


def _ports(side: Side, network: Network) -> dict[str, str]:
    """The ports of a host, and who serves them: nobody that the files know of, when only a rule names it."""
    found = {served.port.key: str(served.who) for served in network.served.get(side.name, ())}
    if side.node is None and side.cluster.enabled:
        found |= dict.fromkeys(OWN, PROXMOX)
    files = [side.own, side.cluster if side.node is None else None]
    for rule in (rule for file in files if file for rule in _opening(file, side.cluster)):
        for proto, dport in _services(rule):
            if proto in ("tcp", "udp") and _NUMBERS.fullmatch(dport):
                found.setdefault(f"{dport}/{proto}", "")
    return found


def _opening(file: fw.Firewall, cluster: fw.Firewall) -> Iterator[fw.Rule]:
    """Yield the rules of a file about what comes in, those of its groups in their place."""
    for rule in (rule for rule in file.rules if rule.enabled):
        group = cluster.groups.get(rule.action.lower()) if rule.direction == "GROUP" else None
        inside = group.rules if group else (rule,)
        yield from (one for one in inside if one.direction == "IN" and one.enabled)


def _services(rule: fw.Rule) -> Iterator[tuple[str, str]]:
    """Yield protocol and port of each service that a rule is about."""
    if not rule.macro:
        yield rule.proto, rule.dport
    for one in MACROS.get(NAMES.get(rule.macro.lower(), ""), ()) if rule.macro else ():
        yield one.proto, one.dport


def _sources(
    times: Sequence[Side], sides: Mapping[str, Side], network: Network
) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Yield who may connect to a host: others, networks with a name at any of its times, anybody else."""
    for other in sides:
        if other != times[0].name and network.addresses.get(other):
            yield other, network.addresses[other], ""
    hosts = {one for each in network.addresses.values() for one in each}
    spans: dict[str, str] = {}
    for address, name in (pair for side in times for pair in _named(side)):
        spans.setdefault(address, name)
    for address, name in spans.items():
        if name not in (*sides, verdict.LOCAL_NETWORK) and (name or address not in hosts):
            yield f"{name} ({address})" if name else address, (_one(address),), _network(address)
    if times[0].node is None:
        near = verdict.Names(times[0].cluster, None, times[0].local_network or NEAR).alias(
            verdict.LOCAL_NETWORK
        )
        known = "" if near == NEAR else f" ({near})"
        yield f"its own network{known}", (_one(near),), _network(near) if known else ""
    yield ANYWHERE, (STRANGER,), ""


def _named(side: Side) -> Iterator[tuple[str, str]]:
    """Yield the addresses, networks and ranges that a host's files speak of, with their names, best first."""
    files = [side.cluster, *([side.own] if side.own else [])]
    yield from ((alias.address, name) for file in files for name, alias in file.aliases.items())
    managed = side.cluster.sets.get(verdict.MANAGEMENT, fw.Set()).members
    yield from ((member.address, verdict.MANAGEMENT) for member in managed)
    words = [member.address for file in files for each in file.sets.values() for member in each.members]
    for file in files:
        rules = [*file.rules, *(rule for group in file.groups.values() for rule in group.rules)]
        words += [word for rule in rules for word in rule.source.split(",")]
    yield from ((word, "") for word in words if _is_span(word))


def _is_span(text: str) -> bool:
    return is_network(text) or ("-" in text and is_address(text))


def _network(text: str) -> str:
    return str(ip_network(text, strict=False)) if is_network(text) else ""


def _one(network: str) -> str:
    """An address of a network or range that is nobody's in particular: the last one."""
    try:
        found = ip_network(network.rpartition("-")[2], strict=False)
    except ValueError:
        return STRANGER
    last = int(found.broadcast_address) - (1 if found.num_addresses > 2 else 0)
    return str(type(found.network_address)(last))


def _pair(
    source: str,
    addresses: Iterable[str],
    side: Side,
    sides: Mapping[str, Side],
    network: Network,
    key: str,
    who: str,
) -> Pair:
    port, proto, interface = verdict.first_port(key), key.partition("/")[2], side.interface
    targets = network.addresses.get(side.name) or (None,)
    reason = ""
    for address in addresses:
        for target in targets:
            if target is not None and (":" in target) != (":" in address):
                continue
            packet = verdict.Packet(address, port, proto, target, interface)
            found = _both(sides.get(source), side, packet)
            if found.accepted:
                return Pair(source, side.name, key, who, True, found.reason)
            reason = reason or found.reason
    return Pair(source, side.name, key, who, False, reason or "they have no address of the same IP version")


def _both(source: Side | None, target: Side, packet: verdict.Packet) -> verdict.Verdict:
    """What its own firewall, and then the other's, make of a connection."""
    if source is not None:
        out = _through("OUT", source, packet._replace(interface=source.interface))
        if not out.accepted:
            return out._replace(reason=f"at {source.name}: {out.reason}")
    return _through("IN", target, packet)


def _through(direction: str, side: Side, packet: verdict.Packet) -> verdict.Verdict:
    if side.node is not None:
        return verdict.guest(direction, side.cluster, side.own, packet, filtered=side.filtered)
    judge = verdict.node_in if direction == "IN" else verdict.node_out
    return judge(side.cluster, side.own, packet, side.local_network or NEAR)
