"""`zpool create`: refuses first, in the order of the real tool, and writes to disks last."""

import os
import time

import disks
import model
import zfs_change
import zfs_datasets
import zfs_label
import zfs_options
import zfs_props
import zpool_props
import zpool_vdevs
from hints import Any
from zfs_options import Options, RefusedError

_USAGE = (
    "usage:\n\tcreate [-fnd] [-o property=value] ... \n"
    "\t    [-O file-system-property=value] ... \n"
    "\t    [-m mountpoint] [-R root] <pool> <vdev> ..."
)
_SMALLEST = 64 << 20


def create(argv: list[str]) -> int:
    """`zpool create`."""
    options = zfs_options.parse("zpool", ["create", *argv], "fno:O:m:")
    pool_props = _pool_properties(options.every("o"))
    fs_props = _file_system_words(options)
    if len(options.rest) < 2:
        raise RefusedError(f"missing pool name argument\n{_USAGE}", status=2)
    if len(options.rest) < 3:
        raise RefusedError(f"missing vdev specification\n{_USAGE}", status=2)
    name, words = options.rest[1], options.rest[2:]
    if "/" in name:
        text = f"cannot create '{name}': invalid character '/' in pool name\n"
        raise RefusedError(text + "use 'zfs create' to create a dataset")
    with model.change() as state:
        vdevs = zpool_vdevs.parsed(state, words)
        zpool_vdevs.check(state, vdevs, "f" in options)
        _check_mountpoint(name, fs_props)
        if "n" in options:
            print("\n".join(_layout(name, vdevs)))
            return 0
        properties = _check(state, name, vdevs, fs_props)
        history = " ".join(["zpool", "create", *argv])
        return _make(state, {"name": name, "vdevs": vdevs, "props": pool_props}, properties, history)


def _pool_properties(words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise RefusedError(f"missing '=' for -o option\n{_USAGE}", status=2)
        if name.startswith("feature@"):
            model.not_simulated("zpool", ["create", "-o", word])
        known = zpool_props.known(name)
        if not known:
            raise RefusedError(f"property '{name}' is not a valid pool or vdev property")
        if known == "ashift" and value.isdigit() and int(value) and not 9 <= int(value) <= 16:
            raise RefusedError(
                f"invalid 'ashift={value}' property: only values between 9 and 16 are allowed."
            )
        found[known] = value
    return found


def _file_system_words(options: Options) -> list[str]:
    words = options.every("O")
    for word in words:
        name, equals, _ = word.partition("=")
        if not equals:
            raise RefusedError(f"missing '=' for -O option\n{_USAGE}", status=2)
        if not zfs_props.known(name) and not zfs_props.is_user(name):
            raise RefusedError(f"property '{name}' is not a valid filesystem property")
    return words + [f"mountpoint={value}" for value in options.every("m")]


def _check_mountpoint(name: str, fs_props: list[str]) -> None:
    chosen = [word.partition("=")[2] for word in fs_props if word.startswith("mountpoint=")]
    where = chosen[-1] if chosen else "/" + name
    if where.startswith("/") and os.path.isdir(model.path(where)) and os.listdir(model.path(where)):
        text = f"mountpoint '{where}' exists and is not empty\n"
        raise RefusedError(text + "use '-m' option to provide a different default")


def _layout(name: str, vdevs: list[zpool_vdevs.Vdev]) -> list[str]:
    lines = [f"would create '{name}' with the following layout:", "", f"\t{name}"]
    titles = {"normal": "", "log": "logs", "spare": "spares"}
    for role in ("normal", "dedup", "special", "log", "cache", "spare"):
        chosen = [vdev for vdev in vdevs if vdev["class"] == role]
        if chosen and role != "normal":
            lines.append(f"\t{titles.get(role, role)}")
        for vdev in chosen:
            grouped = vdev["type"] != "disk"
            lines += [f"\t  {vdev['type'].removesuffix('1')}"] if grouped else []
            indent = "    " if grouped else "  "
            lines += [f"\t{indent}{zpool_vdevs.name_of(leaf)}" for leaf in vdev["children"]]
    return lines


def _check(
    state: model.Model, name: str, vdevs: list[zpool_vdevs.Vdev], fs_props: list[str]
) -> dict[str, str]:
    """Refuse what the library and the kernel refuse; return the root's properties."""
    prefix = f"cannot create '{name}': "
    fault = zfs_datasets.pool_name_fault(name)
    if fault:
        raise RefusedError(f"{prefix}{fault}\npool name may have been omitted")
    properties = zfs_change.properties(fs_props, "filesystem", prefix)
    if name in model.section(state, "pools"):
        raise RefusedError(f"{prefix}pool already exists")
    used = [(leaf["kname"], leaf["part"]) for leaf in zpool_vdevs.leaves(vdevs)]
    if len(set(used)) < len(used):
        text = "one or more vdevs refer to the same device, or one of\n"
        raise RefusedError(f"{prefix}{text}the devices is part of an active md or lvm device")
    places = [zpool_vdevs.device(state, leaf) for leaf in zpool_vdevs.leaves(vdevs)]
    if any(place is not None and place.size < _SMALLEST for place in places):
        raise RefusedError(f"{prefix}one or more devices is less than the minimum size (64M)")
    return properties


def _make(state: model.Model, row: dict[str, Any], properties: dict[str, str], history: str) -> int:
    name = row["name"]
    try:
        for prop, value in row["props"].items():
            row["props"][prop] = zpool_props.checked(prop, value, creating=True)
    except RefusedError as error:
        raise RefusedError(f"cannot create '{name}': {error.text}") from None
    row |= {
        "guid": zfs_datasets.new_guid(),
        "load_guid": zfs_datasets.new_guid(),
        "txg": 4,
        "created": int(time.time()),
        "history": [[int(time.time()), history]],
        "scan": "",
    }
    model.section(state, "pools")[name] = row
    zpool_vdevs.claim(state, row)
    zfs_datasets.new(state, name, "filesystem", properties)
    if properties.get("mountpoint", "/").startswith("/") and properties.get("canmount", "on") == "on":
        return zfs_change.mount_new(state, name, "pool successfully created, but not mounted")
    return 0


def labelclear(argv: list[str]) -> int:
    """`zpool labelclear`."""
    options = zfs_options.parse("zpool", ["labelclear", *argv], "f")
    if len(options.rest) != 2:
        model.not_simulated("zpool", ["labelclear", *argv])
    word = options.rest[1]
    with model.change() as state:
        place = disks.find(state, disks.path_of(word))
        if place is None:
            raise RefusedError(f"failed to open {word}: No such file or directory")
        parts = disks.partitions(place) if not place.part and not place.is_loop else []
        place = next((part for part in parts if part.part == 1), place)
        status, pool = zpool_vdevs.membership(state, place)
        if status == "active":
            raise RefusedError(f'{word} is a member (ACTIVE) of pool "{pool}"')
        if status and "f" not in options:
            text = "use '-f' to override the following error:\n"
            raise RefusedError(f'{text}{word} is a member of {status} pool "{pool}"')
        if not zfs_label.clear(place.file, place.start, place.size):
            raise RefusedError(f"failed to clear label for {word}", status=255)
    return 0
