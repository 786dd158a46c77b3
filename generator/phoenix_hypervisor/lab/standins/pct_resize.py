"""`pct resize`."""

import os

import guest_conf
import guest_images
import guest_mounts
import guest_volumes
import model
from guest_conf import Refused
from guest_options import Call


def run(call: Call) -> int:
    key, wanted = call.values["disk"], call.values["size"]
    guest_conf.refuse_if_missing(call.vmid)
    with guest_conf.locked(call.vmid):
        conf = guest_conf.load(call.vmid)
        guest_conf.check_digest(conf, call.values.get("digest"))
        guest_conf.check_lock(conf)
        mount = guest_mounts.read(key, conf.values.get(key, ""))
        volid = mount["volume"]
        if guest_mounts.kind(mount) != "volume":
            raise Refused(f"can't resize mount point owned by another container ({volid})")
        before = guest_volumes.size(volid)
        if before is None:
            raise Refused(f"disk size of '{volid}' is unknown")
        after = guest_volumes.size_of(wanted.removeprefix("+")) + (before if wanted.startswith("+") else 0)
        if after < before:
            raise Refused("unable to shrink disk size")
        if after == before:
            raise Refused("disk is already at specified size")
        guest_volumes.resize(volid, after)
        conf.values[key] = guest_mounts.written(key, mount | {"size": guest_volumes.spelt(after)})
        guest_conf.save(conf)
    if not guest_volumes.dataset(volid):
        _tell(volid, before, after, guest_conf.running(call.vmid))
    return 0


def _tell(volid: str, before: int, after: int, running: bool) -> None:
    path = guest_volumes.image(volid)
    if running:
        print("Image resized.")
        return
    top = model.path(guest_volumes.place(volid))
    files = sum(len(folders) + len(names) for _, folders, names in os.walk(top))
    guest_images.tell_resized(path, before, after, files)
