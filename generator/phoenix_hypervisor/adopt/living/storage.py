"""Pools, datasets, the ARC and Proxmox's storages as they are on a node."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...dialects import sizes, storage_cfg, zfs
from .found import Found, Left, Thing

_DISK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]*")
_PARTITION = re.compile(r".*-part\d+")
_OF_A_GUEST = re.compile(r"(subvol|basevol|vm|base)-\d+-.+")
"""Volumes of guests (pve-storage): they belong to their guests."""
_ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
"""An owner without a name is `UNKNOWN` (stat(1)): that cannot be declared."""
_USUAL = {"owner": "root", "group": "root", "mode": "755"}
_SILENT = frozenset({"pool", "path", "mountpoint"})
"""`mountpoint` is what Proxmox notes of a zfspool: it follows from the dataset."""


def disks(answers: Mapping[str, str]) -> dict[str, int]:
    """Return the node's disks by their names in /dev/disk/by-id, with their sizes in bytes."""
    rows = (line.split() for line in answers["disks"].splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdecimal()}


def pools(answers: Mapping[str, str]) -> Found:
    """Yield the pools whose layout can be declared."""
    known = disks(answers)
    properties = zfs.properties(answers["pool_properties"])
    for name, layout in zfs.layouts(answers["pools"]).items():
        why = next((why for kind, members in layout if (why := _odd(kind, members, known))), "")
        if why:
            yield Left("zfs_pool", name, why)
            continue
        settings: dict[str, Any] = {"vdevs": _vdevs(layout)}
        found = properties.get(name, {})
        for key in ("ashift", "autotrim", "autoexpand", "failmode", "comment"):
            value = found[key].value if key in found else "-"
            if value not in ("-", ""):
                settings[key] = int(value) if key == "ashift" and value.isdecimal() else value
        yield Thing("zfs_pool", name, settings)


def _odd(kind: str, members: tuple[str, ...], known: Mapping[str, int]) -> str:
    if kind not in zfs.PARITY:
        return f"it has a `{kind}`, which cannot be declared"
    for disk in members:
        if _PARTITION.fullmatch(disk):
            return f"`{disk}` is a partition: only pools of whole disks can be declared"
        if disk not in known or not _DISK.fullmatch(disk):
            return f"its device `{disk}` is no name in /dev/disk/by-id: only such can be declared"
    return ""


def _vdevs(layout: tuple[tuple[str, tuple[str, ...]], ...]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for kind, members in layout:
        if kind == "stripe" and found and found[-1]["type"] == "stripe":
            found[-1]["disks"] += members
        else:
            found.append({"type": kind, "disks": [*members]})
    return found


def datasets(answers: Mapping[str, str]) -> Found:
    """Yield the file systems with what is set on each of them, those of guests left out."""
    owners = zfs.owners(answers["owners"])
    for name, found in zfs.properties(answers["datasets"]).items():
        if _OF_A_GUEST.fullmatch(name.rpartition("/")[2]):
            continue
        settings: dict[str, Any] = {}
        for key in zfs.PROPERTIES:
            if key in found and found[key].source in ("local", "received") and key != "mountpoint":
                settings[key] = zfs.spelled(key, found[key].value)
        path = found["mountpoint"].value if "mountpoint" in found else f"/{name}"
        if path != f"/{name}":
            settings["mountpoint"] = path
        if found.get("mounted", zfs.Setting("no", "-")).value == "yes":
            settings |= _owner(owners.get(path, {}))
        if "/" in name or settings:  # a pool's own dataset comes with the pool
            yield Thing("zfs_dataset", name, settings)
    for name in answers["volumes"].split("\n"):
        if name and not _OF_A_GUEST.fullmatch(name.rpartition("/")[2]):
            yield Left("zfs_volume", name, "there is no kind for volumes (zvols)")


def _owner(found: Mapping[str, str]) -> dict[str, str]:
    """Owner, group and mode where they are not the usual ones and can be declared."""
    if not found or found == _USUAL:
        return {}
    said = {name: found[name] for name in ("owner", "group") if _ACCOUNT.fullmatch(found[name])}
    return {**said, "mode": found["mode"]}


def quota_overcommit(things: list[Thing], known: Mapping[str, int]) -> float:
    """Return how far the quotas right below the worst pool exceed what it holds; at least 1."""
    worst = 1.0
    for pool in (thing for thing in things if thing.kind == "zfs_pool"):
        room = sum(
            zfs.usable(vdev["type"], [known.get(disk, 0) for disk in vdev["disks"]])
            for vdev in pool.settings["vdevs"]
        )
        quotas = [
            sizes.parse(thing.settings["quota"])
            for thing in things
            if thing.kind == "zfs_dataset"
            and thing.name.rpartition("/")[0] == pool.name
            and thing.settings.get("quota", "none") != "none"
        ]
        if room:
            worst = max(worst, sum(quotas) / room)
    return -(-worst * 10 // 1) / 10 if worst > 1 else 1.0


def arc(answers: Mapping[str, str]) -> Found:
    """Yield the ARC's limit, if it is set by our own file; a limit set otherwise is not ours to change."""
    first, *lines = answers["arc"].splitlines() or [""]
    numbers = {name: int(value) for name, _, value in (line.partition(":") for line in lines)}
    limits = {
        key: sizes.show(numbers[name])
        for key, name in (("max", "zfs_arc_max"), ("min", "zfs_arc_min"))
        if numbers.get(name)
    }
    if first == "ours" and "max" in limits:
        yield Thing("zfs_arc", "", limits)
    elif limits:
        said = ", ".join(f"{key} {value}" for key, value in limits.items())
        why = f"the limit ({said}) is set by somebody else; declared, it would be written to a file of ours"
        yield Left("zfs_arc", "", why)


def storages(answers: Mapping[str, str]) -> Found:
    """Yield Proxmox's storages that can be declared."""
    for name, found in storage_cfg.parse(answers["storages"]).items():
        if found.type not in ("zfspool", "dir"):
            yield Left("pve_storage", name, f"storages of the type `{found.type}` cannot be declared")
            continue
        place = "pool" if found.type == "zfspool" else "path"
        settings: dict[str, Any] = {"type": found.type, place: found.options.get(place, "")}
        for key, value in found.options.items():
            if key in storage_cfg.SETS:
                settings[key] = [word for word in value.split(",") if word]
            elif key in storage_cfg.BOOLEANS and value in ("0", "1"):
                settings[key] = value == "1"
            elif key not in _SILENT:
                yield Left("pve_storage", name, f"its option `{key} {value}` cannot be declared")
        yield Thing("pve_storage", name, settings)
