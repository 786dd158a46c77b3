"""`pve-firewall simulate`: what the compiled chains do with a packet, walked as Proxmox's simulator does."""

import ipaddress
import re

from firewall_chains import Chains, Compiled

MARKED = 0x80000000


class Packet:
    """What is known of it on its way."""

    def __init__(self, source: str, dest: str, proto: str, dport: int | None, sport: int | None) -> None:
        self.source, self.dest, self.proto, self.dport, self.sport = source, dest, proto, dport, sport
        self.iface_in = self.iface_out = self.bridged_in = self.bridged_out = ""
        self.mark = 0


class Walk:
    """One way through the chains."""

    def __init__(self, chains: Chains, ipsets: Chains, packet: Packet) -> None:
        self.chains, self.ipsets, self.packet = chains, ipsets, packet

    def through(self, chain: str) -> str | None:
        """Return what a chain makes of the packet; None when it comes back."""
        for line in self.chains.get(chain, ()):
            fits, goto, target = self._match(line.removeprefix(f"-A {chain} ").strip())
            if not fits or target is None:
                continue
            if target in ("ACCEPT", "DROP", "REJECT"):
                return target
            if target == "RETURN":
                break
            found = self.through(target)
            if found or goto:
                return found
        return "ACCEPT" if chain in ("PVEFW-INPUT", "PVEFW-OUTPUT", "PVEFW-FORWARD") else None

    def _match(self, rule: str) -> tuple[bool, bool, str | None]:
        """Return whether a rule fits, whether it is a goto, and its target."""
        packet = self.packet
        while rule:
            step = _step(rule)
            if step is None:
                raise ValueError(f"unable to parse rule: {rule}")
            name, values, rule = step
            if name == "target":
                return True, values[0] == "g", self._target(values[1])
            if name == "mark":
                value, mask = (int(word, 0) for word in values)
                packet.mark = packet.mark & ~mask | value
                return False, False, None
            if name == "log" or not self._fits(name, values):
                return False, False, None
        return False, False, None

    def _target(self, target: str) -> str:
        # As the real simulator: a packet that gets as far as this is lost.
        return {"PVEFW-Drop": "DROP", "PVEFW-Reject": "REJECT", "PVEFW-reject": "REJECT"}.get(target, target)

    def _fits(self, name: str, values: tuple[str, ...]) -> bool:
        packet = self.packet
        if name == "state":
            return "NEW" in values[0]
        if name in ("type", "flags"):
            return values[-1] == "UNICAST"
        if name == "proto":
            return values[0] == packet.proto
        if name in ("i", "o"):
            return _device(values[0], packet.iface_in if name == "i" else packet.iface_out)
        if name == "bridged":
            return _device(values[1], packet.bridged_in if values[0] == "in" else packet.bridged_out)
        if name in ("s", "d"):
            return _within(values[0], packet.source if name == "s" else packet.dest)
        if name == "range":
            return _ranged(values[1], packet.source if values[0] == "src" else packet.dest)
        if name == "set":
            return self._in_set(values[0], packet.source if values[1] == "src" else packet.dest)
        if name == "ports":
            port = packet.dport if values[0] == "d" else packet.sport
            return port is not None and any(_port(word, port) for word in values[1].split(","))
        if name == "marked":
            return packet.mark & MARKED != 0
        return name == "limit"

    def _in_set(self, name: str, address: str) -> bool:
        around = []
        for entry in self.ipsets.get(name, ()):
            found = re.fullmatch(r"add \S+ (\S+)( nomatch)?", entry)
            if found and _within(found[1], address):
                around.append((ipaddress.ip_network(found[1], strict=False).prefixlen, not found[2]))
        return bool(around) and max(around)[1]


STEPS = (
    ("state", r"-m conntrack --ctstate (\S+)"),
    ("type", r"-m addrtype --(?:src|dst)-type (\S+)"),
    ("flags", r"-m tcp (?:! |--sport 0 )*--tcp-flags (\S+ \S+)"),
    ("bridged", r"-m physdev --physdev-is-bridged --physdev-(in|out) (\S+)"),
    ("set", r"-m set --match-set (\S+) (src|dst)"),
    ("range", r"-m iprange --(src|dst)-range (\S+)"),
    ("marked", r"-m mark --mark \S+()"),
    ("limit", r"-m limit --limit \S+ --limit-burst \S+()"),
    ("flags", r"-m mac ! --mac-source (\S+)"),
    ("flags", r"-m icmp(?:v6)? --icmp(?:v6)?-type (\S+)"),
    ("flags", r"--icmpv6-type (\S+)"),
    ("proto", r"-p (\S+)"),
    ("i", r"-i (\S+)"),
    ("o", r"-o (\S+)"),
    ("s", r"-s (\S+)"),
    ("d", r"-d (\S+)"),
    ("ports", r"--match multiport --([ds])ports (\S+)"),
    ("ports", r"--([ds])port (\S+)"),
    ("mark", r"-j MARK --set-mark (0x[0-9a-f]+)/(0x[0-9a-f]+)"),
    ("log", r'-j NFLOG --nflog-prefix "[^"]*"()'),
    ("target", r"-(j) (REJECT) --reject-with \S+"),
    ("target", r"-([jg]) (\S+)"),
)
COMPILED = [(name, re.compile(pattern + r"\s*")) for name, pattern in STEPS]


def _step(rule: str) -> tuple[str, tuple[str, ...], str] | None:
    """Split off the first match or target of a rule."""
    for name, pattern in COMPILED:
        found = pattern.match(rule)
        if found:
            return name, found.groups(), rule[found.end() :]
    return None


def _device(pattern: str, device: str) -> bool:
    return device.startswith(pattern[:-1]) if pattern.endswith("+") else device == pattern


def _within(spec: str, address: str) -> bool:
    mine = ipaddress.ip_address(address)
    return any(mine in ipaddress.ip_network(word, strict=False) for word in spec.split(","))


def _ranged(spec: str, address: str) -> bool:
    first, _, last = spec.partition("-")
    return (
        int(ipaddress.ip_address(first))
        <= int(ipaddress.ip_address(address))
        <= int(ipaddress.ip_address(last))
    )


def _port(word: str, port: int) -> bool:
    first, _, last = word.partition(":")
    return int(first) <= port <= int(last or first)


def to_host(compiled: Compiled, packet: Packet, bridge: str = "vmbr0") -> str | None:
    """What a node does with a packet from outside."""
    packet.iface_in, packet.iface_out = bridge, "lo"
    table = compiled.v6 if ":" in packet.source else compiled.v4
    return Walk(table, compiled.ipsets, packet).through("PVEFW-INPUT")


def to_guest(compiled: Compiled, packet: Packet, port: str, bridge: str) -> str | None:
    """What happens to a packet from outside to a guest's port like `950i0`."""
    table = compiled.v6 if ":" in packet.source else compiled.v4
    packet.iface_in, packet.iface_out = bridge, bridge
    packet.bridged_in, packet.bridged_out = "eth0", f"fwpr{port.replace('i', 'p')}"
    walk = Walk(table, compiled.ipsets, packet)
    said = walk.through("PVEFW-FORWARD")
    if said != "ACCEPT":
        return said
    packet.iface_in = packet.iface_out = f"fwbr{port}"
    packet.bridged_in, packet.bridged_out = f"fwln{port}", f"veth{port}"
    return walk.through("PVEFW-FORWARD")
