"""What stanzas of interfaces(5) mean, and how a meaning is written.

Several stanzas of one interface (inet and inet6) are one definition. What means the same is the same: a
netmask or a prefix, `bridge_ports` or `bridge-ports`, a number or a name of a bond's mode.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from ipaddress import ip_address, ip_interface
from typing import NamedTuple

from .interfaces import Parsed, Stanza

BOND_MODES = (
    "balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb",
)  # fmt: skip
FORWARD_DELAY = 15
"""Seconds; what a bridge has of which nobody says it."""
KNOWN = (
    "address", "netmask", "gateway", "mtu", "vlan-raw-device", "vlan-id", "bridge-ports", "bridge-stp",
    "bridge-fd", "bridge-vlan-aware", "bridge-vids",
)  # fmt: skip
_VLAN_NAME = re.compile(r"(?P<parent>.+)\.(?P<tag>\d+)")


class Bond(NamedTuple):
    """What a bond is made of."""

    members: tuple[str, ...]
    mode: str = "balance-rr"
    options: tuple[tuple[str, str], ...] = ()
    """Its other options, `miimon` and the like, in alphabetical order."""


class Bridge(NamedTuple):
    """What a bridge is made of."""

    ports: tuple[str, ...]
    vlan_aware: bool = False
    vids: tuple[tuple[int, int], ...] = ()
    stp: bool = False
    fd: float = FORWARD_DELAY


class Definition(NamedTuple):
    """What the files say of one interface, in one spelling."""

    name: str
    auto: bool = False
    method: str = ""
    method6: str = ""
    addresses: tuple[str, ...] = ()
    gateway: str = ""
    gateway6: str = ""
    mtu: int | None = None
    bridge: Bridge | None = None
    bond: Bond | None = None
    parent: str = ""
    tag: int | None = None
    others: tuple[tuple[str, str], ...] = ()
    """Options of which this module knows nothing, as they are written."""


def definition(parsed: Parsed, name: str) -> Definition | None:
    """Return what all stanzas of an interface say together; None where there is none."""
    found = parsed.of(name)
    if not found:
        return None
    auto = any(mark.word == "auto" and {name, "all"} & {*mark.names} for mark in parsed.marks)
    return _definition(name, auto, found)


def write(definition: Definition) -> str:
    """Return the stanzas of an interface."""
    families = [("inet", definition.method or ("" if definition.method6 else "manual"))]
    families += [("inet6", definition.method6)]
    lines = [f"auto {definition.name}"] if definition.auto else []
    own = list(_own_options(definition))
    for family, method in families:
        if not method:
            continue
        lines += [""] if lines and lines[-1].startswith("\t") else []
        lines.append(f"iface {definition.name} {family} {method}")
        old = family == "inet"
        lines += [f"\taddress {one}" for one in definition.addresses if (":" not in one) is old]
        gateway = definition.gateway if old else definition.gateway6
        lines += [f"\tgateway {gateway}"] if gateway else []
        lines += [f"\t{name} {value}".rstrip() for name, value in own]
        own = []  # what is not of one family stands once
    return "".join(f"{line}\n" for line in lines)


def shown(definition: Definition | None, like: Definition, *, auto: bool = True) -> dict[str, object]:
    """Return what a definition says, attribute by attribute, of what `like` says something of."""
    if definition is None:
        definition = Definition(like.name)
    found: dict[str, object] = {
        "method": definition.method or "manual",
        "method6": definition.method6,
        "addresses": sorted(definition.addresses),
        "gateway": definition.gateway,
        "gateway6": definition.gateway6,
        "parent": definition.parent,
        "tag": definition.tag,
        "ports": None if definition.bridge is None else sorted(definition.bridge.ports),
        "members": None if definition.bond is None else sorted(definition.bond.members),
    }
    found |= {"auto": definition.auto} if auto else {}
    found |= {"mtu": definition.mtu} if like.mtu is not None else {}
    if definition.bridge is not None and like.bridge is not None:
        bridge = definition.bridge
        found |= {"vlan_aware": bridge.vlan_aware, "stp": bridge.stp, "fd": bridge.fd}
        found |= {"vids": spelled(bridge.vids)} if like.bridge.vids else {}
    if definition.bond is not None and like.bond is not None:
        options = dict(definition.bond.options)
        found["mode"] = definition.bond.mode
        found |= {name.replace("-", "_"): options.get(name, "") for name, _ in like.bond.options}
    return found


def differing(theirs: Definition | None, wanted: Definition, *, auto: bool = True) -> list[str]:
    """Return in words what a definition has that is not as wanted."""
    actual, desired = shown(theirs, wanted, auto=auto), shown(wanted, wanted, auto=auto)
    return [f"{name} {_said(value)}" for name, value in actual.items() if value != desired.get(name)]


def _said(value: object) -> str:
    if isinstance(value, list):
        return " ".join(value) or "none"
    if value is None or value == "":
        return "none"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def ranges(text: str) -> tuple[tuple[int, int], ...]:
    """Read `2-4094`, `2 4 10-12` or `2,4`: sorted, and joined where they touch. Raises ValueError."""
    found = []
    for word in text.replace(",", " ").split():
        low, _, high = word.partition("-")
        found.append((int(low), int(high or low)))
    return joined(found)


def vlans(value: object) -> object:
    """Return VLANs and ranges of them in one spelling; no text is left to others. Raises ValueError."""
    text = str(value) if type(value) is int else value
    if not isinstance(text, str):
        return text
    try:
        found = ranges(text)
    except ValueError:
        found = ()
    if not found or any(not 1 <= low <= high <= 4094 for low, high in found):
        raise ValueError("must be VLANs and ranges of them, from 1 to 4094: `2-4094`, `10 20 30-39`")
    return spelled(found)


def joined(found: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return ranges sorted, and joined where they touch."""
    kept: list[tuple[int, int]] = []
    for low, high in sorted(found):
        if kept and low <= kept[-1][1] + 1:
            kept[-1] = (kept[-1][0], max(kept[-1][1], high))
        else:
            kept.append((low, high))
    return tuple(kept)


def without(
    found: Iterable[tuple[int, int]], first: Iterable[tuple[int, int]]
) -> tuple[tuple[int, int], ...]:
    """Return ranges without numbers at whose beginning they begin."""
    ends = dict(first)
    cut = ((ends.get(low, low - 1) + 1, high) for low, high in found)
    return tuple((low, high) for low, high in cut if low <= high)


def spelled(found: Iterable[tuple[int, int]]) -> str:
    """Return ranges as the files have them."""
    return " ".join(str(low) if low == high else f"{low}-{high}" for low, high in found)


def vlan_of(name: str) -> tuple[str, int] | None:
    """Return the parent and the tag that a name like `vmbr0.20` says."""
    found = _VLAN_NAME.fullmatch(name)
    return (found["parent"], int(found["tag"])) if found else None


@cache
def address(text: str, netmask: str = "") -> str:
    """Return an address with its prefix in one spelling. Raises ValueError."""
    return str(ip_interface(text if "/" in text or not netmask else f"{text}/{netmask}"))


def _definition(name: str, auto: bool, stanzas: tuple[Stanza, ...]) -> Definition:
    methods = {stanza.family: stanza.method for stanza in stanzas}
    options = [option for stanza in stanzas for option in stanza.options]
    addresses = tuple(_addresses(options))
    gateways = {
        ":" in value: _plain(value.split()[0]) for key, value in options if key == "gateway" and value
    }
    first = dict(reversed(options))
    parent, tag = _vlan(name, first)
    if "" in methods:  # `iface vmbr0`: what it is follows from its addresses
        methods.setdefault("inet", "static" if any(":" not in one for one in addresses) else "manual")
        if any(":" in one for one in addresses):
            methods.setdefault("inet6", "static")
    return Definition(
        name,
        auto,
        methods.get("inet", ""),
        methods.get("inet6", ""),
        addresses,
        gateways.get(False, ""),
        gateways.get(True, ""),
        int(first["mtu"]) if first.get("mtu", "").isdecimal() else None,
        _bridge(first),
        _bond(first),
        parent,
        tag,
        tuple(option for option in options if not _known(option)),
    )


def _addresses(options: Iterable[tuple[str, str]]) -> Iterator[str]:
    listed = list(options)
    for number, (key, value) in enumerate(listed):
        if key != "address" or not value:
            continue
        following = listed[number + 1 :]
        until = next((n for n, (other, _) in enumerate(following) if other == "address"), len(following))
        masks = [mask for other, mask in following[:until] if other == "netmask"]
        try:
            yield address(value.split()[0], masks[0] if masks else "")
        except ValueError:
            yield value


def _plain(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return text


def _vlan(name: str, first: Mapping[str, str]) -> tuple[str, int | None]:
    by_name = vlan_of(name)
    parent = first.get("vlan-raw-device") or (by_name[0] if by_name else "")
    number = re.search(r"(\d+)$", name) if parent else None
    said = first.get("vlan-id", "")
    tag = int(said) if said.isdecimal() else int(number[1]) if number else None
    return parent, tag


def _bridge(first: Mapping[str, str]) -> Bridge | None:
    if "bridge-ports" not in first:
        return None
    ports = tuple(word for word in first["bridge-ports"].split() if word != "none")
    try:
        vids = ranges(first.get("bridge-vids", ""))
    except ValueError:
        vids = ()
    delay = first.get("bridge-fd", "")
    fd = float(delay) if re.fullmatch(r"\d+(\.\d+)?", delay) else FORWARD_DELAY
    return Bridge(ports, _yes(first.get("bridge-vlan-aware")), vids, _yes(first.get("bridge-stp")), fd)


def _bond(first: Mapping[str, str]) -> Bond | None:
    members = first.get("bond-slaves", first.get("bond-ports"))
    if members is None:
        return None
    mode = first.get("bond-mode", "0")
    if mode.isdecimal() and int(mode) < len(BOND_MODES):
        mode = BOND_MODES[int(mode)]
    named = ("bond-slaves", "bond-ports", "bond-mode")
    rest = {key.removeprefix("bond-"): value for key, value in first.items() if key.startswith("bond-")}
    kept = tuple(sorted((key, value) for key, value in rest.items() if f"bond-{key}" not in named))
    return Bond(tuple(word for word in members.split() if word != "none"), mode, kept)


def _yes(word: str | None) -> bool:
    return word in ("yes", "on", "true", "1")


def _known(option: tuple[str, str]) -> bool:
    return option[0] in KNOWN or option[0].startswith("bond-")


def _own_options(definition: Definition) -> Iterator[tuple[str, str]]:
    """Yield what an interface has once, whatever its families."""
    if (definition.parent, definition.tag) != (vlan_of(definition.name) or ("", None)):
        yield "vlan-raw-device", definition.parent
        yield "vlan-id", str(definition.tag)
    if definition.bridge is not None:
        bridge = definition.bridge
        yield "bridge-ports", " ".join(bridge.ports) or "none"
        yield "bridge-stp", "on" if bridge.stp else "off"
        yield "bridge-fd", f"{bridge.fd:g}"
        yield from (("bridge-vlan-aware", "yes"),) if bridge.vlan_aware else ()
        yield from (("bridge-vids", spelled(bridge.vids)),) if bridge.vids else ()
    if definition.bond is not None:
        yield "bond-slaves", " ".join(definition.bond.members) or "none"
        yield "bond-mode", definition.bond.mode
        yield from ((f"bond-{key}", value) for key, value in definition.bond.options)
    if definition.mtu is not None:
        yield "mtu", str(definition.mtu)
    yield from definition.others
