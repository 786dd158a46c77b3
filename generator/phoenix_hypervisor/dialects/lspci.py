"""The machine's PCI devices, as `lspci -Dvmmnnk` lists them: one record a device, fields between tabs."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

COMMAND = "lspci -Dvmmnnk"
_WITH_ID = re.compile(r"^(?:(.*) )?\[([0-9a-f]{4})\]$")
BRIDGE = "06"
"""The first half of a bridge's class."""


class Device(NamedTuple):
    """One function of a device."""

    slot: str
    """Its address: `0000:01:00.0`."""
    sort: str
    """What it is, in words: `VGA compatible controller`."""
    class_id: str
    """Four hexadecimal digits: `0300`."""
    name: str
    id: str
    """Vendor and device: `10de:2d04`."""
    driver: str
    """Empty: none has it."""
    group: int | None
    """Its IOMMU group; None while there is no IOMMU."""

    @property
    def is_bridge(self) -> bool:
        """Whether it only leads to others: those stay with the node in any group."""
        return self.class_id.startswith(BRIDGE)

    def __str__(self) -> str:
        return f"{self.slot} {self.name or self.sort}"


@cache
def parse(text: str) -> Mapping[str, Device]:
    """Read the list: address → device. Raises ValueError for a record without the fields that all have."""
    found: dict[str, Device] = {}
    for record in re.split(r"\n[ \t]*\n", text):
        fields = dict(line.partition("\t")[::2] for line in record.splitlines() if line.strip())
        if fields:
            device = _device(fields)
            found[device.slot] = device
    return found


def _device(fields: Mapping[str, str]) -> Device:
    missing = [name for name in ("Slot", "Class", "Vendor", "Device") if f"{name}:" not in fields]
    if missing:
        raise ValueError(f"lspci: a device without {', '.join(missing)}")
    sort, class_id = _numbered(fields["Class:"])
    _, vendor = _numbered(fields["Vendor:"])
    name, device = _numbered(fields["Device:"])
    group = fields.get("IOMMUGroup:", "")
    return Device(
        fields["Slot:"],
        sort,
        class_id,
        name,
        f"{vendor}:{device}",
        fields.get("Driver:", ""),
        int(group) if group.isdigit() else None,
    )


def _numbered(text: str) -> tuple[str, str]:
    """A name and the number behind it; a device that no list knows has only the number."""
    found = _WITH_ID.match(text.strip())
    if found is None:
        raise ValueError(f"lspci: no number in {text!r}; is it called with -nn?")
    return found[1] or "", found[2]


def slot_of(address: str) -> str:
    """Return the slot of a function: `0000:01:00` of `0000:01:00.1`."""
    return address.rpartition(".")[0]


def functions(devices: Mapping[str, Device], address: str) -> tuple[Device, ...]:
    """Return all functions of an address's slot but bridges, in order."""
    slot = slot_of(address)
    return tuple(
        one for where, one in sorted(devices.items()) if slot_of(where) == slot and not one.is_bridge
    )


def sharing(devices: Mapping[str, Device], of: Iterable[Device]) -> tuple[Device, ...]:
    """Return who else is in the IOMMU groups of these: what is not a bridge goes with them, or stays."""
    own = tuple(of)
    groups = {one.group for one in own if one.group is not None}
    return tuple(
        one
        for _, one in sorted(devices.items())
        if one.group in groups and one not in own and not one.is_bridge
    )
