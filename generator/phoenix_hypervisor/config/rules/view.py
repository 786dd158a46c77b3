"""Containers as the rules look at them: the settings of their own section, whatever their model is called."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ...resource import Ref

if TYPE_CHECKING:
    from ..site import Site


class Container(NamedTuple):
    """One declared container."""

    name: str
    node: str
    ref: Ref
    own: Mapping[str, Any]
    """Its `lxc` or `vm` section, as plain dicts and lists."""
    is_layer: bool

    def part(self, *path: str) -> Any:
        """Return what is declared at a path of its own section; None where nothing is."""
        found: Any = self.own
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    def each(self, *path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield key → settings of a mapping at a path."""
        found = self.part(*path)
        yield from (found or {}).items()


def containers(site: Site) -> dict[str, Container]:
    """Return the containers that should be there, by the guest's name."""
    return _of_kind(site, "lxc")


def machines(site: Site) -> dict[str, Container]:
    """Return the virtual machines that should be there, by the guest's name, seen the same way."""
    return _of_kind(site, "vm")


def everybody(site: Site) -> dict[str, Container]:
    """Return all guests that should be there: what they share (names, networks, startup) is said alike."""
    return {**containers(site), **machines(site)}


def shared_folders(site: Site) -> dict[str, set[str]]:
    """Return by the guest's name where the nodes' shared volumes are in it."""
    found: dict[str, set[str]] = defaultdict(set)
    for ref, resource in site.resources.items():
        if ref.kind == "shared_volume" and resource.present:
            for guest, mount in getattr(resource, "guests", {}).items():
                found[guest].add(str(mount.path))
    return found


def _of_kind(site: Site, kind: str) -> dict[str, Container]:
    found = {}
    for guest in site.guests.values():
        resource = site.resources.get(guest.ref(kind))
        if resource is not None and resource.present:
            layer = site.resources.get(guest.ref("lxc_layer"))
            own = resource.model_dump(exclude={"name"})
            is_layer = layer is not None and layer.present
            found[guest.name] = Container(guest.name, guest.node, guest.ref(kind), own, is_layer)
    return found
