"""NVIDIA's driver on a lab node: its facts in /proc, its device nodes, and whether it was there already.

A node whose site says nothing of the driver has had it from the beginning, as if somebody had installed
it; one whose site declares it has none until Phoenix installs it. What is there is the stand-ins' to say
(standins/nvidia_state.py): behind each device is /dev/null. Every shell of the node has a /dev of its own, in
which a card's devices are links into one folder of the node's, and come and go there for all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .node import Gpu

STATE = "var/lib/phoenix-lab"
FACTS, DEVICES, NODES = f"{STATE}/proc-driver", f"{STATE}/devices", f"{STATE}/dev"
"""Shown as /proc/driver; a line for each device the cards may have; the folder of those that are there."""
VERSION, SORT = "570.153.02", "open"
"""Of a driver that was there already."""
SHOW = "lab-graphics"
"""The stand-in that shows what is plugged in."""


def devices(root: Path) -> tuple[tuple[str, str], ...]:
    """Return the devices a node's cards may have: (place below /dev, file that is there if it is)."""
    try:
        names = (root / DEVICES).read_text(encoding="ascii").split()
    except FileNotFoundError:
        return ()
    return tuple((f"/dev/{name}", f"/{NODES}/{name}") for name in names)


def plug(model: dict[str, Any], gpus: Sequence[Gpu], kernel: str, *, driver: bool) -> None:
    """Put the cards into a node's model; `driver` says whether a node that has never had any has one."""
    model["cards"] = [{"pci": gpu.pci, "model": gpu.model, "memory": gpu.memory} for gpu in gpus]
    if "nvidia" in model or not gpus:
        return
    model["nvidia"] = {"loaded": "", "sort": "", "nodes": []}
    if driver:
        there = {"loaded": VERSION, "sort": SORT, "userland": VERSION, "plain": {kernel: [VERSION, SORT]}}
        model["nvidia"].update(there)
