"""Rules about disks, datasets, storages and shares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...errors import Problem
from ...resource import Ref

if TYPE_CHECKING:
    from ..site import Site


def check(site: Site) -> Iterator[Problem]:
    """Yield what these rules find."""
    yield from _absent_allowed(site)
    yield from _disks(site)
    yield from _owners(site)
    yield from _shares(site)
    yield from _doubles(site)


def _doubles(site: Site) -> Iterator[Problem]:
    """A dataset that has its pool in its own name is another one's double (V-18)."""
    for ref in site.resources:
        pool, _, rest = ref.name.partition("/")
        twin = Ref(ref.host, ref.kind, f"{pool}/{rest.removeprefix(f'{pool}-')}")
        if ref.kind == "zfs_dataset" and twin != ref and twin in site.resources:
            hint = "two storages of one purpose: keep one of them"
            yield Problem(f"{ref}: it is {twin} once more", site.place(ref), hint, "V-18", warning=True)


def _shares(site: Site) -> Iterator[Problem]:
    """Samba does not tell `Media` from `media` (V-47)."""
    seen: dict[tuple[str, str], str] = {}
    for ref in site.resources:
        if ref.kind == "samba_share":
            other = seen.setdefault((ref.host, ref.name.lower()), str(ref))
            if other != str(ref):
                said = f"{ref}: for Samba this is the same name as {other}"
                yield Problem(said, site.place(ref), "give one of them another name", "V-47")


def _absent_allowed(site: Site) -> Iterator[Problem]:
    for ref, resource in site.resources.items():
        if not resource.present and not resource.can_be_absent:
            yield Problem(
                f"{ref}: a {ref.kind} cannot be declared absent",
                site.place(ref, "state"),
                "take it out of the files: it is then left as it is",
            )


def _disks(site: Site) -> Iterator[Problem]:
    """Every pool's disks are declared hardware, and no disk is in two pools (V-02)."""
    seen: dict[tuple[str, str], str] = {}
    for ref, resource in site.resources.items():
        if ref.kind != "zfs_pool" or ref.host not in site.nodes:
            continue
        declared = {disk.id for disk in site.nodes[ref.host].hardware.disks.values()}
        for disk in getattr(resource, "disks", ()):
            place = site.place(ref, "vdevs")
            if disk not in declared:
                yield Problem(
                    f"{ref}: disk `{disk}` is not among the node's `hardware: disks:`",
                    place,
                    "declare it there with its size; the name is the one below /dev/disk/by-id",
                )
            other = seen.setdefault((ref.host, disk), str(ref))
            if other != str(ref):
                yield Problem(f"{ref}: disk `{disk}` already belongs to {other}", place, rule="V-02")


def _owners(site: Site) -> Iterator[Problem]:
    """One path has one mountpoint, and at most one share of each sort (V-29)."""
    seen: dict[tuple[str, str, str], str] = {}
    for ref, resource in site.resources.items():
        path = getattr(resource, "path", None) or getattr(resource, "mountpoint", None)
        if not resource.present or not isinstance(path, str) or not path.startswith("/"):
            continue
        other = seen.setdefault((ref.host, ref.kind, path), str(ref))
        if other != str(ref):
            yield Problem(
                f"{ref}: `{path}` already belongs to {other}",
                site.place(ref, "path"),
                "one path, one owner",
                "V-29",
            )
