"""Where an act of a step is carried out: on its host, on that host's node, or through another connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import HostError
from ..resource import Ref, Step
from ..transport import Answer
from ..transport.hearing import Hear

if TYPE_CHECKING:
    from ..inspect.fleet import Fleet
    from .steps import Act


def way(fleet: Fleet, host: str, node: str, hear: Hear | None = None) -> Callable[[Act], Answer]:
    """Return what carries out acts for a host, which is this node or lives on it. Raises HostError.

    `hear` is told what they say while they run; nothing of one that prints a secret.
    """
    transport = fleet.transport(host)

    def do(act: Act) -> Answer:
        if act.afresh:
            return _afresh(fleet, node, act)
        through = fleet.transport(node) if act.on_node and host != node else transport
        return through.act(act.command, act.stdin, None if act.keeps else hear)

    return do


def progress(tell: Callable[[str, Mapping[str, Any]], None], ref: Ref, step: Step) -> Hear:
    """Return what tells each line that a step prints while it runs."""
    return lambda said: tell("progress", {"ref": ref, "title": step.title, "said": said})


def _afresh(fleet: Fleet, node: str, act: Act) -> Answer:
    """Run an act through a new connection; one that does not come about is its failure."""
    try:
        with fleet.afresh(node) as transport:
            return transport.act(act.command, act.stdin)
    except HostError as error:
        said = f"{error.message}; the node takes the change back by itself"
        return Answer(1, b"", said.encode())
