"""`pct template`: a container becomes what others are cloned from, and never runs again."""

import sys

import guest_conf
import guest_mounts
import guest_volumes
import guest_zfs
from guest_conf import Refused
from guest_options import Call


def run(call: Call) -> int:
    with guest_conf.locked(call.vmid, sys.stdout):
        conf = guest_conf.load(call.vmid)
        if conf.snapshots:
            raise Refused("unable to create template, because CT contains snapshots")
        guest_conf.check_lock(conf)
        if conf.values.get("template") == "1":
            raise Refused("you can't convert a template to a template")
        if guest_conf.running(call.vmid):
            raise Refused("you can't convert a CT to template if the CT is running")
        mounts = guest_mounts.every(conf)
        for mount in mounts.values():
            if guest_mounts.kind(mount) != "volume":
                raise Refused(f"Template feature is not available for '{mount['volume']}'")
        for key, mount in mounts.items():
            volume = _base(mount["volume"])
            conf.values[key] = guest_mounts.written(key, mount | {"volume": volume})
            # One by one: who is killed on the way finds what was done.
            guest_conf.save(conf)
        conf.values["template"] = "1"
        guest_conf.save(conf)
    return 0


def _base(volume: str) -> str:
    """Make a volume one that linked clones can come from; return its new name."""
    leaf = guest_volumes.leaf(volume)
    if not guest_volumes.dataset(volume):
        return guest_volumes.rename(volume, "base" + leaf.removeprefix("vm"))
    new = guest_volumes.rename(volume, "basevol" + leaf.removeprefix("subvol"))
    guest_volumes.zfs("snapshot", f"{guest_volumes.dataset(new)}@{guest_zfs.BASE}")
    return new
