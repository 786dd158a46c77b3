"""`qm disk resize`, `move`, `unlink`, `import` and `rescan`."""

import sys

import guest_volumes
import model
import qm_conf
import qm_drives
import qm_run
import qm_set
from guest_conf import Refused
from guest_options import Call
from storage_rules import words


def run(call: Call) -> int:
    verbs = {"resize": _resize, "move": _move, "unlink": _unlink, "import": _import, "rescan": _rescan}
    return verbs[call.verb.removeprefix("disk ")](call)


def _resize(call: Call) -> int:
    key, wanted = call.values["disk"], call.values["size"]
    qm_conf.refuse_if_missing(call.vmid)
    with qm_conf.locked(call.vmid):
        conf = qm_conf.load(call.vmid)
        qm_conf.check_digest(conf, call.values.get("digest"))
        qm_conf.check_lock(conf, call.on("skiplock"))
        if key not in conf.values:
            return _said(f"disk '{key}' does not exist")
        drive = qm_drives.read(key, conf.values[key])
        if not qm_drives.is_volume(drive):
            return _said(f"disk '{key}' has no associated volume")
        before = qm_drives.size(drive["file"])
        after = guest_volumes.size_of(wanted.removeprefix("+")) + (before if wanted.startswith("+") else 0)
        if after < before:
            return _said("shrinking disks is not supported")
        if after > before:
            qm_drives.resize(drive["file"], after)
            if not guest_volumes.dataset(drive["file"]):
                print("Image resized.")
        conf.values[key] = qm_drives.written(key, drive | {"size": guest_volumes.spelt(after)})
        qm_conf.save(conf)
    return 0


def _said(text: str) -> int:
    """A task that fails, and a status that does not tell: as recorded of the real tool."""
    print(text, file=sys.stderr)
    return 0


def _unlink(call: Call) -> int:
    qm_conf.refuse_if_missing(call.vmid)
    qm_set.change(call.vmid, {}, words(call.values["idlist"]), force=call.on("force"))
    return 0


def _import(call: Call) -> int:
    import qm_images

    if "target-disk" in call.values:
        model.not_simulated("qm", ["disk import", "--target-disk"])
    source, storage = call.values["source"], call.values["storage"]
    with qm_conf.locked(call.vmid):
        conf = qm_conf.load(call.vmid)
        qm_conf.check_lock(conf)
        print(f"importing disk '{source}' to VM {call.vmid} ...", flush=True)
        volid = qm_images.bring_in(source, storage, call.vmid, call.values.get("format", ""))
        qm_drives.keep_unused(conf, volid)
        qm_conf.save(conf)
    key = next(key for key, one in qm_drives.unused(conf).items() if one == volid)
    print(f"{key}: successfully imported disk '{volid}'")
    return 0


def _move(call: Call) -> int:
    key, storage = call.values["disk"], call.values.get("storage", "")
    if "target-vmid" in call.values or not storage:
        model.not_simulated("qm", ["disk move", "to another machine"])
    with qm_conf.locked(call.vmid):
        conf = qm_conf.load(call.vmid)
        qm_conf.check_lock(conf)
        qm_conf.check_digest(conf, call.values.get("digest"))
        if key not in conf.values:
            raise Refused(f"disk '{key}' does not exist", 2)
        drive = qm_drives.read(key, conf.values[key])
        old = drive["file"]
        if guest_volumes.split(old)[0] == storage and "format" not in call.values:
            raise Refused("you can't move to the same storage with same format", 2)
        if call.vmid in qm_run.running():
            model.not_simulated("qm", ["disk move", "of a running machine"])
        print(f"create full clone of drive {key} ({old})", flush=True)
        new = qm_drives.allocate(storage, call.vmid, qm_drives.size(old), call.values.get("format", ""))
        qm_drives.copy_files(model.path(qm_drives.content(old)), model.path(qm_drives.content(new)))
        conf.values[key] = qm_drives.written(key, drive | {"file": new})
        if call.on("delete"):
            qm_drives.free(old)
        else:
            qm_drives.keep_unused(conf, old)
        qm_conf.save(conf)
    return 0


def _rescan(call: Call) -> int:
    print("rescan volumes...")
    wanted = [call.values["vmid"]] if "vmid" in call.values else qm_conf.vmids()
    for vmid in wanted:
        with qm_conf.locked(vmid):
            conf = qm_conf.load(vmid)
            for key, drive in qm_drives.volumes(conf).items():
                found = guest_volumes.spelt(qm_drives.size(drive["file"]))
                if drive.get("size", found) != found and not qm_drives.is_cloudinit(drive):
                    print(
                        f"VM {vmid} ({key}): size of disk '{drive['file']}' "
                        f"updated from {drive['size']} to {found}"
                    )
                    conf.values[key] = qm_drives.written(key, drive | {"size": found})
            known = {
                drive["file"]
                for part in (conf, *conf.snapshots.values())
                for drive in qm_drives.volumes(part).values()
            }
            for volid in guest_volumes.of_guest(vmid):
                if volid not in known and volid not in qm_drives.unused(conf).values():
                    print(f"VM {vmid} add unreferenced volume '{volid}' as 'unused' to config")
                    qm_drives.keep_unused(conf, volid)
            if not call.on("dryrun"):
                qm_conf.save(conf)
    return 0
