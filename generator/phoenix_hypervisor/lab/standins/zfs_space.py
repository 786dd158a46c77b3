"""How much is used and free: by the real files below mountpoints, and by the disks' sizes."""

import os
import stat

import model
import zfs_datasets
import zfs_mounts
from hints import Any

BASE = 98304  # an empty file system
_VOLUME_BASE = 57344
_POOL_BASE = 282624  # what a pool keeps for itself
_MIB = 1 << 20


class Space:
    """Sizes of all datasets of the model, each counted once."""

    def __init__(self, state: model.Model) -> None:
        self.state = state
        self._refer: dict[str, int] = {}
        self._used: dict[str, int] = {}
        self._mounts = {
            model.path(row["mounted"]) for row in zfs_datasets.every(state).values() if row.get("mounted")
        }

    def refer(self, name: str) -> int:
        """Return what a dataset or snapshot itself holds."""
        if "@" in name:
            return int(zfs_datasets.row_of(self.state, name).get("refer", BASE))
        if name not in self._refer:
            row = zfs_datasets.row_of(self.state, name)
            base = _VOLUME_BASE if row["type"] == "volume" else BASE
            self._refer[name] = base + _tree(zfs_mounts.content(name, row), self._mounts)
        return self._refer[name]

    def reserved(self, name: str) -> int:
        """Return what of a refreservation is not used yet."""
        return max(0, self._limit(name, "refreservation") - self.refer(name))

    def children(self, name: str) -> int:
        total = 0
        for other in zfs_datasets.every(self.state):
            if zfs_datasets.parent_of(other) == name:
                total += max(self.used(other), self._limit(other, "reservation"))
        return total

    def used(self, name: str) -> int:
        if "@" in name:
            return 0
        if name not in self._used:
            own = self.refer(name) + self.reserved(name) + self.children(name)
            self._used[name] = own + (_POOL_BASE if "/" not in name else 0)
        return self._used[name]

    def available(self, name: str) -> int:
        """Return what could still be written, by pool size, reservations and the quotas above."""
        above = zfs_datasets.parent_of(name)
        if above:
            spare = max(0, self._limit(name, "reservation") - self.used(name))
            free = self.available(above) + spare
        else:
            free = pool_usable(self.state, name) - self.used(name)
        quota = self._limit(name, "quota")
        if quota:
            free = min(free, quota - self.used(name))
        if zfs_datasets.row_of(self.state, name)["type"] == "volume":
            free += self.reserved(name)
        refquota = self._limit(name, "refquota")
        if refquota:
            free = min(free, refquota - self.refer(name))
        return max(0, free)

    def _limit(self, name: str, prop: str) -> int:
        text = zfs_datasets.local(self.state, name, prop) or "0"
        return int(text) if text.isdigit() else 0


def _tree(folder: str, others: set[str]) -> int:
    """Add up the files below a folder, without what is mounted there."""
    total = 0
    folders = [folder]
    while folders:
        try:
            entries = os.scandir(folders.pop())
        except OSError:
            continue
        with entries:
            for entry in entries:
                info = entry.stat(follow_symlinks=False)
                if not stat.S_ISDIR(info.st_mode):
                    total += info.st_size
                elif entry.path not in others:
                    folders.append(entry.path)
    return total


def volume_reservation(size: int, block: int) -> int:
    """Return the refreservation of a thick volume: its size and the blocks that describe it."""
    blocks = size // block
    described = 7
    while blocks > 1:
        blocks = -(-blocks // 1024)
        described += blocks
    return size + described * 2 * 131072


def vdev_size(sizes: list[int], kind: str) -> int:
    """Return what ZFS makes of the disks of one vdev, raw (as `zpool list` counts): whole metaslabs only."""
    usable = min(size // (256 << 10) * (256 << 10) for size in sizes) - (9 * _MIB // 2)
    space = usable * len(sizes) if kind.startswith("raidz") else usable
    shift = 29
    if space >> 29 < 16:
        shift = max(24, (space // 16).bit_length())
    elif space >> 29 > 200:
        shift = min(34, (space // 200).bit_length())
    return space >> shift << shift


def parity(kind: str) -> int:
    return int(kind[5:] or 1) if kind.startswith("raidz") else 0


def pool_size(row: dict[str, Any]) -> int:
    """Return the pool's raw size: all vdevs that hold data."""
    return sum(vdev["size"] for vdev in row["vdevs"] if vdev["class"] in ("normal", "special", "dedup"))


def pool_usable(state: model.Model, pool: str) -> int:
    """Return what file systems can use: less parity and what ZFS keeps back (slop)."""
    row = model.section(state, "pools")[pool]
    space = 0
    for vdev in row["vdevs"]:
        if vdev["class"] != "normal":
            continue
        disks = len(vdev.get("children") or [1])
        space += vdev["size"] * (disks - parity(vdev["type"])) // disks
    slop = max(min(space >> 5, 128 << 30), min(space >> 1, 128 * _MIB))
    return space - slop


def pool_allocated(state: model.Model, pool: str, space: Space) -> int:
    """Return what is written on the pool's disks, parity included, reservations not."""
    names = [pool, *zfs_datasets.below(state, pool)]
    total = _POOL_BASE + sum(space.refer(name) for name in names)
    wide = [vdev for vdev in model.section(state, "pools")[pool]["vdevs"] if parity(vdev["type"])]
    if wide:
        disks = len(wide[0]["children"])
        total = total * disks // (disks - parity(wide[0]["type"]))
    return total
