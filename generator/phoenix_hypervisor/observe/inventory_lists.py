"""The site's hosts for other tools: as JSON, and as Ansible's inventory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..config import Site
    from ..proxmox.guests import LivingGuest
    from ..transport import Address

VERSION = 1


def document(
    site: Site, reach: Mapping[str, Address], addresses: Mapping[str, Iterable[str]]
) -> dict[str, Any]:
    """Return nodes and guests as JSON values; `addresses` are guests' static ones."""
    return {
        "version": VERSION,
        "site": site.head.name,
        "nodes": {
            name: {
                "hostname": at.hostname,
                "port": at.port,
                "username": at.username,
                "transport": at.transport,
                "groups": list(site.inventory.hosts[name].groups),
            }
            for name, at in reach.items()
        },
        "guests": {
            guest.name: {
                "vmid": int(guest.vmid),
                "node": guest.node,
                "kind": _kind(site, guest.name),
                "layer": site.facts[guest.name].layer is not None,
                "addresses": list(addresses.get(guest.name, ())),
            }
            for guest in site.guests.values()
        },
    }


def living(guests: Iterable[LivingGuest]) -> dict[str, Any]:
    """Return the guests of living clusters in the same form; nodes are only named by them."""
    return {
        "version": VERSION,
        "nodes": {},
        "guests": {
            guest.name: {
                "vmid": guest.vmid,
                "node": guest.node,
                "kind": "lxc" if guest.type == "lxc" else "vm",
                "running": guest.running,
                "template": guest.template,
                "tags": list(guest.tags),
                "addresses": list(guest.addresses),
            }
            for guest in guests
        },
    }


def _kind(site: Site, guest: str) -> str | None:
    """What kind of guest it is; None of one that is declared absent."""
    resources = ((ref, site.resources[ref]) for ref in site.of_guest(guest))
    return next((ref.kind for ref, kind in resources if kind.inhabited and kind.present), None)


def ansible(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same as Ansible's YAML inventory: nodes by group, guests by node.

    Guests without a static address are in no group: Ansible could not reach them.
    """
    groups: dict[str, Any] = {"nodes": {"hosts": {}}}
    for name, node in document["nodes"].items():
        variables = {
            "ansible_host": node["hostname"],
            "ansible_port": node["port"],
            "ansible_user": node["username"],
        }
        groups["nodes"]["hosts"][name] = {key: value for key, value in variables.items() if value is not None}
        for group in node["groups"]:
            groups.setdefault(_group(group), {"hosts": {}})["hosts"][name] = {}
    for name, guest in document["guests"].items():
        if guest["kind"] and guest["addresses"]:
            below = groups.setdefault(f"guests_of_{_group(guest['node'])}", {"hosts": {}})["hosts"]
            below[name] = {"ansible_host": guest["addresses"][0], "phoenix_vmid": guest["vmid"]}
            for tag in guest.get("tags", ()):
                groups.setdefault(f"tag_{_group(tag)}", {"hosts": {}})["hosts"][name] = {}
            if guest.get("running"):
                groups.setdefault("running", {"hosts": {}})["hosts"][name] = {}
    return {"all": {"children": groups}}


def _group(name: str) -> str:
    """A name as Ansible's groups have it: letters, digits and `_`."""
    return "".join(sign if sign.isalnum() else "_" for sign in name)
