"""What dpkg knows of a host's packages, as dpkg-query(1) prints it."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

FORMAT = r"${db:Status-Abbrev}\t${Package}\t${Architecture}\t${Version}\n"
"""For `dpkg-query -W -f`: what `installed` reads."""
_INSTALLED = frozenset("iWt")
"""Also where a trigger is still to be run; not: unpacked, half-configured, only its settings left."""


class Package(NamedTuple):
    """An installed package."""

    version: str
    held: bool


@cache
def installed(text: str) -> Mapping[str, Package]:
    """Read the answer into name → package; one of another architecture is `name:architecture` as well."""
    found: dict[str, Package] = {}
    for line in text.splitlines():
        status, name, architecture, version = line.split("\t")
        if status[1:2] in _INSTALLED:
            package = Package(version, status[0] == "h")
            found[f"{name}:{architecture}"] = package
            found.setdefault(name, package)
    return found
