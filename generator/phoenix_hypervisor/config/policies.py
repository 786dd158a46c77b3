"""The firewall's files of a whole site, as they are declared: what the matrix and the rules look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..dialects.firewall_fw import Firewall
from ..firewall.matrix import Side
from ..firewall.policy import Policy
from ..firewall.ports import Network
from ..resource import Ref
from .network import network_of

if TYPE_CHECKING:
    from .site import Site

OFF = Firewall()


def network(site: Site) -> Network:
    """Return what is served where in a site."""
    return network_of(site.inventory, site.facts.values(), site.resources)


def policy(site: Site, ref: Ref) -> Policy | None:
    """Return a declared file of the firewall that should be there."""
    found = site.resources.get(ref)
    return found if isinstance(found, Policy) and found.present else None


def cluster_of(site: Site, node: str) -> Policy | None:
    """Return the datacenter's firewall as a node's file declares it."""
    return policy(site, Ref(node, "firewall_cluster", node))


def sides(site: Site) -> Mapping[str, Side]:
    """Return every node and guest as the firewall sees it."""
    found = {}
    for name in site.nodes:
        cluster, own = cluster_of(site, name), policy(site, Ref(name, "firewall_node", name))
        found[name] = Side(name, None, _file(cluster) or OFF, _file(own))
    for guest in site.guests.values():
        cluster = cluster_of(site, guest.node)
        own = policy(site, guest.ref("firewall_guest"))
        nets = nets_of(site, guest.name)
        filtered = any(net.get("firewall") for net in nets.values())
        found[guest.name] = Side(
            guest.name,
            guest.node,
            _file(cluster) or OFF,
            _file(own),
            filtered,
            interface="net0" if len(nets) == 1 else None,
        )
    return found


def _file(found: Policy | None) -> Firewall | None:
    return found.firewall if found is not None else None


def nets_of(site: Site, guest: str) -> Mapping[str, Mapping[str, object]]:
    """The declared network interfaces of a guest; none of one that should not be there."""
    own = site.facts[guest].own
    return {} if own.get("state") == "absent" else own.get("net") or {}
