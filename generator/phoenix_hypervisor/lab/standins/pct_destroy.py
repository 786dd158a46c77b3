"""`pct destroy`."""

import os
import sys

import guest_conf
import guest_lxc
import guest_mounts
import guest_runtime
import guest_volumes
import model
from guest_conf import Conf, Refused
from guest_options import Call


def run(call: Call) -> int:
    vmid = call.vmid
    guest_conf.refuse_if_missing(vmid)
    with guest_conf.locked(vmid, sys.stdout):
        conf = guest_conf.load(vmid)
        _refuse(conf, call)
        if guest_conf.running(vmid):
            print(f"forced to stop CT {vmid} before destroying!")
            guest_runtime.stop(vmid)
        _free(conf, call.on("destroy-unreferenced-disks"))
        if call.on("purge"):
            print(f"purging CT {vmid} from related configurations..")
        _forget(vmid)
    return 0


def _refuse(conf: Conf, call: Call) -> None:
    if conf.values.get("protection") == "1":
        raise Refused(f"can't remove CT {conf.vmid} - protection mode enabled")
    if not call.on("force"):
        guest_conf.check_lock(conf)
        if guest_conf.running(conf.vmid):
            raise Refused(f"unable to destroy CT {conf.vmid} - container is running")


def _free(conf: Conf, everything: bool) -> None:
    """Remove the volumes that are the guest's own: mounted, unused, in snapshots; or all with its number."""
    mounts = [
        mount for part in (conf, *conf.snapshots.values()) for mount in guest_mounts.every(part).values()
    ]
    found = [mount["volume"] for mount in mounts if guest_mounts.kind(mount) == "volume"]
    found += guest_mounts.unused(conf).values()
    for volid in dict.fromkeys(found):
        if guest_volumes.owner(volid) == conf.vmid and guest_volumes.exists(volid):
            guest_volumes.free(volid)
    if everything:
        for volid in guest_volumes.of_guest(conf.vmid):
            guest_volumes.free(volid)


def _forget(vmid: str) -> None:
    guest_lxc.forget(vmid)
    with model.change() as state:
        model.section(state, "guests").pop(vmid, None)
    firewall = model.path(f"/etc/pve/firewall/{vmid}.fw")
    if os.path.exists(firewall):
        os.unlink(firewall)
    guest_conf.remove(vmid)
