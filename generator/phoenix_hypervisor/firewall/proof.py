"""The proof that a change of a node's firewall keeps the ways to it open: or the rule that closes one."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

from ..dialects import firewall_fw as fw
from ..dialects import firewall_verdict as verdict

SSH, WEB = 22, 8006
Address = IPv4Address | IPv6Address


class Proof(NamedTuple):
    """What stays open, and what would not."""

    open: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """Why the change must not be made; empty when it may."""
        return "; ".join(self.closed)


def prove(
    cluster: fw.Firewall,
    node: fw.Firewall | None,
    connection: tuple[str, int] | None,
    management: Iterable[str],
    local_network: str = "",
) -> Proof:
    """Tell whether this connection (its source, and the port it came to) and management networks get in."""
    opened: list[str] = []
    closed: list[str] = []
    if connection is not None:
        source, port = connection
        found = verdict.node_in(cluster, node, verdict.Packet(source, port), local_network)
        what = f"this very connection, from {source} to port {port}"
        (opened if found.accepted else closed).append(_said(what, found))
    for network in management:
        for port in (SSH, WEB):
            failed = _closed(cluster, node, network, port, local_network)
            if failed:
                closed.append(failed)
    return Proof(tuple(opened), tuple(closed))


def _said(what: str, found: verdict.Verdict) -> str:
    return f"{what}: {found.action} by {found.reason}"


def _closed(
    cluster: fw.Firewall, node: fw.Firewall | None, network: str, port: int, local_network: str
) -> str:
    """Say which address of a network does not get through, and why; empty when all do."""
    for source in edges(network, [cluster, *([node] if node else [])], local_network):
        found = verdict.node_in(cluster, node, verdict.Packet(source, port), local_network)
        if not found.accepted:
            return _said(f"the management network {network}, from {source} to port {port}", found)
    return ""


def edges(network: str, files: Iterable[fw.Firewall], *further: str) -> list[str]:
    """Return addresses of a network such that what holds for them holds for all of it.

    Between two neighbours of these no rule begins or ends.
    """
    whole = ip_network(network, strict=False)
    low, high = int(whole.network_address), int(whole.broadcast_address)
    found = {low, high}
    for text in [*_specs(files), *filter(_is_span, further)]:
        first, last = _span(text)
        if first.version == whole.version:
            found |= {int(first) - 1, int(first), int(last), int(last) + 1}
    make = type(whole.network_address)
    return [str(make(number)) for number in sorted(found) if low <= number <= high]


def _span(text: str) -> tuple[Address, Address]:
    first, ranged, last = text.partition("-")
    if ranged:
        return ip_address(first), ip_address(last)
    net = ip_network(text, strict=False)
    return net.network_address, net.broadcast_address


def _specs(files: Iterable[fw.Firewall]) -> Iterator[str]:
    for file in files:
        words = [alias.address for alias in file.aliases.values()]
        words += [member.address for found in file.sets.values() for member in found.members]
        rules = [*file.rules, *(rule for group in file.groups.values() for rule in group.rules)]
        words += [word for rule in rules for word in f"{rule.source},{rule.dest}".split(",")]
        yield from (word for word in words if _is_span(word))


def _is_span(word: str) -> bool:
    try:
        _span(word)
    except ValueError:
        return False
    return True
