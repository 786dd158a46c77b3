"""Vdevs: the words after a pool's name, whether the disks may be used, and how each one fares.

A pool's row in section "pools" has "vdevs": [{type (disk, mirror, raidz1 …), class (normal, log …), guid,
size (raw), children: [{path, kname, part (0: the device as a whole), guid, offline}]}]. A plain disk has
itself as its only child.
"""

import os

import disks
import model
import zfs_datasets
import zfs_label
import zfs_space
from hints import Any
from zfs_options import RefusedError

Leaf = dict[str, Any]
Vdev = dict[str, Any]
CLASSES = {
    "log": "log",
    "logs": "log",
    "cache": "cache",
    "special": "special",
    "dedup": "dedup",
    "spare": "spare",
}
_LEAST = {"mirror": 2, "raidz1": 2, "raidz2": 3, "raidz3": 4}
_FUZZ = 16 << 20  # how much the disks of one vdev may differ


def parsed(state: model.Model, words: list[str]) -> list[Vdev]:
    """Read a vdev specification; refuses unknown devices and groups that are too small."""
    found: list[Vdev] = []
    kind, role, group = "disk", "normal", []  # type: str, str, list[Leaf]

    def close() -> None:
        if kind != "disk":
            if len(group) < _LEAST[kind]:
                name = "raidz" if kind == "raidz1" else kind
                least = _LEAST[kind]
                raise RefusedError(f"invalid vdev specification: {name} requires at least {least} devices")
            found.append({"type": kind, "class": role, "children": list(group)})
        group.clear()

    for word in words:
        if word in CLASSES:
            close()
            kind, role = "disk", CLASSES[word]
        elif word == "mirror" or word.startswith("raidz"):
            close()
            kind = "raidz1" if word == "raidz" else word
            if kind not in _LEAST:
                model.not_simulated("zpool", ["create", *words])
        elif word.startswith("draid"):
            model.not_simulated("zpool", ["create", *words])
        else:
            leaf = _leaf(state, word)
            if kind == "disk":
                found.append({"type": "disk", "class": role, "children": [leaf]})
            else:
                group.append(leaf)
    close()
    if not any(vdev["class"] == "normal" for vdev in found):
        raise RefusedError("invalid vdev specification: at least one toplevel vdev must be specified")
    return found


def _leaf(state: model.Model, word: str) -> Leaf:
    path = disks.path_of(word)
    device = disks.find(state, path)
    if device is None and not word.startswith("/"):
        text = f"cannot open '{word}': no such device in /dev\n"
        raise RefusedError(text + "must be a full path or shorthand device name")
    if device is None:
        raise RefusedError(f"cannot resolve path '{path}'")
    return {"path": path, "kname": device.disk, "part": device.part, "offline": False}


def takes_whole_disk(leaf: Leaf) -> bool:
    """Whether ZFS puts a partition table of its own on it (never on loop devices)."""
    return not leaf["part"] and not leaf["kname"].startswith("loop")


def device(state: model.Model, leaf: Leaf) -> disks.Device | None:
    """Return what the leaf lies on; None where the disk has vanished."""
    disk = disks.whole(state, leaf["kname"])
    if disk is None or not leaf["part"]:
        return disk
    return next((part for part in disks.partitions(disk) if part.part == leaf["part"]), None)


def leaves(vdevs: list[Vdev]) -> list[Leaf]:
    return [leaf for vdev in vdevs for leaf in vdev["children"]]


def check(state: model.Model, vdevs: list[Vdev], force: bool) -> None:
    """Refuse devices that hold something, then layouts ZFS finds odd; touches nothing."""
    plain: list[str] = []
    overridable: list[str] = []
    fatal: list[str] = []
    for leaf in leaves(vdevs):
        for slice_path, part in _slices(state, leaf, plain):
            text, final = _slice_fault(state, slice_path, part, force)
            if text:
                (fatal if final and force else overridable).append(text)
    if not (plain or overridable or fatal) and not force:
        overridable = _odd_layout(state, [vdev for vdev in vdevs if vdev["class"] == "normal"])
    if fatal:
        text = "invalid vdev specification\nthe following errors must be manually repaired:"
        raise RefusedError("\n".join([*plain, text, *fatal]))
    if overridable and not force:
        text = "invalid vdev specification\nuse '-f' to override the following errors:"
        raise RefusedError("\n".join([*plain, text, *overridable]))
    if plain:
        raise RefusedError("\n".join(plain))


def _slices(state: model.Model, leaf: Leaf, plain: list[str]) -> list[tuple[str, disks.Device]]:
    """Return what ZFS looks into: the device itself, or the partitions of a whole disk that has a GPT."""
    place = device(state, leaf)
    if place is None:
        return []
    if not takes_whole_disk(leaf):
        return [(leaf["path"], place)]
    found = place.probe()
    parts = disks.partitions(place)
    # a partition without bytes is one that only the model knows of
    held = [
        part for part in parts if part.mountpoint or not part.size or membership(state, part)[0] == "active"
    ]
    if place.mountpoint or held or membership(state, place)[0] == "active":
        kind = found.first.kind if found.first else "unknown"
        plain.append(f"{leaf['path']} is in use and contains a {kind} filesystem.")
        return []
    if found.table.kind == "gpt":
        return [(disks.partition_path(leaf["path"], part.part), part) for part in parts if part.size]
    return [(leaf["path"], place)]


def _slice_fault(state: model.Model, path: str, part: disks.Device, force: bool) -> tuple[str, bool]:
    """Say what is on a device, and whether even -f does not help."""
    first = part.probe().first
    if first is None:
        return "", False
    if first.kind != "zfs_member":
        return ("", False) if force else (f"{path} contains a filesystem of type '{first.kind}'", False)
    status, pool = membership(state, part)
    if not status or (force and status != "active"):
        return "", False
    return f"{path} is part of {status} pool '{pool}'", status == "active"


def membership(state: model.Model, part: disks.Device) -> tuple[str, str]:
    """Return active, exported or potentially active, and the pool's name; empty where it is free."""
    config = zfs_label.read(part.file, part.start, part.size) if part.size else None
    if config is None or config["state"] == "destroyed":
        return "", ""
    if config["state"] == "exported":
        return "exported", config["name"]
    running = {row["guid"] for row in model.section(state, "pools").values()}
    return "active" if config["guid"] in running else "potentially active", config["name"]


def _odd_layout(state: model.Model, vdevs: list[Vdev]) -> list[str]:
    for vdev in vdevs:
        sizes = [place.size for place in (device(state, leaf) for leaf in vdev["children"]) if place]
        if max(sizes) - min(sizes) > _FUZZ and vdev["type"] != "disk":
            return [f"{vdev['type'].rstrip('1')} contains devices of different sizes"]
    kinds = sorted({vdev["type"].rstrip("123") for vdev in vdevs})
    if len(kinds) > 1:
        return [f"mismatched replication level: both {kinds[0]} and {kinds[1]} vdevs are present"]
    counts = sorted({len(vdev["children"]) for vdev in vdevs})
    if len(counts) > 1:
        text = f"both {counts[0]}-way and {counts[1]}-way {kinds[0]} vdevs are present"
        return [f"mismatched replication level: {text}"]
    return []


def claim(state: model.Model, row: dict[str, Any]) -> None:
    """Complete a new pool's vdevs and write partitions and labels: from here on disks are changed."""
    for vdev in row["vdevs"]:
        vdev["guid"] = zfs_datasets.new_guid()
        for leaf in vdev["children"]:
            leaf["guid"] = zfs_datasets.new_guid()
            if takes_whole_disk(leaf):
                disk = disks.whole(state, leaf["kname"])
                assert disk is not None
                zfs_label.wipe_ends(disk.file, 0, disk.size)
                zfs_label.partition(disk.file, disk.size)
                leaf.update(part=1, path=disks.partition_path(leaf["path"], 1), whole=True)
        sizes = [place.size for place in (device(state, leaf) for leaf in vdev["children"]) if place]
        vdev["size"] = zfs_space.vdev_size(sizes, vdev["type"])
    for leaf in leaves(row["vdevs"]):
        place = device(state, leaf)
        if place is not None:
            zfs_label.wipe_ends(place.file, place.start, place.size)
    write_labels(state, row, "active")


def write_labels(state: model.Model, row: dict[str, Any], status: str) -> None:
    """Write the pool's configuration to all of its disks that are there and not taken offline."""
    config = {key: row[key] for key in ("name", "guid", "txg", "vdevs", "created", "props", "history")}
    for leaf in leaves(row["vdevs"]):
        place = device(state, leaf)
        if place is not None and not leaf["offline"]:
            full = {**config, "state": status, "vdev": leaf["guid"], "hostname": os.uname().nodename}
            zfs_label.write(place.file, place.start, place.size, full)


def leaf_state(state: model.Model, row: dict[str, Any], leaf: Leaf) -> tuple[str, str]:
    """Return a device's state and the note behind it."""
    if leaf["offline"]:
        return "OFFLINE", ""
    place = device(state, leaf)
    if place is None:
        return "UNAVAIL", "cannot open"
    config = zfs_label.read(place.file, place.start, place.size)
    if config is None or config["vdev"] != leaf["guid"] or config["guid"] != row["guid"]:
        return "UNAVAIL", "corrupted data"
    return "ONLINE", ""


def group_state(kind: str, states: list[str]) -> str:
    """Return the state of a vdev from those of its devices."""
    good = states.count("ONLINE")
    if good == len(states):
        return "ONLINE"
    spare = zfs_space.parity(kind) if kind.startswith("raidz") else len(states) - 1 if kind == "mirror" else 0
    return "DEGRADED" if len(states) - good <= spare else "UNAVAIL"


def pool_state(state: model.Model, row: dict[str, Any]) -> str:
    """Return the pool's health."""
    worst = "ONLINE"
    for vdev in row["vdevs"]:
        if vdev["class"] in ("cache", "spare"):
            continue
        states = [leaf_state(state, row, leaf)[0] for leaf in vdev["children"]]
        found = group_state(vdev["type"], states)
        if found == "UNAVAIL" and vdev["class"] != "log":
            return "UNAVAIL"
        if found != "ONLINE":
            worst = "DEGRADED"
    return worst


def name_of(leaf: Leaf, full: bool = False, kernel: bool = False) -> str:
    """Return how a device is named: short, with its path (-P), or as the kernel does (-L)."""
    path = str(leaf["path"])
    if kernel:
        path = "/dev/" + leaf["kname"]
        path = disks.partition_path(path, leaf["part"]) if leaf["part"] else path
    if full:
        return path
    if leaf.get("whole"):
        path = path.removesuffix("-part1") if path.startswith("/dev/disk/") else _without_partition(path)
    return path.rpartition("/")[2]


def _without_partition(path: str) -> str:
    stem = path.rstrip("0123456789")
    return stem[:-1] if stem.endswith("p") and stem[-2:-1].isdigit() else stem


def group_name(row: dict[str, Any], vdev: Vdev) -> str:
    """Return `mirror-0`: the kind and the vdev's number in the pool."""
    tops = [other for other in row["vdevs"] if other["class"] not in ("cache", "spare")]
    return f"{vdev['type']}-{tops.index(vdev)}"


def match(state: model.Model, row: dict[str, Any], word: str) -> tuple[Vdev, Leaf] | None:
    """Find a pool's device by any of its names."""
    path = disks.path_of(word)
    kname = getattr(disks.find(state, path), "disk", "")
    for vdev in row["vdevs"]:
        for leaf in vdev["children"]:
            if word in (leaf["guid"], name_of(leaf)) or path == leaf["path"] or kname == leaf["kname"]:
                return vdev, leaf
    return None
