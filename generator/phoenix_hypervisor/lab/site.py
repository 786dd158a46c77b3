"""The lab nodes of a site: those its files declare, and those that are there."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .machine import Machine
from .node import Disk, Gpu, LabNode
from .vm.node import VmNode

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config.inventory import Inventory

DRIVER = "nvidia_driver"
"""The kind whose declaration makes a lab node begin without the driver."""
PLACE = Path(".phoenix", "lab")
"""Where in a site's folder its lab nodes are."""


class Declared(NamedTuple):
    """What the site's files say about a node that matters to the lab."""

    disks: tuple[Disk, ...]
    address: str
    gpus: tuple[Gpu, ...]
    driver: bool
    """Whether its cards' driver is there from the beginning: the files say nothing of it."""
    machine: Machine


def lab_node(site_folder: Path, name: str) -> LabNode:
    """Return a site's lab node, which may not be up."""
    return node_in(site_folder / PLACE / name)


def node_in(folder: Path) -> LabNode:
    """Return the lab node that is kept in a folder: of whichever sort was made there, else one to be made."""
    machine = VmNode(folder)
    return machine if machine.exists else LabNode(folder)


def machine(site_folder: Path, name: str, tell: Callable[[str], object]) -> VmNode:
    """Return a site's lab node as a virtual machine, perhaps not made yet; `tell` hears what takes long."""
    return VmNode(site_folder / PLACE / name, tell)


def existing(site_folder: Path) -> dict[str, LabNode]:
    """Return the lab nodes that are up, whatever the site's files say now."""
    folder = site_folder / PLACE
    nodes = (
        (lab_node(site_folder, path.name) for path in sorted(folder.glob("[!.]*"))) if folder.is_dir() else ()
    )
    return {node.folder.name: node for node in nodes if node.exists}


def declared_nodes(site_folder: Path) -> dict[str, Declared]:
    """Return the nodes of the site whose transport is `lab`: the one place that knows the site's shape."""
    from ..config import load  # it imports every kind

    site = load(site_folder)
    return {
        name: Declared(
            tuple(Disk(disk.id, disk.size, disk.serial, disk.model) for disk in node.hardware.disks.values()),
            _address(site.inventory, name),
            tuple(Gpu(gpu.pci, gpu.model, gpu.memory or 0) for gpu in node.hardware.gpus.values()),
            not any((ref.host, ref.kind) == (name, DRIVER) for ref in site.resources),
            Machine(node.hardware.cpu, node.hardware.threads, node.hardware.memory),
        )
        for name, node in site.nodes.items()
        if site.inventory.transport_of(name) == "lab"
    }


def _address(inventory: Inventory, host: str) -> str:
    """The address in the inventory, where it is one; names cannot be looked up for a node of the lab."""
    hostname = inventory.hosts[host].hostname or ""
    try:
        return str(ipaddress.ip_address(hostname))
    except ValueError:
        return "127.0.1.1"
