"""What a change of the firewall's files does: who gets in where, before and after."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

from .matrix import Pair, Side, pairs
from .ports import Network

Way = tuple[Pair, ...]


class Effect(NamedTuple):
    """A port of a host that others get in to than before."""

    target: str
    port: str
    before: Way | None
    """None: there is no such host yet."""
    after: Way


def effects(
    before: Mapping[str, Side], after: Mapping[str, Side], network: Network, new: frozenset[str] = frozenset()
) -> Iterator[Effect]:
    """Yield each port for which something changes; of `new` hosts, every one."""
    was = _ports(before, after, network)
    for (target, port), found in _ports(after, before, network).items():
        if target in new:
            yield Effect(target, port, None, found)
        elif _let_in(was[target, port]) != _let_in(found):
            yield Effect(target, port, was[target, port], found)


def _ports(
    sides: Mapping[str, Side], beside: Mapping[str, Side], network: Network
) -> Mapping[tuple[str, str], Way]:
    about = groupby(pairs(sides, network, beside), key=lambda pair: (pair.target, pair.port))
    return {key: tuple(found) for key, found in about}


def _let_in(way: Way) -> set[str]:
    return {pair.source for pair in way if pair.accepted}
