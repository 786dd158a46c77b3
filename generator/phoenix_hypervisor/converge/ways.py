"""Where an act of a step is carried out: on its host, on that host's node, or through another connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import HostError
from ..transport import Answer

if TYPE_CHECKING:
    from ..inspect.fleet import Fleet
    from .steps import Act


def way(fleet: Fleet, host: str, node: str) -> Callable[[Act], Answer]:
    """Return what carries out acts for a host, which is this node or lives on it. Raises HostError."""
    transport = fleet.transport(host)

    def do(act: Act) -> Answer:
        if act.afresh:
            return _afresh(fleet, node, act)
        if act.on_node and host != node:
            return fleet.transport(node).act(act.command, act.stdin)
        return transport.act(act.command, act.stdin)

    return do


def _afresh(fleet: Fleet, node: str, act: Act) -> Answer:
    """Run an act through a new connection; one that does not come about is its failure."""
    try:
        with fleet.afresh(node) as transport:
            return transport.act(act.command, act.stdin)
    except HostError as error:
        said = f"{error.message}; the node takes the change back by itself"
        return Answer(1, b"", said.encode())
