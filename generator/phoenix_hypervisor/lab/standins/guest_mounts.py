"""The mounts in a guest's conf: its root, its mount points, and volumes that nothing uses any more."""

import os

import model
from guest_conf import Conf, Part, Refused
from guest_formats import MANY, MOUNT, ROOT, NotParsedError, parse, spell
from guest_volumes import size_of, spelt

Mount = dict[str, str]
"""A mount's settings by name: `volume`, `mp` …"""


def read(key: str, value: str) -> Mount:
    """Read `rootfs` or `mpN`; refuse what is none."""
    try:
        return parse(ROOT if key == "rootfs" else MOUNT, value)
    except NotParsedError as error:
        raise Refused(str(error)) from None


def written(key: str, mount: Mount) -> str:
    """Spell a mount as Proxmox does."""
    if "size" in mount:
        mount = mount | {"size": spelt(size_of(mount["size"]))}
    if key == "rootfs":
        mount = {name: value for name, value in mount.items() if name != "mp"}
    return spell(ROOT if key == "rootfs" else MOUNT, mount)


def kind(mount: Mount) -> str:
    """Return what is mounted: a `volume`, a `device` or a folder of the node (`bind`)."""
    if not mount["volume"].startswith("/"):
        return "volume"
    return "device" if mount["volume"].startswith("/dev/") else "bind"


def every(part: Part) -> dict[str, Mount]:
    """Return the root and the mount points by key, in the order in which they are mounted."""
    keys = [key for key in (f"mp{number}" for number in range(MANY["mp"])) if key in part.values]
    return {key: read(key, part.values[key]) for key in ["rootfs"] * ("rootfs" in part.values) + keys}


def unused(part: Part) -> dict[str, str]:
    """Return the volumes that are kept though nothing uses them, by key."""
    found = {key: value for key, value in part.values.items() if key.startswith("unused")}
    return {key: found[key].removeprefix("volume=") for key in sorted(found)}


def in_use(conf: Conf, volid: str) -> bool:
    """Whether a volume is mounted, is going to be, or belongs to a snapshot."""
    parts = (conf, conf.pending, *conf.snapshots.values())
    return any(mount["volume"] == volid for part in parts for mount in every(part).values())


def keep_unused(conf: Conf, volid: str) -> str:
    """Note a volume as `unusedN`, with the first free number; return the key, empty if it was noted."""
    if volid in unused(conf).values():
        return ""
    key = next(key for number in range(MANY["unused"]) if (key := f"unused{number}") not in conf.values)
    conf.values[key] = volid
    return key


def forget_used(conf: Conf) -> None:
    """Drop `unusedN` whose volume is mounted again."""
    mounted = {mount["volume"] for mount in every(conf).values()}
    for key, volid in unused(conf).items():
        if volid in mounted:
            del conf.values[key]


def refuse_missing_source(mount: Mount) -> None:
    """Refuse a bind mount of a folder that is not there."""
    source = mount["volume"]
    if kind(mount) == "bind" and not os.path.isdir(model.path(source)):
        raise Refused(f"directory '{source}' does not exist")
    if kind(mount) == "device" and not os.path.exists(model.path(source)):
        raise Refused(f"device '{source}' does not exist")
