"""Drivers take the PCI devices of a node that boots, in the order in which they do on a real one.

First the initramfs, with what disks and networks need; then units of ours that run before anything else; then
all drivers whose modules are loaded for the devices that are left.
"""

import os
from contextlib import redirect_stderr, redirect_stdout

import model
import pci_devices
import tool_modprobe
import unit_jobs
import units

EARLY = ("nvme", "r8169", "xhci_hcd", "pcieport")
"""Drivers of the initramfs, and of the kernel itself."""
OURS = "phoenix-vfio-"
CARD = "0300"


def boot() -> None:
    """Give each device to the driver that comes first."""
    with model.change() as state:
        pci_devices.forget_overrides(state)
        for row in pci_devices.rows(state):
            row["driver"] = row["usual"] if row["usual"] in EARLY else ""
            pci_devices.show(row)
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        for name in _early_units():
            unit_jobs.update(name, active="inactive", sub="dead", result="success")
            unit_jobs.start(name)
    with model.change() as state:
        pci_devices.settle(state)
        by_id = _ids() if "vfio_pci" in model.section(state, "modules") else []
        for row in pci_devices.rows(state):
            if not row["driver"] and not pci_devices.override(row):
                passed = f"{row['vendor']}:{row['device']}" in by_id
                row["driver"] = pci_devices.PASSED if passed else _usual(row)
                pci_devices.show(row)


def _early_units() -> list[str]:
    folder = model.path(f"{units.FOLDER}/sysinit.target.wants")
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return [name for name in names if name.startswith(OURS)]


def _usual(row: pci_devices.Row) -> str:
    """Nouveau takes a card unless it is kept from it; NVIDIA's own driver takes it from there afterwards."""
    if (row["vendor"], row["class"]) != ("10de", CARD):
        return str(row["usual"])
    return "" if _kept_off("nouveau") else "nouveau"


def _kept_off(module: str) -> bool:
    return any(line[:2] in (["blacklist", module], ["install", module]) for line in _settings())


def _ids() -> list[str]:
    """The ids that `options vfio-pci ids=` gives away: all devices of a sort, whoever should have them."""
    words = [word for line in _settings() if line[:2] == ["options", "vfio-pci"] for word in line[2:]]
    return [one for word in words if word.startswith("ids=") for one in word[len("ids=") :].split(",")]


def _settings() -> list[list[str]]:
    folder = model.path(tool_modprobe.FOLDER)
    lines: list[list[str]] = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if name.endswith(".conf"):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                lines += [line.partition("#")[0].split() for line in file]
    return lines
