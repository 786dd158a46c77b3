"""Who may reach whom on what, from the files alone."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network
from typing import NamedTuple

from ..dialects import firewall_fw as fw
from ..dialects import firewall_verdict as verdict
from .ports import Network
from .sight import STRANGER
from .words import is_network

ANYWHERE = "anywhere"


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


def pairs(sides: Mapping[str, Side], network: Network) -> Iterator[Pair]:
    """Yield every pair for every port that is served or that a rule names."""
    for side in sides.values():
        for key, who in _ports(side, network).items():
            for source, addresses, of in _sources(side, sides, network):
                found = _pair(source, addresses, side, sides, network, key, who)
                yield found._replace(address=addresses[0], network=of)


def _ports(side: Side, network: Network) -> dict[str, str]:
    """The ports of a host, and who serves them: nobody that the files know of, when only a rule names it."""
    found = {served.port.key: str(served.who) for served in network.served.get(side.name, ())}
    for rule in side.own.rules if side.own else ():
        if rule.direction == "IN" and rule.enabled and rule.proto in ("tcp", "udp") and rule.dport:
            found.setdefault(f"{rule.dport}/{rule.proto}", "")
    return dict(sorted(found.items(), key=lambda pair: (verdict.first_port(pair[0]), pair[0])))


def _sources(
    side: Side, sides: Mapping[str, Side], network: Network
) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Yield who may connect: hosts, networks with a name, and anybody else."""
    for name in sides:
        if name != side.name and network.addresses.get(name):
            yield name, network.addresses[name], ""
    for name, alias in side.cluster.aliases.items():
        if name not in sides:
            yield f"{name} ({alias.address})", (_one(alias.address),), _network(alias.address)
    for member in side.cluster.sets.get(verdict.MANAGEMENT, fw.Set()).members:
        yield f"management ({member.address})", (_one(member.address),), _network(member.address)
    yield ANYWHERE, (STRANGER,), ""


def _network(text: str) -> str:
    return str(ip_network(text, strict=False)) if is_network(text) else ""


def _one(network: str) -> str:
    """An address of a network that is nobody's in particular: the last one."""
    try:
        found = ip_network(network, strict=False)
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
    port, proto = verdict.first_port(key), key.partition("/")[2]
    targets = network.addresses.get(side.name) or (None,)
    reason = ""
    for address in addresses:
        for target in targets:
            if target is not None and (":" in target) != (":" in address):
                continue
            packet = verdict.Packet(address, port, proto, target)
            found = _both(sides.get(source), side, packet)
            if found.accepted:
                return Pair(source, side.name, key, who, True, found.reason)
            reason = reason or found.reason
    return Pair(source, side.name, key, who, False, reason or "they have no address of the same IP version")


def _both(source: Side | None, target: Side, packet: verdict.Packet) -> verdict.Verdict:
    """What its own firewall, and then the other's, make of a connection."""
    if source is not None:
        out = _through("OUT", source, packet)
        if not out.accepted:
            return out._replace(reason=f"at {source.name}: {out.reason}")
    return _through("IN", target, packet)


def _through(direction: str, side: Side, packet: verdict.Packet) -> verdict.Verdict:
    if side.node is not None:
        return verdict.guest(direction, side.cluster, side.own, packet, filtered=side.filtered)
    judge = verdict.node_in if direction == "IN" else verdict.node_out
    return judge(side.cluster, side.own, packet, side.local_network)
