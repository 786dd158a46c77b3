"""The node's disks: sparse files below /dev, found by kernel name, by-id name or path.

The model's section "disks" says which there are; what is on them is in their bytes alone.
"""

import os

import model
import signatures
from hints import Any

BY_ID = "/dev/disk/by-id/"


class Device:
    """A disk or one partition of it: a range of bytes in the disk's file."""

    def __init__(self, kname: str, disk: str, start: int, size: int, part: int, row: dict[str, Any]) -> None:
        self.kname = kname
        self.disk = disk
        self.file = model.path("/dev/" + disk)
        self.start = start
        self.size = size
        self.part = part
        self.row = row

    @property
    def is_loop(self) -> bool:
        return self.disk.startswith("loop")

    @property
    def mountpoint(self) -> str:
        """Where it is mounted, or an empty string."""
        return str(self.row.get("mountpoint") or "")

    def probe(self) -> "signatures.Found":
        return signatures.probe(self.file, self.start, self.size)


def whole(state: model.Model, kname: str) -> Device | None:
    """Return the disk of that kernel name; None where it is unknown or its file has vanished."""
    row = model.section(state, "disks").get(kname)
    try:
        size = os.stat(model.path("/dev/" + kname)).st_size
    except FileNotFoundError:
        return None
    return None if row is None else Device(kname, kname, 0, size, 0, row)


def every(state: model.Model) -> list[Device]:
    """Return all disks that are there, in the order of their names."""
    found = (whole(state, kname) for kname in sorted(model.section(state, "disks"), key=_natural))
    return [device for device in found if device is not None]


def partitions(disk: Device) -> list[Device]:
    """Return the partitions on the disk; those only written in the model have no bytes of their own."""
    found = [
        Device(partition_name(disk.kname, entry.number), disk.disk, entry.start, entry.size, entry.number, {})
        for entry in signatures.table(disk.file, disk.size).entries
    ]
    for number, row in enumerate(disk.row.get("partitions") or [], start=1):
        known = {"name": row} if isinstance(row, str) else dict(row)
        name = str(known.get("name") or partition_name(disk.kname, number))
        same = [part for part in found if part.kname == name]
        if same:
            same[0].row = known
        else:
            found.append(Device(name, disk.disk, disk.size, 0, number, known))
    return found


def partition_name(kname: str, number: int) -> str:
    return f"{kname}p{number}" if kname[-1:].isdigit() else f"{kname}{number}"


def partition_path(path: str, number: int) -> str:
    """Return the path udev gives a disk's partition, in the style of the disk's own path."""
    if path.startswith("/dev/disk/"):
        return f"{path}-part{number}"
    return partition_name(path, number)


def find(state: model.Model, path: str) -> Device | None:
    """Return what a path below /dev means; None if there is no such device."""
    disk = whole(state, _kname(state, path))
    if disk is not None:
        return disk
    stem, number = _split_partition(state, path)
    disk = whole(state, stem) if stem else None
    if disk is None:
        return None
    return next((part for part in partitions(disk) if part.part == number), None)


def path_of(name: str) -> str:
    """Complete a name without a folder, as zpool does for its arguments."""
    if name.startswith("/"):
        return name
    for folder in (BY_ID, "/dev/"):
        if os.path.lexists(model.path(folder + name)):
            return folder + name
    return "/dev/" + name


def _kname(state: model.Model, path: str) -> str:
    """Return the kernel name a path leads to, or an empty string; the disk need not be known."""
    disks = model.section(state, "disks")
    folder, _, name = path.rpartition("/")
    if folder == "/dev":
        return name
    if folder + "/" == BY_ID:
        for kname, row in disks.items():
            if name in (row.get("by_id") or []):
                return str(kname)
    try:
        return os.path.basename(os.readlink(model.path(path)))
    except OSError:
        return ""


def _split_partition(state: model.Model, path: str) -> tuple[str, int]:
    stem = path.rstrip("0123456789")
    number = int(path[len(stem) :] or 0)
    if stem.endswith("-part"):
        return _kname(state, stem[: -len("-part")]), number
    # /dev/nvme0n1p1 and /dev/sda1
    if stem.endswith("p") and stem[-2:-1].isdigit():
        stem = stem[:-1]
    return _kname(state, stem), number


def _natural(name: str) -> tuple[str, int]:
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or 0)
