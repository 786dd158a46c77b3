"""Rules about folders that hosts mount from each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...dialects import exports
from ...errors import Problem
from ...firewall.ports import FACT, Network
from ...firewall.words import is_network

if TYPE_CHECKING:
    from ..site import Site


def check(site: Site) -> Iterator[Problem]:
    """Yield what these rules find."""
    yield from _clients(site)


def _clients(site: Site) -> Iterator[Problem]:
    """Who mounts an export of its node is among that export's clients, as far as they are addresses."""
    for ref, resource in site.resources.items():
        exported = resource.given("export") if ref.kind == "nfs_mount" and resource.present else []
        for given in exported:
            network: Network = resource.given(FACT[0])[0].value
            own = network.addresses.get(ref.host, ())
            known = all(client == "*" or is_network(client) for client in given.value)
            if own and known and not any(exports.covers(given.value, address) for address in own):
                yield Problem(
                    f"{ref}: `{ref.host}` ({', '.join(own)}) is no client of the export {given.key}",
                    site.place(ref, "export"),
                    f"its clients are {', '.join(given.value)}: add the guest in the node's nfs_export",
                )
