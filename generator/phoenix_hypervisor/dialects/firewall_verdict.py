"""What Proxmox's firewall does with a new connection, and which rule decides it. From the files alone.

In the order in which pve-firewall makes its chains (seen in what `pve-firewall compile` prints): the
node's rules, those of cluster.fw, what is open to the `management` set without any rule, the policy. Where
a packet is known only in part (through which interface it comes), an accepting rule that asks for the rest
does not count, and a refusing one does: what is called open is open.
"""

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from .firewall_fw import Alias, Firewall, Member, Rule
from .firewall_macros import MACROS, NAMES

MANAGEMENT = "management"
LOCAL_NETWORK = "local_network"
MANAGED = ("8006", "5900:5999", "3128", "22", "60000:60050")
"""Ports of a node that Proxmox opens to the management set: web interface, consoles, ssh, migration."""
MANAGED_OUT = ("8006", "22", "5900:5999", "3128")
NUMBERS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "ipv6-icmp": "icmpv6"}
EVERYWHERE = ("0.0.0.0/0", "::/0")


class Packet(NamedTuple):
    """The first packet of a connection; None where it is not known."""

    source: str | None
    port: int | None = None
    proto: str = "tcp"
    dest: str | None = None
    interface: str | None = None
    icmp: str = ""


class Verdict(NamedTuple):
    """What happens to it, and why."""

    action: str
    reason: str

    @property
    def accepted(self) -> bool:
        """Whether it gets through."""
        return self.action == "ACCEPT"


class _BrokenError(Exception):
    """A rule names what there is not: Proxmox leaves it out."""


class Names(NamedTuple):
    """Where the names in rules are looked up: a guest's own come before those of cluster.fw."""

    cluster: Firewall
    own: Firewall | None = None
    local_network: str = ""

    def alias(self, name: str) -> str:
        """Return an alias' network. Raises _BrokenError."""
        scope, _, bare = name.lower().rpartition("/")
        for at, files in (("guest", self.own), ("dc", self.cluster)):
            found = files.aliases.get(bare) if files and scope in ("", at) else None
            if found:
                return found.address
        if bare == LOCAL_NETWORK and scope != "guest" and self.local_network:
            return self.local_network
        raise _BrokenError(f"there is no alias `{name}`")

    def members(self, name: str) -> Iterator[tuple[str, bool]]:
        """Yield what a set holds, as networks, and whether each is excluded. Raises _BrokenError."""
        scope, _, bare = name.lower().rpartition("/")
        for at, files in (("guest", self.own), ("dc", self.cluster)):
            found = files.sets.get(bare) if files and scope in ("", at) else None
            if found:
                yield from ((net, m.excluded) for m in found.members for net in self._member(m))
                break
        else:
            if bare != MANAGEMENT:
                raise _BrokenError(f"there is no set `{name}`")
        if bare == MANAGEMENT and scope != "guest":
            yield from ((net, False) for net in self._local())

    def _member(self, member: Member) -> Iterator[str]:
        try:
            yield self.network(member.address)
        except _BrokenError:
            return

    def _local(self) -> Iterator[str]:
        declared = self.cluster.aliases.get(LOCAL_NETWORK, Alias(self.local_network))
        if declared.address:
            yield declared.address

    def network(self, text: str) -> str:
        """Return an address, a network or a range as it is, and the network behind an alias."""
        return text if _is_address(text) else self.alias(text)


def _is_address(text: str) -> bool:
    try:
        for end in text.split("-") if "-" in text else [text]:
            ip_network(end, strict=False)
    except ValueError:
        return False
    return True


def inside(address: str, network: str) -> bool:
    """Tell whether an address lies in a network, an address or a range."""
    mine = ip_address(address)
    first, ranged, last = network.partition("-")
    if ranged:
        low, high = ip_address(first), ip_address(last)
        return low.version == mine.version and int(low) <= int(mine) <= int(high)
    return mine in ip_network(network, strict=False)


def first_port(spec: str) -> int:
    """Return the first port of `80,443` or `5900:5999/tcp`."""
    return int(re.split("[,:/]", spec)[0])


def node_in(cluster: Firewall, node: Firewall | None, packet: Packet, local_network: str = "") -> Verdict:
    """Return what a node does with a connection to itself. `node` is its host.fw."""
    if not cluster.enabled:
        return Verdict("ACCEPT", "the firewall is off: cluster.fw does not say `enable: 1`")
    if node is not None and node.options.get("enable") == "0":
        return Verdict("ACCEPT", "the node's own firewall is off: host.fw says `enable: 0`")
    names = Names(cluster, None, local_network)
    own = node.rules if node else ()
    found = _first(names, (("host.fw", own), ("cluster.fw", cluster.rules)), "IN", packet)
    if found is None and packet.proto == "tcp" and _holds(names, f"+{MANAGEMENT}", packet.source):
        opened = next((port for port in MANAGED if _port(port, packet.port)), None)
        if opened:
            found = Verdict("ACCEPT", f"Proxmox opens {opened} to the set `{MANAGEMENT}`")
    return found or _policy("cluster.fw", cluster, "policy_in", "DROP")


def node_out(cluster: Firewall, node: Firewall | None, packet: Packet, local_network: str = "") -> Verdict:
    """Return what a node does with a connection of its own."""
    if not cluster.enabled or (node is not None and node.options.get("enable") == "0"):
        return Verdict("ACCEPT", "the firewall is off")
    names = Names(cluster, None, local_network)
    own = node.rules if node else ()
    found = _first(names, (("host.fw", own), ("cluster.fw", cluster.rules)), "OUT", packet)
    near = local_network and packet.dest and inside(packet.dest, local_network)
    if found is None and near and any(_port(port, packet.port) for port in MANAGED_OUT):
        found = Verdict("ACCEPT", "Proxmox opens it towards the local network")
    return found or _policy("cluster.fw", cluster, "policy_out", "ACCEPT")


def guest(
    direction: str, cluster: Firewall, own: Firewall | None, packet: Packet, *, filtered: bool = True
) -> Verdict:
    """Return what happens to a connection to (IN) or from (OUT) a guest. `own` is its .fw file.

    `filtered`: its interface says `firewall=1`; otherwise nothing of this applies to it.
    """
    if not cluster.enabled:
        return Verdict("ACCEPT", "the firewall is off: cluster.fw does not say `enable: 1`")
    if own is None or not own.enabled:
        return Verdict("ACCEPT", "the guest's firewall is off")
    if not filtered:
        return Verdict("ACCEPT", "the guest's interface does not say `firewall: true`")
    found = _first(Names(cluster, own), (("its rules", own.rules),), direction, packet)
    option, default = ("policy_in", "DROP") if direction == "IN" else ("policy_out", "ACCEPT")
    return found or _policy("its file", own, option, default)


def _policy(file: str, firewall: Firewall, option: str, default: str) -> Verdict:
    action = firewall.options.get(option, default)
    said = "" if option in firewall.options else ", which is the default"
    return Verdict(action, f"no rule of {file} fits: {option} {action}{said}")


def _first(
    names: Names, files: Iterable[tuple[str, Iterable[Rule]]], direction: str, packet: Packet
) -> Verdict | None:
    for file, rules in files:
        for number, rule in enumerate(rules, 1):
            for one, fits in _flat(names, rule, direction, packet):
                if fits or (fits is None and one.action != "ACCEPT"):
                    through = f" (in group {rule.action})" if rule.direction == "GROUP" else ""
                    where = f"rule {number} of {file}"
                    return Verdict(one.action, f"{where}{through}: {one}")
    return None


def _flat(names: Names, rule: Rule, direction: str, packet: Packet) -> Iterator[tuple[Rule, bool | None]]:
    """Yield a rule, or the rules of the group it names, and whether each fits."""
    if not rule.enabled:
        return
    if rule.direction == "GROUP":
        through = _all([_interface(rule, packet), *_ends(names, rule, packet)])
        group = names.cluster.groups.get(rule.action.lower())
        for one in group.rules if group else ():
            if one.enabled and one.direction == direction:
                yield one, _all([through, fits(names, one, packet)])
    elif rule.direction == direction:
        yield rule, fits(names, rule, packet)


def speaks_of(names: Names, rule: Rule, packet: Packet) -> bool:
    """Tell whether a rule, or one of its group, may let in a packet of which not everything is known."""
    return any(
        one.action == "ACCEPT" and found is not False for one, found in _flat(names, rule, "IN", packet)
    )


def fits(names: Names, rule: Rule, packet: Packet) -> bool | None:
    """Tell whether a rule applies to a packet; None: it cannot be known."""
    if rule.action not in ("ACCEPT", "DROP", "REJECT"):
        return False
    try:
        around = [_interface(rule, packet), *_ends(names, rule, packet)]
    except _BrokenError:
        return False
    return _all([*around, _service(rule, packet)])


def _ends(names: Names, rule: Rule, packet: Packet) -> list[bool | None]:
    return [_holds(names, rule.source, packet.source), _holds(names, rule.dest, packet.dest)]


def _all(parts: Iterable[bool | None]) -> bool | None:
    found = list(parts)
    if False in found:
        return False
    return None if None in found else True


def _interface(rule: Rule, packet: Packet) -> bool | None:
    if not rule.interface:
        return True
    return None if packet.interface is None else rule.interface == packet.interface


def _holds(names: Names, spec: str, address: str | None) -> bool | None:
    """Tell whether what a rule says of one end holds for an address. Raises _BrokenError."""
    if not spec:
        return True
    if spec.startswith("+"):
        members = list(names.members(spec[1:]))
        return None if address is None else _in_set(members, address)
    networks = [names.network(word) for word in spec.split(",")]
    return None if address is None else any(inside(address, network) for network in networks)


def _in_set(members: Iterable[tuple[str, bool]], address: str) -> bool:
    """As the kernel's sets do: of all networks around an address the narrowest one decides."""
    around = [
        (ip_network(network, strict=False).prefixlen, not excluded)
        for network, excluded in members
        if inside(address, network)
    ]
    return bool(around) and max(around)[1]


def _service(rule: Rule, packet: Packet) -> bool | None:
    if rule.macro:
        macro = MACROS.get(NAMES.get(rule.macro.lower(), ""), ())
        results = [_one(each.proto, each.dport, each.sport, "", packet) for each in macro]
        return True if True in results else None if None in results else False
    return _one(rule.proto, rule.dport, rule.sport, rule.icmp_type, packet)


def _one(proto: str, dport: str, sport: str, icmp: str, packet: Packet) -> bool | None:
    if proto and NUMBERS.get(proto, proto) != packet.proto:
        return False
    if packet.proto.startswith("icmp"):
        wanted = icmp or dport
        return wanted in ("", "any", packet.icmp)
    return _all([_port(dport, packet.port), None if sport else True])


def _port(spec: str, port: int | None) -> bool | None:
    """Tell whether a port is in a list of ports and ranges; None for one known only by a service's name."""
    if not spec:
        return True
    if port is None:
        return None
    found: list[bool | None] = []
    for word in spec.split(","):
        first, _, last = word.partition(":")
        known = first.isdecimal() and (last or first).isdecimal()
        found.append(int(first) <= port <= int(last or first) if known else None)
    return True if True in found else None if None in found else False
