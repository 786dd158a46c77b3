"""Rules that look across resources. Each has an id, and says what to do.

The ids are those of the list of defects that real configurations of the predecessor had
(docs/rules.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import Problem
from . import (
    backups,
    claims,
    docker,
    firewall,
    gateways,
    graphics,
    guests,
    interfaces,
    journals,
    limits,
    literals,
    machines,
    mounts,
    names,
    network,
    services,
    storage,
)

if TYPE_CHECKING:
    from ..site import Site


def check(site: Site) -> list[Problem]:
    """Return what all rules find."""
    parts = (
        storage,
        limits,
        guests,
        machines,
        backups,
        graphics,
        network,
        names,
        interfaces,
        firewall,
        claims,
        docker,
        gateways,
        services,
        journals,
        mounts,
        literals,
    )
    return [problem for part in parts for problem in part.check(site)]
