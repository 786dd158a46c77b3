"""The PCI devices of a lab node: what was written below /sys/bus/pci happens when somebody looks next.

On a real node the kernel acts as soon as one writes to `unbind` or `drivers_probe`; nobody can tell the two
apart. The rows in the model are the truth, the links `driver` below /sys show it.
"""

import os
import re

import model
from hints import Any

TOP = "/sys/bus/pci"
PASSED = "vfio-pci"
Row = dict[str, Any]


def rows(state: model.Model) -> list[Row]:
    found = state.setdefault("pci", [])
    assert isinstance(found, list)
    return found


def settled() -> list[Row]:
    """Return the devices, after all that was written has taken effect."""
    with model.change() as state:
        settle(state)
        return [dict(row) for row in rows(state)]


def settle(state: model.Model) -> None:
    loaded = model.section(state, "modules")
    for row in rows(state):
        driver = row["driver"]
        if driver and row["slot"] in _read(f"drivers/{driver}/unbind").split():
            row["driver"] = ""
        if not row["driver"] and override(row) == PASSED and "vfio_pci" in loaded:
            row["driver"] = PASSED
        show(row)
    for row in rows(state):
        if row["driver"]:
            _write(f"drivers/{row['driver']}/unbind", "")


def override(row: Row) -> str:
    """Return which driver alone may have a device; empty: any."""
    found = _read(f"devices/{row['slot']}/driver_override").strip()
    return "" if found == "(null)" else found


def show(row: Row) -> None:
    """Make the link to the device's driver, or take it away."""
    place = model.path(f"{TOP}/devices/{row['slot']}/driver")
    target = f"../../drivers/{row['driver']}" if row["driver"] else ""
    if os.path.islink(place):
        if os.readlink(place) == target:
            return
        os.unlink(place)
    if target:
        _write(f"drivers/{row['driver']}/unbind", "")
        os.symlink(target, place)


def forget_overrides(state: model.Model) -> None:
    """A kernel that starts knows nothing of what was written to the one before."""
    for row in rows(state):
        _write(f"devices/{row['slot']}/driver_override", "(null)\n")


def iommu(state: model.Model) -> bool:
    """Tell whether the running kernel uses an IOMMU: on AMD unless told not to, on Intel when told to."""
    words = str(model.section(state, "boot").get("cmdline", "")).split()
    if any(word in ("iommu=off", "amd_iommu=off", "intel_iommu=off") for word in words):
        return False
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        intel = re.search(r"^vendor_id\s*:\s*GenuineIntel", file.read(), re.MULTILINE) is not None
    return not intel or any(word.startswith("intel_iommu=on") for word in words)


def _read(name: str) -> str:
    try:
        with open(model.path(f"{TOP}/{name}"), encoding="ascii") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _write(name: str, text: str) -> None:
    place = model.path(f"{TOP}/{name}")
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "w", encoding="ascii") as file:
        file.write(text)
