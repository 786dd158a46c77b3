"""Rules about gateways: each path leads to one service that is there and can be reached.

They know no kind: whoever has a `routing` says itself what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...errors import Problem
from ...gateway.routes import Routing

if TYPE_CHECKING:
    from ..site import Site


def check(site: Site) -> Iterator[Problem]:
    """Yield what these rules find."""
    for ref, resource in site.resources.items():
        routing = getattr(resource, "routing", None) if resource.present else None
        if isinstance(routing, Routing):
            for trouble in routing.troubles:
                place = site.place(ref, *trouble.attribute)
                yield Problem(f"{ref}: {trouble.said}", place, trouble.hint)
