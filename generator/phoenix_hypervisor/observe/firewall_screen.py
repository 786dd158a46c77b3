"""Who may reach whom, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from ..firewall.effect import Effect
from ..firewall.matrix import ANYWHERE, Pair

VERSION = 1
LONGEST = 12
"""Lines of effects below one resource of a plan."""
HEAD = ("TO", "PORT", "SERVED BY", "LET IN")


def document(found: Iterable[Pair]) -> dict[str, Any]:
    """Return the matrix as one versioned document."""
    return {"version": VERSION, "pairs": [pair._asdict() for pair in found]}


def lines(found: Sequence[Pair]) -> Iterator[str]:
    """Yield a table with a line for each port: who gets in; all others do not."""
    if not found:
        yield "nothing is served, and no rule opens a port"
        return
    rows = [HEAD]
    for target, port, served_by in dict.fromkeys((p.target, p.port, p.served_by) for p in found):
        about = [p for p in found if (p.target, p.port) == (target, port)]
        rows.append((target, port, served_by or "-", _names(about)))
    yield from _table(rows)


def _let_in(about: Sequence[Pair]) -> Iterator[str]:
    """Yield who gets in: of a network as a whole, only those of it who do not are named."""
    if any(pair.source == ANYWHERE and pair.accepted for pair in about):
        yield "anybody"
        return
    networks: dict[str, Pair] = {}
    for pair in about:
        if pair.network and pair.accepted:
            networks.setdefault(pair.network, pair)
    networks = {net: pair for net, pair in networks.items() if not any(_below(net, one) for one in networks)}
    hosts = [pair for pair in about if not pair.network and pair.source != ANYWHERE]
    inside = {pair: [net for net in networks if _within(pair.address, net)] for pair in hosts}
    yield from (pair.source for pair in hosts if pair.accepted and not inside[pair])
    for network, pair in networks.items():
        out = [host.source for host in hosts if network in inside[host] and not host.accepted]
        yield pair.source + (f" without {' and '.join(out)}" if out else "")


def _below(network: str, other: str) -> bool:
    small, large = ip_network(network), ip_network(other)
    return small != large and small.version == large.version and small.subnet_of(large)  # type: ignore[arg-type]


def _within(address: str, network: str) -> bool:
    return bool(address) and ip_address(address) in ip_network(network)


def effect_lines(found: Sequence[Effect]) -> Iterator[str]:
    """Yield a line for each port that others get in to than before."""
    for effect in found[:LONGEST]:
        after = _names(effect.after)
        said = after if effect.before is None else f"{_names(effect.before)} → {after}"
        yield f"may reach {effect.target} on {effect.port}: {said}"
    if len(found) > LONGEST:
        yield f"and {len(found) - LONGEST} ports more: `phoenix firewall matrix` has all of them"


def effect_rows(found: Iterable[Effect]) -> list[dict[str, Any]]:
    """Return the same for programs: who gets in, by name."""
    return [
        {
            "target": effect.target,
            "port": effect.port,
            "before": None if effect.before is None else list(_let_in(effect.before)),
            "after": list(_let_in(effect.after)),
        }
        for effect in found
    ]


def _names(way: Sequence[Pair]) -> str:
    return ", ".join(_let_in(way)) or "nobody"


def why_lines(found: Sequence[Pair]) -> Iterator[str]:
    """Yield a line for each pair with the rule that decides it."""
    rows = [("FROM", "TO", "PORT", "", "BECAUSE")]
    rows += [(p.source, p.target, p.port, "yes" if p.accepted else "no", p.reason) for p in found]
    yield from _table(rows)


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
