"""Containers as they are on a node, each with the name of the file it gets."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from ...containers import devices
from ...containers.adoption import settings_of
from ...dialects import lxc_conf, vmlist
from .found import Found, Left, Thing

_OTHERS = re.compile(r"[^a-z0-9]+")


def cards(answers: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the graphics cards that the node's driver has: `hardware: gpus:` of its file."""
    found = sorted(devices.minors_of(answers["cards"]))
    return {f"gpu{number}": {"pci": pci} for number, pci in enumerate(found)}


def containers(answers: Mapping[str, str], taken: Collection[str] = ()) -> Found:
    """Yield the containers of the node, by VMID; names in `taken` belong to somebody else."""
    confs = lxc_conf.split_all(answers["containers"])
    running = set(answers["running"].split())
    numbers = devices.minors_of(answers["cards"])
    minors = {name: numbers[card["pci"]] for name, card in cards(answers).items()}
    names = set(taken)
    for vmid in sorted(confs, key=int):
        name = called(lxc_conf.parse(confs[vmid]).keys.get("hostname", ""), vmid, names)
        names.add(name)
        adopted = settings_of(confs[vmid], name, vmid in running, minors)
        yield from (Left("lxc", vmid, sentence) for sentence in adopted.left_out)
        yield Thing("lxc", vmid, adopted.settings, f"{vmid}-{name}")


def called(hostname: str, vmid: str, taken: Collection[str]) -> str:
    """Return a name for a guest's file, from its host name as far as that can be one."""
    name = _OTHERS.sub("-", hostname.partition(".")[0].lower()).strip("-") or f"ct{vmid}"
    return f"{name}-{vmid}" if name in taken else name


def others(answers: Mapping[str, str]) -> Iterator[Left]:
    """Yield what belongs to guests and cannot be declared from what is there."""
    node = answers["name"].strip()
    for vmid, place in vmlist.parse(answers["guests"] or "{}").items():
        if place.type == "qemu" and place.node == node:
            yield Left("vm", vmid, "virtual machines are not adopted")
    for file in answers["firewalls"].splitlines():
        name = file.rpartition("/")[2].removesuffix(".fw")
        kind = {"cluster": "firewall_cluster", "host": "firewall_node"}.get(name, "firewall_guest")
        yield Left(kind, name if kind == "firewall_guest" else "", f"{file} is not adopted")
