"""Kernel parameters, as sysctl.d(5) and sysctl(8) write them."""

import re
from collections.abc import Mapping
from functools import cache

FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")
"""Where files lie; of two with the same name the one in the folder named first counts."""
_ASSIGNED = re.compile(r"-?\s*(?P<key>[^=\s]+)\s*=\s*(?P<value>.*)")


def key(written: str) -> str:
    """Return a parameter's name with dots between its parts, and a slash for a dot inside one.

    It may be written with slashes (`net/ipv4/conf/eth0.1/rp_filter`): the separator that comes first
    decides, for sysctl(8) and systemd alike.
    """
    found = re.search("[./]", written)
    if found and found[0] == "/":
        return written.translate(str.maketrans("./", "/."))
    return written


def value(written: str) -> str:
    """Return a value in its one spelling: a blank between numbers, where the kernel prints tabs."""
    return " ".join(written.split())


@cache
def parse(text: str) -> Mapping[str, str]:
    """Read `key = value` lines; of a parameter that is set twice the last counts."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        assigned = _ASSIGNED.fullmatch(line.strip())
        if assigned and line.strip()[0] not in "#;":
            found[key(assigned["key"])] = value(assigned["value"])
    return found


@cache
def merged(text: str) -> Mapping[str, str]:
    """Read `grep -H '' FILE…` over all folders into what the next boot sets: by files' names, the last."""
    files: dict[str, dict[str, list[str]]] = {}
    for line in text.splitlines():
        path, _, content = line.partition(":")
        folder, _, name = path.rpartition("/")
        files.setdefault(name, {}).setdefault(folder, []).append(content)
    found: dict[str, str] = {}
    for _, places in sorted(files.items()):
        folder = min(places, key=lambda place: FOLDERS.index(place) if place in FOLDERS else len(FOLDERS))
        found.update(parse("\n".join(places[folder])))
    return found
