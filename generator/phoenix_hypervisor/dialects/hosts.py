"""The table of names in /etc/hosts, as hosts(5) has it."""

import ipaddress
from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple


class Line(NamedTuple):
    """An address and its names, the canonical one first."""

    address: str
    names: tuple[str, ...]


@cache
def parse(text: str) -> tuple[Line, ...]:
    """Read a table; addresses and names in canonical form, lines without either left out."""
    words = (line.partition("#")[0].split() for line in text.splitlines())
    return tuple(
        Line(address(found[0]), tuple(name.lower() for name in found[1:])) for found in words if found[1:]
    )


def address(text: str) -> str:
    """Return an address in its one spelling; what is none stays as it is."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def family(text: str) -> int:
    """Return 6 or 4: the resolver looks for each apart."""
    return 6 if ":" in text else 4


def first(lines: Iterable[Line], name: str, of: str) -> Line | None:
    """Return the line that answers for a name, among those of the same family as the address `of`."""
    return next((line for line in lines if name in line.names and family(line.address) == family(of)), None)


def elsewhere(lines: Iterable[Line], wanted: Line) -> Mapping[str, str]:
    """Return which of the wanted names lines give another address of the same family: name → address."""
    found = {name: first(lines, name, wanted.address) for name in wanted.names}
    return {name: line.address for name, line in found.items() if line and line.address != wanted.address}
