"""What `zpool` and `zfs` print with -H and -p, and how ZFS spells values.

Seen on OpenZFS 2.3: `xattr=sa` reads back `on` (openzfs/zfs#17171), `acltype=posixacl` reads back
`posix`, quota `none` reads back 0, sizes are bytes.
"""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from . import sizes

MANAGED = "phoenix:managed"
"""The user property that marks a dataset as made by us; only a local value counts."""
POOL_MANAGED = "phoenix:pool"
"""The same for a pool, on its root dataset."""

SIZES = frozenset(
    {"recordsize", "quota", "refquota", "reservation", "refreservation", "special_small_blocks"}
)
LIMITS = frozenset({"quota", "refquota", "reservation", "refreservation"})
"""Sizes that can be `none`; for the others 0 is a size."""
ALIASES = {
    ("xattr", "sa"): "on",
    ("acltype", "posixacl"): "posix",
    ("acltype", "noacl"): "off",
}
PROPERTIES = (
    "recordsize",
    "compression",
    "sync",
    "quota",
    "refquota",
    "reservation",
    "refreservation",
    "atime",
    "relatime",
    "xattr",
    "acltype",
    "dnodesize",
    "logbias",
    "primarycache",
    "secondarycache",
    "redundant_metadata",
    "special_small_blocks",
    "snapdir",
    "exec",
    "setuid",
    "devices",
    "mountpoint",
    "canmount",
)
"""The properties of a dataset that we compare and set."""
ASKED = (*PROPERTIES, "mounted", "used", MANAGED, POOL_MANAGED)
POOL_PROPERTIES = ("ashift", "autotrim", "autoexpand", "comment", "failmode")

PARITY = {"stripe": 0, "mirror": 0, "raidz1": 1, "raidz2": 2, "raidz3": 3}
_CLASSES = frozenset({"special", "logs", "log", "cache", "spare", "spares", "dedup"})


class Setting(NamedTuple):
    """A property as it is: its value, and whether it is `local`, `default`, `inherited from X` or `-`."""

    value: str
    source: str


def canonical(name: str, value: object) -> str:
    """Return a property's value in the spelling `zfs get -p` uses."""
    text = str(value)
    if name in SIZES:
        return "0" if text == "none" else str(sizes.parse(value))
    return ALIASES.get((name, text), text)


def spelled(name: str, value: str) -> str:
    """Return a canonical value as a person would write it: 1048576 is `1M`, quota 0 is `none`."""
    if name in LIMITS and value == "0":
        return "none"
    return sizes.show(int(value)) if name in SIZES else value


@cache
def properties(text: str) -> Mapping[str, Mapping[str, Setting]]:
    """Read `zfs|zpool get -Hpo name,property,value,source …` into name → property → Setting."""
    found: dict[str, dict[str, Setting]] = {}
    for line in text.splitlines():
        name, prop, value, source = line.split("\t")
        found.setdefault(name, {})[prop] = Setting(canonical(prop, value) if value != "-" else value, source)
    return found


@cache
def health(text: str) -> Mapping[str, str]:
    """Read `zpool list -Hpo name,health` into pool → health."""
    return {name: state for name, state, *_ in (line.split("\t") for line in text.splitlines())}


@cache
def layouts(text: str) -> Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    """Read `zpool list -vHP` into pool → its vdevs, each (type, disks).

    The listing is flat: what belongs to a mirror or raidz has `-` for ALLOC, a disk of its own has
    a number. Devices of a class of its own (log, cache …) come as type `log mirror` and the like.
    """
    pools: dict[str, list[tuple[str, list[str]]]] = {}
    vdevs: list[tuple[str, list[str]]] = []
    group: list[str] | None = None
    prefix = ""
    for line in text.splitlines():
        cells = line.split("\t")
        if cells[0] in _CLASSES:
            prefix, group = f"{cells[0]} ", None  # a spare has no ALLOC either, and is in no mirror
        elif cells[0]:
            prefix, group, vdevs = "", None, []
            pools[cells[0]] = vdevs
        elif not cells[1].startswith("/"):
            group = []
            vdevs.append((prefix + cells[1].rsplit("-", 1)[0], group))
        elif cells[3] == "-" and group is not None:
            group.append(disk_name(cells[1]))
        else:
            group = None
            vdevs.append((f"{prefix}stripe", [disk_name(cells[1])]))
    return {pool: tuple((kind, tuple(disks)) for kind, disks in found) for pool, found in pools.items()}


@cache
def owners(text: str) -> Mapping[str, Mapping[str, str]]:
    """Read `stat -c '%U %G %a %n'` into path → owner, group and mode."""
    rows = (line.split(" ", 3) for line in text.splitlines())
    return {path: {"owner": owner, "group": group, "mode": mode} for owner, group, mode, path in rows}


def disk_name(path: str) -> str:
    """Return the by-id name of a pool's device: ZFS lists the first partition of a whole disk it took."""
    return path.removeprefix("/dev/disk/by-id/").removesuffix("-part1")


def usable(kind: str, disk_sizes: list[int]) -> int:
    """Return about how many bytes a vdev holds: before ZFS's own reserve, after parity."""
    if not disk_sizes:
        return 0
    if kind == "mirror":
        return min(disk_sizes)
    if kind == "stripe":
        return sum(disk_sizes)
    return min(disk_sizes) * max(0, len(disk_sizes) - PARITY[kind])
