"""/etc/network/interfaces with what it sources, as ifupdown2 reads it: stanzas, and complaints."""

import glob
import ipaddress
import os
import re

import model
from hints import Any

MAIN = "/etc/network/interfaces"
METHODS = ("static", "manual", "loopback", "dhcp", "dhcp6", "auto", "ppp", "tunnel")
KEYWORDS = ("iface", "auto", "mapping", "source", "source-directory", "vlan", "rename")
SUPPORTED = re.compile(
    r"address|netmask|broadcast|gateway|mtu|hwaddress|vlan-raw-device|vlan-id|dns-\S+|(pre-|post-)?(up|down)|"
    r"bridge-(ports|stp|fd|vlan-aware|vids|pvid|maxwait|ageing)|bond-\S+|accept_ra|accept-ra|autoconf|alias"
)
BOOLEANS = ("yes", "no", "on", "off", "0", "1")
Stanzas = dict[str, dict[str, list[str]]]
"""Interface → option → values; `family` and `method` are kept like options."""


class Read:
    """What the files say."""

    def __init__(self) -> None:
        self.stanzas: Stanzas = {}
        self.auto: list[str] = []
        self.errors: list[str] = []
        self._file(model.path(MAIN))

    def _file(self, path: str) -> None:
        if not os.path.isfile(path):
            return
        with open(path, encoding="utf-8") as file:
            text = file.read().replace("\\\n", "  ")
        name = ""
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if words[0] in KEYWORDS or words[0].startswith("allow-"):
                name = self._keyword(words, path, number)
            elif not name or len(words) < 2:
                self._error(path, number, f"iface {name}: invalid syntax '{line.strip()}'")
            else:
                self._option(name, words, path, number)

    def _keyword(self, words: list[str], path: str, number: int) -> str:
        if words[0] == "auto":
            self.auto += [one for one in words[1:] if one not in self.auto]
        elif words[0] == "source" and len(words) > 1:
            for file in sorted(glob.glob(model.path(words[1]))):
                self._file(file)
        elif words[0] == "iface" and len(words) > 1:
            family, method = (*words[2:4], "", "")[:2]
            own = self.stanzas.setdefault(words[1], {})
            own.setdefault("method", []).append(f"{family or 'inet'} {method or 'static'}")
            if method and method not in METHODS:
                self._error(path, number, f"iface {words[1]}: unsupported address method '{method}'")
            return words[1]
        return ""

    def _option(self, name: str, words: list[str], path: str, number: int) -> None:
        key, value = words[0].replace("_", "-"), " ".join(words[1:])
        if not SUPPORTED.fullmatch(key):
            self._error(path, number, f"iface {name}: unsupported keyword ({words[0]})")
        elif key in ("bridge-stp", "bridge-vlan-aware") and value not in BOOLEANS:
            self._error(
                path, number, f'{name}: {key}: invalid value "{value}": valid attribute values: {[*BOOLEANS]}'
            )
        elif key == "address" and not _is_address(value.split("/")[0]):
            self._error(path, number, f'{name}: address: invalid value "{value}"')
        own = self.stanzas[name]
        if key == "netmask" and own.get("address"):
            own["address"][-1] = str(ipaddress.ip_interface(f"{own['address'][-1]}/{value}"))
        else:
            own.setdefault(key, []).append(value)

    def _error(self, path: str, number: int, said: str) -> None:
        self.errors.append(f"error: {path.removeprefix(model.ROOT)}: line{number}: {said}")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def one(options: dict[str, list[str]], key: str, default: str = "") -> str:
    """Return an option's first value."""
    return options.get(key, [default])[0]


def link_of(name: str, options: dict[str, list[str]]) -> dict[str, Any]:
    """Return what the kernel has of an interface after ifupdown2 has brought it up."""
    link: dict[str, Any] = {"kind": "", "up": True, "mtu": int(one(options, "mtu", "1500"))}
    link["addresses"] = [str(ipaddress.ip_interface(address)) for address in options.get("address", ())]
    link["gateways"] = options.get("gateway", [])
    link["dynamic"] = ["10.0.0.200/24"] if "inet dhcp" in options["method"] else []
    parent, _, tag = name.rpartition(".")
    if "bridge-ports" in options:
        ports = [port for port in one(options, "bridge-ports").split() if port != "none"]
        link |= {"kind": "bridge", "ports": ports, "stp": _yes(one(options, "bridge-stp"))}
        link |= {"fd": float(one(options, "bridge-fd", "15")), "vids": one(options, "bridge-vids")}
        link["aware"] = _yes(one(options, "bridge-vlan-aware"))
    elif "bond-slaves" in options:
        link |= {"kind": "bond", "ports": one(options, "bond-slaves").split()}
        link["mode"] = one(options, "bond-mode", "balance-rr")
    elif "vlan-raw-device" in options or (parent and tag.isdecimal()):
        number = one(options, "vlan-id") or (re.findall(r"\d+$", name) or ["0"])[0]
        link |= {"kind": "vlan", "parent": one(options, "vlan-raw-device", parent), "tag": int(number)}
    return link


def _yes(word: str) -> bool:
    return word in ("yes", "on", "1")
