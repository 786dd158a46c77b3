"""Rules about containers: what they are made from, what they wait for, what they take from their node."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING

from ...dialects import sizes
from ...errors import Problem, did_you_mean
from ...resource import Ref
from .view import Container, containers, everybody, shared_folders

if TYPE_CHECKING:
    from ..site import Site

PROXMOX_OWN = frozenset({"local", "local-lvm", "local-zfs"})
"""Storages that Proxmox's installer makes: there without being declared."""
APPARMOR = "/etc/apparmor.d"
_PATH = re.compile(r"(?<![\w./-])/[\w./+-]*\w")


def check(site: Site) -> Iterator[Problem]:
    """Yield what these rules find."""
    found = containers(site)
    for one in found.values():
        yield from _like_its_layer(site, one, found)
        yield from _mounted_in_a_layer(site, one)
        yield from _storages(site, one)
        yield from _profile(site, one)
        yield from _capabilities(site, one)
    everyone, shared = everybody(site), shared_folders(site)
    own = {node: [*_files_of(site, node)] for node in site.nodes}
    for one in everyone.values():
        yield from _waits(site, one, everyone)
        yield from _ready(site, one, shared.get(one.name, set()), own[one.node])
    yield from _templates(site)
    yield from _targets(site, found)
    yield from _folders(site)


def _like_its_layer(site: Site, one: Container, found: Mapping[str, Container]) -> Iterator[Problem]:
    """A clone is as privileged as its layer, and its disk holds what the layer's holds (V-13)."""
    layer = found.get(str(one.part("clone")))
    if layer is None:
        return
    if one.part("unprivileged") != layer.part("unprivileged"):
        yield Problem(
            f"{one.ref}: `unprivileged` is {_yes_no(one.part('unprivileged'))}, "
            f"and {_yes_no(layer.part('unprivileged'))} in its layer `{layer.name}`",
            site.place(one.ref, "unprivileged"),
            "a clone's files belong to the same ids as its layer's: say the same in both",
            "V-13",
        )
    size, least = one.part("rootfs", "size"), layer.part("rootfs", "size")
    if size is not None and least is not None and size < least:
        yield Problem(
            f"{one.ref}: its disk of {sizes.about(size)} is smaller than the {sizes.about(least)} "
            f"of its layer `{layer.name}`",
            site.place(one.ref, "rootfs", "size"),
            "a clone begins as large as its layer, and Proxmox does not shrink disks",
            "V-13",
        )


def _mounted_in_a_layer(site: Site, one: Container) -> Iterator[Problem]:
    """Of what a folder of the node is mounted into, there is neither a snapshot nor a clone (V-13)."""
    if not one.is_layer:
        return
    found: list[tuple[Ref, tuple[str, ...], str]] = [
        (one.ref, ("mounts", target, "source"), str(mount["source"]))
        for target, mount in one.each("mounts")
        if mount.get("source")
    ]
    found += [
        (ref, ("guests", one.name), str(getattr(resource, "path", "")))
        for ref, resource in site.resources.items()
        if (ref.host, ref.kind) == (one.node, "shared_volume") and resource.present
        if one.name in getattr(resource, "guests", {})
    ]
    for ref, path, folder in found:
        yield Problem(
            f"{ref}: `{folder}` is mounted into the layer `{one.name}`",
            site.place(ref, *path),
            "Proxmox seals and clones no container with a folder of the node: mount it into the clones",
            "V-13",
        )


def _yes_no(value: object) -> str:
    return "true" if value else "false"


def _waits(site: Site, one: Container, found: Mapping[str, Container]) -> Iterator[Problem]:
    """What a container waits for starts before it (V-16); a layer waits for layers only (V-15)."""
    for number, name in enumerate(one.part("after") or ()):
        other = found.get(name)
        if other is None:
            continue
        place = site.place(one.ref, "after", number)
        if one.is_layer and not other.is_layer:
            hint = "let what is cloned from the layer wait for it"
            yield Problem(
                f"{one.ref}: the layer `{one.name}` waits for the workload `{name}`", place, hint, "V-15"
            )
        own, theirs = one.part("startup", "order"), other.part("startup", "order")
        if own is not None and (theirs is None or theirs > own):
            starts = "last, for it has no `startup.order`" if theirs is None else f"at {theirs}"
            yield Problem(
                f"{one.ref}: starts at {own}, and `{name}`, which it waits for, {starts}",
                place,
                f"give `{name}` a `startup.order` of {own} or less",
                "V-16",
            )
        if one.part("onboot") and not other.part("onboot"):
            hint = f"`onboot: true` for `{name}` too"
            said = f"starts when the node boots, and `{name}`, which it waits for, does not"
            yield Problem(f"{one.ref}: {said}", place, hint, "V-16")


def _files_of(site: Site, node: str) -> Iterator[str]:
    """Yield the files of a node that are declared, and with a `/` at their end the folders."""
    for ref in site.of_host(node):
        if ref.kind in ("host_file", "zfs_dataset"):
            yield ref.name if ref.kind == "host_file" else f"/{ref.name}/"


def _ready(site: Site, one: Container, shared: Set[str], of_node: Sequence[str]) -> Iterator[Problem]:
    """What says that a guest is ready is run in the guest: it names no file of the node's (V-45)."""
    named = _PATH.findall(str(one.part("ready", "command") or ""))
    if not named:
        return
    inside = {ref.name for host in (one.name, *site.made_from(one.name)) for ref in site.of_host(host)}
    mounts = {*shared, *(target for target, _ in one.each("mounts"))}
    for path in named:
        known = path in inside or any(f"{path}/".startswith(f"{mount}/") for mount in mounts)
        if not known and any(path == own or (own[-1] == "/" and path.startswith(own)) for own in of_node):
            yield Problem(
                f"{one.ref}: `{path}` is the node's, and the command is run in `{one.name}`",
                site.place(one.ref, "ready", "command"),
                "a command that the guest has; a `host_file` of the guest's own brings one",
                "V-45",
            )


def _storages(site: Site, one: Container) -> Iterator[Problem]:
    """Its volumes lie on storages that may hold them (V-17)."""
    places: dict[tuple[str, ...], str | None] = {("rootfs", "storage"): one.part("rootfs", "storage")}
    for target, mount in one.each("mounts"):
        places["mounts", target, "storage"] = mount.get("storage")
    for path, storage in places.items():
        if storage is not None:
            yield from may_hold(site, one.ref, storage, "rootdir", path)


def _templates(site: Site) -> Iterator[Problem]:
    for ref, resource in site.resources.items():
        if ref.kind == "ct_template" and resource.present:
            yield from may_hold(site, ref, str(getattr(resource, "storage", "")), "vztmpl", ("storage",))


def may_hold(site: Site, ref: Ref, storage: str, content: str, path: tuple[str, ...]) -> Iterator[Problem]:
    """Yield what is wrong with a storage that is to take something (V-17); `path` is where it is named."""
    declared = site.resources.get(Ref(ref.host, "pve_storage", storage))
    if declared is None or not declared.present:
        if storage not in PROXMOX_OWN:
            known = [r.name for r in site.resources if (r.host, r.kind) == (ref.host, "pve_storage")]
            hint = did_you_mean(storage, known) or "declare it as a `pve_storage`"
            said = f"`{storage}` is not a declared storage"
            yield Problem(f"{ref}: {said}", site.place(ref, *path), hint, "V-17")
    elif content not in getattr(declared, "content", ()):
        hint = f"add `{content}` to the storage's `content`, or take another one"
        said = f"the storage `{storage}` does not take `{content}`"
        yield Problem(f"{ref}: {said}", site.place(ref, *path), hint, "V-17")


def _profile(site: Site, one: Container) -> Iterator[Problem]:
    """An AppArmor profile of one's own is a declared file (V-24)."""
    raw = one.part("raw", "lxc.apparmor.profile")
    path = ("raw", "lxc.apparmor.profile") if raw else ("apparmor",)
    profile = raw[-1] if raw else one.part("apparmor")
    if profile in (None, "generated", "unconfined"):
        return
    declared = site.resources.get(Ref(one.node, "host_file", f"{APPARMOR}/{profile}"))
    if declared is None or not declared.present:
        yield Problem(
            f"{one.ref}: no AppArmor profile `{profile}` is declared",
            site.place(one.ref, *path),
            f"`generated`, `unconfined`, or a `host_file` {APPARMOR}/{profile} of the node",
            "V-24",
        )


def _capabilities(site: Site, one: Container) -> Iterator[Problem]:
    """Capabilities are either kept or dropped (V-22)."""
    raw = one.part("raw") or {}
    if "lxc.cap.keep" in raw and "lxc.cap.drop" in raw:
        yield Problem(
            f"{one.ref}: `lxc.cap.keep` and `lxc.cap.drop` exclude each other",
            site.place(one.ref, "raw", "lxc.cap.keep"),
            "LXC does not start a container with both",
            "V-22",
        )


def _targets(site: Site, found: Mapping[str, Container]) -> Iterator[Problem]:
    """One path in a container has one mount (V-26)."""
    taken = {
        (one.node, one.name, target): f"`mounts` of {one.ref}"
        for one in found.values()
        for target, _ in one.each("mounts")
    }
    for ref, resource in site.resources.items():
        if ref.kind != "shared_volume" or not resource.present:
            continue
        for name, mount in getattr(resource, "guests", {}).items():
            other = taken.setdefault((ref.host, name, mount.path), str(ref))
            if other != str(ref):
                yield Problem(
                    f"{ref}: `{mount.path}` in `{name}` is taken by {other}",
                    site.place(ref, "guests", name, "path"),
                    "one path, one mount: two that look shared may be two different ones",
                    "V-26",
                )


def _folders(site: Site) -> Iterator[Problem]:
    """A shared folder has one owner, and guests have the ids it should belong to (V-29)."""
    for ref, resource in site.resources.items():
        if ref.kind != "shared_volume" or not resource.present or not hasattr(resource, "owners"):
            continue
        try:
            owners = resource.owners()
        except ValueError as error:
            yield Problem(f"{ref}: {error}", site.place(ref, "guests"), rule="V-29")
            continue
        for what, number in (("uid", 0), ("gid", 1)):
            whose = {guest: ids[number] for guest, ids in owners.items() if ids[number] is not None}
            if len(set(whose.values())) > 1:
                each = ", ".join(f"{found} by `{guest}`" for guest, found in whose.items())
                yield Problem(
                    f"{ref}: one folder, and several owners: on the node, its {what} would be {each}",
                    site.place(ref, "guests"),
                    "let the guests agree; `shared_ids` gives one id of the node to several guests",
                    "V-29",
                )
        dataset = next((r for r in site.needs[ref] if r.kind == "zfs_dataset"), None)
        if owners and dataset and _owned_by(site, dataset, getattr(resource, "path", "")):
            hint = "say it once: there, or at the guests"
            said = f"{dataset} says too whose {getattr(resource, 'path', '')} is"
            yield Problem(f"{ref}: {said}", site.place(ref, "guests"), hint, "V-29")


def _owned_by(site: Site, dataset: Ref, path: str) -> bool:
    resource = site.resources[dataset]
    return getattr(resource, "path", "") == path and any(
        getattr(resource, name, None) for name in ("owner", "group")
    )
