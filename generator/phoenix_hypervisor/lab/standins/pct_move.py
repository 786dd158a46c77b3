"""`pct move-volume`: a volume to another storage, or to another container."""

import os
import sys

import guest_conf
import guest_copy
import guest_mounts
import guest_options
import guest_volumes
import model
import pct_clone
from guest_conf import Conf, Refused
from guest_options import Call


def run(call: Call) -> int:
    if "storage" not in call.values and "target-vmid" not in call.values:
        text = "both 'storage' and 'target-vmid' missing, either needs to be set"
        usage = guest_options.usage("move-volume")
        raise Refused(f"400 Parameter verification failed.\ntarget-vmid: {text}\nstorage: {text}\n{usage}\n")
    if "target-vmid" in call.values:
        _give(call, call.values["target-vmid"])
    else:
        _move(call, call.values["storage"])
    return 0


def _move(call: Call, storage: str) -> None:
    vmid, key = call.vmid, call.values["volume"]
    with guest_conf.locked(vmid):
        conf = guest_conf.load(vmid)
        guest_conf.check_lock(conf)
        guest_conf.check_digest(conf, call.values.get("digest"))
        if guest_conf.running(vmid):
            raise Refused("cannot move volumes of a running container")
        mount = _mount(conf, key)
        if guest_mounts.kind(mount) != "volume":
            raise Refused(f"cannot move mount point '{key}' (type {guest_mounts.kind(mount)})")
        guest_volumes.storage(storage)
        conf.values["lock"] = "disk"
        guest_conf.save(conf)
    try:
        old = mount["volume"]
        new = guest_volumes.allocate(storage, vmid, guest_volumes.size(old) or 0)
        sys.stdout.flush()
        source, target = (model.path(guest_volumes.place(volume)) for volume in (old, new))
        guest_copy.tree(source, target, 1 if guest_volumes.dataset(new) else 2)
        _exchange(vmid, key, mount, new, call.on("delete"))
    finally:
        pct_clone.unlock(vmid, "disk")


def _mount(conf: Conf, key: str) -> guest_mounts.Mount:
    if key.startswith("unused"):
        volume = guest_mounts.unused(conf).get(key)
        if volume is None:
            raise Refused(f"cannot move {key}: there is none")
        return {"volume": volume}
    return guest_mounts.read(key, conf.values.get(key, ""))


def _exchange(vmid: str, key: str, mount: guest_mounts.Mount, new: str, delete: bool) -> None:
    """Use the copy; the original goes, or is kept unused."""
    with guest_conf.locked(vmid):
        conf = guest_conf.load(vmid)
        unused = key.startswith("unused")
        conf.values[key] = new if unused else guest_mounts.written(key, mount | {"volume": new})
        if not delete:
            guest_mounts.keep_unused(conf, mount["volume"])
        guest_conf.save(conf)
        if "rootfs" in conf.values:
            guest_copy.renew_owners(conf)
    if delete:
        guest_volumes.free(mount["volume"])


def _give(call: Call, other: str) -> None:
    """Give a volume to another container: it gets its number, and a new name with it."""
    vmid, key = call.vmid, call.values["volume"]
    there = call.values.get("target-volume", key)
    if "rootfs" in (key, there):
        raise Refused("Cannot move to/from 'rootfs'")
    source, target = guest_conf.load(vmid), guest_conf.load(other)
    for conf in (source, target):
        guest_conf.check_lock(conf)
    guest_conf.check_digest(source, call.values.get("digest"))
    guest_conf.check_digest(target, call.values.get("target-digest"))
    if key not in source.values:
        raise Refused(f"Source volume '{key}' does not exist")
    if there in target.values:
        raise Refused(f"Target volume key '{there}' is already in use for container '{other}'")
    if guest_conf.running(vmid):
        raise Refused("cannot move volumes of a running container")
    print(f"moving volume '{key}' from container '{vmid}' to '{other}'")
    mount = _mount(source, key)
    new = _renamed(mount["volume"], other)
    print(f"removing volume '{key}' from container '{vmid}' config")
    with guest_conf.locked(vmid):
        source = guest_conf.load(vmid)
        source.values.pop(key, None)
        guest_conf.save(source)
    with guest_conf.locked(other):
        target = guest_conf.load(other)
        unused = there.startswith("unused")
        target.values[there] = new if unused else guest_mounts.written(there, mount | {"volume": new})
        guest_conf.save(target)
    print(f"target container '{other}' updated with '{there}'")


def _renamed(volume: str, vmid: str) -> str:
    """Rename a volume so that it belongs to another guest."""
    name, rest = guest_volumes.split(volume)
    taken = " ".join(guest_volumes.of_guest(vmid))
    number = next(number for number in range(256) if f"-{vmid}-disk-{number}" not in taken)
    if guest_volumes.dataset(volume):
        return guest_volumes.rename(volume, f"subvol-{vmid}-disk-{number}")
    ending = rest.rpartition(".")[2]
    new = f"{name}:{vmid}/vm-{vmid}-disk-{number}.{ending}"
    os.makedirs(os.path.dirname(model.path(guest_volumes.image(new))), exist_ok=True)
    os.rename(model.path(guest_volumes.image(volume)), model.path(guest_volumes.image(new)))
    os.rename(model.path(guest_volumes.place(volume)), model.path(guest_volumes.place(new)))
    return new
