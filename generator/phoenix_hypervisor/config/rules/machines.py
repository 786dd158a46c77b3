"""Rules about virtual machines: what their disks and documents lie on, who has a number, who sees inside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...errors import Problem
from .guests import may_hold
from .view import Container, machines

if TYPE_CHECKING:
    from ..site import Site


def check(site: Site) -> Iterator[Problem]:
    """Yield what these rules find."""
    yield from _images(site)
    for one in machines(site).values():
        yield from _storages(site, one)
        yield from _seen_into(site, one)
        yield from _locked_out(site, one)


def _images(site: Site) -> Iterator[Problem]:
    """A template has a number of its own (V-02), on a storage that takes disks (V-17)."""
    taken = {(guest.node, guest.vmid): f"the guest `{guest.name}`" for guest in site.guests.values()}
    for ref, resource in site.resources.items():
        if ref.kind != "vm_image" or not resource.present:
            continue
        vmid = str(getattr(resource, "vmid", ""))
        other = taken.setdefault((ref.host, vmid), ref.full)
        if other != ref.full:
            said = f"{ref}: VMID {vmid} is taken by {other}"
            yield Problem(said, site.place(ref, "vmid"), "templates have numbers like guests", "V-02")
        yield from may_hold(site, ref, str(getattr(resource, "storage", "")), "images", ("storage",))


def _storages(site: Site, one: Container) -> Iterator[Problem]:
    """Its disks lie on storages that may hold them, its documents on one that takes snippets (V-17)."""
    places: dict[tuple[str, ...], tuple[str | None, str]] = {
        ("disks", key, "storage"): (disk.get("storage"), "images") for key, disk in one.each("disks")
    }
    for part in ("efi", "tpm", "cloud_init"):
        places[part, "storage"] = (one.part(part, "storage"), "images")
    places["cloud_init", "snippets"] = (one.part("cloud_init", "snippets"), "snippets")
    for path, (storage, content) in places.items():
        if storage is not None:
            yield from may_hold(site, one.ref, storage, content, path)


def _seen_into(site: Site, one: Container) -> Iterator[Problem]:
    """What is declared inside is done through its agent, unless the inventory knows it."""
    inside = [ref for ref in site.resources if ref.host == one.name and site.resources[ref].present]
    if one.name in site.inventory.hosts:
        return  # by ssh
    if inside and not one.part("agent", "enabled"):
        said = f"{one.ref}: its agent is switched off, and {inside[0]} is to be inside"
        hint = "`agent: {enabled: true}`, or say in inventory/hosts.yaml how it is reached by ssh"
        yield Problem(said, site.place(one.ref, "agent"), hint)
    if inside and one.part("image") and not one.part("cloud_init"):
        said = f"{one.ref}: nothing brings its guest agent, and {inside[0]} is to be inside"
        hint = "declare `cloud_init`: it installs the agent at the first start"
        yield Problem(said, site.place(one.ref, "image"), hint, warning=True)


def _locked_out(site: Site, one: Container) -> Iterator[Problem]:
    """Users without a key and without a password cannot come in."""
    users = one.part("cloud_init", "users") or {}
    for name, user in users.items():
        if not user.get("keys") and user.get("password") is None:
            said = f"{one.ref}: nobody can log in as `{name}`: neither `keys` nor a `password`"
            place = site.place(one.ref, "cloud_init", "users", name)
            yield Problem(said, place, "add a public key", warning=True)
