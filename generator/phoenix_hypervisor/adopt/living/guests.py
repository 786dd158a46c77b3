"""Containers and virtual machines as they are on a node, each with the name of the file it gets."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from ...containers import devices
from ...containers.adoption import settings_of
from ...dialects import lxc_conf, qemu_conf
from ...machines import adoption as machine_adoption
from ...machines import seen as qemu_seen
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


def machines(answers: Mapping[str, str], taken: Collection[str] = ()) -> Found:
    """Yield the virtual machines of the node, by VMID; names in `taken` belong to somebody else."""
    confs = qemu_conf.split_all(answers["machines"])
    running = qemu_seen.running(answers["machines_running"])
    names = set(taken)
    for vmid in sorted(confs, key=int):
        if machine_adoption.is_template(confs[vmid]):
            why = "it is a template: declare what is cloned from it, or a `vm_image`"
            yield Left("vm", vmid, why)
            continue
        name = called(qemu_conf.parse(confs[vmid]).keys.get("name", ""), vmid, names, "vm")
        names.add(name)
        pci = {card: one["pci"] for card, one in cards(answers).items()}
        adopted = machine_adoption.settings_of(confs[vmid], name, vmid in running, pci)
        yield from (Left("vm", vmid, sentence) for sentence in adopted.left_out)
        yield Thing("vm", vmid, adopted.settings, f"{vmid}-{name}")


def called(hostname: str, vmid: str, taken: Collection[str], prefix: str = "ct") -> str:
    """Return a name for a guest's file, from its host name as far as that can be one."""
    name = _OTHERS.sub("-", hostname.partition(".")[0].lower()).strip("-") or f"{prefix}{vmid}"
    return f"{name}-{vmid}" if name in taken else name
