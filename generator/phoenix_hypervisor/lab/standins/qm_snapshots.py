"""`qm snapshot`, `listsnapshot`, `rollback` and `delsnapshot`: of disks on a zfspool, or in qcow2 images."""

import shutil
import sys
import time

import guest_volumes
import guest_zfs
import model
import qm_conf
import qm_drives
import qm_run
from guest_conf import Part, Refused
from guest_options import Call
from qm_conf import MachineConf

NOT_COPIED = ("snapstate", "snaptime", "lock", "parent", "description", "vmstate")


def run(call: Call) -> int:
    verbs = {"snapshot": _take, "listsnapshot": _list, "rollback": _roll_back, "delsnapshot": _delete}
    verbs[call.verb](call)
    return 0


def _disks(part: Part) -> list[str]:
    found = qm_drives.volumes(part).values()
    return [drive["file"] for drive in found if drive.get("media") != "cdrom"]


def _can(volid: str) -> bool:
    return bool(guest_volumes.dataset(volid)) or volid.endswith(".qcow2")


def _take(call: Call) -> None:
    vmid, name = call.vmid, call.values["snapname"]
    if name == "current":
        raise Refused("unable to use snapshot name 'current' (reserved name)")
    if call.on("vmstate"):
        model.not_simulated("qm", ["snapshot", "--vmstate"])
    with qm_conf.locked(vmid, sys.stdout):
        conf = qm_conf.load(vmid)
        if conf.values.get("template") == "1":
            raise Refused("you can't take a snapshot if it's a template")
        qm_conf.check_lock(conf)
        if name in conf.snapshots:
            raise Refused(f"snapshot name '{name}' already used")
        if not all(map(_can, _disks(conf))):
            raise Refused("snapshot feature is not available")
        part = Part()
        part.copy_from(conf)
        for key in NOT_COPIED:
            part.values.pop(key, None)
        if "parent" in conf.values:
            part.values["parent"] = conf.values["parent"]
        if call.values.get("description"):
            part.values["description"] = call.values["description"]
        part.values |= {"snaptime": str(int(time.time())), "snapstate": "prepare"}
        conf.values["lock"] = "snapshot"
        conf.snapshots[name] = part
        qm_conf.save(conf)
    for volid in _disks(conf):
        dataset = guest_volumes.dataset(volid)
        print(f"snapshotting '{volid}'", flush=True)
        if dataset:
            guest_volumes.zfs("snapshot", f"{dataset}@{name}")
        place = model.path(qm_drives.content(volid))
        qm_drives.copy_files(place, f"{place}@{name}")
    with qm_conf.locked(vmid, sys.stdout):
        conf = qm_conf.load(vmid)
        conf.values.pop("lock", None)
        conf.snapshots[name].values.pop("snapstate", None)
        conf.values["parent"] = name
        qm_conf.save(conf)


def _list(call: Call) -> None:
    import pct_snapshots

    pct_snapshots.show(qm_conf.load(call.vmid))


def _existing(conf: MachineConf, name: str) -> Part:
    if name not in conf.snapshots:
        raise Refused(f"snapshot '{name}' does not exist")
    return conf.snapshots[name]


def _roll_back(call: Call) -> None:
    vmid, name = call.vmid, call.values["snapname"]
    with qm_conf.locked(vmid, sys.stdout):
        conf = qm_conf.load(vmid)
        if conf.values.get("template") == "1":
            raise Refused("you can't rollback if vm is a template")
        part = _existing(conf, name)
        qm_conf.check_lock(conf)
        state = model.read()
        for volid in _disks(part):
            dataset = guest_volumes.dataset(volid)
            known = guest_zfs.snapshots(state, dataset) if dataset else []
            if known and known[-1] != name:
                raise Refused(f"can't rollback, '{name}' is not most recent snapshot on '{volid}'")
    if vmid in qm_run.running():
        qm_run.stop(vmid)
    for volid in _disks(part):
        dataset = guest_volumes.dataset(volid)
        if dataset:
            guest_volumes.zfs("rollback", f"{dataset}@{name}")
        place = model.path(qm_drives.content(volid))
        qm_drives.copy_files(f"{place}@{name}", place)
    with qm_conf.locked(vmid, sys.stdout):
        conf = qm_conf.load(vmid)
        before = dict(conf.values)
        conf.copy_from(conf.snapshots[name])
        conf.pending.values.clear()
        for key in NOT_COPIED:
            conf.values.pop(key, None)
        conf.values["parent"] = name
        if "description" in before:
            conf.values["description"] = before["description"]
        old = Part()
        old.values = before
        for volid in _disks(old):
            if not qm_drives.in_use(conf, volid):
                qm_drives.keep_unused(conf, volid)
        qm_conf.save(conf)
    if call.on("start"):
        import qm_power

        qm_power.start(vmid)


def _delete(call: Call) -> None:
    vmid, name = call.vmid, call.values["snapname"]
    with qm_conf.locked(vmid, sys.stdout):
        conf = qm_conf.load(vmid)
        part = _existing(conf, name)
        qm_conf.check_lock(conf)
        conf.values["lock"] = "snapshot-delete"
        part.values["snapstate"] = "delete"
        qm_conf.save(conf)
    state = model.read()
    for volid in _disks(part):
        dataset = guest_volumes.dataset(volid)
        if dataset and name in guest_zfs.snapshots(state, dataset):
            guest_volumes.zfs("destroy", f"{dataset}@{name}")
        shutil.rmtree(model.path(qm_drives.content(volid)) + f"@{name}", ignore_errors=True)
    with qm_conf.locked(vmid, sys.stdout):
        conf = qm_conf.load(vmid)
        above = conf.snapshots.pop(name).values.get("parent")
        for other in (conf, *conf.snapshots.values()):
            if other.values.get("parent") == name:
                other.values.pop("parent")
                other.values |= {"parent": above} if above else {}
        conf.values.pop("lock", None)
        qm_conf.save(conf)
