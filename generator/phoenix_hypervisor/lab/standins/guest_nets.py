"""Network interfaces of guests, and the bridges of the node they hang on."""

import os
import re

import model
from guest_conf import Part, Refused
from guest_formats import NET, NotParsedError, parse, spell

PREFIX = "BC:24:11"
"""How hardware addresses begin that Proxmox makes up, unless the datacenter says otherwise."""


def new_address() -> str:
    """Make up a hardware address."""
    prefix = PREFIX
    try:
        with open(model.path("/etc/pve/datacenter.cfg"), encoding="utf-8") as file:
            found = re.search(r"^mac_prefix:\s*(\S+)", file.read(), re.MULTILINE)
            prefix = found[1].upper() if found else prefix
    except FileNotFoundError:
        pass
    own = os.urandom(6)[prefix.count(":") + 1 :]
    return ":".join([prefix, *(f"{byte:02X}" for byte in own)])


def read(value: str) -> dict[str, str]:
    """Read `netN`, completed as Proxmox does: it is a veth, and has a hardware address."""
    try:
        found = parse(NET, value)
    except NotParsedError as error:
        raise Refused(str(error)) from None
    found["type"] = "veth"
    found.setdefault("hwaddr", new_address())
    return found


def written(value: str) -> str:
    """Return `netN` as Proxmox writes it; each call makes up a hardware address if there is none."""
    return spell(NET, read(value))


def every(part: Part) -> dict[str, dict[str, str]]:
    """Return the interfaces by key."""
    keys = sorted(key for key in part.values if re.fullmatch(r"net\d+", key))
    return {key: read(part.values[key]) for key in keys}


def bridges() -> dict[str, int]:
    """Return the node's interfaces with their MTU, as its configuration declares them."""
    found: dict[str, int] = {}
    name = ""
    for file in _files():
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                words = line.split()
                if words[:1] == ["iface"] and len(words) > 1:
                    name = words[1]
                    found.setdefault(name, 1500)
                elif words[:1] == ["mtu"] and name and words[1:2] and words[1].isdecimal():
                    found[name] = int(words[1])
    return found


def _files() -> list[str]:
    main = model.path("/etc/network/interfaces")
    folder = main + ".d"
    more = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return [file for file in (main, *(os.path.join(folder, name) for name in more)) if os.path.isfile(file)]


def refuse_missing_bridge(net: dict[str, str]) -> None:
    if "bridge" in net and net["bridge"] not in bridges():
        raise Refused(f"bridge '{net['bridge']}' does not exist", 2)


def refuse_large_packets(key: str, value: str) -> None:
    """Refuse an interface whose packets would not fit through its bridge."""
    net = read(value)
    limit = bridges().get(net.get("bridge", ""), 0)
    if limit and int(net.get("mtu", 0)) > limit:
        raise Refused(f"{key}: MTU size '{net['mtu']}' is bigger than bridge MTU '{limit}'")
