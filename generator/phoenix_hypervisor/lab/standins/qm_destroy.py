"""`qm destroy`."""

import os
import sys

import guest_volumes
import model
import qm_conf
import qm_drives
import qm_run
from guest_conf import Refused
from guest_options import Call
from qm_conf import MachineConf


def run(call: Call) -> int:
    vmid = call.vmid
    qm_conf.refuse_if_missing(vmid)
    with qm_conf.locked(vmid, sys.stdout):
        conf = qm_conf.load(vmid)
        if conf.values.get("protection") == "1":
            raise Refused(f"can't remove VM {vmid} - protection mode enabled")
        qm_conf.check_lock(conf, call.on("skiplock"))
        if vmid in qm_run.running():
            raise Refused(f"VM {vmid} is running - destroy failed")
        _refuse_bases(conf)
        for volid in _own(conf):
            qm_drives.free(volid)
        if call.on("destroy-unreferenced-disks"):
            for volid in guest_volumes.of_guest(vmid):
                qm_drives.free(volid)
        if call.on("purge"):
            print(f"purging VM {vmid} from related configurations..")
        _forget(vmid)
    return 0


def _own(conf: MachineConf) -> list[str]:
    parts = (conf, *conf.snapshots.values())
    found = [drive["file"] for part in parts for drive in qm_drives.volumes(part).values()]
    found += qm_drives.unused(conf).values()
    return [
        volid
        for volid in dict.fromkeys(found)
        if guest_volumes.owner(volid) == conf.vmid and qm_drives.size(volid)
    ]


def _refuse_bases(conf: MachineConf) -> None:
    """Refuse while linked clones share its disks."""
    if conf.values.get("template") != "1":
        return
    mine = {guest_volumes.leaf(drive["file"]): drive["file"] for drive in qm_drives.volumes(conf).values()}
    for other in qm_conf.vmids():
        if other == conf.vmid:
            continue
        for drive in qm_drives.volumes(qm_conf.load(other)).values():
            for leaf, volid in mine.items():
                if f"{leaf}/" in drive["file"]:
                    raise Refused(f"base volume '{volid}' is still in use by linked cloned")


def _forget(vmid: str) -> None:
    with model.change() as state:
        model.section(state, "guests").pop(vmid, None)
    qm_run.forget_running(vmid)
    firewall = model.path(f"/etc/pve/firewall/{vmid}.fw")
    if os.path.exists(firewall):
        os.unlink(firewall)
    qm_conf.remove(vmid)
